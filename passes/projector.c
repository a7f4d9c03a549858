/* fuse_projector: the query product folded into the keys.
 *
 * A projector computes S = (X W_Q) K^T, X of H W pixels, K of L tokens (Wu et
 * al. 2020, equation 4). With M = W_Q K^T of C x L per head, S = X M: one pass
 * over X, and the product with W_Q runs over L tokens, not over H W pixels. So does
 * a recurrent tokenizer, S^T = Q (X W_K)^T = (W_K Q^T)^T X^T. Done where groups are
 * whole parts of heads, a convolution has no bias, and the count falls.
 *
 *   %q = conv2d %x, %w groups=g                 [1,C,H,W], 1x1
 *   %r = reshape %q                             [1,h,C/h,HW]; [1,C,HW] of one head
 *   %s = matmul %r, %k transpose_a              [1,h,HW,L]    or: matmul %k, %r
 *      ->
 *   %r = reshape %x                             [1,h,C/h,HW]
 *   %m = matmul reshape(%w), reshape(%k) transpose_a     [1,g,C/g,L]
 *   %s = matmul %r, reshape(%m) transpose_a
 *
 * With channels last:
 *
 *   %q = linear %x, %w, %b                      [N,HW,D]
 *   %s = matmul %q, %k transpose_b              [N,HW,L]      or: matmul %k, %q
 *      ->
 *   %m = linear %k, transpose(%w)               [N,L,C]
 *   %s = matmul %x, %m transpose_b              + linear %k, %b, which is one by token
 *
 * A product's scale is its smaller operand's (the keys', not the scores'):
 *
 *   div (matmul %x, %m), c   ->   matmul %x, (div %m, c)           mul alike
 *
 * What is added to a product over pixels is added in the product's own shape, so that
 * one loop does both:
 *
 *   add %x, reshape(%y)   ->   reshape(add reshape(%x), %y)        %y = matmul
 *
 * needs: canonical   makes: nothing   breaks: nothing   leaves: dead values */
#include "passes/graph_passes.h"

static Value *reshape_to(Graph *g, Value *at, Value *x, Ints shape)
{
    Attrs attrs = attrs_default();
    attrs.shape = shape;
    return graph_add(g, at, at, OP_reshape, &attrs, 1, &x);
}

/* ---- queries into keys ------------------------------------------------- */

/* The multiplications of S = (X W) K^T and of X (W K^T). */
static bool count_falls(const Value *conv, int64_t pixels, int64_t tokens)
{
    int64_t in = conv->args[0]->type.shape.dim[1], out = conv->type.shape.dim[1];
    int64_t weights = out * conv->args[1]->type.shape.dim[1];
    return tokens * weights + pixels * in * tokens < pixels * weights + pixels * out * tokens;
}

static bool is_pointwise_query(const Value *conv, int64_t heads)
{
    if (conv->op != OP_conv2d || conv->uses != 1 || conv->nargs != 2 ||
        conv->attr.groups % heads != 0 || !value_is_static(conv->args[1]))
        return false;
    Window w = window_of(conv);
    return w.kernel_h == 1 && w.kernel_w == 1 && w.stride_h == 1 && w.stride_w == 1 &&
           !window_leaves_map(&w);
}

/* Is operand i of the product, over its last but one dimension, a query of every pixel? */
static bool is_query(const Value *s, int i)
{
    const Value *r = s->args[i], *keys = s->args[1 - i];
    int rank = s->type.shape.rank;
    if (r->op != OP_reshape || r->uses != 1 || r->type.shape.rank != rank ||
        keys->type.shape.rank != rank || r->type.shape.dim[0] != 1 ||
        keys->type.shape.dim[0] != 1)
        return false;
    const Value *conv = r->args[0];
    int64_t heads = rank == 4 ? r->type.shape.dim[1] : 1;
    return is_pointwise_query(conv, heads) &&
           (rank == 3 || keys->type.shape.dim[1] == heads) &&
           heads * r->type.shape.dim[rank - 2] == conv->type.shape.dim[1] &&
           count_falls(conv, r->type.shape.dim[rank - 1], keys->type.shape.dim[rank - 1]);
}

/* The operand of a product that is a query; -1: it is no projector. */
static int query_of(const Value *s)
{
    int rank = s->type.shape.rank;
    if (s->op != OP_matmul || !s->attr.transpose_a || s->attr.transpose_b ||
        (rank != 3 && rank != 4))
        return -1;
    return is_query(s, 0) ? 0 : is_query(s, 1) ? 1 : -1;
}

/* A matrix of C rows by head: [1,h,C/h,n], of one head in three dimensions [1,C,n]. */
static Ints by_head(int rank, int64_t heads, int64_t channels, int64_t n)
{
    if (rank == 3)
        return (Ints){3, {1, channels, n}};
    return (Ints){4, {1, heads, channels / heads, n}};
}

static Value *rewrite(Graph *g, Value *s, int query)
{
    Value *r = s->args[query], *keys = s->args[1 - query], *conv = r->args[0];
    Value *x = conv->args[0], *w = conv->args[1];
    int rank = s->type.shape.rank;
    int64_t heads = rank == 4 ? r->type.shape.dim[1] : 1, groups = conv->attr.groups;
    int64_t in = x->type.shape.dim[1], out = conv->type.shape.dim[1];
    int64_t pixels = r->type.shape.dim[rank - 1], tokens = keys->type.shape.dim[rank - 1];
    Value *weight = reshape_to(g, s, w, (Ints){4, {1, groups, out / groups, in / groups}});
    if (rank == 3 || groups != heads)
        keys = reshape_to(g, s, keys, (Ints){4, {1, groups, out / groups, tokens}});
    Attrs attrs = attrs_default();
    attrs.transpose_a = true;
    Value *merged = graph_add(g, s, conv, OP_matmul, &attrs, 2, (Value *[]){weight, keys});
    if (rank == 3 || groups != heads)
        merged = reshape_to(g, s, merged, by_head(rank, heads, in, tokens));
    Value *args[2];
    args[query] = reshape_to(g, s, x, by_head(rank, heads, in, pixels));
    args[1 - query] = merged;
    return graph_add(g, s, s, OP_matmul, &attrs, 2, args);
}

/* ---- channels last ------------------------------------------------------ */

/* Is operand i of the product a linear layer's [N,HW,D], the other one keys [N,L,D]? */
static bool is_linear_query(const Value *s, int i)
{
    const Value *q = s->args[i], *keys = s->args[1 - i];
    if (q->op != OP_linear || q->uses != 1 || !value_is_static(q->args[1]) ||
        q->type.shape.rank != 3 || keys->type.shape.rank != 3 ||
        q->type.shape.dim[0] != keys->type.shape.dim[0])
        return false;
    int64_t in = q->args[0]->type.shape.dim[2], out = q->type.shape.dim[2];
    int64_t pixels = q->type.shape.dim[1], tokens = keys->type.shape.dim[1];
    return tokens * in * (out + pixels) < pixels * out * (in + tokens);
}

static int linear_query_of(const Value *s)
{
    if (s->op != OP_matmul || s->attr.transpose_a || !s->attr.transpose_b)
        return -1;
    return is_linear_query(s, 0) ? 0 : is_linear_query(s, 1) ? 1 : -1;
}

static Value *rewrite_linear(Graph *g, Value *s, int query)
{
    Value *q = s->args[query], *keys = s->args[1 - query], *args[2];
    int64_t out = q->type.shape.dim[2], tokens = keys->type.shape.dim[1];
    Attrs across = attrs_default();
    across.perm = (Ints){2, {1, 0}};
    Value *weight = graph_add(g, s, q, OP_transpose, &across, 1, &q->args[1]);
    args[query] = q->args[0];
    args[1 - query] = graph_add(g, s, q, OP_linear, &q->attr, 2, (Value *[]){keys, weight});
    Value *product = graph_add(g, s, s, OP_matmul, &s->attr, 2, args);
    if (q->nargs == 2)
        return product;
    Value *bias = reshape_to(g, s, q->args[2], (Ints){2, {1, out}});
    Value *by_key = graph_add(g, s, q, OP_linear, &q->attr, 2, (Value *[]){keys, bias});
    if (query == 0)
        by_key = reshape_to(g, s, by_key, (Ints){3, {keys->type.shape.dim[0], 1, tokens}});
    return graph_add(g, s, s, OP_add, NULL, 2, (Value *[]){product, by_key});
}

/* ---- scales ------------------------------------------------------------- */

/* The operand of a scaled product that is scaled for less; -1: v is none. */
static int scaled_operand(const Graph *graph, const Value *v)
{
    if ((v->op != OP_div && v->op != OP_mul) || v->args[0]->op != OP_matmul ||
        v->args[0]->uses != 1 || graph_is_output(graph, v->args[0]) ||
        v->args[1]->op != OP_constant || shape_count(&v->args[1]->type.shape) != 1 ||
        !shape_equal(&v->type.shape, &v->args[0]->type.shape))
        return -1;
    int64_t count[2], all = shape_count(&v->type.shape);
    for (int i = 0; i < 2; i++)
        count[i] = shape_count(&v->args[0]->args[i]->type.shape);
    int less = count[1] <= count[0];
    return 2 * count[less] <= all ? less : -1;
}

static Value *scale_operand(Graph *g, Value *v, int operand)
{
    Value *product = v->args[0], *args[2] = {product->args[0], product->args[1]};
    args[operand] = graph_add(g, v, v, v->op, NULL, 2, (Value *[]){args[operand], v->args[1]});
    return graph_add(g, v, product, OP_matmul, &product->attr, 2, args);
}

/* ---- sums in the product's shape --------------------------------------- */

/* The argument of a sum that is a product over pixels, spread out as a map. */
static int spread_product(const Value *sum)
{
    for (int i = 0; i < 2 && sum->op == OP_add; i++) {
        const Value *r = sum->args[i], *other = sum->args[1 - i];
        if (r->op == OP_reshape && r->uses == 1 && r->args[0]->op == OP_matmul &&
            r->args[0]->uses == 1 && shape_equal(&other->type.shape, &r->type.shape) &&
            other != r && (other->uses > 1 || op_info[other->op].class == CLASS_source))
            return i;
    }
    return -1;
}

static Value *add_in_shape(Graph *g, Value *sum, int i)
{
    Value *y = sum->args[i]->args[0], *args[2];
    const Shape *s = &y->type.shape;
    Ints inner = {.n = s->rank}, outer = {.n = sum->type.shape.rank};
    for (int d = 0; d < inner.n; d++)
        inner.at[d] = s->dim[d];
    for (int d = 0; d < outer.n; d++)
        outer.at[d] = sum->type.shape.dim[d];
    args[i] = y;
    args[1 - i] = reshape_to(g, sum, sum->args[1 - i], inner);
    Value *added = graph_add(g, sum, sum, OP_add, NULL, 2, args);
    return reshape_to(g, sum, added, outer);
}

static Value *rewritten(Graph *g, Value *v)
{
    int query = query_of(v), product = spread_product(v);
    int linear_query = linear_query_of(v), scaled = scaled_operand(g, v);
    if (query >= 0)
        return rewrite(g, v, query);
    if (linear_query >= 0)
        return rewrite_linear(g, v, linear_query);
    if (scaled >= 0)
        return scale_operand(g, v, scaled);
    return product >= 0 ? add_in_shape(g, v, product) : NULL;
}

void pass_fuse_projector(Graph *graph, const Target *target)
{
    (void)target;
    graph_count_uses(graph);
    for (Value *v = graph->first, *next; v; v = next) {
        next = v->next;
        Value *by = rewritten(graph, v);
        if (!by)
            continue;
        by->uses = v->uses;
        graph_replace(graph, v, by);
        graph_remove(graph, v);
    }
}
