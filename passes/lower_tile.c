/* The loops of a contraction: panels, tiles, and the inner loop with every
 * accumulator a register of its own. */
#include "passes/contraction.h"

enum { MAX_ROWS = 16, MAX_VECTORS = 8 };

typedef struct Tile {
    const Contraction *c;
    At at;          /* at the tile's first row and column */
    int rows;
    int vectors;
    int64_t columns;
    Piece vector[MAX_VECTORS]; /* one vector each: count 1 */
    Index k_base;   /* of b, for the current window position */
    const Reg *acc[MAX_ROWS][MAX_VECTORS];
} Tile;

static At tile_element(Lower *l, const Tile *t, int row, int vector)
{
    At at = t->at;
    const Axis *rows = &t->c->rows.axis[t->c->rows.n - 1];
    at_move(&at, l->operands, rows, index_const(row));
    at_move(&at, l->operands, &t->c->columns, index_const(t->vector[vector].start));
    at.lanes = t->vector[vector].lanes;
    at.vector = at.lanes > 1 ? &t->c->columns : NULL;
    return at;
}

static void tile_begin(Lower *l, Tile *t)
{
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < t->vectors; v++) {
            const Expr *init = expr_real(l->arena, 0, t->vector[v].lanes);
            if (t->c->bias >= 0) {
                At at = tile_element(l, t, r, v);
                init = at_load(l, &at, t->c->bias);
            }
            t->acc[r][v] = build_var(&l->b, "acc", 1, init);
        }
}

/* acc += a[row offset + k] * b[k]: b's vectors once, then a row at a time. */
static void tile_step(Lower *l, const Tile *t, const Index *row_at, Index k)
{
    enum { line = 16 };
    const Contraction *c = t->c;
    const Expr *b[MAX_VECTORS];
    for (int v = 0; v < t->vectors; v++) {
        Index at = index_add(t->k_base, index_mul(k, c->b_step));
        at = index_add(at, index_mul(index_const(t->vector[v].start),
                                     c->columns.step[c->b]));
        b[v] = build_let(&l->b, "b",
                         expr_load(l->arena, l->kernel, c->b, at, t->vector[v].lanes));
    }
    for (int at = 0; c->packed && l->target->prefetch && at < t->columns; at += line)
        build_prefetch(&l->b, c->b,
                       index_plus(index_add(t->k_base, index_mul(k, c->b_step)),
                                  l->target->prefetch + at));
    for (int r = 0; r < t->rows; r++) {
        Index at = index_add(row_at[r], index_mul(k, c->run_step));
        const Expr *a = build_let(&l->b, "a", expr_load(l->arena, l->kernel, c->a, at, 1));
        int wide = 0;
        const Expr *x = NULL;
        for (int v = 0; v < t->vectors; v++) {
            if (t->vector[v].lanes != wide) {
                wide = t->vector[v].lanes;
                x = wide > 1 ? build_let(&l->b, "x", expr_splat(l->arena, a, wide)) : a;
            }
            const Expr *old = expr_reg(l->arena, t->acc[r][v], index_const(0));
            build_set(&l->b, t->acc[r][v], index_const(0),
                      expr_multiply_add(l->arena, l->target, x, b[v], old));
        }
    }
}

static void tile_run(Lower *l, const Tile *t, const Index *row_at)
{
    const Contraction *c = t->c;
    int unroll = l->target->unroll;
    int64_t whole = c->run / unroll, rest = c->run % unroll;
    if (whole) {
        const IVar *k = build_for(&l->b, "k", whole, false);
        const IVar *u = build_for(&l->b, "u", unroll, true);
        tile_step(l, t, row_at,
                  index_add(index_mul(index_var(k), unroll), index_var(u)));
        build_end(&l->b);
        build_end(&l->b);
    }
    if (rest) {
        const IVar *u = build_for(&l->b, "u", rest, true);
        tile_step(l, t, row_at, index_plus(index_var(u), whole * unroll));
        build_end(&l->b);
    }
}

static void tile_taps(Lower *l, Tile *t)
{
    const Contraction *c = t->c;
    const Axis *rows = &c->rows.axis[c->rows.n - 1];
    Index base = t->at.index[c->b], row_at[MAX_ROWS];
    const IVar *tap = build_for(&l->b, "tap", c->taps, false);
    t->k_base = index_add(base, index_mul(index_var(tap), c->run * c->b_step));
    for (int r = 0; r < t->rows; r++) {
        row_at[r] = index_plus(t->at.index[c->a], r * rows->step[c->a]);
        if (c->table < 0) {
            row_at[r] = index_add(row_at[r], index_mul(index_var(tap), c->tap_step));
            continue;
        }
        const Section *s = &l->program->sections.at[l->operand[c->table].section];
        Index entry = index_plus(t->at.index[c->table], r * rows->step[c->table]);
        const IVar *offset = build_iload(&l->b, "row", c->table,
                                         index_add(entry, index_var(tap)), s->min, s->max);
        row_at[r] = index_add(row_at[r], index_var(offset));
    }
    tile_run(l, t, row_at);
    build_end(&l->b);
}

static void tile_build(Lower *l, const Contraction *c, At at, int rows, int64_t columns)
{
    Tile t = {.c = c, .at = at, .rows = rows, .columns = columns};
    Piece pieces[MAX_PIECES];
    int n = pieces_cut(columns, c->lanes, pieces);
    for (int i = 0; i < n; i++)
        for (int64_t k = 0; k < pieces[i].count; k++) {
            if (t.vectors == MAX_VECTORS)
                bug("a tile with more than %d vectors", MAX_VECTORS);
            t.vector[t.vectors++] = (Piece){pieces[i].start + k * pieces[i].lanes, 1,
                                            pieces[i].lanes};
        }
    tile_begin(l, &t);
    tile_taps(l, &t);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < t.vectors; v++) {
            At here = tile_element(l, &t, r, v);
            const Expr *sum = expr_reg(l->arena, t.acc[r][v], index_const(0));
            if (c->sink >= 0)
                build_store(&l->b, c->sink, here.index[c->sink], sum);
            else
                chain_store(l, &here, sum);
        }
}

/* ---- loops around the tile --------------------------------------------- */

typedef struct Plan {
    Contraction *c;
    int rows;               /* of a full tile */
    int64_t tiles, rest;    /* full tiles of the tiled axis; rows left over */
    int64_t panels, narrow; /* full panels of a group; columns left over */
    bool by_rows;           /* tasks share the tiles, else the panels */
    int64_t tiles_per_task, tasks;
} Plan;

static int accumulators(const Target *target)
{
    return target->tile_rows * target->tile_vectors;
}

static void plan_tiles(Lower *l, Plan *p)
{
    Contraction *c = p->c;
    const Axis *rows = &c->rows.axis[c->rows.n - 1];
    int64_t columns = c->columns.extent;
    int64_t width = columns < c->panel ? columns : c->panel;
    Piece pieces[MAX_PIECES];
    int n = pieces_cut(width, c->lanes, pieces);
    int64_t vectors = 0;
    for (int i = 0; i < n; i++)
        vectors += pieces[i].count;
    int64_t most = accumulators(l->target) / vectors;
    most = most < 1 ? 1 : most > 8 ? 8 : most;
    int64_t tiles = (rows->extent + most - 1) / most;
    p->rows = (int)((rows->extent + tiles - 1) / tiles);
    p->tiles = rows->extent / p->rows;
    p->rest = rows->extent % p->rows;
    p->panels = columns / c->panel;
    p->narrow = columns % c->panel;
}

/* Tasks share tiles early in a network, when the weights stay in the cache, and
 * panels late, so that wide weights are read once. */
static void plan_tasks(Lower *l, Plan *p)
{
    enum { TASKS = 32 };
    const Contraction *c = p->c;
    int64_t panels = p->panels + (p->narrow > 0);
    int64_t weights = c->taps * c->run * c->columns.extent * 4;
    bool fits = weights <= l->target->l2_bytes / 2;
    p->by_rows = panels < 2 || (fits && p->tiles >= panels);
    if (p->by_rows) {
        int64_t all = p->tiles + (p->rest > 0);
        p->tiles_per_task = (all + TASKS - 1) / TASKS;
        p->tasks = (all + p->tiles_per_task - 1) / p->tiles_per_task;
    } else {
        p->tasks = panels;
    }
}

static void build_panel(Lower *l, const Plan *p, At at, int rows)
{
    const Contraction *c = p->c;
    Axis panel = c->columns;
    for (int i = 0; i < l->operands; i++)
        panel.step[i] *= c->panel;
    if (c->packed)
        panel.step[c->b] = c->panel_step;
    if (p->panels) {
        const IVar *var = build_for(&l->b, "panel", p->panels, false);
        At here = at;
        at_move(&here, l->operands, &panel, index_var(var));
        tile_build(l, c, here, rows, c->panel);
        build_end(&l->b);
    }
    if (p->narrow) {
        at_move(&at, l->operands, &panel, index_const(p->panels));
        tile_build(l, c, at, rows, p->narrow);
    }
}

static Axis tile_axis(Lower *l, const Plan *p)
{
    Axis axis = p->c->rows.axis[p->c->rows.n - 1];
    for (int i = 0; i < l->operands; i++)
        axis.step[i] *= p->rows;
    return axis;
}

/* `count` full tiles from tile `first`, then the rest of the rows if asked. */
static void build_tiles(Lower *l, const Plan *p, At at, int64_t count, bool rest)
{
    Axis axis = tile_axis(l, p);
    if (count) {
        const IVar *var = build_for(&l->b, "tile", count, false);
        At here = at;
        at_move(&here, l->operands, &axis, index_var(var));
        build_panel(l, p, here, p->rows);
        build_end(&l->b);
    }
    if (rest && p->rest) {
        at_move(&at, l->operands, &axis, index_const(count));
        build_panel(l, p, at, (int)p->rest);
    }
}

static void build_by_rows(Lower *l, const Plan *p, At at, Index task)
{
    Axis axis = tile_axis(l, p);
    at_move(&at, l->operands, &axis, index_mul(task, p->tiles_per_task));
    int64_t full = p->tasks - 1;
    int64_t last = p->tiles - full * p->tiles_per_task;
    if (p->tasks == 1) {
        build_tiles(l, p, at, p->tiles, true);
        return;
    }
    if (last == p->tiles_per_task && !p->rest) {
        build_tiles(l, p, at, p->tiles_per_task, false);
        return;
    }
    build_if_less(&l->b, task, full);
    build_tiles(l, p, at, p->tiles_per_task, false);
    build_else(&l->b);
    build_tiles(l, p, at, last, true);
    build_end(&l->b);
}

/* A task is one panel: the narrow one has its own tile. */
static void build_by_panels(Lower *l, const Plan *p, At at, Index task)
{
    const Contraction *c = p->c;
    Axis panel = c->columns;
    for (int i = 0; i < l->operands; i++)
        panel.step[i] *= c->panel;
    if (c->packed)
        panel.step[c->b] = c->panel_step;
    at_move(&at, l->operands, &panel, task);
    Plan wide = *p, narrow = *p;
    wide.panels = 1, wide.narrow = 0;
    narrow.panels = 0;
    if (!p->narrow) {
        build_tiles(l, &wide, at, p->tiles, true);
        return;
    }
    build_if_less(&l->b, task, p->panels);
    build_tiles(l, &wide, at, p->tiles, true);
    build_else(&l->b);
    build_tiles(l, &narrow, at, p->tiles, true);
    build_end(&l->b);
}

/* Batch axes, groups and the row axes before the tiled one are loops. */
static void build_outer(Lower *l, const Plan *p, At at, Index task)
{
    const Contraction *c = p->c;
    int depth = 0;
    for (int i = 0; i < c->batch.n; i++, depth++) {
        const IVar *var = build_for(&l->b, "batch", c->batch.axis[i].extent, false);
        at_move(&at, l->operands, &c->batch.axis[i], index_var(var));
    }
    const IVar *group = build_for(&l->b, "group", c->group.extent, false);
    at_move(&at, l->operands, &c->group, index_var(group));
    depth++;
    for (int i = 0; i + 1 < c->rows.n; i++, depth++) {
        const IVar *var = build_for(&l->b, "row", c->rows.axis[i].extent, false);
        at_move(&at, l->operands, &c->rows.axis[i], index_var(var));
    }
    if (p->by_rows)
        build_by_rows(l, p, at, task);
    else
        build_by_panels(l, p, at, task);
    while (depth--)
        build_end(&l->b);
}

/* The outermost loop of a kind becomes the tasks when it is long enough. */
static bool take_outer_tasks(Lower *l, Contraction *c, At *at)
{
    enum { ENOUGH = 4 };
    Axis *axis = NULL;
    if (c->rows.n > 1 && c->rows.axis[0].extent >= ENOUGH)
        axis = &c->rows.axis[0];
    else if (c->groups >= ENOUGH)
        axis = &c->group;
    else if (c->batch.n && c->batch.axis[0].extent >= ENOUGH)
        axis = &c->batch.axis[0];
    if (!axis)
        return false;
    at_move(at, l->operands, axis, lower_tasks(l, axis->extent));
    axis->extent = 1;
    for (int i = 0; i < MAX_OPERANDS; i++)
        axis->step[i] = 0;
    return true;
}

void contraction_tiles(Lower *l, Contraction *c, At at)
{
    Plan p = {.c = c};
    plan_tiles(l, &p);
    build_tiles(l, &p, at, p.tiles, true);
}

void contraction_build(Lower *l, Contraction *c)
{
    Plan p = {.c = c};
    At at = at_origin(l, 1, NULL);
    plan_tiles(l, &p);
    if (take_outer_tasks(l, c, &at)) {
        p.by_rows = true;
        p.tasks = 1;
        p.tiles_per_task = p.tiles;
        build_outer(l, &p, at, index_const(0));
        return;
    }
    plan_tasks(l, &p);
    build_outer(l, &p, at, lower_tasks(l, p.tasks));
}

void lower_contraction(Lower *l)
{
    Contraction c = {.bias = -1, .table = -1, .sink = -1};
    lower_open(l, op_info[l->group->anchor->op].name);
    contraction_describe(l, &c);
    store_pad_pixel(l);
    contraction_build(l, &c);
    lower_close(l);
}
