/* Building and changing graphs. */
#include "ir/graph.h"
#include <string.h>

Graph *graph_new(Arena *arena, const char *name)
{
    Graph *graph = NEW(arena, Graph, 1);
    graph->arena = arena;
    graph->name = name;
    graph->options.max_threads = 1;
    return graph;
}

/* ---- attributes, shapes, tensors --------------------------------------- */

Attrs attrs_default(void)
{
    Attrs attrs = {0};
#define DEFAULT_name(id, value) attrs.id = value;
#define DEFAULT_int(id, value) attrs.id = value;
#define DEFAULT_real(id, value) attrs.id = (double)value;
#define DEFAULT_bool(id, value) attrs.id = value;
#define DEFAULT_mode(id, value) attrs.id = value;
#define DEFAULT_dtype(id, value) attrs.id = value;
#define DEFAULT_ints(id, value)        \
    for (int i = 0; i < MAX_INTS; i++) \
        attrs.id.at[i] = value;
#define ATTR(id, kind, value, text) DEFAULT_##kind(id, value)
#include "ir/attrs.def"
    return attrs;
}

int64_t shape_count(const Shape *shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape->rank; i++)
        n *= shape->dim[i];
    return n;
}

bool shape_equal(const Shape *a, const Shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

Shape shape_of(int rank, const int64_t *dims)
{
    Shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dim[i] = dims[i];
    return shape;
}

Shape shape_joined(const Shape *a, const Shape *b)
{
    Shape joined = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int d = 0; d < joined.rank; d++) {
        int ia = d - (joined.rank - a->rank), ib = d - (joined.rank - b->rank);
        int64_t da = ia >= 0 ? a->dim[ia] : 1;
        joined.dim[d] = da == 1 && ib >= 0 ? b->dim[ib] : da;
    }
    return joined;
}

void text_shape(Text *text, const Shape *shape)
{
    text_add(text, "[");
    for (int i = 0; i < shape->rank; i++)
        text_printf(text, "%s%lld", i ? "," : "", (long long)shape->dim[i]);
    text_add(text, "]");
}

void text_type(Text *text, const Type *type)
{
    text_add(text, dtype_info[type->dtype].name);
    text_shape(text, &type->shape);
}

int64_t type_bytes(const Type *type)
{
    return shape_count(&type->shape) * dtype_info[type->dtype].bytes;
}

Tensor *tensor_new(Arena *arena, Type type)
{
    Tensor *tensor = NEW(arena, Tensor, 1);
    tensor->type = type;
    tensor->data = arena_alloc(arena, (size_t)type_bytes(&type));
    return tensor;
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float float_of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, mantissa = half & 0x3ff;
    int exponent = (half >> 10) & 31;
    if (exponent == 31)
        return float_of_bits(sign | 0x7f800000 | mantissa << 13);
    if (exponent == 0) {
        float tiny = (float)mantissa * 0x1p-24f;
        return sign ? -tiny : tiny;
    }
    return float_of_bits(sign | (uint32_t)(exponent + 112) << 23 |
                         mantissa << 13);
}

double tensor_get(const Tensor *tensor, int64_t index)
{
    const void *data = tensor->data;
    switch (tensor->type.dtype) {
    case DT_f32: return ((const float *)data)[index];
    case DT_f16: return float_of_half(((const uint16_t *)data)[index]);
    case DT_bf16:
        return float_of_bits((uint32_t)((const uint16_t *)data)[index] << 16);
    case DT_i32: return ((const int32_t *)data)[index];
    case DT_u8:
    case DT_bool: return ((const uint8_t *)data)[index];
    case DTYPE_COUNT: break;
    }
    bug("tensor_get: no such type");
}

/* What a type cannot hold becomes its nearest number, NaN 0. */
static double within(double x, double low, double high)
{
    return isnan(x) ? 0 : x < low ? low : x > high ? high : x;
}

void tensor_set(Tensor *tensor, int64_t index, double value)
{
    void *data = tensor->data;
    switch (tensor->type.dtype) {
    case DT_f32: ((float *)data)[index] = (float)value; return;
    case DT_i32:
        ((int32_t *)data)[index] = (int32_t)within(value, INT32_MIN, INT32_MAX);
        return;
    case DT_u8:
    case DT_bool: ((uint8_t *)data)[index] = (uint8_t)within(value, 0, UINT8_MAX); return;
    case DT_f16:
    case DT_bf16:
    case DTYPE_COUNT: break;
    }
    bug("tensor_set: a storage-only type");
}

Layout layout_rows(int rank)
{
    Layout layout = {.kind = LAYOUT_rows};
    for (int i = 0; i < rank; i++)
        layout.order[i] = (signed char)i;
    return layout;
}

/* ---- linking ----------------------------------------------------------- */

static void link_before(Graph *graph, Value *value, Value *at)
{
    value->next = at;
    value->prev = at ? at->prev : graph->last;
    *(value->prev ? &value->prev->next : &graph->first) = value;
    *(at ? &at->prev : &graph->last) = value;
}

static void unlink_value(Graph *graph, Value *value)
{
    *(value->prev ? &value->prev->next : &graph->first) = value->next;
    *(value->next ? &value->next->prev : &graph->last) = value->prev;
    value->prev = value->next = NULL;
}

static Value *value_new(Graph *graph, Value *at, const Value *proto, Type type,
                        int nargs, Value *const *args)
{
    Value *value = NEW(graph->arena, Value, 1);
    *value = *proto;
    value->id = graph->next_id++;
    value->type = type;
    value->nargs = nargs;
    value->args = NEW(graph->arena, Value *, nargs ? nargs : 1);
    for (int i = 0; i < nargs; i++)
        value->args[i] = args[i];
    value->group = -1;
    value->layout = layout_rows(type.shape.rank);
    value->place = (Place){0};
    value->view = NULL;
    link_before(graph, value, at);
    return value;
}

Value *graph_insert(Graph *graph, Value *at, const Value *proto, int nargs,
                    Value *const *args, Text *why)
{
    Text ours = text_new(graph->arena);
    Type type;
    if (!infer_type(proto->op, &proto->attr, nargs, args, &type,
                    why ? why : &ours)) {
        if (!why)
            bug("graph_insert: %s", text_str(&ours));
        return NULL;
    }
    return value_new(graph, at, proto, type, nargs, args);
}

static Value proto_like(const Value *like, Op op, const Attrs *attrs)
{
    Value proto = {.op = op, .stage = -1};
    proto.attr = attrs ? *attrs : attrs_default();
    if (like) {
        proto.span = like->span;
        proto.site = like->site;
        proto.stage = like->stage;
        proto.label = like->label;
    }
    return proto;
}

Value *graph_add(Graph *graph, Value *at, const Value *like, Op op,
                 const Attrs *attrs, int nargs, Value *const *args)
{
    Value proto = proto_like(like, op, attrs);
    return graph_insert(graph, at, &proto, nargs, args, NULL);
}

Value *graph_constant(Graph *graph, Value *at, const Value *like, Tensor *data)
{
    Value proto = proto_like(like, OP_constant, NULL);
    proto.data = data->data ? data : NULL;
    return value_new(graph, at, &proto, data->type, 0, NULL);
}

Value *graph_source(Graph *graph, Op op, const char *name, Type type, Span span)
{
    Value proto = proto_like(NULL, op, NULL);
    proto.attr.name = name;
    proto.name = graph_fresh_name(graph, name);
    proto.span = span;
    return value_new(graph, NULL, &proto, type, 0, NULL);
}

static bool name_is_taken(const Graph *graph, const char *name)
{
    FOR_VALUES(v, graph)
    if (v->name && strcmp(v->name, name) == 0)
        return true;
    return false;
}

const char *graph_fresh_name(Graph *graph, const char *wish)
{
    const char *name = wish;
    for (int i = 1; name_is_taken(graph, name); i++)
        name = arena_printf(graph->arena, "%s.%d", wish, i);
    return name;
}

/* ---- changing ---------------------------------------------------------- */

void value_set_arg(Value *value, int index, Value *arg)
{
    value->args[index] = arg;
}

void graph_replace(Graph *graph, Value *old, Value *by)
{
    FOR_VALUES(v, graph)
    for (int i = 0; i < v->nargs; i++)
        if (v->args[i] == old && v != by)
            value_set_arg(v, i, by);
    for (int i = 0; i < graph->outputs.n; i++)
        if (graph->outputs.at[i].value == old)
            graph->outputs.at[i].value = by;
}

void graph_remove(Graph *graph, Value *value)
{
    unlink_value(graph, value);
}

void graph_move_before(Graph *graph, Value *value, Value *at)
{
    if (value == at)
        return;
    unlink_value(graph, value);
    link_before(graph, value, at);
}

void graph_count_uses(Graph *graph)
{
    FOR_VALUES(v, graph)
    v->uses = 0;
    FOR_VALUES(v, graph)
    for (int i = 0; i < v->nargs; i++)
        v->args[i]->uses++;
    for (int i = 0; i < graph->outputs.n; i++)
        graph->outputs.at[i].value->uses++;
}

bool graph_is_output(const Graph *graph, const Value *value)
{
    for (int i = 0; i < graph->outputs.n; i++)
        if (graph->outputs.at[i].value == value)
            return true;
    return false;
}

int graph_input_count(const Graph *graph)
{
    int n = 0;
    FOR_VALUES(v, graph)
    n += v->op == OP_input;
    return n;
}

const Value **graph_inputs(const Graph *graph, Arena *arena)
{
    const Value **inputs = NEW(arena, const Value *, graph_input_count(graph) + 1);
    int n = 0;
    FOR_VALUES(v, graph)
        if (v->op == OP_input)
            inputs[n++] = v;
    return inputs;
}

/* ---- shuffle: a random topological order ------------------------------- */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

typedef VEC(Value *) Values;

/* Inputs keep their order: it is the signature. */
static bool is_ready(const Value *v, const Value *next_input)
{
    if (v->op == OP_input)
        return v == next_input;
    for (int i = 0; i < v->nargs; i++)
        if (v->args[i]->mark != 0)
            return false;
    return true;
}

static Value *first_input(const Values *waiting)
{
    for (int i = 0; i < waiting->n; i++)
        if (waiting->at[i]->op == OP_input)
            return waiting->at[i];
    return NULL;
}

/* The first ready one from a random start among the first few, so that time
 * stays linear where it can; the very first is always ready. */
static Value *take_ready(Values *waiting, uint64_t random, const Value *input)
{
    enum { WINDOW = 64 };
    int width = waiting->n < WINDOW ? waiting->n : WINDOW;
    int k = (int)(random % (uint64_t)width);
    while (!is_ready(waiting->at[k], input))
        k = (k + 1) % width;
    Value *v = waiting->at[k];
    memmove(&waiting->at[k], &waiting->at[k + 1],
            sizeof v * (size_t)(waiting->n - k - 1));
    waiting->n--;
    return v;
}

void graph_shuffle(Graph *graph, uint64_t seed)
{
    uint64_t state = seed * 2654435761u + 88172645463325252u;
    Values waiting = {0};
    FOR_VALUES(v, graph)
    {
        v->mark = 1;
        VEC_PUSH(graph->arena, waiting, v);
    }
    graph->first = graph->last = NULL;
    Value *input = first_input(&waiting);
    while (waiting.n) {
        Value *v = take_ready(&waiting, next_random(&state), input);
        v->mark = 0;
        link_before(graph, v, NULL);
        if (v == input)
            input = first_input(&waiting);
    }
}

/* ---- copy -------------------------------------------------------------- */

static Value *copy_value(Arena *arena, const Value *v, Value **by_id)
{
    Value *copy = NEW(arena, Value, 1);
    *copy = *v;
    copy->args = NEW(arena, Value *, v->nargs ? v->nargs : 1);
    for (int i = 0; i < v->nargs; i++)
        copy->args[i] = by_id[v->args[i]->id];
    copy->view = v->view ? by_id[v->view->id] : NULL;
    return by_id[v->id] = copy;
}

static Group copy_group(Arena *arena, const Group *group, Value **by_id)
{
    Group copy = {.anchor = by_id[group->anchor->id]};
    for (int i = 0; i < group->members.n; i++)
        VEC_PUSH(arena, copy.members, by_id[group->members.at[i]->id]);
    return copy;
}

/* An array of its own for `to`, so that growing one leaves the other alone. */
#define VEC_COPY(arena, to, from)                                   \
    ((to).at = arena_grow((arena), (from).at, (size_t)(from).n,     \
                          (size_t)(from).n + 1, sizeof *(from).at), \
     (to).n = (from).n, (to).cap = (from).n + 1)

Graph *graph_copy(Arena *arena, const Graph *graph, Value ***map)
{
    Graph *copy = NEW(arena, Graph, 1);
    *copy = *graph;
    copy->arena = arena;
    copy->first = copy->last = NULL;
    Value **by_id = NEW(arena, Value *, graph->next_id + 1);
    FOR_VALUES(v, graph)
    link_before(copy, copy_value(arena, v, by_id), NULL);
    VEC_COPY(arena, copy->outputs, graph->outputs);
    for (int i = 0; i < copy->outputs.n; i++)
        copy->outputs.at[i].value = by_id[graph->outputs.at[i].value->id];
    VEC_COPY(arena, copy->groups, graph->groups);
    for (int i = 0; i < graph->groups.n; i++)
        copy->groups.at[i] = copy_group(arena, &graph->groups.at[i], by_id);
    VEC_COPY(arena, copy->preprocess, graph->preprocess);
    for (int i = 0; i < copy->preprocess.n; i++)
        copy->preprocess.at[i].input = by_id[graph->preprocess.at[i].input->id];
    VEC_COPY(arena, copy->stages, graph->stages);
    if (map)
        *map = by_id;
    return copy;
}
