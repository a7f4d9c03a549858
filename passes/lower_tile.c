/* One tile of a contraction: every accumulator a register of its own. */
#include "passes/contraction.h"

enum { MAX_ROWS = 16, MAX_VECTORS = 12 };

typedef struct Tile {
    const Contraction *c;
    const Stretch *stretch;
    At at;          /* at the tile's first row and column */
    int rows;
    int64_t columns;
    int vectors;
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

/* ---- where sums come from and go to ------------------------------------ */

static const Expr *first_sum(Lower *l, const Tile *t, const At *at)
{
    if (t->c->adds)
        return expr_load(l->arena, l->kernel, t->c->sink, at->index[t->c->sink], at->lanes);
    if (t->c->bias >= 0)
        return at_load(l, at, t->c->bias);
    return expr_real(l->arena, 0, at->lanes);
}

static const Expr *waiting_sum(Lower *l, const Tile *t, const At *at)
{
    return expr_load(l->arena, l->kernel, t->c->sums, at->index[t->c->sums], at->lanes);
}

static void finish_sum(Lower *l, const Tile *t, const At *at, const Expr *sum)
{
    if (t->c->sink >= 0)
        build_store(&l->b, t->c->sink, at->index[t->c->sink], sum);
    else
        chain_store(l, at, sum);
}

static const Expr *partial_at(Lower *l, const Tile *t, const At *at, int64_t element)
{
    const Partial *p = t->c->partial;
    return expr_load(l->arena, l->kernel, p->buffer,
                     index_plus(at->index[p->buffer], element), at->lanes);
}

static const Expr *partial_begin(Lower *l, const Tile *t, const At *at)
{
    const Partial *p = t->c->partial;
    return p->from < 0 ? expr_real(l->arena, 0, at->lanes) : partial_at(l, t, at, p->from);
}

static void partial_end(Lower *l, const Tile *t, const At *at, const Expr *sum)
{
    const Partial *p = t->c->partial;
    if (p->to >= 0) {
        const Expr *x = p->to_plus < 0 ? sum : expr_bin(l->arena, EX_add, sum,
                                                        partial_at(l, t, at, p->to_plus));
        build_store(&l->b, p->buffer, index_plus(at->index[p->buffer], p->to), x);
    }
    if (!p->ends)
        return;
    if (p->end_plus >= 0)
        sum = expr_bin(l->arena, EX_add, sum, partial_at(l, t, at, p->end_plus));
    if (t->c->bias >= 0)
        sum = expr_bin(l->arena, EX_add, sum, at_load(l, at, t->c->bias));
    chain_store(l, at, build_let(&l->b, "y", sum));
}

static void tile_begin(Lower *l, Tile *t)
{
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < t->vectors; v++) {
            At at = tile_element(l, t, r, v);
            const Expr *sum = t->c->partial ? partial_begin(l, t, &at)
                              : t->stretch->whole ? first_sum(l, t, &at)
                                                  : waiting_sum(l, t, &at);
            t->acc[r][v] = build_var(&l->b, "acc", 1, sum);
        }
}

static void tile_end(Lower *l, const Tile *t)
{
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < t->vectors; v++) {
            At at = tile_element(l, t, r, v);
            const Expr *sum = expr_reg(l->arena, t->acc[r][v], index_const(0));
            if (t->c->partial)
                partial_end(l, t, &at, sum);
            else if (t->stretch->whole)
                finish_sum(l, t, &at, sum);
            else
                build_store(&l->b, t->c->sums, at.index[t->c->sums], sum);
        }
}

/* ---- the inner loop ---------------------------------------------------- */

/* An element in all lanes; of a wider vector `all` of it, if there is one, the first lanes are
 * that, and are in a register already. */
static const Expr *splat_of(Lower *l, const Expr *a, const Expr *all, int lanes)
{
    static const signed char first[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    if (lanes == 1)
        return a;
    const Expr *x = all && all->type.lanes > lanes
                        ? expr_shuffle(l->arena, all, all, lanes, first)
                        : expr_splat(l->arena, a, lanes);
    return build_let(&l->b, "x", x);
}

/* acc += a[row offset + k] * b[k]: b's vectors once, then a row at a time. */
static void tile_step(Lower *l, const Tile *t, const Index *row_at, Index b_at, Index k)
{
    const Contraction *c = t->c;
    const Expr *b[MAX_VECTORS];
    for (int v = 0; v < t->vectors; v++) {
        Index at = index_add(b_at, index_mul(k, c->b_step));
        at = index_add(at, index_mul(index_const(t->vector[v].start),
                                     c->columns.step[c->b]));
        b[v] = build_let(&l->b, "b",
                         expr_load(l->arena, l->kernel, c->b, at, t->vector[v].lanes));
    }
    for (int r = 0; r < t->rows; r++) {
        Index at = index_add(row_at[r], index_mul(k, c->run_step));
        const Expr *a = build_let(&l->b, "a", expr_load(l->arena, l->kernel, c->a, at, 1));
        int wide = 0;
        const Expr *x = NULL;
        for (int v = 0; v < t->vectors; v++) {
            if (t->vector[v].lanes != wide) {
                wide = t->vector[v].lanes;
                x = splat_of(l, a, x, wide);
            }
            const Expr *old = expr_reg(l->arena, t->acc[r][v], index_const(0));
            build_set(&l->b, t->acc[r][v], index_const(0),
                      expr_multiply_add(l->arena, l->target, x, b[v], old));
        }
    }
}

static void ask_ahead(Lower *l, const Tile *t, Index at, int lines)
{
    for (int i = 0; i < lines; i++)
        build_prefetch(&l->b, t->stretch->near, t->stretch->operand, index_plus(at, i * LINE));
}

static void tile_run(Lower *l, const Tile *t, const Index *row_at)
{
    int unroll = l->target->unroll;
    const Stretch *s = t->stretch;
    Index at[MAX_ROWS];
    for (int r = 0; r < t->rows; r++)
        at[r] = build_index(&l->b, "a", index_add(row_at[r], index_mul(s->start, t->c->run_step)));
    Index b = build_index(&l->b, "w", index_add(t->k_base, index_mul(s->start, t->c->b_step)));
    int64_t whole = s->count / unroll, rest = s->count % unroll;
    if (whole) {
        ask_ahead(l, t, s->ahead, s->first);
        const IVar *k = build_for(&l->b, "k", whole, false);
        ask_ahead(l, t, index_add(index_plus(s->ahead, s->first * LINE),
                                  index_mul(index_var(k), s->lines * LINE)), s->lines);
        tile_ask(l, t->c, &(TilePlace){t->at, t->rows, t->columns}, index_var(k), whole);
        tile_ask_inputs(l, t->c, s, t->rows, index_var(k), whole);
        const IVar *u = build_for(&l->b, "u", unroll, true);
        tile_step(l, t, at, b, index_add(index_mul(index_var(k), unroll), index_var(u)));
        build_end(&l->b);
        build_end(&l->b);
    }
    if (rest) {
        const IVar *u = build_for(&l->b, "u", rest, true);
        tile_step(l, t, at, b, index_plus(index_var(u), whole * unroll));
        build_end(&l->b);
    }
}

/* All of the stretch at one window position. */
static void tile_tap(Lower *l, Tile *t, Index tap)
{
    const Contraction *c = t->c;
    const Axis *rows = &c->rows.axis[c->rows.n - 1];
    Index row_at[MAX_ROWS];
    t->k_base = index_add(t->at.index[c->b], index_mul(tap, c->run * c->b_step));
    for (int r = 0; r < t->rows; r++) {
        row_at[r] = index_plus(t->at.index[c->a], r * rows->step[c->a]);
        if (c->table < 0) {
            row_at[r] = index_add(row_at[r], index_mul(tap, c->tap_step));
            continue;
        }
        const Section *s = &l->program->sections.at[l->operand[c->table].section];
        Index entry = index_plus(t->at.index[c->table], r * rows->step[c->table]);
        const IVar *offset = build_iload(&l->b, "row", c->table, index_add(entry, tap),
                                         s->min, s->max);
        row_at[r] = index_add(row_at[r], index_var(offset));
    }
    tile_run(l, t, row_at);
}

static void tile_multiply(Lower *l, Tile *t)
{
    tile_begin(l, t);
    if (t->stretch->whole) {
        const IVar *tap = build_for(&l->b, "tap", t->c->taps, false);
        tile_tap(l, t, index_var(tap));
        build_end(&l->b);
    } else {
        tile_tap(l, t, t->stretch->tap);
    }
    tile_end(l, t);
}

/* ---- before and after the stretches ------------------------------------ */

static void sums_begin(Lower *l, const Tile *t)
{
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < t->vectors; v++) {
            At at = tile_element(l, t, r, v);
            build_store(&l->b, t->c->sums, at.index[t->c->sums], first_sum(l, t, &at));
        }
}

static void sums_end(Lower *l, const Tile *t)
{
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < t->vectors; v++) {
            At at = tile_element(l, t, r, v);
            finish_sum(l, t, &at, build_let(&l->b, "sum", waiting_sum(l, t, &at)));
        }
}

void tile_build(Lower *l, const Contraction *c, const TilePlace *place, TileWork work,
                const Stretch *stretch)
{
    Tile t = {.c = c, .at = place->at, .rows = place->rows, .columns = place->columns,
              .stretch = stretch};
    Piece pieces[MAX_PIECES];
    int n = pieces_cut(place->columns, c->lanes, pieces);
    for (int i = 0; i < n; i++)
        for (int64_t k = 0; k < pieces[i].count; k++) {
            if (t.vectors == MAX_VECTORS)
                bug("a tile with more than %d vectors", MAX_VECTORS);
            t.vector[t.vectors++] = (Piece){pieces[i].start + k * pieces[i].lanes, 1,
                                            pieces[i].lanes};
        }
    switch (work) {
    case TILE_begin: sums_begin(l, &t); return;
    case TILE_multiply: tile_multiply(l, &t); return;
    case TILE_end: sums_end(l, &t); return;
    }
}
