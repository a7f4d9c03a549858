/* Copies between layouts whose rows become columns: of a result's neighbours no two are
 * neighbours in the source (channels last into planes, planes into channels last).
 *
 *     for each task (some tiles along one of the two axes), for each tile along the other:
 *         a tile of so many rows as a vector has lanes: rows loaded, transposed in
 *         registers, stored
 *
 * Element by element such a copy touches a line of memory for each element; so each line
 * is read and written a vector at a time. The last tile of an axis that does not divide
 * begins early, and stores again what the tile before it has. */
#include "passes/lower.h"

enum { ROW = 0, COLUMN = 1, QUAD = 4, MOST_ROWS = 16 };

/* `axis[COLUMN]` has neighbours in the result, `axis[ROW]` in the source. */
typedef struct Transpose {
    int source, lanes;
    Axis axis[2];
} Transpose;

static bool split_axes(const Nest *nest, int source, Transpose *t, Nest *others)
{
    bool found[2] = {false, false};
    *others = (Nest){.operands = nest->operands};
    for (int i = 0; i < nest->n; i++) {
        const Axis *axis = &nest->axis[i];
        bool in_result = axis->step[0] == 1, in_source = axis->step[source] == 1;
        bool of_tile = in_result != in_source;
        if (of_tile) {
            t->axis[in_result ? COLUMN : ROW] = *axis;
            found[in_result ? COLUMN : ROW] = true;
        } else {
            others->axis[others->n++] = *axis;
        }
    }
    return found[ROW] && found[COLUMN];
}

bool nest_transposes(const Lower *l, const Nest *nest, int source)
{
    Transpose t;
    Nest others;
    int lanes = lower_lanes(l);
    return l->group->members.n == 1 && l->result->type.dtype == DT_f32 && lanes >= QUAD &&
           lanes <= MOST_ROWS && split_axes(nest, source, &t, &others) &&
           t.axis[ROW].extent >= lanes && t.axis[COLUMN].extent >= lanes;
}

static int64_t tiles_of(const Transpose *t, int axis)
{
    return (t->axis[axis].extent + t->lanes - 1) / t->lanes;
}

/* Where a tile begins: a table, where the last one overlaps its neighbour. */
static Index start_of(Lower *l, const Transpose *t, int axis, int table, Index tile)
{
    if (table < 0)
        return index_mul(tile, t->lanes);
    int64_t last = t->axis[axis].extent - t->lanes;
    return index_var(build_iload(&l->b, "start", table, tile, 0, last));
}

static int start_table(Lower *l, const Transpose *t, int axis)
{
    int64_t n = tiles_of(t, axis), extent = t->axis[axis].extent;
    if (extent % t->lanes == 0)
        return -1;
    int32_t *start = NEW(l->arena, int32_t, n);
    for (int64_t i = 0; i < n; i++)
        start[i] = (int32_t)(i < n - 1 ? i * t->lanes : extent - t->lanes);
    return lower_table(l, "start", start, n);
}

/* ---- in registers ------------------------------------------------------- */

static const Expr *shuffled(Lower *l, const Expr *x, const Expr *y, int lanes,
                            const signed char *lane)
{
    return build_let(&l->b, "r", expr_shuffle(l->arena, x, y, lanes, lane));
}

/* Of each four lanes of x and y the first two (or the last two) in turns. */
static const Expr *in_turns(Lower *l, const Expr *x, const Expr *y, int lanes, int half)
{
    signed char lane[MOST_ROWS];
    for (int i = 0; i < lanes; i++)
        lane[i] = (signed char)(i / QUAD * QUAD + 2 * half + i % QUAD / 2 + i % 2 * lanes);
    return shuffled(l, x, y, lanes, lane);
}

/* Of each 2 * `block` lanes the first (or the second) half of x, then that of y. */
static const Expr *halves(Lower *l, const Expr *x, const Expr *y, int lanes, int block, int half)
{
    signed char lane[MOST_ROWS];
    for (int i = 0; i < lanes; i++) {
        bool second = i / block % 2;
        int from = i / (2 * block) * 2 * block + half * block + i % block;
        lane[i] = (signed char)(from + (second ? lanes : 0));
    }
    return shuffled(l, x, y, lanes, lane);
}

/* Rows in fours: every four lanes of four rows are transposed, each step one instruction. */
static void transpose_quads(Lower *l, const Expr **row, int lanes)
{
    for (int i = 0; i < lanes; i += QUAD) {
        const Expr *first[2], *last[2];
        for (int half = 0; half < 2; half++) {
            first[half] = in_turns(l, row[i], row[i + 1], lanes, half);
            last[half] = in_turns(l, row[i + 2], row[i + 3], lanes, half);
        }
        for (int k = 0; k < QUAD; k++)
            row[i + k] = halves(l, first[k / 2], last[k / 2], lanes, 2, k % 2);
    }
}

/* Then blocks of four lanes, of eight, change places across the diagonal. */
static void transpose_rows(Lower *l, const Expr **row, int lanes)
{
    transpose_quads(l, row, lanes);
    for (int block = QUAD; block < lanes; block *= 2)
        for (int i = 0; i < lanes; i++)
            if (i / block % 2 == 0) {
                const Expr *x = row[i], *y = row[i + block];
                row[i] = halves(l, x, y, lanes, block, 0);
                row[i + block] = halves(l, x, y, lanes, block, 1);
            }
}

/* `at` is the first element of the tile. */
static void transpose_tile(Lower *l, const Transpose *t, const At *at)
{
    const Expr *row[MOST_ROWS];
    for (int i = 0; i < t->lanes; i++) {
        Index from = index_plus(at->index[t->source], i * t->axis[COLUMN].step[t->source]);
        row[i] = build_let(&l->b, "r", expr_load(l->arena, l->kernel, t->source, from, t->lanes));
    }
    transpose_rows(l, row, t->lanes);
    for (int i = 0; i < t->lanes; i++)
        build_store(&l->b, 0, index_plus(at->index[0], i * t->axis[ROW].step[0]), row[i]);
}

/* ---- loops -------------------------------------------------------------- */

/* Tiles of a task, so many that a vector of each row stays in the first-level cache. A last
 * tile that overlaps the one before is never its task's only one: no two tasks write one
 * element. */
static int64_t tiles_of_task(const Transpose *t, int axis, int64_t elements)
{
    enum { ELEMENTS = 4096, MOST = 128 };
    int64_t tiles = tiles_of(t, axis), least = ELEMENTS * tiles / elements;
    int64_t most = MOST / t->lanes, each = least < 1 ? 1 : least > most ? most : least;
    bool overlaps = t->axis[axis].extent % t->lanes != 0 && tiles > 1;
    while (overlaps && (each == 1 || tiles % each == 1))
        each++;
    return each < tiles ? each : tiles;
}

void lower_transpose(Lower *l, const Nest *nest, At at, int source)
{
    Transpose t = {.source = source, .lanes = lower_lanes(l)};
    Nest others;
    int64_t elements = 1;
    if (!split_axes(nest, source, &t, &others))
        bug("no axes to transpose");
    for (int i = 0; i < nest->n; i++)
        elements *= nest->axis[i].extent;
    int outer = tiles_of(&t, ROW) >= tiles_of(&t, COLUMN) ? ROW : COLUMN, inner = !outer;
    int table[2] = {start_table(l, &t, ROW), start_table(l, &t, COLUMN)};
    int64_t tiles = tiles_of(&t, outer), each = tiles_of_task(&t, outer, elements);
    Index task = lower_tasks(l, (tiles + each - 1) / each);
    for (int i = 0; i < others.n; i++)
        at_move(&at, l->operands, &others.axis[i],
                index_var(build_for(&l->b, "d", others.axis[i].extent, false)));
    Index across = index_var(build_for(&l->b, "across", tiles_of(&t, inner), false));
    at_move(&at, l->operands, &t.axis[inner], start_of(l, &t, inner, table[inner], across));
    Index tile = index_var(build_for(&l->b, "tile", each, false));
    tile = index_add(index_mul(task, each), tile);
    bool guarded = tiles % each != 0;
    if (guarded)
        build_if_less(&l->b, tile, tiles);
    at_move(&at, l->operands, &t.axis[outer], start_of(l, &t, outer, table[outer], tile));
    transpose_tile(l, &t, &at);
    for (int i = 0; i < others.n + 2 + guarded; i++)
        build_end(&l->b);
}
