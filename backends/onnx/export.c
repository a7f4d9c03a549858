/* The walk over a graph: its live values as nodes, sources as initializers at their
 * first use, inputs, outputs, and the file. */
#include "backends/onnx/writer.h"
#include "support/file.h"
#include <string.h>

enum { OPSET = 13, IR_VERSION = 8 };

static bool is_whole(const Value *v)
{
    switch ((int)v->op) {
    case OP_cast: return v->attr.to == v->args[0]->type.dtype;
    case OP_concat: return v->nargs == 1;
    case OP_reshape: case OP_broadcast: case OP_slice: case OP_pad: return true;
    case OP_transpose:
        for (int d = 0; d < v->attr.perm.n; d++)
            if (v->attr.perm.at[d] != d)
                return false;
        return true;
    }
    return false;
}

/* Does it give its argument as it is? */
static bool is_nothing(const Value *v)
{
    return v->nargs > 0 && is_whole(v) && shape_equal(&v->type.shape, &v->args[0]->type.shape);
}

/* ---- names -------------------------------------------------------------------- */

const char *writer_unique(Writer *w, StrMap *names, const char *wish)
{
    if ((unsigned char)*wish < ' ') /* a stranger's; helper constants begin so for a while */
        wish = arena_printf(w->arena, "_%s", wish);
    int *taken = strmap_get(names, wish);
    if (!taken) {
        *strmap_slot(names, wish) = NEW(w->arena, int, 1);
        return wish;
    }
    const char *name;
    do
        name = arena_printf(w->arena, "%s_%d", wish, ++*taken);
    while (strmap_get(names, name));
    *strmap_slot(names, name) = NEW(w->arena, int, 1);
    return name;
}

/* What the outside sees keeps its name; what a value inside is called comes after. */
static void names_reserve(Writer *w)
{
    FOR_VALUES(v, w->graph)
        if (v->op == OP_input)
            w->tensor[v->id] = writer_unique(w, &w->tensor_names, v->attr.name);
    for (int i = 0; i < w->graph->outputs.n; i++) {
        const Output *o = &w->graph->outputs.at[i];
        const char *name = writer_unique(w, &w->tensor_names, o->name);
        bool made = op_info[o->value->op].class != CLASS_source && !is_nothing(o->value);
        if (made && !w->tensor[o->value->id])
            w->tensor[o->value->id] = name;
    }
    FOR_VALUES(v, w->graph)
        if (v->op == OP_weight && w->live[v->id])
            w->tensor[v->id] = writer_unique(w, &w->tensor_names, v->attr.name);
    FOR_VALUES(v, w->graph)
        if (v->op == OP_constant && v->name && w->live[v->id])
            w->tensor[v->id] = writer_unique(w, &w->tensor_names, v->name);
}

/* ---- tensors ------------------------------------------------------------------ */

int onnx_type_of(DType dtype)
{
    switch (dtype) {
    case DT_f32: return ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    case DT_f16: return ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
    case DT_bf16: return ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16;
    case DT_i32: return ONNX__TENSOR_PROTO__DATA_TYPE__INT32;
    case DT_u8: return ONNX__TENSOR_PROTO__DATA_TYPE__UINT8;
    case DT_bool: return ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
    case DTYPE_COUNT: break;
    }
    bug("onnx_type_of: a type that is none");
}

static bool is_little_endian(void)
{
    const uint16_t one = 1;
    return *(const unsigned char *)&one == 1;
}

/* Raw data is little-endian; reals and integers of 4 bytes are turned round, the
 * other types that are written have 1. */
static uint8_t *raw_data(Writer *w, const Tensor *t, size_t bytes)
{
    uint8_t *out = t->data;
    if (is_little_endian() || dtype_info[t->type.dtype].bytes == 1)
        return out;
    const uint8_t *from = t->data;
    out = NEW(w->arena, uint8_t, bytes);
    for (size_t i = 0; i < bytes; i++)
        out[i] = from[i ^ 3];
    return out;
}

/* Weights may be stored in 16 bits: they are written as the value's type. */
Onnx__TensorProto *writer_tensor(Writer *w, const char *name, const Tensor *data, Type type)
{
    Onnx__TensorProto *t = NEW(w->arena, Onnx__TensorProto, 1);
    Tensor *same = tensor_new(w->arena, (Type){type.dtype, {0}});
    onnx__tensor_proto__init(t);
    t->name = arena_strdup(w->arena, name);
    t->has_data_type = 1;
    t->data_type = onnx_type_of(type.dtype);
    t->n_dims = (size_t)type.shape.rank;
    t->dims = NEW(w->arena, int64_t, type.shape.rank + 1);
    memcpy(t->dims, type.shape.dim, t->n_dims * sizeof *t->dims);
    *same = *data;
    if (data->type.dtype != type.dtype) {
        same = tensor_new(w->arena, type);
        for (int64_t i = 0; i < shape_count(&type.shape); i++)
            tensor_set(same, i, tensor_get(data, i));
    }
    t->has_raw_data = 1;
    t->raw_data.len = (size_t)type_bytes(&type);
    t->raw_data.data = raw_data(w, same, t->raw_data.len);
    return t;
}

static Tensor *filled(Writer *w, const Value *v)
{
    Tensor *t = tensor_new(w->arena, v->type);
    for (int64_t i = 0; i < shape_count(&v->type.shape); i++)
        tensor_set(t, i, v->attr.value);
    return t;
}

/* Initializers appear where they are first read. */
const char *writer_source(Writer *w, const Value *v)
{
    bool held = v->op == OP_weight || v->op == OP_constant;
    if (held && !w->tensor[v->id])
        w->tensor[v->id] = writer_unique(w, &w->tensor_names, "constant");
    const char *name = w->tensor[v->id];
    if (!held || w->written[v->id])
        return name;
    const Tensor *data = v->data ? v->data : filled(w, v);
    VEC_PUSH(w->arena, w->initializers, writer_tensor(w, name, data, v->type));
    w->written[v->id] = true;
    return name;
}

/* ---- inputs and outputs ------------------------------------------------------- */

static Onnx__ValueInfoProto *value_info(Writer *w, const char *name, const Type *type)
{
    Onnx__ValueInfoProto *info = NEW(w->arena, Onnx__ValueInfoProto, 1);
    Onnx__TypeProto *t = NEW(w->arena, Onnx__TypeProto, 1);
    Onnx__TypeProto__Tensor *tensor = NEW(w->arena, Onnx__TypeProto__Tensor, 1);
    Onnx__TensorShapeProto *shape = NEW(w->arena, Onnx__TensorShapeProto, 1);
    onnx__value_info_proto__init(info);
    onnx__type_proto__init(t);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    info->name = arena_strdup(w->arena, name);
    info->type = t;
    t->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    t->tensor_type = tensor;
    tensor->has_elem_type = 1;
    tensor->elem_type = onnx_type_of(type->dtype);
    tensor->shape = shape;
    shape->n_dim = (size_t)type->shape.rank;
    shape->dim = NEW(w->arena, Onnx__TensorShapeProto__Dimension *, type->shape.rank + 1);
    for (int i = 0; i < type->shape.rank; i++) {
        shape->dim[i] = NEW(w->arena, Onnx__TensorShapeProto__Dimension, 1);
        onnx__tensor_shape_proto__dimension__init(shape->dim[i]);
        shape->dim[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        shape->dim[i]->dim_value = type->shape.dim[i];
    }
    return info;
}

/* A value that is an output twice, or an input or a weight too, is copied. */
static void output_write(Writer *w, const Output *o)
{
    const Value *v = o->value;
    VEC_PUSH(w->arena, w->outputs, value_info(w, o->name, &v->type));
    const char *from = writer_source(w, v);
    if (strcmp(from, o->name) == 0)
        return;
    w->name = writer_unique(w, &w->node_names, o->name);
    writer_unary(w, "Identity", from);
    writer_node_of(w)->output[0] = arena_strdup(w->arena, o->name);
}

/* ---- the walk ------------------------------------------------------------------- */

const Value *writer_cut(const Value *v)
{
    const Value *x = v->args[0];
    while (v->op == OP_slice && !is_nothing(v) && x->op == OP_slice)
        x = x->args[0];
    return x;
}

static void live_mark(Writer *w)
{
    for (int i = 0; i < w->graph->outputs.n; i++)
        w->live[w->graph->outputs.at[i].value->id] = true;
    for (const Value *v = w->graph->last; v; v = v->prev)
        for (int i = 0; i < v->nargs && w->live[v->id]; i++)
            w->live[i == 0 ? writer_cut(v)->id : v->args[i]->id] = true;
}

/* What does nothing is no node: its tensor is that of its argument. */
static void node_write(Writer *w, const Value *v)
{
    if (is_nothing(v)) {
        w->tensor[v->id] = writer_source(w, v->args[0]);
        return;
    }
    const char *wish = v->label && *v->label ? v->label : op_info[v->op].name;
    w->value = v;
    w->name = writer_unique(w, &w->node_names, wish);
    if (!w->tensor[v->id])
        w->tensor[v->id] = writer_unique(w, &w->tensor_names, w->name);
    write_value(w, v);
}

static void graph_write(Writer *w)
{
    live_mark(w);
    names_reserve(w);
    FOR_VALUES(v, w->graph)
        if (v->op == OP_input)
            VEC_PUSH(w->arena, w->inputs, value_info(w, w->tensor[v->id], &v->type));
        else if (op_info[v->op].class != CLASS_source && w->live[v->id])
            node_write(w, v);
    for (int i = 0; i < w->graph->outputs.n; i++)
        output_write(w, &w->graph->outputs.at[i]);
    writer_name_constants(w);
}

static void metadata_add(Writer *w, Onnx__ModelProto *model, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *entry = NEW(w->arena, Onnx__StringStringEntryProto, 1);
    onnx__string_string_entry_proto__init(entry);
    entry->key = arena_strdup(w->arena, key);
    entry->value = arena_strdup(w->arena, value);
    model->metadata_props[model->n_metadata_props++] = entry;
}

/* What of a graph ONNX has no words for: other engines pass over it. */
static void metadata_write(Writer *w, Onnx__ModelProto *model)
{
    const Graph *g = w->graph;
    model->metadata_props = NEW(w->arena, Onnx__StringStringEntryProto *,
                                g->preprocess.n + g->outputs.n + 1);
    for (int i = 0; i < g->preprocess.n; i++) {
        Text text = text_new(w->arena);
        const char *name = w->tensor[g->preprocess.at[i].input->id];
        preprocess_text(&g->preprocess.at[i], &text);
        metadata_add(w, model, arena_printf(w->arena, ONNX_KEY_PREPROCESS "%s", name),
                     text_str(&text));
    }
    for (int i = 0; i < g->outputs.n; i++) {
        const Output *o = &g->outputs.at[i];
        Text text = text_new(w->arena);
        for (int k = 0; k < o->labels.n; k++)
            text_printf(&text, "%s\n", o->labels.at[k]);
        if (o->labels.n)
            metadata_add(w, model, arena_printf(w->arena, ONNX_KEY_LABELS "%s", o->name),
                         text_str(&text));
    }
}

static Onnx__ModelProto *model_of(Writer *w)
{
    Onnx__ModelProto *model = NEW(w->arena, Onnx__ModelProto, 1);
    Onnx__GraphProto *graph = NEW(w->arena, Onnx__GraphProto, 1);
    Onnx__OperatorSetIdProto *set = NEW(w->arena, Onnx__OperatorSetIdProto, 1);
    onnx__model_proto__init(model);
    onnx__graph_proto__init(graph);
    onnx__operator_set_id_proto__init(set);
    model->has_ir_version = 1;
    model->ir_version = IR_VERSION;
    model->producer_name = arena_strdup(w->arena, "vtc");
    model->graph = graph;
    model->n_opset_import = 1;
    model->opset_import = NEW(w->arena, Onnx__OperatorSetIdProto *, 1);
    model->opset_import[0] = set;
    set->domain = arena_strdup(w->arena, "");
    set->has_version = 1;
    set->version = w->opset;
    graph->name = arena_strdup(w->arena, w->graph->name);
    graph->n_node = (size_t)w->nodes.n;
    graph->node = w->nodes.at;
    graph->n_initializer = (size_t)w->initializers.n;
    graph->initializer = w->initializers.at;
    graph->n_input = (size_t)w->inputs.n;
    graph->input = w->inputs.at;
    graph->n_output = (size_t)w->outputs.n;
    graph->output = w->outputs.at;
    metadata_write(w, model);
    return model;
}

/* ---- the file --------------------------------------------------------------------- */

typedef struct FileBuffer {
    ProtobufCBuffer base;
    OutFile *file;
} FileBuffer;

static void buffer_append(ProtobufCBuffer *buffer, size_t n, const uint8_t *data)
{
    outfile_write(((FileBuffer *)buffer)->file, data, n);
}

static bool size_check(const Onnx__ModelProto *model, Diag *diag)
{
    if (onnx__model_proto__get_packed_size(model) <= INT32_MAX)
        return true;
    diag_error(diag, (Span){0}, "the network would have more than 2 GiB, which no ONNX file may");
    return false;
}

static Onnx__ModelProto *model_of_graph(const Graph *graph)
{
    Writer w = {.arena = graph->arena, .graph = graph, .opset = OPSET,
                .node_names = {.arena = graph->arena}, .tensor_names = {.arena = graph->arena}};
    w.tensor = NEW(w.arena, const char *, graph->next_id);
    w.live = NEW(w.arena, bool, graph->next_id);
    w.written = NEW(w.arena, bool, graph->next_id);
    graph_write(&w);
    return model_of(&w);
}

bool onnx_export(const Graph *graph, const char *path, Diag *diag)
{
    const Onnx__ModelProto *model = model_of_graph(graph);
    if (!size_check(model, diag))
        return false;
    FileBuffer buffer = {{buffer_append}, outfile_open(graph->arena, path, diag)};
    if (!buffer.file)
        return false;
    onnx__model_proto__pack_to_buffer(model, &buffer.base);
    return outfile_close(buffer.file, diag);
}

const uint8_t *onnx_export_bytes(const Graph *graph, size_t *n, Diag *diag)
{
    const Onnx__ModelProto *model = model_of_graph(graph);
    if (!size_check(model, diag))
        return NULL;
    *n = onnx__model_proto__get_packed_size(model);
    uint8_t *bytes = NEW(graph->arena, uint8_t, *n);
    onnx__model_proto__pack(model, bytes);
    return bytes;
}
