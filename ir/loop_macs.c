/* Multiply-accumulates that a step executes: the f32 fma and mul lanes of its
 * kernel, each as often as the loops and ifs around it let it run. */
#include "ir/loop.h"

/* What is left of an index variable inside enclosing ifs. `runs` of a block holds
 * the number of values of every variable around it as a factor, so that narrowing
 * one divides out evenly. */
typedef struct Range {
    const IVar *var;
    int64_t min, max;
    const struct Range *outer;
} Range;

static int64_t expr_macs(const Expr *e)
{
    bool counts = e->op == EX_fma || (e->op == EX_mul && e->type.dtype == DT_f32);
    int64_t n = counts ? e->type.lanes : 0;
    for (int i = 0; i < expr_info[e->op].args; i++)
        n += expr_macs(e->arg[i]);
    return n;
}

static Range range_of(const Range *ranges, const IVar *var)
{
    for (; ranges; ranges = ranges->outer)
        if (ranges->var == var)
            return *ranges;
    return (Range){var, var->min, var->max, NULL};
}

static int64_t block_macs(const Block *block, int64_t runs, const Range *ranges);

static int64_t part_macs(const Block *block, int64_t runs, const Range *whole, Range part)
{
    if (part.max < part.min)
        return 0;
    int64_t values = whole->max - whole->min + 1;
    return block_macs(block, runs / values * (part.max - part.min + 1), &part);
}

/* Ifs compare one variable (task, as lowering splits work); one that compares
 * none was decided by simplify. */
static int64_t if_macs(const Stmt *s, int64_t runs, const Range *ranges)
{
    if (s->index.n == 0)
        return block_macs(s->index.base < s->limit ? &s->body : &s->other, runs, ranges);
    if (s->index.n != 1 || s->index.term[0].factor != 1)
        bug("step_macs: an if over several variables");
    Range whole = range_of(ranges, s->index.term[0].var);
    Range below = whole, above = whole;
    int64_t edge = s->limit - s->index.base;
    below.outer = above.outer = ranges;
    below.max = edge - 1 < whole.max ? edge - 1 : whole.max;
    above.min = edge > whole.min ? edge : whole.min;
    return part_macs(&s->body, runs, &whole, below) +
           part_macs(&s->other, runs, &whole, above);
}

static int64_t block_macs(const Block *block, int64_t runs, const Range *ranges)
{
    int64_t n = 0;
    for (const Stmt *s = block->first; s; s = s->next) {
        int64_t each = s->kind == ST_var ? s->reg->count : 1;
        if (s->expr)
            n += each * runs * expr_macs(s->expr);
        if (s->kind == ST_for)
            n += block_macs(&s->body, runs * s->count, ranges);
        if (s->kind == ST_if)
            n += if_macs(s, runs, ranges);
    }
    return n;
}

int64_t step_macs(const Step *step)
{
    const Kernel *k = step->kernel;
    return block_macs(&k->body, k->tasks, NULL);
}
