/* fuse_tokenizer: pool first, multiply afterwards.
 *
 * A visual transformer's tokenizer computes T = A^T (X W_V), A = softmax over the
 * map of X W_A (Wu et al. 2020, equation 1). Since A does not depend on W_V,
 * T = (A^T X) W_V: the value product runs over L tokens, not over H W pixels.
 * A convolution's bias stays right because the columns of A sum to 1.
 *
 *   %v = conv2d %x, %w groups=g          [1,C,H,W], 1x1
 *   %r = reshape %v                      [1,C,HW]
 *   %t = matmul %r, %a transpose_b       [1,C,L]
 *      ->
 *   %r = reshape %x                      [1,C,HW]
 *   %p = matmul %r, %a transpose_b       [1,C,L]
 *   %t = conv1d %p, reshape(%w) groups=g
 *
 * needs: canonical   makes: nothing   breaks: nothing   leaves: dead values */
#include "passes/graph_passes.h"

/* Softmax over the last axis: as an operator, or e / sum(e), as canonicalize spells it. */
static bool sums_to_one(const Value *a)
{
    while (a->op == OP_reshape)
        a = a->args[0];
    if (a->op == OP_softmax)
        return a->attr.axis == a->type.shape.rank - 1;
    if (a->op != OP_div || a->args[0]->op != OP_exp || a->args[1]->op != OP_reduce_sum)
        return false;
    const Value *sum = a->args[1];
    return sum->args[0] == a->args[0] && sum->attr.axes.n == 1 &&
           sum->attr.axes.at[0] == a->type.shape.rank - 1;
}

static bool is_pointwise(const Value *conv)
{
    if (conv->op != OP_conv2d || conv->uses != 1)
        return false;
    Window w = window_of(conv);
    return w.kernel_h == 1 && w.kernel_w == 1 && w.stride_h == 1 && w.stride_w == 1 &&
           !window_leaves_map(&w) && value_is_static(conv->args[1]);
}

/* [1,C,HW] of a 1x1 convolution times softmax [1,L,HW] transposed. */
static bool is_tokenizer(const Value *t)
{
    if (t->op != OP_matmul || t->attr.transpose_a || !t->attr.transpose_b ||
        t->type.shape.rank != 3)
        return false;
    const Value *r = t->args[0];
    return r->op == OP_reshape && r->uses == 1 && is_pointwise(r->args[0]) &&
           r->type.shape.rank == 3 &&
           r->type.shape.dim[1] == r->args[0]->type.shape.dim[1] &&
           t->args[1]->type.shape.rank == 3 && sums_to_one(t->args[1]);
}

static Value *reshape_to(Graph *g, Value *at, Value *x, int64_t a, int64_t b, int64_t c)
{
    Attrs attrs = attrs_default();
    attrs.shape = (Ints){3, {a, b, c}};
    return graph_add(g, at, at, OP_reshape, &attrs, 1, &x);
}

static Value *rewrite(Graph *g, Value *t)
{
    Value *r = t->args[0], *conv = r->args[0], *x = conv->args[0];
    Value *w = conv->args[1];
    Value *flat = reshape_to(g, t, x, x->type.shape.dim[0], x->type.shape.dim[1],
                             r->type.shape.dim[2]);
    Value *pooled = graph_add(g, t, t, OP_matmul, &t->attr, 2,
                              (Value *[]){flat, t->args[1]});
    Attrs attrs = attrs_default();
    attrs.groups = conv->attr.groups;
    attrs.stride = attrs.dilation = (Ints){1, {1}};
    attrs.pad = (Ints){2, {0, 0}};
    Value *args[3] = {pooled, reshape_to(g, t, w, w->type.shape.dim[0],
                                         w->type.shape.dim[1], 1)};
    if (conv->nargs == 3)
        args[2] = conv->args[2];
    return graph_add(g, t, conv, OP_conv1d, &attrs, conv->nargs, args);
}

void pass_fuse_tokenizer(Graph *graph, const Target *target)
{
    (void)target;
    graph_count_uses(graph);
    for (Value *v = graph->first, *next; v; v = next) {
        next = v->next;
        if (!is_tokenizer(v))
            continue;
        graph_replace(graph, v, rewrite(graph, v));
        graph_remove(graph, v);
    }
}
