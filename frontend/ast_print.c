/* The AST as canonical text: one statement a line, named as written. It is the
 * program again: parsing it gives the same AST, hence the same text. */
#include "frontend/ast.h"
#include <string.h>

/* With the escapes of the language, which has fewer than C. */
static void string_print(const char *s, Text *out)
{
    text_add(out, "\"");
    for (; *s; s++) {
        const char *escape = *s == '\n'   ? "\\n"
                             : *s == '\t' ? "\\t"
                             : *s == '"'  ? "\\\""
                             : *s == '\\' ? "\\\\"
                                          : NULL;
        text_addn(out, escape ? escape : s, escape ? 2 : 1);
    }
    text_add(out, "\"");
}

/* ---- expressions ------------------------------------------------------- */

static int precedence_of(const Expr *expr)
{
    switch (expr->kind) {
    case EXPR_choice:
        return 0;
    case EXPR_unary:
    case EXPR_binary:
        return sign_info[expr->sign].precedence;
    case EXPR_error:
    case EXPR_int:
    case EXPR_real:
    case EXPR_bool:
    case EXPR_string:
    case EXPR_none:
    case EXPR_name:
    case EXPR_list:
    case EXPR_property:
    case EXPR_index:
    case EXPR_call:
        return 100;
    }
    bug("expression kind %d", (int)expr->kind);
}

static void operand_print(const Expr *expr, int at_least, Text *out)
{
    bool parens = precedence_of(expr) < at_least;
    text_add(out, parens ? "(" : "");
    ast_print_expr(expr, out);
    text_add(out, parens ? ")" : "");
}

static void exprs_print(const ExprList *list, Text *out)
{
    for (int i = 0; i < list->n; i++) {
        text_add(out, i ? ", " : "");
        ast_print_expr(list->at[i], out);
    }
}

static void binary_print(const Expr *expr, Text *out)
{
    const SignInfo *sign = &sign_info[expr->sign];
    bool right = expr->sign == SIGN_pow;
    bool apart = sign->precedence == 4; /* comparisons do not chain */
    operand_print(expr->a, sign->precedence + (right || apart), out);
    text_printf(out, " %s ", sign->text);
    operand_print(expr->b, sign->precedence + !right, out);
}

static void call_print(const Expr *expr, Text *out)
{
    text_printf(out, "%s(", expr->text);
    for (int i = 0; i < expr->args.n; i++) {
        const Arg *arg = &expr->args.at[i];
        text_add(out, i ? ", " : "");
        if (arg->name.text)
            text_printf(out, "%s = ", arg->name.text);
        ast_print_expr(arg->value, out);
    }
    text_add(out, ")");
}

/* A real keeps a point or an exponent, so that it is read as one. */
void ast_print_real(double value, Text *out)
{
    Text digits = text_new(out->arena);
    text_double(&digits, value);
    const char *s = text_str(&digits);
    const char *mark = strchr(s, 'e');
    if (!mark)
        mark = s + strlen(s);
    text_addn(out, s, (size_t)(mark - s));
    text_add(out, strchr(s, '.') || *mark ? "" : ".0");
    text_add(out, mark);
}

void ast_print_expr(const Expr *expr, Text *out)
{
    switch (expr->kind) {
    case EXPR_error:
        text_add(out, "<error>");
        return;
    case EXPR_int:
        text_printf(out, "%lld", (long long)expr->integer);
        return;
    case EXPR_real:
        ast_print_real(expr->real, out);
        return;
    case EXPR_bool:
        text_add(out, expr->truth ? "true" : "false");
        return;
    case EXPR_string:
        string_print(expr->text, out);
        return;
    case EXPR_none:
        text_add(out, "none");
        return;
    case EXPR_name:
        text_add(out, expr->text);
        return;
    case EXPR_list:
        text_add(out, "[");
        exprs_print(&expr->items, out);
        text_add(out, "]");
        return;
    case EXPR_unary:
        text_add(out, sign_info[expr->sign].text);
        operand_print(expr->a, sign_info[expr->sign].precedence, out);
        return;
    case EXPR_binary:
        binary_print(expr, out);
        return;
    case EXPR_choice:
        operand_print(expr->a, 1, out);
        text_add(out, " if ");
        operand_print(expr->b, 1, out);
        text_add(out, " else ");
        ast_print_expr(expr->c, out);
        return;
    case EXPR_property:
        operand_print(expr->a, 100, out);
        text_printf(out, ".%s", expr->text);
        return;
    case EXPR_index:
        operand_print(expr->a, 100, out);
        text_add(out, "[");
        ast_print_expr(expr->b, out);
        text_add(out, "]");
        return;
    case EXPR_call:
        call_print(expr, out);
        return;
    }
}

/* ---- statements -------------------------------------------------------- */

void ast_print_label(const Label *label, Text *out)
{
    for (int i = 0; i < label->parts.n; i++) {
        const LabelPart *part = &label->parts.at[i];
        text_add(out, i ? "." : "");
        if (part->text) {
            text_add(out, part->text);
        } else {
            text_add(out, "{");
            ast_print_expr(part->value, out);
            text_add(out, "}");
        }
    }
}

static void block_print(const Block *block, int depth, Text *out);

static void datum_print(const Datum *datum, Text *out)
{
    text_add(out, " ");
    switch (datum->kind) {
    case DATUM_int:
        text_printf(out, "%.0f", datum->number);
        return;
    case DATUM_real:
        ast_print_real(datum->number, out);
        return;
    case DATUM_word:
        text_add(out, datum->text);
        return;
    case DATUM_string:
        string_print(datum->text, out);
        return;
    }
}

static void items_print(const ItemList *items, int depth, Text *out)
{
    if (!items->n)
        return;
    text_add(out, " {\n");
    for (int i = 0; i < items->n; i++) {
        text_indent(out, 4 * (depth + 1));
        text_add(out, items->at[i]->word.text);
        for (int k = 0; k < items->at[i]->data.n; k++)
            datum_print(&items->at[i]->data.at[k], out);
        text_add(out, "\n");
    }
    text_indent(out, 4 * depth);
    text_add(out, "}");
}

static void assign_print(const Stmt *stmt, Text *out)
{
    if (stmt->label.parts.n) {
        ast_print_label(&stmt->label, out);
        text_add(out, ": ");
    }
    for (int i = 0; i < stmt->targets.n; i++)
        text_printf(out, "%s%s", i ? ", " : "", stmt->targets.at[i]->name.text);
    text_add(out, " = ");
    ast_print_expr(stmt->value, out);
}

static void for_print(const Stmt *stmt, int depth, Text *out)
{
    text_printf(out, "for %s in ", stmt->targets.at[0]->name.text);
    ast_print_expr(stmt->value, out);
    if (stmt->last) {
        text_add(out, "..");
        ast_print_expr(stmt->last, out);
    }
    block_print(stmt->body, depth, out);
}

static void if_print(const Stmt *stmt, int depth, Text *out)
{
    for (int i = 0; i < stmt->arms.n; i++) {
        const Arm *arm = &stmt->arms.at[i];
        text_add(out, i ? " else" : "");
        text_add(out, i && arm->condition ? " " : "");
        if (arm->condition) {
            text_add(out, "if ");
            ast_print_expr(arm->condition, out);
        }
        block_print(arm->body, depth, out);
    }
}

static void stmt_print(const Stmt *stmt, int depth, Text *out)
{
    text_indent(out, 4 * depth);
    switch (stmt->kind) {
    case STMT_assign:
        assign_print(stmt, out);
        break;
    case STMT_for:
        for_print(stmt, depth, out);
        break;
    case STMT_if:
        if_print(stmt, depth, out);
        break;
    case STMT_stage:
        text_add(out, "stage ");
        ast_print_label(&stmt->label, out);
        block_print(stmt->body, depth, out);
        break;
    case STMT_return:
        text_add(out, "return ");
        exprs_print(&stmt->results, out);
        break;
    case STMT_preprocess:
        text_printf(out, "preprocess %s", stmt->name.text);
        text_add(out, stmt->items.n ? "" : " { }");
        items_print(&stmt->items, depth, out);
        break;
    case STMT_output:
        text_printf(out, "output %s", stmt->name.text);
        if (stmt->value) {
            text_add(out, " = ");
            ast_print_expr(stmt->value, out);
        }
        items_print(&stmt->items, depth, out);
        break;
    case STMT_doc:
        text_printf(out, "\"\"\"%s\"\"\"", stmt->value->text);
        break;
    }
    text_add(out, "\n");
}

static void block_print(const Block *block, int depth, Text *out)
{
    text_add(out, " {\n");
    for (int i = 0; i < block->stmts.n; i++)
        stmt_print(block->stmts.at[i], depth + 1, out);
    text_indent(out, 4 * depth);
    text_add(out, "}");
}

/* ---- files ------------------------------------------------------------- */

static void param_print(const Param *param, Text *out)
{
    text_add(out, param->name.text);
    if (param->type) {
        text_printf(out, ": %s[", param->type->dtype.text);
        exprs_print(&param->type->dims, out);
        text_add(out, "]");
    }
    if (param->fallback) {
        text_add(out, " = ");
        ast_print_expr(param->fallback, out);
    }
}

static void module_print(const Module *module, Text *out)
{
    text_printf(out, "\n%s %s(", module->is_model ? "model" : "module",
                module->name.text);
    for (int i = 0; i < module->params.n; i++) {
        text_add(out, i ? ", " : "");
        param_print(&module->params.at[i], out);
    }
    text_add(out, ")");
    block_print(module->body, 0, out);
    text_add(out, "\n");
}

void ast_print(const Ast *ast, Text *out)
{
    for (int i = 0; i < ast->files.n; i++) {
        const File *file = ast->files.at[i];
        text_printf(out, "%s// %s\n", i ? "\n" : "", file->source->path);
        for (int k = 0; k < file->imports.n; k++) {
            text_add(out, "import ");
            string_print(file->imports.at[k].path, out);
            text_add(out, "\n");
        }
        for (int k = 0; k < file->modules.n; k++)
            module_print(file->modules.at[k], out);
    }
}
