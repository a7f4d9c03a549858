/* ONNX Resize: a matrix along each axis that changes, which spells every coordinate
 * mode; where the graph's own `resize` means the same, that. */
#include "frontend/onnx_import.h"
#include <string.h>

/* ---- one axis ------------------------------------------------------------------- */

typedef struct Axis {
    int64_t in, out;
    double scale;          /* as given: out may be rounded */
    double first, last;    /* tf_crop_and_resize: roi */
} Axis;

typedef struct Rule {
    const char *coords, *mode, *nearest;
    double cubic, outside;
    bool exclude;
    bool old; /* opset 10 does not say how it rounds: engines up where an axis shrinks */
} Rule;

static double source_of(const Rule *r, const Axis *a, int64_t i)
{
    double x = (double)i, n = (double)a->in, m = (double)a->out; /* scale * n may be broken */
    if (strcmp(r->coords, "asymmetric") == 0)
        return x / a->scale;
    if (strcmp(r->coords, "align_corners") == 0)
        return m == 1 ? 0 : x * (n - 1) / (n * a->scale - 1);
    if (strcmp(r->coords, "pytorch_half_pixel") == 0 && m == 1)
        return 0;
    if (strcmp(r->coords, "tf_half_pixel_for_nn") == 0)
        return (x + 0.5) / a->scale;
    if (strcmp(r->coords, "tf_crop_and_resize") == 0)
        return m > 1 ? a->first * (n - 1) + x * (a->last - a->first) * (n - 1) / (m - 1)
                     : 0.5 * (a->first + a->last) * (n - 1);
    if (strcmp(r->coords, "half_pixel_symmetric") == 0) /* a broken length is cut on both sides */
        return n / 2 * (1 - m / (n * a->scale)) + (x + 0.5) / a->scale - 0.5;
    return (x + 0.5) / a->scale - 0.5;
}

static double nearest_of(const char *rule, double x)
{
    if (strcmp(rule, "floor") == 0)
        return floor(x);
    if (strcmp(rule, "ceil") == 0)
        return ceil(x);
    if (strcmp(rule, "round_prefer_ceil") == 0)
        return floor(x + 0.5);
    return ceil(x - 0.5);
}

static const char *rounding_of(const Rule *r, const Axis *a)
{
    return r->old && a->scale < 1 ? "ceil" : r->nearest;
}

/* Keys, "Cubic Convolution Interpolation", 1981 */
static double cubic_weight(double a, double x)
{
    x = fabs(x);
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static int64_t clamped(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* The row of output i: what it takes of each input. */
static void row_fill(const Rule *r, const Axis *a, int64_t i, double *row)
{
    double x = source_of(r, a, i), sum = 0, low;
    bool linear = strcmp(r->mode, "linear") == 0;
    if (strcmp(r->mode, "nearest") == 0) {
        row[clamped(onnx_whole(nearest_of(rounding_of(r, a), x)), a->in)] = 1;
        return;
    }
    low = floor(x);
    for (int64_t k = linear ? 0 : -1; k <= (linear ? 1 : 2); k++) {
        int64_t at = onnx_whole(low) + k;
        double distance = x - (low + (double)k);
        double w = linear ? 1 - fabs(distance) : cubic_weight(r->cubic, distance);
        if (r->exclude && (at < 0 || at >= a->in))
            continue;
        row[clamped(at, a->in)] += w;
        sum += w;
    }
    for (int64_t k = 0; k < a->in && r->exclude; k++)
        row[k] /= sum;
}

static bool is_outside(const Rule *r, const Axis *a, int64_t i)
{
    double x = source_of(r, a, i);
    return strcmp(r->coords, "tf_crop_and_resize") == 0 && (x < 0 || x > (double)(a->in - 1));
}

static Value *axis_resized(Importer *in, Value *x, int axis, const Rule *r, const Axis *a)
{
    if (a->in * a->out > 1 << 24)
        onnx_fail(in, "resizing %lld to %lld is too large", (long long)a->in, (long long)a->out);
    Tensor *matrix = onnx_tensor_new(in, (Type){DT_f32, shape_of(2, (int64_t[]){a->out, a->in})});
    Shape side = {.rank = x->type.shape.rank};
    for (int d = 0; d < side.rank; d++)
        side.dim[d] = d == axis ? a->out : 1;
    Tensor *outside = onnx_tensor_new(in, (Type){DT_bool, side});
    double *row = NEW(in->arena, double, a->in);
    bool any = false;
    for (int64_t i = 0; i < a->out; i++) {
        memset(row, 0, sizeof *row * (size_t)a->in);
        row_fill(r, a, i, row);
        for (int64_t k = 0; k < a->in; k++)
            tensor_set(matrix, i * a->in + k, row[k]);
        tensor_set(outside, i, is_outside(r, a, i));
        any = any || is_outside(r, a, i);
    }
    x = onnx_along(in, x, axis, matrix);
    return any ? onnx_select(in, onnx_constant(in, outside), onnx_real(in, r->outside), x) : x;
}

/* ---- the operator ------------------------------------------------------------------ */

/* The dimensions that scales and sizes are of: all, or those that opset 18 names. */
static Ints axes_named(Importer *in, int rank)
{
    Ints axes = onnx_axes(0, rank);
    if (onnx_attr_ints(in, "axes", &axes))
        for (int i = 0; i < axes.n; i++)
            axes.at[i] = onnx_axis(in, axes.at[i], rank);
    return axes;
}

static void scales_read(Importer *in, Value *v, Axis *axes, const Ints *of)
{
    const Tensor *t = onnx_known(in, v);
    if (shape_count(&t->type.shape) != of->n)
        onnx_fail(in, "%d scales are needed", of->n);
    for (int i = 0; i < of->n; i++) {
        Axis *axis = &axes[of->at[i]];
        axis->scale = tensor_get(t, i);
        axis->out = onnx_whole(floor((double)axis->in * axis->scale));
    }
}

static void sizes_read(Importer *in, Ints sizes, Axis *axes, const Ints *of)
{
    if (sizes.n != of->n)
        onnx_fail(in, "%d sizes are needed", of->n);
    for (int i = 0; i < of->n; i++) {
        Axis *axis = &axes[of->at[i]];
        axis->out = sizes.at[i];
        axis->scale = (double)axis->out / (double)axis->in;
    }
}

static void roi_read(Importer *in, Axis *axes, const Ints *of)
{
    const Tensor *t = onnx_known(in, onnx_arg(in, 1));
    if (shape_count(&t->type.shape) != 2 * of->n)
        onnx_fail(in, "roi needs %d numbers", 2 * of->n);
    for (int i = 0; i < of->n; i++) {
        axes[of->at[i]].first = tensor_get(t, i);
        axes[of->at[i]].last = tensor_get(t, of->n + i);
    }
}

static void axes_read(Importer *in, Axis *axes, const Shape *s, bool crop)
{
    bool upsample = strcmp(in->node->op_type, "Upsample") == 0 || in->opset < 11;
    int scales = upsample ? 1 : 2;
    for (int d = 0; d < s->rank && d < MAX_RANK; d++)
        axes[d] = (Axis){.in = s->dim[d], .out = s->dim[d], .scale = 1, .last = 1};
    Ints of = axes_named(in, s->rank);
    const Onnx__AttributeProto *old = upsample ? onnx_attr(in, "scales") : NULL;
    if (old) {
        if (old->n_floats != (size_t)s->rank)
            onnx_fail(in, "%d scales are needed", s->rank);
        for (int d = 0; d < s->rank; d++) {
            axes[d].scale = (double)old->floats[d];
            axes[d].out = onnx_whole(floor((double)axes[d].in * axes[d].scale));
        }
    } else if (onnx_maybe(in, scales)) {
        scales_read(in, onnx_arg(in, scales), axes, &of);
        if (!upsample && onnx_has(in, 3) && onnx_known_ints(in, 3).n)
            onnx_fail(in, "scales and sizes are both given");
    } else {
        sizes_read(in, onnx_known_ints(in, 3), axes, &of);
    }
    if (crop)
        roi_read(in, axes, &of);
    else if (!upsample)
        onnx_maybe(in, 1); /* roi, of that mode alone */
    for (int d = 0; d < s->rank; d++)
        if (axes[d].out < 1 || axes[d].out > 1 << 20 || !(axes[d].scale > 0))
            onnx_fail(in, "dimension %d becomes %lld: out of range", d, (long long)axes[d].out);
}

/* Does `resize` of the graph mean the same? Then it is kept: it is quicker. */
static bool native_attrs(const Rule *r, const Axis *axes, int rank, Attrs *a)
{
    bool whole = rank == 4 && axes[0].in == axes[0].out && axes[1].in == axes[1].out;
    for (int d = 2; d < rank && whole; d++)
        whole = fabs(axes[d].scale * (double)axes[d].in - (double)axes[d].out) < 1e-9;
    bool half = strcmp(r->coords, "half_pixel") == 0 ||
                (strcmp(r->coords, "pytorch_half_pixel") == 0 && axes[2].out > 1 && axes[3].out > 1);
    bool corners = strcmp(r->coords, "align_corners") == 0;
    bool asymmetric = strcmp(r->coords, "asymmetric") == 0;
    const char *rounding = asymmetric ? "floor" : "round_prefer_ceil"; /* ours: modes.def */
    bool nearest = strcmp(r->mode, "nearest") == 0;
    for (int d = 2; d < rank && nearest; d++)
        nearest = strcmp(rounding_of(r, &axes[d]), rounding) == 0;
    bool linear = strcmp(r->mode, "linear") == 0 && !r->exclude;
    if (!whole || (!nearest && !linear) || (!half && !corners && !asymmetric))
        return false;
    a->mode = nearest ? MODE_nearest : MODE_bilinear;
    a->coords = asymmetric ? MODE_asymmetric : half ? MODE_half_pixel : MODE_align_corners;
    a->shape.n = 4;
    for (int d = 0; d < 4; d++)
        a->shape.at[d] = axes[d].out;
    return true;
}

static const char coordinates[] = "half_pixel half_pixel_symmetric pytorch_half_pixel "
                                  "align_corners asymmetric tf_half_pixel_for_nn tf_crop_and_resize";
static const char roundings[] = "floor ceil round_prefer_floor round_prefer_ceil";

void onnx_build_resize(Importer *in)
{
    Value *x = onnx_arg(in, 0), *y = x;
    int rank = x->type.shape.rank;
    bool upsample = strcmp(in->node->op_type, "Upsample") == 0 || in->opset < 11;
    Axis axes[MAX_RANK];
    Rule r = {.coords = onnx_attr_choice(in, "coordinate_transformation_mode",
                                         upsample ? "asymmetric" : "half_pixel", coordinates),
              .mode = onnx_attr_choice(in, "mode", "nearest", "nearest linear cubic"),
              .nearest = onnx_attr_choice(in, "nearest_mode",
                                          upsample ? "floor" : "round_prefer_floor", roundings),
              .cubic = onnx_attr_real(in, "cubic_coeff_a", -0.75),
              .outside = onnx_attr_real(in, "extrapolation_value", 0),
              .exclude = onnx_attr_int(in, "exclude_outside", 0) != 0,
              .old = upsample};
    onnx_attr_choice(in, "keep_aspect_ratio_policy", "stretch", "stretch");
    if (onnx_attr_int(in, "antialias", 0))
        onnx_fail(in, "antialias is not supported");
    bool crop = strcmp(r.coords, "tf_crop_and_resize") == 0;
    axes_read(in, axes, &x->type.shape, crop);
    Attrs a = attrs_default();
    if (x->type.dtype == DT_f32 && native_attrs(&r, axes, rank, &a)) {
        onnx_result(in, 0, onnx_op(in, OP_resize, &a, 1, &x));
        return;
    }
    y = onnx_cast(in, x, DT_f32);
    for (int d = 0; d < rank; d++)
        if (axes[d].in != axes[d].out || axes[d].scale != 1 ||
            (crop && (axes[d].first != 0 || axes[d].last != 1)))
            y = axis_resized(in, y, d, &r, &axes[d]);
    onnx_result(in, 0, onnx_cast(in, y, x->type.dtype));
}
