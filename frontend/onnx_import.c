/* The walk over an ONNX graph: inputs, initialisers, nodes, outputs; every reason
 * why a file cannot be read is told in one run. */
#include "frontend/onnx_import.h"
#include "frontend/onnx_patterns.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Note [What a file may cost] */
enum { ALLOWANCE = 512 << 20, COPIES = 64 };

/* ---- errors, names ---------------------------------------------------------- */

static const char *text_or(const char *text, const char *otherwise)
{
    return text && *text ? text : otherwise;
}

/* %names are words of the graph's text. */
static const char *word_of(Arena *arena, const char *name)
{
    char *word = arena_strdup(arena, text_or(name, "value"));
    for (char *at = word; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '_' && *at != '.')
            *at = '_';
    return isdigit((unsigned char)*word) || *word == '.' ? arena_printf(arena, "v%s", word)
                                                          : word;
}

OnnxSlot *onnx_slot(const Importer *in, const char *name)
{
    return strmap_get(&in->slots, name);
}

void onnx_slot_set(Importer *in, const char *name, OnnxSlot slot)
{
    OnnxSlot *held = NEW(in->arena, OnnxSlot, 1);
    *held = slot;
    *strmap_slot(&in->slots, name) = held;
}

static Value *source_new(Importer *in, Op op, const char *name, Type type)
{
    Value *v = graph_source(in->graph, op, name, type, (Span){0});
    v->name = NULL; /* else the name is taken by itself */
    v->name = graph_fresh_name(in->graph, word_of(in->arena, name));
    return v;
}

/* ---- inputs and initialisers ---------------------------------------------------- */

static const OnnxKnown *known_input(const OnnxOptions *options, const char *name)
{
    for (int i = 0; i < options->known.n; i++)
        if (strcmp(options->known.at[i].name, name) == 0)
            return &options->known.at[i];
    return NULL;
}

static OnnxDim *dim_find(const OnnxOptions *options, const char *name)
{
    for (int i = 0; i < options->dims.n; i++)
        if (strcmp(options->dims.at[i].name, name) == 0)
            return &options->dims.at[i];
    return NULL;
}

/* A batch that is not pinned is 1; any other free dimension is an error. */
static int64_t free_dimension(Importer *in, const char *input, const char *name, int axis)
{
    const char *label = text_or(name, arena_printf(in->arena, "%s:%d", input, axis));
    OnnxDim *dim = dim_find(in->options, label);
    text_printf(&in->free_dims, "%s%s", in->free_dims.n ? ", " : "", label);
    if (dim) {
        dim->used = true;
        return dim->value;
    }
    if (axis == 0)
        return 1;
    diag_error(in->diag, (Span){0}, "input '%s' leaves dimension %d free: say --dim %s=NUMBER",
               input, axis, label);
    return 1;
}

static int64_t dimension_of(Importer *in, const char *input,
                            const Onnx__TensorShapeProto__Dimension *d, int axis)
{
    if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value > 0)
        return d->dim_value;
    bool named = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    return free_dimension(in, input, named ? d->dim_param : NULL, axis);
}

/* Every --dim must have named a free dimension. */
static void dims_check(Importer *in)
{
    const char *all = in->free_dims.n ? text_str(&in->free_dims) : "none";
    for (int i = 0; i < in->options->dims.n; i++)
        if (!in->options->dims.at[i].used)
            diag_error(in->diag, (Span){0}, "--dim %s: no input has a free dimension of that name "
                                            "(free: %.200s)", in->options->dims.at[i].name, all);
}

static bool input_type(Importer *in, const Onnx__ValueInfoProto *info, Type *type)
{
    const Onnx__TypeProto *t = info->type;
    const char *name = text_or(info->name, "");
    if (!t || t->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ||
        !onnx_dtype(t->tensor_type->elem_type, &type->dtype)) {
        diag_error(in->diag, (Span){0}, "input '%s' is not a tensor of numbers", name);
        return false;
    }
    const Onnx__TensorShapeProto *shape = t->tensor_type->shape;
    if (!shape || shape->n_dim > MAX_RANK) {
        diag_error(in->diag, (Span){0}, "input '%s' has %s", name,
                   shape ? "too many dimensions" : "no shape");
        return false;
    }
    double count = 1;
    type->shape.rank = (int)shape->n_dim;
    for (int d = 0; d < type->shape.rank; d++) {
        type->shape.dim[d] = dimension_of(in, name, shape->dim[d], d);
        count *= (double)type->shape.dim[d];
    }
    if (count <= INT32_MAX)
        return true;
    diag_error(in->diag, (Span){0}, "input '%s' has more than 2^31 - 1 elements", name);
    return false;
}

static void input_add(Importer *in, const Onnx__ValueInfoProto *info)
{
    const char *name = text_or(info->name, "");
    const OnnxKnown *known = known_input(in->options, name);
    Type type = {DT_f32, {0}};
    const OnnxSlot *held = onnx_slot(in, name);
    if (held && held->value && held->value->op == OP_input)
        diag_error(in->diag, (Span){0}, "two inputs are called '%s'", name);
    if (held)
        return; /* old files list initialisers among the inputs */
    VEC_PUSH(in->arena, in->options->inputs, name);
    OnnxSlot slot = {NULL, known && known->empty};
    if (known && known->tensor)
        slot.value = onnx_constant(in, known->tensor);
    else if (!known && input_type(in, info, &type))
        slot.value = source_new(in, OP_input, name, type);
    onnx_slot_set(in, name, slot);
}

/* Real tensors are weights, numbers that steer are constants. */
static Value *tensor_value(Importer *in, const char *name, Tensor *t)
{
    if (t->type.dtype != DT_f32 || t->type.shape.rank == 0) {
        Value *constant = onnx_constant(in, t);
        constant->name = graph_fresh_name(in->graph, word_of(in->arena, name));
        return constant;
    }
    Value *v = source_new(in, OP_weight, name, t->type);
    v->data = t;
    return v;
}

static void initializer_add(Importer *in, const Onnx__TensorProto *t)
{
    bool empty = false;
    const char *name = text_or(t->name, "");
    if (arena_used(in->arena) > in->memory_most) { /* the same bytes again and again */
        diag_error(in->diag, (Span){0}, "initialisers take more memory than their files have");
        return;
    }
    if (onnx_slot(in, name))
        diag_error(in->diag, (Span){0}, "two initialisers are called '%s'", name);
    Tensor *data = onnx_tensor(in->arena, in->diag, in->dir, t, &empty);
    onnx_slot_set(in, name, (OnnxSlot){data ? tensor_value(in, name, data) : NULL, empty});
}

/* ---- Constant ---------------------------------------------------------------------- */

/* A number, or a list of them; NULL: it is empty. */
static Tensor *numbers_tensor(Importer *in, const Onnx__AttributeProto *a, bool real, bool one)
{
    int64_t n = one ? 1 : (int64_t)(real ? a->n_floats : a->n_ints);
    if (n == 0)
        return NULL;
    Tensor *t = onnx_tensor_new(in, (Type){real ? DT_f32 : DT_i32, shape_of(!one, &n)});
    if (one)
        tensor_set(t, 0, real ? (double)a->f : (double)a->i);
    for (int64_t i = 0; !one && i < n; i++)
        tensor_set(t, i, real ? (double)a->floats[i] : (double)a->ints[i]);
    return t;
}

void onnx_build_constant(Importer *in)
{
    static const struct {
        const char *name;
        bool real, one;
    } kinds[] = {{"value_float", true, true}, {"value_floats", true, false},
                 {"value_int", false, true}, {"value_ints", false, false}};
    const Onnx__AttributeProto *a = onnx_attr(in, "value");
    bool empty = false;
    int raised = in->diag->raised;
    Tensor *t = a ? onnx_tensor(in->arena, in->diag, in->dir, a->t, &empty) : NULL;
    for (int i = 0; i < 4 && !a; i++) {
        a = onnx_attr(in, kinds[i].name);
        t = a ? numbers_tensor(in, a, kinds[i].real, kinds[i].one) : NULL;
    }
    if (!a)
        onnx_fail(in, "only tensors and numbers can be constants");
    if (in->diag->raised > raised)
        longjmp(in->failed, 1);
    if (!t)
        onnx_result_empty(in, 0);
    else if (shape_count(&t->type.shape) > PRINTED_ELEMENTS)
        onnx_result(in, 0, tensor_value(in, in->node->output[0], t));
    else
        onnx_result(in, 0, onnx_constant(in, t));
}

/* ---- nodes ------------------------------------------------------------------------- */

/* false: an input is missing; said, or the trace of an error told before. */
static bool inputs_present(Importer *in)
{
    for (size_t i = 0; i < in->node->n_input; i++) {
        const char *name = in->node->input[i];
        const OnnxSlot *slot = onnx_slot(in, name);
        if (*name && !slot)
            diag_error(in->diag, (Span){0}, "%s reads '%s', which nothing before it makes",
                       in->node->op_type, name);
        if (*name && (!slot || (!slot->value && !slot->empty)))
            return false;
    }
    return true;
}

/* NULL: not one of those that are read, or of another domain */
static const OnnxOperator *operator_of(const Onnx__NodeProto *node)
{
    bool ours = strcmp(text_or(node->domain, "ai.onnx"), "ai.onnx") == 0;
    return ours ? onnx_operator_find(text_or(node->op_type, "")) : NULL;
}

/* Here alone errors of builders return to. */
static void builder_run(Importer *in, OnnxBuilder *build)
{
    if (setjmp(in->failed))
        return;
    build(in);
    onnx_node_end(in);
}

/* Its results have no value until its builder makes them. */
static void outputs_name(Importer *in)
{
    for (size_t i = 0; i < in->node->n_output; i++) {
        const char *name = in->node->output[i];
        if (*name && onnx_slot(in, name))
            diag_error(in->diag, (Span){0}, "%s makes '%s', which there is already",
                       text_or(in->node->op_type, "?"), name);
        if (*name)
            onnx_slot_set(in, name, (OnnxSlot){NULL, false});
    }
}

static void node_build(Importer *in, const Onnx__NodeProto *node)
{
    const OnnxOperator *row = operator_of(node);
    onnx_node_begin(in, node);
    bool present = row && inputs_present(in), acceptable = row && onnx_node_acceptable(in);
    outputs_name(in);
    if (present && acceptable)
        builder_run(in, row->build);
}

/* ---- what is not supported, all at once ----------------------------------------------- */

/* The version of the node's own set of operators. */
static int64_t opset_of(const Importer *in, const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < in->model->n_opset_import; i++)
        if (strcmp(text_or(in->model->opset_import[i]->domain, "ai.onnx"),
                   text_or(node->domain, "ai.onnx")) == 0)
            return in->model->opset_import[i]->version;
    return in->opset;
}

typedef struct Unsupported {
    const Onnx__NodeProto *node; /* the first of its operator */
    int count;
    Text names;
} Unsupported;
enum { LISTED_NODES = 8 };

static Unsupported *unsupported_of(Importer *in, StrMap *by_operator, const Onnx__NodeProto *node)
{
    const char *key = arena_printf(in->arena, "%s.%s", text_or(node->domain, ""),
                                   text_or(node->op_type, "?"));
    void **slot = strmap_slot(by_operator, key);
    if (!*slot) {
        Unsupported *made = NEW(in->arena, Unsupported, 1);
        *made = (Unsupported){node, 0, text_new(in->arena)};
        *slot = made;
    }
    return *slot;
}

static void unsupported_report(Importer *in, Unsupported *u)
{
    const char *domain = text_or(u->node->domain, "");
    diag_error(in->diag, (Span){0},
               "operator %s%s%s (opset %lld) is not supported: %d node%s, %s%s", domain,
               *domain ? "." : "", text_or(u->node->op_type, "?"),
               (long long)opset_of(in, u->node), u->count, u->count > 1 ? "s" : "",
               text_str(&u->names), u->count > LISTED_NODES ? ", ..." : "");
}

static void unsupported_list(Importer *in, const Onnx__GraphProto *g)
{
    StrMap by_operator = {.arena = in->arena};
    VEC(Unsupported *) found = {0};
    for (size_t i = 0; i < g->n_node; i++) {
        const Onnx__NodeProto *node = g->node[i];
        if (operator_of(node))
            continue;
        Unsupported *u = unsupported_of(in, &by_operator, node);
        const char *first = node->n_output ? node->output[0] : "?";
        if (u->count++ == 0)
            VEC_PUSH(in->arena, found, u);
        if (u->count <= LISTED_NODES)
            text_printf(&u->names, "%s'%s'", u->count > 1 ? ", " : "",
                        text_or(node->name, first));
    }
    for (int i = 0; i < found.n; i++)
        unsupported_report(in, found.at[i]);
}

/* ---- the model -------------------------------------------------------------------------- */

static bool strings_present(const Onnx__GraphProto *g)
{
    for (size_t i = 0; i < g->n_node; i++) {
        for (size_t k = 0; k < g->node[i]->n_input; k++)
            if (!g->node[i]->input[k])
                return false;
        for (size_t k = 0; k < g->node[i]->n_output; k++)
            if (!g->node[i]->output[k])
                return false;
    }
    return true;
}

static void opset_read(Importer *in, const Onnx__ModelProto *model)
{
    for (size_t i = 0; i < model->n_opset_import; i++)
        if (strcmp(text_or(model->opset_import[i]->domain, "ai.onnx"), "ai.onnx") == 0)
            in->opset = model->opset_import[i]->version;
    if (in->opset < ONNX_OPSET_OLDEST)
        diag_warning(in->diag, (Span){0}, "opset %lld is older than %d: read as that",
                     (long long)in->opset, ONNX_OPSET_OLDEST);
    if (in->opset > ONNX_OPSET_NEWEST)
        diag_warning(in->diag, (Span){0}, "opset %lld is newer than %d, the newest tested",
                     (long long)in->opset, ONNX_OPSET_NEWEST);
}

/* Is the type that a file gives an output (the free dimensions left out) another one than
 * its nodes make? `said`: as it stands there. */
static bool contradicts(const Onnx__ValueInfoProto *info, const Type *made, Text *said)
{
    const Onnx__TypeProto__Tensor *t =
        info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE
            ? info->type->tensor_type
            : NULL;
    DType dtype;
    if (!t || !onnx_dtype(t->elem_type, &dtype))
        return info->type && info->type->value_case != ONNX__TYPE_PROTO__VALUE__NOT_SET;
    bool other = dtype != made->dtype;
    text_printf(said, "%s", dtype_info[dtype].name);
    if (!t->shape)
        return other;
    other = other || t->shape->n_dim != (size_t)made->shape.rank;
    for (size_t d = 0; d < t->shape->n_dim && d < MAX_RANK; d++) {
        const Onnx__TensorShapeProto__Dimension *dim = t->shape->dim[d];
        bool fixed =
            dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
            dim->dim_value > 0;
        other = other || (fixed && dim->dim_value != made->shape.dim[d]);
        text_printf(said, d ? "," : "[");
        if (fixed)
            text_printf(said, "%lld", (long long)dim->dim_value);
        else
            text_printf(said, "?");
    }
    text_printf(said, t->shape->n_dim ? "]" : "[]");
    return other;
}

/* An exporter's slip, or a network that was cut: what is computed counts. */
static void output_type_check(Importer *in, const Onnx__ValueInfoProto *info, const Value *v)
{
    Text said = text_new(in->arena), made = text_new(in->arena);
    if (!contradicts(info, &v->type, &said))
        return;
    text_type(&made, &v->type);
    diag_warning(in->diag, (Span){0},
                 "output '%s' is said to be %s, but its nodes make %s: that is taken",
                 text_or(info->name, ""), said.n ? text_str(&said) : "no tensor of numbers",
                 text_str(&made));
}

static void output_add(Importer *in, const Onnx__ValueInfoProto *info)
{
    const char *name = text_or(info->name, "");
    const OnnxSlot *slot = onnx_slot(in, name);
    if (!slot)
        diag_error(in->diag, (Span){0}, "nothing makes the output '%s'", name);
    else if (slot->empty)
        diag_error(in->diag, (Span){0}, "output '%s' has no elements", name);
    else if (slot->value) {
        output_type_check(in, info, slot->value);
        VEC_PUSH(in->arena, in->graph->outputs, (Output){.name = name, .value = slot->value});
    }
}

/* The output of that name among the first n; n: there is none. */
static int output_find(const Graph *graph, int n, const char *name)
{
    int i = 0;
    while (i < n && strcmp(graph->outputs.at[i].name, name) != 0)
        i++;
    return i;
}

/* Constants are left out: they are what they are in both. */
static void node_outputs_add(Importer *in, const Onnx__GraphProto *g)
{
    int of_file = in->graph->outputs.n;
    in->options->file_outputs = of_file;
    for (size_t i = 0; i < g->n_node; i++)
        for (size_t k = 0; k < g->node[i]->n_output; k++) {
            const char *name = g->node[i]->output[k];
            const OnnxSlot *slot = *name ? onnx_slot(in, name) : NULL;
            if (!slot || !slot->value || op_info[slot->value->op].class == CLASS_source)
                continue;
            int at = output_find(in->graph, of_file, name);
            if (at == of_file) {
                at = in->graph->outputs.n;
                VEC_PUSH(in->arena, in->graph->outputs,
                         (Output){.name = name, .value = slot->value});
            }
            OnnxMade made = {arena_printf(in->arena, "%s '%s'", g->node[i]->op_type,
                                          text_or(g->node[i]->name, name)), at};
            VEC_PUSH(in->arena, in->options->nodes, made);
        }
}

static void unused_remove(Graph *graph)
{
    graph_count_uses(graph);
    for (Value *v = graph->last, *before; v; v = before) {
        before = v->prev;
        if (v->uses || v->op == OP_input)
            continue;
        for (int i = 0; i < v->nargs; i++)
            v->args[i]->uses--;
        graph_remove(graph, v);
    }
}

/* What lies in other files counts like the file itself, each once. */
static void external_count(Importer *in, const Onnx__GraphProto *g)
{
    StrMap seen = {.arena = in->arena};
    for (size_t i = 0; i < g->n_initializer; i++) {
        const char *path = onnx_external_path(g->initializer[i]);
        if (!path || strmap_get(&seen, path))
            continue;
        *strmap_slot(&seen, path) = in;
        in->memory_most += COPIES * onnx_external_size(in->arena, in->dir, path);
    }
}

static void graph_read(Importer *in, const Onnx__GraphProto *g)
{
    external_count(in, g);
    for (size_t i = 0; i < g->n_initializer; i++)
        if (in->diag->errors < ONNX_MOST_ERRORS)
            initializer_add(in, g->initializer[i]);
    int raised = in->diag->raised;
    for (size_t i = 0; i < g->n_input; i++)
        input_add(in, g->input[i]);
    dims_check(in);
    bool inputs_known = in->diag->raised == raised; /* else nodes would complain of guesses */
    unsupported_list(in, g);
    for (size_t i = 0; i < g->n_node && inputs_known; i++)
        if (in->diag->errors < ONNX_MOST_ERRORS)
            node_build(in, g->node[i]);
    if (!in->diag->errors)
        for (size_t i = 0; i < g->n_output; i++)
            output_add(in, g->output[i]);
    if (!in->diag->errors && in->graph->outputs.n == 0)
        diag_error(in->diag, (Span){0}, "this ONNX file has no outputs");
    if (!in->diag->errors && in->options->every_node)
        node_outputs_add(in, g);
}

/* What stands beside the graph and would change it, or was meant for something else. */
static void surroundings_check(Importer *in)
{
    if (in->model->graph->n_sparse_initializer || in->model->n_functions)
        diag_error(in->diag, (Span){0}, "sparse initialisers and local functions are not supported");
    if (in->model->n_training_info)
        diag_warning(in->diag, (Span){0}, "what it says of training is left out");
    if (in->model->graph->n_quantization_annotation)
        diag_warning(in->diag, (Span){0}, "its notes on quantisation are left out: all is f32");
}

Graph *onnx_parse(Arena *arena, Diag *diag, const char *dir, const void *data, size_t n,
                  OnnxOptions *options)
{
    OnnxOptions none = {0};
    int raised = diag->raised;
    const Onnx__ModelProto *model = onnx_unpack(arena, diag, data, n);
    if (!model)
        return NULL;
    if (!strings_present(model->graph)) {
        diag_error(diag, (Span){0}, "a node of this ONNX file has a name that is missing");
        return NULL;
    }
    Importer in = {.arena = arena, .diag = diag, .dir = dir, .opset = 1,
                   .options = options ? options : &none, .slots = {.arena = arena},
                   .free_dims = text_new(arena)};
    in.model = model;
    in.memory_most = arena_used(arena) + ALLOWANCE + COPIES * n;
    in.graph = graph_new(arena, word_of(arena, text_or(model->graph->name, "network")));
    opset_read(&in, model);
    surroundings_check(&in);
    graph_read(&in, model->graph);
    if (diag->raised > raised)
        return NULL;
    onnx_read_metadata(&in);
    onnx_recognise(in.graph);
    unused_remove(in.graph);
    return in.graph;
}

/* ---- the table ---------------------------------------------------------------------------- */

static const OnnxOperator operators[] = {
#define ONNX_OPERATOR(name, builder, doc) {#name, onnx_build_##builder, doc},
#include "frontend/onnx_operators.def"
};
enum { OPERATORS = sizeof operators / sizeof *operators };

const OnnxOperator *onnx_operator_find(const char *name)
{
    for (int i = 0; i < OPERATORS; i++)
        if (strcmp(operators[i].name, name) == 0)
            return &operators[i];
    return NULL;
}

bool onnx_is_operator(const char *name)
{
    return onnx_operator_find(name) != NULL;
}

void onnx_print_operators(Text *out)
{
    for (int i = 0; i < OPERATORS; i++) {
        text_printf(out, "%s\t", operators[i].name);
        onnx_print_versions(out, operators[i].name);
        text_printf(out, "\t%s\n", operators[i].doc);
    }
}
