/* TensorProto to Tensor: raw or typed fields, or a range of another file. */
#include "frontend/onnx_import.h"
#include "support/file.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef Onnx__TensorProto From;

bool onnx_dtype(int type, DType *to)
{
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16: *to = DT_f32; return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64: *to = DT_i32; return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8: *to = DT_u8; return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL: *to = DT_bool; return true;
    default: return false; /* strings, complex numbers, what is newer */
    }
}

static int width_of(int type)
{
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64: return 8;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32: return 4;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16: return 2;
    default: return 1;
    }
}

/* ---- elements --------------------------------------------------------------- */

static double half_value(uint16_t bits, DType dtype)
{
    Tensor one = {{dtype, {0}}, &bits};
    return tensor_get(&one, 0);
}

#define READ(T)                                                                \
    do {                                                                       \
        T x;                                                                   \
        memcpy(&x, at, sizeof x);                                              \
        return (double)x;                                                      \
    } while (0)

static double raw_element(const unsigned char *at, int type)
{
    uint16_t half;
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT: READ(float);
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE: READ(double);
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8: READ(int8_t);
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16: READ(int16_t);
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16: READ(uint16_t);
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32: READ(int32_t);
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32: READ(uint32_t);
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64: READ(int64_t);
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64: READ(uint64_t);
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
        memcpy(&half, at, 2);
        return half_value(half, DT_f16);
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
        memcpy(&half, at, 2);
        return half_value(half, DT_bf16);
    default: return *at;
    }
}

static double typed_element(const From *from, int64_t i)
{
    if (from->n_float_data)
        return (double)from->float_data[i];
    if (from->n_double_data)
        return from->double_data[i];
    if (from->n_int64_data)
        return (double)from->int64_data[i];
    if (from->n_uint64_data)
        return (double)from->uint64_data[i];
    if (from->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16)
        return half_value((uint16_t)from->int32_data[i], DT_f16);
    if (from->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16)
        return half_value((uint16_t)from->int32_data[i], DT_bf16);
    return from->int32_data[i];
}

static size_t typed_count(const From *from)
{
    return from->n_float_data + from->n_double_data + from->n_int64_data + from->n_uint64_data +
           from->n_int32_data;
}

/* Exactly one list, of exactly n elements. */
static bool typed_fits(const From *from, int64_t n)
{
    size_t total = typed_count(from);
    size_t longest = from->n_float_data;
    longest = from->n_double_data > longest ? from->n_double_data : longest;
    longest = from->n_int64_data > longest ? from->n_int64_data : longest;
    longest = from->n_uint64_data > longest ? from->n_uint64_data : longest;
    longest = from->n_int32_data > longest ? from->n_int32_data : longest;
    return total == longest && (int64_t)total == n;
}

/* ---- external data ------------------------------------------------------------ */

static const char *external_entry(const From *from, const char *key)
{
    for (size_t i = 0; i < from->n_external_data; i++)
        if (from->external_data[i]->key && strcmp(from->external_data[i]->key, key) == 0)
            return from->external_data[i]->value;
    return NULL;
}

/* A path that stays below the model's folder. */
static bool path_is_below(const char *path)
{
    if (!path || !*path || *path == '/')
        return false;
    for (const char *at = path; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
            return false;
    }
    return true;
}

static bool number_of(const char *text, uint64_t *out)
{
    char *end;
    *out = text ? strtoull(text, &end, 10) : 0;
    return !text || (*text >= '0' && *text <= '9' && *end == '\0');
}

const char *onnx_external_path(const From *from)
{
    bool external = from->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    return external ? external_entry(from, "location") : NULL;
}

size_t onnx_external_size(Arena *arena, const char *dir, const char *path)
{
    struct stat info;
    bool read = dir && path_is_below(path) && stat(path_join(arena, dir, path), &info) == 0;
    return read && S_ISREG(info.st_mode) ? (size_t)info.st_size : 0;
}

static const unsigned char *external_bytes(Arena *arena, Diag *diag, const char *dir,
                                           const From *from, size_t n)
{
    const char *path = external_entry(from, "location");
    uint64_t offset, length;
    Bytes file;
    if (!dir || !path_is_below(path)) {
        diag_error(diag, (Span){0}, "tensor '%s': external data must lie in a file below the model's folder",
                   from->name ? from->name : "");
        return NULL;
    }
    if (!bytes_map(&file, path_join(arena, dir, path), diag))
        return NULL;
    if (!number_of(external_entry(from, "offset"), &offset) ||
        !number_of(external_entry(from, "length"), &length) || offset > file.n ||
        n > file.n - offset || (length && length != n)) {
        diag_error(diag, (Span){0}, "tensor '%s': %zu bytes are not at its place in '%s'",
                   from->name ? from->name : "", n, path);
        return NULL;
    }
    return file.at + offset;
}

/* ---- the tensor --------------------------------------------------------------- */

static bool shape_read(Diag *diag, const From *from, Type *type, bool *empty)
{
    const char *name = from->name ? from->name : "";
    double count = 1;
    *empty = false;
    if (!onnx_dtype(from->data_type, &type->dtype)) {
        diag_error(diag, (Span){0}, "tensor '%s': element type %d is not understood", name,
                   from->data_type);
        return false;
    }
    if (from->n_dims > MAX_RANK) {
        diag_error(diag, (Span){0}, "tensor '%s' has %zu dimensions, more than %d", name,
                   from->n_dims, MAX_RANK);
        return false;
    }
    type->shape.rank = (int)from->n_dims;
    for (int d = 0; d < type->shape.rank; d++) {
        type->shape.dim[d] = from->dims[d];
        count *= (double)from->dims[d];
        *empty = *empty || from->dims[d] == 0;
        if (from->dims[d] < 0 || count > INT32_MAX) {
            diag_error(diag, (Span){0}, "tensor '%s' has dimensions out of range", name);
            return false;
        }
    }
    return true;
}

static const unsigned char *raw_bytes(Arena *arena, Diag *diag, const char *dir,
                                      const From *from, size_t n)
{
    bool external = from->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    bool raw = from->has_raw_data && from->raw_data.len > 0, typed = typed_count(from) > 0;
    if (external + raw + typed > 1 || from->segment) {
        diag_error(diag, (Span){0}, "tensor '%s' holds its elements %s",
                   from->name ? from->name : "", from->segment ? "in segments" : "twice");
        return NULL;
    }
    if (external)
        return external_bytes(arena, diag, dir, from, n);
    if (!from->has_raw_data)
        return NULL;
    if (from->raw_data.len == n)
        return from->raw_data.data;
    diag_error(diag, (Span){0}, "tensor '%s' needs %zu bytes, has %zu",
               from->name ? from->name : "", n, from->raw_data.len);
    return NULL;
}

Tensor *onnx_tensor(Arena *arena, Diag *diag, const char *dir, const From *from, bool *empty)
{
    Type type = {DT_f32, {0}};
    int raised = diag->raised;
    bool read = shape_read(diag, from, &type, empty);
    *empty = *empty && read;
    if (!read || *empty)
        return NULL;
    int64_t n = shape_count(&type.shape);
    int width = width_of(from->data_type);
    const unsigned char *raw = raw_bytes(arena, diag, dir, from, (size_t)(n * width));
    if (diag->raised > raised)
        return NULL;
    if (!raw && !typed_fits(from, n)) {
        diag_error(diag, (Span){0}, "tensor '%s' does not hold its %lld elements",
                   from->name ? from->name : "", (long long)n);
        return NULL;
    }
    Tensor *tensor = tensor_new(arena, type);
    for (int64_t i = 0; i < n; i++) {
        double x = raw ? raw_element(raw + i * width, from->data_type) : typed_element(from, i);
        tensor_set(tensor, i, type.dtype == DT_bool ? x != 0 : x);
    }
    return tensor;
}
