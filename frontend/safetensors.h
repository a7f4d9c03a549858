/* safetensors: 8 bytes little-endian header length, a JSON header, raw data. Files
 * come from strangers: every length, offset, type and shape is checked. */
#ifndef VTC_FRONTEND_SAFETENSORS_H
#define VTC_FRONTEND_SAFETENSORS_H

#include "ir/graph.h"

typedef struct NamedTensor {
    const char *name;
    Tensor tensor; /* data points into the mapping */
} NamedTensor;

typedef struct Safetensors {
    const char *path;
    VEC(NamedTensor) tensors; /* in order of name */
} Safetensors;

/* NULL and errors in diag when the file is not well formed. f32, f16, bf16, i32,
 * u8 and bool are read; tensors of another type are listed as errors. */
Safetensors *safetensors_read(Arena *arena, Diag *diag, const char *path);
/* The same from memory; `path` is only for messages. */
Safetensors *safetensors_parse(Arena *arena, Diag *diag, const char *path,
                               const unsigned char *data, size_t size);
const Tensor *safetensors_find(const Safetensors *file, const char *name);
/* Tensors as f32, whole or not at all. */
bool safetensors_write(Arena *arena, Diag *diag, const char *path,
                       const NamedTensor *tensors, int n);

#endif
