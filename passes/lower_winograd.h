/* Convolution by Winograd's algorithm, shared by its files. */
#ifndef VTC_PASSES_LOWER_WINOGRAD_H
#define VTC_PASSES_LOWER_WINOGRAD_H

#include "passes/contraction.h"
#include "passes/transform.h"
#include "passes/winograd.h"

typedef struct Wino {
    Winograd g;
    int x, weight, bias, table, v, m, t, u; /* operands */
    Nest nest;                           /* of the result */
    Axis channel;                        /* its channels, with the bias */
} Wino;

/* A panel's `columns` channels. */
typedef struct Panel {
    Index number;
    int64_t columns;
} Panel;

/* The tiles' products at one point. */
typedef struct Products {
    Contraction c;
    At at;               /* at their first V and M */
    Index column, point; /* the point in its row, and of all */
} Products;

/* Opens the loop over the points of a kind across in a row of points of a kind down; false:
 * there are none. */
bool winograd_begin_points(Lower *l, const Wino *w, const Panel *panel, int down, int across,
                           Index row, Products *p);

/* lower_winograd_online.c: all products of a panel, M, of weights that are transformed as it
 * goes. */
void winograd_online_products(Lower *l, const Wino *w, const Panel *panel);

#endif
