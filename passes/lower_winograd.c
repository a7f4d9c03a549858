/* Convolution by Winograd's algorithm (Lavin and Gray 2016): tiles of the input and
 * the weights are transformed, multiplied point by point (a product of matrices
 * for each point, over channels), and transformed back.
 *
 *     form "rows":   for each task (a row of tiles)
 *                        V[point][tile][ic] = B^T x B
 *                        for each panel: products, outputs
 *     form "panels": step 1, for each row of tiles (online: block of channels): V
 *                    step 2, for each task (a panel): products, outputs
 *
 *     products: for each point:    M[point][tile][oc] = V[point] U[panel][point]
 *     outputs:  for each tile, oc: y = chain(A^T M A + bias)
 *
 * The weights U are transformed at compile time, or (online) by the task that
 * multiplies with them, some input channels at a time: they then come from memory
 * in 9, not points, elements each.
 *
 * Inputs are read
 * through a table of pixels, as in lower_contract.c, [Row offsets from a table].
 * Both forms give the same bits. */
#include "passes/contraction.h"
#include "passes/transform.h"
#include "passes/winograd.h"

typedef struct Wino {
    Winograd g;
    int x, weight, bias, table, v, m, t, u; /* operands */
    Nest nest;                           /* of the result */
    Axis channel;                        /* its channels, with the bias */
} Wino;

/* ---- inputs ------------------------------------------------------------ */

/* For every tile and every pixel of its window: the element offset, or that of
 * the pad pixel. */
static int window_table(Lower *l, const Winograd *g)
{
    const Value *conv = l->group->anchor, *x = conv->args[0];
    Window w = window_of(conv);
    int64_t images = x->type.shape.dim[0], side = g->b.inputs, at = 0;
    int64_t step = g->b.outputs * w.stride_h, zero = shape_count(&x->type.shape);
    int64_t count = images * g->tiles_h * g->tiles_w * side * side;
    int32_t *table = NEW(l->arena, int32_t, count);
    for (int64_t tile = 0; tile < images * g->tiles_h * g->tiles_w; tile++)
        for (int64_t k = 0; k < side * side; k++) {
            int64_t h = tile / g->tiles_w % g->tiles_h * step + k / side - w.pad_top;
            int64_t c = tile % g->tiles_w * step + k % side - w.pad_left;
            bool in = h >= 0 && h < w.in_h && c >= 0 && c < w.in_w;
            int64_t image = tile / (g->tiles_w * g->tiles_h) * x->place.stride[0];
            table[at++] = (int32_t)(in ? image + h * x->place.stride[2] +
                                             c * x->place.stride[3]
                                       : zero);
        }
    return lower_table(l, "pixels", table, count);
}

/* T[point][column] = B^T x, a column of the window at a time. */
static void input_columns(Lower *l, const Wino *w, Index entry, Index channel)
{
    const Winograd *g = &w->g;
    const Section *s = &l->program->sections.at[l->operand[w->table].section];
    const Expr *in[MAX_POINTS], *out[MAX_POINTS];
    int lanes = l->target->lanes, side = g->b.inputs;
    const IVar *column = build_for(&l->b, "column", side, false);
    for (int row = 0; row < side; row++) {
        Index at = index_plus(index_add(entry, index_var(column)), row * side);
        const IVar *pixel = build_iload(&l->b, "pixel", w->table, at, s->min, s->max);
        at = index_add(index_var(pixel), channel);
        in[row] = build_let(&l->b, "x", expr_load(l->arena, l->kernel, w->x, at, lanes));
    }
    transform_build(&l->b, l->target, &g->b.bt, g->b.points, side, in, out);
    for (int p = 0; p < g->b.points; p++)
        build_store(&l->b, w->t,
                    index_plus(index_mul(index_var(column), lanes),
                               p * side * lanes),
                    out[p]);
    build_end(&l->b);
}

/* V[point][tile][ic] = T B. */
static void input_rows(Lower *l, const Wino *w, Index v)
{
    const Winograd *g = &w->g;
    const Expr *in[MAX_POINTS], *out[MAX_POINTS];
    int lanes = l->target->lanes, side = g->b.inputs;
    const IVar *row = build_for(&l->b, "row", g->b.points, false);
    for (int k = 0; k < side; k++) {
        Index at = index_plus(index_mul(index_var(row), side * lanes), k * lanes);
        in[k] = build_let(&l->b, "x", expr_load(l->arena, l->kernel, w->t, at, lanes));
    }
    transform_build(&l->b, l->target, &g->b.bt, g->b.points, side, in, out);
    v = index_add(v, index_mul(index_var(row), g->b.points * g->v_point));
    for (int p = 0; p < g->b.points; p++)
        build_store(&l->b, w->v, index_plus(v, p * g->v_point), out[p]);
    build_end(&l->b);
}

/* Some tiles and vectors of channels: `first` is the first tile in the table, `channel`
 * the first channel, `v` the place of both in V. */
static void build_inputs(Lower *l, const Wino *w, int64_t tiles, int64_t vectors, Index first,
                         Index channel, Index v)
{
    const Winograd *g = &w->g;
    int side = g->b.inputs, lanes = l->target->lanes;
    const IVar *tile = build_for(&l->b, "tile", tiles, false);
    Index entry = index_mul(index_add(first, index_var(tile)), side * side);
    v = index_add(v, index_mul(index_var(tile), g->v_tile));
    const IVar *vector = build_for(&l->b, "ic", vectors, false);
    Index within = index_mul(index_var(vector), lanes);
    input_columns(l, w, entry, index_add(channel, within));
    input_rows(l, w, index_add(v, within));
    build_end(&l->b);
    build_end(&l->b);
}

/* ---- weights, online ---------------------------------------------------- */

/* U[point] = G w G^T for one input channel, one vector of outputs and a row of points:
 * `from` is the weight's element at the first window position, `to` that of U. What
 * belongs to other points is not read, and so not worked out (simplify). */
static void transform_weight(Lower *l, const Wino *w, int row, Index from, Index to)
{
    const Winograd *g = &w->g;
    const Expr *column[MAX_POINTS], *in[MAX_POINTS], *out[MAX_POINTS];
    int taps = g->b.taps, points = g->b.points;
    for (int kw = 0; kw < taps; kw++) {
        for (int kh = 0; kh < taps; kh++) {
            Index at = index_plus(from, (kh * taps + kw) * g->width);
            in[kh] = build_let(&l->b, "w", expr_load(l->arena, l->kernel, w->weight, at,
                                                     l->target->lanes));
        }
        transform_build(&l->b, l->target, &g->b.g, points, taps, in, out);
        column[kw] = out[row];
    }
    transform_build(&l->b, l->target, &g->b.g, points, taps, column, out);
    for (int p = 0; p < points; p++)
        build_store(&l->b, w->u, index_plus(to, p * g->u_point), out[p]);
}

/* A part of the input channels: which of its block, and which block. */
typedef struct Part {
    Index block, within;
} Part;

/* The first weight of a part, layout windows (ir/pack.h). */
static Index weights_from(const Wino *w, Index panel, Part part)
{
    const Winograd *g = &w->g;
    int64_t channel = g->b.taps * g->b.taps * g->width;
    Index at = index_mul(panel, g->inputs * channel);
    at = index_add(at, index_mul(part.block, g->v_tile * channel));
    return index_add(at, index_mul(part.within, g->part * channel));
}

static void build_weights(Lower *l, const Wino *w, int row, Index panel, Part part)
{
    const Winograd *g = &w->g;
    int lanes = l->target->lanes;
    const IVar *channel = build_for(&l->b, "ic", g->part, false);
    const IVar *vector = build_for(&l->b, "oc", g->width / lanes, false);
    Index column = index_mul(index_var(vector), lanes);
    Index to = index_add(index_mul(index_var(channel), g->width), column);
    Index from = index_add(weights_from(w, panel, part), column);
    from = index_add(from, index_mul(index_var(channel), g->b.taps * g->b.taps * g->width));
    transform_weight(l, w, row, from, to);
    build_end(&l->b);
    build_end(&l->b);
}

/* ---- products ---------------------------------------------------------- */

static Contraction products_of(const Lower *l, const Wino *w, int64_t columns)
{
    const Winograd *g = &w->g;
    int weight = g->online ? w->u : w->weight;
    Contraction c = {.a = w->v, .b = weight, .bias = -1, .table = -1, .sink = w->m, .sums = -1,
                     .packed = true, .groups = 1, .taps = 1, .run = g->inputs,
                     .run_step = 1, .b_step = g->width, .panel = g->width,
                     .lanes = l->target->lanes};
    c.run = g->online ? g->part : g->inputs;
    c.rows.operands = l->operands;
    c.rows.n = 1;
    c.rows.axis[0] = (Axis){.extent = g->tiles};
    c.rows.axis[0].step[w->v] = g->v_tile;
    c.rows.axis[0].step[w->m] = g->width;
    c.columns = (Axis){.extent = columns};
    c.columns.step[weight] = c.columns.step[w->m] = 1;
    return c;
}

/* M[point] = V[point] U[panel][point], `columns` channels of panel `panel`; of V the
 * panel's group. */
static void build_products(Lower *l, const Wino *w, Index panel, int64_t columns)
{
    const Winograd *g = &w->g;
    Contraction c = products_of(l, w, columns);
    const IVar *point = build_for(&l->b, "point", g->points, false);
    At at = at_origin(l, 1, NULL);
    at.index[w->v] = index_mul(index_var(point), g->v_point);
    if (g->groups > 1)
        at.index[w->v] = index_add(at.index[w->v], index_mul(panel, g->inputs));
    at.index[w->m] = index_mul(index_var(point), g->m_point);
    at.index[w->weight] = index_add(index_mul(panel, g->points * g->inputs * g->width),
                                    index_mul(index_var(point), g->inputs * g->width));
    contraction_tiles(l, &c, at);
    build_end(&l->b);
}

/* For `count` points from `first` on, the work on all tiles. The weights of the next part
 * are asked for meanwhile, evenly over all points. */
static void each_point(Lower *l, const Wino *w, int64_t first, int64_t count,
                       int64_t columns, TileWork work, Index panel, Part part)
{
    const Winograd *g = &w->g;
    Contraction c = products_of(l, w, columns);
    const IVar *point = build_for(&l->b, "point", count, false);
    Index all = index_plus(index_var(point), first);
    At at = at_origin(l, 1, NULL);
    at.index[w->v] = index_add(index_mul(all, g->v_point),
                               index_add(index_mul(part.block, g->v_block),
                                         index_mul(part.within, g->part)));
    at.index[w->m] = index_mul(all, g->m_point);
    at.index[w->u] = index_mul(index_var(point), g->u_point);
    Part next = {part.block, index_plus(part.within, 1)};
    Ahead ahead = {w->weight, weights_from(w, panel, next),
                   g->part * g->b.taps * g->b.taps * g->width, g->points, all};
    contraction_work(l, &c, at, work, work == TILE_multiply ? &ahead : NULL);
    build_end(&l->b);
}

static void build_online(Lower *l, const Wino *w, Index panel, int64_t columns)
{
    const Winograd *g = &w->g;
    Part part = {index_const(0), index_const(0)};
    each_point(l, w, 0, g->points, columns, TILE_begin, panel, part);
    part.block = index_var(build_for(&l->b, "block", g->inputs / g->v_tile, false));
    part.within = index_var(build_for(&l->b, "part", g->v_tile / g->part, false));
    for (int row = 0; row < g->b.points; row++) {
        build_weights(l, w, row, panel, part);
        each_point(l, w, row * g->b.points, g->b.points, columns, TILE_multiply, panel, part);
    }
    build_end(&l->b);
    build_end(&l->b);
}

/* ---- outputs ----------------------------------------------------------- */

/* T[row][point] = A^T M, a column of points at a time. */
static void output_columns(Lower *l, const Wino *w, Index m, int lanes)
{
    const Winograd *g = &w->g;
    const Expr *in[MAX_POINTS], *out[MAX_POINTS];
    int points = g->b.points;
    const IVar *column = build_for(&l->b, "column", points, false);
    m = index_add(m, index_mul(index_var(column), g->m_point));
    for (int p = 0; p < points; p++)
        in[p] = build_let(&l->b, "m",
                          expr_load(l->arena, l->kernel, w->m,
                                    index_plus(m, p * points * g->m_point),
                                    lanes));
    transform_build(&l->b, l->target, &g->b.at, g->b.outputs, points, in, out);
    for (int row = 0; row < g->b.outputs; row++)
        build_store(&l->b, w->t,
                    index_plus(index_mul(index_var(column), lanes), row * points * lanes),
                    out[row]);
    build_end(&l->b);
}

static void store_pixels(Lower *l, const Wino *w, At at, const Expr *const *out, int count)
{
    const Axis *width = &w->nest.axis[3];
    for (int k = 0; k < count; k++) {
        At here = at;
        at_move(&here, l->operands, width, index_const(k));
        const Expr *y = out[k];
        if (w->bias >= 0)
            y = expr_bin(l->arena, EX_add, y, at_load(l, &here, w->bias));
        chain_store(l, &here, build_let(&l->b, "y", y));
    }
}

/* `rows` rows of a tile; the last tile of a row may be narrower. */
static void output_rows(Lower *l, const Wino *w, At at, int64_t rows, Index tile)
{
    const Winograd *g = &w->g;
    const Expr *in[MAX_POINTS], *out[MAX_POINTS];
    int points = g->b.points, side = g->b.outputs;
    int last = (int)(w->nest.axis[3].extent - (g->tiles_w - 1) * side);
    const IVar *row = build_for(&l->b, "row", rows, false);
    at_move(&at, l->operands, &w->nest.axis[2], index_var(row));
    for (int p = 0; p < points; p++) {
        Index from = index_plus(index_mul(index_var(row), points * at.lanes), p * at.lanes);
        in[p] = build_let(&l->b, "m", expr_load(l->arena, l->kernel, w->t, from, at.lanes));
    }
    transform_build(&l->b, l->target, &g->b.at, side, points, in, out);
    if (last == side || g->tiles_w == 1) {
        store_pixels(l, w, at, out, last);
    } else {
        build_if_less(&l->b, tile, g->tiles_w - 1);
        store_pixels(l, w, at, out, side);
        build_else(&l->b);
        store_pixels(l, w, at, out, last);
        build_end(&l->b);
    }
    build_end(&l->b);
}

/* `at` stands at the tile's first pixel and channel. */
static void output_tile(Lower *l, const Wino *w, At at, Index tile_h, Index tile_w)
{
    const Winograd *g = &w->g;
    int side = g->b.outputs;
    int64_t last = w->nest.axis[2].extent - (g->tiles_h - 1) * side;
    output_columns(l, w, at.index[w->m], at.lanes);
    if (last == side || g->tiles_h == 1) {
        output_rows(l, w, at, last, tile_w);
        return;
    }
    build_if_less(&l->b, tile_h, g->tiles_h - 1);
    output_rows(l, w, at, side, tile_w);
    build_else(&l->b);
    output_rows(l, w, at, last, tile_w);
    build_end(&l->b);
}

/* A row of tiles, all channels of a panel; `at` at the row's first pixel. */
static void build_outputs(Lower *l, const Wino *w, At at, Index tile_h, int64_t columns)
{
    const Winograd *g = &w->g;
    Axis across = w->nest.axis[3];
    for (int i = 0; i < l->operands; i++)
        across.step[i] *= g->b.outputs;
    across.step[w->m] = g->width;
    const IVar *tile = build_for(&l->b, "tile", g->tiles_w, false);
    at_move(&at, l->operands, &across, index_var(tile));
    bool dense = w->channel.step[0] == 1;
    for (int i = 0; i < l->operands; i++)
        dense = dense && (w->channel.step[i] == 0 || w->channel.step[i] == 1);
    at.lanes = dense ? lower_lanes(l) : 1;
    at.vector = at.lanes > 1 ? &w->channel : NULL;
    Axis vectors = w->channel;
    for (int i = 0; i < l->operands; i++)
        vectors.step[i] *= at.lanes;
    const IVar *block = build_for(&l->b, "oc", columns / at.lanes, false);
    at_move(&at, l->operands, &vectors, index_var(block));
    output_tile(l, w, at, tile_h, index_var(tile));
    build_end(&l->b);
    build_end(&l->b);
}

/* ---- the two forms ----------------------------------------------------- */

static void open_operands(Lower *l, Wino *w)
{
    const Value *conv = l->group->anchor;
    w->weight = lower_operand(l, conv->args[1], true);
    w->bias = conv->nargs == 3 ? lower_operand(l, conv->args[2], true) : -1;
    int64_t v = temporary_align(w->g.v_count * 4), m = temporary_align(w->g.m_count * 4);
    int64_t own = w->g.by_panels ? 0 : v;
    w->m = lower_scratch(l, "m", own, w->g.m_count);
    w->t = lower_scratch(l, "t", own + m, w->g.t_count);
    if (w->g.online)
        w->u = lower_scratch(l, "u", own + m + temporary_align(w->g.t_count * 4),
                             w->g.u_count);
    w->v = w->g.by_panels ? lower_shared(l, "v", 0, w->g.v_count, ACCESS_read)
                          : lower_scratch(l, "v", 0, w->g.v_count);
    w->x = w->table = -1;
    if (!w->g.by_panels) {
        w->x = lower_operand(l, conv->args[0], true);
        w->table = window_table(l, &w->g);
    }
    w->nest = nest_of_result(l);
    w->channel = w->nest.axis[1];
    w->channel.step[w->m] = 1;
    if (w->bias >= 0)
        w->channel.step[w->bias] = 1;
}

/* The panel's channels: products and outputs of `rows` rows of tiles from `at`. */
static void build_panel(Lower *l, const Wino *w, At at, Index panel, bool narrow)
{
    const Winograd *g = &w->g;
    int64_t columns = narrow ? g->outputs - (g->panels - 1) * g->width : g->width;
    Axis step = w->channel, down = w->nest.axis[2];
    step.step[w->m] = 0;
    for (int i = 0; i < l->operands; i++) {
        step.step[i] *= g->width;
        down.step[i] *= g->b.outputs;
    }
    if (g->online)
        build_online(l, w, panel, columns);
    else
        build_products(l, w, panel, columns);
    at_move(&at, l->operands, &step, panel);
    if (!g->by_panels) {
        build_outputs(l, w, at, index_var(l->kernel->task), columns);
        return;
    }
    down.step[w->m] = g->tiles_w * g->width;
    const IVar *row = build_for(&l->b, "tiles", g->tiles_h, false);
    at_move(&at, l->operands, &down, index_var(row));
    build_outputs(l, w, at, index_var(row), columns);
    build_end(&l->b);
}

static void lower_by_rows(Lower *l, Wino *w)
{
    const Winograd *g = &w->g;
    lower_open(l, "winograd");
    open_operands(l, w);
    store_pad_pixel(l);
    Index task = lower_tasks(l, g->tiles_h);
    const IVar *image = build_for(&l->b, "n", w->nest.axis[0].extent, false);
    Index row = index_add(index_mul(index_var(image), g->tiles_h), task);
    build_inputs(l, w, g->tiles_w, g->v_tile / l->target->lanes, index_mul(row, g->tiles_w),
                 index_const(0), index_const(0));
    Axis down = w->nest.axis[2];
    for (int i = 0; i < l->operands; i++)
        down.step[i] *= g->b.outputs;
    At at = at_origin(l, 1, NULL);
    at_move(&at, l->operands, &w->nest.axis[0], index_var(image));
    at_move(&at, l->operands, &down, task);
    bool narrow = g->outputs % g->width != 0;
    int64_t whole = g->panels - narrow;
    if (whole) {
        const IVar *panel = build_for(&l->b, "panel", whole, false);
        build_panel(l, w, at, index_var(panel), false);
        build_end(&l->b);
    }
    if (narrow)
        build_panel(l, w, at, index_const(whole), true);
    build_end(&l->b);
    lower_close(l);
}

/* Online, a task is a block of channels, not a row of tiles: there are more of them, and
 * the layer before, by panels too, left a thread's channels in its own cache. */
static void lower_inputs(Lower *l, Wino *w)
{
    const Winograd *g = &w->g;
    int64_t vectors = g->v_tile / l->target->lanes;
    lower_begin(l, "winograd_inputs");
    w->v = lower_shared(l, "v", 0, g->v_count, ACCESS_write);
    w->t = lower_scratch(l, "t", temporary_align(g->m_count * 4), g->t_count);
    w->x = lower_operand(l, l->group->anchor->args[0], true);
    w->table = window_table(l, g);
    Index task = lower_tasks(l, g->online ? g->inputs / g->v_tile : g->tiles_h);
    if (g->online)
        build_inputs(l, w, g->tiles, vectors, index_const(0), index_mul(task, g->v_tile),
                     index_mul(task, g->v_block));
    else
        build_inputs(l, w, g->tiles_w, vectors, index_mul(task, g->tiles_w), index_const(0),
                     index_mul(task, g->tiles_w * g->v_tile));
    lower_close(l);
}

static void lower_by_panels(Lower *l, Wino *w)
{
    const Winograd *g = &w->g;
    lower_inputs(l, w);
    lower_open(l, "winograd_outputs");
    open_operands(l, w);
    store_pad_pixel(l);
    Index panel = lower_tasks(l, g->panels);
    At at = at_origin(l, 1, NULL);
    if (g->outputs % g->width == 0) {
        build_panel(l, w, at, panel, false);
    } else {
        build_if_less(&l->b, panel, g->panels - 1);
        build_panel(l, w, at, panel, false);
        build_else(&l->b);
        build_panel(l, w, at, index_const(g->panels - 1), true);
        build_end(&l->b);
    }
    lower_close(l);
}

void lower_winograd(Lower *l)
{
    const Value *conv = l->group->anchor;
    Wino w = {.g = winograd_of(conv, conv->schedule, l->target)};
    if (w.g.by_panels)
        lower_by_panels(l, &w);
    else
        lower_by_rows(l, &w);
}
