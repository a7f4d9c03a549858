/* Rewriting expressions bottom-up. */
#include "passes/rewrite.h"
#include <string.h>

const Expr *expr_with_args(Arena *arena, const Expr *e, const Expr *const *arg)
{
    int n = expr_info[e->op].args;
    if (memcmp(e->arg, arg, sizeof *arg * (size_t)n) == 0)
        return e;
    Expr *copy = NEW(arena, Expr, 1);
    *copy = *e;
    for (int i = 0; i < n; i++)
        copy->arg[i] = arg[i];
    return copy;
}

const Expr *expr_rewrite(Arena *arena, const Expr *e, Rule *rule, void *context)
{
    const Expr *arg[3] = {0};
    for (int i = 0; i < expr_info[e->op].args; i++)
        arg[i] = expr_rewrite(arena, e->arg[i], rule, context);
    return rule(context, expr_with_args(arena, e, arg));
}

void block_rewrite(Arena *arena, Block *block, Rule *rule, void *context)
{
    for (Stmt *s = block->first; s; s = s->next) {
        if (s->expr)
            s->expr = expr_rewrite(arena, s->expr, rule, context);
        block_rewrite(arena, &s->body, rule, context);
        block_rewrite(arena, &s->other, rule, context);
    }
}

void block_append(Block *block, Stmt *stmt)
{
    stmt->next = NULL;
    *(block->last ? &block->last->next : &block->first) = stmt;
    block->last = stmt;
}
