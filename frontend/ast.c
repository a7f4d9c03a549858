/* Nodes of the AST, and the walk over all expressions of a block. Depth is
 * counted as nodes are made, so that the parser can refuse what would overflow
 * the stack of every recursive reader. */
#include "frontend/ast.h"

const SignInfo sign_info[SIGN_COUNT] = {
#define SIGN(name, text, precedence, op) {text, precedence, op},
    SIGNS
#undef SIGN
};

Expr *ast_new(Arena *arena, ExprKind kind, Span span)
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

Expr *ast_unary(Arena *arena, Sign sign, Expr *a, Span span)
{
    Expr *expr = ast_new(arena, EXPR_unary, span);
    expr->sign = sign;
    expr->a = a;
    depth_over(expr, a);
    return expr;
}

Expr *ast_binary(Arena *arena, Sign sign, Expr *a, Expr *b)
{
    Expr *expr = ast_new(arena, EXPR_binary, span_join(a->span, b->span));
    expr->sign = sign;
    expr->a = a;
    expr->b = b;
    depth_over(expr, a);
    depth_over(expr, b);
    return expr;
}

Expr *ast_choice(Arena *arena, Expr *a, Expr *condition, Expr *c)
{
    Expr *expr = ast_new(arena, EXPR_choice, span_join(a->span, c->span));
    expr->a = a;
    expr->b = condition;
    expr->c = c;
    depth_over(expr, a);
    depth_over(expr, condition);
    depth_over(expr, c);
    return expr;
}

Expr *ast_property(Arena *arena, Expr *a, Name name)
{
    Expr *expr = ast_new(arena, EXPR_property, span_join(a->span, name.span));
    expr->text = name.text;
    expr->name_span = name.span;
    expr->a = a;
    depth_over(expr, a);
    return expr;
}

Expr *ast_index(Arena *arena, Expr *a, Expr *index, Span span)
{
    Expr *expr = ast_new(arena, EXPR_index, span);
    expr->a = a;
    expr->b = index;
    depth_over(expr, a);
    depth_over(expr, index);
    return expr;
}

Expr *ast_list(Arena *arena, ExprList items, Span span)
{
    Expr *expr = ast_new(arena, EXPR_list, span);
    expr->items = items;
    for (int i = 0; i < items.n; i++)
        depth_over(expr, items.at[i]);
    return expr;
}

Expr *ast_call(Arena *arena, Name name, ArgList args, Span span)
{
    Expr *expr = ast_new(arena, EXPR_call, span);
    expr->text = name.text;
    expr->name_span = name.span;
    expr->args = args;
    for (int i = 0; i < args.n; i++)
        depth_over(expr, args.at[i].value);
    return expr;
}

Stmt *ast_stmt(Arena *arena, StmtKind kind, Span span)
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

void ast_visit_expr(const Expr *expr, ExprVisit *visit, void *context)
{
    if (!expr)
        return;
    ast_visit_expr(expr->a, visit, context);
    ast_visit_expr(expr->b, visit, context);
    ast_visit_expr(expr->c, visit, context);
    if (expr->kind == EXPR_call)
        for (int i = 0; i < expr->args.n; i++)
            ast_visit_expr(expr->args.at[i].value, visit, context);
    if (expr->kind == EXPR_list)
        for (int i = 0; i < expr->items.n; i++)
            ast_visit_expr(expr->items.at[i], visit, context);
    visit(context, expr);
}

static void stmt_visit(const Stmt *stmt, ExprVisit *visit, void *context)
{
    for (int i = 0; i < stmt->label.parts.n; i++)
        ast_visit_expr(stmt->label.parts.at[i].value, visit, context);
    ast_visit_expr(stmt->value, visit, context);
    ast_visit_expr(stmt->last, visit, context);
    for (int i = 0; i < stmt->results.n; i++)
        ast_visit_expr(stmt->results.at[i], visit, context);
    for (int i = 0; i < stmt->arms.n; i++) {
        ast_visit_expr(stmt->arms.at[i].condition, visit, context);
        ast_visit_block(stmt->arms.at[i].body, visit, context);
    }
    if (stmt->body)
        ast_visit_block(stmt->body, visit, context);
}

void ast_visit_block(const Block *block, ExprVisit *visit, void *context)
{
    for (int i = 0; i < block->stmts.n; i++)
        stmt_visit(block->stmts.at[i], visit, context);
}
