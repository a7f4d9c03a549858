/* Fuzz target: any bytes as a checkpoint of PyTorch (zip archive and pickle). Nothing may
 * crash, hang or take memory without bound; a file that is read has tensors whose every
 * element can be read. */
#include "frontend/pth.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    unsigned char *copy = malloc(size ? size : 1); /* its end is watched */
    double sum = 0;
    if (size)
        memcpy(copy, data, size);
    TensorFile *file = pth_parse(arena, diag, "fuzz", copy, size);
    if ((file != NULL) != (diag->errors == 0))
        abort();
    for (int i = 0; file && i < file->tensors.n; i++) {
        const Tensor *t = &file->tensors.at[i].tensor;
        if (file->tensors.at[i].foreign)
            continue;
        for (int64_t k = 0; k < shape_count(&t->type.shape); k++)
            sum += tensor_get(t, k);
    }
    free(copy);
    arena_free(arena);
    return sum == 1e300 ? 1 : 0;
}
