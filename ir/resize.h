/* Where `resize` reads: one definition for the interpreter and the lowering. */
#ifndef VTC_IR_RESIZE_H
#define VTC_IR_RESIZE_H

#include "ir/graph.h"

/* Output i of `out` along one dimension reads around this place of `in`
 * elements, 0 .. in - 1 (half_pixel: clamped at 0 as PyTorch does). */
double resize_position(Mode coords, int64_t in, int64_t out, int64_t i);

/* The element that `nearest` reads: asymmetric rounds down, the others to the
 * nearest, ties up (half_pixel: PyTorch's nearest-exact). In whole numbers, so
 * that no rounding of in / out moves an edge. */
int64_t resize_nearest(Mode coords, int64_t in, int64_t out, int64_t i);

/* Bilinear: (1 - weight) * x[low] + weight * x[high]. */
typedef struct Blend {
    int64_t low, high;
    double weight;
} Blend;
Blend resize_blend(Mode coords, int64_t in, int64_t out, int64_t i);

#endif
