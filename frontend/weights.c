/* Binding weights to a graph. */
#include "frontend/weights.h"
#include <math.h>
#include <string.h>

static const char *nearest(const Safetensors *file, const char *name)
{
    const char *best = NULL;
    int least = (int)strlen(name) / 2 + 1;
    for (int i = 0; i < file->tensors.n; i++) {
        int d = text_distance(file->tensors.at[i].name, name);
        if (d < least) {
            least = d;
            best = file->tensors.at[i].name;
        }
    }
    return best;
}

static void bind_one(Graph *graph, Diag *diag, const Safetensors *file, Value *v)
{
    const Tensor *t = safetensors_find(file, v->attr.name);
    if (!t) {
        const char *near_name = nearest(file, v->attr.name);
        Message *m = diag_error(diag, v->span, "weight '%s' is not in '%s'", v->attr.name,
                                file->path);
        if (near_name)
            diag_note(diag, m, (Span){0}, "the nearest name there is '%s'", near_name);
        return;
    }
    bool real = dtype_info[t->type.dtype].is_real;
    if (!shape_equal(&t->type.shape, &v->type.shape) || !real) {
        Text here = text_new(graph->arena), there = text_new(graph->arena);
        text_type(&here, &v->type);
        text_type(&there, &t->type);
        diag_error(diag, v->span, "weight '%s' is %s here and %s in '%s'", v->attr.name,
                   text_str(&here), text_str(&there), file->path);
        return;
    }
    v->data = NEW(graph->arena, Tensor, 1);
    *v->data = *t;
}

static bool is_needed(const Graph *graph, const char *name)
{
    FOR_VALUES(v, graph)
        if (v->op == OP_weight && strcmp(v->attr.name, name) == 0)
            return true;
    return false;
}

bool weights_bind(Graph *graph, Diag *diag, const char *path)
{
    int errors = diag->errors;
    Safetensors *file = safetensors_read(graph->arena, diag, path);
    if (!file)
        return false;
    FOR_VALUES(v, graph)
        if (v->op == OP_weight)
            bind_one(graph, diag, file, v);
    for (int i = 0; i < file->tensors.n; i++)
        if (!is_needed(graph, file->tensors.at[i].name))
            diag_warning(diag, (Span){0}, "'%s' has a tensor '%s' that no weight asks for",
                         path, file->tensors.at[i].name);
    return diag->errors == errors;
}

/* ---- random weights ---------------------------------------------------- */

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

/* Does this value reach a softmax through products, scales and views only? */
static bool feeds_softmax(const Value *v, int depth)
{
    for (const Value *u = v->next; u && depth < 8; u = u->next)
        for (int i = 0; i < u->nargs; i++) {
            if (u->args[i] != v)
                continue;
            OpClass c = op_info[u->op].class;
            bool carries = c == CLASS_view || (c == CLASS_product) || u->op == OP_mul ||
                           u->op == OP_div || u->op == OP_batch_norm;
            if (u->op == OP_softmax || (carries && feeds_softmax(u, depth + 1)))
                return true;
        }
    return false;
}

typedef struct Spread {
    double mean, deviation;
    bool even; /* uniform, else normal */
} Spread;

static Spread spread_of(const Value *weight, const Value *user, int port)
{
    const Shape *s = &weight->type.shape;
    if (user && (op_info[user->op].class == CLASS_norm)) {
        if (port == 1)
            return (Spread){1, 0.25, true};
        if (port == 4)
            return (Spread){1, 0.35, true};
        return (Spread){0, 0.2, false};
    }
    if (s->rank < 2)
        return (Spread){0, 0.1, false};
    double fan = (double)shape_count(s) / (double)s->dim[0];
    double gain = user && port == 1 && feeds_softmax(user, 0) ? 2.5 : 1.4142135623730951;
    return (Spread){0, gain / sqrt(fan), false};
}

static const Value *first_user(const Value *weight, int *port)
{
    for (const Value *u = weight->next; u; u = u->next)
        for (int i = 0; i < u->nargs; i++)
            if (u->args[i] == weight) {
                *port = i;
                return u;
            }
    *port = 0;
    return NULL;
}

void weights_init(Graph *graph, uint64_t seed)
{
    FOR_VALUES(v, graph) {
        if (v->op != OP_weight)
            continue;
        int port;
        const Value *user = first_user(v, &port);
        Spread spread = spread_of(v, user, port);
        uint64_t state = seed * 0x9E3779B97F4A7C15u;
        for (const char *c = v->attr.name; *c; c++)
            state = (state ^ (unsigned char)*c) * 0x100000001b3u;
        v->data = tensor_new(graph->arena, v->type);
        for (int64_t i = 0; i < shape_count(&v->type.shape); i++) {
            double x = spread.even ? uniform(&state) * 2 - 1 : normal(&state);
            tensor_set(v->data, i, spread.mean + spread.deviation * x);
        }
    }
}

bool weights_write(const Graph *graph, Diag *diag, const char *path)
{
    VEC(NamedTensor) tensors = {0};
    FOR_VALUES(v, graph)
        if (v->op == OP_weight)
            VEC_PUSH(graph->arena, tensors, (NamedTensor){v->attr.name, *v->data});
    return safetensors_write(graph->arena, diag, path, tensors.at, tensors.n);
}
