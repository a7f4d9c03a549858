/* The protobuf of an ONNX file, read from strangers: its nesting is bounded before
 * protobuf-c, which recurses without a limit, sees it. */
#include "frontend/onnx_import.h"
#include "support/file.h"
#include <stdio.h>
#include <string.h>

enum { LIMIT_NESTING = 24 };

/* ---- the wire format -------------------------------------------------------- */

typedef struct Wire {
    const unsigned char *at, *end;
} Wire;

static bool varint_read(Wire *w, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64 && w->at < w->end; shift += 7) {
        unsigned char byte = *w->at++;
        *out |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return true;
    }
    return false;
}

static bool bytes_skip(Wire *w, uint64_t n)
{
    if (n > (uint64_t)(w->end - w->at))
        return false;
    w->at += n;
    return true;
}

static bool nesting_acceptable(Wire w, const ProtobufCMessageDescriptor *type, int depth);

static bool field_acceptable(Wire *w, const ProtobufCMessageDescriptor *type, int depth)
{
    uint64_t key, n;
    if (!varint_read(w, &key) || key >> 3 == 0 || key >> 3 > UINT32_MAX / 8)
        return false;
    switch (key & 7) {
    case 0: return varint_read(w, &n);
    case 1: return bytes_skip(w, 8);
    case 5: return bytes_skip(w, 4);
    case 2: break;
    default: return false; /* groups are in no ONNX file */
    }
    Wire inner = {NULL, NULL};
    if (!varint_read(w, &n))
        return false;
    inner.at = w->at;
    if (!bytes_skip(w, n))
        return false;
    inner.end = w->at;
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(type, (unsigned)(key >> 3));
    return !field || field->type != PROTOBUF_C_TYPE_MESSAGE ||
           nesting_acceptable(inner, field->descriptor, depth + 1);
}

static bool nesting_acceptable(Wire w, const ProtobufCMessageDescriptor *type, int depth)
{
    if (depth > LIMIT_NESTING)
        return false;
    while (w.at < w.end)
        if (!field_acceptable(&w, type, depth))
            return false;
    return true;
}

/* ---- unpacking -------------------------------------------------------------- */

void *onnx_arena_alloc(void *arena, size_t n)
{
    return arena_alloc(arena, n ? n : 1);
}

static void arena_keep(void *arena, void *at)
{
    (void)arena;
    (void)at;
}

static ProtobufCMessage *unpack(Arena *arena, const ProtobufCMessageDescriptor *type,
                                const void *data, size_t n)
{
    ProtobufCAllocator allocator = {onnx_arena_alloc, arena_keep, arena};
    const unsigned char *at = data;
    if (!nesting_acceptable((Wire){at, at + n}, type, 0))
        return NULL;
    return protobuf_c_message_unpack(type, &allocator, n, at);
}

Onnx__ModelProto *onnx_unpack(Arena *arena, Diag *diag, const void *data, size_t n)
{
    ProtobufCMessage *m = unpack(arena, &onnx__model_proto__descriptor, data, n);
    Onnx__ModelProto *model = (Onnx__ModelProto *)m;
    if (!model)
        diag_error(diag, (Span){0}, "this is not an ONNX file: its protobuf is damaged");
    else if (!model->graph)
        diag_error(diag, (Span){0}, "this ONNX file has no graph");
    return model && model->graph ? model : NULL;
}

bool onnx_read_tensor(Arena *arena, Diag *diag, const void *data, size_t n, OnnxKnown *known)
{
    ProtobufCMessage *m = unpack(arena, &onnx__tensor_proto__descriptor, data, n);
    bool empty = false;
    if (!m) {
        diag_error(diag, (Span){0}, "this is not a TensorProto");
        return false;
    }
    const Onnx__TensorProto *from = (const Onnx__TensorProto *)m;
    *known = (OnnxKnown){.name = from->name ? from->name : ""};
    known->tensor = onnx_tensor(arena, diag, NULL, from, &empty);
    known->empty = empty;
    return known->tensor || empty;
}

/* Two messages behind each other are one, whose lists are joined (protobuf's encoding):
 * so outputs are added without writing the file anew. */
bool onnx_add_outputs(const Graph *graph, const char *path, int n, const char *to, Diag *diag)
{
    Arena *arena = graph->arena;
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    Onnx__GraphProto more = ONNX__GRAPH_PROTO__INIT;
    Bytes bytes;
    model.graph = &more;
    more.output = NEW(arena, Onnx__ValueInfoProto *, n + 1);
    for (int i = graph->outputs.n - n; i < graph->outputs.n; i++) {
        Onnx__ValueInfoProto *info = NEW(arena, Onnx__ValueInfoProto, 1);
        onnx__value_info_proto__init(info);
        info->name = arena_strdup(arena, graph->outputs.at[i].name);
        more.output[more.n_output++] = info;
    }
    size_t size = onnx__model_proto__get_packed_size(&model);
    uint8_t *packed = NEW(arena, uint8_t, size + 1);
    onnx__model_proto__pack(&model, packed);
    OutFile *out = bytes_map(&bytes, path, diag) ? outfile_open(arena, to, diag) : NULL;
    if (!out)
        return false;
    outfile_write(out, bytes.at, bytes.n);
    outfile_write(out, packed, size);
    return outfile_close(out, diag);
}

/* A ModelProto begins with its ir_version, a small number, and goes on with a field of
 * bytes; no text does. */
static bool begins_as_model(const char *path)
{
    unsigned char at[3] = {0};
    FILE *file = fopen(path, "rb");
    size_t n = file ? fread(at, 1, sizeof at, file) : 0;
    if (file)
        fclose(file);
    return n == sizeof at && at[0] == 0x08 && at[1] > 0 && at[1] < 0x80 && (at[2] & 7) == 2 &&
           at[2] >> 3 <= 25;
}

bool onnx_is_model(const char *path)
{
    size_t n = strlen(path);
    return (n > 5 && strcmp(path + n - 5, ".onnx") == 0) || begins_as_model(path);
}

/* Names that exporters give to every graph tell less than the file's. */
static bool is_usual_name(const char *name)
{
    static const char *const usual[] = {"", "main_graph", "torch_jit", "torch_jit_export",
                                        "graph", "network"};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (strcmp(name, usual[i]) == 0)
            return true;
    return false;
}

Graph *onnx_load(Arena *arena, Diag *diag, const char *path, OnnxOptions *options)
{
    Bytes bytes;
    if (!bytes_map(&bytes, path, diag))
        return NULL;
    Graph *graph = onnx_parse(arena, diag, path_dir(arena, path), bytes.at, bytes.n, options);
    if (graph && is_usual_name(graph->name))
        graph->name = path_stem(arena, path);
    return graph;
}
