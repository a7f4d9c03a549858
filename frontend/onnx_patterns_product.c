/* Products that are spelled out: transposed operands, linear layers, attention. */
#include "frontend/onnx_patterns.h"

/* ---- matmul and linear ---------------------------------------------------------- */

static bool swaps_last_two(const Value *v)
{
    int rank = v->type.shape.rank;
    if (v->op != OP_transpose || rank < 2)
        return false;
    for (int d = 0; d < rank; d++)
        if (v->attr.perm.at[d] != (d == rank - 1 ? rank - 2 : d == rank - 2 ? rank - 1 : d))
            return false;
    return true;
}

Value *rule_matmul_transposed(Graph *graph, Value *v)
{
    if (v->op != OP_matmul)
        return NULL;
    Attrs a = v->attr;
    Value *args[2] = {v->args[0], v->args[1]};
    bool *flags[2] = {&a.transpose_a, &a.transpose_b};
    const Value *weight = args[1]->op == OP_transpose ? args[1]->args[0] : args[1];
    bool any = false, layer = match_source(weight) && weight->type.shape.rank == 2;
    for (int i = layer; i < 2; i++) /* a layer reads what is transposed: see rule_linear */
        if (swaps_last_two(args[i])) {
            args[i] = args[i]->args[0];
            *flags[i] = !*flags[i];
            any = true;
        }
    return any ? rule_add(graph, v, OP_matmul, &a, 2, args) : NULL;
}

/* x times a known matrix: the layer */
Value *rule_linear(Graph *graph, Value *v)
{
    if (v->op != OP_matmul || v->attr.transpose_a)
        return NULL;
    Value *w = v->args[1];
    if (!match_source(w) || w->type.shape.rank != 2 || match_source(v->args[0]))
        return NULL;
    const int64_t *d = w->type.shape.dim;
    if (!v->attr.transpose_b)
        w = rule_source(graph, v, w, shape_of(2, (int64_t[]){d[1], d[0]}), true);
    return w ? rule_add(graph, v, OP_linear, NULL, 2, (Value *[]){v->args[0], w}) : NULL;
}

Value *rule_linear_bias(Graph *graph, Value *v)
{
    for (int i = 0; i < 2 && v->op == OP_add; i++) {
        Value *y = v->args[i], *b = v->args[1 - i];
        if (y->op == OP_linear && y->nargs == 2 && match_source(b) && b->type.shape.rank == 1 &&
            b->type.shape.dim[0] == y->args[1]->type.shape.dim[0])
            return rule_add(graph, v, OP_linear, NULL, 3, (Value *[]){y->args[0], y->args[1], b});
    }
    return NULL;
}

/* ---- attention -------------------------------------------------------------------- */

/* q k^T, with a factor on either side of the product: the factor */
static Value *scores_of(Value *v, double *scale)
{
    double factor;
    *scale = 1;
    for (int i = 0; i < 2 && v->op == OP_mul; i++)
        if (match_number(v->args[1 - i], &factor)) {
            *scale = factor;
            return v->args[i];
        }
    if (v->op == OP_div && match_number(v->args[1], &factor)) {
        *scale = 1 / factor;
        return v->args[0];
    }
    return v;
}

/* [N, heads, P, D] as [N, P, heads x D]; three dimensions have one head. */
static Value *heads_joined(Graph *graph, Value *at, Value *x)
{
    const int64_t *d = x->type.shape.dim;
    if (x->type.shape.rank == 3)
        return x;
    int64_t joined[] = {d[0], d[2], d[1] * d[3]};
    x = rule_transposed(graph, at, x, (const int[]){0, 2, 1, 3});
    return rule_reshaped(graph, at, x, shape_of(3, joined));
}

static Value *heads_split(Graph *graph, Value *at, Value *y, const Shape *to)
{
    if (to->rank == 3)
        return y;
    const int64_t *d = to->dim;
    y = rule_reshaped(graph, at, y, shape_of(4, (int64_t[]){d[0], d[2], d[1], d[3]}));
    return rule_transposed(graph, at, y, (const int[]){0, 2, 1, 3});
}

static bool same_leading(const Value *a, const Value *b)
{
    int rank = a->type.shape.rank;
    for (int d = 0; d < rank - 2; d++)
        if (a->type.shape.dim[d] != b->type.shape.dim[d])
            return false;
    return rank == b->type.shape.rank;
}

static Value *turned(Graph *graph, Value *at, Value *x, bool wanted)
{
    bool four = x->type.shape.rank == 4;
    return !wanted ? x : rule_transposed(graph, at, x, four ? (const int[]){0, 1, 3, 2}
                                                            : (const int[]){0, 2, 1});
}

/* softmax over the last dimension of (factor q k^T), times v */
Value *rule_attention(Graph *graph, Value *v)
{
    Attrs a = attrs_default();
    double inner[2];
    if (v->op != OP_matmul || v->attr.transpose_a || v->attr.transpose_b)
        return NULL;
    Value *s = v->args[0], *values = v->args[1];
    int rank = v->type.shape.rank;
    if (s->op != OP_softmax || s->attr.axis != rank - 1 || (rank != 3 && rank != 4))
        return NULL;
    Value *product = scores_of(s->args[0], &a.scale);
    if (product->op != OP_matmul || product->attr.transpose_a || product->type.shape.rank != rank)
        return NULL;
    Value *q = scores_of(product->args[0], &inner[0]), *k = scores_of(product->args[1], &inner[1]);
    if (match_source(q) || match_source(k) || !same_leading(q, k) || !same_leading(q, values) ||
        q->type.shape.rank != rank)
        return NULL;
    a.scale *= inner[0] * inner[1];
    a.heads = rank == 4 ? v->type.shape.dim[1] : 1;
    k = turned(graph, v, k, !product->attr.transpose_b);
    Value *args[3] = {heads_joined(graph, v, q), heads_joined(graph, v, k),
                      heads_joined(graph, v, values)};
    Value *y = rule_add(graph, v, OP_attention, &a, 3, args);
    return heads_split(graph, v, y, &v->type.shape);
}
