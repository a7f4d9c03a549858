/* Fuzz target: any bytes as one TensorProto, as data of tests hold them. A tensor that
 * is read has exactly the elements of its shape. */
#include "frontend/onnx.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    OnnxKnown known;
    double sum = 0;
    unsigned char *copy = malloc(size ? size : 1); /* its end is watched */
    if (size)
        memcpy(copy, data, size);
    bool read = onnx_read_tensor(arena, diag, copy, size, &known);
    free(copy);
    if (read != (diag->errors == 0))
        abort();
    for (int64_t i = 0; read && known.tensor && i < shape_count(&known.tensor->type.shape); i++)
        sum += tensor_get(known.tensor, i);
    arena_free(arena);
    return sum == 1e300 ? 1 : 0;
}
