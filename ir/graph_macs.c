/* Multiply-accumulates as the network states them, before any lowering. */
#include "ir/graph.h"

static const Shape *arg_shape(const Value *v, int i)
{
    return &v->args[i]->type.shape;
}

/* Every output element takes one product for each weight of its channel. */
static int64_t macs_weighted(const Value *v)
{
    const Shape *weight = arg_shape(v, 1);
    return shape_count(&v->type.shape) * (shape_count(weight) / weight->dim[0]);
}

static int64_t macs_matmul(const Value *v)
{
    const Shape *a = arg_shape(v, 0);
    return shape_count(&v->type.shape) *
           a->dim[a->rank - (v->attr.transpose_a ? 2 : 1)];
}

static int64_t macs_vecdot(const Value *v)
{
    Shape joined = shape_joined(arg_shape(v, 0), arg_shape(v, 1));
    return shape_count(&joined);
}

/* Scores (N Q K D) and the weighted values (N Q K V). */
static int64_t macs_attention(const Value *v)
{
    const int64_t *q = arg_shape(v, 0)->dim, *k = arg_shape(v, 1)->dim;
    return q[0] * q[1] * k[1] * (q[2] + arg_shape(v, 2)->dim[2]);
}

int64_t value_macs(const Value *v)
{
    static int64_t (*const macs[OP_COUNT])(const Value *) = {
        [OP_conv2d] = macs_weighted,     [OP_conv1d] = macs_weighted,
        [OP_linear] = macs_weighted,     [OP_matmul] = macs_matmul,
        [OP_vecdot] = macs_vecdot,       [OP_attention] = macs_attention,
    };
    return macs[v->op] ? macs[v->op](v) : 0;
}

int64_t graph_macs(const Graph *graph)
{
    int64_t total = 0;
    FOR_VALUES(v, graph)
    total += value_macs(v);
    return total;
}
