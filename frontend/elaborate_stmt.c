/* Statements: names get values, blocks run or are skipped, stages open. A name
 * lives from its first value to the end of its module; blocks make no scope. */
#include "frontend/elaborate.h"
#include <string.h>

/* ---- names ------------------------------------------------------------- */

Binding *scope_bind(Elab *e, const char *name, Val value, Target *target)
{
    void **slot = strmap_slot(&e->scope->names, name);
    Binding *binding = NEW(e->arena, Binding, 1);
    *binding = (Binding){value, target};
    *slot = binding;
    if (target)
        target->bound = true;
    return binding;
}

void block_mark_used(Elab *e, const Block *block)
{
    const StrMap *names = block_names(e->arena, block);
    elab_step(e, block->span, names->cap);
    for (int i = 0; i < names->cap; i++) {
        const char *name = names->at[i].key;
        Binding *binding = name ? strmap_get(&e->scope->names, name) : NULL;
        if (binding && binding->target)
            binding->target->used = true;
    }
}

/* ---- blocks an error skips --------------------------------------------- */

static void block_poison(Elab *e, const Block *block);

static void targets_poison(Elab *e, const TargetList *targets)
{
    for (int i = 0; i < targets->n; i++) {
        scope_bind(e, targets->at[i]->name.text, val_poison(), targets->at[i]);
        targets->at[i]->used = true;
    }
}

static void stmt_poison(Elab *e, const Stmt *stmt)
{
    targets_poison(e, &stmt->targets);
    if (stmt->kind == STMT_return)
        e->scope->unsure = true;
    for (int i = 0; i < stmt->arms.n; i++)
        block_poison(e, stmt->arms.at[i].body);
    if (stmt->body)
        block_poison(e, stmt->body);
}

/* What would be assigned in here has no known value from now on. */
static void block_poison(Elab *e, const Block *block)
{
    if (!elab_step(e, block->span, 1 + block->stmts.n))
        return;
    block_mark_used(e, block);
    for (int i = 0; i < block->stmts.n; i++)
        stmt_poison(e, block->stmts.at[i]);
}

/* ---- assignment -------------------------------------------------------- */

static void target_assign(Elab *e, Target *target, Val value)
{
    if (value.kind == VAL_poison)
        target->used = true;
    scope_bind(e, target->name.text, value, target);
}

static void results_assign(Elab *e, const Stmt *stmt, Val value)
{
    int n = stmt->targets.n;
    bool several = value.kind == VAL_results;
    int given = several ? value.n : 1;
    bool fits = value.kind == VAL_poison || given == n;
    if (!fits)
        elab_error(e, stmt->value->span, "%d %s for %d %s", given,
                   given == 1 ? "result" : "results", n, n == 1 ? "name" : "names");
    for (int i = 0; i < n; i++) {
        Val item = !fits ? val_poison() : several ? value.items[i] : value;
        target_assign(e, stmt->targets.at[i], item);
    }
}

static void label_remember(Elab *e, const Stmt *stmt)
{
    const Binding *binding =
        strmap_get(&e->scope->names, stmt->targets.at[0]->name.text);
    if (!e->line->label || !binding || binding->value.kind != VAL_tensor)
        return;
    Labelled *labelled = NEW(e->arena, Labelled, 1);
    *labelled = (Labelled){stmt->label.span, binding->value.tensor};
    *strmap_slot(&e->labels, e->line->label) = labelled;
}

static int stage_index(Elab *e, const char *name)
{
    void **slot = strmap_slot(&e->stages, name);
    Stage *stage = *slot;
    if (!stage) {
        *slot = stage = NEW(e->arena, Stage, 1);
        stage->index = e->graph->stages.n;
        VEC_PUSH(e->arena, e->graph->stages, name);
    }
    return stage->index;
}

/* The full path of a label in this scope; NULL after an error. */
static const char *label_path(Elab *e, const Label *label)
{
    const char *text = elab_label(e, label);
    if (!text || !e->scope->path)
        return text;
    if (strlen(text) + strlen(e->scope->path) > LIMIT_LABEL) {
        elab_error(e, label->span, "this label path is longer than %d bytes",
                   LIMIT_LABEL);
        return NULL;
    }
    return arena_printf(e->arena, "%s.%s", e->scope->path, text);
}

static void assign_run(Elab *e, const Stmt *stmt)
{
    Line line = {.label_span = stmt->label.span};
    Line *outer = e->line;
    int stage = e->stage;
    bool lost = false;
    e->line = &line;
    if (stmt->label.parts.n) {
        line.label = label_path(e, &stmt->label);
        lost = !line.label;
        if (!lost && e->scope->module->is_model && !e->in_stage)
            e->stage = stage_index(e, line.label);
    }
    if (lost) { /* without its label the weights would be misnamed */
        targets_poison(e, &stmt->targets);
    } else {
        results_assign(e, stmt, elab_expr(e, stmt->value));
        label_remember(e, stmt);
    }
    e->line = outer;
    e->stage = stage;
}

/* ---- for --------------------------------------------------------------- */

/* What a loop runs over: a list, or first..last. */
typedef struct Range {
    bool ok;
    const Val *items; /* NULL: integers from first */
    int64_t first, count;
} Range;

static bool bound_read(Elab *e, const Expr *expr, int64_t *bound)
{
    Val v = elab_value(e, expr);
    if (v.kind == VAL_int)
        *bound = v.integer;
    else if (v.kind != VAL_poison)
        elab_error(e, expr->span, "the bounds of a loop are integers, not %s",
                   val_describe(e, v));
    return v.kind == VAL_int;
}

static Range range_read(Elab *e, const Stmt *stmt)
{
    Range range = {0};
    if (stmt->last) {
        int64_t last = 0;
        bool first_ok = bound_read(e, stmt->value, &range.first);
        range.ok = bound_read(e, stmt->last, &last) && first_ok;
        if (range.ok && last > range.first &&
            __builtin_sub_overflow(last, range.first, &range.count))
            range.count = INT64_MAX;
        return range;
    }
    Val v = elab_value(e, stmt->value);
    range.ok = v.kind == VAL_list;
    if (range.ok) {
        range.items = v.items;
        range.count = v.n;
    } else if (v.kind != VAL_poison) {
        elab_error(e, stmt->value->span,
                   "a loop runs over a range (0..n) or a list, not %s",
                   val_describe(e, v));
    }
    return range;
}

static bool iterations_count(Elab *e, const Stmt *stmt, int64_t count)
{
    bool fits = count <= LIMIT_ITERATIONS - e->iterations;
    if (fits)
        e->iterations += count;
    else
        elab_error(e, stmt->span, "loops run more than %d times in all",
                   LIMIT_ITERATIONS);
    return fits;
}

static void for_run(Elab *e, const Stmt *stmt)
{
    Range range = range_read(e, stmt);
    bool runs = range.ok && iterations_count(e, stmt, range.count);
    Target *variable = stmt->targets.at[0];
    void *shadowed = strmap_get(&e->scope->names, variable->name.text);
    variable->used = true;
    if (!runs || !range.count)
        scope_bind(e, variable->name.text, val_poison(), variable);
    if (!runs)
        block_poison(e, stmt->body);
    else if (!range.count)
        block_mark_used(e, stmt->body);
    for (int64_t i = 0; runs && i < range.count && !e->scope->returned && !e->gave_up; i++) {
        Val v = range.items ? range.items[i] : val_int(range.first + i);
        scope_bind(e, variable->name.text, v, variable);
        elab_block(e, stmt->body);
    }
    *strmap_slot(&e->scope->names, variable->name.text) = shadowed;
}

/* ---- if, stage, return ------------------------------------------------- */

/* 1 true, 0 false, -1 not known after an error. */
static int condition_read(Elab *e, const Expr *expr)
{
    if (!expr)
        return 1;
    Val v = elab_value(e, expr);
    if (v.kind == VAL_bool)
        return v.truth;
    if (v.kind == VAL_tensor)
        elab_error(e, expr->span,
                   "a condition is decided when the network is compiled and "
                   "cannot be a tensor: use select(c, a, b)");
    else if (v.kind != VAL_poison)
        elab_error(e, expr->span, "a condition is true or false, not %s",
                   val_describe(e, v));
    return -1;
}

static void if_run(Elab *e, const Stmt *stmt)
{
    int taken = 0;
    for (int i = 0; i < stmt->arms.n; i++) {
        const Arm *arm = &stmt->arms.at[i];
        if (taken == 0)
            taken = condition_read(e, arm->condition);
        else if (taken == 1)
            taken = 2; /* an arm before was run */
        if (taken == 1)
            elab_block(e, arm->body);
        else if (taken < 0)
            block_poison(e, arm->body);
        else
            block_mark_used(e, arm->body);
    }
}

static void stage_run(Elab *e, const Stmt *stmt)
{
    const char *name = elab_label(e, &stmt->label);
    int outer = e->stage;
    bool was_in = e->in_stage;
    if (name)
        e->stage = stage_index(e, name);
    e->in_stage = true;
    elab_block(e, stmt->body);
    e->in_stage = was_in;
    e->stage = outer;
}

static void return_run(Elab *e, const Stmt *stmt)
{
    int n = stmt->results.n;
    Val *items = NEW(e->arena, Val, n);
    for (int i = 0; i < n; i++)
        items[i] = elab_value(e, stmt->results.at[i]);
    e->scope->result =
        n == 1 ? items[0] : (Val){.kind = VAL_results, .n = n, .items = items};
    e->scope->returned = true;
}

static void stmt_run(Elab *e, const Stmt *stmt)
{
    switch (stmt->kind) {
    case STMT_assign:
        assign_run(e, stmt);
        return;
    case STMT_for:
        for_run(e, stmt);
        return;
    case STMT_if:
        if_run(e, stmt);
        return;
    case STMT_stage:
        stage_run(e, stmt);
        return;
    case STMT_return:
        return_run(e, stmt);
        return;
    case STMT_preprocess:
        preprocess_run(e, stmt);
        return;
    case STMT_output:
        output_run(e, stmt);
        return;
    case STMT_doc:
        return;
    }
}

/* Conditions, bounds and results stand outside any labelled statement. */
void elab_block(Elab *e, const Block *block)
{
    Line line = {0}, *outer = e->line;
    if (!elab_enter(e, block->span))
        return;
    for (int i = 0; i < block->stmts.n && !e->gave_up; i++) {
        e->line = &line;
        stmt_run(e, block->stmts.at[i]);
        if (e->scope->returned && i + 1 < block->stmts.n) {
            block_mark_used(e, block);
            break;
        }
    }
    e->line = outer;
    elab_leave(e);
}
