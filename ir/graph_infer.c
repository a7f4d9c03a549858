/* Shape and type inference: one function per operator, in one array. Messages
 * give the rule, then the values. */
#include "ir/graph.h"
#include <string.h>

typedef struct Infer {
    const Attrs *attr;
    int nargs;
    Value *const *args;
    Type *type; /* result; starts as the first argument's type */
    Text *why;
} Infer;

typedef bool InferFn(Infer *in);

static const Shape *arg_shape(const Infer *in, int i)
{
    return &in->args[i]->type.shape;
}

static const char *str(Infer *in, const Shape *shape)
{
    Text text = text_new(in->why->arena);
    text_shape(&text, shape);
    return text_str(&text);
}

#define FAIL(...) return text_printf(in->why, __VA_ARGS__), false
#define LL(x) ((long long)(x))

static bool need_real(Infer *in)
{
    for (int i = 0; i < in->nargs; i++)
        if (in->args[i]->type.dtype != DT_f32)
            FAIL("argument %d must be f32, is %s", i + 1,
                 dtype_info[in->args[i]->type.dtype].name);
    return true;
}

static bool need_rank(Infer *in, int i, int rank, const char *form)
{
    const Shape *s = arg_shape(in, i);
    if (s->rank != rank)
        FAIL("argument %d must be %s, is %s", i + 1, form, str(in, s));
    return true;
}

static bool need_vector(Infer *in, int i, int64_t n, const char *what)
{
    const Shape *s = arg_shape(in, i);
    if (s->rank != 1 || s->dim[0] != n)
        FAIL("%s must be [%lld], is %s", what, LL(n), str(in, s));
    return true;
}

/* ---- windows ----------------------------------------------------------- */

typedef struct Span1 {
    int64_t size, kernel, stride, dilation, before, after;
    bool ceil;
} Span1;

static bool window_size(Infer *in, const char *axis, Span1 w, int64_t *out)
{
    if (w.kernel < 1 || w.stride < 1 || w.dilation < 1 || w.before < 0 || w.after < 0)
        FAIL("kernel, stride and dilation must be at least 1 and padding at least 0");
    if (w.kernel > INT32_MAX || w.dilation > INT32_MAX || w.before > INT32_MAX ||
        w.after > INT32_MAX)
        FAIL("window is too large");
    int64_t reach = w.dilation * (w.kernel - 1) + 1;
    int64_t room = w.size + w.before + w.after - reach;
    if (room < 0)
        FAIL("window of %lld does not fit into %s %lld with padding %lld + %lld",
             LL(reach), axis, LL(w.size), LL(w.before), LL(w.after));
    *out = room / w.stride + 1;
    if (w.ceil && room % w.stride != 0 &&
        *out * w.stride < w.size + w.before)
        (*out)++; /* a last window must start inside the map or its left padding */
    return true;
}

static bool conv_channels(Infer *in, int64_t *out)
{
    const Shape *x = arg_shape(in, 0), *w = arg_shape(in, 1);
    int64_t groups = in->attr->groups;
    if (groups < 1)
        FAIL("groups must be at least 1, is %lld", LL(groups));
    if (x->dim[1] % groups != 0)
        FAIL("%lld input channels do not divide into %lld groups", LL(x->dim[1]),
             LL(groups));
    if (w->dim[0] % groups != 0)
        FAIL("%lld output channels do not divide into %lld groups", LL(w->dim[0]),
             LL(groups));
    if (w->dim[1] != x->dim[1] / groups)
        FAIL("weight %s needs %lld input channels per group, x %s with %lld groups "
             "has %lld",
             str(in, w), LL(w->dim[1]), str(in, x), LL(groups),
             LL(x->dim[1] / groups));
    if (in->nargs == 3 && !need_vector(in, 2, w->dim[0], "bias"))
        return false;
    *out = w->dim[0];
    return true;
}

static bool infer_conv2d(Infer *in)
{
    const Attrs *a = in->attr;
    int64_t channels, h, w;
    if (!need_real(in) || !need_rank(in, 0, 4, "[N,C,H,W]") ||
        !need_rank(in, 1, 4, "[O,C/groups,KH,KW]") || !conv_channels(in, &channels))
        return false;
    const Shape *x = arg_shape(in, 0), *k = arg_shape(in, 1);
    if (!window_size(in, "height", (Span1){x->dim[2], k->dim[2], a->stride.at[0],
                     a->dilation.at[0], a->pad.at[0], a->pad.at[2], false}, &h) ||
        !window_size(in, "width", (Span1){x->dim[3], k->dim[3], a->stride.at[1],
                     a->dilation.at[1], a->pad.at[1], a->pad.at[3], false}, &w))
        return false;
    in->type->shape = shape_of(4, (int64_t[]){x->dim[0], channels, h, w});
    return true;
}

static bool infer_conv1d(Infer *in)
{
    const Attrs *a = in->attr;
    int64_t channels, n;
    if (!need_real(in) || !need_rank(in, 0, 3, "[N,C,L]") ||
        !need_rank(in, 1, 3, "[O,C/groups,K]") || !conv_channels(in, &channels))
        return false;
    const Shape *x = arg_shape(in, 0), *k = arg_shape(in, 1);
    if (!window_size(in, "length", (Span1){x->dim[2], k->dim[2], a->stride.at[0],
                     a->dilation.at[0], a->pad.at[0], a->pad.at[1], false}, &n))
        return false;
    in->type->shape = shape_of(3, (int64_t[]){x->dim[0], channels, n});
    return true;
}

static bool infer_pool(Infer *in)
{
    const Attrs *a = in->attr;
    if (!need_real(in) || !need_rank(in, 0, 4, "[N,C,H,W]"))
        return false;
    Shape *s = &in->type->shape;
    const Shape *x = arg_shape(in, 0);
    for (int i = 0; i < 2; i++) {
        int64_t before = a->pad.at[i], after = a->pad.at[i + 2];
        if (before >= a->kernel.at[i] || after >= a->kernel.at[i])
            FAIL("padding %lld must be smaller than the window %lld",
                 LL(before > after ? before : after), LL(a->kernel.at[i]));
        if (!window_size(in, i ? "width" : "height",
                         (Span1){x->dim[2 + i], a->kernel.at[i], a->stride.at[i], 1,
                                 before, after, a->ceil_mode}, &s->dim[2 + i]))
            return false;
    }
    return true;
}

/* ---- products ---------------------------------------------------------- */

static bool infer_linear(Infer *in)
{
    const Shape *x = arg_shape(in, 0), *w = arg_shape(in, 1);
    if (!need_real(in) || !need_rank(in, 1, 2, "[O,I]"))
        return false;
    if (x->rank < 1 || x->dim[x->rank - 1] != w->dim[1])
        FAIL("weight %s needs a last dimension of %lld, x is %s", str(in, w),
             LL(w->dim[1]), str(in, x));
    if (in->nargs == 3 && !need_vector(in, 2, w->dim[0], "bias"))
        return false;
    in->type->shape.dim[x->rank - 1] = w->dim[0];
    return true;
}

static bool broadcast(Infer *in, const Shape *a, const Shape *b, int skip, Shape *out)
{
    int rank = a->rank > b->rank ? a->rank : b->rank;
    out->rank = rank;
    for (int i = 0; i < rank - skip; i++) {
        int ia = i - (rank - a->rank), ib = i - (rank - b->rank);
        int64_t da = ia >= 0 ? a->dim[ia] : 1, db = ib >= 0 ? b->dim[ib] : 1;
        if (da != db && da != 1 && db != 1)
            FAIL("shapes %s and %s do not broadcast: %lld against %lld", str(in, a),
                 str(in, b), LL(da), LL(db));
        out->dim[i] = da == 1 ? db : da;
    }
    return true;
}

static bool infer_matmul(Infer *in)
{
    const Shape *a = arg_shape(in, 0), *b = arg_shape(in, 1);
    if (!need_real(in))
        return false;
    if (a->rank < 2 || b->rank < 2)
        FAIL("operands need two dimensions at least, are %s and %s", str(in, a),
             str(in, b));
    bool ta = in->attr->transpose_a, tb = in->attr->transpose_b;
    int64_t m = a->dim[a->rank - (ta ? 1 : 2)], k = a->dim[a->rank - (ta ? 2 : 1)];
    int64_t kb = b->dim[b->rank - (tb ? 1 : 2)], n = b->dim[b->rank - (tb ? 2 : 1)];
    if (k != kb)
        FAIL("inner dimensions differ: %s%s has %lld, %s%s has %lld", str(in, a),
             ta ? " transposed" : "", LL(k), str(in, b), tb ? " transposed" : "",
             LL(kb));
    Shape out;
    if (!broadcast(in, a, b, 2, &out))
        return false;
    out.dim[out.rank - 2] = m;
    out.dim[out.rank - 1] = n;
    in->type->shape = out;
    return true;
}

static bool infer_attention(Infer *in)
{
    const Shape *q = arg_shape(in, 0), *k = arg_shape(in, 1), *v = arg_shape(in, 2);
    int64_t heads = in->attr->heads;
    if (!need_real(in) || !need_rank(in, 0, 3, "[N,Q,D]") ||
        !need_rank(in, 1, 3, "[N,K,D]") || !need_rank(in, 2, 3, "[N,K,V]"))
        return false;
    if (q->dim[0] != k->dim[0] || q->dim[0] != v->dim[0] || q->dim[2] != k->dim[2] ||
        k->dim[1] != v->dim[1])
        FAIL("q %s, k %s and v %s do not fit", str(in, q), str(in, k), str(in, v));
    if (heads < 1 || q->dim[2] % heads || v->dim[2] % heads)
        FAIL("channels of q %s and v %s do not divide into %lld heads", str(in, q),
             str(in, v), LL(heads));
    in->type->shape = shape_of(3, (int64_t[]){q->dim[0], q->dim[1], v->dim[2]});
    return true;
}

/* ---- norms ------------------------------------------------------------- */

static bool infer_batch_norm(Infer *in)
{
    static const char *const what[] = {"", "weight", "bias", "running mean",
                                       "running variance"};
    const Shape *x = arg_shape(in, 0);
    if (!need_real(in))
        return false;
    if (x->rank < 2)
        FAIL("x must be [N,C,..], is %s", str(in, x));
    for (int i = 1; i < 5; i++)
        if (!need_vector(in, i, x->dim[1], what[i]))
            return false;
    return true;
}

static bool infer_layer_norm(Infer *in)
{
    const Shape *x = arg_shape(in, 0);
    int64_t axis = in->attr->axis;
    if (!need_real(in))
        return false;
    if (axis < 0 || axis >= x->rank)
        FAIL("axis %lld is outside %s", LL(axis), str(in, x));
    Shape tail = shape_of(x->rank - (int)axis, x->dim + axis);
    for (int i = 1; i < in->nargs; i++)
        if (!shape_equal(arg_shape(in, i), &tail))
            FAIL("%s must be %s, is %s", i == 1 ? "weight" : "bias", str(in, &tail),
                 str(in, arg_shape(in, i)));
    return true;
}

static bool infer_group_norm(Infer *in)
{
    const Shape *x = arg_shape(in, 0);
    if (!need_real(in))
        return false;
    if (x->rank < 2)
        FAIL("x must be [N,C,..], is %s", str(in, x));
    if (in->attr->groups < 1 || x->dim[1] % in->attr->groups)
        FAIL("%lld channels do not divide into %lld groups", LL(x->dim[1]),
             LL(in->attr->groups));
    for (int i = 1; i < in->nargs; i++)
        if (!need_vector(in, i, x->dim[1], i == 1 ? "weight" : "bias"))
            return false;
    return true;
}

/* ---- elementwise ------------------------------------------------------- */

static bool infer_real_unary(Infer *in)
{
    return need_real(in);
}

static bool infer_number_unary(Infer *in)
{
    if (in->type->dtype == DT_bool || in->type->dtype == DT_u8)
        FAIL("argument must be f32 or i32, is %s", dtype_info[in->type->dtype].name);
    return true;
}

static bool infer_not(Infer *in)
{
    if (in->type->dtype != DT_bool)
        FAIL("argument must be bool, is %s", dtype_info[in->type->dtype].name);
    return true;
}

static bool infer_clamp(Infer *in)
{
    if (!(in->attr->min <= in->attr->max))
        FAIL("min must not be above max");
    return need_real(in);
}

static bool infer_cast(Infer *in)
{
    in->type->dtype = in->attr->to;
    if (in->attr->to == DT_f16 || in->attr->to == DT_bf16)
        FAIL("%s is a storage type of weights only", dtype_info[in->attr->to].name);
    return true;
}

static bool same_dtype(Infer *in, int i, int j)
{
    DType a = in->args[i]->type.dtype, b = in->args[j]->type.dtype;
    if (a != b)
        FAIL("operands must have one type, are %s and %s", dtype_info[a].name,
             dtype_info[b].name);
    return true;
}

static bool infer_binary(Infer *in)
{
    if (!same_dtype(in, 0, 1))
        return false;
    if (in->type->dtype == DT_bool || in->type->dtype == DT_u8)
        FAIL("operands must be f32 or i32, are %s", dtype_info[in->type->dtype].name);
    return broadcast(in, arg_shape(in, 0), arg_shape(in, 1), 0, &in->type->shape);
}

static bool infer_real_binary(Infer *in)
{
    return need_real(in) && infer_binary(in);
}

static bool infer_logic(Infer *in)
{
    if (in->type->dtype != DT_bool || !same_dtype(in, 0, 1))
        FAIL("operands must be bool, are %s and %s",
             dtype_info[in->args[0]->type.dtype].name,
             dtype_info[in->args[1]->type.dtype].name);
    return broadcast(in, arg_shape(in, 0), arg_shape(in, 1), 0, &in->type->shape);
}

static bool infer_compare(Infer *in)
{
    if (!infer_binary(in))
        return false;
    in->type->dtype = DT_bool;
    return true;
}

static bool infer_select(Infer *in)
{
    Shape values;
    if (in->type->dtype != DT_bool)
        FAIL("condition must be bool, is %s", dtype_info[in->type->dtype].name);
    if (!same_dtype(in, 1, 2) ||
        !broadcast(in, arg_shape(in, 1), arg_shape(in, 2), 0, &values) ||
        !broadcast(in, arg_shape(in, 0), &values, 0, &in->type->shape))
        return false;
    in->type->dtype = in->args[1]->type.dtype;
    return true;
}

/* ---- along axes -------------------------------------------------------- */

static bool need_axis(Infer *in, int64_t axis, int rank)
{
    if (axis < 0 || axis >= rank)
        FAIL("axis %lld is outside %s", LL(axis), str(in, arg_shape(in, 0)));
    return true;
}

static bool infer_softmax(Infer *in)
{
    return need_real(in) && need_axis(in, in->attr->axis, in->type->shape.rank);
}

static bool drop_axes(Infer *in, const Ints *axes)
{
    Shape *s = &in->type->shape;
    for (int i = 0; i < axes->n; i++) {
        if (!need_axis(in, axes->at[i], s->rank))
            return false;
        if (i && axes->at[i] <= axes->at[i - 1])
            FAIL("axes must be ascending and different");
        s->dim[axes->at[i]] = in->attr->keepdims ? 1 : 0;
    }
    int rank = 0;
    for (int i = 0; i < s->rank; i++)
        if (s->dim[i] != 0)
            s->dim[rank++] = s->dim[i];
    s->rank = rank;
    return true;
}

static bool infer_reduce(Infer *in)
{
    if (in->attr->axes.n == 0)
        FAIL("no axes to reduce");
    return need_real(in) && drop_axes(in, &in->attr->axes);
}

static bool infer_argmax(Infer *in)
{
    Ints axes = {.n = 1, .at = {in->attr->axis}};
    if (!need_real(in) || !drop_axes(in, &axes))
        return false;
    in->type->dtype = DT_i32;
    return true;
}

static bool infer_one_hot(Infer *in)
{
    Shape *s = &in->type->shape;
    int64_t axis = in->attr->axis;
    if (in->type->dtype != DT_i32)
        FAIL("classes must be i32, are %s", dtype_info[in->type->dtype].name);
    if (axis < 0 || axis > s->rank || s->rank == MAX_RANK)
        FAIL("axis %lld is outside the result of %s", LL(axis), str(in, s));
    memmove(s->dim + axis + 1, s->dim + axis,
            sizeof *s->dim * (size_t)(s->rank - (int)axis));
    s->dim[axis] = in->attr->depth;
    s->rank++;
    in->type->dtype = DT_f32;
    return true;
}

/* ---- moving elements --------------------------------------------------- */

static bool infer_concat(Infer *in)
{
    Shape *s = &in->type->shape;
    int64_t axis = in->attr->axis;
    if (!need_axis(in, axis, s->rank))
        return false;
    for (int i = 1; i < in->nargs; i++) {
        const Shape *b = arg_shape(in, i);
        bool fits = b->rank == s->rank;
        for (int d = 0; fits && d < s->rank; d++)
            fits = d == axis || b->dim[d] == s->dim[d];
        if (!fits)
            FAIL("shapes %s and %s differ beside axis %lld",
                 str(in, arg_shape(in, 0)), str(in, b), LL(axis));
        if (!same_dtype(in, 0, i))
            return false;
        s->dim[axis] += b->dim[axis];
    }
    return true;
}

static bool infer_slice(Infer *in)
{
    Shape *s = &in->type->shape;
    const Attrs *a = in->attr;
    if (a->start.n != s->rank || a->shape.n != s->rank || a->step.n != s->rank)
        FAIL("start, shape and step need %d entries for %s", s->rank, str(in, s));
    for (int d = 0; d < s->rank; d++) {
        int64_t last = a->start.at[d] + (a->shape.at[d] - 1) * a->step.at[d];
        if (a->start.at[d] < 0 || a->step.at[d] < 1 || a->shape.at[d] < 1 ||
            last >= s->dim[d])
            FAIL("elements %lld to %lld in steps of %lld are outside dimension %d of %s",
                 LL(a->start.at[d]), LL(last), LL(a->step.at[d]), d,
                 str(in, arg_shape(in, 0)));
    }
    for (int d = 0; d < s->rank; d++)
        s->dim[d] = a->shape.at[d];
    return true;
}

static bool infer_pad(Infer *in)
{
    Shape *s = &in->type->shape;
    const Ints *pad = &in->attr->pad;
    if (pad->n != 2 * s->rank)
        FAIL("pad needs %d entries for %s, has %d", 2 * s->rank, str(in, s), pad->n);
    if (in->attr->mode != MODE_constant && in->attr->mode != MODE_reflect)
        FAIL("mode must be constant or reflect");
    for (int d = 0; d < s->rank; d++) {
        int64_t before = pad->at[d], after = pad->at[d + s->rank];
        if (before < 0 || after < 0 || before > INT32_MAX || after > INT32_MAX)
            FAIL("padding must be at least 0");
        if (in->attr->mode == MODE_reflect &&
            (before >= s->dim[d] || after >= s->dim[d]))
            FAIL("reflection of %lld needs more than the %lld elements of dimension "
                 "%d of %s", LL(before > after ? before : after), LL(s->dim[d]), d,
                 str(in, s));
    }
    for (int d = 0; d < s->rank; d++)
        s->dim[d] += pad->at[d] + pad->at[d + s->rank];
    return true;
}

static bool infer_reshape(Infer *in)
{
    Shape to = shape_of(in->attr->shape.n > MAX_RANK ? 0 : in->attr->shape.n,
                        in->attr->shape.at);
    for (int d = 0; d < to.rank; d++)
        if (to.dim[d] < 1 || to.dim[d] > INT32_MAX)
            FAIL("shape %s has a dimension below 1", str(in, &to));
    double count = 1;
    for (int d = 0; d < to.rank; d++)
        count *= (double)to.dim[d];
    if (count > INT32_MAX || shape_count(&to) != shape_count(arg_shape(in, 0)))
        FAIL("%s has %lld elements, %s has %.0f", str(in, arg_shape(in, 0)),
             LL(shape_count(arg_shape(in, 0))), str(in, &to), count);
    in->type->shape = to;
    return true;
}

static bool infer_transpose(Infer *in)
{
    const Shape *x = arg_shape(in, 0);
    const Ints *perm = &in->attr->perm;
    unsigned seen = 0;
    if (perm->n != x->rank)
        FAIL("perm needs %d entries for %s, has %d", x->rank, str(in, x), perm->n);
    for (int d = 0; d < perm->n; d++) {
        if (perm->at[d] < 0 || perm->at[d] >= x->rank || seen >> perm->at[d] & 1)
            FAIL("perm must name each dimension of %s once", str(in, x));
        seen |= 1u << perm->at[d];
        in->type->shape.dim[d] = x->dim[perm->at[d]];
    }
    return true;
}

static bool infer_broadcast(Infer *in)
{
    Shape to = shape_of(in->attr->shape.n > MAX_RANK ? 0 : in->attr->shape.n,
                        in->attr->shape.at), out;
    for (int d = 0; d < to.rank; d++)
        if (to.dim[d] < 1)
            FAIL("shape %s has a dimension below 1", str(in, &to));
    if (!broadcast(in, arg_shape(in, 0), &to, 0, &out))
        return false;
    if (!shape_equal(&out, &to))
        FAIL("%s does not broadcast to %s", str(in, arg_shape(in, 0)), str(in, &to));
    in->type->shape = to;
    return true;
}

static bool infer_resize(Infer *in)
{
    const Ints *to = &in->attr->shape;
    const Attrs *a = in->attr;
    if (!need_real(in) || !need_rank(in, 0, 4, "[N,C,H,W]"))
        return false;
    if (to->n != 4 || to->at[0] != in->type->shape.dim[0] ||
        to->at[1] != in->type->shape.dim[1] || to->at[2] < 1 || to->at[3] < 1)
        FAIL("size must be at least 1x1, channels unchanged");
    if ((a->mode != MODE_nearest && a->mode != MODE_bilinear) ||
        (a->coords != MODE_half_pixel && a->coords != MODE_align_corners &&
         a->coords != MODE_asymmetric))
        FAIL("mode must be nearest or bilinear, coords half_pixel, align_corners or "
             "asymmetric");
    in->type->shape = shape_of(4, to->at);
    return true;
}

static bool infer_source(Infer *in)
{
    FAIL("a source has a type of its own");
}

static InferFn *const infer_fn[OP_COUNT] = {
    [OP_input] = infer_source,         [OP_weight] = infer_source,
    [OP_constant] = infer_source,      [OP_conv2d] = infer_conv2d,
    [OP_conv1d] = infer_conv1d,        [OP_linear] = infer_linear,
    [OP_matmul] = infer_matmul,        [OP_attention] = infer_attention,
    [OP_max_pool2d] = infer_pool,      [OP_avg_pool2d] = infer_pool,
    [OP_batch_norm] = infer_batch_norm, [OP_layer_norm] = infer_layer_norm,
    [OP_group_norm] = infer_group_norm, [OP_relu] = infer_real_unary,
    [OP_gelu] = infer_real_unary,      [OP_sigmoid] = infer_real_unary,
    [OP_silu] = infer_real_unary,      [OP_tanh] = infer_real_unary,
    [OP_erf] = infer_real_unary,       [OP_exp] = infer_real_unary,
    [OP_log] = infer_real_unary,       [OP_sqrt] = infer_real_unary,
    [OP_rsqrt] = infer_real_unary,     [OP_abs] = infer_real_unary,
    [OP_neg] = infer_number_unary,     [OP_floor] = infer_real_unary,
    [OP_clamp] = infer_clamp,          [OP_not] = infer_not,
    [OP_cast] = infer_cast,            [OP_add] = infer_binary,
    [OP_sub] = infer_binary,           [OP_mul] = infer_binary,
    [OP_div] = infer_real_binary,      [OP_pow] = infer_real_binary,
    [OP_maximum] = infer_binary,       [OP_minimum] = infer_binary,
    [OP_and] = infer_logic,            [OP_or] = infer_logic,
    [OP_eq] = infer_compare,           [OP_ne] = infer_compare,
    [OP_lt] = infer_compare,           [OP_le] = infer_compare,
    [OP_gt] = infer_compare,           [OP_ge] = infer_compare,
    [OP_select] = infer_select,        [OP_one_hot] = infer_one_hot,
    [OP_softmax] = infer_softmax,      [OP_reduce_sum] = infer_reduce,
    [OP_reduce_mean] = infer_reduce,   [OP_reduce_max] = infer_reduce,
    [OP_reduce_min] = infer_reduce,    [OP_argmax] = infer_argmax,
    [OP_concat] = infer_concat,        [OP_slice] = infer_slice,
    [OP_pad] = infer_pad,              [OP_reshape] = infer_reshape,
    [OP_transpose] = infer_transpose,  [OP_broadcast] = infer_broadcast,
    [OP_resize] = infer_resize,
};

bool infer_exists(Op op)
{
    return infer_fn[op] != NULL;
}

bool infer_type(Op op, const Attrs *attr, int nargs, Value *const *args,
                Type *type, Text *why)
{
    const OpInfo *info = &op_info[op];
    Infer in = {attr, nargs, args, type, why};
    text_printf(why, "%s: ", info->name);
    if (nargs < info->min_args || nargs > info->max_args) {
        text_printf(why, "takes %d to %d arguments, has %d", info->min_args,
                    info->max_args, nargs);
        return false;
    }
    if (nargs)
        *type = args[0]->type;
    if (!infer_fn[op](&in))
        return false;
    double count = 1;
    for (int d = 0; d < type->shape.rank; d++)
        count *= (double)type->shape.dim[d];
    if (count > INT32_MAX) {
        text_printf(why, "the result has %.0f elements, more than 2^31 - 1", count);
        return false;
    }
    return true;
}
