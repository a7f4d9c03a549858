/* What can be known wrong without running a module: names nobody defines, names
 * defined twice, statements in the wrong place, parameters nobody reads. So the
 * mistakes in branches that are not taken, and in modules that are not called,
 * are found too. */
#include "frontend/operators.h"
#include <string.h>

/* ---- names that a block reads ------------------------------------------ */

typedef struct NameSet {
    StrMap *names;
} NameSet;

static void name_collect(void *context, const Expr *expr)
{
    NameSet *set = context;
    if (expr->kind == EXPR_name)
        *strmap_slot(set->names, expr->text) = set;
}

static void outputs_collect(const Block *block, StrMap *names)
{
    for (int i = 0; i < block->stmts.n; i++) {
        const Stmt *stmt = block->stmts.at[i];
        if (stmt->kind == STMT_output && !stmt->value)
            *strmap_slot(names, stmt->name.text) = names;
        for (int k = 0; k < stmt->arms.n; k++)
            outputs_collect(stmt->arms.at[k].body, names);
        if (stmt->body)
            outputs_collect(stmt->body, names);
    }
}

const StrMap *block_names(Arena *arena, const Block *block)
{
    if (!block->names) {
        StrMap *names = NEW(arena, StrMap, 1);
        names->arena = arena;
        NameSet set = {names};
        ast_visit_block(block, name_collect, &set);
        outputs_collect(block, names);
        /* a cache: the block means the same with and without it */
        ((Block *)(uintptr_t)block)->names = names;
    }
    return block->names;
}

/* ---- one module -------------------------------------------------------- */

typedef struct Checker {
    Elab *e;
    Module *module;
    bool in_stage;
} Checker;

static Message *check_error(Checker *c, Span span, const char *text)
{
    Message *message = elab_error(c->e, span, "%s", text);
    if (message)
        file_note_imports(c->e->diag, message, c->module->file);
    return message;
}

static void assigned_collect(StrMap *assigned, const Block *block)
{
    for (int i = 0; i < block->stmts.n; i++) {
        const Stmt *stmt = block->stmts.at[i];
        for (int k = 0; k < stmt->targets.n; k++) {
            void **slot = strmap_slot(assigned, stmt->targets.at[k]->name.text);
            if (!*slot)
                *slot = &stmt->targets.at[k]->name;
        }
        for (int k = 0; k < stmt->arms.n; k++)
            assigned_collect(assigned, stmt->arms.at[k].body);
        if (stmt->body)
            assigned_collect(assigned, stmt->body);
    }
}

static void name_check(Checker *c, const Expr *expr)
{
    if (strmap_get(c->module->assigned, expr->text) || c->module->damaged)
        return;
    Message *message = check_error(
        c, expr->span, arena_printf(c->e->arena, "unknown name '%s'", expr->text));
    Nearest nearest = nearest_to(expr->text);
    nearest_offer_map(&nearest, c->module->assigned);
    elab_suggest(c->e, message, expr->span, &nearest);
}

static void callee_check(Checker *c, const Expr *expr)
{
    Elab *e = c->e;
    if (operator_find(expr->text) || function_exists(expr->text) ||
        strmap_get(&e->modules, expr->text) || e->modules_missing)
        return;
    Message *message = check_error(
        c, expr->name_span,
        arena_printf(e->arena, "there is no module or operator '%s'", expr->text));
    Nearest nearest = nearest_to(expr->text);
    for (int i = 0; i < operator_count; i++)
        nearest_offer(&nearest, operator_table[i].name);
    function_offer(&nearest);
    nearest_offer_map(&nearest, &e->modules);
    elab_suggest(e, message, expr->name_span, &nearest);
}

static void expr_check(void *context, const Expr *expr)
{
    if (expr->kind == EXPR_name)
        name_check(context, expr);
    if (expr->kind == EXPR_call)
        callee_check(context, expr);
}

/* ---- statements in their place ----------------------------------------- */

static void block_check(Checker *c, const Block *block);

static void place_check(Checker *c, const Stmt *stmt)
{
    bool model = c->module->is_model;
    switch (stmt->kind) {
    case STMT_return:
        if (model)
            check_error(c, stmt->span, "a model has outputs, not 'return'");
        return;
    case STMT_stage:
        if (!model)
            check_error(c, stmt->span, "stages stand in models only");
        else if (c->in_stage)
            check_error(c, stmt->span, "a stage inside a stage");
        return;
    case STMT_preprocess:
        if (!model)
            check_error(c, stmt->span, "'preprocess' stands in models only");
        return;
    case STMT_output:
        if (!model)
            check_error(c, stmt->span, "'output' stands in models only");
        return;
    case STMT_doc:
        if (stmt != c->module->body->stmts.at[0])
            check_error(c, stmt->span, "a docstring stands first in a module");
        return;
    case STMT_assign:
    case STMT_for:
    case STMT_if:
        return;
    }
}

static void stmt_check(Checker *c, const Stmt *stmt)
{
    bool was_in = c->in_stage;
    place_check(c, stmt);
    c->in_stage = was_in || stmt->kind == STMT_stage;
    for (int i = 0; i < stmt->arms.n; i++)
        block_check(c, stmt->arms.at[i].body);
    if (stmt->body)
        block_check(c, stmt->body);
    c->in_stage = was_in;
}

static void block_check(Checker *c, const Block *block)
{
    for (int i = 0; i < block->stmts.n; i++) {
        stmt_check(c, block->stmts.at[i]);
        if (block->stmts.at[i]->kind == STMT_return && i + 1 < block->stmts.n &&
            block->stmts.at[i + 1]->span.end > 0) {
            diag_warning(c->e->diag, block->stmts.at[i + 1]->span,
                         "nothing after 'return' is run");
            return;
        }
    }
}

/* ---- parameters -------------------------------------------------------- */

static void param_check(Checker *c, const Param *param)
{
    bool model = c->module->is_model;
    if (model && !param->type)
        check_error(c, param->name.span, "an input of a model needs a type, like "
                                         "image: f32[1, 3, 224, 224]");
    if (!model && param->type)
        check_error(c, param->type->span, "parameters of modules have no types: "
                                          "each call brings its own");
    void **slot = strmap_slot(c->module->assigned, param->name.text);
    if (*slot) {
        const Name *first = *slot;
        Message *message = check_error(
            c, param->name.span,
            arena_printf(c->e->arena, "parameter '%s' is there twice",
                         param->name.text));
        elab_note(c->e, message, first->span, "first here");
    }
    *slot = (void *)(uintptr_t)&param->name;
}

static bool param_is_read(const Module *module, const StrMap *names, int index)
{
    NameSet set = {.names = &(StrMap){.arena = names->arena}};
    if (strmap_get(names, module->params.at[index].name.text))
        return true;
    for (int i = index + 1; i < module->params.n; i++)
        ast_visit_expr(module->params.at[i].fallback, name_collect, &set);
    return strmap_get(set.names, module->params.at[index].name.text) != NULL;
}

static void params_warn(Elab *e, const Module *module)
{
    const StrMap *names = block_names(e->arena, module->body);
    for (int i = 0; i < module->params.n && i < 100; i++) {
        const Name *name = &module->params.at[i].name;
        if (name->text[0] != '_' && !param_is_read(module, names, i))
            diag_warning(e->diag, name->span, "%s '%s' is never used",
                         module->is_model ? "input" : "parameter", name->text);
    }
}

static void module_check(Elab *e, Module *module)
{
    Checker c = {e, module, false};
    module->assigned = NEW(e->arena, StrMap, 1);
    module->assigned->arena = e->arena;
    for (int i = 0; i < module->params.n; i++) {
        ast_visit_expr(module->params.at[i].fallback, expr_check, &c);
        param_check(&c, &module->params.at[i]);
        for (int k = 0; module->params.at[i].type &&
                        k < module->params.at[i].type->dims.n; k++)
            ast_visit_expr(module->params.at[i].type->dims.at[k], expr_check, &c);
    }
    assigned_collect(module->assigned, module->body);
    ast_visit_block(module->body, expr_check, &c);
    block_check(&c, module->body);
}

/* ---- all modules ------------------------------------------------------- */

static void module_declare(Elab *e, Module *module)
{
    Checker c = {e, module, false};
    const char *name = module->name.text;
    void **slot = strmap_slot(&e->modules, name);
    const Module *other = *slot;
    if (operator_find(name) || function_exists(name)) {
        check_error(&c, module->name.span,
                    arena_printf(e->arena, "'%s' is the name of an operator", name));
    } else if (other) {
        Message *message = check_error(
            &c, module->name.span,
            arena_printf(e->arena, "'%s' is defined twice", name));
        elab_note(e, message, other->name.span, "first here");
    } else {
        *slot = module;
    }
}

void ast_check(Elab *e)
{
    const Ast *ast = e->ast;
    for (int i = 0; i < ast->files.n; i++) {
        const File *file = ast->files.at[i];
        e->modules_missing |= file->damaged;
        for (int k = 0; k < file->imports.n; k++)
            e->modules_missing |= !file->imports.at[k].file;
        for (int k = 0; k < file->modules.n; k++)
            module_declare(e, file->modules.at[k]);
    }
    for (int i = 0; i < ast->files.n && !e->gave_up; i++)
        for (int k = 0; k < ast->files.at[i]->modules.n && !e->gave_up; k++)
            module_check(e, ast->files.at[i]->modules.at[k]);
}

/* ---- unused results ---------------------------------------------------- */

static void unused_warn(Elab *e, const Block *block, int *left)
{
    for (int i = 0; i < block->stmts.n && *left > 0; i++) {
        const Stmt *stmt = block->stmts.at[i];
        for (int k = 0; k < stmt->targets.n; k++) {
            const Target *target = stmt->targets.at[k];
            if (!target->bound || target->used || target->name.text[0] == '_')
                continue;
            diag_warning(e->diag, target->name.span, "'%s' is never used",
                         target->name.text);
            (*left)--;
        }
        for (int k = 0; k < stmt->arms.n; k++)
            unused_warn(e, stmt->arms.at[k].body, left);
        if (stmt->body)
            unused_warn(e, stmt->body, left);
    }
}

void ast_warn_unused(Elab *e)
{
    int left = 100; /* more say nothing new */
    for (int i = 0; i < e->ast->files.n; i++) {
        const File *file = e->ast->files.at[i];
        for (int k = 0; k < file->modules.n && left > 0; k++) {
            params_warn(e, file->modules.at[k]);
            unused_warn(e, file->modules.at[k]->body, &left);
        }
    }
}
