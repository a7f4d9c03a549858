/* NumPy's .npy files for the drivers of differential tests: strict (version 1,
 * C order, exact element type and shape, exact size), because what they read is
 * what the scripts beside them wrote. */
#ifndef VTC_TESTS_NPY_FILE_H
#define VTC_TESTS_NPY_FILE_H

#include "ir/graph.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline const char *npy_type(DType dtype)
{
    switch (dtype) {
    case DT_f32: return "<f4";
    case DT_i32: return "<i4";
    case DT_u8: return "|u1";
    case DT_bool: return "|b1";
    case DT_f16:
    case DT_bf16:
    case DTYPE_COUNT: break;
    }
    return "none";
}

/* The header that NumPy writes, without the spaces behind it. */
static inline void npy_header(char *text, size_t size, const char *type,
                              const Shape *shape)
{
    int n = snprintf(text, size, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                     type);
    for (int d = 0; d < shape->rank; d++)
        n += snprintf(text + n, size - (size_t)n, "%lld%s", (long long)shape->dim[d],
                      d + 1 < shape->rank ? ", " : shape->rank == 1 ? "," : "");
    snprintf(text + n, size - (size_t)n, "), }");
}

static inline void npy_fail(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    exit(1);
}

static inline Tensor *npy_read(Arena *arena, const char *path, Type type)
{
    unsigned char head[10];
    char wish[512], header[65536] = "";
    FILE *file = fopen(path, "rb");
    if (!file)
        npy_fail(path, "cannot be opened");
    if (fread(head, 1, 10, file) != 10 || memcmp(head, "\x93NUMPY\x01\x00", 8) != 0)
        npy_fail(path, "is no .npy file of version 1");
    size_t length = (size_t)head[8] | (size_t)head[9] << 8;
    if (length >= sizeof header || fread(header, 1, length, file) != length)
        npy_fail(path, "ends inside its header");
    npy_header(wish, sizeof wish, npy_type(type.dtype), &type.shape);
    if (strncmp(header, wish, strlen(wish)) != 0 ||
        strspn(header + strlen(wish), " \n") != length - strlen(wish))
        npy_fail(path, wish);
    Tensor *tensor = tensor_new(arena, type);
    size_t bytes = (size_t)type_bytes(&type);
    if (fread(tensor->data, 1, bytes, file) != bytes || fgetc(file) != EOF)
        npy_fail(path, "has another size than its header says");
    fclose(file);
    return tensor;
}

/* `type` is NumPy's name, e.g. "<f8"; `size` the bytes of an element. */
static inline void npy_write(const char *path, const char *type, const Shape *shape,
                             const void *data, size_t size)
{
    char header[512];
    npy_header(header, sizeof header, type, shape);
    size_t length = strlen(header), padded = (10 + length + 1 + 63) / 64 * 64 - 10;
    FILE *file = fopen(path, "wb");
    if (!file)
        npy_fail(path, "cannot be written");
    fwrite("\x93NUMPY\x01\x00", 1, 8, file);
    fputc((int)(padded & 255), file);
    fputc((int)(padded >> 8), file);
    fprintf(file, "%-*s\n", (int)padded - 1, header);
    fwrite(data, size, (size_t)shape_count(shape), file);
    if (ferror(file) | fclose(file))
        npy_fail(path, "cannot be written");
}

#endif
