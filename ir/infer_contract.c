/* Inference of what contracts or normalises: windows, products, norms. */
#include "ir/infer.h"

/* ---- windows --------------------------------------------------------------
 */

typedef struct Window {
    int64_t size, kernel, stride, dilation, before, after;
    bool ceil;
} Window;

static bool window_size(Infer *in, const char *axis, Window w, int64_t *out)
{
    if (w.kernel < 1 || w.stride < 1 || w.dilation < 1 || w.before < 0 ||
        w.after < 0)
        FAIL("kernel, stride and dilation must be at least 1 and padding at "
             "least 0; "
             "%s has kernel %lld, stride %lld, dilation %lld, padding %lld + "
             "%lld",
             axis, LL(w.kernel), LL(w.stride), LL(w.dilation), LL(w.before),
             LL(w.after));
    if (w.kernel > INT32_MAX || w.stride > INT32_MAX ||
        w.dilation > INT32_MAX || w.before > INT32_MAX || w.after > INT32_MAX)
        FAIL("kernel, stride, dilation and padding must be below 2^31; %s has "
             "kernel "
             "%lld, stride %lld, dilation %lld, padding %lld + %lld",
             axis, LL(w.kernel), LL(w.stride), LL(w.dilation), LL(w.before),
             LL(w.after));
    int64_t reach = w.dilation * (w.kernel - 1) + 1;
    int64_t room = w.size + w.before + w.after - reach;
    if (room < 0)
        FAIL(
            "window of %lld does not fit into %s %lld with padding %lld + %lld",
            LL(reach), axis, LL(w.size), LL(w.before), LL(w.after));
    *out = room / w.stride + 1;
    /* A last window must start inside the map or the padding before it. */
    if (w.ceil && room % w.stride != 0 && *out * w.stride < w.size + w.before)
        (*out)++;
    return true;
}

static bool conv_channels(Infer *in, int64_t *out)
{
    const Shape *x = arg_shape(in, 0), *w = arg_shape(in, 1);
    int64_t groups = in->attr->groups;
    if (groups < 1)
        FAIL("groups must be at least 1, is %lld", LL(groups));
    if (x->dim[1] % groups != 0)
        FAIL("%lld input channels do not divide into %lld groups",
             LL(x->dim[1]), LL(groups));
    if (w->dim[0] % groups != 0)
        FAIL("%lld output channels do not divide into %lld groups",
             LL(w->dim[0]), LL(groups));
    if (w->dim[1] != x->dim[1] / groups)
        FAIL("weight %s needs %lld input channels per group, x %s with %lld "
             "groups "
             "has %lld",
             shape_str(in, w), LL(w->dim[1]), shape_str(in, x), LL(groups),
             LL(x->dim[1] / groups));
    if (in->nargs == 3 && !need_vector(in, 2, w->dim[0], "bias"))
        return false;
    *out = w->dim[0];
    return true;
}

/* dims entries of stride and dilation, twice as many of pad, or none. */
static bool need_window(Infer *in, int dims)
{
    const Attrs *a = in->attr;
    return need_entries(in, "stride", &a->stride, dims) &&
           need_entries(in, "dilation", &a->dilation, dims) &&
           need_entries(in, "kernel", &a->kernel, dims) &&
           need_entries(in, "pad", &a->pad, 2 * dims);
}

bool infer_conv2d(Infer *in)
{
    const Attrs *a = in->attr;
    int64_t channels, h, w;
    if (!need_real(in) || !need_rank(in, 0, 4, "[N,C,H,W]") ||
        !need_rank(in, 1, 4, "[O,C/groups,KH,KW]") || !need_window(in, 2) ||
        !conv_channels(in, &channels))
        return false;
    const Shape *x = arg_shape(in, 0), *k = arg_shape(in, 1);
    if (!window_size(in, "height",
                     (Window){x->dim[2], k->dim[2], a->stride.at[0],
                              a->dilation.at[0], a->pad.at[0], a->pad.at[2],
                              false},
                     &h) ||
        !window_size(in, "width",
                     (Window){x->dim[3], k->dim[3], a->stride.at[1],
                              a->dilation.at[1], a->pad.at[1], a->pad.at[3],
                              false},
                     &w))
        return false;
    in->type->shape = shape_of(4, (int64_t[]){x->dim[0], channels, h, w});
    return true;
}

bool infer_conv1d(Infer *in)
{
    const Attrs *a = in->attr;
    int64_t channels, n;
    if (!need_real(in) || !need_rank(in, 0, 3, "[N,C,L]") ||
        !need_rank(in, 1, 3, "[O,C/groups,K]") || !need_window(in, 1) ||
        !conv_channels(in, &channels))
        return false;
    const Shape *x = arg_shape(in, 0), *k = arg_shape(in, 1);
    if (!window_size(in, "length",
                     (Window){x->dim[2], k->dim[2], a->stride.at[0],
                              a->dilation.at[0], a->pad.at[0], a->pad.at[1],
                              false},
                     &n))
        return false;
    in->type->shape = shape_of(3, (int64_t[]){x->dim[0], channels, n});
    return true;
}

bool infer_pool(Infer *in)
{
    const Attrs *a = in->attr;
    if (!need_real(in) || !need_rank(in, 0, 4, "[N,C,H,W]") ||
        !need_window(in, 2))
        return false;
    Shape *s = &in->type->shape;
    const Shape *x = arg_shape(in, 0);
    for (int i = 0; i < 2; i++) {
        int64_t before = a->pad.at[i], after = a->pad.at[i + 2];
        if (before >= a->kernel.at[i] || after >= a->kernel.at[i])
            FAIL("padding %lld must be smaller than the window %lld",
                 LL(before > after ? before : after), LL(a->kernel.at[i]));
        if (!window_size(in, i ? "width" : "height",
                         (Window){x->dim[2 + i], a->kernel.at[i],
                                  a->stride.at[i], 1, before, after,
                                  a->ceil_mode},
                         &s->dim[2 + i]))
            return false;
    }
    return true;
}

/* Two dimensions more: those of the window stand before height and width. */
bool infer_unfold(Infer *in)
{
    const Attrs *a = in->attr;
    const Shape *x = arg_shape(in, 0);
    if (x->rank < 2 || x->rank > MAX_RANK - 2)
        FAIL("x must be [..,H,W] of at most %d dimensions, is %s", MAX_RANK - 2,
             shape_str(in, x));
    if (a->kernel.n != 2)
        FAIL("kernel needs 2 entries, has %d", a->kernel.n);
    if (!need_window(in, 2))
        return false;
    Shape *s = &in->type->shape;
    s->rank = x->rank + 2;
    for (int i = 0; i < 2; i++) {
        s->dim[x->rank - 2 + i] = a->kernel.at[i];
        if (!window_size(in, i ? "width" : "height",
                         (Window){x->dim[x->rank - 2 + i], a->kernel.at[i],
                                  a->stride.at[i], a->dilation.at[i], 0, 0, false},
                         &s->dim[x->rank + i]))
            return false;
    }
    return true;
}

/* ---- products -------------------------------------------------------------
 */

bool infer_linear(Infer *in)
{
    const Shape *x = arg_shape(in, 0), *w = arg_shape(in, 1);
    if (!need_real(in) || !need_rank(in, 1, 2, "[O,I]"))
        return false;
    if (x->rank < 1 || x->dim[x->rank - 1] != w->dim[1])
        FAIL("weight %s needs a last dimension of %lld, x is %s",
             shape_str(in, w), LL(w->dim[1]), shape_str(in, x));
    if (in->nargs == 3 && !need_vector(in, 2, w->dim[0], "bias"))
        return false;
    in->type->shape.dim[x->rank - 1] = w->dim[0];
    return true;
}

bool infer_matmul(Infer *in)
{
    const Shape *a = arg_shape(in, 0), *b = arg_shape(in, 1);
    if (!need_real(in))
        return false;
    if (a->rank < 2 || b->rank < 2)
        FAIL("operands need two dimensions at least, are %s and %s",
             shape_str(in, a), shape_str(in, b));
    bool ta = in->attr->transpose_a, tb = in->attr->transpose_b;
    int64_t m = a->dim[a->rank - (ta ? 1 : 2)],
            k = a->dim[a->rank - (ta ? 2 : 1)];
    int64_t kb = b->dim[b->rank - (tb ? 1 : 2)],
            n = b->dim[b->rank - (tb ? 2 : 1)];
    if (k != kb)
        FAIL("inner dimensions differ: %s%s has %lld, %s%s has %lld",
             shape_str(in, a), ta ? " transposed" : "", LL(k), shape_str(in, b),
             tb ? " transposed" : "", LL(kb));
    Shape out;
    if (!broadcast_shapes(in, a, b, 2, &out))
        return false;
    out.dim[out.rank - 2] = m;
    out.dim[out.rank - 1] = n;
    in->type->shape = out;
    return true;
}

bool infer_attention(Infer *in)
{
    const Shape *q = arg_shape(in, 0), *k = arg_shape(in, 1),
                *v = arg_shape(in, 2);
    int64_t heads = in->attr->heads;
    if (!need_real(in) || !need_rank(in, 0, 3, "[N,Q,D]") ||
        !need_rank(in, 1, 3, "[N,K,D]") || !need_rank(in, 2, 3, "[N,K,V]"))
        return false;
    if (q->dim[0] != k->dim[0] || q->dim[0] != v->dim[0] ||
        q->dim[2] != k->dim[2] || k->dim[1] != v->dim[1])
        FAIL("q %s, k %s and v %s do not fit", shape_str(in, q),
             shape_str(in, k), shape_str(in, v));
    if (heads < 1 || q->dim[2] % heads || v->dim[2] % heads)
        FAIL("channels of q %s and v %s do not divide into %lld heads",
             shape_str(in, q), shape_str(in, v), LL(heads));
    in->type->shape = shape_of(3, (int64_t[]){q->dim[0], q->dim[1], v->dim[2]});
    return true;
}

/* ---- norms ----------------------------------------------------------------
 */

bool infer_batch_norm(Infer *in)
{
    static const char *const what[] = {"", "weight", "bias", "running mean",
                                       "running variance"};
    const Shape *x = arg_shape(in, 0);
    if (!need_real(in))
        return false;
    if (x->rank < 2)
        FAIL("x must be [N,C,..], is %s", shape_str(in, x));
    for (int i = 1; i < 5; i++)
        if (!need_vector(in, i, x->dim[1], what[i]))
            return false;
    return true;
}

bool infer_layer_norm(Infer *in)
{
    const Shape *x = arg_shape(in, 0);
    int64_t axis = in->attr->axis;
    if (!need_real(in))
        return false;
    if (axis < 0 || axis >= x->rank)
        FAIL("axis %lld is outside %s", LL(axis), shape_str(in, x));
    Shape tail = shape_of(x->rank - (int)axis, x->dim + axis);
    for (int i = 1; i < in->nargs; i++)
        if (!shape_equal(arg_shape(in, i), &tail))
            FAIL("%s must be %s, is %s", i == 1 ? "weight" : "bias",
                 shape_str(in, &tail), shape_str(in, arg_shape(in, i)));
    return true;
}

bool infer_group_norm(Infer *in)
{
    const Shape *x = arg_shape(in, 0);
    if (!need_real(in))
        return false;
    if (x->rank < 2)
        FAIL("x must be [N,C,..], is %s", shape_str(in, x));
    if (in->attr->groups < 1 || x->dim[1] % in->attr->groups)
        FAIL("%lld channels do not divide into %lld groups", LL(x->dim[1]),
             LL(in->attr->groups));
    for (int i = 1; i < in->nargs; i++)
        if (!need_vector(in, i, x->dim[1], i == 1 ? "weight" : "bias"))
            return false;
    return true;
}
