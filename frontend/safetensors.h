/* safetensors: 8 bytes little-endian header length, a JSON header, raw data. Files
 * come from strangers: every length, offset, type and shape is checked. */
#ifndef VTC_FRONTEND_SAFETENSORS_H
#define VTC_FRONTEND_SAFETENSORS_H

#include "frontend/tensor_file.h"

/* NULL and errors in diag when the file is not well formed; `path` is only for
 * messages. Tensors of types that no network reads (I64, ...) are foreign. */
TensorFile *safetensors_parse(Arena *arena, Diag *diag, const char *path,
                               const unsigned char *data, size_t size);
/* Tensors as f32, whole or not at all. */
bool safetensors_write(Arena *arena, Diag *diag, const char *path,
                       const NamedTensor *tensors, int n);

#endif
