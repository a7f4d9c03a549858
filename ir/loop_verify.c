/* The rules every program obeys: accesses in bounds for all values of the index
 * variables, types, registers made before use. */
#include "ir/loop.h"
#include <string.h>

typedef struct Bound {
    const IVar *var;
    int64_t max;
} Bound;

typedef struct Check {
    const Program *program;
    const Kernel *kernel;
    Text *errors;
    VEC(const void *) known; /* registers and index variables in scope */
    VEC(Bound) bounds;       /* variables narrowed by an if */
    bool emittable;
} Check;

static void complain(Check *c, const char *rule, const char *what)
{
    text_printf(c->errors, "kernel %s: %s: %s\n", c->kernel->name, rule, what);
}

static bool knows(const Check *c, const void *thing)
{
    for (int i = c->known.n - 1; i >= 0; i--)
        if (c->known.at[i] == thing)
            return true;
    return false;
}

static int64_t max_of(const Check *c, const IVar *var)
{
    int64_t max = var->max;
    for (int i = 0; i < c->bounds.n; i++)
        if (c->bounds.at[i].var == var && c->bounds.at[i].max < max)
            max = c->bounds.at[i].max;
    return max;
}

static void check_index(Check *c, const Index *index, int64_t extent, int lanes,
                        const char *what)
{
    int64_t low = index->base, high = index->base;
    for (int i = 0; i < index->n; i++) {
        const Term *t = &index->term[i];
        if (!knows(c, t->var))
            complain(c, "an index variable is used in its scope", t->var->name);
        int64_t a = t->factor * t->var->min, b = t->factor * max_of(c, t->var);
        low += a < b ? a : b;
        high += a < b ? b : a;
    }
    if (low < 0 || high + lanes > extent)
        complain(c, "an access stays inside its parameter",
                 arena_printf(c->errors->arena, "%s: elements %lld to %lld of %lld", what,
                              (long long)low, (long long)(high + lanes - 1),
                              (long long)extent));
}

static void check_expr(Check *c, const Expr *e)
{
    for (int i = 0; i < expr_info[e->op].args; i++) {
        if (e->arg[i])
            check_expr(c, e->arg[i]);
        else
            complain(c, "an expression has its operands", expr_info[e->op].name);
    }
    if (e->op == EX_load) {
        const Param *p = &c->kernel->params.at[e->param];
        if (p->access == ACCESS_write)
            complain(c, "a load reads a readable parameter", p->name);
        if (p->dtype != e->type.dtype)
            complain(c, "a load has its parameter's type", p->name);
        check_index(c, &e->index, p->extent, e->type.lanes, p->name);
    }
    if (e->op == EX_reg && !knows(c, e->reg))
        complain(c, "a register is made before its use", e->reg->name);
    bool special = e->op == EX_exp || e->op == EX_log || e->op == EX_tanh ||
                   e->op == EX_erf || e->op == EX_pow;
    if (c->emittable && (special || (e->op == EX_fma && !c->program->target->has_fma)))
        complain(c, "only legal expressions are left", expr_info[e->op].name);
    if (c->emittable && e->type.lanes > c->program->target->lanes)
        complain(c, "no vector is wider than the target's", expr_info[e->op].name);
}

static void check_block(Check *c, const Block *block);

static void check_if(Check *c, const Stmt *s)
{
    int known = c->known.n, bounds = c->bounds.n;
    if (s->index.n == 1 && s->index.term[0].factor == 1)
        VEC_PUSH(c->errors->arena, c->bounds,
                 (Bound){s->index.term[0].var, s->limit - 1 - s->index.base});
    check_block(c, &s->body);
    c->bounds.n = bounds;
    c->known.n = known;
    check_block(c, &s->other);
    c->known.n = known;
}

static void check_store(Check *c, const Stmt *s)
{
    const Param *p = &c->kernel->params.at[s->param];
    if (p->access == ACCESS_read)
        complain(c, "a store writes a writable parameter", p->name);
    bool narrow = p->dtype == DT_bool && s->expr->type.dtype == DT_u8;
    if (p->dtype != s->expr->type.dtype && !narrow)
        complain(c, "a store has its parameter's type", p->name);
    check_index(c, &s->index, p->extent, s->expr->type.lanes, p->name);
}

static void check_stmt(Check *c, const Stmt *s)
{
    int known = c->known.n;
    if (s->expr)
        check_expr(c, s->expr);
    switch (s->kind) {
    case ST_for:
        if (c->emittable && s->unroll)
            complain(c, "no loop is left to unroll", s->var->name);
        VEC_PUSH(c->errors->arena, c->known, s->var);
        check_block(c, &s->body);
        c->known.n = known;
        return;
    case ST_iload:
        check_index(c, &s->index, c->kernel->params.at[s->param].extent, 1,
                    c->kernel->params.at[s->param].name);
        VEC_PUSH(c->errors->arena, c->known, s->var);
        return;
    case ST_let:
    case ST_var:
        if (s->reg->type.dtype != s->expr->type.dtype || s->reg->type.lanes != s->expr->type.lanes)
            complain(c, "a register has its value's type", s->reg->name);
        VEC_PUSH(c->errors->arena, c->known, s->reg);
        return;
    case ST_set:
        if (!knows(c, s->reg))
            complain(c, "a register is made before it is set", s->reg->name);
        return;
    case ST_store: check_store(c, s); return;
    case ST_if: check_if(c, s); return;
    case ST_comment: return;
    }
}

static void check_block(Check *c, const Block *block)
{
    for (const Stmt *s = block->first; s; s = s->next)
        check_stmt(c, s);
}

static int64_t buffer_bytes(const Program *p, const Arg *arg)
{
    int port = 0;
    switch (arg->buffer) {
    case BUF_weights: return p->weights_bytes;
    case BUF_workspace: return p->workspace_bytes;
    case BUF_scratch: return p->scratch_bytes;
    case BUF_output: return type_bytes(&p->graph->outputs.at[arg->port].value->type);
    case BUF_input:
        FOR_VALUES(v, p->graph)
            if (v->op == OP_input && port++ == arg->port)
                return type_bytes(&v->type);
    }
    return 0;
}

static void check_step(const Program *p, const Step *step, Text *errors)
{
    if (step->args.n != step->kernel->params.n) {
        text_printf(errors, "step %s: as many arguments as parameters\n", step->name);
        return;
    }
    for (int i = 0; i < step->args.n; i++) {
        const Param *param = &step->kernel->params.at[i];
        int64_t end = step->args.at[i].offset + param->extent * dtype_info[param->dtype].bytes;
        if (step->args.at[i].offset < 0 || end > buffer_bytes(p, &step->args.at[i]))
            text_printf(errors, "step %s: parameter %s ends at byte %lld of %lld\n", step->name,
                        param->name, (long long)end,
                        (long long)buffer_bytes(p, &step->args.at[i]));
        if (step->args.at[i].offset % dtype_info[param->dtype].bytes)
            text_printf(errors, "step %s: parameter %s is aligned\n", step->name, param->name);
    }
}

static bool check_program(const Program *p, Text *errors, bool emittable)
{
    size_t before = errors->n;
    for (int i = 0; i < p->kernels.n; i++) {
        Check c = {.program = p, .kernel = p->kernels.at[i], .errors = errors,
                   .emittable = emittable};
        VEC_PUSH(errors->arena, c.known, c.kernel->task);
        check_block(&c, &c.kernel->body);
    }
    for (int i = 0; i < p->steps.n; i++)
        check_step(p, &p->steps.at[i], errors);
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
