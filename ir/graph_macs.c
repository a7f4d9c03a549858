/* Multiply-accumulates before lowering. */
#include "ir/graph.h"

int64_t value_macs(const Value *v)
{
    int64_t out = shape_count(&v->type.shape);
    switch ((int)v->op) {
    case OP_conv2d:
    case OP_conv1d:
    case OP_linear:
        return out * (shape_count(&v->args[1]->type.shape) /
                      v->args[1]->type.shape.dim[0]);
    case OP_matmul: {
        const Shape *a = &v->args[0]->type.shape;
        return out * a->dim[a->rank - (v->attr.transpose_a ? 2 : 1)];
    }
    case OP_attention: {
        const int64_t *q = v->args[0]->type.shape.dim, *k = v->args[1]->type.shape.dim;
        return q[0] * q[1] * k[1] * (q[2] + v->args[2]->type.shape.dim[2]);
    }
    }
    return 0;
}

int64_t graph_macs(const Graph *graph)
{
    int64_t total = 0;
    FOR_VALUES(v, graph)
        total += value_macs(v);
    return total;
}
