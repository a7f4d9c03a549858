/* Calls: arguments are bound to parameters by place, then by name, in one way
 * for modules and builtin operators; a module's body then runs in its own scope. */
#include "frontend/operators.h"
#include <string.h>

/* ---- binding ----------------------------------------------------------- */

/* One call being bound. */
typedef struct Binder {
    Elab *e;
    const Expr *call;
    const Slots *slots;
    Val *values;
    const Expr **args;
    bool ok;
} Binder;

static int slot_find(const Slots *slots, const char *name)
{
    for (int i = 0; i < slots->n; i++)
        if (strcmp(slots->names[i], name) == 0)
            return i;
    return -1;
}

static void slot_fill(Binder *b, int slot, const Arg *arg)
{
    if (b->args[slot]) {
        Message *message =
            elab_error(b->e, arg->span, "argument '%s' of %s is given twice",
                       b->slots->names[slot], b->slots->what);
        elab_note(b->e, message, b->args[slot]->span, "first here");
        b->ok = false;
        return;
    }
    b->args[slot] = arg->value;
    b->values[slot] = elab_value(b->e, arg->value);
}

static void unknown_name(Binder *b, const Arg *arg)
{
    Message *message = elab_error(b->e, arg->name.span, "%s has no parameter '%s'",
                                  b->slots->what, arg->name.text);
    Nearest nearest = nearest_to(arg->name.text);
    for (int i = 0; i < b->slots->n; i++)
        nearest_offer(&nearest, b->slots->names[i]);
    elab_suggest(b->e, message, arg->name.span, &nearest);
    elab_value(b->e, arg->value); /* its own errors are found too */
    b->ok = false;
}

static void bind_named(Binder *b, const Arg *arg)
{
    int slot = slot_find(b->slots, arg->name.text);
    if (slot >= 0)
        slot_fill(b, slot, arg);
    else
        unknown_name(b, arg);
}

/* All positional arguments as one list. */
static void bind_rest(Binder *b, int positional)
{
    Val *items = NEW(b->e->arena, Val, positional);
    for (int i = 0; i < positional; i++)
        items[i] = elab_value(b->e, b->call->args.at[i].value);
    if (positional) {
        b->args[0] = b->call;
        b->values[0] = elab_list(b->e, b->call->span, items, positional);
    }
}

static void bind_positional(Binder *b, int positional)
{
    for (int i = 0; i < positional && i < b->slots->n; i++)
        slot_fill(b, i, &b->call->args.at[i]);
    if (positional <= b->slots->n)
        return;
    elab_error(b->e, b->call->args.at[b->slots->n].span,
               "%s takes at most %d %s", b->slots->what, b->slots->n,
               b->slots->n == 1 ? "argument" : "arguments");
    b->ok = false;
}

static void missing_report(Binder *b)
{
    Text names = text_new(b->e->arena);
    int count = 0;
    for (int i = 0; i < b->slots->n; i++)
        if (b->slots->required[i] && !b->args[i])
            text_printf(&names, "%s'%s'", count++ ? ", " : "", b->slots->names[i]);
    if (!count)
        return;
    elab_error(b->e, b->call->span, "%s needs %s %s", b->slots->what,
               count == 1 ? "argument" : "arguments", text_str(&names));
    b->ok = false;
}

bool args_bind(Elab *e, const Expr *call, const Slots *slots, Val *values,
               const Expr **args)
{
    Binder b = {e, call, slots, values, args, true};
    int positional = 0;
    while (positional < call->args.n && !call->args.at[positional].name.text)
        positional++;
    if (slots->rest)
        bind_rest(&b, positional);
    else
        bind_positional(&b, positional);
    for (int i = positional; i < call->args.n; i++) {
        const Arg *arg = &call->args.at[i];
        if (arg->name.text) {
            bind_named(&b, arg);
        } else {
            elab_error(e, arg->span, "arguments by place stand before those by name");
            b.ok = false;
        }
    }
    if (b.ok) /* else the missing one may be among the mistaken */
        missing_report(&b);
    return b.ok;
}

/* ---- modules ----------------------------------------------------------- */

static bool recursion_report(Elab *e, const Expr *call, const Module *module)
{
    const Scope *scope = e->scope;
    while (scope && scope->module != module)
        scope = scope->outer;
    if (!scope)
        return false;
    Text chain = text_new(e->arena);
    text_add(&chain, module->name.text);
    for (const Scope *s = e->scope; s != scope; s = s->outer)
        text_printf(&chain, " <- %s", s->module->name.text);
    elab_error(e, call->span, "module '%s' calls itself: %s <- %s",
               module->name.text, text_str(&chain), module->name.text);
    return true;
}

static Slots module_slots(Elab *e, const Module *module)
{
    int n = module->params.n;
    const char **names = NEW(e->arena, const char *, n);
    bool *required = NEW(e->arena, bool, n);
    for (int i = 0; i < n; i++) {
        names[i] = module->params.at[i].name.text;
        required[i] = !module->params.at[i].fallback;
    }
    return (Slots){n, names, required, false,
                   arena_printf(e->arena, "module '%s'", module->name.text)};
}

/* Defaults are evaluated inside, where the parameters before them are known. */
static void params_bind(Elab *e, const Module *module, const Val *values,
                        const Expr *const *args)
{
    Line line = {0}, *outer = e->line;
    e->line = &line;
    for (int i = 0; i < module->params.n; i++) {
        const Param *param = &module->params.at[i];
        Val value = args[i] ? values[i]
                    : param->fallback ? elab_value(e, param->fallback)
                                      : val_poison();
        scope_bind(e, param->name.text, value, NULL);
    }
    e->line = outer;
}

static Val module_result(Elab *e, const Expr *call, const Scope *scope)
{
    const Module *module = scope->module;
    if (scope->unsure || e->gave_up)
        return val_poison();
    if (scope->returned)
        return scope->result;
    if (!module->damaged) {
        Message *message = elab_error(e, call->span, "module '%s' returns nothing",
                                      module->name.text);
        elab_note(e, message, module->name.span, "it ends without 'return'");
    }
    return val_poison();
}

static Val module_run(Elab *e, const Expr *call, const Module *module,
                      const Val *values, const Expr *const *args)
{
    CallSite *site = NEW(e->arena, CallSite, 1);
    *site = (CallSite){module->name.text, call->span, e->scope->site};
    Scope scope = {.module = module, .site = site, .outer = e->scope,
                   .path = e->line->label ? e->line->label : e->scope->path,
                   .names = {.arena = e->arena}};
    e->scope = &scope;
    e->calls++;
    params_bind(e, module, values, args);
    elab_block(e, module->body);
    e->calls--;
    e->scope = scope.outer;
    return module_result(e, call, &scope);
}

Val elab_module_call(Elab *e, const Expr *call, const Module *module)
{
    Slots slots = module_slots(e, module);
    Val *values = NEW(e->arena, Val, slots.n);
    const Expr **args = NEW(e->arena, const Expr *, slots.n);
    args_bind(e, call, &slots, values, args);
    if (module->is_model) {
        elab_error(e, call->span, "'%s' is a model: only modules are called",
                   module->name.text);
        return val_poison();
    }
    enum { CALL_WORK = 5 }; /* a scope, its names, its arguments */
    if (recursion_report(e, call, module) || !elab_step(e, call->span, CALL_WORK))
        return val_poison();
    if (e->calls < LIMIT_CALLS)
        return module_run(e, call, module, values, args);
    elab_give_up(e, call->span, "modules call one another more than %d deep",
                 LIMIT_CALLS);
    return val_poison();
}

/* ---- what a name calls -------------------------------------------------- */

static Val function_eval(Elab *e, const Expr *call)
{
    Val *values = NEW(e->arena, Val, call->args.n);
    for (int i = 0; i < call->args.n; i++)
        values[i] = elab_value(e, call->args.at[i].value);
    for (int i = 0; i < call->args.n; i++) {
        const Arg *arg = &call->args.at[i];
        if (arg->name.text)
            elab_error(e, arg->name.span, "%s takes its arguments by place",
                       call->text);
        else if (values[i].kind == VAL_tensor)
            elab_error(e, arg->span, "%s is for compile-time values, not tensors%s",
                       call->text,
                       strcmp(call->text, "max") == 0   ? ": use maximum"
                       : strcmp(call->text, "min") == 0 ? ": use minimum"
                                                        : "");
        else
            continue;
        return val_poison();
    }
    return elab_function(e, call, values, call->args.n);
}

Val elab_call(Elab *e, const Expr *call)
{
    const Operator *op = operator_find(call->text);
    if (op) /* sqrt and its like hand numbers on to the function */
        return operator_call(e, call, op);
    if (function_exists(call->text))
        return function_eval(e, call);
    const Module *module = strmap_get(&e->modules, call->text);
    if (module)
        return elab_module_call(e, call, module);
    for (int i = 0; i < call->args.n; i++) /* check.c has named it unknown */
        elab_value(e, call->args.at[i].value);
    return val_poison();
}
