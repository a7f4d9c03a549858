/* Strides of layouts and views. */
#include "passes/layout.h"

void layout_strides(const Shape *shape, const Layout *layout, int64_t *stride)
{
    int64_t step = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        int d = layout->order[i];
        stride[d] = step;
        step *= shape->dim[d];
    }
}

/* One run of result dimensions against one run of source dimensions with the
 * same number of elements. */
static bool reshape_strides(const Shape *from, const int64_t *source,
                            const Shape *to, int64_t *stride)
{
    /* Source dimensions of length 1 say nothing; the others are merged where
     * they lie end to end, then cut into the result's. */
    int s = from->rank - 1;
    int64_t left = 1, step = 0; /* of the merged source run not yet used */
    for (int d = to->rank - 1; d >= 0; d--) {
        int64_t need = to->dim[d];
        stride[d] = 0;
        if (need == 1)
            continue;
        int64_t got = 1;
        while (got < need) {
            if (left == 1) {
                while (s >= 0 && from->dim[s] == 1)
                    s--;
                if (s < 0)
                    return false;
                left = from->dim[s];
                step = source[s--];
            }
            if (got == 1)
                stride[d] = step;
            else if (step != stride[d] * got)
                return false;
            int64_t take = need / got < left ? need / got : left;
            if (take == 0 || (need / got) % take || left % take || need % got)
                return false;
            got *= take;
            left /= take;
            step *= take;
        }
    }
    return true;
}

bool view_strides(const Value *v, const int64_t *source, int64_t *stride,
                  int64_t *offset)
{
    const Shape *from = &v->args[0]->type.shape, *to = &v->type.shape;
    *offset = 0;
    switch ((int)v->op) {
    case OP_transpose:
        for (int d = 0; d < to->rank; d++)
            stride[d] = source[v->attr.perm.at[d]];
        return true;
    case OP_slice:
        for (int d = 0; d < to->rank; d++) {
            stride[d] = source[d] * v->attr.step.at[d];
            *offset += source[d] * v->attr.start.at[d];
        }
        return true;
    case OP_broadcast:
        for (int d = 0; d < to->rank; d++) {
            int s = d - (to->rank - from->rank);
            stride[d] = s >= 0 && from->dim[s] != 1 ? source[s] : 0;
        }
        return true;
    case OP_unfold:
        for (int d = 0; d < from->rank - 2; d++)
            stride[d] = source[d];
        for (int i = 0; i < 2; i++) {
            int64_t step = source[from->rank - 2 + i];
            stride[from->rank - 2 + i] = step * v->attr.dilation.at[i];
            stride[from->rank + i] = step * v->attr.stride.at[i];
        }
        return true;
    case OP_reshape:
        return reshape_strides(from, source, to, stride);
    }
    return false;
}

bool value_is_view(const Value *value)
{
    return op_info[value->op].class == CLASS_view && value->group < 0;
}

Value *view_root(Value *value)
{
    while (value_is_view(value))
        value = value->args[0];
    return value;
}

int64_t storage_count(const Value *value)
{
    int64_t n = shape_count(&value->type.shape);
    if (value->layout.pad_pixel)
        n += value->type.shape.dim[(int)value->layout.order[value->type.shape.rank - 1]];
    return n;
}

bool conv_is_depthwise(const Value *v)
{
    return (v->op == OP_conv2d || v->op == OP_conv1d) && v->attr.groups > 1 &&
           v->attr.groups == v->type.shape.dim[1] &&
           v->attr.groups == v->args[0]->type.shape.dim[1];
}

bool conv_reads_rows(const Value *v)
{
    if (v->op != OP_conv2d || v->attr.groups != 1)
        return false;
    const Shape *w = &v->args[1]->type.shape;
    return w->dim[1] < 16 && w->dim[3] > 1 && v->attr.dilation.at[1] == 1;
}

Window window_of(const Value *v)
{
    const Shape *x = &v->args[0]->type.shape, *y = &v->type.shape;
    const Attrs *a = &v->attr;
    if (v->op == OP_conv1d)
        return (Window){1, x->dim[2], 1, y->dim[2], 1, v->args[1]->type.shape.dim[2],
                        1, a->stride.at[0], 1, a->dilation.at[0], 0, a->pad.at[0]};
    bool conv = v->op == OP_conv2d;
    int64_t kh = conv ? v->args[1]->type.shape.dim[2] : a->kernel.at[0];
    int64_t kw = conv ? v->args[1]->type.shape.dim[3] : a->kernel.at[1];
    return (Window){x->dim[2], x->dim[3], y->dim[2], y->dim[3], kh, kw,
                    a->stride.at[0], a->stride.at[1],
                    conv ? a->dilation.at[0] : 1, conv ? a->dilation.at[1] : 1,
                    a->pad.at[0], a->pad.at[1]};
}

bool window_leaves_map(const Window *w)
{
    int64_t last_h = (w->out_h - 1) * w->stride_h - w->pad_top +
                     (w->kernel_h - 1) * w->dilation_h;
    int64_t last_w = (w->out_w - 1) * w->stride_w - w->pad_left +
                     (w->kernel_w - 1) * w->dilation_w;
    return w->pad_top > 0 || w->pad_left > 0 || last_h >= w->in_h ||
           last_w >= w->in_w;
}

bool value_is_static(const Value *value)
{
    if (value->op == OP_weight || value->op == OP_constant)
        return true;
    if (value->op == OP_input)
        return false;
    for (int i = 0; i < value->nargs; i++)
        if (!value_is_static(value->args[i]))
            return false;
    return true;
}
