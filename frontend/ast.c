/* Nodes of the AST, and the walk over all expressions of a block. Depth is
 * counted as nodes are made, so that the parser can refuse what would overflow
 * the stack of every recursive reader. */
#include "frontend/ast.h"

const SignInfo sign_info[SIGN_COUNT] = {
#define SIGN(name, text, precedence, op) {text, precedence, op},
    SIGNS
#undef SIGN
};

Expr *expr_new(Arena *arena, ExprKind kind, Span span)
{
    Expr *expr = NEW(arena, Expr, 1);
    expr->kind = kind;
    expr->span = expr->name_span = span;
    expr->depth = 1;
    return expr;
}

static void depth_over(Expr *expr, const Expr *operand)
{
    if (operand && operand->depth >= expr->depth)
        expr->depth = operand->depth + 1;
}

Expr *expr_unary(Arena *arena, Sign sign, Expr *a, Span span)
{
    Expr *expr = expr_new(arena, EXPR_unary, span);
    expr->sign = sign;
    expr->a = a;
    depth_over(expr, a);
    return expr;
}

Expr *expr_binary(Arena *arena, Sign sign, Expr *a, Expr *b)
{
    Expr *expr = expr_new(arena, EXPR_binary, span_join(a->span, b->span));
    expr->sign = sign;
    expr->a = a;
    expr->b = b;
    depth_over(expr, a);
    depth_over(expr, b);
    return expr;
}

Expr *expr_choice(Arena *arena, Expr *a, Expr *condition, Expr *c)
{
    Expr *expr = expr_new(arena, EXPR_choice, span_join(a->span, c->span));
    expr->a = a;
    expr->b = condition;
    expr->c = c;
    depth_over(expr, a);
    depth_over(expr, condition);
    depth_over(expr, c);
    return expr;
}

Expr *expr_property(Arena *arena, Expr *a, Name name)
{
    Expr *expr = expr_new(arena, EXPR_property, span_join(a->span, name.span));
    expr->text = name.text;
    expr->name_span = name.span;
    expr->a = a;
    depth_over(expr, a);
    return expr;
}

Expr *expr_index(Arena *arena, Expr *a, Expr *index, Span span)
{
    Expr *expr = expr_new(arena, EXPR_index, span);
    expr->a = a;
    expr->b = index;
    depth_over(expr, a);
    depth_over(expr, index);
    return expr;
}

Expr *expr_list(Arena *arena, ExprList items, Span span)
{
    Expr *expr = expr_new(arena, EXPR_list, span);
    expr->items = items;
    for (int i = 0; i < items.n; i++)
        depth_over(expr, items.at[i]);
    return expr;
}

Expr *expr_call(Arena *arena, Name name, ArgList args, Span span)
{
    Expr *expr = expr_new(arena, EXPR_call, span);
    expr->text = name.text;
    expr->name_span = name.span;
    expr->args = args;
    for (int i = 0; i < args.n; i++)
        depth_over(expr, args.at[i].value);
    return expr;
}

Stmt *stmt_new(Arena *arena, StmtKind kind, Span span)
{
    Stmt *stmt = NEW(arena, Stmt, 1);
    stmt->kind = kind;
    stmt->span = span;
    return stmt;
}

void file_note_imports(Diag *diag, Message *message, const File *file)
{
    for (; file && file->importer; file = file->importer)
        diag_note(diag, message, file->import_span, "imported from here");
}

/* ---- walks ------------------------------------------------------------- */

void expr_visit(const Expr *expr, ExprVisit *visit, void *context)
{
    if (!expr)
        return;
    expr_visit(expr->a, visit, context);
    expr_visit(expr->b, visit, context);
    expr_visit(expr->c, visit, context);
    if (expr->kind == EXPR_call)
        for (int i = 0; i < expr->args.n; i++)
            expr_visit(expr->args.at[i].value, visit, context);
    if (expr->kind == EXPR_list)
        for (int i = 0; i < expr->items.n; i++)
            expr_visit(expr->items.at[i], visit, context);
    visit(context, expr);
}

static void stmt_visit(const Stmt *stmt, ExprVisit *visit, void *context)
{
    for (int i = 0; i < stmt->label.parts.n; i++)
        expr_visit(stmt->label.parts.at[i].value, visit, context);
    expr_visit(stmt->value, visit, context);
    expr_visit(stmt->last, visit, context);
    for (int i = 0; i < stmt->results.n; i++)
        expr_visit(stmt->results.at[i], visit, context);
    for (int i = 0; i < stmt->arms.n; i++) {
        expr_visit(stmt->arms.at[i].condition, visit, context);
        block_visit(stmt->arms.at[i].body, visit, context);
    }
    if (stmt->body)
        block_visit(stmt->body, visit, context);
}

void block_visit(const Block *block, ExprVisit *visit, void *context)
{
    for (int i = 0; i < block->stmts.n; i++)
        stmt_visit(block->stmts.at[i], visit, context);
}
