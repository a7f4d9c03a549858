/* How a 1x1 convolution or a linear layer is cut for one level of Strassen's algorithm:
 * what scheduling, packing, memory planning and lowering agree on. */
#ifndef VTC_PASSES_STRASSEN_H
#define VTC_PASSES_STRASSEN_H

#include "ir/graph.h"
#include "ir/target.h"
#include "passes/contraction.h"

/* One level; Schedule.tile counts them. */
enum { STRASSEN_LEVELS = 1, STRASSEN_BUFFERS = 4, STRASSEN_SUMS = 4 };

typedef struct Strassen {
    int64_t rows, inputs, outputs; /* of a half: pixels, channels, channels */
    int64_t width, panels;         /* output channels of a panel; panels of a half, the
                                      last may be narrower */
    Blocks blocks;                 /* of the rows of a half: a task each */
    int64_t s_row, s_sum;          /* sums of inputs: elements from one row, one sum to
                                      the next */
    int64_t m_sum;                 /* products that wait: the same; rows `width` apart */
    int64_t s_count, m_count;
} Strassen;

/* Can it be computed so at all? One window position that stays on the map, no groups,
 * an even number of pixels, channels whose halves fill vectors. */
bool conv_suits_strassen(const Value *conv, const Target *target);
/* A linear layer, or a convolution with one window position that stays on the map and no
 * groups. */
bool conv_is_point(const Value *conv);
/* With layouts known: pixels are evenly spaced in all that the group of a point's
 * convolution reads and writes at the same pixel, and channels lie side by side. */
bool rows_are_even(const Graph *graph, const Value *conv);
/* For runs of at most so many threads. */
Strassen strassen_of(const Value *conv, const Target *target, int max_threads);

#endif
