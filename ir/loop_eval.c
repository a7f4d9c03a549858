/* The loop interpreter: what a program means.
 *
 * A kernel is first resolved into flat code: registers, index variables, constants
 * and intermediate results get fixed storage, every expression becomes operations
 * on the lanes stored there. Then the code is run task by task. Storage is a
 * multiple of BLOCK lanes, so that the loops over lanes have a constant inner
 * count; lanes behind the last are computed and never read. */
#include "ir/loop_code.h"
#include <string.h>

typedef struct Resolver {
    Arena *arena;
    const Program *program;
    const Memory *memory;
    const Step *step;
    PtrMap slots; /* registers to lanes, index variables to int64_t */
    Code *code;   /* operations go here */
} Resolver;

/* ---- storage ----------------------------------------------------------- */

static int padded(int lanes)
{
    return (lanes + BLOCK - 1) / BLOCK * BLOCK;
}

static Lane *lanes_new(Resolver *r, int lanes)
{
    return NEW(r->arena, Lane, padded(lanes));
}

static Lane *reg_lanes(Resolver *r, const Reg *reg)
{
    PtrEntry *entry = ptrmap_entry(&r->slots, reg);
    if (!entry->number) {
        entry->number = r->slots.n;
        entry->to = lanes_new(r, padded(reg->type.lanes) * reg->count);
    }
    return (Lane *)(uintptr_t)entry->to;
}

static int64_t *var_slot(Resolver *r, const IVar *var)
{
    PtrEntry *entry = ptrmap_entry(&r->slots, var);
    if (!entry->number) {
        entry->number = r->slots.n;
        entry->to = NEW(r->arena, int64_t, 1);
    }
    return (int64_t *)(uintptr_t)entry->to;
}

static Where where_of(Resolver *r, const Index *index)
{
    Where at = {.base = index->base, .n = index->n};
    at.term = NEW(r->arena, Moving, index->n ? index->n : 1);
    for (int i = 0; i < index->n; i++)
        at.term[i] = (Moving){var_slot(r, index->term[i].var), index->term[i].factor};
    return at;
}

static unsigned char *memory_of(const void *p)
{
    return (unsigned char *)(uintptr_t)p;
}

static unsigned char *param_base(const Resolver *r, int param)
{
    const Memory *m = r->memory;
    const Arg *arg = &r->step->args.at[param];
    switch (arg->buffer) {
    case BUF_weights: return memory_of(m->weights) + arg->offset;
    case BUF_workspace:
    case BUF_scratch:
    case BUF_copy: return m->workspace + arg->offset;
    case BUF_input: return memory_of(m->inputs[arg->port]) + arg->offset;
    case BUF_output: return memory_of(m->outputs[arg->port]) + arg->offset;
    }
    bug("an argument in no buffer");
}

/* ---- expressions ------------------------------------------------------- */

static Instr *push(Resolver *r, Run *run, int lanes)
{
    static const Lane nothing[MAX_LANES];
    VEC_PUSH(r->arena, *r->code,
             (Instr){.run = run, .lanes = lanes, .arg = {nothing, nothing, nothing}});
    return &r->code->at[r->code->n - 1];
}

static const Lane *constant(Resolver *r, const Expr *e)
{
    Lane *lanes = lanes_new(r, e->type.lanes);
    for (int i = 0; i < e->type.lanes; i++) {
        if (e->type.dtype == DT_f32)
            lanes[i].f = (float)e->real;
        else
            lanes[i].i = (int32_t)e->integer;
    }
    return lanes;
}

/* An element at a fixed place is read where it lies. */
static const Lane *register_lanes(Resolver *r, const Expr *e, Lane *out)
{
    Lane *lanes = reg_lanes(r, e->reg);
    if (e->index.n == 0)
        return lanes + e->index.base * padded(e->type.lanes);
    Instr *op = push(r, run_pick, padded(e->type.lanes));
    op->arg[0] = lanes;
    op->at = where_of(r, &e->index);
    op->out = out ? out : lanes_new(r, e->type.lanes);
    return op->out;
}

static const Lane *resolve(Resolver *r, const Expr *e, Lane *out);

static const Lane *operation(Resolver *r, const Expr *e, Lane *out)
{
    const Lane *arg[3] = {0};
    int n = expr_info[e->op].args;
    for (int i = 0; i < n; i++)
        arg[i] = resolve(r, e->arg[i], NULL);
    Where at = where_of(r, &e->index);
    Instr *op = push(r, run_of(e), e->type.lanes);
    for (int i = 0; i < n; i++)
        op->arg[i] = arg[i];
    op->at = at;
    op->lane = e->lane;
    op->width = n ? e->arg[0]->type.lanes : 0;
    if (e->op == EX_load)
        op->base = param_base(r, e->param);
    if (e->op == EX_shl || e->op == EX_shr)
        op->count = e->arg[1]->integer;
    op->out = out ? out : lanes_new(r, e->type.lanes);
    return op->out;
}

/* Where the lanes of an expression are; in `out` if that is given and they do not
 * lie somewhere already. */
static const Lane *resolve(Resolver *r, const Expr *e, Lane *out)
{
    bool same_bits = e->op == EX_bitcast ||
                     (e->op == EX_cast && e->type.dtype == DT_i32 &&
                      e->arg[0]->type.dtype != DT_f32);
    if (e->op == EX_const)
        return constant(r, e);
    if (e->op == EX_reg)
        return register_lanes(r, e, out);
    return same_bits ? resolve(r, e->arg[0], out) : operation(r, e, out);
}

/* ---- statements -------------------------------------------------------- */

static Code *resolve_block(Resolver *r, const Block *block);

static void assign_at(Resolver *r, Lane *to, const Expr *expr)
{
    const Lane *from = resolve(r, expr, to);
    if (from == to)
        return;
    Instr *op = push(r, run_copy, padded(expr->type.lanes));
    op->arg[0] = from;
    op->out = to;
}

static void resolve_assign(Resolver *r, const Stmt *s)
{
    Lane *to = reg_lanes(r, s->reg);
    int width = padded(s->reg->type.lanes);
    if (s->kind == ST_set && s->index.n == 0) {
        assign_at(r, to + s->index.base * width, s->expr);
        return;
    }
    if (s->kind != ST_set) {
        for (int i = 0; i < s->reg->count; i++)
            assign_at(r, to + i * width, s->expr);
        return;
    }
    const Lane *from = resolve(r, s->expr, NULL);
    Where at = where_of(r, &s->index);
    Instr *op = push(r, run_put, width);
    op->arg[0] = from;
    op->out = to;
    op->at = at;
}

static void resolve_store(Resolver *r, const Stmt *s)
{
    DType dtype = r->step->kernel->params.at[s->param].dtype;
    const Lane *from = resolve(r, s->expr, NULL);
    Where at = where_of(r, &s->index);
    Instr *op = push(r, dtype_info[dtype].bytes == 1 ? run_store_bytes : run_store,
                  s->expr->type.lanes);
    op->arg[0] = from;
    op->at = at;
    op->base = param_base(r, s->param);
}

static void resolve_product(Resolver *r, const Stmt *s)
{
    Matrices *m = NEW(r->arena, Matrices, 1);
    *m = (Matrices){s->product, where_of(r, &s->product->left.at),
                    where_of(r, &s->product->right.at), param_base(r, s->product->left.param),
                    param_base(r, s->product->right.param)};
    Where at = where_of(r, &s->index);
    Instr *op = push(r, run_product, 1);
    op->matrices = m;
    op->at = at;
    op->base = param_base(r, s->param);
}

static void resolve_for(Resolver *r, const Stmt *s)
{
    int64_t *var = var_slot(r, s->var);
    Code *body = resolve_block(r, &s->body);
    Instr *op = push(r, run_for, 1);
    op->var = var;
    op->count = s->count;
    op->body = body;
}

static void resolve_if(Resolver *r, const Stmt *s)
{
    Where at = where_of(r, &s->index);
    Code *body = resolve_block(r, &s->body), *other = resolve_block(r, &s->other);
    Instr *op = push(r, run_if, 1);
    op->at = at;
    op->count = s->limit;
    op->body = body;
    op->other = other;
}

static void resolve_index(Resolver *r, const Stmt *s)
{
    Where at = where_of(r, &s->index);
    int64_t *var = var_slot(r, s->var);
    Instr *op = push(r, run_index, 1);
    op->at = at;
    op->var = var;
}

static void resolve_iload(Resolver *r, const Stmt *s)
{
    Where at = where_of(r, &s->index);
    int64_t *var = var_slot(r, s->var);
    Instr *op = push(r, run_iload, 1);
    op->at = at;
    op->var = var;
    op->index_var = s->var;
    op->base = param_base(r, s->param);
}

static Code *resolve_block(Resolver *r, const Block *block)
{
    Code *outer = r->code, *code = NEW(r->arena, Code, 1);
    r->code = code;
    for (const Stmt *s = block->first; s; s = s->next) {
        switch (s->kind) {
        case ST_for: resolve_for(r, s); break;
        case ST_iload: resolve_iload(r, s); break;
        case ST_index: resolve_index(r, s); break;
        case ST_let:
        case ST_var:
        case ST_set: resolve_assign(r, s); break;
        case ST_store: resolve_store(r, s); break;
        case ST_product: resolve_product(r, s); break;
        case ST_if: resolve_if(r, s); break;
        case ST_prefetch:
        case ST_comment: break;
        }
    }
    r->code = outer;
    return code;
}

/* ---- programs ---------------------------------------------------------- */

static void run_step(const Program *program, const Memory *memory, const Step *step)
{
    Arena *arena = arena_new();
    Resolver r = {.arena = arena, .program = program, .memory = memory, .step = step,
                  .slots = ptrmap_new(arena)};
    int64_t *task = var_slot(&r, step->kernel->task);
    Code *code = resolve_block(&r, &step->kernel->body);
    for (*task = 0; *task < step->kernel->tasks; ++*task)
        code_run(code);
    arena_free(arena);
}

void program_eval(const Program *program, const Memory *memory, int first, int last)
{
    for (int i = first; i < last; i++)
        run_step(program, memory, &program->steps.at[i]);
}
