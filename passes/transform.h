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
/* Of these rows alone, from <= i < to, where others are not wanted yet; a partner that shares
 * sums with one of them may come too. */
typedef struct Range {
    int from, to;
} Range;
void transform_rows(Build *b, const Target *target, const Matrix *matrix, int rows,
                    int columns, Range range, const Expr *const *in, const Expr **out);

#endif
