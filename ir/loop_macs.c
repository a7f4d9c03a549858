/* Multiply-accumulates that a step executes: the f32 fma and mul lanes of its
 * kernel and those of products, each as often as the loops and ifs around it let it run. */
#include "ir/loop.h"

/* The values of a loop's variable (or task) that reach a place: all of them, or what
 * enclosing ifs leave. Of an element of a table all between its bounds, each as often: true
 * of the row of tiles that a task has, the only one that ifs ask for. `runs` of a block holds
 * the number of values of every variable around it as a factor (of that row, the tasks), so
 * that narrowing one divides out evenly. */
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
    bug("step_macs: an if over '%s', which no loop runs", var->name);
}

static int64_t block_macs(const Block *block, int64_t runs, const Range *ranges);
static int64_t if_macs(const Stmt *s, int64_t runs, const Range *ranges);

static int64_t values_of(const Range *range)
{
    return range->max - range->min + 1;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* An index by the variables of loops alone: named ones are what they stand for. */
static Index spelled(const Index *index)
{
    Index out = index_const(index->base);
    for (int i = 0; i < index->n; i++) {
        const Term *t = &index->term[i];
        Index part = t->var->is ? spelled(t->var->is) : index_var(t->var);
        out = index_add(out, index_mul(part, t->factor));
    }
    return out;
}

static int64_t part_macs(const Block *block, int64_t runs, const Range *whole, Range part)
{
    if (part.max < part.min)
        return 0;
    return block_macs(block, runs / values_of(whole) * values_of(&part), &part);
}

/* The if as it is for each value of one of its variables. */
static int64_t if_macs_by_value(const Stmt *s, int64_t runs, const Range *ranges, Range whole)
{
    int64_t n = 0;
    for (int64_t value = whole.min; value <= whole.max; value++) {
        Range one = {whole.var, value, value, ranges};
        n += if_macs(s, runs / values_of(&whole), &one);
    }
    return n;
}

/* base + factor * var < limit holds for the values of one side. */
static int64_t if_macs_split(const Stmt *s, int64_t runs, const Range *ranges, Term term,
                             int64_t room)
{
    Range whole = range_of(ranges, term.var), yes = whole, no = whole;
    yes.outer = no.outer = ranges;
    if (term.factor > 0) { /* var < room / factor, rounded up */
        int64_t edge = -floor_div(-room, term.factor);
        yes.max = edge - 1 < whole.max ? edge - 1 : whole.max;
        no.min = edge > whole.min ? edge : whole.min;
    } else { /* var > room / factor */
        int64_t edge = floor_div(room, term.factor);
        yes.min = edge + 1 > whole.min ? edge + 1 : whole.min;
        no.max = edge < whole.max ? edge : whole.max;
    }
    return part_macs(&s->body, runs, &whole, yes) + part_macs(&s->other, runs, &whole, no);
}

/* With one variable left to range the if cuts its range in two; of several, the
 * one of fewest values is taken value by value. */
static int64_t if_macs(const Stmt *s, int64_t runs, const Range *ranges)
{
    Index index = spelled(&s->index);
    int64_t base = index.base;
    const Term *few = NULL;
    int ranging = 0;
    for (int i = 0; i < index.n; i++) {
        Range r = range_of(ranges, index.term[i].var), best;
        if (values_of(&r) == 1) {
            base += index.term[i].factor * r.min;
            continue;
        }
        ranging++;
        if (few)
            best = range_of(ranges, few->var);
        if (!few || values_of(&r) < values_of(&best))
            few = &index.term[i];
    }
    if (ranging == 0)
        return block_macs(base < s->limit ? &s->body : &s->other, runs, ranges);
    if (ranging == 1)
        return if_macs_split(s, runs, ranges, *few, s->limit - base);
    return if_macs_by_value(s, runs, ranges, range_of(ranges, few->var));
}

/* A statement and those behind it. */
static int64_t rest_macs(const Stmt *s, int64_t runs, const Range *ranges)
{
    int64_t n = 0;
    for (; s; s = s->next) {
        int64_t each = s->kind == ST_var ? s->reg->count : 1;
        if (s->expr)
            n += each * runs * expr_macs(s->expr);
        if (s->kind == ST_product)
            n += runs * s->product->rows * s->product->columns * s->product->depth;
        if (s->kind == ST_for) {
            Range every = {s->var, 0, s->count - 1, ranges};
            n += block_macs(&s->body, runs * s->count, &every);
        }
        if (s->kind == ST_if)
            n += if_macs(s, runs, ranges);
        if (s->kind == ST_iload) {
            Range known = {s->var, s->var->min, s->var->max, ranges};
            return n + rest_macs(s->next, runs, &known);
        }
    }
    return n;
}

static int64_t block_macs(const Block *block, int64_t runs, const Range *ranges)
{
    return rest_macs(block->first, runs, ranges);
}

int64_t step_macs(const Step *step)
{
    const Kernel *k = step->kernel;
    Range every = {k->task, 0, k->tasks - 1, NULL};
    return block_macs(&k->body, k->tasks, &every);
}
