/* Layers whose weight is computed while the network runs: it cannot be packed, so the
 * layer is a product like any other.
 *
 *   linear %x, %w, %b            -> matmul %x, %w^T; add %b
 *   conv2d %x [N,C,H,W], %w      -> pad and unfold %x, reshape [N,G,C/G KH KW,H'W'];
 *                                   matmul %w [G,O/G,C/G KH KW], it; reshape; add %b
 *
 * Rules of canonicalize, which knows a weight that is only not folded yet from these. */
#include "passes/canonicalize.h"
#include "passes/graph_passes.h"

static Value *un(Graph *g, Value *at, Op op, const Attrs *attrs, Value *x)
{
    return graph_add(g, at, at, op, attrs, 1, &x);
}

static Value *bin(Graph *g, Value *at, Op op, Value *x, Value *y)
{
    return graph_add(g, at, at, op, NULL, 2, (Value *[]){x, y});
}

static Value *reshaped(Graph *g, Value *at, Value *x, int rank, const int64_t *dims)
{
    Attrs attrs = attrs_default();
    attrs.shape.n = rank;
    for (int d = 0; d < rank; d++)
        attrs.shape.at[d] = dims[d];
    return un(g, at, OP_reshape, &attrs, x);
}

/* x W^T + b with a computed W */
Value *rule_computed_linear(Graph *g, Value *v)
{
    if (v->op != OP_linear || value_is_static(v->args[1]))
        return NULL;
    Attrs attrs = attrs_default();
    attrs.transpose_b = true;
    Value *x = v->args[0];
    const int64_t row[2] = {1, x->type.shape.dim[0]};
    if (x->type.shape.rank == 1)
        x = reshaped(g, v, x, 2, row);
    Value *y = graph_add(g, v, v, OP_matmul, &attrs, 2, (Value *[]){x, v->args[1]});
    if (x != v->args[0])
        y = reshaped(g, v, y, 1, v->type.shape.dim);
    return v->nargs == 3 ? bin(g, v, OP_add, y, v->args[2]) : y;
}

/* Zeros around a map [N,C,H,W]. */
static Value *padded(Graph *g, Value *v, Value *x)
{
    const int64_t *pad = v->attr.pad.at;
    Attrs attrs = attrs_default();
    attrs.mode = MODE_constant;
    attrs.pad = v->op == OP_conv2d
                    ? (Ints){8, {0, 0, pad[0], pad[1], 0, 0, pad[2], pad[3]}}
                    : (Ints){8, {0, 0, 0, pad[0], 0, 0, 0, pad[1]}};
    bool any = false;
    for (int i = 0; i < v->attr.pad.n; i++)
        any = any || pad[i];
    return any ? un(g, v, OP_pad, &attrs, x) : x;
}

static Value *unfolded(Graph *g, Value *v, Value *x)
{
    const Window w = window_of(v);
    Attrs attrs = attrs_default();
    attrs.kernel = (Ints){2, {w.kernel_h, w.kernel_w}};
    attrs.stride = (Ints){2, {w.stride_h, w.stride_w}};
    attrs.dilation = (Ints){2, {w.dilation_h, w.dilation_w}};
    return un(g, v, OP_unfold, &attrs, padded(g, v, x));
}

/* A convolution with a computed weight: its windows, each a column, times the weight. */
Value *rule_computed_convolution(Graph *g, Value *v)
{
    if ((v->op != OP_conv2d && v->op != OP_conv1d) || value_is_static(v->args[1]))
        return NULL;
    const int64_t *s = v->args[0]->type.shape.dim, *y = v->type.shape.dim;
    int rank = v->type.shape.rank;
    int64_t groups = v->attr.groups, pixels = y[2] * (rank == 4 ? y[3] : 1);
    int64_t taps = shape_count(&v->args[1]->type.shape) / y[1];
    Value *x = v->args[0];
    if (rank == 3)
        x = reshaped(g, v, x, 4, (const int64_t[]){s[0], s[1], 1, s[2]});
    x = reshaped(g, v, unfolded(g, v, x), 4,
                 (const int64_t[]){s[0], groups, taps, pixels});
    Value *weight = reshaped(g, v, v->args[1], 3,
                             (const int64_t[]){groups, y[1] / groups, taps});
    x = bin(g, v, OP_matmul, weight, x);
    x = reshaped(g, v, x, rank, y);
    if (v->nargs < 3)
        return x;
    const int64_t channels[3] = {y[1], 1, 1};
    return bin(g, v, OP_add, x, reshaped(g, v, v->args[2], rank - 1, channels));
}
