/* A contraction as the builder sees it; see lower_contract.c. */
#ifndef VTC_PASSES_CONTRACTION_H
#define VTC_PASSES_CONTRACTION_H

#include "passes/lower.h"

typedef struct Contraction {
    int a, b, bias, table;  /* operands; -1 none */
    int sink;               /* where the sums go; -1: through the chain */
    bool swapped;           /* a product computed as its transpose */
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
} Contraction;

void contraction_describe(Lower *l, Contraction *c);
void contraction_build(Lower *l, Contraction *c);
/* All rows and columns from `at` on, within one task. */
void contraction_tiles(Lower *l, Contraction *c, At at);

#endif
