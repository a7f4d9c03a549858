/* Random weights that make every part of a network matter.
 *
 * Two steps. Elements are drawn by seed and name (SplitMix64). Then the network is
 * run once on random input and calibrated value by value: a convolution's or
 * product's weight is scaled by a power of two so that its result has a deviation
 * near 1 (near 2 before a softmax, so that attention is peaked but not one-hot);
 * batch norms take the statistics they see, disturbed. Scales and statistics are
 * rounded to a few bits so that the order of sums does not show. */
#include "frontend/weights.h"
#include <stdlib.h>
#include <string.h>

static uint64_t split_mix(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static double uniform(uint64_t *state)
{
    return (double)(split_mix(state) >> 11) * 0x1p-53;
}

/* Sum of four uniforms, near enough to normal; variance 1. */
static double normal(uint64_t *state)
{
    double sum = uniform(state) + uniform(state) + uniform(state) + uniform(state) - 2;
    return sum * 1.7320508075688772;
}

static uint64_t state_of(uint64_t seed, const char *name)
{
    uint64_t state = seed * 0x9E3779B97F4A7C15u;
    for (const char *c = name; *c; c++)
        state = (state ^ (unsigned char)*c) * 0x100000001b3u;
    return state;
}

/* ---- drawing ----------------------------------------------------------- */

typedef struct Spread {
    double mean, deviation;
} Spread;

/* `port`: which argument of its first reader the weight is. */
static Spread spread_of(const Value *weight, const Value *reader, int port)
{
    const Shape *s = &weight->type.shape;
    if (reader && op_info[reader->op].class == CLASS_norm)
        return port == 1 || port == 4 ? (Spread){1, 0.15} : (Spread){0, 0.2};
    if (s->rank < 2)
        return (Spread){0, 0.1};
    double fan = (double)shape_count(s) / (double)s->dim[0];
    return (Spread){0, 1 / sqrt(fan)};
}

static void draw(Graph *graph, uint64_t seed)
{
    int *port = NEW(graph->arena, int, graph->next_id + 1);
    const Value **reader = NEW(graph->arena, const Value *, graph->next_id + 1);
    for (const Value *v = graph->last; v; v = v->prev)
        for (int i = v->nargs - 1; i >= 0; i--) {
            reader[v->args[i]->id] = v;
            port[v->args[i]->id] = i;
        }
    FOR_VALUES(v, graph) {
        if (v->op != OP_weight)
            continue;
        Spread spread = spread_of(v, reader[v->id], port[v->id]);
        uint64_t state = state_of(seed, v->attr.name);
        v->data = tensor_new(graph->arena, v->type);
        for (int64_t i = 0; i < shape_count(&v->type.shape); i++)
            tensor_set(v->data, i, spread.mean + spread.deviation * normal(&state));
    }
}

/* ---- calibrating ------------------------------------------------------- */

/* Does this value reach a softmax through products, scales and views only? */
static bool feeds_softmax(const Value *v, int depth)
{
    for (const Value *u = v->next; u && depth < 8; u = u->next)
        for (int i = 0; i < u->nargs; i++) {
            if (u->args[i] != v)
                continue;
            OpClass c = op_info[u->op].class;
            bool carries = c == CLASS_view || c == CLASS_product || c == CLASS_dot ||
                           u->op == OP_mul || u->op == OP_div ||
                           u->op == OP_batch_norm;
            if (u->op == OP_softmax || (carries && feeds_softmax(u, depth + 1)))
                return true;
        }
    return false;
}

static double rounded(double x, double steps)
{
    int exponent;
    double mantissa = frexp(x, &exponent);
    return ldexp(floor(mantissa * steps + 0.5) / steps, exponent);
}

typedef struct Moments {
    double mean, deviation;
} Moments;

/* Of elements start, start + 1 .. start + run - 1, then again `step` further. */
static Moments moments(const float *x, int64_t start, int64_t run, int64_t step, int64_t n)
{
    double sum = 0, squares = 0, count = 0;
    for (int64_t at = start; at < n; at += step)
        for (int64_t i = at; i < at + run && i < n; i++) {
            sum += (double)x[i];
            squares += (double)x[i] * (double)x[i];
            count++;
        }
    double mean = sum / count, variance = squares / count - mean * mean;
    return (Moments){mean, sqrt(variance > 1e-12 ? variance : 1e-12)};
}

typedef struct Calibration {
    Graph *graph;
    uint64_t state;
    Result *result; /* by value id */
    int *uses;
    bool *done;     /* weights scaled already */
} Calibration;

static void evaluate(Calibration *c, Value *v)
{
    Result args[64], *out = &c->result[v->id];
    for (int i = 0; i < v->nargs; i++)
        args[i] = c->result[v->args[i]->id];
    value_eval(v, EVAL_quick, args, out);
}

static void scale_weight(Calibration *c, Value *v)
{
    Value *weight = v->args[1];
    int64_t n = shape_count(&v->type.shape);
    Moments m = moments(c->result[v->id].quick, 0, n, n, n);
    double wish = feeds_softmax(v, 0) ? 2 : 1;
    double factor = exp2(floor(log2(wish / m.deviation) + 0.5));
    if (factor == 1)
        return;
    for (int64_t i = 0; i < shape_count(&weight->type.shape); i++) {
        tensor_set(weight->data, i, tensor_get(weight->data, i) * factor);
        c->result[weight->id].quick[i] *= (float)factor;
    }
    evaluate(c, v);
}

static void set_statistics(Calibration *c, Value *v)
{
    const Shape *s = &v->type.shape;
    int64_t n = shape_count(s), inner = 1;
    for (int d = 2; d < s->rank; d++)
        inner *= s->dim[d];
    for (int64_t k = 0; k < s->dim[1]; k++) {
        Moments m = moments(c->result[v->args[0]->id].quick, k * inner, inner,
                            s->dim[1] * inner, n);
        double mean = rounded(m.mean, 16) + 0.1 * m.deviation * normal(&c->state);
        double variance = rounded(m.deviation * m.deviation, 16) *
                          (0.7 + 0.8 * uniform(&c->state));
        double set[2] = {mean, variance};
        for (int i = 0; i < 2; i++) {
            tensor_set(v->args[3 + i]->data, k, set[i]);
            c->result[v->args[3 + i]->id].quick[k] = (float)set[i];
        }
    }
    evaluate(c, v);
}

static void fill_source(Calibration *c, Value *v)
{
    Result *out = &c->result[v->id];
    for (int64_t i = 0; i < shape_count(&v->type.shape); i++) {
        double x = v->data ? tensor_get(v->data, i) : v->attr.value;
        if (v->op == OP_input)
            x = v->type.dtype == DT_f32 ? normal(&c->state) : floor(2 * uniform(&c->state));
        out->quick[i] = (float)x;
    }
}

static bool is_weight(const Value *v)
{
    return v->op == OP_weight;
}

static void calibrate_value(Calibration *c, Value *v)
{
    size_t n = (size_t)shape_count(&v->type.shape);
    c->result[v->id] = (Result){.type = v->type, .quick = malloc(n * sizeof(float) + 1)};
    if (!c->result[v->id].quick)
        bug("weights_init: out of memory");
    if (op_info[v->op].class == CLASS_source) {
        fill_source(c, v);
        return;
    }
    evaluate(c, v);
    if (op_info[v->op].class == CLASS_conv && is_weight(v->args[1]) &&
        !c->done[v->args[1]->id]) {
        c->done[v->args[1]->id] = true;
        scale_weight(c, v);
    }
    if (v->op == OP_batch_norm && is_weight(v->args[3]) && is_weight(v->args[4]))
        set_statistics(c, v);
    for (int i = 0; i < v->nargs; i++)
        if (--c->uses[v->args[i]->id] == 0) {
            free(c->result[v->args[i]->id].quick);
            c->result[v->args[i]->id].quick = NULL;
        }
}

void weights_init(Graph *graph, uint64_t seed)
{
    Arena *arena = arena_new();
    Calibration c = {.graph = graph, .state = state_of(seed, "calibration")};
    c.result = NEW(arena, Result, graph->next_id + 1);
    c.uses = NEW(arena, int, graph->next_id + 1);
    c.done = NEW(arena, bool, graph->next_id + 1);
    draw(graph, seed);
    FOR_VALUES(v, graph)
        for (int i = 0; i < v->nargs; i++)
            c.uses[v->args[i]->id]++;
    FOR_VALUES(v, graph)
        calibrate_value(&c, v);
    FOR_VALUES(v, graph)
        free(c.result[v->id].quick);
    arena_free(arena);
}
