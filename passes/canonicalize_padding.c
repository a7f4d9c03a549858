/* Padding that a window reads belongs to the window: no padded map lies in memory. Exporters
 * write it apart where it is not the same on all sides (TensorFlow's SAME). */
#include "passes/canonicalize.h"

/* Around the map only, with what the window's own padding is. */
static bool is_padding_of(const Value *window, const Value *pad)
{
    double own = window->op == OP_max_pool2d ? -INFINITY : 0;
    int rank = pad->type.shape.rank;
    const int64_t *at = pad->attr.pad.at;
    if (pad->op != OP_pad || pad->attr.mode != MODE_constant || pad->attr.value != own)
        return false;
    return !at[0] && !at[1] && !at[rank] && !at[rank + 1];
}

/* window(pad(x, q), p) = window(x, p + q) */
Value *rule_padded_window(Graph *g, Value *v)
{
    bool windows = v->op == OP_conv2d || v->op == OP_conv1d ||
                   (v->op == OP_max_pool2d && !v->attr.ceil_mode);
    if (!windows || !is_padding_of(v, v->args[0]))
        return NULL;
    Value *pad = v->args[0], *args[3] = {pad->args[0]};
    int rank = pad->type.shape.rank, space = rank - 2;
    Attrs attrs = v->attr;
    for (int d = 0; d < space; d++) {
        attrs.pad.at[d] += pad->attr.pad.at[2 + d];
        attrs.pad.at[space + d] += pad->attr.pad.at[rank + 2 + d];
    }
    for (int i = 1; i < v->nargs; i++)
        args[i] = v->args[i];
    return graph_add(g, v, v, v->op, &attrs, v->nargs, args);
}
