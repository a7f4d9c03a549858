/* contract: a product that is only added becomes a fused multiply-add.
 *
 *   let m = mul(x, w)              let y = fma(x, w, b)
 *   let y = add(m, b)        ->
 *   let z = sub(c, mul(a, b))      let z = fma(neg(a), b, c)
 *
 * This is where it is decided which products are rounded once: emitters fuse
 * nothing, so every back end gives the same bits. A product bound by a let counts
 * when that is read once and reads nothing that may be set in between. Targets
 * without fast fma keep both roundings.
 *
 * needs: lowered   makes: nothing   breaks: nothing
 * leaves: lets of products that nothing reads any more (simplify drops them) */
#include "passes/program_passes.h"
#include "passes/rewrite.h"
#include "support/ptrmap.h"

typedef struct Contract {
    Arena *arena;
    const Kernel *kernel;
    PtrMap lets; /* registers: `to` the let's expression, `number` reads */
} Contract;

static void count_reads(Contract *c, const Expr *e)
{
    for (int i = 0; i < expr_info[e->op].args; i++)
        count_reads(c, e->arg[i]);
    if (e->op == EX_reg)
        ptrmap_entry(&c->lets, e->reg)->number++;
}

static void count_block(Contract *c, const Block *block)
{
    for (const Stmt *s = block->first; s; s = s->next) {
        if (s->expr)
            count_reads(c, s->expr);
        count_block(c, &s->body);
        count_block(c, &s->other);
    }
}

/* Means the same wherever it is read: no register that is set, no load of what a
 * store may change. */
static bool is_fixed(const Contract *c, const Expr *e)
{
    if (e->op == EX_reg && !e->reg->once)
        return false;
    if (e->op == EX_load) {
        const Param *p = &c->kernel->params.at[e->param];
        return p->access == ACCESS_read && p->noalias;
    }
    for (int i = 0; i < expr_info[e->op].args; i++)
        if (!is_fixed(c, e->arg[i]))
            return false;
    return true;
}

/* The f32 product that `e` is, itself or through a let read once; else NULL. */
static const Expr *product(const Contract *c, const Expr *e)
{
    if (e->op == EX_reg) {
        const PtrEntry *let = ptrmap_find(&c->lets, e->reg);
        if (!let || !let->to || let->number != 1 || !is_fixed(c, let->to))
            return NULL;
        e = let->to;
    }
    return e->op == EX_mul && e->type.dtype == DT_f32 ? e : NULL;
}

static const Expr *fused(Contract *c, const Expr *a, const Expr *b, const Expr *add)
{
    return expr_tri(c->arena, EX_fma, a, b, add);
}

/* a * b + z = z + a * b = fma(a, b, z) */
static const Expr *fuse_add(Contract *c, const Expr *e)
{
    const Expr *left = product(c, e->arg[0]);
    if (left)
        return fused(c, left->arg[0], left->arg[1], e->arg[1]);
    const Expr *right = product(c, e->arg[1]);
    return right ? fused(c, right->arg[0], right->arg[1], e->arg[0]) : e;
}

/* a * b - z = fma(a, b, -z); z - a * b = fma(-a, b, z) */
static const Expr *fuse_sub(Contract *c, const Expr *e)
{
    const Expr *left = product(c, e->arg[0]), *right = product(c, e->arg[1]);
    if (left)
        return fused(c, left->arg[0], left->arg[1], expr_un(c->arena, EX_neg, e->arg[1]));
    if (right)
        return fused(c, expr_un(c->arena, EX_neg, right->arg[0]), right->arg[1], e->arg[0]);
    return e;
}

static const Expr *contract_expr(void *context, const Expr *e)
{
    if (e->type.dtype != DT_f32)
        return e;
    if (e->op == EX_add)
        return fuse_add(context, e);
    return e->op == EX_sub ? fuse_sub(context, e) : e;
}

/* In the order of the text: a let is looked up as it now reads. */
static void contract_block(Contract *c, Block *block)
{
    for (Stmt *s = block->first; s; s = s->next) {
        if (s->expr)
            s->expr = expr_rewrite(c->arena, s->expr, contract_expr, c);
        if (s->kind == ST_let)
            ptrmap_entry(&c->lets, s->reg)->to = s->expr;
        contract_block(c, &s->body);
        contract_block(c, &s->other);
    }
}

void pass_contract(Program *program)
{
    if (!program->target->has_fma)
        return;
    for (int i = 0; i < program->kernels.n; i++) {
        Block *body = &program->kernels.at[i]->body;
        Contract c = {.arena = program->arena, .kernel = program->kernels.at[i],
                      .lets = ptrmap_new(program->arena)};
        count_block(&c, body);
        contract_block(&c, body);
    }
}
