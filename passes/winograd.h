/* How a convolution by Winograd's algorithm is cut into tiles, and the memory that
 * takes: what scheduling, memory planning and lowering agree on. */
#ifndef VTC_PASSES_WINOGRAD_H
#define VTC_PASSES_WINOGRAD_H

#include "ir/bilinear.h"
#include "ir/graph.h"
#include "ir/target.h"

typedef struct Winograd {
    Bilinear b;                /* along either side */
    int64_t points;            /* of a tile */
    int64_t groups;
    int64_t inputs, outputs;   /* channels: inputs of a group, outputs of all */
    int64_t width, panels;     /* output channels of a panel; panels, the last
                                  may be narrower; a group is one panel */
    int64_t tiles_h, tiles_w;
    /* A step for a row of tiles each, or first all inputs, then a panel each. */
    bool by_panels;
    int64_t tiles;             /* of one task's products */
    int64_t v_tile, v_point;   /* transformed inputs: elements from one to the next */
    int64_t m_point;           /* products: the same; a tile's are `width` apart */
    int64_t v_block;           /* blocks of v_tile input channels: the same */
    /* Weights transformed in the step, for `part` input channels and one row of points
     * at a time. */
    bool online;
    int64_t part, u_point;
    int64_t v_count, m_count, t_count, u_count; /* elements of inputs, products,
                                                   one tile, weights */
} Winograd;

/* Can it be computed so at all? 2-d, 3x3, stride 1 or 2, no dilation, channels that fill
 * vectors (those of each group, in one panel). */
bool conv_suits_winograd(const Value *conv, const Target *target);
Winograd winograd_of(const Value *conv, Schedule schedule, const Target *target);
bool schedule_is_winograd(Schedule schedule);

#endif
