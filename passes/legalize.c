/* legalize: what targets cannot do becomes arithmetic that all do alike.
 *
 *   y[0] = exp(x[0])              let t_1 = min(max(x[0], -104), 89)
 *                           ->    let t_2 = floor(fma(t_1, 1.442695, 0.5))
 *                                 ..
 *                                 y[0] = t_20
 *
 *   fma(a, b, c)            ->    add(mul(a, b), c)     without fast fma
 *   floor(x)                ->    by truncation         where it is no instruction
 *
 * Functions are expanded in f32 with their sources named in legalize_exp.c and
 * legalize_pow.c; values read more than once are bound by lets before the
 * statement, since emitters spell every tree in full. Vector widths are the
 * lowering's business: one that the target lacks is a bug. Contraction comes
 * before: the expansions say themselves what is fused.
 *
 * needs: lowered   makes: legal   breaks: nothing   leaves: nothing */
#include "passes/legalize.h"
#include "passes/program_passes.h"
#include "passes/rewrite.h"

static E legal_expr(void *context, E e)
{
    Legal *g = context;
    if (e->type.lanes > g->target->lanes)
        bug("legalize: %s of %d lanes for a target of %d", expr_info[e->op].name,
            e->type.lanes, g->target->lanes);
    switch ((int)e->op) {
    case EX_fma: return legal_fma(g, e->arg[0], e->arg[1], e->arg[2]);
    case EX_floor: return g->target->no_floor ? legal_floor(g, e->arg[0]) : e;
    case EX_exp: return legal_exp(g, e->arg[0]);
    case EX_log: return legal_log(g, e->arg[0]);
    case EX_tanh: return legal_tanh(g, e->arg[0]);
    case EX_erf: return legal_erf(g, e->arg[0]);
    case EX_pow: return legal_pow(g, e->arg[0], e->arg[1]);
    }
    return e;
}

static void legalize_block(Legal *g, Block *block)
{
    Block out = {0}, *outer = g->b.at[0];
    g->b.at[0] = &out;
    for (Stmt *s = block->first, *next; s; s = next) {
        next = s->next;
        if (s->expr)
            s->expr = expr_rewrite(g->arena, s->expr, legal_expr, g);
        legalize_block(g, &s->body);
        legalize_block(g, &s->other);
        block_append(&out, s);
    }
    g->b.at[0] = outer;
    *block = out;
}

void pass_legalize(Program *program)
{
    for (int i = 0; i < program->kernels.n; i++) {
        Kernel *kernel = program->kernels.at[i];
        Legal g = {.arena = program->arena, .target = program->target,
                   .b = build_begin(program->arena, kernel)};
        g.b.serial = kernel_next_serial(kernel);
        legalize_block(&g, &kernel->body);
    }
}
