/* Lowering of vecdot: sums of products over any axes of two operands that broadcast,
 * as windows of a map (views by unfold) do against queries or weights.
 *
 * Where a kept dimension is dense in the result and in an operand, lanes lie along
 * it, and neighbours that share an operand make a block of sums. Else, where a
 * summed dimension is dense in both operands, lanes lie along that, and the sums of
 * several results are joined by one tree of shuffles. Else scalars. */
#include "passes/lower.h"

enum { MOST_SUMS = 8 };

typedef struct Dot {
    int a, b; /* operands */
    Nest kept, gone;
    Axis vector;     /* where the lanes lie; kept has no part in it */
    Axis block;      /* the sums of a block besides; extent 1: none */
    int64_t vectors; /* of a block, along the vector axis */
    int lanes;
    bool along; /* lanes along a summed axis */
} Dot;

/* ---- description ------------------------------------------------------- */

static int64_t step_in(const Value *x, int d, int rank)
{
    int own = d - (rank - x->type.shape.rank);
    return own < 0 || x->type.shape.dim[own] == 1 ? 0 : x->place.stride[own];
}

static bool is_summed(const Value *v, int d)
{
    for (int i = 0; i < v->attr.axes.n; i++)
        if (v->attr.axes.at[i] == d)
            return true;
    return false;
}

static Dot dot_describe(Lower *l)
{
    const Value *v = l->group->anchor, *a = v->args[0], *b = v->args[1];
    Dot dot = {.a = lower_operand(l, a, true),
               .b = lower_operand(l, b, true),
               .block = {.extent = 1},
               .vector = {.extent = 1},
               .lanes = 1,
               .vectors = 1};
    Nest result = nest_of_result(l);
    Shape joined = shape_joined(&a->type.shape, &b->type.shape);
    dot.kept.operands = dot.gone.operands = l->operands;
    int out = 0;
    for (int d = 0; d < joined.rank; d++) {
        bool summed = is_summed(v, d);
        Axis axis = summed ? (Axis){0} : result.axis[out];
        axis.extent = joined.dim[d];
        axis.step[dot.a] = step_in(a, d, joined.rank);
        axis.step[dot.b] = step_in(b, d, joined.rank);
        Nest *nest = summed ? &dot.gone : &dot.kept;
        nest->axis[nest->n++] = axis;
        out += !summed || v->attr.keepdims;
    }
    nest_sort(&dot.kept);
    nest_coalesce(&dot.kept, 0);
    nest_coalesce(&dot.gone, 0);
    return dot;
}

static Axis nest_take(Nest *nest, int i)
{
    Axis axis = nest->axis[i];
    for (nest->n--; i < nest->n; i++)
        nest->axis[i] = nest->axis[i + 1];
    return axis;
}

/* Dense in the result, and 0 or 1 apart in what the chain reads. */
static bool is_dense(const Lower *l, const Dot *dot, const Axis *axis)
{
    for (int i = 0; i < l->operands; i++)
        if (i != dot->a && i != dot->b && axis->step[i] != 0 && axis->step[i] != 1)
            return false;
    return axis->step[0] == 1;
}

static int lanes_dividing(int64_t extent, int most)
{
    int lanes = most;
    while (lanes >= 4 && extent % lanes != 0)
        lanes /= 2;
    return lanes >= 4 ? lanes : 1;
}

/* Sums of neighbours along an axis that an operand does not move along take that
 * operand from one register. */
static void plan_block(Dot *dot)
{
    int64_t room = MOST_SUMS / dot->vectors;
    int best = -1;
    for (int i = 0; i < dot->kept.n; i++) {
        const Axis *axis = &dot->kept.axis[i];
        bool shares = !axis->step[dot->a] || !axis->step[dot->b];
        if (divisor_below(axis->extent, room) > 1 && (best < 0 || shares))
            best = i;
    }
    if (best < 0)
        return;
    Axis *outer = &dot->kept.axis[best];
    dot->block = *outer;
    dot->block.extent = divisor_below(outer->extent, room);
    outer->extent /= dot->block.extent;
    for (int i = 0; i < dot->kept.operands; i++)
        outer->step[i] *= dot->block.extent;
}

/* Lanes along the innermost kept axis. */
static bool plan_across(const Lower *l, Dot *dot)
{
    if (dot->kept.n == 0 || lower_lanes(l) == 1)
        return false;
    const Axis *inner = &dot->kept.axis[dot->kept.n - 1];
    int64_t a = inner->step[dot->a], b = inner->step[dot->b];
    if (!is_dense(l, dot, inner) || inner->extent < 4 || a < 0 || a > 1 || b < 0 || b > 1)
        return false;
    dot->vector = nest_take(&dot->kept, dot->kept.n - 1);
    dot->lanes = lower_lanes(l);
    int64_t whole = dot->vector.extent / dot->lanes;
    dot->vectors = whole ? divisor_below(whole, MOST_SUMS / 2) : 1;
    plan_block(dot);
    return true;
}

/* Lanes along a summed axis; a block of results becomes one vector. */
static bool plan_along(const Lower *l, Dot *dot)
{
    int most = lower_lanes(l);
    for (int i = 0; i < dot->gone.n && most >= 4; i++) {
        const Axis *axis = &dot->gone.axis[i];
        int lanes = lanes_dividing(axis->extent, most);
        if (axis->step[dot->a] != 1 || axis->step[dot->b] != 1 || lanes == 1)
            continue;
        dot->along = true;
        dot->lanes = lanes;
        dot->vector = *axis;
        dot->gone.axis[i].extent /= lanes;
        for (int k = 0; k < l->operands; k++)
            dot->gone.axis[i].step[k] *= lanes;
        int last = dot->kept.n - 1;
        int joined = last < 0 ? 1
                              : lanes_dividing(dot->kept.axis[last].extent,
                                               lanes < MOST_SUMS ? lanes : MOST_SUMS);
        if (joined > 1 && is_dense(l, dot, &dot->kept.axis[last])) {
            Axis *outer = &dot->kept.axis[last];
            dot->block = *outer;
            dot->block.extent = joined;
            outer->extent /= joined;
            for (int k = 0; k < l->operands; k++)
                outer->step[k] *= joined;
        }
        return true;
    }
    return false;
}

/* ---- sums -------------------------------------------------------------- */

typedef struct Sums {
    int n;
    At at[MOST_SUMS];
    const Reg *reg[MOST_SUMS];
} Sums;

static Sums sums_begin(Lower *l, const Dot *dot, At at, int64_t vectors)
{
    Sums s = {0};
    for (int64_t j = 0; j < dot->block.extent; j++)
        for (int64_t v = 0; v < vectors; v++) {
            At here = at;
            at_move(&here, l->operands, &dot->block, index_const(j));
            at_move(&here, l->operands, &dot->vector, index_const(v * at.lanes));
            s.at[s.n] = here;
            s.reg[s.n++] = build_var(&l->b, "sum", 1, expr_real(l->arena, 0, at.lanes));
        }
    return s;
}

/* An operand at this sum: that of an earlier one where it is the same. */
static const Expr *operand_at(Lower *l, const Sums *s, int i, int operand, const Expr **loaded)
{
    for (int k = 0; k < i; k++) {
        Index apart = index_add(s->at[i].index[operand], index_mul(s->at[k].index[operand], -1));
        if (apart.n == 0 && apart.base == 0)
            return loaded[i] = loaded[k];
    }
    return loaded[i] = build_let(&l->b, "x", at_load(l, &s->at[i], operand));
}

static void sums_add(Lower *l, const Dot *dot, const Sums *s)
{
    const Expr *a[MOST_SUMS], *b[MOST_SUMS];
    for (int i = 0; i < s->n; i++) {
        const Expr *x = operand_at(l, s, i, dot->a, a);
        const Expr *y = operand_at(l, s, i, dot->b, b);
        const Expr *old = expr_reg(l->arena, s->reg[i], index_const(0));
        build_set(&l->b, s->reg[i], index_const(0),
                  expr_multiply_add(l->arena, l->target, x, y, old));
    }
}

static void sums_run(Lower *l, const Dot *dot, Sums s, int from)
{
    if (from == dot->gone.n) {
        sums_add(l, dot, &s);
        return;
    }
    const IVar *var = build_for(&l->b, "k", dot->gone.axis[from].extent, false);
    for (int i = 0; i < s.n; i++)
        at_move(&s.at[i], l->operands, &dot->gone.axis[from], index_var(var));
    sums_run(l, dot, s, from + 1);
    build_end(&l->b);
}

/* ---- joining ----------------------------------------------------------- */

/* Halves the blocks of x (and y behind them): the sum of their lower and upper
 * halves. A block is `width` lanes. */
static const Expr *halve(Lower *l, const Expr *x, const Expr *y, int width)
{
    signed char low[MAX_LANES], high[MAX_LANES];
    int lanes = x->type.lanes, n = y == x ? lanes / 2 : lanes;
    for (int i = 0; i < n; i++) {
        int from = i / (width / 2) * width + i % (width / 2);
        low[i] = (signed char)from;
        high[i] = (signed char)(from + width / 2);
    }
    const Expr *a = expr_shuffle(l->arena, x, y, n, low);
    const Expr *b = expr_shuffle(l->arena, x, y, n, high);
    return build_let(&l->b, "half", expr_bin(l->arena, EX_add, a, b));
}

/* Lane i of the result is the sum of the lanes of sum i. */
static const Expr *sums_join(Lower *l, const Sums *s)
{
    const Expr *x[MOST_SUMS];
    int n = s->n, width = s->at[0].lanes;
    for (int i = 0; i < n; i++)
        x[i] = expr_reg(l->arena, s->reg[i], index_const(0));
    for (; n > 1; n /= 2, width /= 2)
        for (int i = 0; i < n / 2; i++)
            x[i] = halve(l, x[2 * i], x[2 * i + 1], width);
    for (; width > 1; width /= 2)
        x[0] = halve(l, x[0], x[0], width);
    return x[0];
}

/* ---- loops ------------------------------------------------------------- */

static void block_across(Lower *l, const Dot *dot, const At *at, int64_t vectors)
{
    Sums s = sums_begin(l, dot, *at, vectors);
    sums_run(l, dot, s, 0);
    for (int i = 0; i < s.n; i++)
        chain_store(l, &s.at[i], expr_reg(l->arena, s.reg[i], index_const(0)));
}

static void block_along(Lower *l, const Dot *dot, At at)
{
    At result = at;
    at.lanes = dot->lanes;
    at.vector = &dot->vector;
    Sums s = sums_begin(l, dot, at, 1);
    sums_run(l, dot, s, 0);
    result.lanes = s.n;
    result.vector = s.n > 1 ? &dot->block : NULL;
    chain_store(l, &result,
                s.n > 1
                    ? sums_join(l, &s)
                    : build_across(&l->b, EX_add, expr_reg(l->arena, s.reg[0], index_const(0))));
}

/* The vector axis: whole blocks of vectors, then vectors, then narrower ones. */
static void vector_pieces(Lower *l, const Dot *dot, const At *at)
{
    Piece pieces[MAX_PIECES];
    int n = pieces_cut(dot->vector.extent, dot->lanes, pieces);
    for (int i = 0; i < n; i++) {
        const Piece *p = &pieces[i];
        int64_t vectors = p->lanes == dot->lanes ? dot->vectors : 1;
        At here = *at;
        const IVar *var = build_for(&l->b, "c", p->count / vectors, false);
        at_move(&here, l->operands, &dot->vector,
                index_plus(index_mul(index_var(var), vectors * p->lanes), p->start));
        here.lanes = p->lanes;
        here.vector = p->lanes > 1 ? &dot->vector : NULL;
        block_across(l, dot, &here, vectors);
        build_end(&l->b);
    }
}

static void kept_loops(Lower *l, const Dot *dot, At at, int from)
{
    if (from == dot->kept.n) {
        if (dot->along)
            block_along(l, dot, at);
        else
            vector_pieces(l, dot, &at);
        return;
    }
    const IVar *var = build_for(&l->b, "o", dot->kept.axis[from].extent, false);
    at_move(&at, l->operands, &dot->kept.axis[from], index_var(var));
    kept_loops(l, dot, at, from + 1);
    build_end(&l->b);
}

void lower_dot(Lower *l)
{
    lower_open(l, "dot");
    Dot dot = dot_describe(l);
    store_pad_pixel(l);
    if (!plan_across(l, &dot) && !plan_along(l, &dot))
        plan_block(&dot);
    At at = at_origin(l, 1, NULL);
    Axis tasks = dot.kept.n ? nest_take(&dot.kept, 0) : (Axis){.extent = 1};
    at_move(&at, l->operands, &tasks, lower_tasks(l, tasks.extent));
    kept_loops(l, &dot, at, 0);
    lower_close(l);
}
