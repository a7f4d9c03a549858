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
 * The last tile of a row or column may be smaller (winograd.c, [Tiles of two sizes]): each
 * size has its own transforms, and all share the products of the points they have in common.
 *
 * The weights U are transformed at compile time, or (online) by the task that
 * multiplies with them (lower_winograd_online.c).
 *
 * Inputs are read through a table of pixels, as in lower_contract.c, [Row offsets from a
 * table]. Both forms give the same bits. */
#include "passes/lower_winograd.h"

/* ---- inputs ------------------------------------------------------------ */

/* The window of a whole tile at (row, column) of tiles: element offsets of its pixels, that
 * of the pad pixel outside the map. */
static void window_pixels(const Value *conv, const Winograd *g, int64_t image, int64_t row,
                          int64_t column, int32_t *pixel)
{
    const Value *x = conv->args[0];
    Window w = window_of(conv);
    int64_t side = g->b.inputs, zero = shape_count(&x->type.shape);
    int64_t top = side_start(&g->down, row) * w.stride_h - w.pad_top;
    int64_t left = side_start(&g->across, column) * w.stride_w - w.pad_left;
    for (int64_t k = 0; k < side * side; k++) {
        int64_t h = top + k / side, c = left + k % side;
        bool in = h >= 0 && h < w.in_h && c >= 0 && c < w.in_w;
        pixel[k] = (int32_t)(in ? image * x->place.stride[0] + h * x->place.stride[2] +
                                      c * x->place.stride[3]
                                : zero);
    }
}

/* For every tile, in their order. */
static int window_table(Lower *l, const Winograd *g)
{
    const Value *conv = l->group->anchor;
    int64_t images = conv->args[0]->type.shape.dim[0], tiles = g->down.tiles * g->across.tiles;
    int64_t window = g->b.inputs * g->b.inputs, count = images * tiles * window;
    int32_t *table = NEW(l->arena, int32_t, count);
    for (int64_t i = 0; i < images * tiles; i++) {
        int64_t row = i / g->across.tiles % g->down.tiles, column = i % g->across.tiles;
        bool down = row >= g->down.count[WHOLE], across = column >= g->across.count[WHOLE];
        Region r = winograd_region(g, down ? REST : WHOLE, across ? REST : WHOLE);
        int64_t in_row = down ? row - g->down.count[WHOLE] : row;
        int64_t in_column = across ? column - g->across.count[WHOLE] : column;
        int64_t number = r.number + in_row * r.columns + in_column;
        window_pixels(conv, g, i / tiles, row, column,
                      table + (i / tiles * tiles + number) * window);
    }
    return lower_table(l, "pixels", table, count);
}

/* T[point][column] = B^T x, a column of the window at a time. */
static void input_columns(Lower *l, const Wino *w, const Region *r, Index entry, Index channel)
{
    const Winograd *g = &w->g;
    const Bilinear *down = &g->down.b[r->down];
    const Section *s = &l->program->sections.at[l->operand[w->table].section];
    const Expr *in[MAX_POINTS], *out[MAX_POINTS];
    int lanes = l->target->lanes, side = g->b.inputs;
    const IVar *column = build_for(&l->b, "column", g->across.b[r->across].inputs, false);
    for (int row = 0; row < down->inputs; row++) {
        Index at = index_plus(index_add(entry, index_var(column)), row * side);
        const IVar *pixel = build_iload(&l->b, "pixel", w->table, at, s->min, s->max);
        at = index_add(index_var(pixel), channel);
        in[row] = build_let(&l->b, "x", expr_load(l->arena, l->kernel, w->x, at, lanes));
    }
    transform_build(&l->b, l->target, &down->bt, down->points, down->inputs, in, out);
    for (int p = 0; p < down->points; p++)
        build_store(&l->b, w->t,
                    index_plus(index_mul(index_var(column), lanes),
                               p * side * lanes),
                    out[p]);
    build_end(&l->b);
}

/* V[point][tile][ic] = T B. */
static void input_rows(Lower *l, const Wino *w, const Region *r, Index v)
{
    const Winograd *g = &w->g;
    const Bilinear *across = &g->across.b[r->across];
    const Expr *in[MAX_POINTS], *out[MAX_POINTS];
    int lanes = l->target->lanes, side = g->b.inputs;
    const IVar *row = build_for(&l->b, "row", g->down.b[r->down].points, false);
    for (int k = 0; k < across->inputs; k++) {
        Index at = index_plus(index_mul(index_var(row), side * lanes), k * lanes);
        in[k] = build_let(&l->b, "x", expr_load(l->arena, l->kernel, w->t, at, lanes));
    }
    transform_build(&l->b, l->target, &across->bt, across->points, across->inputs, in, out);
    v = index_add(v, index_mul(index_var(row), g->b.points * g->v_point));
    for (int p = 0; p < across->points; p++)
        build_store(&l->b, w->v, index_plus(v, p * g->v_point), out[p]);
    build_end(&l->b);
}

/* Vectors of channels, from `channel` on; their place in V, at the first tile. */
typedef struct Vectors {
    int64_t count;
    Index channel, v;
} Vectors;

/* `tiles` of a region, from its `first` on; `number` is the first one's in the table. */
static void build_inputs(Lower *l, const Wino *w, const Region *r, int64_t tiles, Index number,
                         Index first, const Vectors *vectors)
{
    const Winograd *g = &w->g;
    int side = g->b.inputs, lanes = l->target->lanes;
    const IVar *tile = build_for(&l->b, "tile", tiles, false);
    Index entry = index_mul(index_add(number, index_var(tile)), side * side);
    Index v = index_add(vectors->v, index_mul(index_add(first, index_var(tile)), g->v_tile));
    const IVar *vector = build_for(&l->b, "ic", vectors->count, false);
    Index within = index_mul(index_var(vector), lanes);
    input_columns(l, w, r, entry, index_add(vectors->channel, within));
    input_rows(l, w, r, index_add(v, within));
    build_end(&l->b);
    build_end(&l->b);
}

/* A row of tiles: `row` of a kind; `image` is the number of the image's first tile. */
static void build_input_row(Lower *l, const Wino *w, int down, Index row, Index image)
{
    const Winograd *g = &w->g;
    Vectors vectors = {g->v_tile / l->target->lanes, index_const(0), index_const(0)};
    for (int across = 0; across < TILE_KINDS; across++) {
        Region r = winograd_region(g, down, across);
        if (!r.columns)
            continue;
        Index past = index_mul(row, r.columns);
        Index number = index_add(image, index_plus(past, r.number));
        Index first = index_plus(g->by_panels ? past : index_const(0), r.first);
        build_inputs(l, w, &r, r.columns, number, first, &vectors);
    }
}

/* ---- products ---------------------------------------------------------- */

static Contraction products_of(const Lower *l, const Wino *w, int64_t tiles, int64_t columns)
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
    c.rows.axis[0] = (Axis){.extent = tiles};
    c.rows.axis[0].step[w->v] = g->v_tile;
    c.rows.axis[0].step[w->m] = g->width;
    c.columns = (Axis){.extent = columns};
    c.columns.step[weight] = c.columns.step[w->m] = 1;
    return c;
}

bool winograd_begin_points(Lower *l, const Wino *w, const Panel *panel, int down, int across,
                           Index row, Products *p)
{
    const Winograd *g = &w->g;
    Tiles tiles = winograd_tiles(g, down, across);
    if (!g->across.points[across])
        return false;
    p->c = products_of(l, w, tiles.count, panel->columns);
    const IVar *point = build_for(&l->b, "point", g->across.points[across], false);
    p->column = index_plus(index_var(point), g->across.first[across]);
    p->point = index_add(index_mul(row, g->b.points), p->column);
    p->at = at_origin(l, 1, NULL);
    p->at.index[w->v] = index_plus(index_mul(p->point, g->v_point), tiles.first * g->v_tile);
    p->at.index[w->m] = index_plus(index_mul(p->point, g->m_point), tiles.first * g->width);
    return true;
}

/* M[point] = V[point] U[panel][point] for a row of points of a kind down; of V the panel's
 * group. */
static void build_products(Lower *l, const Wino *w, const Panel *panel, int down, Index row)
{
    const Winograd *g = &w->g;
    Products p;
    for (int across = TILE_KINDS; across-- > 0;) {
        if (!winograd_begin_points(l, w, panel, down, across, row, &p))
            continue;
        if (g->groups > 1)
            p.at.index[w->v] = index_add(p.at.index[w->v], index_mul(panel->number, g->inputs));
        p.at.index[w->weight] =
            index_add(index_mul(panel->number, g->points * g->inputs * g->width),
                      index_mul(p.point, g->inputs * g->width));
        p.c.inputs_ahead = g->by_panels ? g->v_point : 0;
        contraction_tiles(l, &p.c, p.at);
        build_end(&l->b);
    }
}

/* ---- outputs ----------------------------------------------------------- */

/* T[row][point] = A^T M, a column of points at a time. */
static void output_columns(Lower *l, const Wino *w, const Region *r, Index m, int lanes)
{
    const Winograd *g = &w->g;
    const Bilinear *down = &g->down.b[r->down];
    const Expr *in[MAX_POINTS], *out[MAX_POINTS];
    int points = g->b.points;
    const IVar *column = build_for(&l->b, "column", g->across.b[r->across].points, false);
    m = index_add(m, index_mul(index_var(column), g->m_point));
    for (int p = 0; p < down->points; p++)
        in[p] = build_let(&l->b, "m",
                          expr_load(l->arena, l->kernel, w->m,
                                    index_plus(m, p * points * g->m_point),
                                    lanes));
    transform_build(&l->b, l->target, &down->at, down->outputs, down->points, in, out);
    for (int row = 0; row < down->outputs; row++)
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

static void output_rows(Lower *l, const Wino *w, const Region *r, At at)
{
    const Winograd *g = &w->g;
    const Bilinear *across = &g->across.b[r->across];
    const Expr *in[MAX_POINTS], *out[MAX_POINTS];
    int points = g->b.points;
    const IVar *row = build_for(&l->b, "row", g->down.b[r->down].outputs, false);
    at_move(&at, l->operands, &w->nest.axis[2], index_var(row));
    for (int p = 0; p < across->points; p++) {
        Index from = index_plus(index_mul(index_var(row), points * at.lanes), p * at.lanes);
        in[p] = build_let(&l->b, "m", expr_load(l->arena, l->kernel, w->t, from, at.lanes));
    }
    transform_build(&l->b, l->target, &across->at, across->outputs, across->points, in, out);
    store_pixels(l, w, at, out, across->outputs);
    build_end(&l->b);
}

/* From the map's first pixel to that of a region, from its row `row` of tiles on. */
static At region_at(Lower *l, const Wino *w, const Region *r, At at, Index row)
{
    const Winograd *g = &w->g;
    Axis across = w->nest.axis[3], down = w->nest.axis[2];
    int64_t top = r->down == REST ? side_start(&g->down, g->down.count[WHOLE]) : 0;
    int64_t left = r->across == REST ? side_start(&g->across, g->across.count[WHOLE]) : 0;
    at_move(&at, l->operands, &down,
            index_plus(index_mul(row, g->down.b[r->down].outputs), top));
    at_move(&at, l->operands, &across, index_const(left));
    return at;
}

/* A row of a region's tiles, all channels of a panel; `at` at the map's first pixel. */
static void build_outputs(Lower *l, const Wino *w, const Region *r, At at, Index row,
                          int64_t columns)
{
    const Winograd *g = &w->g;
    Axis across = w->nest.axis[3];
    for (int i = 0; i < l->operands; i++)
        across.step[i] *= g->across.b[r->across].outputs;
    across.step[w->m] = g->width;
    at = region_at(l, w, r, at, row);
    Index first = g->by_panels ? index_mul(row, r->columns) : index_const(0);
    at.index[w->m] = index_mul(index_plus(first, r->first), g->width);
    const IVar *tile = build_for(&l->b, "tile", r->columns, false);
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
    output_columns(l, w, r, at.index[w->m], at.lanes);
    output_rows(l, w, r, at);
    build_end(&l->b);
    build_end(&l->b);
}

/* A row of tiles: `row` of a kind. */
static void build_output_row(Lower *l, const Wino *w, int down, At at, Index row,
                             int64_t columns)
{
    for (int across = 0; across < TILE_KINDS; across++) {
        Region r = winograd_region(&w->g, down, across);
        if (r.columns)
            build_outputs(l, w, &r, at, row, columns);
    }
}

/* ---- the two forms ----------------------------------------------------- */

static void open_operands(Lower *l, Wino *w)
{
    const Value *conv = l->group->anchor;
    w->weight = lower_operand(l, conv->args[1], true);
    w->bias = conv->nargs == 3 ? lower_operand(l, conv->args[2], true) : -1;
    int64_t v = temporary_align(w->g.v_count * 4), m = temporary_align(w->g.m_count * 4);
    bool copied = winograd_copies_inputs(&w->g, l->program->max_threads);
    int64_t own = w->g.by_panels && !copied ? 0 : v;
    w->m = lower_scratch(l, "m", own, w->g.m_count);
    w->t = lower_scratch(l, "t", own + m, w->g.t_count);
    if (w->g.u_count)
        w->u = lower_scratch(l, "u", own + m + temporary_align(w->g.t_count * 4),
                             w->g.u_count);
    w->v = copied           ? lower_copied(l, "v", 0, w->g.v_count, ACCESS_read)
           : w->g.by_panels ? lower_shared(l, "v", 0, w->g.v_count, ACCESS_read)
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

static At panel_at(Lower *l, const Wino *w, At at, Index panel)
{
    Axis step = w->channel;
    step.step[w->m] = 0;
    for (int i = 0; i < l->operands; i++)
        step.step[i] *= w->g.width;
    at_move(&at, l->operands, &step, panel);
    return at;
}

static int64_t panel_columns(const Winograd *g, bool narrow)
{
    return narrow ? g->outputs - (g->panels - 1) * g->width : g->width;
}

/* Products and outputs of all tiles. */
static void build_panel(Lower *l, const Wino *w, At at, Index number, bool narrow)
{
    const Winograd *g = &w->g;
    Panel panel = {number, panel_columns(g, narrow)};
    if (g->online)
        winograd_online_products(l, w, &panel);
    for (int down = TILE_KINDS; down-- > 0 && !g->online;) {
        if (!g->down.points[down])
            continue;
        const IVar *row = build_for(&l->b, "points", g->down.points[down], false);
        build_products(l, w, &panel, down, index_plus(index_var(row), g->down.first[down]));
        build_end(&l->b);
    }
    at = panel_at(l, w, at, number);
    for (int down = 0; down < TILE_KINDS; down++) {
        if (!g->down.count[down])
            continue;
        const IVar *row = build_for(&l->b, "tiles", g->down.count[down], false);
        build_output_row(l, w, down, at, index_var(row), panel.columns);
        build_end(&l->b);
    }
}

/* A table for lower_row; -1: a task has the row of its number. */
static int row_table(Lower *l, const Winograd *g)
{
    const Side *down = &g->down;
    if (down->count[REST] < 2)
        return -1;
    int32_t *table = NEW(l->arena, int32_t, down->tiles);
    for (int64_t task = 0; task < down->tiles; task++)
        table[task] = (int32_t)side_tile_of_task(down, task);
    return lower_table(l, "rows", table, down->tiles);
}

/* The row of tiles that a task has; whole ones are the first. */
static Index lower_row(Lower *l, const Winograd *g, int table, Index task)
{
    if (table < 0)
        return task;
    return index_var(build_iload(&l->b, "row", table, task, 0, g->down.tiles - 1));
}

/* Opens and closes what is done with a row of tiles of a kind: which of them it is. */
static Index begin_kind(Lower *l, const Winograd *g, int down, Index row)
{
    if (down == WHOLE && g->down.count[REST])
        build_if_less(&l->b, row, g->down.count[WHOLE]);
    else if (down == REST && g->down.count[WHOLE])
        build_else(&l->b);
    return down == WHOLE ? row : index_plus(row, -g->down.count[WHOLE]);
}

static void end_kind(Lower *l, const Winograd *g, int down)
{
    if (g->down.count[WHOLE] && g->down.count[REST] && down == REST)
        build_end(&l->b);
}

/* The products of a row of tiles: a smaller one has the first rows of points alone. */
static void build_row_products(Lower *l, const Wino *w, const Panel *panel, Index tile)
{
    const Side *down = &w->g.down;
    for (int kind = TILE_KINDS; kind-- > 0;) {
        if (!down->points[kind])
            continue;
        bool some = kind == WHOLE && down->count[REST];
        if (some)
            build_if_less(&l->b, tile, down->count[WHOLE]);
        const IVar *row = build_for(&l->b, "points", down->points[kind], false);
        build_products(l, w, panel, WHOLE, index_plus(index_var(row), down->first[kind]));
        build_end(&l->b);
        if (some)
            build_end(&l->b);
    }
}

/* Products and outputs of a row of tiles. */
static void build_panel_row(Lower *l, const Wino *w, Index row, At at, Index number,
                            bool narrow)
{
    const Winograd *g = &w->g;
    Panel panel = {number, panel_columns(g, narrow)};
    build_row_products(l, w, &panel, row);
    at = panel_at(l, w, at, number);
    for (int down = 0; down < TILE_KINDS; down++) {
        if (!g->down.count[down])
            continue;
        build_output_row(l, w, down, at, begin_kind(l, g, down, row), panel.columns);
        end_kind(l, g, down);
    }
}

/* The inputs of a row of tiles of the image whose first tile is number `image`. */
static void build_task_inputs(Lower *l, const Wino *w, Index row, Index image)
{
    const Winograd *g = &w->g;
    for (int down = 0; down < TILE_KINDS; down++) {
        if (!g->down.count[down])
            continue;
        build_input_row(l, w, down, begin_kind(l, g, down, row), image);
        end_kind(l, g, down);
    }
}

static void lower_by_rows(Lower *l, Wino *w)
{
    const Winograd *g = &w->g;
    lower_open(l, "winograd");
    open_operands(l, w);
    store_pad_pixel(l);
    int table = row_table(l, g);
    Index row = lower_row(l, g, table, lower_tasks(l, g->down.tiles));
    const IVar *image = build_for(&l->b, "n", w->nest.axis[0].extent, false);
    build_task_inputs(l, w, row, index_mul(index_var(image), g->down.tiles * g->across.tiles));
    At at = at_origin(l, 1, NULL);
    at_move(&at, l->operands, &w->nest.axis[0], index_var(image));
    bool narrow = g->outputs % g->width != 0;
    int64_t whole = g->panels - narrow;
    if (whole) {
        const IVar *panel = build_for(&l->b, "panel", whole, false);
        build_panel_row(l, w, row, at, index_var(panel), false);
        build_end(&l->b);
    }
    if (narrow)
        build_panel_row(l, w, row, at, index_const(whole), true);
    build_end(&l->b);
    lower_close(l);
}

/* Online, a task is a block of channels, not a row of tiles: there are more of them, and
 * the layer before, by panels too, left a thread's channels in its own cache. */
static void build_input_block(Lower *l, const Wino *w, Index block)
{
    const Winograd *g = &w->g;
    Vectors vectors = {g->v_tile / l->target->lanes, index_mul(block, g->v_tile),
                       index_mul(block, g->v_block)};
    for (int down = 0; down < TILE_KINDS; down++)
        for (int across = 0; across < TILE_KINDS; across++) {
            Region r = winograd_region(g, down, across);
            if (r.rows && r.columns)
                build_inputs(l, w, &r, r.rows * r.columns, index_const(r.number),
                             index_const(r.first), &vectors);
        }
}

static void lower_inputs(Lower *l, Wino *w)
{
    const Winograd *g = &w->g;
    lower_begin(l, "winograd_inputs");
    bool copied = winograd_copies_inputs(g, l->program->max_threads);
    int64_t own = copied ? temporary_align(g->v_count * 4) : 0;
    w->v = copied ? lower_copied(l, "v", 0, g->v_count, ACCESS_write)
                  : lower_shared(l, "v", 0, g->v_count, ACCESS_write);
    w->t = lower_scratch(l, "t", own + temporary_align(g->m_count * 4), g->t_count);
    w->x = lower_operand(l, l->group->anchor->args[0], true);
    w->table = window_table(l, g);
    int table = g->online ? -1 : row_table(l, g);
    Index task = lower_tasks(l, g->online ? g->inputs / g->v_tile : g->down.tiles);
    if (g->online)
        build_input_block(l, w, task);
    else
        build_task_inputs(l, w, lower_row(l, g, table, task), index_const(0));
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
