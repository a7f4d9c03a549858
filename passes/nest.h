/* A loop nest over output elements: for every axis its extent and, for every
 * operand of the kernel, how many elements one step along it moves. Lowering
 * describes an operator so, merges axes that lie end to end in every operand,
 * and only then writes loops. */
#ifndef VTC_PASSES_NEST_H
#define VTC_PASSES_NEST_H

#include "ir/loop.h"

enum { MAX_OPERANDS = 24, MAX_AXES = 2 * MAX_RANK };

typedef struct Axis {
    int64_t extent;
    int64_t step[MAX_OPERANDS]; /* elements, by operand (= kernel parameter) */
} Axis;

typedef struct Nest {
    int operands;
    int n;
    Axis axis[MAX_AXES]; /* outermost first */
} Nest;

/* Where the loops stand: the element index of each operand, and the axis whose
 * consecutive elements fill the lanes. */
typedef struct At {
    Index index[MAX_OPERANDS];
    int lanes;
    const Axis *vector; /* NULL when lanes is 1 */
} At;

/* Outermost = largest step of operand 0 (the output). */
void nest_sort(Nest *nest);
/* Drops axes of extent 1 and merges neighbours that lie end to end in all
 * operands, from axis `from` on. */
void nest_coalesce(Nest *nest, int from);
/* Sorted, merged, and of one axis at least. */
void nest_settle(Nest *nest);
/* Every operand steps by 0 or 1 along the axis, and operand 0 by 1. */
bool axis_is_vector(const Axis *axis, int operands);
void at_move(At *at, int operands, const Axis *axis, Index by);

/* Cuts an extent into vector widths: `lanes` as often as it goes, then halves
 * down to 4, then single elements. Calls emit for each run of equal width. */
typedef struct Piece {
    int64_t start, count; /* elements; `count` times `lanes` */
    int lanes;
} Piece;
enum { MAX_PIECES = 8 };
int pieces_cut(int64_t extent, int lanes, Piece *pieces);

/* x * y + z, in one rounding where the target has that. */
const Expr *expr_multiply_add(Arena *arena, const Target *target, const Expr *x,
                              const Expr *y, const Expr *z);

/* The largest divisor of extent that is at most limit. */
int64_t divisor_below(int64_t extent, int64_t limit);

#endif
