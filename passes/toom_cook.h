/* How a convolution of few channels is cut into tiles along its rows. */
#ifndef VTC_PASSES_TOOM_COOK_H
#define VTC_PASSES_TOOM_COOK_H

#include "ir/bilinear.h"
#include "ir/graph.h"
#include "ir/target.h"

/* Lanes hold a pixel group: the channels of as many pixels as the stride. */
enum { TOOM_COOK_TILE = 4, TOOM_COOK_LANES = 8 };

typedef struct ToomCook {
    Bilinear b;
    int64_t kernel_h, stride, group; /* group: stride * channels, at most the lanes */
    int64_t width, panels;           /* output channels of a panel; panels */
    int64_t tiles;                   /* of a row of the output */
    int64_t rows, input_rows;        /* of one task: output rows, input rows */
    int64_t v_row, v_point;          /* transformed inputs: elements from one to the next */
    int64_t m_point;                 /* products */
    int64_t v_count, m_count;
    /* With a max pooling behind it: rows of the pooled map of one task, which are as
     * many pairs of rows of the convolution's and the row before them; three of these,
     * with a pixel on either side, wait for the pooling. */
    int64_t pooled;
    int64_t y_row, y_count;
} ToomCook;

bool conv_suits_toom_cook(const Value *conv, const Target *target);
/* Can the pooling be computed with the convolution? 3x3 of stride 2, a pixel of padding
 * before. */
bool stem_takes_pool(const Value *conv, const Value *pool, const Target *target);
/* The pooling in the convolution's group; NULL none. */
const Value *stem_pool(const Group *group);
ToomCook toom_cook_of(const Group *group, const Target *target);

#endif
