/* Products that a BLAS computes (--blas): what scheduling, packing, memory planning and
 * lowering agree on. */
#ifndef VTC_PASSES_BLAS_H
#define VTC_PASSES_BLAS_H

#include "ir/graph.h"
#include "ir/target.h"

/* A 1x1 convolution of stride 1, a linear layer or a product of matrices, in f32 and large
 * enough that a call is nothing beside it. */
bool value_suits_blas(const Value *product);
/* With layouts known: either operand's rows or columns lie dense, pixels evenly spaced. */
bool blas_reaches(const Graph *graph, const Value *product);

/* Tasks take rows, or columns where there are few rows; a task is one call, of one thread. */
typedef struct BlasParts {
    bool by_columns;
    int64_t tasks, part; /* rows or columns of a task; the last may have fewer */
} BlasParts;
BlasParts blas_parts(int64_t rows, int64_t columns);
/* f32 elements in which a task's sums wait for the chain. */
int64_t blas_scratch(const Value *product);

#endif
