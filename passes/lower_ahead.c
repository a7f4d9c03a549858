/* What the tiles of a contraction ask for besides weights: pieces of maps.
 *
 * Note [Maps ahead]: a short reduction ends before the lines that its tile adds to or
 * writes have come from the last-level cache or memory, and all of them are wanted at
 * once. So a tile asks for its own lines as it begins to multiply, a row with each
 * unrolled step, and for the rows that the next tile reads, a line or two with each. Only
 * maps that the second-level cache does not keep are asked for. Where a task has rows of all
 * groups a tile asks for its group's piece of each of the next rows. It costs two or three
 * requests in a hundred products, and no bit changes.
 *
 * Winograd's products by panels ask for the inputs of the next point: half of them, with two
 * threads, are in the other core's cache, from which they come too late when they are wanted,
 * and the weights that stream by take the others out of this core's. Granite Rapids, 128
 * channels on 28x28: 0.290 to 0.278 ms, with two threads 0.200 to 0.165. */
#include "passes/contraction.h"

static bool is_far(const Lower *l, const Value *value)
{
    return value && value->place.home != HOME_weights &&
           type_bytes(&value->type) > l->target->l2_bytes / 2;
}

static bool lie_together(const Value *a, const Value *b)
{
    return a->place.home == b->place.home && a->place.port == b->place.port &&
           a->place.offset == b->place.offset;
}

static bool is_known(const Lower *l, const Contraction *c, const Value *value)
{
    for (int i = 0; i < c->maps; i++)
        if (lie_together(l->operand[c->map[i]].value, value))
            return true;
    return false;
}

void contraction_ask(Lower *l, Contraction *c)
{
    const Axis *rows = &c->rows.axis[c->rows.n - 1];
    if (!l->target->prefetch || !c->packed || c->sink >= 0 || c->lanes < LINE / 2)
        return;
    for (int i = 0; i < l->operands && c->maps < MAX_MAPS; i++) {
        bool other = i == c->a || i == c->b || i == c->bias || i == c->table;
        const Value *value = l->operand[i].value;
        if (!other && is_far(l, value) && rows->step[i] > 0 && c->columns.step[i] == 1 &&
            !is_known(l, c, value))
            c->map[c->maps++] = i;
    }
    c->inputs_follow = is_far(l, l->operand[c->a].value) && c->table < 0 && c->taps == 1 &&
                       c->run_step == 1 && rows->step[c->a] == c->run;
}

static void ask_row(Lower *l, const Contraction *c, const TilePlace *tile, Index row)
{
    for (int i = 0; i < c->maps; i++) {
        int map = c->map[i];
        int64_t step = c->rows.axis[c->rows.n - 1].step[map];
        Index at = index_add(tile->at.index[map], index_mul(row, step));
        for (int64_t column = 0; column < tile->columns; column += LINE)
            build_prefetch(&l->b, NEAR_l2, map, index_plus(at, column));
    }
    if (!c->rows_follow)
        return;
    int64_t step = c->rows.axis[c->rows.n - 1].step[c->a];
    Index at = index_add(tile->at.index[c->a], index_mul(index_plus(row, tile->rows), step));
    for (int64_t i = 0; i < c->run; i += LINE)
        build_prefetch(&l->b, NEAR_l2, c->a, index_plus(at, i));
}

void tile_ask(Lower *l, const Contraction *c, const TilePlace *tile, Index k, int64_t steps)
{
    if (c->maps || c->rows_follow) {
        int64_t each = (tile->rows + steps - 1) / steps, whole = tile->rows / each;
        bool some = whole < steps;
        if (some)
            build_if_less(&l->b, k, whole);
        for (int64_t i = 0; i < each; i++)
            ask_row(l, c, tile, index_plus(index_mul(k, each), i));
        if (some)
            build_end(&l->b);
    }
}

/* All of its lines in the first of the `steps`, as many with each. */
void tile_ask_inputs(Lower *l, const Contraction *c, const Stretch *stretch, int rows, Index k,
                     int64_t steps)
{
    if (!stretch->asks_inputs)
        return;
    int64_t lines = (rows * steps * l->target->unroll + LINE - 1) / LINE;
    int64_t each = (lines + steps - 1) / steps, last = (lines + each - 1) / each;
    Index at = index_add(stretch->inputs, index_mul(k, each * LINE));
    if (last < steps)
        build_if_less(&l->b, k, last);
    for (int64_t i = 0; i < each; i++)
        build_prefetch(&l->b, NEAR_l2, c->a, index_plus(at, i * LINE));
    if (last < steps)
        build_end(&l->b);
}
