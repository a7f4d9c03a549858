/* Small constant matrices times vectors of registers, as straight-line code. */
#ifndef VTC_PASSES_TRANSFORM_H
#define VTC_PASSES_TRANSFORM_H

#include "ir/bilinear.h"
#include "ir/loop.h"

typedef double Matrix[MAX_POINTS][MAX_POINTS];

/* out[i] = sum of matrix[i][j] * in[j], i < rows, j < columns. Rows, or columns,
 * that differ only in signs share their sums: what interpolation at points of
 * either sign gives. */
void transform_build(Build *b, const Target *target, const Matrix *matrix, int rows,
                     int columns, const Expr *const *in, const Expr **out);

#endif
