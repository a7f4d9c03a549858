/* Winograd's products with weights that are transformed as the layer runs: some input channels
 * at a time, which then come from memory in 9, not points, elements each (winograd.c,
 * [Weights transformed online]). In one of two forms:
 *
 *     by parts   for each part of a block of channels, each row of points:
 *                    U[point][ic][oc] = G w G^T
 *                    for each of its points: M[point] += V[point] U[point]
 *     held       for each block of channels, each row of points:
 *                    sums = M[points of the row]         in registers
 *                    for each channel: u = G w G^T;  sums[point][tile] += V u
 *                    M = sums
 *
 * Both add the same terms in the same order. */
#include "passes/lower_winograd.h"

/* G w of a row of points, for one input channel and one vector of outputs; `from` is the
 * weight's element at the first window position. What belongs to other rows is not read, and
 * so not worked out (simplify). */
static void weight_columns(Lower *l, const Wino *w, int row, Index from, const Expr **column)
{
    const Winograd *g = &w->g;
    const Expr *in[MAX_POINTS], *out[MAX_POINTS];
    int taps = g->b.taps;
    for (int kw = 0; kw < taps; kw++) {
        for (int kh = 0; kh < taps; kh++) {
            Index at = index_plus(from, (kh * taps + kw) * g->width);
            in[kh] = build_let(&l->b, "w", expr_load(l->arena, l->kernel, w->weight, at,
                                                     l->target->lanes));
        }
        transform_build(&l->b, l->target, &g->b.g, g->b.points, taps, in, out);
        column[kw] = out[row];
    }
}

/* Elements of one input channel of a panel, layout windows (ir/pack.h). */
static int64_t channel_weights(const Winograd *g)
{
    return g->b.taps * g->b.taps * g->width;
}

/* A part of the input channels: which of its block, and which block. */
typedef struct Part {
    Index block, within;
} Part;

/* The first weight of a part. */
static Index weights_from(const Wino *w, Index panel, Part part)
{
    const Winograd *g = &w->g;
    int64_t channel = channel_weights(g);
    Index at = index_mul(panel, g->inputs * channel);
    at = index_add(at, index_mul(part.block, g->v_tile * channel));
    return index_add(at, index_mul(part.within, g->part * channel));
}

/* ---- by parts ----------------------------------------------------------- */

static void build_weights(Lower *l, const Wino *w, int row, Index panel, Part part)
{
    const Winograd *g = &w->g;
    const Expr *column[MAX_POINTS], *out[MAX_POINTS];
    int lanes = l->target->lanes;
    const IVar *channel = build_for(&l->b, "ic", g->part, false);
    const IVar *vector = build_for(&l->b, "oc", g->width / lanes, false);
    Index within = index_mul(index_var(vector), lanes);
    Index to = index_add(index_mul(index_var(channel), g->width), within);
    Index from = index_add(weights_from(w, panel, part), within);
    from = index_add(from, index_mul(index_var(channel), channel_weights(g)));
    weight_columns(l, w, row, from, column);
    transform_build(&l->b, l->target, &g->b.g, g->b.points, g->b.taps, column, out);
    for (int p = 0; p < g->b.points; p++)
        build_store(&l->b, w->u, index_plus(to, p * g->u_point), out[p]);
    build_end(&l->b);
    build_end(&l->b);
}

/* For a row of points, the work on all tiles that have them. The weights of the next part
 * are asked for meanwhile, evenly over all points. */
static void each_point(Lower *l, const Wino *w, const Panel *panel, int down, Index row,
                       TileWork work, Part part)
{
    const Winograd *g = &w->g;
    Products p;
    for (int across = TILE_KINDS; across-- > 0;) {
        if (!winograd_begin_points(l, w, panel, down, across, row, &p))
            continue;
        Index channels = index_add(index_mul(part.block, g->v_block),
                                   index_mul(part.within, g->part));
        p.at.index[w->v] = index_add(p.at.index[w->v], channels);
        p.at.index[w->u] = index_mul(p.column, g->u_point);
        Part next = {part.block, index_plus(part.within, 1)};
        Ahead ahead = {w->weight, weights_from(w, panel->number, next),
                       g->part * channel_weights(g), g->points, p.point};
        contraction_work(l, &p.c, p.at, work, work == TILE_multiply ? &ahead : NULL);
        build_end(&l->b);
    }
}

static void build_by_parts(Lower *l, const Wino *w, const Panel *panel)
{
    const Winograd *g = &w->g;
    Part part = {index_const(0), index_const(0)};
    for (int down = TILE_KINDS; down-- > 0;) {
        if (!g->down.points[down])
            continue;
        const IVar *row = build_for(&l->b, "points", g->down.points[down], false);
        each_point(l, w, panel, down, index_plus(index_var(row), g->down.first[down]),
                   TILE_begin, part);
        build_end(&l->b);
    }
    part.block = index_var(build_for(&l->b, "block", g->inputs / g->v_tile, false));
    part.within = index_var(build_for(&l->b, "part", g->v_tile / g->part, false));
    for (int row = 0; row < side_points(&g->down); row++) {
        build_weights(l, w, row, panel->number, part);
        each_point(l, w, panel, side_kind(&g->down, row), index_const(row),
                   TILE_multiply, part);
    }
    build_end(&l->b);
    build_end(&l->b);
}

/* ---- held ---------------------------------------------------------------- */

/* Points of a row whose sums registers hold together: `count` from `first` on; which of all
 * `passes` over a block's weights this is. */
typedef struct Pass {
    int row, first, count;
    int number, passes;
    const Reg *sum[MAX_TILE_SUMS];
} Pass;

/* What is done with the sums of a pass before and after the channels. */
typedef enum Move { MOVE_in, MOVE_out } Move;

static void move_sums(Lower *l, const Wino *w, Pass *pass, Move move)
{
    const Winograd *g = &w->g;
    const Reg **sum = pass->sum;
    for (int q = pass->first; q < pass->first + pass->count; q++) {
        Tiles tiles = winograd_tiles(g, side_kind(&g->down, pass->row),
                                     side_kind(&g->across, q));
        for (int64_t t = tiles.first; t < tiles.first + tiles.count; t++, sum++) {
            Index at = index_const((pass->row * g->b.points + q) * g->m_point + t * g->width);
            if (move == MOVE_in)
                *sum = build_var(&l->b, "acc", 1, expr_load(l->arena, l->kernel, w->m, at,
                                                            l->target->lanes));
            else
                build_store(&l->b, w->m, at, expr_reg(l->arena, *sum, index_const(0)));
        }
    }
}

/* sums[point][tile] += V[point][tile][channel] U[point], U = column G^T; v at the channel of
 * the first point of all. Points of either sign come in twos, and each two is worked out just
 * before it is used: more at once would take registers that the sums need. */
static void multiply_points(Lower *l, const Wino *w, const Pass *pass, Index v,
                            const Expr *const *column)
{
    const Winograd *g = &w->g;
    const Expr *u[MAX_POINTS];
    const Reg *const *sum = pass->sum;
    int end = pass->first + pass->count;
    for (int q = pass->first; q < end; q++) {
        if ((q - pass->first) % 2 == 0)
            transform_rows(&l->b, l->target, &g->b.g, g->b.points, g->b.taps,
                           (Range){q, q + 2 < end ? q + 2 : end}, column, u);
        Tiles tiles = winograd_tiles(g, side_kind(&g->down, pass->row),
                                     side_kind(&g->across, q));
        const Expr *weight = build_let(&l->b, "u", u[q]);
        for (int64_t t = tiles.first; t < tiles.first + tiles.count; t++, sum++) {
            int64_t from = (pass->row * g->b.points + q) * g->v_point + t * g->v_tile;
            const Expr *a = build_let(&l->b, "a", expr_load(l->arena, l->kernel, w->v,
                                                            index_plus(v, from), 1));
            const Expr *x = build_let(&l->b, "x", expr_splat(l->arena, a, l->target->lanes));
            const Expr *old = expr_reg(l->arena, *sum, index_const(0));
            build_set(&l->b, *sum, index_const(0),
                      expr_multiply_add(l->arena, l->target, x, weight, old));
        }
    }
}

/* Of the lines of a channel of the next block each pass asks for some: into the first-level
 * cache, where all passes read them. */
static void ask_channel(Lower *l, const Wino *w, const Pass *pass, Index next)
{
    int lines = (int)((channel_weights(&w->g) + LINE - 1) / LINE);
    int from = lines * pass->number / pass->passes;
    int to = lines * (pass->number + 1) / pass->passes;
    for (int i = from; i < to && l->target->prefetch; i++)
        build_prefetch(&l->b, NEAR_l1, w->weight, index_plus(next, i * LINE));
}

static void build_pass(Lower *l, const Wino *w, Pass *pass, Index weights, Index v)
{
    const Winograd *g = &w->g;
    const Expr *column[MAX_POINTS];
    move_sums(l, w, pass, MOVE_in);
    const IVar *channel = build_for(&l->b, "ic", g->v_tile, false);
    Index at = index_add(weights, index_mul(index_var(channel), channel_weights(g)));
    ask_channel(l, w, pass, index_plus(at, g->v_tile * channel_weights(g)));
    weight_columns(l, w, pass->row, at, column);
    multiply_points(l, w, pass, index_add(v, index_var(channel)), column);
    build_end(&l->b);
    move_sums(l, w, pass, MOVE_out);
}

static void build_held(Lower *l, const Wino *w, const Panel *panel)
{
    const Winograd *g = &w->g;
    int lanes = l->target->lanes, rows = side_points(&g->down);
    const IVar *vector = build_for(&l->b, "z", g->m_count / lanes, false);
    build_store(&l->b, w->m, index_mul(index_var(vector), lanes),
                expr_real(l->arena, 0, lanes));
    build_end(&l->b);
    Part part = {index_var(build_for(&l->b, "block", g->inputs / g->v_tile, false)),
                 index_const(0)};
    Index weights = build_index(&l->b, "w", weights_from(w, panel->number, part));
    Index v = build_index(&l->b, "v", index_mul(part.block, g->v_block));
    Pass pass = {.passes = rows * g->held};
    for (pass.row = 0; pass.row < rows; pass.row++)
        for (int k = 0; k < g->held; k++, pass.number++) {
            pass.first = k ? pass.first + pass.count : 0;
            pass.count = winograd_points_held(g, l->target, pass.first);
            build_pass(l, w, &pass, weights, v);
        }
    build_end(&l->b);
}

void winograd_online_products(Lower *l, const Wino *w, const Panel *panel)
{
    if (w->g.held)
        build_held(l, w, panel);
    else
        build_by_parts(l, w, panel);
}
