/* Named tensors, and which format a file is of. */
#include "frontend/tensor_file.h"
#include "frontend/pth.h"
#include "frontend/safetensors.h"
#include "frontend/zip.h"
#include "support/file.h"
#include <string.h>

#define DT_none DTYPE_COUNT

static const StoredType stored_types[] = {
#define STORED(name, torch, bytes, held) {#name, #torch, bytes, DT_##held},
#include "frontend/stored_types.def"
};
enum { STORED_TYPES = sizeof stored_types / sizeof *stored_types };

const StoredType *stored_by_name(const char *name)
{
    for (int i = 0; i < STORED_TYPES; i++)
        if (strcmp(stored_types[i].name, name) == 0)
            return &stored_types[i];
    return NULL;
}

const StoredType *stored_by_torch(const char *torch)
{
    for (int i = 0; i < STORED_TYPES; i++)
        if (strcmp(stored_types[i].torch, torch) == 0)
            return &stored_types[i];
    return NULL;
}

TensorFile *tensor_file_new(Arena *arena, const char *path)
{
    TensorFile *file = NEW(arena, TensorFile, 1);
    file->path = path;
    file->by_name.arena = arena;
    return file;
}

static bool append(TensorFile *file, Arena *arena, NamedTensor tensor)
{
    void **slot = strmap_slot(&file->by_name, tensor.name);
    if (*slot)
        return false;
    int *index = NEW(arena, int, 1);
    *index = file->tensors.n;
    *slot = index;
    VEC_PUSH(arena, file->tensors, tensor);
    return true;
}

static void *narrowed(Arena *arena, const unsigned char *data, int64_t count)
{
    float *to = NEW(arena, float, count);
    for (int64_t i = 0; i < count; i++) {
        double x;
        memcpy(&x, data + 8 * i, sizeof x);
        to[i] = (float)x;
    }
    return to;
}

static void *elements(Arena *arena, const StoredType *type, int64_t count,
                      const unsigned char *data)
{
    size_t bytes = (size_t)count * (size_t)type->bytes;
    if (dtype_info[type->held].bytes != type->bytes)
        return narrowed(arena, data, count);
    if ((uintptr_t)data % (uintptr_t)type->bytes == 0)
        return (void *)(uintptr_t)data;
    return memcpy(arena_alloc(arena, bytes), data, bytes);
}

bool tensor_file_add(TensorFile *file, Arena *arena, const char *name, const StoredType *type,
                     const Shape *shape, const unsigned char *data)
{
    int64_t count = shape_count(shape);
    if (type->held == DT_none || count == 0) {
        Text what = text_new(arena);
        text_add(&what, type->name);
        text_shape(&what, shape);
        return tensor_file_add_foreign(file, arena, name, text_str(&what));
    }
    NamedTensor tensor = {name, {{type->held, *shape}, NULL}, NULL};
    tensor.tensor.data = elements(arena, type, count, data);
    return append(file, arena, tensor);
}

bool tensor_file_add_foreign(TensorFile *file, Arena *arena, const char *name,
                             const char *foreign)
{
    return append(file, arena, (NamedTensor){.name = name, .foreign = foreign});
}

const NamedTensor *tensor_file_find(const TensorFile *file, const char *name)
{
    const int *index = strmap_get(&file->by_name, name);
    return index ? &file->tensors.at[*index] : NULL;
}

TensorFile *tensor_file_read(Arena *arena, Diag *diag, const char *path)
{
    Bytes bytes;
    if (!bytes_map(&bytes, path, diag))
        return NULL;
    if (zip_begins(bytes.at, bytes.n) || pth_is_old(bytes.at, bytes.n))
        return pth_parse(arena, diag, path, bytes.at, bytes.n);
    return safetensors_parse(arena, diag, path, bytes.at, bytes.n);
}
