/* lower_groups: group convolutions in the form their kernels want.
 *
 * Depthwise convolutions keep their groups: lanes lie across channels. Groups
 * narrower than a vector are joined until a vector is full, with zeros between:
 * multiplications by zero that fill idle lanes cost nothing.
 *
 *   %1 = conv2d %x, %w : [O,4,3,3] groups=32
 *      -> %1 = conv2d %x, select(mask, spread(%w), 0) : [O,16,3,3] groups=8
 *
 * needs: norms_folded   makes: nothing   breaks: constants_folded (folded
 * again below)   leaves: dead values */
#include "passes/graph_passes.h"

/* How many groups become one: the largest divisor that does not overfill. */
static int64_t joined(const Value *v, const Target *target)
{
    int64_t groups = v->attr.groups, outputs = v->type.shape.dim[1] / groups;
    int64_t best = 1;
    for (int64_t n = 2; n <= groups; n++)
        if (groups % n == 0 && n * outputs <= target->lanes)
            best = n;
    return best;
}

static Value *tensor_constant(Graph *g, Value *at, Tensor *data)
{
    return graph_constant(g, at, at, data);
}

/* [O, n I, ..]: true where the input belongs to the output's own group. */
static Value *own_inputs(Graph *g, Value *v, int64_t n)
{
    const Shape *w = &v->args[1]->type.shape;
    int64_t outputs = v->type.shape.dim[1] / v->attr.groups;
    Type type = {DT_bool, *w};
    type.shape.dim[1] *= n;
    for (int d = 2; d < w->rank; d++)
        type.shape.dim[d] = 1;
    Tensor *mask = tensor_new(g->arena, type);
    for (int64_t o = 0; o < w->dim[0]; o++)
        for (int64_t i = 0; i < n * w->dim[1]; i++)
            tensor_set(mask, o * n * w->dim[1] + i,
                       i / w->dim[1] == o / outputs % n);
    return tensor_constant(g, v, mask);
}

static Value *spread(Graph *g, Value *v, int64_t n)
{
    Value *copies[64];
    for (int64_t i = 0; i < n; i++)
        copies[i] = v->args[1];
    Attrs attrs = attrs_default();
    attrs.axis = 1;
    Value *wide = graph_add(g, v, v, OP_concat, &attrs, (int)n, copies);
    Value *zero = tensor_constant(g, v, tensor_new(g->arena, (Type){DT_f32, {0}}));
    return graph_add(g, v, v, OP_select, NULL, 3,
                     (Value *[]){own_inputs(g, v, n), wide, zero});
}

void pass_lower_groups(Graph *graph, const Target *target)
{
    for (Value *v = graph->first, *next; v; v = next) {
        next = v->next;
        if ((v->op != OP_conv2d && v->op != OP_conv1d) || v->attr.groups == 1 ||
            conv_is_depthwise(v) || !value_is_static(v->args[1]))
            continue;
        int64_t n = joined(v, target);
        if (n == 1)
            continue;
        Attrs attrs = v->attr;
        attrs.groups /= n;
        Value *args[3] = {v->args[0], spread(graph, v, n), v->nargs == 3 ? v->args[2] : NULL};
        graph_replace(graph, v, graph_add(graph, v, v, v->op, &attrs, v->nargs, args));
        graph_remove(graph, v);
    }
}
