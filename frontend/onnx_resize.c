/* ONNX Resize: a matrix along each axis that changes, which spells every coordinate
 * mode; where the graph's own `resize` means the same, that. And Einsum. */
#include "frontend/onnx_import.h"
#include <ctype.h>
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

/* ---- Einsum -------------------------------------------------------------------------- */

/* An operand with a letter for each dimension. */
typedef struct Term {
    Value *value;
    int n;
    char letter[MAX_RANK];
} Term;

static void term_transpose(Importer *in, Term *t, const char *order)
{
    int perm[MAX_RANK] = {0}, n = 0;
    for (const char *at = order; *at; at++)
        for (int i = 0; i < t->n && n < MAX_RANK; i++)
            if (t->letter[i] == *at)
                perm[n++] = i;
    if (n != t->n)
        onnx_fail(in, "the result of the equation does not follow from its operands");
    t->value = onnx_transpose(in, t->value, perm);
    char held[MAX_RANK];
    memcpy(held, t->letter, sizeof held);
    for (int i = 0; i < n; i++)
        t->letter[i] = held[perm[i]];
}

/* A letter is summed where only this term has it and the result does not. */
static void term_sum(Importer *in, Term *t, const Term *other, const char *out)
{
    Ints axes = {0};
    int kept = 0;
    for (int i = 0; i < t->n; i++) {
        char c = t->letter[i];
        if (!strchr(out, c) && !(other && memchr(other->letter, c, (size_t)other->n)))
            axes.at[axes.n++] = i;
        else
            t->letter[kept++] = c;
    }
    t->value = onnx_reduce(in, OP_reduce_sum, t->value, axes, false);
    t->n = kept;
}

/* The diagonal where a letter stands twice in a term. */
static void term_diagonal(Importer *in, Term *t)
{
    for (int i = 0; i < t->n; i++)
        for (int k = i + 1; k < t->n; k++) {
            if (t->letter[i] != t->letter[k])
                continue;
            Shape s = t->value->type.shape, side = {.rank = t->n};
            for (int d = 0; d < t->n; d++)
                side.dim[d] = d == i || d == k ? s.dim[d] : 1;
            if (s.dim[i] != s.dim[k])
                onnx_fail(in, "'%c' has two lengths", t->letter[i]);
            Tensor *eye = onnx_tensor_new(in, (Type){DT_f32, side});
            for (int64_t j = 0; j < s.dim[i]; j++)
                tensor_set(eye, j * (s.dim[i] + 1), 1);
            Value *y = onnx_2(in, OP_mul, t->value, onnx_constant(in, eye));
            t->value = onnx_reduce(in, OP_reduce_sum, y, onnx_axes(k, k + 1), false);
            memmove(t->letter + k, t->letter + k + 1, (size_t)(t->n - k - 1));
            t->n--;
            k--;
        }
}

/* "ij", with "..." for what is left: capital letters from Z down, aligned right. */
static const char *term_read(Importer *in, const char *at, int rank, char *letters)
{
    int named = 0, n = 0;
    const char *end = at;
    for (; *end && *end != ',' && *end != '-'; end++)
        named += *end != '.' && *end != ' ';
    for (; at < end; at++) {
        if (*at == ' ')
            continue;
        int dots = *at == '.' ? rank - named : 0;
        if (*at == '.' && (at + 2 >= end || at[1] != '.' || at[2] != '.' || dots < 0))
            onnx_fail(in, "the equation does not fit its operands");
        if (n + (dots ? dots : 1) > MAX_RANK || (*at != '.' && !isalpha((unsigned char)*at)))
            onnx_fail(in, "the equation is not understood");
        for (int i = 0; i < dots; i++)
            letters[n++] = (char)('0' + dots - 1 - i);
        if (*at == '.')
            at += 2;
        else
            letters[n++] = *at;
    }
    letters[n] = '\0';
    return end;
}

static void letters_join(char *to, const Term *t, const char *keep, bool kept)
{
    size_t n = strlen(to);
    for (int i = 0; i < t->n; i++)
        if ((strchr(keep, t->letter[i]) != NULL) == kept && !memchr(to, t->letter[i], n))
            to[n++] = t->letter[i];
    to[n] = '\0';
}

/* Every letter of `all` becomes a dimension, 1 where the term has none. */
static Value *term_spread(Importer *in, Term *t, const char *all)
{
    Shape s = {0};
    term_transpose(in, t, all);
    for (int i = 0, k = 0; all[i]; i++)
        s.dim[s.rank++] = k < t->n && t->letter[k] == all[i] ? t->value->type.shape.dim[k++] : 1;
    return onnx_reshape(in, t->value, s);
}

/* A letter summed in both makes a product of matrices when the result is its outer
 * parts; the general case multiplies the spread operands and sums. */
static Value *terms_join(Importer *in, Term *a, Term *b, const char *out)
{
    char all[2 * MAX_RANK + 1] = "", kept[2 * MAX_RANK + 1] = "";
    term_sum(in, a, b, out);
    term_sum(in, b, a, out);
    letters_join(all, a, out, true);
    letters_join(all, b, out, true);
    strcpy(kept, all);
    int outer = (int)strlen(kept);
    letters_join(all, a, out, false);
    letters_join(all, b, out, false);
    if (strlen(all) > MAX_RANK)
        onnx_fail(in, "more than %d letters", MAX_RANK);
    Value *y = onnx_2(in, OP_mul, term_spread(in, a, all), term_spread(in, b, all));
    y = onnx_reduce(in, OP_reduce_sum, y, onnx_axes(outer, (int)strlen(all)), false);
    Term t = {.value = y, .n = outer};
    memcpy(t.letter, kept, (size_t)outer);
    term_transpose(in, &t, out);
    return t.value;
}

static void implicit_output(const char *const *letters, int n, char *out)
{
    int count[128] = {0};
    for (int i = 0; i < n; i++)
        for (const char *at = letters[i]; *at; at++)
            count[(int)*at]++;
    int k = 0;
    for (int c = '9'; c >= '0'; c--)
        if (count[c])
            out[k++] = (char)c;
    for (int c = 'A'; c < 128; c++)
        if (count[c] == 1 && k < MAX_RANK)
            out[k++] = (char)c;
    out[k] = '\0';
}

void onnx_build_einsum(Importer *in)
{
    const char *at = onnx_attr_text(in, "equation", "");
    char letters[2][MAX_RANK + 1], out[MAX_RANK + 1];
    Term terms[2];
    int n = onnx_inputs(in), dots = 0;
    if (n < 1 || n > 2)
        onnx_fail(in, "%d operands are not supported (1 or 2 are)", n);
    for (int i = 0; i < n; i++) {
        Value *v = onnx_cast(in, onnx_arg(in, i), DT_f32);
        at = term_read(in, at, v->type.shape.rank, letters[i]);
        at += *at == ',';
        terms[i] = (Term){.value = v, .n = (int)strlen(letters[i])};
        memcpy(terms[i].letter, letters[i], (size_t)terms[i].n);
        if (terms[i].n != v->type.shape.rank)
            onnx_fail(in, "operand %d has %d dimensions, the equation %d", i, v->type.shape.rank,
                      terms[i].n);
        for (int k = 0; k < terms[i].n; k++)
            if (isdigit((unsigned char)letters[i][k]) && letters[i][k] - '0' >= dots)
                dots = letters[i][k] - '0' + 1;
    }
    if (strncmp(at, "->", 2) == 0) {
        int named = 0;
        for (const char *c = at + 2; *c; c++)
            named += isalpha((unsigned char)*c) != 0;
        term_read(in, at + 2, named + dots, out);
    } else {
        implicit_output((const char *const[]){letters[0], letters[1]}, n, out);
    }
    for (int i = 0; i < n; i++)
        term_diagonal(in, &terms[i]);
    if (n == 2) {
        onnx_result(in, 0, terms_join(in, &terms[0], &terms[1], out));
        return;
    }
    term_sum(in, &terms[0], NULL, out);
    term_transpose(in, &terms[0], out);
    onnx_result(in, 0, terms[0].value);
}
