/* Convolution of few channels by minimal correlations along its rows (Toom-Cook;
 * ir/bilinear.h): the stem of a network, 7x7 of stride 2 on 3 channels.
 *
 *     for each task (some rows of the output):
 *         V[row][point][tile][group] = B^T x, along each input row
 *         for each output row, panel:
 *             M[point][tile][oc] = sum over kh, group: V[row + kh][point] U[point][kh]
 *             y[4 * tile ..][oc] = chain(A^T M + bias)
 *
 * With a max pooling behind it a task is some rows of the pooled map, and three rows of
 * the convolution wait in Y, for each panel:
 *
 *         Y[0] = the row before; for each pooled row:
 *             Y[1], Y[2] = the next two; pooled = chain(max of 3x3 in Y); Y[0] = Y[2]
 *
 * A group is the channels of `stride` pixels side by side: one vector of the input.
 * The pixels of a group meet different weights but the same points, so that they add
 * up like channels. 14 products give 4 outputs of a row of 7 taps, not 28. */
#include "passes/contraction.h"
#include "passes/toom_cook.h"
#include "passes/transform.h"
#include <math.h>

typedef struct Stem {
    ToomCook g;
    int x, weight, bias, v, m; /* operands */
    int y;                     /* rows that wait for the pooling */
    const Value *pool;         /* NULL none */
    Axis height, width;        /* of the convolution's map */
    Axis channel;              /* its channels, with the bias */
} Stem;

/* Input row `from` (element offset) as row `row` of V. */
static void build_input_row(Lower *l, const Stem *s, Index from, Index row)
{
    const ToomCook *g = &s->g;
    const Expr *in[MAX_POINTS], *out[MAX_POINTS];
    const IVar *tile = build_for(&l->b, "tile", g->tiles, false);
    from = index_add(from, index_mul(index_var(tile), TOOM_COOK_TILE * g->group));
    for (int q = 0; q < g->b.inputs; q++)
        in[q] = build_let(&l->b, "x", expr_load(l->arena, l->kernel, s->x,
                                                index_plus(from, q * g->group),
                                                TOOM_COOK_LANES));
    transform_build(&l->b, l->target, &g->b.bt, g->b.points, g->b.inputs, in, out);
    Index to = index_add(index_mul(row, g->v_row), index_mul(index_var(tile), TOOM_COOK_LANES));
    for (int p = 0; p < g->b.points; p++)
        build_store(&l->b, s->v, index_plus(to, p * g->v_point), out[p]);
    build_end(&l->b);
}

static void build_inputs(Lower *l, const Stem *s, Index task)
{
    const ToomCook *g = &s->g;
    int64_t step = l->group->anchor->args[0]->place.stride[2];
    const IVar *row = build_for(&l->b, "row", g->input_rows, false);
    Index from = index_add(index_mul(task, g->rows * g->stride), index_var(row));
    build_input_row(l, s, index_mul(from, step), index_var(row));
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
        at_move(&here, l->operands, &s->width, index_const(k));
        const Expr *y = out[k];
        if (s->bias >= 0)
            y = expr_bin(l->arena, EX_add, y, at_load(l, &here, s->bias));
        y = build_let(&l->b, "y", y);
        if (s->pool)
            build_store(&l->b, s->y, here.index[s->y],
                        chain_between(l, &here, l->group->anchor, y, s->pool->args[0]));
        else
            chain_store(l, &here, y);
    }
}

/* One tile, one vector of channels. */
static void build_output(Lower *l, const Stem *s, At at, Index tile)
{
    const ToomCook *g = &s->g;
    const Expr *in[MAX_POINTS], *out[MAX_POINTS];
    int64_t last = s->width.extent - (g->tiles - 1) * TOOM_COOK_TILE;
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
    Axis across = s->width, vectors = s->channel;
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

/* From a panel's channels to the next's: products and waiting rows are of one. */
static Axis panel_axis(const Lower *l, const Stem *s)
{
    Axis step = s->channel;
    for (int i = 0; i < l->operands; i++)
        step.step[i] *= s->g.width;
    step.step[s->m] = 0;
    if (s->pool)
        step.step[s->y] = 0;
    return step;
}

/* `at` stands at the first pixel of the row. */
static void build_panel(Lower *l, const Stem *s, At at, Index row, Index panel, bool narrow)
{
    const ToomCook *g = &s->g;
    int64_t outputs = l->group->anchor->type.shape.dim[1];
    int64_t columns = narrow ? outputs - (g->panels - 1) * g->width : g->width;
    Axis step = panel_axis(l, s);
    build_products(l, s, row, panel, columns);
    at_move(&at, l->operands, &step, panel);
    build_outputs(l, s, at, columns);
}

/* Each panel by `body`; the last may be narrow. */
typedef void PanelBody(Lower *l, const Stem *s, At at, Index row, Index panel, bool narrow);

static void each_panel(Lower *l, const Stem *s, At at, Index row, PanelBody *body)
{
    const ToomCook *g = &s->g;
    bool narrow = l->group->anchor->type.shape.dim[1] % g->width != 0;
    int64_t whole = g->panels - narrow;
    if (whole) {
        const IVar *panel = build_for(&l->b, "panel", whole, false);
        body(l, s, at, row, index_var(panel), false);
        build_end(&l->b);
    }
    if (narrow)
        body(l, s, at, row, index_const(whole), true);
}

/* ---- with a pooling ---------------------------------------------------- */

/* The rows of the input that the task's rows of the convolution read; others than the
 * convolution reads at all belong to rows that are not computed. */
static void build_pool_inputs(Lower *l, const Stem *s, Index task)
{
    const ToomCook *g = &s->g;
    int64_t height = (s->height.extent - 1) * g->stride + g->kernel_h;
    int64_t step = l->group->anchor->args[0]->place.stride[2];
    const IVar *row = build_for(&l->b, "row", g->input_rows, false);
    Index from = index_plus(index_add(index_mul(task, 2 * g->pooled * g->stride), index_var(row)),
                            -g->stride);
    build_if_less(&l->b, from, 0);
    build_else(&l->b);
    build_if_less(&l->b, from, height);
    build_input_row(l, s, index_mul(from, step), index_var(row));
    build_end(&l->b);
    build_end(&l->b);
    build_end(&l->b);
}

/* `count` pixels from column `column` on of waiting row `slot` are never the largest. */
static void fill_pixels(Lower *l, const Stem *s, int64_t slot, int64_t column, int64_t count)
{
    int lanes = l->target->lanes;
    int64_t from = slot * s->g.y_row + column * s->g.width;
    const IVar *at = build_for(&l->b, "outside", count * s->g.width / lanes, false);
    build_store(&l->b, s->y, index_plus(index_mul(index_var(at), lanes), from),
                expr_real(l->arena, -INFINITY, lanes));
    build_end(&l->b);
}

/* Row `conv` of the convolution's map, the task's row `row`, waits in `slot`. */
static void wait_row(Lower *l, const Stem *s, At at, Index conv, Index row, Index panel,
                     bool narrow, int64_t slot)
{
    at.index[s->y] = index_const(slot * s->g.y_row + s->g.width);
    build_if_less(&l->b, conv, 0);
    fill_pixels(l, s, slot, 1, s->width.extent);
    build_else(&l->b);
    build_if_less(&l->b, conv, s->height.extent);
    build_panel(l, s, at, row, panel, narrow);
    build_else(&l->b);
    fill_pixels(l, s, slot, 1, s->width.extent);
    build_end(&l->b);
    build_end(&l->b);
}

/* A row of the pooled map from the three that wait; `at` at its first pixel. */
static void pool_row(Lower *l, const Stem *s, At at, int64_t columns)
{
    Nest nest = nest_of_result(l);
    Axis across = nest.axis[3], vectors = nest.axis[1];
    int lanes = l->target->lanes;
    across.step[s->y] = 2 * s->g.width;
    vectors.step[s->y] = 1;
    for (int i = 0; i < l->operands; i++)
        vectors.step[i] *= lanes;
    at.lanes = lanes;
    at.vector = &nest.axis[1];
    const IVar *pixel = build_for(&l->b, "pixel", across.extent, false);
    at_move(&at, l->operands, &across, index_var(pixel));
    const IVar *block = build_for(&l->b, "oc", columns / lanes, false);
    at_move(&at, l->operands, &vectors, index_var(block));
    const Expr *most = NULL;
    for (int k = 0; k < 9; k++) {
        Index from = index_plus(at.index[s->y], k / 3 * s->g.y_row + k % 3 * s->g.width);
        const Expr *y = build_let(&l->b, "y", expr_load(l->arena, l->kernel, s->y, from, lanes));
        most = most ? build_let(&l->b, "most", expr_bin(l->arena, EX_max, most, y)) : y;
    }
    chain_store_after(l, &at, s->pool, most);
    build_end(&l->b);
    build_end(&l->b);
}

static void keep_last_row(Lower *l, const Stem *s)
{
    int lanes = l->target->lanes;
    const IVar *at = build_for(&l->b, "kept", s->g.y_row / lanes, false);
    Index to = index_mul(index_var(at), lanes), from = index_plus(to, 2 * s->g.y_row);
    build_store(&l->b, s->y, to, expr_load(l->arena, l->kernel, s->y, from, lanes));
    build_end(&l->b);
}

/* A task's pooled rows; `first` is the first of them. */
static void pool_panel(Lower *l, const Stem *s, At at, Index first, Index panel, bool narrow)
{
    const ToomCook *g = &s->g;
    int64_t columns = l->group->anchor->type.shape.dim[1] - (g->panels - 1) * g->width;
    Axis step = panel_axis(l, s), down = nest_of_result(l).axis[2];
    for (int slot = 0; slot < 3; slot++) {
        fill_pixels(l, s, slot, 0, 1);
        fill_pixels(l, s, slot, s->width.extent + 1, 1);
    }
    Index conv = index_mul(first, 2);
    wait_row(l, s, at, index_plus(conv, -1), index_const(0), panel, narrow, 0);
    const IVar *pair = build_for(&l->b, "pair", g->pooled, false);
    Index two = index_mul(index_var(pair), 2);
    conv = index_add(conv, two);
    wait_row(l, s, at, conv, index_plus(two, 1), panel, narrow, 1);
    wait_row(l, s, at, index_plus(conv, 1), index_plus(two, 2), panel, narrow, 2);
    At pooled = at;
    pooled.index[s->y] = index_const(0);
    at_move(&pooled, l->operands, &down, index_add(first, index_var(pair)));
    at_move(&pooled, l->operands, &step, panel);
    pool_row(l, s, pooled, narrow ? columns : g->width);
    keep_last_row(l, s);
    build_end(&l->b);
}

static void lower_pooled(Lower *l, const Stem *s)
{
    Index task = lower_tasks(l, s->pool->type.shape.dim[2] / s->g.pooled);
    build_pool_inputs(l, s, task);
    each_panel(l, s, at_origin(l, 1, NULL), index_mul(task, s->g.pooled), pool_panel);
}

/* ---- the step ---------------------------------------------------------- */

static void open_operands(Lower *l, Stem *s)
{
    const Value *conv = l->group->anchor;
    s->x = lower_operand(l, conv->args[0], true);
    s->weight = lower_operand(l, conv->args[1], true);
    s->bias = conv->nargs == 3 ? lower_operand(l, conv->args[2], true) : -1;
    s->v = lower_scratch(l, "v", 0, s->g.v_count);
    int64_t v_bytes = temporary_align(s->g.v_count * 4);
    s->m = lower_scratch(l, "m", v_bytes, s->g.m_count);
    s->pool = stem_pool(l->group);
    if (s->pool)
        s->y = lower_scratch(l, "waiting", v_bytes + temporary_align(s->g.m_count * 4),
                             s->g.y_count);
    Nest nest = nest_of_result(l);
    s->channel = nest.axis[1];
    s->height = nest.axis[2];
    s->width = nest.axis[3];
    s->channel.step[s->m] = 1;
    if (s->bias >= 0)
        s->channel.step[s->bias] = 1;
    if (s->pool) {
        s->height = (Axis){.extent = conv->type.shape.dim[2]};
        s->width = (Axis){.extent = conv->type.shape.dim[3]};
        s->width.step[s->y] = s->g.width;
        s->channel.step[s->y] = 1;
    }
}

static void lower_rows(Lower *l, const Stem *s)
{
    Index task = lower_tasks(l, s->height.extent / s->g.rows);
    build_inputs(l, s, task);
    const IVar *row = build_for(&l->b, "row", s->g.rows, false);
    At at = at_origin(l, 1, NULL);
    at_move(&at, l->operands, &s->height,
            index_add(index_mul(task, s->g.rows), index_var(row)));
    each_panel(l, s, at, index_var(row), build_panel);
    build_end(&l->b);
}

void lower_toom_cook(Lower *l)
{
    Stem s = {.g = toom_cook_of(l->group, l->target)};
    lower_open(l, "toom_cook");
    open_operands(l, &s);
    store_pad_pixel(l);
    if (s.pool)
        lower_pooled(l, &s);
    else
        lower_rows(l, &s);
    lower_close(l);
}
