/* fuse_projector: the query product folded into the keys.
 *
 * A projector computes S = (X W_Q) K^T, X of H W pixels, K of L tokens (Wu et
 * al. 2020, equation 4). With M = W_Q K^T of C x L per head, S = X M: one pass
 * over X, and the product with W_Q runs over L tokens, not over H W pixels. Done
 * where groups equal heads, W_Q has no bias, and the count falls.
 *
 *   %q = conv2d %x, %w groups=h                 [1,C,H,W], 1x1
 *   %r = reshape %q                             [1,h,C/h,HW]
 *   %s = matmul %r, %k transpose_a              [1,h,HW,L]
 *      ->
 *   %r = reshape %x                             [1,h,C/h,HW]
 *   %m = matmul reshape(%w), %k transpose_a     [1,h,C/h,L]
 *   %s = matmul %r, %m transpose_a
 *
 * needs: canonical   makes: nothing   breaks: nothing   leaves: dead values */
#include "passes/graph_passes.h"

static bool is_pointwise_query(const Value *conv, int64_t heads)
{
    if (conv->op != OP_conv2d || conv->uses != 1 || conv->nargs != 2 ||
        conv->attr.groups != heads || !value_is_static(conv->args[1]))
        return false;
    Window w = window_of(conv);
    return w.kernel_h == 1 && w.kernel_w == 1 && w.stride_h == 1 && w.stride_w == 1 &&
           !window_leaves_map(&w);
}

static bool is_projector(const Value *s)
{
    if (s->op != OP_matmul || !s->attr.transpose_a || s->attr.transpose_b ||
        s->type.shape.rank != 4)
        return false;
    const Value *r = s->args[0];
    if (r->op != OP_reshape || r->uses != 1 || r->type.shape.rank != 4)
        return false;
    const Value *conv = r->args[0];
    int64_t heads = r->type.shape.dim[1], tokens = s->type.shape.dim[3];
    return is_pointwise_query(conv, heads) && r->type.shape.dim[0] == 1 &&
           r->type.shape.dim[1] * r->type.shape.dim[2] == conv->type.shape.dim[1] &&
           tokens < r->type.shape.dim[3];
}

static Value *reshape_to(Graph *g, Value *at, Value *x, Ints shape)
{
    Attrs attrs = attrs_default();
    attrs.shape = shape;
    return graph_add(g, at, at, OP_reshape, &attrs, 1, &x);
}

static Value *rewrite(Graph *g, Value *s)
{
    Value *r = s->args[0], *conv = r->args[0], *x = conv->args[0], *w = conv->args[1];
    int64_t heads = r->type.shape.dim[1], out = r->type.shape.dim[2];
    int64_t in = x->type.shape.dim[1] / heads, pixels = r->type.shape.dim[3];
    Value *weight = reshape_to(g, s, w, (Ints){4, {1, heads, out, in}});
    Attrs attrs = attrs_default();
    attrs.transpose_a = true;
    Value *merged = graph_add(g, s, conv, OP_matmul, &attrs, 2,
                              (Value *[]){weight, s->args[1]});
    Value *flat = reshape_to(g, s, x, (Ints){4, {1, heads, in, pixels}});
    return graph_add(g, s, s, OP_matmul, &attrs, 2, (Value *[]){flat, merged});
}

void pass_fuse_projector(Graph *graph, const Target *target)
{
    (void)target;
    graph_count_uses(graph);
    for (Value *v = graph->first, *next; v; v = next) {
        next = v->next;
        if (!is_projector(v))
            continue;
        graph_replace(graph, v, rewrite(graph, v));
        graph_remove(graph, v);
    }
}
