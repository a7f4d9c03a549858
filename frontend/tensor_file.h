/* Named tensors of a checkpoint, whatever format it has. */
#ifndef VTC_FRONTEND_TENSOR_FILE_H
#define VTC_FRONTEND_TENSOR_FILE_H

#include "ir/graph.h"
#include "support/strmap.h"

typedef struct StoredType {
    const char *name, *torch; /* "F32", "FloatStorage" */
    int bytes;                /* of an element in the file */
    DType held;               /* DTYPE_COUNT: elements are not read */
} StoredType;
const StoredType *stored_by_name(const char *name);   /* NULL: none */
const StoredType *stored_by_torch(const char *torch); /* NULL: none */

typedef struct NamedTensor {
    const char *name;
    Tensor tensor; /* data points into the mapping, or is a copy */
    /* NULL; else what this is, "I64[1]", whose elements no network reads: tensor.data
     * is NULL */
    const char *foreign;
} NamedTensor;

typedef struct TensorFile {
    const char *path;
    VEC(NamedTensor) tensors; /* in the file's order */
    StrMap by_name;           /* -> int, its index */
} TensorFile;

TensorFile *tensor_file_new(Arena *arena, const char *path);
/* A tensor whose elements, row by row, begin at `data`; they stay there where they are
 * aligned and of the type that is held. false: there is one of that name already. */
bool tensor_file_add(TensorFile *file, Arena *arena, const char *name, const StoredType *type,
                     const Shape *shape, const unsigned char *data);
/* Something that is no tensor of elements that could be read. */
bool tensor_file_add_foreign(TensorFile *file, Arena *arena, const char *name,
                             const char *foreign);
const NamedTensor *tensor_file_find(const TensorFile *file, const char *name); /* NULL: none */

/* A safetensors file, or PyTorch's own zip (.pth, .pt), told by its first bytes. NULL and
 * errors in diag when it is not well formed. */
TensorFile *tensor_file_read(Arena *arena, Diag *diag, const char *path);

#endif
