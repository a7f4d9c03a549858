/* Normalisations and softmax that are spelled out. */
#include "frontend/onnx_patterns.h"

/* ---- pieces --------------------------------------------------------------------- */

/* v = op over `axes` of x; dimensions may have been dropped and put back. */
static Value *reduced_of(Value *v, Op op, Ints *axes)
{
    Value *root = v;
    while (root->op == OP_reshape)
        root = root->args[0];
    if (root->op != op)
        return NULL;
    Value *x = root->args[0];
    *axes = root->attr.axes;
    if (v->type.shape.rank != x->type.shape.rank)
        return NULL;
    for (int d = 0, i = 0; d < x->type.shape.rank; d++) {
        bool gone = i < axes->n && axes->at[i] == d;
        i += gone;
        if (v->type.shape.dim[d] != (gone ? 1 : x->type.shape.dim[d]))
            return NULL;
    }
    return x;
}

static bool ints_equal(const Ints *a, const Ints *b)
{
    bool same = a->n == b->n;
    for (int i = 0; i < a->n && same; i++)
        same = a->at[i] == b->at[i];
    return same;
}

/* x - mean(x) over axes: x */
static Value *centred_of(Value *v, Ints *axes)
{
    if (v->op != OP_sub)
        return NULL;
    Value *x = reduced_of(v->args[1], OP_reduce_mean, axes);
    return x == v->args[0] ? x : NULL;
}

/* mean((x - mean(x))^2) over the same axes: x */
static Value *variance_of(Value *v, Ints *axes)
{
    Ints inner;
    Value *square = reduced_of(v, OP_reduce_mean, axes), *x = NULL;
    if (!square)
        return NULL;
    bool power = square->op == OP_pow && match_is(square->args[1], 2);
    bool product = square->op == OP_mul && (square->args[0] == square->args[1] ||
                                            centred_of(square->args[1], &inner));
    if (power || product)
        x = centred_of(square->args[0], &inner);
    if (product && square->args[0] != square->args[1] && centred_of(square->args[1], &inner) != x)
        return NULL;
    return x && ints_equal(axes, &inner) ? x : NULL;
}

/* What is inside (var + eps) of y / sqrt(..) or y rsqrt(..): y and the variance. */
static bool normal_form(Value *v, Value **y, Value **variance, double *eps)
{
    Value *root = NULL;
    *y = NULL;
    if (v->op == OP_div && v->args[1]->op == OP_sqrt) {
        *y = v->args[0];
        root = v->args[1]->args[0];
    }
    for (int i = 0; i < 2 && !*y && v->op == OP_mul; i++)
        if (v->args[i]->op == OP_rsqrt) {
            *y = v->args[1 - i];
            root = v->args[i]->args[0];
        }
    for (int i = 0; i < 2 && root && root->op == OP_add; i++)
        if (match_number(root->args[i], eps)) {
            *eps = match_decimal(*eps);
            *variance = root->args[1 - i];
            return true;
        }
    return false;
}

/* ---- softmax ---------------------------------------------------------------------- */

/* exp(x - max(x)) / sum(exp(..)), or without the maximum; / may be times 1 / */
Value *rule_softmax(Graph *graph, Value *v)
{
    Attrs a = attrs_default();
    Ints axes, top;
    Value *e = NULL;
    if (v->op == OP_div)
        e = reduced_of(v->args[1], OP_reduce_sum, &axes) == v->args[0] ? v->args[0] : NULL;
    for (int i = 0; i < 2 && !e && v->op == OP_mul; i++) {
        Value *one = v->args[i];
        if (one->op == OP_div && match_is(one->args[0], 1) &&
            reduced_of(one->args[1], OP_reduce_sum, &axes) == v->args[1 - i])
            e = v->args[1 - i];
    }
    if (!e || e->op != OP_exp || axes.n != 1)
        return NULL;
    Value *x = e->args[0];
    if (x->op == OP_sub && reduced_of(x->args[1], OP_reduce_max, &top) == x->args[0] &&
        ints_equal(&axes, &top))
        x = x->args[0];
    a.axis = axes.at[0];
    return rule_add(graph, v, OP_softmax, &a, 1, &x);
}

/* ---- layer norm --------------------------------------------------------------------- */

static bool is_suffix(const Ints *axes, int rank)
{
    for (int i = 0; i < axes->n; i++)
        if (axes->at[i] != rank - axes->n + i)
            return false;
    return axes->n > 0;
}

Value *rule_layer_norm(Graph *graph, Value *v)
{
    Attrs a = attrs_default();
    Ints axes, same;
    Value *y, *variance;
    if (!normal_form(v, &y, &variance, &a.eps))
        return NULL;
    Value *x = centred_of(y, &axes);
    if (!x || variance_of(variance, &same) != x || !ints_equal(&axes, &same) ||
        !is_suffix(&axes, x->type.shape.rank))
        return NULL;
    a.axis = axes.at[0];
    return rule_add(graph, v, OP_layer_norm, &a, 1, &x);
}

/* v = op(norm with that many arguments, other): both */
static Value *norm_of(Value *v, Op op, Op norm, int nargs, Value **other)
{
    for (int i = 0; i < 2 && v->op == op; i++) {
        Value *n = v->args[i];
        *other = v->args[1 - i];
        if (n->op == norm && n->nargs == nargs && match_source(*other) &&
            shape_equal(&n->type.shape, &v->type.shape))
            return n;
    }
    return NULL;
}

/* layer_norm(x) g is layer_norm(x, g); + b likewise */
Value *rule_layer_norm_affine(Graph *graph, Value *v)
{
    Value *other, *n = norm_of(v, OP_mul, OP_layer_norm, 1, &other);
    n = n ? n : norm_of(v, OP_add, OP_layer_norm, 2, &other);
    if (!n)
        return NULL;
    Shape part = {.rank = n->type.shape.rank - (int)n->attr.axis};
    for (int i = 0; i < part.rank; i++)
        part.dim[i] = n->type.shape.dim[n->attr.axis + i];
    Value *args[3] = {n->args[0], n->nargs > 1 ? n->args[1] : other, other};
    if (!shape_equal(&other->type.shape, &part))
        return NULL;
    return rule_add(graph, v, OP_layer_norm, &n->attr, n->nargs + 1, args);
}

/* ---- group norm ----------------------------------------------------------------------- */

/* [N,C,..] as [N,G,..], each of the G normalised for itself, and back */
Value *rule_group_norm(Graph *graph, Value *v)
{
    Value *inner = v->op == OP_reshape ? v->args[0] : NULL;
    if (!inner || inner->op != OP_group_norm || inner->args[0]->op != OP_reshape)
        return NULL;
    Value *x = inner->args[0]->args[0];
    int64_t groups = inner->attr.groups;
    if (!shape_equal(&x->type.shape, &v->type.shape) || x->type.shape.rank < 2 ||
        inner->type.shape.dim[0] != x->type.shape.dim[0] ||
        inner->type.shape.dim[1] != groups || x->type.shape.dim[1] % groups)
        return NULL;
    for (int i = 1; i < inner->nargs; i++)
        if (!match_all(inner->args[i], i == 1))
            return NULL;
    return rule_add(graph, v, OP_group_norm, &inner->attr, 1, &x);
}

/* Along dimension 1 of a rank and nowhere else: the same as [C]. */
static Value *by_channel(Graph *graph, Value *at, Value *x, const Shape *whole)
{
    int64_t c = whole->dim[1];
    int rank = x->type.shape.rank, first = rank == whole->rank ? 1 : 0;
    if (rank < whole->rank - 1 || rank > whole->rank)
        return NULL;
    for (int d = 0; d < rank; d++)
        if (x->type.shape.dim[d] != (d == first ? c : 1))
            return NULL;
    return rule_source(graph, at, x, shape_of(1, &c), false);
}

static Value *affine_of(Value *v, Op op, int nargs, Value **other)
{
    for (int i = 0; i < 2 && v->op == op; i++) {
        *other = v->args[1 - i];
        if (v->args[i]->op == OP_group_norm && v->args[i]->nargs == nargs)
            return v->args[i];
    }
    return NULL;
}

Value *rule_group_norm_affine(Graph *graph, Value *v)
{
    Value *other, *n = affine_of(v, OP_mul, 1, &other);
    n = n ? n : affine_of(v, OP_add, 2, &other);
    Value *part = n ? by_channel(graph, v, other, &n->type.shape) : NULL;
    if (!part)
        return NULL;
    Value *args[3] = {n->args[0], n->nargs > 1 ? n->args[1] : part, part};
    return rule_add(graph, v, OP_group_norm, &n->attr, n->nargs + 1, args);
}

/* ---- batch norm ------------------------------------------------------------------------- */

/* The factor or shift of v = op(rest, [C] by channel). */
static Value *channel_arg(Value *v, Op op, Value **rest)
{
    for (int i = 0; i < (op == OP_sub ? 1 : 2) && v->op == op; i++) {
        Value *root = v->args[1 - i];
        while (root->op == OP_reshape)
            root = root->args[0];
        *rest = v->args[i];
        if (match_source(root) && shape_equal(&v->type.shape, &(*rest)->type.shape))
            return v->args[1 - i];
    }
    return NULL;
}

/* (x - mean) / sqrt(var + eps) g + h with mean, var, g, h known by channel */
Value *rule_batch_norm(Graph *graph, Value *v)
{
    Attrs a = attrs_default();
    Value *scaled, *normal, *centred, *x, *part[4] = {0};
    part[1] = channel_arg(v, OP_add, &scaled);
    part[0] = part[1] ? channel_arg(scaled, OP_mul, &normal) : NULL;
    if (!part[0] || !normal_form(normal, &centred, &part[3], &a.eps))
        return NULL;
    part[2] = channel_arg(centred, OP_sub, &x);
    if (!part[2] || x->type.shape.rank < 2 || !shape_equal(&x->type.shape, &v->type.shape))
        return NULL;
    Value *args[5] = {x};
    for (int i = 0; i < 4; i++) {
        args[i + 1] = by_channel(graph, v, part[i], &v->type.shape);
        if (!args[i + 1])
            return NULL;
    }
    return rule_add(graph, v, OP_batch_norm, &a, 5, args);
}
