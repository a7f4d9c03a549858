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
 * With channels last, where the count falls:
 *
 *   %v = linear %x, %w                   [N,HW,CT]
 *   %t = matmul %a, %v                   [N,L,CT]
 *      ->
 *   %p = matmul %a, %x                   [N,L,C]
 *   %t = linear %p, %w
 *
 * needs: canonical   makes: nothing   breaks: nothing   leaves: dead values */
#include "passes/graph_passes.h"

/* Softmax over the last axis, or the last but one: as an operator, or e / sum(e), as
 * canonicalize spells it. */
static bool sums_to_one(const Value *a, int from_end)
{
    while (a->op == OP_reshape && from_end == 1)
        a = a->args[0];
    int axis = a->type.shape.rank - from_end;
    if (a->op == OP_softmax)
        return a->attr.axis == axis;
    if (a->op != OP_div || a->args[0]->op != OP_exp || a->args[1]->op != OP_reduce_sum)
        return false;
    const Value *sum = a->args[1];
    return sum->args[0] == a->args[0] && sum->attr.axes.n == 1 &&
           sum->attr.axes.at[0] == axis;
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
           t->args[1]->type.shape.rank == 3 && sums_to_one(t->args[1], 1);
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

/* ---- channels last ------------------------------------------------------ */

/* Softmax [N,L,HW] (or [N,HW,L] transposed) times a linear layer's [N,HW,CT]. */
static bool is_linear_tokenizer(const Value *t)
{
    if (t->op != OP_matmul || t->attr.transpose_b || t->type.shape.rank != 3)
        return false;
    const Value *a = t->args[0], *v = t->args[1];
    if (v->op != OP_linear || v->uses != 1 || !value_is_static(v->args[1]) ||
        a->type.shape.rank != 3 || v->type.shape.rank != 3 ||
        a->type.shape.dim[0] != v->type.shape.dim[0] ||
        !sums_to_one(a, t->attr.transpose_a ? 2 : 1))
        return false;
    int64_t tokens = t->type.shape.dim[1], pixels = v->type.shape.dim[1];
    int64_t in = v->args[0]->type.shape.dim[2], out = v->type.shape.dim[2];
    return tokens * in * (pixels + out) < pixels * out * (in + tokens);
}

static Value *rewrite_linear(Graph *g, Value *t)
{
    Value *v = t->args[1], *args[3];
    for (int i = 1; i < v->nargs; i++)
        args[i] = v->args[i];
    args[0] = graph_add(g, t, t, OP_matmul, &t->attr, 2, (Value *[]){t->args[0], v->args[0]});
    return graph_add(g, t, v, OP_linear, &v->attr, v->nargs, args);
}

void pass_fuse_tokenizer(Graph *graph, const Target *target)
{
    (void)target;
    graph_count_uses(graph);
    for (Value *v = graph->first, *next; v; v = next) {
        next = v->next;
        Value *by = is_tokenizer(v)          ? rewrite(graph, v)
                    : is_linear_tokenizer(v) ? rewrite_linear(graph, v)
                                             : NULL;
        if (!by)
            continue;
        graph_replace(graph, v, by);
        graph_remove(graph, v);
    }
}
