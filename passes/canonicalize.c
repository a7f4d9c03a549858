/* canonicalize: one spelling for what can be written in several ways.
 *
 *   transpose(transpose(x))  -> one transpose or x      reshape(reshape(x)) -> one
 *   x * 1, x + 0, x / 1      -> x                       relu(relu(x)) -> relu(x)
 *   softmax, layer_norm, group_norm -> reductions and elementwise operators
 *   attention -> matmul, softmax, matmul by head
 *   linear, convolution with a computed weight -> matmul (canonicalize_computed.c)
 *   conv2d(pad(x)) -> conv2d(x) with wider padding      max_pool2d(pad(x)): the same
 *
 * Where the graph is to become an ONNX file for other engines (keep_norms), the third
 * line is left out: they have these operators.
 *
 * needs: nothing   makes: canonical   breaks: nothing   leaves: dead values */
#include "passes/canonicalize.h"
#include "passes/graph_passes.h"

static bool is_scalar(const Value *v, double value)
{
    if (v->op != OP_constant || shape_count(&v->type.shape) != 1)
        return false;
    return (v->data ? tensor_get(v->data, 0) : v->attr.value) == value;
}

/* x + 0 = x - 0 = x * 1 = x / 1 = x, where the shape is x's */
static Value *rule_identity(Graph *graph, Value *v)
{
    (void)graph;
    double neutral = v->op == OP_add || v->op == OP_sub ? 0 : 1;
    if (v->op != OP_add && v->op != OP_sub && v->op != OP_mul && v->op != OP_div)
        return NULL;
    return is_scalar(v->args[1], neutral) &&
                   shape_equal(&v->type.shape, &v->args[0]->type.shape)
               ? v->args[0]
               : NULL;
}

/* relu(relu(x)) = relu(x) */
static Value *rule_relu(Graph *graph, Value *v)
{
    (void)graph;
    return v->op == OP_relu && v->args[0]->op == OP_relu ? v->args[0] : NULL;
}

/* (x^p)^q = x^(p o q); a permutation that moves nothing is x */
static Value *rule_transpose(Graph *graph, Value *v)
{
    if (v->op != OP_transpose)
        return NULL;
    bool identity = true;
    for (int d = 0; d < v->attr.perm.n; d++)
        identity = identity && v->attr.perm.at[d] == d;
    if (identity)
        return v->args[0];
    Value *x = v->args[0];
    if (x->op != OP_transpose)
        return NULL;
    Attrs attrs = v->attr;
    for (int d = 0; d < v->attr.perm.n; d++)
        attrs.perm.at[d] = x->attr.perm.at[v->attr.perm.at[d]];
    return graph_add(graph, v, v, OP_transpose, &attrs, 1, x->args);
}

/* reshape(reshape(x)) = reshape(x); to its own shape: x */
static Value *rule_reshape(Graph *graph, Value *v)
{
    if (v->op != OP_reshape)
        return NULL;
    Value *x = v->args[0];
    if (shape_equal(&x->type.shape, &v->type.shape))
        return x;
    if (x->op != OP_reshape)
        return NULL;
    return graph_add(graph, v, v, OP_reshape, &v->attr, 1, x->args);
}

static Value *un(Graph *g, Value *at, Op op, const Attrs *attrs, Value *x)
{
    return graph_add(g, at, at, op, attrs, 1, &x);
}

static Value *bin(Graph *g, Value *at, Op op, Value *x, Value *y)
{
    return graph_add(g, at, at, op, NULL, 2, (Value *[]){x, y});
}

static Value *scalar(Graph *g, Value *at, double value)
{
    Tensor *data = tensor_new(g->arena, (Type){DT_f32, {0}});
    tensor_set(data, 0, value);
    return graph_constant(g, at, at, data);
}

static Attrs over(const Ints *axes)
{
    Attrs attrs = attrs_default();
    attrs.axes = *axes;
    attrs.keepdims = true;
    return attrs;
}

/* softmax(x) = e / sum(e), e = exp(max(x - max(x), LEAST)). A share below 2e-35 is as
 * good as none; LEAST keeps shares, and what is made of them, from becoming denormal
 * numbers, with which processors multiply a hundred times more slowly. */
static Value *rule_softmax(Graph *g, Value *v)
{
    enum { LEAST = -80 };
    if (v->op != OP_softmax || g->options.keep_norms)
        return NULL;
    Attrs axes = over(&(Ints){.n = 1, .at = {v->attr.axis}});
    Value *x = v->args[0];
    Value *top = un(g, v, OP_reduce_max, &axes, x);
    /* NaN as the second operand stays */
    Value *below = bin(g, v, OP_maximum, scalar(g, v, LEAST), bin(g, v, OP_sub, x, top));
    Value *e = un(g, v, OP_exp, NULL, below);
    return bin(g, v, OP_div, e, un(g, v, OP_reduce_sum, &axes, e));
}

/* (x - mean) / sqrt(mean((x - mean)^2) + eps) over axes */
static Value *normalised(Graph *g, Value *v, Value *x, const Ints *over_axes)
{
    Attrs axes = over(over_axes);
    Value *centred = bin(g, v, OP_sub, x, un(g, v, OP_reduce_mean, &axes, x));
    Value *square = bin(g, v, OP_mul, centred, centred);
    Value *variance = un(g, v, OP_reduce_mean, &axes, square);
    Value *shifted = bin(g, v, OP_add, variance, scalar(g, v, v->attr.eps));
    return bin(g, v, OP_mul, centred, un(g, v, OP_rsqrt, NULL, shifted));
}

static Value *rule_layer_norm(Graph *g, Value *v)
{
    if (v->op != OP_layer_norm || g->options.keep_norms)
        return NULL;
    Ints axes = {0};
    for (int64_t d = v->attr.axis; d < v->type.shape.rank; d++)
        axes.at[axes.n++] = d;
    Value *y = normalised(g, v, v->args[0], &axes);
    if (v->nargs > 1)
        y = bin(g, v, OP_mul, y, v->args[1]);
    return v->nargs > 2 ? bin(g, v, OP_add, y, v->args[2]) : y;
}

static Value *reshaped(Graph *g, Value *v, Value *x, int rank, const int64_t *dims)
{
    Attrs attrs = attrs_default();
    attrs.shape.n = rank;
    for (int d = 0; d < rank; d++)
        attrs.shape.at[d] = dims[d];
    return un(g, v, OP_reshape, &attrs, x);
}

/* [N,C,..] as [N,G,C/G,..], normalised over all but the first two; without a dimension to
 * spare as [N,G,C/G * ..] */
static Value *rule_group_norm(Graph *g, Value *v)
{
    const Shape *s = &v->type.shape;
    if (v->op != OP_group_norm || g->options.keep_norms)
        return NULL;
    int64_t split[MAX_RANK] = {s->dim[0], v->attr.groups, s->dim[1] / v->attr.groups};
    int64_t channels[MAX_RANK] = {1, s->dim[1]};
    int rank = s->rank < MAX_RANK ? s->rank + 1 : 3;
    Ints axes = {0};
    for (int d = 2; d < s->rank; d++) {
        if (rank == 3)
            split[2] *= s->dim[d];
        else
            split[d + 1] = s->dim[d];
        channels[d] = 1;
    }
    for (int d = 2; d < rank; d++)
        axes.at[axes.n++] = d;
    Value *x = reshaped(g, v, v->args[0], rank, split);
    Value *y = reshaped(g, v, normalised(g, v, x, &axes), s->rank, s->dim);
    if (v->nargs > 1)
        y = bin(g, v, OP_mul, y, reshaped(g, v, v->args[1], s->rank, channels));
    if (v->nargs > 2)
        y = bin(g, v, OP_add, y, reshaped(g, v, v->args[2], s->rank, channels));
    return y;
}

static Value *permuted(Graph *g, Value *v, Value *x, const int64_t *perm)
{
    Attrs attrs = attrs_default();
    attrs.perm.n = x->type.shape.rank;
    for (int d = 0; d < attrs.perm.n; d++)
        attrs.perm.at[d] = perm[d];
    return un(g, v, OP_transpose, &attrs, x);
}

/* [N,P,heads x D] as [N,heads,P,D]; one head is left as it is */
static Value *by_head(Graph *g, Value *v, int i)
{
    Value *x = v->args[i];
    const int64_t *d = x->type.shape.dim, heads = v->attr.heads;
    if (heads == 1)
        return x;
    x = reshaped(g, v, x, 4, (const int64_t[]){d[0], d[1], heads, d[2] / heads});
    return permuted(g, v, x, (const int64_t[]){0, 2, 1, 3});
}

/* softmax(scale q k^T) v for each head */
static Value *rule_attention(Graph *g, Value *v)
{
    if (v->op != OP_attention)
        return NULL;
    Attrs product = attrs_default(), along = attrs_default();
    product.transpose_b = true;
    Value *s = graph_add(g, v, v, OP_matmul, &product, 2,
                         (Value *[]){by_head(g, v, 0), by_head(g, v, 1)});
    if (v->attr.scale != 1)
        s = bin(g, v, OP_mul, s, scalar(g, v, v->attr.scale));
    along.axis = s->type.shape.rank - 1;
    s = un(g, v, OP_softmax, &along, s);
    Value *y = bin(g, v, OP_matmul, s, by_head(g, v, 2));
    if (v->attr.heads == 1)
        return y;
    y = permuted(g, v, y, (const int64_t[]){0, 2, 1, 3});
    return reshaped(g, v, y, 3, v->type.shape.dim);
}

typedef Value *Rule(Graph *graph, Value *value);
static Rule *const rules[] = {rule_identity,   rule_relu,      rule_transpose,
                              rule_reshape,    rule_softmax,   rule_layer_norm,
                              rule_group_norm, rule_attention, rule_computed_linear,
                              rule_computed_convolution, rule_padded_window};

void pass_canonicalize(Graph *graph, const Target *target)
{
    (void)target;
    bool changed = true;
    while (changed) {
        changed = false;
        for (Value *v = graph->first, *next; v; v = next) {
            next = v->next;
            for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
                Value *by = rules[i](graph, v);
                if (!by)
                    continue;
                graph_replace(graph, v, by);
                graph_remove(graph, v);
                changed = true;
                break;
            }
        }
    }
}
