/* unroll: loops marked so are spelled out.
 *
 *   for u_3 < 2 unroll {
 *     let f32x4 b_4 = w[u_3*4 .. 4]          let f32x4 b_9 = w[0 .. 4]
 *     acc_1 = fma(a_2, b_4, acc_1)     ->    acc_1 = fma(a_2, b_9, acc_1)
 *   }                                        let f32x4 b_10 = w[4 .. 4]
 *                                            acc_1 = fma(a_2, b_10, acc_1)
 *
 * What an iteration makes gets a name of its own; all else keeps its name.
 *
 * needs: lowered   makes: unrolled   breaks: nothing
 * leaves: register arrays, now indexed by constants */
#include "passes/program_passes.h"
#include "passes/rewrite.h"
#include "support/ptrmap.h"
#include <string.h>

typedef struct Unroll {
    Arena *arena;
    PtrMap now; /* what the iteration being copied calls a register or variable; how it
                   reads a register */
    int serial;
} Unroll;

static const void *renamed(const Unroll *u, const void *from)
{
    const PtrEntry *entry = ptrmap_find(&u->now, from);
    return entry ? entry->to : from;
}

/* b_4 -> b_9 */
static const char *fresh(Unroll *u, const char *name)
{
    size_t n = strlen(name);
    while (n > 1 && name[n - 1] >= '0' && name[n - 1] <= '9')
        n--;
    n -= n > 1 && name[n - 1] == '_';
    return arena_printf(u->arena, "%.*s_%d", (int)n, name, u->serial++);
}

static const Reg *fresh_reg(Unroll *u, const Reg *reg)
{
    Reg *copy = NEW(u->arena, Reg, 1);
    *copy = *reg;
    copy->name = fresh(u, reg->name);
    ptrmap_entry(&u->now, reg)->to = copy;
    return copy;
}

static IVar *fresh_var(Unroll *u, const IVar *var)
{
    IVar *copy = NEW(u->arena, IVar, 1);
    *copy = *var;
    copy->name = fresh(u, var->name);
    ptrmap_entry(&u->now, var)->to = copy;
    return copy;
}

/* The number of an iteration is a variable of one value, which index_var folds. */
static void bind(Unroll *u, const IVar *var, int64_t value)
{
    IVar *one = NEW(u->arena, IVar, 1);
    *one = (IVar){.name = var->name, .min = value, .max = value};
    ptrmap_entry(&u->now, var)->to = one;
}

static Index copy_index(const Unroll *u, const Index *index)
{
    Index copy = index_const(index->base);
    for (int i = 0; i < index->n; i++) {
        const IVar *var = renamed(u, index->term[i].var);
        copy = index_add(copy, index_mul(index_var(var), index->term[i].factor));
    }
    return copy;
}

/* A register outside of arrays: one expression for all that read it in the iteration. */
static const Expr *copy_register(Unroll *u, const Expr *e)
{
    const Reg *reg = renamed(u, e->reg);
    if (reg == e->reg)
        return e;
    const Expr *made = renamed(u, e);
    if (made != e && made->reg == reg)
        return made;
    Expr *copy = NEW(u->arena, Expr, 1);
    *copy = *e;
    copy->reg = reg;
    ptrmap_entry(&u->now, e)->to = copy;
    return copy;
}

static const Expr *copy_leaf(void *context, const Expr *e)
{
    Unroll *u = context;
    if (e->op != EX_reg && e->op != EX_load && e->op != EX_index)
        return e;
    if (e->op == EX_reg && e->index.n == 0)
        return copy_register(u, e);
    Expr *copy = NEW(u->arena, Expr, 1);
    *copy = *e;
    if (e->op == EX_reg)
        copy->reg = renamed(u, e->reg);
    copy->index = copy_index(u, &e->index);
    return copy;
}

static void copy_block(Unroll *u, const Block *block, Block *out);

static void copy_stmt(Unroll *u, const Stmt *s, Block *out)
{
    Stmt *copy = NEW(u->arena, Stmt, 1);
    *copy = *s;
    copy->body = copy->other = (Block){0};
    if (s->expr)
        copy->expr = expr_rewrite(u->arena, s->expr, copy_leaf, u);
    copy->index = copy_index(u, &s->index);
    if (s->product) {
        copy->product = NEW(u->arena, Product, 1);
        *copy->product = *s->product;
        copy->product->left.at = copy_index(u, &s->product->left.at);
        copy->product->right.at = copy_index(u, &s->product->right.at);
    }
    if (s->kind == ST_let || s->kind == ST_var)
        copy->reg = fresh_reg(u, s->reg);
    else if (s->reg)
        copy->reg = renamed(u, s->reg);
    if (s->var) {
        copy->var = fresh_var(u, s->var);
        copy->var->is = s->var->is ? &copy->index : NULL;
    }
    copy_block(u, &s->body, &copy->body);
    copy_block(u, &s->other, &copy->other);
    block_append(out, copy);
}

static void copy_iterations(Unroll *u, const Stmt *s, Block *out)
{
    for (int64_t i = 0; i < s->count; i++) {
        bind(u, s->var, i);
        copy_block(u, &s->body, out);
    }
}

static void copy_block(Unroll *u, const Block *block, Block *out)
{
    for (const Stmt *s = block->first; s; s = s->next) {
        if (s->kind == ST_for && s->unroll)
            copy_iterations(u, s, out);
        else
            copy_stmt(u, s, out);
    }
}

static void unroll_block(Unroll *u, Block *block)
{
    Block out = {0};
    for (Stmt *s = block->first, *next; s; s = next) {
        next = s->next;
        if (s->kind == ST_for && s->unroll) {
            copy_iterations(u, s, &out);
            continue;
        }
        unroll_block(u, &s->body);
        unroll_block(u, &s->other);
        block_append(&out, s);
    }
    *block = out;
}

void pass_unroll(Program *program)
{
    Arena *arena = program->arena;
    for (int i = 0; i < program->kernels.n; i++) {
        Kernel *kernel = program->kernels.at[i];
        Unroll u = {.arena = arena, .now = ptrmap_new(arena),
                    .serial = kernel_next_serial(kernel)};
        unroll_block(&u, &kernel->body);
    }
}
