/* Sizes and strides of the contracting operators, shared by both modes. */
#include "ir/eval.h"

static Conv conv_of_image(const Attrs *a, const Shape *x, const Shape *w,
                          const Shape *y)
{
    return (Conv){
        .in = {x->dim[2], x->dim[3]},
        .out = {y->dim[2], y->dim[3]},
        .kernel = {w->dim[2], w->dim[3]},
        .stride = {a->stride.at[0], a->stride.at[1]},
        .dilation = {a->dilation.at[0], a->dilation.at[1]},
        .before = {a->pad.at[0], a->pad.at[1]},
    };
}

static Conv conv_of_line(const Attrs *a, const Shape *x, const Shape *w,
                         const Shape *y)
{
    return (Conv){
        .in = {1, x->dim[2]},
        .out = {1, y->dim[2]},
        .kernel = {1, w->dim[2]},
        .stride = {1, a->stride.at[0]},
        .dilation = {1, a->dilation.at[0]},
        .before = {0, a->pad.at[0]},
    };
}

Conv conv_of(const Value *v, const Result *args, const Result *out)
{
    const Shape *x = &args[0].type.shape, *w = &args[1].type.shape;
    const Shape *y = &out->type.shape;
    Conv conv = v->op == OP_conv1d ? conv_of_line(&v->attr, x, w, y)
                                   : conv_of_image(&v->attr, x, w, y);
    conv.images = x->dim[0];
    conv.channels = x->dim[1];
    conv.outputs = w->dim[0];
    conv.groups = v->attr.groups;
    return conv;
}

Taps conv_taps(const Conv *conv, int axis, int64_t k)
{
    int64_t stride = conv->stride[axis], in = conv->in[axis];
    Taps taps = {.shift = k * conv->dilation[axis] - conv->before[axis]};
    if (taps.shift < 0)
        taps.begin = (-taps.shift + stride - 1) / stride;
    if (in > taps.shift)
        taps.end = (in - taps.shift + stride - 1) / stride;
    if (taps.end > conv->out[axis])
        taps.end = conv->out[axis];
    if (taps.begin > taps.end)
        taps.begin = taps.end;
    return taps;
}

Product product_of(const Value *v, const Result *args, const Result *out)
{
    const Shape *a = &args[0].type.shape, *b = &args[1].type.shape;
    const Shape *y = &out->type.shape;
    int64_t a_last = a->dim[a->rank - 1], b_last = b->dim[b->rank - 1];
    bool ta = v->attr.transpose_a, tb = v->attr.transpose_b;
    Product p = {.batches = 1};
    for (int d = 0; d < y->rank - 2; d++)
        p.batches *= y->dim[d];
    p.m = y->dim[y->rank - 2];
    p.n = y->dim[y->rank - 1];
    p.k = ta ? a->dim[a->rank - 2] : a_last;
    p.a_row = ta ? 1 : a_last;
    p.a_col = ta ? a_last : 1;
    p.b_row = tb ? 1 : b_last;
    p.b_col = tb ? b_last : 1;
    return p;
}

int64_t batch_start(const Shape *arg, const Shape *out, int64_t batch)
{
    int64_t step = arg->dim[arg->rank - 1] * arg->dim[arg->rank - 2];
    int64_t start = 0;
    for (int d = arg->rank - 3, o = out->rank - 3; d >= 0; d--, o--) {
        int64_t i = batch % out->dim[o];
        batch /= out->dim[o];
        if (arg->dim[d] != 1)
            start += i * step;
        step *= arg->dim[d];
    }
    return start;
}

Heads heads_of(const Value *v, const Result *args)
{
    const Shape *q = &args[0].type.shape, *values = &args[2].type.shape;
    Heads h = {.batches = q->dim[0],
               .queries = q->dim[1],
               .keys = values->dim[1],
               .width = q->dim[2],
               .depth = values->dim[2],
               .heads = v->attr.heads};
    h.head_width = h.width / h.heads;
    h.head_depth = h.depth / h.heads;
    return h;
}
