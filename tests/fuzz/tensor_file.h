/* What the fuzz targets of checkpoints share: nothing may crash, hang or take memory
 * without bound; a file that is read has tensors whose every element can be read. */
#ifndef VTC_TESTS_FUZZ_TENSOR_FILE_H
#define VTC_TESTS_FUZZ_TENSOR_FILE_H

#include "frontend/tensor_file.h"
#include <stdlib.h>
#include <string.h>

typedef TensorFile *TensorFileParser(Arena *arena, Diag *diag, const char *path,
                                     const unsigned char *data, size_t n);

static double elements_sum(const TensorFile *file)
{
    double sum = 0;
    for (int i = 0; i < file->tensors.n; i++) {
        const Tensor *t = &file->tensors.at[i].tensor;
        for (int64_t k = 0; !file->tensors.at[i].foreign && k < shape_count(&t->type.shape); k++)
            sum += tensor_get(t, k);
    }
    return sum;
}

static int tensor_file_try(TensorFileParser *parse, const unsigned char *data, size_t size)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    unsigned char *copy = malloc(size ? size : 1); /* its end is watched */
    if (size)
        memcpy(copy, data, size);
    TensorFile *file = parse(arena, diag, "fuzz", copy, size);
    if ((file != NULL) != (diag->errors == 0))
        abort();
    double sum = file ? elements_sum(file) : 0;
    free(copy);
    arena_free(arena);
    return sum == 1e300 ? 1 : 0;
}

#endif
