/* merge_siblings: convolutions of one input with one window as one, then cut.
 *
 *   %a = conv2d %x, %wa   %b = conv2d %x, %wb
 *      ->
 *   %c = conv2d %x, concat(%wa, %wb)   %a = slice %c   %b = slice %c
 *
 * The slices are views. Only ungrouped convolutions of equal attributes whose
 * results are narrow merge: wide ones fill their tiles alone.
 *
 * needs: norms_folded   makes: nothing   breaks: constants_folded (folded
 * again below)   leaves: dead values */
#include "passes/graph_passes.h"
#include <string.h>

enum { NARROW = 64 };

static bool can_merge(const Value *v)
{
    return (v->op == OP_conv2d || v->op == OP_conv1d) && v->attr.groups == 1 &&
           v->type.shape.dim[1] < NARROW && value_is_static(v->args[1]);
}

static bool ints_equal(const Ints *a, const Ints *b)
{
    return a->n == b->n && memcmp(a->at, b->at, sizeof *a->at * (size_t)a->n) == 0;
}

static bool are_siblings(const Value *a, const Value *b)
{
    if (a->op != b->op || !can_merge(b))
        return false;
    const Shape *wa = &a->args[1]->type.shape, *wb = &b->args[1]->type.shape;
    bool same = a->args[0] == b->args[0] && a->nargs == b->nargs &&
                ints_equal(&a->attr.stride, &b->attr.stride) &&
                ints_equal(&a->attr.pad, &b->attr.pad) &&
                ints_equal(&a->attr.dilation, &b->attr.dilation);
    for (int d = 1; d < wa->rank; d++)
        same = same && wa->dim[d] == wb->dim[d];
    return same;
}

static Value *join(Graph *g, Value *at, Value *a, Value *b)
{
    Attrs attrs = attrs_default();
    return graph_add(g, at, at, OP_concat, &attrs, 2, (Value *[]){a, b});
}

static Value *cut(Graph *g, Value *like, Value *x, int64_t start)
{
    Attrs attrs = attrs_default();
    int rank = x->type.shape.rank;
    attrs.start.n = attrs.shape.n = attrs.step.n = rank;
    for (int d = 0; d < rank; d++) {
        attrs.start.at[d] = d == 1 ? start : 0;
        attrs.shape.at[d] = like->type.shape.dim[d];
        attrs.step.at[d] = 1;
    }
    return graph_add(g, like, like, OP_slice, &attrs, 1, &x);
}

/* The merged convolution stands at the first one: nothing it reads is later. */
static void merge(Graph *g, Value *a, Value *b)
{
    for (int i = 1; i < b->nargs; i++)
        graph_move_before(g, b->args[i], a);
    Value *args[3] = {a->args[0], join(g, a, a->args[1], b->args[1])};
    if (a->nargs == 3)
        args[2] = join(g, a, a->args[2], b->args[2]);
    Value *both = graph_add(g, a, a, a->op, &a->attr, a->nargs, args);
    Value *first = cut(g, a, both, 0);
    Value *second = cut(g, b, both, a->type.shape.dim[1]);
    graph_replace(g, a, first);
    graph_replace(g, b, second);
    graph_remove(g, a);
    graph_remove(g, b);
}

void pass_merge_siblings(Graph *graph, const Target *target)
{
    (void)target;
    for (Value *a = graph->first, *next; a; a = next) {
        next = a->next;
        for (Value *b = can_merge(a) ? a->next : NULL; b; b = b->next) {
            if (!are_siblings(a, b))
                continue;
            if (next == b)
                next = b->next;
            merge(graph, a, b);
            break;
        }
    }
}
