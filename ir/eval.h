/* What the evaluation files share; nobody else includes this.
 *
 * An operator is written once, over REAL, in an eval_*.inc; eval_exact.c includes
 * them with REAL double, eval_quick.c with REAL float. Only the products differ:
 * plain loops in eval_exact_products.c, OpenBLAS in eval_quick_products.c. */
#ifndef VTC_IR_EVAL_H
#define VTC_IR_EVAL_H

#include "ir/graph.h"

/* Writes every element of out's array; its type and room are set. */
typedef void EvalFn(const Value *v, const Result *args, Result *out);

extern EvalFn *const exact_table[OP_COUNT];
extern EvalFn *const quick_table[OP_COUNT];

EvalFn exact_conv, exact_linear, exact_matmul, exact_attention;
EvalFn quick_conv, quick_linear, quick_matmul, quick_attention;

/* n elements, `step` apart, in place. */
void exact_softmax(double *x, int64_t n, int64_t step);
void quick_softmax(float *x, int64_t n, int64_t step);

/* ---- geometry of products (eval_geometry.c) ------------------------------ */

/* conv2d; conv1d is one of height 1. Arrays are [height, width]. */
typedef struct Conv {
    int64_t images, channels, outputs, groups;
    int64_t in[2], out[2], kernel[2], stride[2], dilation[2], before[2];
} Conv;
Conv conv_of(const Value *v, const Result *args, const Result *out);

/* Outputs [begin, end) along `axis` whose tap k lies inside the map; output i
 * reads input i * stride + shift. */
typedef struct Taps {
    int64_t begin, end, shift;
} Taps;
Taps conv_taps(const Conv *conv, int axis, int64_t k);

/* matmul: element (i, k) of a is a[i * a_row + k * a_col], b likewise. */
typedef struct Product {
    int64_t batches, m, n, k;
    int64_t a_row, a_col, b_row, b_col;
} Product;
Product product_of(const Value *v, const Result *args, const Result *out);
/* First element of the matrix of `arg` that the batch of the result reads. */
int64_t batch_start(const Shape *arg, const Shape *out, int64_t batch);

typedef struct Heads {
    int64_t batches, queries, keys, width, depth; /* whole D and V */
    int64_t heads, head_width, head_depth;        /* of one head */
} Heads;
Heads heads_of(const Value *v, const Result *args);

#endif
