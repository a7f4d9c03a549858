/* The loops of a contraction around its tiles.
 *
 *     for each panel of columns, for each block of rows:
 *         sums = bias
 *         for each stretch of the reduction:       its weights stay in the cache
 *             for each tile of rows: sums += ...
 *         chain
 *
 * A short reduction is one stretch: its sums never leave the registers. Cutting it
 * changes no bit: every sum takes the same terms in the same order.
 *
 * Note [Weights of the next stretch]: while a stretch is multiplied, the weights of
 * the next are asked for, some lines with every few steps, spread over the tiles.
 * They stream from memory at the rate of the multiplications; left to the hardware,
 * they come in bursts at the start of each stretch, which waits for them. */
#include "passes/contraction.h"
#include <math.h>

typedef struct Plan {
    Contraction *c;
    Blocks cut;              /* of the tiled axis */
    int64_t panels, narrow;  /* full panels of a group; columns left over */
    int64_t stretch;         /* steps; 0: the reduction is one */
    bool by_rows;            /* tasks are blocks of rows, else panels */
    int64_t tasks;
} Plan;

/* Few tiles read the weights of a stretch few times: short ones, so that the next
 * is there in time. Many tiles make sums wait often: as long as a quarter of the
 * second-level cache holds the weights. */
int64_t contraction_stretch(const Target *target, int64_t taps, int64_t run, int64_t panel,
                            int64_t tiles)
{
    enum { FEW = 6, SHORT = 64, WORTH = 32, PART = 4 };
    int64_t most = tiles <= FEW ? SHORT : target->l2_bytes / (PART * 4 * panel);
    if (tiles < 2 || taps * run <= most)
        return 0;
    int64_t steps = divisor_below(run, most);
    return steps >= WORTH ? steps : 0;
}

/* ---- planning ---------------------------------------------------------- */

static int64_t vectors_of(int64_t columns, int lanes)
{
    Piece pieces[MAX_PIECES];
    int n = pieces_cut(columns, lanes, pieces);
    int64_t vectors = 0;
    for (int i = 0; i < n; i++)
        vectors += pieces[i].count;
    return vectors;
}

/* Half cycles of one step with so many rows: two products a cycle, at least the
 * latency of one, and the loads. */
static int64_t step_cost(int64_t rows, int64_t vectors)
{
    enum { LATENCY = 8, LOADS = 1 };
    int64_t work = rows * vectors;
    return (work > LATENCY ? work : LATENCY) + LOADS;
}

/* The number of rows that costs least over the whole extent. */
static int best_rows(int64_t extent, int64_t most, int64_t vectors)
{
    int64_t best = 1, least = INT64_MAX;
    for (int64_t rows = most; rows >= 1; rows--) {
        int64_t rest = extent % rows;
        int64_t cost = extent / rows * step_cost(rows, vectors);
        cost += rest ? step_cost(rest, vectors) : 0;
        if (cost < least) {
            least = cost;
            best = rows;
        }
    }
    return (int)best;
}

int contraction_tile_rows(const Target *target, int64_t extent, int64_t panel, int lanes)
{
    int64_t vectors = vectors_of(panel, lanes);
    int64_t most = target->tile_rows * target->tile_vectors / vectors;
    most = most < 1 ? 1 : most > MOST_TILE_ROWS ? MOST_TILE_ROWS : most;
    return best_rows(extent, most < extent ? most : extent, vectors);
}

static void plan_tiles(Lower *l, Plan *p)
{
    Blocks *b = &p->cut;
    const Contraction *c = p->c;
    int64_t extent = c->rows.axis[c->rows.n - 1].extent, columns = c->columns.extent;
    b->rows = contraction_tile_rows(l->target, extent, columns < c->panel ? columns : c->panel,
                                    c->lanes);
    b->tiles = extent / b->rows;
    b->rest = extent % b->rows;
    p->panels = columns / c->panel;
    p->narrow = columns % c->panel;
}

/* The largest share of so many threads, in parts of an even one. */
static double unevenness(int64_t tiles, int64_t block, int threads)
{
    int64_t blocks = (tiles + block - 1) / block, most = 0;
    for (int64_t t = 0; t < threads; t++) {
        int64_t begin = blocks * t / threads * block, end = blocks * (t + 1) / threads * block;
        end = end < tiles ? end : tiles;
        most = end - begin > most ? end - begin : most;
    }
    return (double)(most * threads) / (double)tiles;
}

int64_t blocks_even(int64_t tiles, int64_t least, int64_t most, int max_threads)
{
    int64_t best = most;
    double evenest = INFINITY;
    for (int64_t block = most; block >= least; block--) {
        double uneven = 0;
        for (int threads = 2; threads <= 4 && threads <= max_threads; threads += 2)
            uneven += unevenness(tiles, block, threads);
        if (uneven < evenest) {
            evenest = uneven;
            best = block;
        }
    }
    return best;
}

/* As many tiles as rows may wait for, evenly. */
static void plan_blocks(Lower *l, Plan *p, int64_t at_least)
{
    Blocks *b = &p->cut;
    int64_t most = SUMS_ROWS / b->rows - 1;
    int64_t blocks = (b->tiles + most - 1) / most;
    blocks = blocks < at_least ? at_least : blocks;
    blocks = blocks > b->tiles ? b->tiles : blocks;
    b->block = (b->tiles + blocks - 1) / blocks;
    if (at_least > 1)
        b->block = blocks_even(b->tiles, b->block * 3 / 4 + 1, b->block, l->program->max_threads);
    b->blocks = (b->tiles + b->block - 1) / b->block;
}

static void plan_stretch(Lower *l, Plan *p)
{
    Contraction *c = p->c;
    p->stretch = c->packed ? contraction_stretch(l->target, c->taps, c->run, c->panel, p->cut.block)
                           : 0;
    int64_t sums = (p->cut.block * p->cut.rows + p->cut.rest) * c->panel;
    if (p->stretch && c->sink < 0 && l->group->temp.per_thread < sums * 4)
        p->stretch = 0;
    c->sums = c->sink;
    if (p->stretch && c->sink < 0) {
        c->sums = lower_scratch(l, "sums", 0, sums);
        c->columns.step[c->sums] = 1;
        c->rows.axis[c->rows.n - 1].step[c->sums] = c->panel;
    }
}

static bool weights_stay(const Lower *l, const Contraction *c)
{
    int64_t weights = c->groups * c->taps * c->run * c->columns.extent * 4;
    return weights <= l->target->l2_bytes / 2;
}

/* Tasks share blocks early in a network, when the weights stay in the cache, and
 * panels late, so that wide weights are read once. */
static void plan_tasks(Lower *l, Plan *p)
{
    enum { TASKS = 32 };
    const Contraction *c = p->c;
    int64_t panels = p->panels + (p->narrow > 0);
    p->by_rows = panels < 2 || (weights_stay(l, c) && p->cut.tiles > panels);
    plan_blocks(l, p, p->by_rows ? TASKS : 1);
    p->tasks = p->by_rows ? p->cut.blocks : panels;
}

/* ---- tiles ------------------------------------------------------------- */

/* Where a block stands in the panel: its number, and the panel's columns. */
typedef struct Spot {
    At at; /* at its first row */
    Index number;
    int64_t columns;
} Spot;

static Axis rows_axis(Lower *l, const Plan *p, int64_t rows)
{
    const Contraction *c = p->c;
    Axis axis = c->rows.axis[c->rows.n - 1];
    for (int i = 0; i < l->operands; i++)
        axis.step[i] *= rows;
    return axis;
}

/* Which inputs a tile asks for, its own at `at` and `from` rows behind the block's first: those
 * of the next tile, or its share of those read after all of this block. */
static void plan_inputs(Lower *l, const Plan *p, const Spot *spot, const TilePlace *tile,
                        Index from, Stretch *stretch)
{
    const Contraction *c = p->c;
    int64_t extent = c->rows.axis[c->rows.n - 1].extent;
    int64_t rows = p->cut.blocks > 1 ? blocks_row(&p->cut) : extent;
    Index inputs;
    if (c->inputs_follow && stretch->count == c->run) {
        inputs = index_plus(tile->at.index[c->a], tile->rows * c->run);
    } else if (c->inputs_ahead && l->target->prefetch) {
        inputs = index_plus(spot->at.index[c->a], c->inputs_ahead);
        if (stretch->count < c->run)
            inputs = index_add(inputs, index_mul(stretch->start, rows));
        inputs = index_add(inputs, index_mul(from, stretch->count));
    } else {
        return;
    }
    stretch->asks_inputs = true;
    stretch->inputs = build_index(&l->b, "inputs", inputs);
}

/* The `tile`-th of a block, `from` rows behind the block's first. */
static void one_tile(Lower *l, const Plan *p, const Spot *spot, Index tile, Index from,
                     int rows, TileWork work, Stretch stretch)
{
    TilePlace at = {.at = spot->at, .rows = rows, .columns = spot->columns};
    Axis row = rows_axis(l, p, 1);
    at_move(&at.at, l->operands, &row, from);
    if (stretch.first + stretch.lines && work == TILE_multiply) {
        int64_t each = (stretch.count / l->target->unroll * stretch.lines + stretch.first) * LINE;
        stretch.ahead = build_index(&l->b, "ahead",
                                    index_add(stretch.ahead, index_mul(tile, each)));
    }
    if (work == TILE_multiply)
        plan_inputs(l, p, spot, &at, from, &stretch);
    tile_build(l, p->c, &at, work, &stretch);
}

/* The full tiles of a block, those of a row less, and in the last block the rows left over. */
static void each_tile(Lower *l, const Plan *p, const Spot *spot, TileWork work,
                      Stretch stretch)
{
    const Blocks *b = &p->cut;
    if (b->tiles) {
        bool partial = b->tiles % b->block != 0;
        const IVar *tile = build_for(&l->b, "tile", b->block, false);
        if (partial)
            build_if_less(&l->b, index_add(index_mul(spot->number, b->block),
                                           index_var(tile)), b->tiles);
        Index from = index_mul(index_var(tile), b->rows);
        one_tile(l, p, spot, index_var(tile), from, b->rows, work, stretch);
        if (partial)
            build_end(&l->b);
        build_end(&l->b);
    }
    if (b->fewer) {
        const IVar *tile = build_for(&l->b, "tile", b->fewer, false);
        Index from = index_plus(index_mul(index_var(tile), b->rows - 1), b->block * b->rows);
        one_tile(l, p, spot, index_plus(index_var(tile), b->block), from, b->rows - 1, work,
                 stretch);
        build_end(&l->b);
    }
    if (!b->rest)
        return;
    int64_t after = b->tiles - (b->blocks - 1) * b->block;
    if (b->blocks > 1) {
        build_if_less(&l->b, spot->number, b->blocks - 1);
        build_else(&l->b);
    }
    Index tile = index_const(b->tiles ? after : 0);
    one_tile(l, p, spot, tile, index_mul(tile, b->rows), (int)b->rest, work, stretch);
    if (b->blocks > 1)
        build_end(&l->b);
}

static int ahead_lines(Lower *l, const Plan *p)
{
    if (!l->target->prefetch || !p->c->packed)
        return 0;
    int64_t lines = p->c->panel * l->target->unroll / LINE;
    int64_t tiles = p->cut.block + p->cut.fewer;
    return (int)((lines + tiles - 1) / tiles);
}

static void build_stretches(Lower *l, const Plan *p, const Spot *spot)
{
    const Contraction *c = p->c;
    each_tile(l, p, spot, TILE_begin, (Stretch){0});
    const IVar *tap = build_for(&l->b, "tap", c->taps, false);
    const IVar *part = build_for(&l->b, "part", c->run / p->stretch, false);
    Stretch stretch = {.tap = index_var(tap), .start = index_mul(index_var(part), p->stretch),
                       .count = p->stretch, .lines = ahead_lines(l, p), .operand = c->b};
    Index end = index_plus(index_add(index_mul(stretch.tap, c->run), stretch.start), p->stretch);
    stretch.ahead = index_add(spot->at.index[c->b], index_mul(end, c->b_step));
    each_tile(l, p, spot, TILE_multiply, stretch);
    build_end(&l->b);
    build_end(&l->b);
    if (c->sink < 0)
        each_tile(l, p, spot, TILE_end, (Stretch){0});
}

/* The whole reduction. Where other tiles read the same panel, what is asked for is the next
 * one. Where one tile has all rows, weights are a stream: what is asked for is 12 KB
 * ahead in it, in this panel and beyond (panels lie behind one another, and so do the weights
 * of steps), and read so soon that the first-level cache keeps it. Of a single row the
 * processor reads ahead enough by itself (as measured with AVX2). */
static Stretch whole_stretch(Lower *l, const Plan *p, const Spot *spot)
{
    enum { STREAM = 12288 / 4 };
    const Contraction *c = p->c;
    int64_t all = c->run * c->b_step;
    bool alone = p->cut.tiles + (p->cut.rest > 0) == 1 && all > STREAM;
    bool row = alone && p->cut.rows == 1 && target_has_few_registers(l->target);
    return (Stretch){.whole = true, .count = c->run, .operand = c->b,
                     .lines = c->taps == 1 && !row ? ahead_lines(l, p) : 0,
                     .ahead = index_plus(spot->at.index[c->b], alone ? STREAM : all),
                     .near = alone ? NEAR_l1 : NEAR_l2};
}

static void build_block(Lower *l, const Plan *p, At at, Index number, int64_t columns)
{
    const Contraction *c = p->c;
    Axis axis = rows_axis(l, p, p->cut.rows);
    if (c->sums >= 0 && c->sums != c->sink)
        axis.step[c->sums] = 0;
    at_move(&at, l->operands, &axis, index_mul(number, p->cut.block));
    Spot spot = {at, number, columns};
    if (p->stretch)
        build_stretches(l, p, &spot);
    else
        each_tile(l, p, &spot, TILE_multiply, whole_stretch(l, p, &spot));
}

/* ---- panels and tasks -------------------------------------------------- */

static Axis panel_axis(Lower *l, const Plan *p)
{
    const Contraction *c = p->c;
    Axis panel = c->columns;
    for (int i = 0; i < l->operands; i++)
        panel.step[i] *= c->panel;
    if (c->packed)
        panel.step[c->b] = c->panel_step;
    if (c->sums >= 0 && c->sums != c->sink)
        panel.step[c->sums] = 0;
    return panel;
}

static void all_blocks(Lower *l, const Plan *p, At at, int64_t columns)
{
    const IVar *block = build_for(&l->b, "block", p->cut.blocks, false);
    build_block(l, p, at, index_var(block), columns);
    build_end(&l->b);
}

/* A task is a block: all panels of it. */
static void build_by_rows(Lower *l, const Plan *p, At at, Index task)
{
    Axis panel = panel_axis(l, p);
    if (p->panels) {
        const IVar *var = build_for(&l->b, "panel", p->panels, false);
        At here = at;
        at_move(&here, l->operands, &panel, index_var(var));
        build_block(l, p, here, task, p->c->panel);
        build_end(&l->b);
    }
    if (p->narrow) {
        at_move(&at, l->operands, &panel, index_const(p->panels));
        build_block(l, p, at, task, p->narrow);
    }
}

/* A task is a panel: the narrow one has tiles of its own. */
static void build_by_panels(Lower *l, const Plan *p, At at, Index task)
{
    Axis panel = panel_axis(l, p);
    at_move(&at, l->operands, &panel, task);
    if (!p->narrow) {
        all_blocks(l, p, at, p->c->panel);
        return;
    }
    build_if_less(&l->b, task, p->panels);
    all_blocks(l, p, at, p->c->panel);
    build_else(&l->b);
    all_blocks(l, p, at, p->narrow);
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
static Axis *outer_tasks(Contraction *c)
{
    enum { ENOUGH = 4 };
    if (c->rows.n > 1 && c->rows.axis[0].extent >= ENOUGH)
        return &c->rows.axis[0];
    if (c->groups >= ENOUGH)
        return &c->group;
    if (c->batch.n && c->batch.axis[0].extent >= ENOUGH)
        return &c->batch.axis[0];
    return NULL;
}

/* Its loops stay, of one round, behind the tasks. */
static void build_outer_tasks(Lower *l, Plan *p, Axis *axis)
{
    At at = at_origin(l, 1, NULL);
    plan_blocks(l, p, 1);
    plan_stretch(l, p);
    at_move(&at, l->operands, axis, lower_tasks(l, axis->extent));
    *axis = (Axis){.extent = 1};
    p->by_rows = true;
    const IVar *block = build_for(&l->b, "block", p->cut.blocks, false);
    build_outer(l, p, at, index_var(block));
    build_end(&l->b);
}

void contraction_work(Lower *l, Contraction *c, At at, TileWork work, const Ahead *ahead)
{
    Plan p = {.c = c};
    plan_tiles(l, &p);
    p.cut.block = p.cut.tiles;
    p.cut.blocks = 1;
    c->sums = c->sink;
    Spot spot = {at, index_const(0), c->columns.extent};
    Stretch stretch = {.count = c->run};
    if (ahead && l->target->prefetch) {
        int64_t tiles = p.cut.tiles + (p.cut.rest > 0), parts = c->run / l->target->unroll;
        int64_t each = (ahead->elements / LINE + ahead->rounds - 1) / ahead->rounds;
        int64_t lines = (each + tiles - 1) / tiles;
        stretch.lines = parts ? (int)(lines / parts) : 0;
        stretch.first = parts ? (int)(lines % parts) : 0;
        stretch.operand = ahead->operand;
        stretch.ahead = index_add(ahead->from, index_mul(ahead->round, each * LINE));
    }
    each_tile(l, &p, &spot, work, stretch);
}

int64_t blocks_row(const Blocks *b)
{
    return b->block * b->rows + b->fewer * (b->rows - 1);
}

void contraction_block(Lower *l, Contraction *c, At at, Index number, const Blocks *blocks)
{
    Plan p = {.c = c, .cut = *blocks};
    Spot spot = {at, number, c->columns.extent};
    Stretch stretch = {.whole = true, .count = c->run, .operand = c->b,
                       .lines = ahead_lines(l, &p),
                       .ahead = index_plus(at.index[c->b], c->run * c->b_step)};
    each_tile(l, &p, &spot, TILE_multiply, stretch);
}

void contraction_tiles(Lower *l, Contraction *c, At at)
{
    Plan p = {.c = c};
    plan_tiles(l, &p);
    plan_blocks(l, &p, 1);
    plan_stretch(l, &p);
    all_blocks(l, &p, at, c->columns.extent);
}

void contraction_rows(Lower *l, Contraction *c, At at)
{
    Plan p = {.c = c};
    plan_tiles(l, &p);
    plan_blocks(l, &p, 1);
    c->sums = c->sink;
    const IVar *block = build_for(&l->b, "block", p.cut.blocks, false);
    build_by_rows(l, &p, at, index_var(block));
    build_end(&l->b);
}

/* Groups that read a map which no cache of a core's own holds: a task is some rows for all
 * of them, not a group, which would skip through the map. */
static bool shares_rows(const Lower *l, const Contraction *c)
{
    return c->groups > 1 && c->rows.n == 1 && c->batch.n == 0 && weights_stay(l, c) &&
           type_bytes(&l->operand[c->a].value->type) > l->target->l2_bytes;
}

/* Each group takes one tile of the rows before the next does. */
static void build_shared_rows(Lower *l, Plan *p)
{
    enum { TASKS = 64 };
    Blocks *b = &p->cut;
    b->block = 1;
    b->blocks = b->tiles;
    p->by_rows = true;
    p->c->rows_follow = l->target->prefetch && p->c->run_step == 1 && p->c->taps == 1;
    int64_t tasks = b->blocks < TASKS ? b->blocks : TASKS, each = (b->blocks + tasks - 1) / tasks;
    tasks = (b->blocks + each - 1) / each;
    Index task = lower_tasks(l, tasks);
    Index block = index_var(build_for(&l->b, "block", each, false));
    block = build_index(&l->b, "block", index_add(index_mul(task, each), block));
    bool partial = tasks * each > b->blocks;
    if (partial)
        build_if_less(&l->b, block, b->blocks);
    build_outer(l, p, at_origin(l, 1, NULL), block);
    if (partial)
        build_end(&l->b);
    build_end(&l->b);
}

void contraction_build(Lower *l, Contraction *c)
{
    Plan p = {.c = c};
    plan_tiles(l, &p);
    if (shares_rows(l, c)) {
        build_shared_rows(l, &p);
        return;
    }
    Axis *outer = outer_tasks(c);
    if (outer) {
        build_outer_tasks(l, &p, outer);
        return;
    }
    plan_tasks(l, &p);
    plan_stretch(l, &p);
    build_outer(l, &p, at_origin(l, 1, NULL), lower_tasks(l, p.tasks));
}

void lower_contraction(Lower *l)
{
    Contraction c = {.bias = -1, .table = -1, .sink = -1, .sums = -1};
    lower_open(l, op_info[l->group->anchor->op].name);
    contraction_describe(l, &c);
    contraction_ask(l, &c);
    store_pad_pixel(l);
    contraction_build(l, &c);
    lower_close(l);
}
