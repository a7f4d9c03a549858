/* unroll: loops marked so are spelled out.
 *
 *   for u < 2 unroll { acc = fma(a[u], b[u*4 .. 4], acc) }
 *      ->  acc = fma(a[0], b[0 .. 4], acc)   acc = fma(a[1], b[4 .. 4], acc)
 *
 * Registers and index variables made inside get a fresh copy in each iteration.
 *
 * needs: lowered   makes: unrolled   breaks: nothing   leaves: nothing */
#include "passes/program_passes.h"
#include <string.h>

typedef struct Renaming {
    const void *from;
    const void *to;
} Renaming;

typedef struct Unroller {
    Arena *arena;
    VEC(Renaming) names; /* innermost last */
    VEC(Renaming) fixed; /* index variables bound to an iteration */
    int serial;
} Unroller;

static const void *renamed(const Unroller *u, const void *from)
{
    for (int i = u->names.n - 1; i >= 0; i--)
        if (u->names.at[i].from == from)
            return u->names.at[i].to;
    return from;
}

/* Iterations are held as IVars of a single value. */
static Index copy_index(const Unroller *u, const Index *index)
{
    Index copy = index_const(index->base);
    for (int i = 0; i < index->n; i++) {
        const IVar *var = renamed(u, index->term[i].var);
        copy = index_add(copy, index_mul(index_var(var), index->term[i].factor));
    }
    return copy;
}

static const Expr *copy_expr(const Unroller *u, const Expr *e)
{
    if (!e)
        return NULL;
    Expr *copy = NEW(u->arena, Expr, 1);
    *copy = *e;
    if (e->op == EX_reg)
        copy->reg = renamed(u, e->reg);
    if (e->op == EX_reg || e->op == EX_load || e->op == EX_index)
        copy->index = copy_index(u, &e->index);
    for (int i = 0; i < 3; i++)
        copy->arg[i] = copy_expr(u, e->arg[i]);
    return copy;
}

static void append(Block *block, Stmt *stmt)
{
    *(block->last ? &block->last->next : &block->first) = stmt;
    block->last = stmt;
}

static Block copy_block(Unroller *u, const Block *block);

static const Reg *fresh_reg(Unroller *u, const Reg *reg)
{
    Reg *copy = NEW(u->arena, Reg, 1);
    *copy = *reg;
    copy->name = arena_printf(u->arena, "%s_%d", reg->name, u->serial++);
    VEC_PUSH(u->arena, u->names, (Renaming){reg, copy});
    return copy;
}

static IVar *fresh_var(Unroller *u, const IVar *var)
{
    IVar *copy = NEW(u->arena, IVar, 1);
    *copy = *var;
    copy->name = arena_printf(u->arena, "%s_%d", var->name, u->serial++);
    VEC_PUSH(u->arena, u->names, (Renaming){var, copy});
    return copy;
}

static void copy_loop(Unroller *u, const Stmt *s, Block *out)
{
    int depth = u->names.n;
    if (!s->unroll) {
        Stmt *copy = NEW(u->arena, Stmt, 1);
        *copy = *s;
        copy->next = NULL;
        copy->var = fresh_var(u, s->var);
        copy->body = copy_block(u, &s->body);
        append(out, copy);
        u->names.n = depth;
        return;
    }
    for (int64_t i = 0; i < s->count; i++) {
        IVar *now = NEW(u->arena, IVar, 1);
        *now = (IVar){s->var->name, i, i};
        VEC_PUSH(u->arena, u->names, (Renaming){s->var, now});
        Block body = copy_block(u, &s->body);
        for (Stmt *at = body.first, *next; at; at = next) {
            next = at->next;
            at->next = NULL;
            append(out, at);
        }
        u->names.n = depth;
    }
}

static void copy_stmt(Unroller *u, const Stmt *s, Block *out)
{
    if (s->kind == ST_for) {
        copy_loop(u, s, out);
        return;
    }
    Stmt *copy = NEW(u->arena, Stmt, 1);
    *copy = *s;
    copy->next = NULL;
    copy->expr = copy_expr(u, s->expr);
    copy->index = copy_index(u, &s->index);
    if (s->kind == ST_let || s->kind == ST_var)
        copy->reg = fresh_reg(u, s->reg);
    else if (s->reg)
        copy->reg = renamed(u, s->reg);
    if (s->kind == ST_iload)
        copy->var = fresh_var(u, s->var);
    if (s->kind == ST_if) {
        int depth = u->names.n;
        copy->body = copy_block(u, &s->body);
        u->names.n = depth;
        copy->other = copy_block(u, &s->other);
        u->names.n = depth;
    }
    append(out, copy);
}

static Block copy_block(Unroller *u, const Block *block)
{
    Block copy = {0};
    for (const Stmt *s = block->first; s; s = s->next)
        copy_stmt(u, s, &copy);
    return copy;
}

void pass_unroll(Program *program)
{
    for (int i = 0; i < program->kernels.n; i++) {
        Unroller u = {.arena = program->arena};
        Kernel *kernel = program->kernels.at[i];
        kernel->body = copy_block(&u, &kernel->body);
    }
}
