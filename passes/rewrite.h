/* Walks that the program passes share. Statements are changed in place; an
 * expression may be shared by several statements and is never changed, only
 * replaced. */
#ifndef VTC_PASSES_REWRITE_H
#define VTC_PASSES_REWRITE_H

#include "ir/loop.h"

/* A rule: what an expression, its operands already rewritten, becomes. Returns
 * `e` itself when nothing changes. */
typedef const Expr *Rule(void *context, const Expr *e);

/* Bottom-up; operands that change nothing are not copied. */
const Expr *expr_rewrite(Arena *arena, const Expr *e, Rule *rule, void *context);
/* Every statement's expression, nested blocks too. */
void block_rewrite(Arena *arena, Block *block, Rule *rule, void *context);

/* The same expression with other operands. */
const Expr *expr_with_args(Arena *arena, const Expr *e, const Expr *const *arg);
void block_append(Block *block, Stmt *stmt);

#endif
