/* The rules every program obeys: accesses in bounds for all values of the index
 * variables, types, registers made before use, steps inside their buffers. All
 * that is found is reported, one line each: rule, then value. */
#include "ir/loop_check.h"
#include "support/ptrmap.h"
#include <stdlib.h>
#include <string.h>

enum Scope { SCOPE_unknown, SCOPE_open, SCOPE_unrolled, SCOPE_closed };

/* What an enclosing if leaves of an index variable's range. */
typedef struct Range {
    const IVar *var;
    int64_t min, max;
} Range;

/* What an enclosing if says of the sum of its index: at most `most`. */
typedef struct Guard {
    Index index; /* is at most */
    int64_t most;
} Guard;

typedef struct Check {
    const Program *program;
    const Kernel *kernel;
    Text *errors;
    PtrMap scope;              /* registers and index variables: enum Scope */
    VEC(const void *) open;    /* those in scope, in order */
    VEC(Range) narrowed;       /* innermost last */
    VEC(Guard) guards;         /* of the enclosing ifs */
    VEC(const char *) names;
    bool emittable;
} Check;

static void complain(Check *c, const char *rule, const char *what)
{
    text_printf(c->errors, "kernel %s: %s: %s\n", c->kernel->name, rule, what);
}

static void check(Check *c, bool holds, const char *rule, const char *what)
{
    if (!holds)
        complain(c, rule, what);
}

/* ---- scopes ------------------------------------------------------------ */

static enum Scope scope_of(const Check *c, const void *thing)
{
    const PtrEntry *entry = ptrmap_find(&c->scope, thing);
    return entry ? (enum Scope)entry->number : SCOPE_unknown;
}

static bool is_open(const Check *c, const void *thing)
{
    enum Scope scope = scope_of(c, thing);
    return scope == SCOPE_open || scope == SCOPE_unrolled;
}

static void enter(Check *c, const void *thing, const char *name, enum Scope scope)
{
    PtrEntry *entry = ptrmap_entry(&c->scope, thing);
    check(c, entry->number == SCOPE_unknown, "a name is made once", name);
    entry->number = (int)scope;
    VEC_PUSH(c->errors->arena, c->open, thing);
    VEC_PUSH(c->errors->arena, c->names, name);
}

static void leave(Check *c, int depth)
{
    while (c->open.n > depth)
        ptrmap_entry(&c->scope, c->open.at[--c->open.n])->number = SCOPE_closed;
}

/* ---- ranges ------------------------------------------------------------ */

static Range range_of(const Check *c, const IVar *var)
{
    for (int i = c->narrowed.n - 1; i >= 0; i--)
        if (c->narrowed.at[i].var == var)
            return c->narrowed.at[i];
    return (Range){var, var->min, var->max};
}

static void index_range(const Check *c, const Index *index, int64_t *low, int64_t *high)
{
    *low = *high = index->base;
    for (int i = 0; i < index->n; i++) {
        const Term *t = &index->term[i];
        Range r = range_of(c, t->var);
        *low += t->factor * (t->factor > 0 ? r.min : r.max);
        *high += t->factor * (t->factor > 0 ? r.max : r.min);
    }
}

static int64_t factor_of(const Index *index, const IVar *var)
{
    for (int i = 0; i < index->n; i++)
        if (index->term[i].var == var)
            return index->term[i].factor;
    return 0;
}

/* index = times * guard's + rest, for some times > 0: then the guard bounds it. */
static int64_t guarded_high(const Check *c, const Guard *guard, const Index *index,
                            int64_t high)
{
    const Index *g = &guard->index;
    int64_t times = g->n ? factor_of(index, g->term[0].var) / g->term[0].factor : 0;
    if (times <= 0)
        return high;
    Index rest = index_add(*index, index_mul(*g, -times));
    for (int i = 0; i < g->n; i++)
        if (factor_of(&rest, g->term[i].var) != 0)
            return high;
    int64_t low, most;
    index_range(c, &rest, &low, &most);
    most += times * guard->most;
    return most < high ? most : high;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* index <= limit bounds every variable of it: factor * var is at most limit less
 * the smallest that the other terms come to. */
static void narrow_below(Check *c, const Index *index, int64_t limit)
{
    int64_t low, high;
    index_range(c, index, &low, &high);
    for (int i = 0; i < index->n; i++) {
        const Term *t = &index->term[i];
        Range r = range_of(c, t->var);
        int64_t least = t->factor * (t->factor > 0 ? r.min : r.max);
        int64_t room = limit - (low - least);
        int64_t most = floor_div(room, t->factor);
        int64_t fewest = -floor_div(room, -t->factor); /* rounded up */
        if (t->factor > 0 && most < r.max)
            r.max = most;
        if (t->factor < 0 && fewest > r.min)
            r.min = fewest;
        VEC_PUSH(c->errors->arena, c->narrowed, r);
    }
}

static bool check_scopes(Check *c, const Index *index)
{
    bool known = true;
    for (int i = 0; i < index->n; i++)
        if (!is_open(c, index->term[i].var)) {
            complain(c, "an index variable is used in its scope", index->term[i].var->name);
            known = false;
        }
    return known;
}

/* In terms of loops, tables and tasks alone: what guards speak of. */
static Index expanded(const Index *index)
{
    Index sum = index_const(index->base);
    for (int i = 0; i < index->n; i++) {
        const IVar *var = index->term[i].var;
        Index term = var->is ? expanded(var->is) : index_var(var);
        sum = index_add(sum, index_mul(term, index->term[i].factor));
    }
    return sum;
}

static void check_access(Check *c, const Index *index, int64_t extent, int lanes,
                         const char *what)
{
    int64_t low, high;
    if (!check_scopes(c, index))
        return;
    Index whole = expanded(index);
    index = &whole;
    index_range(c, index, &low, &high);
    Index minus = index_mul(whole, -1);
    for (int i = 0; i < c->guards.n; i++) {
        high = guarded_high(c, &c->guards.at[i], index, high);
        low = -guarded_high(c, &c->guards.at[i], &minus, -low);
    }
    if (low < 0 || high > extent - lanes)
        complain(c, "an access stays inside its parameter",
                 arena_printf(c->errors->arena, "%s: elements %lld to %lld of %lld", what,
                              (long long)low, (long long)(high + lanes - 1),
                              (long long)extent));
}

static void check_element(Check *c, const Reg *reg, const Index *index)
{
    check(c, is_open(c, reg), "a register is made before its use", reg->name);
    for (int i = 0; i < index->n; i++)
        check(c, scope_of(c, index->term[i].var) == SCOPE_unrolled,
              "an array is indexed by unrolled variables", reg->name);
    check_access(c, index, reg->count, 1, reg->name);
}

/* ---- expressions ------------------------------------------------------- */

static const Param *param_of(Check *c, int param)
{
    if (param >= 0 && param < c->kernel->params.n)
        return &c->kernel->params.at[param];
    complain(c, "a parameter exists", arena_printf(c->errors->arena, "%d", param));
    return NULL;
}

static void check_load(Check *c, const Expr *e)
{
    const Param *p = param_of(c, e->param);
    if (!p)
        return;
    check(c, p->access != ACCESS_write, "a load reads a readable parameter", p->name);
    check(c, p->dtype == e->type.dtype, "a load has its parameter's type", p->name);
    check_access(c, &e->index, p->extent, e->type.lanes, p->name);
}

static void check_expr(Check *c, const Expr *e)
{
    for (int i = 0; i < expr_info[e->op].args; i++) {
        if (!e->arg[i]) {
            complain(c, "an expression has its operands", expr_info[e->op].name);
            return;
        }
        check_expr(c, e->arg[i]);
    }
    check(c, e->type.lanes >= 1 && e->type.lanes <= MAX_LANES && expr_types_fit(e),
          "operands have the types of the operation", expr_info[e->op].name);
    if (e->op == EX_load)
        check_load(c, e);
    if (e->op == EX_reg)
        check_element(c, e->reg, &e->index);
    if (e->op == EX_index)
        check_scopes(c, &e->index);
    const char *rule = c->emittable ? expr_unspellable(e, c->program->target) : NULL;
    if (rule)
        complain(c, rule, e->op == EX_reg ? e->reg->name : expr_info[e->op].name);
}

/* ---- statements -------------------------------------------------------- */

static void check_block(Check *c, const Block *block);

static void check_if(Check *c, const Stmt *s)
{
    int narrowed = c->narrowed.n;
    check_scopes(c, &s->index);
    narrow_below(c, &s->index, s->limit - 1);
    VEC_PUSH(c->errors->arena, c->guards, ((Guard){expanded(&s->index), s->limit - 1}));
    check_block(c, &s->body);
    c->guards.n--;
    c->narrowed.n = narrowed;
    Index above = index_mul(s->index, -1); /* index >= limit */
    narrow_below(c, &above, -s->limit);
    VEC_PUSH(c->errors->arena, c->guards, ((Guard){expanded(&above), -s->limit}));
    check_block(c, &s->other);
    c->guards.n--;
    c->narrowed.n = narrowed;
}

static void check_for(Check *c, const Stmt *s)
{
    int depth = c->open.n;
    check(c, s->count >= 1 && s->var->min == 0 && s->var->max == s->count - 1,
          "a loop's variable takes its trip count's values", s->var->name);
    check(c, !c->emittable || !s->unroll, "no loop is left to unroll", s->var->name);
    enter(c, s->var, s->var->name, s->unroll ? SCOPE_unrolled : SCOPE_open);
    check_block(c, &s->body);
    leave(c, depth);
}

static void check_iload(Check *c, const Stmt *s)
{
    const Param *p = param_of(c, s->param);
    if (p) {
        check(c, p->dtype == DT_i32 && p->access == ACCESS_read,
              "an index is read from a constant i32 table", p->name);
        check_access(c, &s->index, p->extent, 1, p->name);
    }
    check(c, s->var->min <= s->var->max, "a table has a smallest and a largest entry",
          s->var->name);
    enter(c, s->var, s->var->name, SCOPE_open);
}

static void check_type(Check *c, const Stmt *s)
{
    check(c, s->reg->type.dtype == s->expr->type.dtype &&
                 s->reg->type.lanes == s->expr->type.lanes,
          "a register has its value's type", s->reg->name);
    bool byte = dtype_info[s->expr->type.dtype].bytes == 1;
    check(c, !byte || s->kind == ST_let, "a byte is loaded, stored or cast", s->reg->name);
}

static void check_make(Check *c, const Stmt *s)
{
    check_type(c, s);
    check(c, s->reg->once == (s->kind == ST_let), "what a let makes is not set again",
          s->reg->name);
    check(c, s->reg->count == 1 || (s->kind == ST_var && s->reg->count > 1),
          "only a var makes an array", s->reg->name);
    check(c, !c->emittable || s->reg->count == 1, "no register is an array", s->reg->name);
    enter(c, s->reg, s->reg->name, SCOPE_open);
}

static void check_set(Check *c, const Stmt *s)
{
    check_type(c, s);
    check(c, !s->reg->once, "what a let makes is not set again", s->reg->name);
    check_element(c, s->reg, &s->index);
}

static void check_store(Check *c, const Stmt *s)
{
    const Param *p = param_of(c, s->param);
    if (!p)
        return;
    bool flag = p->dtype == DT_bool && s->expr->type.dtype == DT_u8;
    check(c, p->access != ACCESS_read, "a store writes a writable parameter", p->name);
    check(c, p->dtype == s->expr->type.dtype || flag, "a store has its parameter's type",
          p->name);
    check_access(c, &s->index, p->extent, s->expr->type.lanes, p->name);
}

static void check_matrix(Check *c, const MatrixAt *m, int64_t rows, int64_t columns,
                         bool written)
{
    const Param *p = param_of(c, m->param);
    if (!p)
        return;
    check(c, p->dtype == DT_f32 && p->access != (written ? ACCESS_read : ACCESS_write),
          "a product reads and writes f32 as its parameters allow", p->name);
    check(c, rows >= 1 && columns >= 1 && m->step >= (m->transposed ? rows : columns),
          "rows of a matrix lie apart", p->name);
    Index last = index_plus(m->at, matrix_reach(m, rows, columns) - 1);
    check_access(c, &m->at, p->extent, 1, p->name);
    check_access(c, &last, p->extent, 1, p->name);
}

static void check_product(Check *c, const Stmt *s)
{
    const Product *p = s->product;
    check_matrix(c, &(MatrixAt){s->param, s->index, p->step, false}, p->rows, p->columns, true);
    check_matrix(c, &p->left, p->rows, p->depth, false);
    check_matrix(c, &p->right, p->depth, p->columns, false);
    check(c, s->param != p->left.param && s->param != p->right.param,
          "a product is written apart from what it reads", c->kernel->name);
}

static void check_stmt(Check *c, const Stmt *s)
{
    bool needs = s->kind == ST_let || s->kind == ST_var || s->kind == ST_set ||
                 s->kind == ST_store;
    if (needs && !s->expr) {
        complain(c, "a statement has its value", s->reg ? s->reg->name : "store");
        return;
    }
    if (s->expr)
        check_expr(c, s->expr);
    switch (s->kind) {
    case ST_for: check_for(c, s); return;
    case ST_iload: check_iload(c, s); return;
    case ST_index:
        check_scopes(c, &s->index);
        check(c, s->var->is == &s->index, "an index variable knows what it is", s->var->name);
        enter(c, s->var, s->var->name, SCOPE_open);
        return;
    case ST_let:
    case ST_var: check_make(c, s); return;
    case ST_set: check_set(c, s); return;
    case ST_store: check_store(c, s); return;
    case ST_product: check_product(c, s); return;
    case ST_if: check_if(c, s); return;
    case ST_prefetch:
        param_of(c, s->param);
        check_scopes(c, &s->index);
        return;
    case ST_comment: return;
    }
}

static void check_block(Check *c, const Block *block)
{
    int depth = c->open.n;
    for (const Stmt *s = block->first; s; s = s->next)
        check_stmt(c, s);
    leave(c, depth);
}

static int by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static void check_kernel(const Program *p, const Kernel *kernel, Text *errors,
                         bool emittable)
{
    Check c = {.program = p, .kernel = kernel, .errors = errors, .emittable = emittable,
               .scope = ptrmap_new(errors->arena)};
    check(&c, kernel->tasks >= 1 && kernel->task->min == 0 &&
                  kernel->task->max == kernel->tasks - 1,
          "task takes the values of the task count", kernel->task->name);
    for (int i = 0; i < kernel->params.n; i++)
        VEC_PUSH(errors->arena, c.names, kernel->params.at[i].name);
    enter(&c, kernel->task, kernel->task->name, SCOPE_open);
    check_block(&c, &kernel->body);
    qsort(c.names.at, (size_t)c.names.n, sizeof *c.names.at, by_name);
    for (int i = 1; i < c.names.n; i++)
        check(&c, strcmp(c.names.at[i], c.names.at[i - 1]) != 0,
              "names in a kernel differ", c.names.at[i]);
}

/* ---- programs ---------------------------------------------------------- */

static bool check_program(const Program *p, Text *errors, bool emittable)
{
    size_t before = errors->n;
    for (int i = 0; i < p->kernels.n; i++)
        check_kernel(p, p->kernels.at[i], errors, emittable);
    for (int i = 0; i < p->steps.n; i++)
        step_check(p, &p->steps.at[i], errors);
    return errors->n == before;
}

bool program_verify(const Program *program, Text *errors)
{
    return check_program(program, errors, false);
}

bool program_emittable(const Program *program, Text *errors)
{
    return check_program(program, errors, true);
}
