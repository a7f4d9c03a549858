/* Reading and writing safetensors. */
#include "frontend/safetensors.h"
#include "support/file.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_HEADER = 100 * 1024 * 1024 };

/* Where a tensor lies, behind the header. */
typedef struct Extent {
    size_t begin, end;
    const char *name;
} Extent;

typedef struct Reader {
    Arena *arena;
    Diag *diag;
    TensorFile *file;
    VEC(Extent) extents;
    const unsigned char *data; /* behind the header */
    size_t size;
    Source *source; /* a place without text: the path */
} Reader;

static Span place(const Reader *r)
{
    return (Span){r->source, 0, 0};
}

static bool read_shape(Reader *r, const char *name, json_t *json, Shape *shape)
{
    size_t rank = json_array_size(json);
    if (!json_is_array(json) || rank > MAX_RANK) {
        diag_error(r->diag, place(r), "tensor '%s': shape must be a list of at most %d "
                                      "numbers", name, MAX_RANK);
        return false;
    }
    double count = 1;
    shape->rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        json_t *dim = json_array_get(json, i);
        long long n = json_is_integer(dim) ? json_integer_value(dim) : -1;
        count *= n ? (double)n : 1;
        if (n < 0 || count > INT32_MAX) {
            diag_error(r->diag, place(r), "tensor '%s': dimension %zu is not a number "
                                          "between 0 and 2^31 - 1, or there are too many "
                                          "elements", name, i);
            return false;
        }
        shape->dim[i] = n;
    }
    return true;
}

static bool read_offsets(Reader *r, const char *name, json_t *json, int64_t bytes,
                         size_t *begin)
{
    json_t *first = json_array_get(json, 0), *last = json_array_get(json, 1);
    if (!json_is_array(json) || json_array_size(json) != 2 || !json_is_integer(first) ||
        !json_is_integer(last)) {
        diag_error(r->diag, place(r), "tensor '%s': data_offsets must be two numbers", name);
        return false;
    }
    long long from = json_integer_value(first), to = json_integer_value(last);
    if (from < 0 || to < from || (unsigned long long)to > r->size) {
        diag_error(r->diag, place(r), "tensor '%s': data_offsets %lld to %lld are outside "
                                      "the %zu bytes of data", name, from, to, r->size);
        return false;
    }
    if (to - from != bytes) {
        diag_error(r->diag, place(r), "tensor '%s': its elements take %lld bytes, data_offsets "
                                      "give %lld", name, (long long)bytes, to - from);
        return false;
    }
    *begin = (size_t)from;
    return true;
}

static void read_tensor(Reader *r, const char *name, json_t *json)
{
    const char *dtype = json_string_value(json_object_get(json, "dtype"));
    const StoredType *type = dtype ? stored_by_name(dtype) : NULL;
    Shape shape = {0};
    size_t begin;
    if (!type) {
        diag_error(r->diag, place(r), "tensor '%s': dtype %s is not one that is known (F32, "
                                      "F16, BF16, ...)", name, dtype ? dtype : "(none)");
        return;
    }
    if (!read_shape(r, name, json_object_get(json, "shape"), &shape))
        return;
    int64_t bytes = shape_count(&shape) * type->bytes;
    if (!read_offsets(r, name, json_object_get(json, "data_offsets"), bytes, &begin))
        return;
    const char *kept = arena_strdup(r->arena, name);
    tensor_file_add(r->file, r->arena, kept, type, &shape, r->data + begin);
    VEC_PUSH(r->arena, r->extents, ((Extent){begin, begin + (size_t)bytes, kept}));
}

static int by_offset(const void *a, const void *b)
{
    const Extent *x = a, *y = b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* No two tensors share bytes of the file. */
static void check_overlap(Reader *r)
{
    if (r->extents.n > 1)
        qsort(r->extents.at, (size_t)r->extents.n, sizeof *r->extents.at, by_offset);
    for (int i = 0; i + 1 < r->extents.n; i++) {
        const Extent *x = &r->extents.at[i], *y = x + 1;
        if (x->end > y->begin)
            diag_error(r->diag, place(r), "tensors '%s' and '%s' share bytes", x->name,
                       y->name);
    }
}

static void read_header(Reader *r, const char *text, size_t size)
{
    json_error_t error;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        diag_error(r->diag, place(r), "header is not a JSON object: %s",
                   root ? "another kind of value" : error.text);
        json_decref(root);
        return;
    }
    const char *name;
    json_t *value;
    json_object_foreach(root, name, value) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        read_tensor(r, name, value);
    }
    json_decref(root);
    check_overlap(r);
}

TensorFile *safetensors_parse(Arena *arena, Diag *diag, const char *path,
                               const unsigned char *data, size_t size)
{
    Source *source = NEW(arena, Source, 1);
    source->path = arena_strdup(arena, path);
    Reader r = {.arena = arena, .diag = diag, .source = source};
    int raised = diag->raised;
    uint64_t header = 0;
    if (size < 8) {
        diag_error(diag, place(&r), "not a safetensors file: %zu bytes, shorter than the "
                                    "8 of the header's length", size);
        return NULL;
    }
    for (int i = 7; i >= 0; i--)
        header = header << 8 | data[i];
    if (header > size - 8 || header > LARGEST_HEADER) {
        diag_error(diag, place(&r), "not a safetensors file, or truncated: the header is "
                                    "said to have %llu bytes, the file has %zu",
                   (unsigned long long)header, size);
        return NULL;
    }
    r.file = tensor_file_new(arena, source->path);
    r.data = data + 8 + header;
    r.size = size - 8 - (size_t)header;
    read_header(&r, (const char *)data + 8, (size_t)header);
    return diag->raised == raised ? r.file : NULL;
}

bool safetensors_write(Arena *arena, Diag *diag, const char *path,
                       const NamedTensor *tensors, int n)
{
    Text header = text_new(arena);
    int64_t at = 0;
    text_add(&header, "{");
    for (int i = 0; i < n; i++) {
        const Type *type = &tensors[i].tensor.type;
        text_add(&header, i ? "," : "");
        text_quoted(&header, tensors[i].name);
        text_printf(&header, ":{\"dtype\":\"%s\",\"shape\":",
                    dtype_info[type->dtype].safetensors);
        text_shape(&header, &type->shape);
        text_printf(&header, ",\"data_offsets\":[%lld,%lld]}", (long long)at,
                    (long long)(at + type_bytes(type)));
        at += type_bytes(type);
    }
    text_add(&header, "}");
    while (header.n % 8)
        text_add(&header, " ");
    OutFile *out = outfile_open(arena, path, diag);
    if (!out)
        return false;
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)header.n >> (8 * i));
    outfile_write(out, length, 8);
    outfile_write(out, text_str(&header), header.n);
    for (int i = 0; i < n; i++)
        outfile_write(out, tensors[i].tensor.data,
                      (size_t)type_bytes(&tensors[i].tensor.type));
    return outfile_close(out, diag);
}
