/* The walk of recognition, what rules match with, and the elementwise patterns. */
#include "frontend/onnx_patterns.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- matching ------------------------------------------------------------------- */

bool match_source(const Value *v)
{
    return v->op == OP_constant || (v->op == OP_weight && v->data);
}

static double element(const Value *v, int64_t i)
{
    return v->data ? tensor_get(v->data, i) : v->attr.value;
}

bool match_number(const Value *v, double *number)
{
    if (!match_source(v) || shape_count(&v->type.shape) != 1)
        return false;
    *number = element(v, 0);
    return true;
}

double match_decimal(double x)
{
    char text[40];
    for (int digits = 1; digits < 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtof(text, NULL) == (float)x)
            return strtod(text, NULL);
    }
    return x;
}

static bool is_near(double x, double number)
{
    return fabs(x - number) <= 2e-6 * fabs(number);
}

bool match_is(const Value *v, double number)
{
    double x;
    return match_number(v, &x) && is_near(x, number);
}

bool match_all(const Value *v, double number)
{
    if (!match_source(v))
        return false;
    for (int64_t i = 0; i < shape_count(&v->type.shape); i++)
        if (element(v, i) != number)
            return false;
    return true;
}

bool match_with(const Value *v, Op op, double number, Value **rest)
{
    if (v->op != op)
        return false;
    for (int i = 0; i < 2; i++)
        if (match_is(v->args[1 - i], number)) {
            *rest = v->args[i];
            return shape_equal(&v->type.shape, &(*rest)->type.shape);
        }
    return false;
}

bool match_scaled(const Value *v, double factor, Value **rest)
{
    if (match_with(v, OP_mul, factor, rest))
        return true;
    *rest = v->op == OP_div ? v->args[0] : NULL;
    return *rest && match_is(v->args[1], 1 / factor) &&
           shape_equal(&v->type.shape, &(*rest)->type.shape);
}

/* ---- making --------------------------------------------------------------------- */

Value *rule_add(Graph *graph, Value *at, Op op, const Attrs *attrs, int n, Value *const *args)
{
    return graph_add(graph, at, at, op, attrs, n, args);
}

Value *rule_reshaped(Graph *graph, Value *at, Value *x, Shape shape)
{
    Attrs a = attrs_default();
    a.shape.n = shape.rank;
    memcpy(a.shape.at, shape.dim, sizeof *shape.dim * (size_t)shape.rank);
    while (x->op == OP_reshape && !shape_equal(&x->type.shape, &shape))
        x = x->args[0];
    return shape_equal(&x->type.shape, &shape) ? x : rule_add(graph, at, OP_reshape, &a, 1, &x);
}

/* Two transpositions are one, or none. */
Value *rule_transposed(Graph *graph, Value *at, Value *x, const int *perm)
{
    Attrs a = attrs_default();
    bool same = true, inner = x->op == OP_transpose;
    a.perm.n = x->type.shape.rank;
    for (int i = 0; i < a.perm.n; i++) {
        a.perm.at[i] = inner ? x->attr.perm.at[perm[i]] : perm[i];
        same = same && a.perm.at[i] == i;
    }
    x = inner ? x->args[0] : x;
    return same ? x : rule_add(graph, at, OP_transpose, &a, 1, &x);
}

static Tensor *tensor_turned(Arena *arena, const Value *x)
{
    int64_t rows = x->type.shape.dim[0], columns = x->type.shape.dim[1];
    Type type = {x->type.dtype, shape_of(2, (int64_t[]){columns, rows})};
    Tensor *t = tensor_new(arena, type);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < columns; k++)
            tensor_set(t, k * rows + i, element(x, i * columns + k));
    return t;
}

static int readers(const Graph *graph, const Value *x)
{
    int n = graph_is_output(graph, x);
    FOR_VALUES(v, graph)
        for (int i = 0; i < v->nargs; i++)
            n += v->args[i] == x;
    return n;
}

/* Is there a source of that name that is turned or shaped so already? */
static Value *source_find(Graph *graph, const char *name, const Shape *shape)
{
    FOR_VALUES(v, graph)
        if (v->op == OP_weight && strcmp(v->attr.name, name) == 0 &&
            shape_equal(&v->type.shape, shape))
            return v;
    return NULL;
}

Value *rule_source(Graph *graph, Value *at, Value *x, Shape shape, bool turned)
{
    while (x->op == OP_reshape)
        x = x->args[0];
    if (!match_source(x) || !x->data || shape_count(&x->type.shape) != shape_count(&shape))
        return NULL;
    if (shape_equal(&x->type.shape, &shape) && !turned)
        return x;
    const char *name = x->attr.name ? x->attr.name : x->name ? x->name : "constant";
    bool own = readers(graph, x) == 1;
    if (!own) {
        name = arena_printf(graph->arena, "%s_%s", name, turned ? "turned" : "shaped");
        Value *held = source_find(graph, name, &shape);
        if (held)
            return held;
    }
    Value proto = {.op = OP_weight, .stage = -1, .group = -1};
    proto.attr = attrs_default();
    Tensor *data = turned ? tensor_turned(graph->arena, x) : NEW(graph->arena, Tensor, 1);
    if (!turned)
        *data = *x->data;
    data->type.shape = shape;
    (void)at;
    Value *w = graph_constant(graph, graph->first, &proto, data);
    w->op = OP_weight;
    w->attr.name = name; /* a constant has neither */
    w->name = graph_fresh_name(graph, x->name ? x->name : "weight");
    w->label = NULL;
    return w;
}

/* ---- shapes ---------------------------------------------------------------------- */

static Value *rule_transposes(Graph *graph, Value *v)
{
    int perm[MAX_RANK];
    if (v->op != OP_transpose || v->args[0]->op != OP_transpose)
        return NULL;
    for (int i = 0; i < v->attr.perm.n; i++)
        perm[i] = (int)v->attr.perm.at[i];
    return rule_transposed(graph, v, v->args[0], perm);
}

static Value *rule_reshapes(Graph *graph, Value *v)
{
    if (v->op != OP_reshape || v->args[0]->op != OP_reshape)
        return NULL;
    return rule_reshaped(graph, v, v->args[0]->args[0], v->type.shape);
}

/* ---- elementwise ---------------------------------------------------------------- */

/* x sigmoid(x) */
static Value *rule_silu(Graph *graph, Value *v)
{
    if (v->op != OP_mul)
        return NULL;
    for (int i = 0; i < 2; i++)
        if (v->args[i]->op == OP_sigmoid && v->args[i]->args[0] == v->args[1 - i])
            return rule_add(graph, v, OP_silu, NULL, 1, &v->args[1 - i]);
    return NULL;
}

static Value *arg_of(Value *v, Op op)
{
    return v->op == op ? v->args[0] : NULL;
}

/* x^3 as a power or as two products */
static bool is_cube(const Value *v, const Value *x)
{
    if (v->op == OP_pow)
        return v->args[0] == x && match_is(v->args[1], 3);
    if (v->op != OP_mul)
        return false;
    for (int i = 0; i < 2; i++) {
        const Value *square = v->args[i];
        bool power = square->op == OP_pow && square->args[0] == x && match_is(square->args[1], 2);
        bool product = square->op == OP_mul && square->args[0] == x && square->args[1] == x;
        if (v->args[1 - i] == x && (power || product))
            return true;
    }
    return false;
}

/* x + 0.044715 x^3 */
static Value *cubic_of(const Value *v)
{
    Value *cube;
    if (v->op != OP_add)
        return NULL;
    for (int i = 0; i < 2; i++)
        if (match_scaled(v->args[i], 0.044715, &cube) && is_cube(cube, v->args[1 - i]))
            return v->args[1 - i];
    return NULL;
}

/* 1 + erf(x / sqrt 2), 1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)): x and the mode */
static Value *bell_of(const Value *v, Mode *mode)
{
    Value *inner, *x;
    if (!match_with(v, OP_add, 1, &inner))
        return NULL;
    *mode = inner->op == OP_erf ? MODE_erf : MODE_tanh;
    if (arg_of(inner, OP_erf))
        return match_scaled(inner->args[0], 0.70710678118654752440, &x) ? x : NULL;
    if (!arg_of(inner, OP_tanh) || !match_scaled(inner->args[0], 0.79788456080286535588, &x))
        return NULL;
    return cubic_of(x);
}

/* a b where one is the bell of the other: that other */
static Value *bell_product(const Value *a, const Value *b, Mode *mode)
{
    return bell_of(b, mode) == a && a ? bell_of(b, mode) : bell_of(a, mode) == b ? bell_of(a, mode)
                                                                                 : NULL;
}

/* x bell(x) / 2, the half at any of the three places */
static Value *rule_gelu(Graph *graph, Value *v)
{
    Attrs a = attrs_default();
    Value *x = NULL, *rest;
    if (match_scaled(v, 0.5, &rest) && rest->op == OP_mul)
        x = bell_product(rest->args[0], rest->args[1], &a.mode);
    for (int i = 0; i < 2 && !x && v->op == OP_mul; i++)
        if (match_scaled(v->args[i], 0.5, &rest))
            x = bell_product(rest, v->args[1 - i], &a.mode);
    return x ? rule_add(graph, v, OP_gelu, &a, 1, &x) : NULL;
}

/* clamp(x + 3, 0, 6) / 6, or clamp(x / 6 + 1/2, 0, 1): *factor is what is left */
static Value *hard_gate_of(const Value *v, double *factor)
{
    Value *inner, *x;
    if (v->op != OP_clamp || v->attr.min != 0)
        return NULL;
    *factor = v->attr.max == 6 ? 1.0 / 6 : 1;
    if (v->attr.max == 6)
        return match_with(v->args[0], OP_add, 3, &x) ? x : NULL;
    if (v->attr.max != 1 || !match_with(v->args[0], OP_add, 0.5, &inner))
        return NULL;
    return match_scaled(inner, 1.0 / 6, &x) ? x : NULL;
}

/* x times its gate, both factors of six gone into the gate or standing outside */
static bool is_hard_product(const Value *a, const Value *b, double factor)
{
    double left = 0;
    Value *x = hard_gate_of(b, &left), *rest;
    if (x == a && x)
        return is_near(factor, left);
    return match_scaled(b, 1.0 / 6, &rest) && hard_gate_of(rest, &left) == a && left != 1 &&
           factor == 1;
}

static Value *rule_hard_swish(Graph *graph, Value *v)
{
    Value *product = v;
    double factor = match_scaled(v, 1.0 / 6, &product) ? 1.0 / 6 : 1;
    product = factor == 1 ? v : product;
    if (product->op != OP_mul)
        return NULL;
    for (int i = 0; i < 2; i++)
        if (is_hard_product(product->args[i], product->args[1 - i], factor))
            return rule_add(graph, v, OP_hard_swish, NULL, 1, &product->args[i]);
    return NULL;
}

/* 1 / sqrt(x) */
static Value *rule_rsqrt(Graph *graph, Value *v)
{
    if (v->op != OP_div || v->args[1]->op != OP_sqrt || !match_is(v->args[0], 1) ||
        !shape_equal(&v->type.shape, &v->args[1]->type.shape))
        return NULL;
    return rule_add(graph, v, OP_rsqrt, NULL, 1, v->args[1]->args);
}

/* not (a == b) */
static Value *rule_ne(Graph *graph, Value *v)
{
    if (v->op != OP_not || v->args[0]->op != OP_eq)
        return NULL;
    return rule_add(graph, v, OP_ne, NULL, 2, v->args[0]->args);
}

/* Are its elements 0, 1, .. along one dimension, the others of length 1? */
static int counting_axis(const Value *v)
{
    int axis = -1;
    if (v->op != OP_constant || v->type.dtype != DT_i32 || !v->data)
        return -1;
    for (int d = 0; d < v->type.shape.rank; d++)
        if (v->type.shape.dim[d] != 1 || (axis < 0 && d == v->type.shape.rank - 1)) {
            if (axis >= 0)
                return -1;
            axis = d;
        }
    for (int64_t i = 0; i < shape_count(&v->type.shape); i++)
        if (tensor_get(v->data, i) != (double)i)
            return -1;
    return axis;
}

/* real(x == 0, 1, ..) along a new dimension */
static Value *rule_one_hot(Graph *graph, Value *v)
{
    Attrs a = attrs_default();
    if (v->op != OP_cast || v->attr.to != DT_f32 || v->args[0]->op != OP_eq)
        return NULL;
    Value *x = v->args[0]->args[0], *classes = v->args[0]->args[1];
    int axis = counting_axis(classes), rank = v->type.shape.rank;
    if (axis < 0 || classes->type.shape.rank != rank || x->op != OP_reshape ||
        x->type.shape.rank != rank || x->type.shape.dim[axis] != 1)
        return NULL;
    Shape less = {.rank = rank - 1};
    for (int d = 0; d < rank - 1; d++)
        less.dim[d] = x->type.shape.dim[d + (d >= axis)];
    a.axis = axis;
    a.depth = v->type.shape.dim[axis];
    x = rule_reshaped(graph, v, x, less);
    return rule_add(graph, v, OP_one_hot, &a, 1, &x);
}

/* ---- the walk --------------------------------------------------------------------- */

static OnnxRule *const rules[] = {
    rule_transposes, rule_reshapes, rule_silu, rule_gelu, rule_hard_swish, rule_rsqrt, rule_ne, rule_one_hot,
    rule_softmax, rule_layer_norm, rule_layer_norm_affine, rule_group_norm,
    rule_group_norm_affine, rule_batch_norm, rule_matmul_transposed, rule_linear,
    rule_linear_bias, rule_attention};

static Value *recognised(Graph *graph, Value *v)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        Value *by = rules[i](graph, v);
        if (by)
            return by;
    }
    return NULL;
}

/* In order: what a rule matches has been recognised before. */
void onnx_recognise(Graph *graph)
{
    for (Value *v = graph->first, *next; v; v = next) {
        next = v->next;
        for (Value *by; op_info[v->op].class != CLASS_source && (by = recognised(graph, v)); v = by)
            graph_replace(graph, v, by);
    }
}
