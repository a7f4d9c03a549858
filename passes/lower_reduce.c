/* Reductions over axes, and argmax.
 *
 * When the innermost kept dimension is dense in input and result, lanes lie
 * across it; else, when a reduced dimension is dense, lanes lie along it and are
 * joined by a shuffle tree; else scalars. Shape and target alone decide. */
#include "passes/lower.h"

typedef struct Reduce {
    int source;
    ExprOp op;
    double init, scale;
    Nest kept, gone; /* result axes; reduced axes (steps of the source) */
} Reduce;

static bool is_reduced(const Value *v, int d)
{
    if (v->op == OP_argmax)
        return d == v->attr.axis;
    for (int i = 0; i < v->attr.axes.n; i++)
        if (v->attr.axes.at[i] == d)
            return true;
    return false;
}

static Reduce reduce_describe(Lower *l)
{
    const Value *v = l->group->anchor, *x = v->args[0];
    Reduce r = {.source = lower_operand(l, x, true), .op = EX_add, .scale = 1};
    Nest result = nest_of_result(l);
    r.kept.operands = r.gone.operands = l->operands;
    int out = 0;
    int64_t count = 1;
    for (int d = 0; d < x->type.shape.rank; d++) {
        if (is_reduced(v, d)) {
            Axis axis = {.extent = x->type.shape.dim[d]};
            axis.step[0] = axis.step[r.source] = x->place.stride[d];
            r.gone.axis[r.gone.n++] = axis;
            count *= axis.extent;
            out += v->attr.keepdims;
            continue;
        }
        Axis axis = result.axis[out++];
        axis.step[r.source] = x->place.stride[d];
        r.kept.axis[r.kept.n++] = axis;
    }
    switch ((int)v->op) {
    case OP_reduce_mean: r.scale = 1 / (double)count; break;
    case OP_reduce_max: r.op = EX_max, r.init = -INFINITY; break;
    case OP_reduce_min: r.op = EX_min, r.init = INFINITY; break;
    }
    nest_sort(&r.kept);
    nest_coalesce(&r.kept, 0);
    nest_sort(&r.gone); /* by the source's step, which stands in for the result's */
    for (int i = 0; i < r.gone.n; i++)
        r.gone.axis[i].step[0] = 0;
    nest_coalesce(&r.gone, 0);
    return r;
}

static const Expr *combine(Lower *l, const Reduce *r, const Expr *sum, const Expr *x)
{
    /* max keeps the first operand only when it is larger; NaN in x stays */
    return expr_bin(l->arena, r->op, sum, x);
}

/* Loops over the reduced axes from `from`, adding what is at `at`. The last axis
 * goes in pieces of `lanes` when it is the vector axis. */
static void reduce_loops(Lower *l, const Reduce *r, At at, int from, const Reg *sum)
{
    if (from == r->gone.n) {
        const Expr *old = expr_reg(l->arena, sum, index_const(0));
        build_set(&l->b, sum, index_const(0),
                  combine(l, r, old, at_load(l, &at, r->source)));
        return;
    }
    const IVar *var = build_for(&l->b, "r", r->gone.axis[from].extent, false);
    at_move(&at, l->operands, &r->gone.axis[from], index_var(var));
    reduce_loops(l, r, at, from + 1, sum);
    build_end(&l->b);
}

static void finish(Lower *l, const Reduce *r, const At *at, const Expr *sum)
{
    if (r->scale != 1)
        sum = expr_bin(l->arena, EX_mul, sum, expr_real(l->arena, r->scale, at->lanes));
    chain_store(l, at, build_let(&l->b, "sum", sum));
}

static void reduce_across(Lower *l, const Reduce *r, const At *at)
{
    const Reg *sum = build_var(&l->b, "sum", 1, expr_real(l->arena, r->init, at->lanes));
    reduce_loops(l, r, *at, 0, sum);
    finish(l, r, at, expr_reg(l->arena, sum, index_const(0)));
}

/* Lanes along the last reduced axis: whole vectors, joined, then the rest. */
static void reduce_along(Lower *l, const Reduce *r, const At *at)
{
    Reduce head = *r;
    Axis *last = &head.gone.axis[head.gone.n - 1];
    int lanes = l->target->lanes;
    Axis vector = *last;
    int64_t whole = last->extent / lanes, rest = last->extent % lanes;
    last->extent = whole;
    for (int i = 0; i < l->operands; i++)
        last->step[i] *= lanes;
    const Reg *wide = build_var(&l->b, "wide", 1, expr_real(l->arena, r->init, lanes));
    At from = *at;
    from.lanes = lanes;
    from.vector = &vector;
    reduce_loops(l, &head, from, 0, wide);
    const Expr *joined =
        build_across(&l->b, r->op, expr_reg(l->arena, wide, index_const(0)));
    const Reg *sum = build_var(&l->b, "sum", 1, joined);
    if (rest) {
        Reduce tail = *r;
        tail.gone.axis[tail.gone.n - 1].extent = rest;
        At end = *at;
        at_move(&end, l->operands, &vector, index_const(whole * lanes));
        reduce_loops(l, &tail, end, 0, sum);
    }
    finish(l, r, at, expr_reg(l->arena, sum, index_const(0)));
}

static void kept_loops(Lower *l, const Reduce *r, At at, int from, bool along)
{
    int last = r->kept.n - 1;
    if (from > last) {
        if (along)
            reduce_along(l, r, &at);
        else
            reduce_across(l, r, &at);
        return;
    }
    const Axis *axis = &r->kept.axis[from];
    bool vector = from == last && !along && axis_is_vector(axis, l->operands);
    Piece pieces[MAX_PIECES];
    int n = pieces_cut(axis->extent, vector ? lower_lanes(l) : 1, pieces);
    for (int i = 0; i < n; i++) {
        At here = at;
        const IVar *var = build_for(&l->b, "o", pieces[i].count, false);
        at_move(&here, l->operands, axis,
                index_plus(index_mul(index_var(var), pieces[i].lanes), pieces[i].start));
        here.lanes = pieces[i].lanes;
        here.vector = here.lanes > 1 ? axis : NULL;
        kept_loops(l, r, here, from + 1, along);
        build_end(&l->b);
    }
}

/* A task is an element of the axis; of a long one, some, where it divides. */
static int64_t tasks_of(int64_t extent)
{
    enum { MANY = 256, TASKS = 64, FEW = 8 };
    int64_t tasks = extent > MANY ? divisor_below(extent, TASKS) : extent;
    return tasks < FEW ? extent : tasks;
}

/* The outermost kept axis is shared out, unless it is the vector axis. */
static At share_out(Lower *l, Reduce *r, bool along)
{
    At at = at_origin(l, 1, NULL);
    if (r->kept.n == 0 || (r->kept.n == 1 && !along)) {
        lower_tasks(l, 1);
        return at;
    }
    Axis *inner = &r->kept.axis[0], task = *inner;
    task.extent = tasks_of(inner->extent);
    inner->extent /= task.extent;
    for (int i = 0; i < r->kept.operands; i++)
        task.step[i] *= inner->extent;
    if (inner->extent == 1) {
        for (int i = 1; i < r->kept.n; i++)
            r->kept.axis[i - 1] = r->kept.axis[i];
        r->kept.n--;
    }
    at_move(&at, l->operands, &task, lower_tasks(l, task.extent));
    return at;
}

void lower_reduce(Lower *l)
{
    lower_open(l, "reduce");
    Reduce r = reduce_describe(l);
    store_pad_pixel(l);
    int lanes = lower_lanes(l);
    const Axis *inner = r.kept.n ? &r.kept.axis[r.kept.n - 1] : NULL;
    bool across = inner && axis_is_vector(inner, l->operands) && inner->extent >= 4;
    const Axis *dense = r.gone.n ? &r.gone.axis[r.gone.n - 1] : NULL;
    bool along = !across && lanes > 1 && dense && dense->step[r.source] == 1 &&
                 dense->extent >= lanes;
    At at = share_out(l, &r, along);
    kept_loops(l, &r, at, 0, along);
    lower_close(l);
}

/* ---- argmax ------------------------------------------------------------ */

static void argmax_element(Lower *l, const Reduce *r, const At *at)
{
    Arena *a = l->arena;
    const Axis *axis = &r->gone.axis[0];
    const Reg *best = build_var(&l->b, "best", 1, at_load(l, at, r->source));
    const Reg *index = build_var(&l->b, "index", 1, expr_int(a, 0, at->lanes));
    const IVar *i = build_for(&l->b, "r", axis->extent, false);
    At here = *at;
    at_move(&here, l->operands, axis, index_var(i));
    const Expr *x = build_let(&l->b, "x", at_load(l, &here, r->source));
    const Expr *old = expr_reg(a, best, index_const(0));
    const Expr *more = build_let(&l->b, "more", expr_bin(a, EX_lt, old, x));
    const Expr *at_i = expr_index(a, index_var(i));
    if (at->lanes > 1)
        at_i = expr_splat(a, at_i, at->lanes);
    build_set(&l->b, best, index_const(0), expr_tri(a, EX_select, more, x, old));
    build_set(&l->b, index, index_const(0),
              expr_tri(a, EX_select, more, at_i, expr_reg(a, index, index_const(0))));
    build_end(&l->b);
    chain_store(l, at, expr_reg(a, index, index_const(0)));
}

static void argmax_loops(Lower *l, const Reduce *r, At at, int from)
{
    if (from == r->kept.n) {
        argmax_element(l, r, &at);
        return;
    }
    const IVar *var = build_for(&l->b, "o", r->kept.axis[from].extent, false);
    at_move(&at, l->operands, &r->kept.axis[from], index_var(var));
    argmax_loops(l, r, at, from + 1);
    build_end(&l->b);
}

void lower_argmax(Lower *l)
{
    lower_open(l, "argmax");
    Reduce r = reduce_describe(l);
    if (r.gone.n == 0)
        r.gone.axis[r.gone.n++] = (Axis){.extent = 1};
    At at = share_out(l, &r, true);
    argmax_loops(l, &r, at, 0);
    lower_close(l);
}
