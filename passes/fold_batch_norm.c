/* fold_batch_norm: with fixed statistics it is a scale and a shift per channel.
 *
 *   batch_norm(conv(x, w, b), g, h, m, v)  ->  conv(x, w s, (b - m) s + h)
 *   batch_norm(x, ..)                      ->  x s + (h - m s)
 *   where s = g / sqrt(v + eps)
 *
 * needs: nothing   makes: norms_folded   breaks: nothing
 * leaves: arithmetic on weights, for fold_constants */
#include "passes/graph_passes.h"

static Value *bin(Graph *g, Value *at, Op op, Value *x, Value *y)
{
    return graph_add(g, at, at, op, NULL, 2, (Value *[]){x, y});
}

/* [C] as [C,1,..] (lead 0) or [1,C,1,..] (lead 1) of a rank. */
static Value *per_channel(Graph *g, Value *at, Value *x, int rank, int lead)
{
    Attrs attrs = attrs_default();
    attrs.shape.n = rank;
    for (int d = 0; d < rank; d++)
        attrs.shape.at[d] = d == lead ? x->type.shape.dim[0] : 1;
    return graph_add(g, at, at, OP_reshape, &attrs, 1, &x);
}

static Value *scale_of(Graph *g, Value *v)
{
    Tensor *eps = tensor_new(g->arena, (Type){DT_f32, {0}});
    tensor_set(eps, 0, v->attr.eps);
    Value *shifted = bin(g, v, OP_add, v->args[4], graph_constant(g, v, v, eps));
    Value *root = graph_add(g, v, v, OP_sqrt, NULL, 1, &shifted);
    return bin(g, v, OP_div, v->args[1], root);
}

static bool is_private_conv(const Value *x)
{
    return (x->op == OP_conv2d || x->op == OP_conv1d) && x->uses == 1 &&
           value_is_static(x->args[1]);
}

static Value *into_conv(Graph *g, Value *v, Value *conv)
{
    Value *s = scale_of(g, v), *mean = v->args[3];
    Value *w = bin(g, v, OP_mul, conv->args[1],
                   per_channel(g, v, s, conv->args[1]->type.shape.rank, 0));
    Value *shift = conv->nargs == 3 ? bin(g, v, OP_sub, conv->args[2], mean)
                                    : graph_add(g, v, v, OP_neg, NULL, 1, &mean);
    Value *b = bin(g, v, OP_add, bin(g, v, OP_mul, shift, s), v->args[2]);
    return graph_add(g, v, conv, conv->op, &conv->attr, 3,
                     (Value *[]){conv->args[0], w, b});
}

static Value *as_scale_shift(Graph *g, Value *v)
{
    int rank = v->type.shape.rank;
    Value *s = scale_of(g, v);
    Value *shift = bin(g, v, OP_sub, v->args[2], bin(g, v, OP_mul, v->args[3], s));
    Value *scaled = bin(g, v, OP_mul, v->args[0], per_channel(g, v, s, rank, 1));
    return bin(g, v, OP_add, scaled, per_channel(g, v, shift, rank, 1));
}

static bool has_fixed_statistics(const Value *v)
{
    for (int i = 1; i < 5; i++)
        if (!value_is_static(v->args[i]))
            return false;
    return true;
}

void pass_fold_batch_norm(Graph *graph, const Target *target)
{
    (void)target;
    graph_count_uses(graph);
    for (Value *v = graph->first, *next; v; v = next) {
        next = v->next;
        if (v->op != OP_batch_norm)
            continue;
        Value *x = v->args[0];
        bool into = is_private_conv(x) && has_fixed_statistics(v);
        Value *by = into ? into_conv(graph, v, x) : as_scale_shift(graph, v);
        by->uses = v->uses;
        graph_replace(graph, v, by);
        graph_remove(graph, v);
        if (into)
            graph_remove(graph, x);
    }
}
