/* The run of one model: which model, its inputs, and what every part of the
 * elaborator uses: errors with their call chain, limits, descriptions. */
#include "frontend/elaborate.h"
#include <stdarg.h>
#include <string.h>

/* ---- errors ------------------------------------------------------------ */

static bool error_is_new(Elab *e, Span span, const void *kind)
{
    const char *key = arena_printf(e->arena, "%p %zu %zu %p",
                                   (const void *)span.source, span.begin,
                                   span.end, kind);
    void **slot = strmap_slot(&e->reported, key);
    bool is_new = !*slot;
    *slot = e;
    return is_new;
}

static void note_calls(Elab *e, Message *message)
{
    for (const Scope *scope = e->scope; scope && scope->site; scope = scope->outer)
        diag_note(e->diag, message, scope->site->span,
                  "in module call '%s' from here", scope->site->module);
}

static Message *message_add(Elab *e, Span span, const char *text)
{
    int before = e->diag->messages.n;
    Message *message = diag_error(e->diag, span, "%s", text);
    return e->diag->messages.n > before ? message : NULL;
}

__attribute__((format(printf, 2, 0))) static const char *
format_text(Elab *e, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = NEW(e->arena, char, n + 1);
    vsnprintf(text, (size_t)n + 1, format, args);
    return text;
}

Message *elab_error_text(Elab *e, Span span, const void *kind, const char *text)
{
    if (!error_is_new(e, span, kind))
        return NULL;
    Message *message = message_add(e, span, text);
    if (message)
        note_calls(e, message);
    if (e->diag->errors >= LIMIT_ERRORS)
        elab_give_up(e, span, "too many errors: giving up");
    return message;
}

Message *elab_error(Elab *e, Span span, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = format_text(e, format, args);
    va_end(args);
    return elab_error_text(e, span, format, text);
}

void elab_note(Elab *e, Message *message, Span span, const char *format, ...)
{
    if (!message)
        return;
    va_list args;
    va_start(args, format);
    diag_note(e->diag, message, span, "%s", format_text(e, format, args));
    va_end(args);
}

void elab_suggest(Elab *e, Message *message, Span span, const Nearest *nearest)
{
    if (nearest->best)
        elab_note(e, message, span, "did you mean '%s'?", nearest->best);
}

void elab_give_up(Elab *e, Span span, const char *format, ...)
{
    if (e->gave_up)
        return;
    e->gave_up = true;
    va_list args;
    va_start(args, format);
    Message *message = message_add(e, span, format_text(e, format, args));
    va_end(args);
    if (message)
        note_calls(e, message);
}

void elab_note_tensor(Elab *e, Message *message, const char *name,
                      const Value *tensor)
{
    if (!message)
        return;
    Text type = text_new(e->arena);
    text_type(&type, &tensor->type);
    diag_note(e->diag, message, tensor->span, "%s: %s from here", name,
              text_str(&type));
}

/* ---- limits ------------------------------------------------------------ */

bool elab_step(Elab *e, Span span, int64_t work)
{
    e->steps += work;
    if (e->steps > LIMIT_STEPS)
        elab_give_up(e, span, "this program takes more than %d steps",
                     LIMIT_STEPS);
    return !e->gave_up;
}

bool elab_enter(Elab *e, Span span)
{
    if (e->depth >= LIMIT_DEPTH)
        elab_give_up(e, span, "calls and expressions are nested more than %d deep",
                     LIMIT_DEPTH);
    if (!elab_step(e, span, 1))
        return false;
    e->depth++;
    return true;
}

void elab_leave(Elab *e)
{
    e->depth--;
}

Val elab_list(Elab *e, Span span, const Val *items, int n)
{
    Val list = {.kind = VAL_list, .n = n, .depth = 1, .items = items};
    if (n > LIMIT_LIST) {
        elab_error(e, span, "this list is longer than %d", LIMIT_LIST);
        return val_poison();
    }
    for (int i = 0; i < n; i++) {
        list.has_tensor |= items[i].has_tensor;
        if (items[i].kind == VAL_list && items[i].depth >= list.depth)
            list.depth = (short)(items[i].depth + 1);
        if (items[i].kind == VAL_poison)
            return val_poison();
    }
    if (list.depth > LIMIT_LIST_DEPTH) {
        elab_error(e, span, "lists are nested more than %d deep", LIMIT_LIST_DEPTH);
        return val_poison();
    }
    return elab_step(e, span, n) ? list : val_poison();
}

const char *val_describe(Elab *e, Val v)
{
    Text text = text_new(e->arena);
    switch (v.kind) {
    case VAL_poison:
        return "an unknown value";
    case VAL_none:
        return "none";
    case VAL_int:
        return arena_printf(e->arena, "the integer %lld", (long long)v.integer);
    case VAL_real:
        text_add(&text, "the number ");
        ast_print_real(v.real, &text);
        return text_str(&text);
    case VAL_bool:
        return v.truth ? "true" : "false";
    case VAL_string:
        return "a string";
    case VAL_list:
        return arena_printf(e->arena, "a list of %d", v.n);
    case VAL_tensor:
        text_add(&text, "a tensor ");
        text_type(&text, &v.tensor->type);
        return text_str(&text);
    case VAL_results:
        return arena_printf(e->arena, "%d results", v.n);
    }
    bug("kind of value %d", (int)v.kind);
}

/* ---- the model --------------------------------------------------------- */

static bool dim_read(Elab *e, const Expr *expr, int64_t *dim)
{
    Val v = elab_value(e, expr);
    if (v.kind == VAL_poison)
        return false;
    if (v.kind == VAL_int && v.integer >= 1 && v.integer <= INT32_MAX) {
        *dim = v.integer;
        return true;
    }
    elab_error(e, expr->span, "a dimension is an integer of at least 1, not %s",
               val_describe(e, v));
    return false;
}

static bool dtype_read(Elab *e, const Name *name, DType *dtype)
{
    int found = dtype_find(name->text);
    if (found == DT_f16 || found == DT_bf16) {
        elab_error(e, name->span, "%s is for stored weights only", name->text);
        return false;
    }
    if (found >= 0) {
        *dtype = (DType)found;
        return true;
    }
    Message *message =
        elab_error(e, name->span, "unknown element type '%s'", name->text);
    Nearest nearest = nearest_to(name->text);
    for (int i = 0; i < DTYPE_COUNT; i++)
        nearest_offer(&nearest, dtype_info[i].name);
    elab_suggest(e, message, name->span, &nearest);
    return false;
}

bool elab_type(Elab *e, const TypeExpr *text, Type *type)
{
    *type = (Type){0};
    bool ok = dtype_read(e, &text->dtype, &type->dtype);
    if (text->dims.n > MAX_RANK) {
        elab_error(e, text->span, "a tensor has at most %d dimensions", MAX_RANK);
        return false;
    }
    type->shape.rank = text->dims.n;
    int64_t count = 1;
    for (int i = 0; i < text->dims.n; i++) {
        type->shape.dim[i] = 1;
        ok &= dim_read(e, text->dims.at[i], &type->shape.dim[i]);
        count *= type->shape.dim[i];
        if (count > INT32_MAX) {
            elab_error(e, text->span, "a tensor has at most %d elements", INT32_MAX);
            return false;
        }
    }
    return ok;
}

static void inputs_make(Elab *e, const Module *model)
{
    for (int i = 0; i < model->params.n; i++) {
        const Param *param = &model->params.at[i];
        Type type;
        Val value = val_poison();
        if (param->type && elab_type(e, param->type, &type))
            value = val_tensor(graph_source(e->graph, OP_input, param->name.text,
                                            type, param->name.span));
        scope_bind(e, param->name.text, value, NULL);
    }
}

static void model_run(Elab *e, const Module *model)
{
    Scope scope = {.module = model, .names = {.arena = e->arena}};
    Line line = {0};
    e->scope = &scope;
    e->line = &line;
    inputs_make(e, model);
    elab_block(e, model->body);
    outputs_add(e);
    if (!e->graph->outputs.n && !model->damaged && !e->diag->errors)
        elab_error(e, model->name.span, "model '%s' has no output",
                   model->name.text);
    e->scope = NULL;
    e->line = NULL;
}

/* ---- which model ------------------------------------------------------- */

static void models_note(Elab *e, Message *message, const File *file)
{
    for (int i = 0; message && i < file->modules.n; i++)
        if (file->modules.at[i]->is_model)
            diag_note(e->diag, message, file->modules.at[i]->name.span, "model '%s'",
                      file->modules.at[i]->name.text);
}

static const Module *model_named(Elab *e, const char *name)
{
    const Module *model = strmap_get(&e->modules, name);
    if (model && model->is_model)
        return model;
    Message *message = elab_error(e, (Span){NULL, 0, 0}, "there is no model '%s'",
                                  name);
    models_note(e, message, e->ast->files.at[0]);
    return NULL;
}

static const Module *model_choose(Elab *e, const char *name)
{
    const File *file = e->ast->files.at[0];
    const Module *only = NULL;
    int count = 0;
    if (name)
        return model_named(e, name);
    for (int i = 0; i < file->modules.n; i++)
        if (file->modules.at[i]->is_model && count++ == 0)
            only = file->modules.at[i];
    if (count == 1)
        return only;
    Message *message = NULL;
    Span start = {file->source, 0, 0};
    if (count > 1)
        message = elab_error(e, start, "this file has %d models: name the one "
                                       "to take", count);
    else if (!file->damaged)
        elab_error(e, start, "this file has no model");
    models_note(e, message, file);
    return NULL;
}

Graph *frontend_elaborate_outputs(Arena *arena, Diag *diag, const Ast *ast,
                                  const char *model_name, const char *labels)
{
    if (!ast->files.n || diag->errors >= LIMIT_ERRORS)
        return NULL;
    Elab elab = {.arena = arena, .diag = diag, .ast = ast, .stage = -1,
                 .modules = {.arena = arena}, .weights = {.arena = arena},
                 .labels = {.arena = arena}, .stages = {.arena = arena},
                 .reported = {.arena = arena}, .more_outputs = labels};
    Elab *e = &elab;
    ast_check(e);
    const Module *model = model_choose(e, model_name);
    if (!model)
        return NULL;
    e->graph = graph_new(arena, model->name.text);
    model_run(e, model);
    if (diag->errors)
        return NULL;
    ast_warn_unused(e);
    return e->graph;
}

Graph *frontend_elaborate(Arena *arena, Diag *diag, const Ast *ast,
                          const char *model_name)
{
    return frontend_elaborate_outputs(arena, diag, ast, model_name, NULL);
}
