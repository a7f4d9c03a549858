/* What the tiles of a contraction ask for besides weights: pieces of maps.
 *
 * Note [Maps ahead]: a short reduction ends before the lines that its tile adds to or
 * writes have come from the last-level cache or memory, and all of them are wanted at
 * once. So a tile asks for its own lines as it begins to multiply, a row with each
 * unrolled step, and for the rows that the next tile reads, spread over all of its
 * steps. Only maps that the second-level cache does not keep are asked for. It costs
 * two or three requests in a hundred products, and no bit changes. */
#include "passes/contraction.h"

enum { LINE = 16 }; /* f32 */

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
}

void tile_ask(Lower *l, const Contraction *c, const TilePlace *tile, Index k, int64_t steps)
{
    if (c->maps) {
        int64_t each = (tile->rows + steps - 1) / steps, whole = tile->rows / each;
        bool some = whole < steps;
        if (some)
            build_if_less(&l->b, k, whole);
        for (int64_t i = 0; i < each; i++)
            ask_row(l, c, tile, index_plus(index_mul(k, each), i));
        if (some)
            build_end(&l->b);
    }
    if (c->inputs_follow && steps == c->run / l->target->unroll) {
        int64_t each = tile->rows * l->target->unroll;
        Index at = index_plus(tile->at.index[c->a], tile->rows * c->run);
        for (int64_t i = 0; i < each; i += LINE)
            build_prefetch(&l->b, NEAR_l2, c->a, index_plus(index_add(at, index_mul(k, each)), i));
    }
}
