/* How a convolution by Winograd's algorithm is cut into tiles, and the memory that
 * takes: what scheduling, memory planning and lowering agree on. */
#ifndef VTC_PASSES_WINOGRAD_H
#define VTC_PASSES_WINOGRAD_H

#include "ir/bilinear.h"
#include "ir/graph.h"
#include "ir/target.h"

/* Along a side of the map: whole tiles, and one or two of what they leave (winograd.c, [Tiles
 * of two sizes]). Points REST are those of all tiles, the first; points WHOLE the others. */
enum { WHOLE, REST, TILE_KINDS };
typedef struct Side {
    int64_t tiles, count[TILE_KINDS]; /* of the rest 0, 1 or 2 */
    Bilinear b[TILE_KINDS];
    int64_t first[TILE_KINDS], points[TILE_KINDS];
} Side;
int side_points(const Side *side); /* of all kinds */
/* The kind of the tiles that have the point of this number. */
int side_kind(const Side *side, int point);
/* Whole tiles are the first: where one starts, and which of them a task has. */
int64_t side_start(const Side *side, int64_t tile);
int64_t side_tile_of_task(const Side *side, int64_t task);

typedef struct Winograd {
    Bilinear b;                /* of a whole tile, along either side */
    Side down, across;
    int64_t points;            /* of a whole tile */
    int64_t groups;
    int64_t inputs, outputs;   /* channels: inputs of a group, outputs of all */
    int64_t width, panels;     /* output channels of a panel; panels, the last
                                  may be narrower; a group is one panel */
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
    /* Online, and the sums of a row of points fit in registers: parts that a row is cut into
     * for that; 0: they do not. */
    int held;
    int64_t v_count, m_count, t_count, u_count; /* elements of inputs, products,
                                                   one tile, weights */
} Winograd;

/* Can it be computed so at all? 2-d, 3x3, stride 1 or 2, no dilation, channels that fill
 * vectors (those of each group, in one panel). */
bool conv_suits_winograd(const Value *conv, const Target *target);
Winograd winograd_of(const Value *conv, Schedule schedule, const Target *target);
/* Does each thread transform all inputs for itself, of so many threads at most? */
bool winograd_copies_inputs(const Winograd *g, int max_threads);
bool schedule_is_winograd(Schedule schedule);

/* Rows by columns of tiles of one size: the first one's number among all tiles, and in the
 * task's V and M. */
typedef struct Region {
    int down, across; /* kinds */
    int64_t rows, columns, number, first;
} Region;
Region winograd_region(const Winograd *g, int down, int across);

/* The task's tiles that multiply at points of a kind along either side, in V and M; a row of
 * tiles has one kind down. */
typedef struct Tiles {
    int64_t first, count;
} Tiles;
Tiles winograd_tiles(const Winograd *g, int down, int across);

/* Points along a row, from `first` on, whose sums of all tiles fit in registers together. */
enum { MAX_TILE_SUMS = 32 };
int winograd_points_held(const Winograd *g, const Target *target, int first);

#endif
