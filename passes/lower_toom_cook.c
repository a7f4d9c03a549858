/* Convolution of few channels by minimal correlations along its rows (Toom-Cook;
 * ir/bilinear.h): the stem of a network, 7x7 of stride 2 on 3 channels.
 *
 *     for each task (some rows of the output):
 *         V[row][point][tile][group] = B^T x, along each input row
 *         for each output row, panel:
 *             M[point][tile][oc] = sum over kh, group: V[row + kh][point] U[point][kh]
 *             y[4 * tile ..][oc] = chain(A^T M + bias)
 *
 * A group is the channels of `stride` pixels side by side: one vector of the input.
 * The pixels of a group meet different weights but the same points, so that they add
 * up like channels. 14 products give 4 outputs of a row of 7 taps, not 28. */
#include "passes/contraction.h"
#include "passes/toom_cook.h"
#include "passes/transform.h"

typedef struct Stem {
    ToomCook g;
    int x, weight, bias, v, m; /* operands */
    Nest nest;                 /* of the result */
    Axis channel;              /* its channels, with the bias */
} Stem;

static void build_inputs(Lower *l, const Stem *s, Index task)
{
    const ToomCook *g = &s->g;
    const Value *x = l->group->anchor->args[0];
    const Expr *in[MAX_POINTS], *out[MAX_POINTS];
    const IVar *row = build_for(&l->b, "row", g->input_rows, false);
    const IVar *tile = build_for(&l->b, "tile", g->tiles, false);
    Index from = index_add(index_mul(task, g->rows * g->stride), index_var(row));
    from = index_add(index_mul(from, x->place.stride[2]),
                     index_mul(index_var(tile), TOOM_COOK_TILE * g->group));
    for (int q = 0; q < g->b.inputs; q++)
        in[q] = build_let(&l->b, "x", expr_load(l->arena, l->kernel, s->x,
                                                index_plus(from, q * g->group),
                                                TOOM_COOK_LANES));
    transform_build(&l->b, l->target, &g->b.bt, g->b.points, g->b.inputs, in, out);
    Index to = index_add(index_mul(index_var(row), g->v_row),
                         index_mul(index_var(tile), TOOM_COOK_LANES));
    for (int p = 0; p < g->b.points; p++)
        build_store(&l->b, s->v, index_plus(to, p * g->v_point), out[p]);
    build_end(&l->b);
    build_end(&l->b);
}

static void build_products(Lower *l, const Stem *s, Index row, Index panel, int64_t columns)
{
    const ToomCook *g = &s->g;
    int64_t step = g->kernel_h * g->group * g->width; /* weights of a point */
    Contraction c = {.a = s->v, .b = s->weight, .bias = -1, .table = -1, .sink = s->m,
                     .sums = -1, .groups = 1, .taps = g->kernel_h, .tap_step = g->v_row,
                     .run = g->group, .run_step = 1, .b_step = g->width, .panel = g->width,
                     .lanes = l->target->lanes};
    c.rows.operands = l->operands;
    c.rows.n = 1;
    c.rows.axis[0] = (Axis){.extent = g->tiles};
    c.rows.axis[0].step[s->v] = TOOM_COOK_LANES;
    c.rows.axis[0].step[s->m] = g->width;
    c.columns = (Axis){.extent = columns};
    c.columns.step[s->weight] = c.columns.step[s->m] = 1;
    const IVar *point = build_for(&l->b, "point", g->b.points, false);
    At at = at_origin(l, 1, NULL);
    at.index[s->v] = index_add(index_mul(row, g->stride * g->v_row),
                               index_mul(index_var(point), g->v_point));
    at.index[s->m] = index_mul(index_var(point), g->m_point);
    at.index[s->weight] = index_add(index_mul(panel, g->b.points * step),
                                    index_mul(index_var(point), step));
    contraction_tiles(l, &c, at);
    build_end(&l->b);
}

static void store_pixels(Lower *l, const Stem *s, At at, const Expr *const *out, int64_t count)
{
    for (int k = 0; k < count; k++) {
        At here = at;
        at_move(&here, l->operands, &s->nest.axis[3], index_const(k));
        const Expr *y = out[k];
        if (s->bias >= 0)
            y = expr_bin(l->arena, EX_add, y, at_load(l, &here, s->bias));
        chain_store(l, &here, build_let(&l->b, "y", y));
    }
}

/* One tile, one vector of channels. */
static void build_output(Lower *l, const Stem *s, At at, Index tile)
{
    const ToomCook *g = &s->g;
    const Expr *in[MAX_POINTS], *out[MAX_POINTS];
    int64_t last = s->nest.axis[3].extent - (g->tiles - 1) * TOOM_COOK_TILE;
    for (int p = 0; p < g->b.points; p++)
        in[p] = build_let(&l->b, "m",
                          expr_load(l->arena, l->kernel, s->m,
                                    index_plus(at.index[s->m], p * g->m_point), at.lanes));
    transform_build(&l->b, l->target, &g->b.at, TOOM_COOK_TILE, g->b.points, in, out);
    if (last == TOOM_COOK_TILE || g->tiles == 1) {
        store_pixels(l, s, at, out, last);
        return;
    }
    build_if_less(&l->b, tile, g->tiles - 1);
    store_pixels(l, s, at, out, TOOM_COOK_TILE);
    build_else(&l->b);
    store_pixels(l, s, at, out, last);
    build_end(&l->b);
}

static void build_outputs(Lower *l, const Stem *s, At at, int64_t columns)
{
    Axis across = s->nest.axis[3], vectors = s->channel;
    bool dense = s->channel.step[0] == 1;
    for (int i = 0; i < l->operands; i++) {
        across.step[i] *= TOOM_COOK_TILE;
        dense = dense && (s->channel.step[i] == 0 || s->channel.step[i] == 1);
    }
    across.step[s->m] = s->g.width;
    at.lanes = dense ? lower_lanes(l) : 1;
    at.vector = at.lanes > 1 ? &s->channel : NULL;
    for (int i = 0; i < l->operands; i++)
        vectors.step[i] *= at.lanes;
    const IVar *tile = build_for(&l->b, "tile", s->g.tiles, false);
    at_move(&at, l->operands, &across, index_var(tile));
    const IVar *block = build_for(&l->b, "oc", columns / at.lanes, false);
    at_move(&at, l->operands, &vectors, index_var(block));
    build_output(l, s, at, index_var(tile));
    build_end(&l->b);
    build_end(&l->b);
}

/* `at` stands at the first pixel of the row. */
static void build_panel(Lower *l, const Stem *s, At at, Index row, Index panel, bool narrow)
{
    const ToomCook *g = &s->g;
    int64_t outputs = l->group->anchor->type.shape.dim[1];
    int64_t columns = narrow ? outputs - (g->panels - 1) * g->width : g->width;
    Axis step = s->channel;
    step.step[s->m] = 0;
    for (int i = 0; i < l->operands; i++)
        step.step[i] *= g->width;
    build_products(l, s, row, panel, columns);
    at_move(&at, l->operands, &step, panel);
    build_outputs(l, s, at, columns);
}

static void build_row(Lower *l, const Stem *s, At at, Index row)
{
    const ToomCook *g = &s->g;
    bool narrow = l->group->anchor->type.shape.dim[1] % g->width != 0;
    int64_t whole = g->panels - narrow;
    if (whole) {
        const IVar *panel = build_for(&l->b, "panel", whole, false);
        build_panel(l, s, at, row, index_var(panel), false);
        build_end(&l->b);
    }
    if (narrow)
        build_panel(l, s, at, row, index_const(whole), true);
}

static void open_operands(Lower *l, Stem *s)
{
    const Value *conv = l->group->anchor;
    s->x = lower_operand(l, conv->args[0], true);
    s->weight = lower_operand(l, conv->args[1], true);
    s->bias = conv->nargs == 3 ? lower_operand(l, conv->args[2], true) : -1;
    s->v = lower_scratch(l, "v", 0, s->g.v_count);
    s->m = lower_scratch(l, "m", temporary_align(s->g.v_count * 4), s->g.m_count);
    s->nest = nest_of_result(l);
    s->channel = s->nest.axis[1];
    s->channel.step[s->m] = 1;
    if (s->bias >= 0)
        s->channel.step[s->bias] = 1;
}

void lower_toom_cook(Lower *l)
{
    Stem s = {.g = toom_cook_of(l->group->anchor, l->target)};
    lower_open(l, "toom_cook");
    open_operands(l, &s);
    store_pad_pixel(l);
    Index task = lower_tasks(l, s.nest.axis[2].extent / s.g.rows);
    build_inputs(l, &s, task);
    const IVar *row = build_for(&l->b, "row", s.g.rows, false);
    At at = at_origin(l, 1, NULL);
    at_move(&at, l->operands, &s.nest.axis[2],
            index_add(index_mul(task, s.g.rows), index_var(row)));
    build_row(l, &s, at, index_var(row));
    build_end(&l->b);
    lower_close(l);
}
