/* A contraction as the builder sees it; see lower_contract.c. */
#ifndef VTC_PASSES_CONTRACTION_H
#define VTC_PASSES_CONTRACTION_H

#include "passes/lower.h"

enum { MAX_MAPS = 4, LINE = 16 }; /* LINE: f32 of a line of the cache */

/* One of several products that add up: its sums start from zero or from sums that wait,
 * and end waiting, or as elements of the result, or both. */
typedef struct Partial {
    int buffer;          /* operand in which sums wait */
    int64_t from;        /* element of it to start from; -1: zero */
    int64_t to, to_plus; /* stored there, with what waits at to_plus added; -1: not */
    bool ends;           /* with what waits at end_plus (-1: nothing) and the bias added: */
    int64_t end_plus;    /* through the chain */
} Partial;

/* Rows cut into tiles, tiles into blocks. Either the blocks are even, with some tiles of a row
 * less at the end of each, or the last has the rows left over, and may have fewer tiles. */
typedef struct Blocks {
    int rows;              /* of a tile */
    int64_t tiles, rest;   /* full tiles; rows left over */
    int64_t block, blocks; /* full tiles of a block; blocks */
    int64_t fewer;         /* tiles of a row less in each block */
    int64_t most;          /* rows of the largest block */
} Blocks;
int64_t blocks_row(const Blocks *blocks); /* rows from one block to the next */
/* Tiles of a block, from `least` to `most`, that two and four threads, if so many may come,
 * share most evenly; the more of those that do alike. */
int64_t blocks_even(int64_t tiles, int64_t least, int64_t most, int max_threads);

typedef struct Contraction {
    int a, b, bias, table;  /* operands; -1 none */
    int sink;               /* where the sums go; -1: through the chain */
    int sums;               /* where they wait between stretches; -1 nowhere */
    bool swapped;           /* a product computed as its transpose */
    bool adds;              /* to what is in the sink */
    bool packed, use_table;
    int64_t groups;
    Nest batch, rows;       /* outer loops; rows: the last axis is tiled */
    Axis group, columns;
    int64_t taps, tap_step; /* window positions; elements of a from one to the next */
    int64_t run, run_step;  /* dense part of the reduction; elements of a per step */
    int64_t b_step;         /* elements of b from one k to the next */
    int64_t panel, panel_step;
    int64_t row_step[3];
    int lanes;
    /* Note [Maps ahead]: operands that a tile asks for; the next one's inputs are. */
    int map[MAX_MAPS], maps;
    bool inputs_follow; /* right behind its own */
    bool rows_follow;   /* as rows, which other groups' inputs lie between */
    int64_t inputs_ahead; /* elements of a from inputs to those read after all; 0: unknown */
    const Partial *partial; /* NULL: a product alone */
} Contraction;

/* A part of the reduction: `count` steps from `start` on at window position `tap`.
 * Sums come from and go to c->sums; the whole starts from the bias and ends in the
 * chain or the sink. */
typedef struct Stretch {
    bool whole;
    Index tap, start;
    int64_t count;
    /* What is read after this stretch is asked for, `first` lines (of 16 f32) before
     * and `lines` with each unrolled part of the loop, from element `ahead` of an
     * operand on. */
    int first, lines, operand;
    Index ahead;
    Near near;
    /* So are as many inputs as it reads, from here on, by the first unrolled parts. */
    bool asks_inputs;
    Index inputs;
} Stretch;

/* lower_tile.c: rows x columns of the result from `at` on. */
typedef enum TileWork { TILE_begin, TILE_multiply, TILE_end } TileWork;
typedef struct TilePlace {
    At at;
    int rows;
    int64_t columns;
} TilePlace;
/* begin: bias or zero into the sums; end: the sums through the chain. */
void tile_build(Lower *l, const Contraction *c, const TilePlace *place, TileWork work,
                const Stretch *stretch);

/* lower_ahead.c: which maps the tiles ask for; the requests of one unrolled step, the
 * k-th of so many. */
void contraction_ask(Lower *l, Contraction *c);
void tile_ask(Lower *l, const Contraction *c, const TilePlace *tile, Index k, int64_t steps);
void tile_ask_inputs(Lower *l, const Contraction *c, const Stretch *stretch, int rows, Index k,
                     int64_t steps);

/* Steps of a stretch for panels of so many columns and blocks of so many tiles; 0: the
 * reduction is not cut.
 * Sums of SUMS_ROWS rows wait, at most. */
enum { SUMS_ROWS = 160 };
int64_t contraction_stretch(const Target *target, int64_t taps, int64_t run, int64_t panel,
                            int64_t tiles);

void contraction_describe(Lower *l, Contraction *c);
/* Its end, for those who describe operands, rows and columns themselves: panels,
 * axes merged, lanes. */
void contraction_finish(Lower *l, Contraction *c);
void contraction_build(Lower *l, Contraction *c);
/* One stretch of the reduction over all tiles from `at` on; the sums wait in the
 * sink. `ahead` tells what to ask for: of `elements` each of `rounds` calls an equal part,
 * in order, spread over its tiles. */
typedef struct Ahead {
    int operand;
    Index from;
    int64_t elements, rounds;
    Index round;
} Ahead;
void contraction_work(Lower *l, Contraction *c, At at, TileWork work, const Ahead *ahead);
/* The rows of a tile that cost least over so many rows and a panel of columns. */
int contraction_tile_rows(const Target *target, int64_t extent, int64_t panel, int lanes);
/* Block `number` of the rows, `at` at its first; all of the reduction, all of a panel. The
 * weights behind those it reads are asked for. */
void contraction_block(Lower *l, Contraction *c, At at, Index number, const Blocks *blocks);
/* All rows and columns from `at` on, within one task: of one panel; of all, without
 * sums that wait. */
void contraction_tiles(Lower *l, Contraction *c, At at);
void contraction_rows(Lower *l, Contraction *c, At at);

#endif
