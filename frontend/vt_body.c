/* A scope as statements: one for each value that is read more than once or holds
 * weights, one for each scope inside; equal ones in a row as a loop. */
#include "frontend/vt_write.h"
#include <stdlib.h>
#include <string.h>

enum { NESTED = 3, PERIOD = 8 }; /* operators in one another; statements of a loop */

typedef struct Statement {
    const char *before; /* its parameters */
    const char *label, *text;
} Statement;

typedef VEC(Statement) Statements;

/* ---- variables ------------------------------------------------------------------- */

static const char *const pool[] = {"x", "y", "z", "a", "b", "c", "d", "e", "f", "g", "h", "k",
                                   "p", "q", "r", "s", "t", "u", "v"};

const char *vt_variable(VtBody *b)
{
    Arena *a = b->w->arena;
    for (size_t i = 0; i < sizeof pool / sizeof *pool; i++)
        if (!strmap_get(&b->taken, pool[i]))
            return *strmap_slot(&b->taken, pool[i]) = (void *)(uintptr_t)pool[i];
    for (int n = 1;; n++) {
        char *name = arena_printf(a, "x%d", n);
        if (!strmap_get(&b->taken, name))
            return *strmap_slot(&b->taken, name) = name;
    }
}

static void variable_free(VtBody *b, const char *name)
{
    *strmap_slot(&b->taken, name) = NULL;
}

/* What the model gives to the outside is called as there. */
static const char *variable_of_output(VtBody *b, const Value *v)
{
    const Graph *g = b->w->graph;
    for (int i = 0; i < g->outputs.n && b->scope == b->w->root; i++) {
        char *name = arena_strdup(b->w->arena, b->w->output[i]);
        if (g->outputs.at[i].value == v && !strmap_get(&b->taken, name))
            return *strmap_slot(&b->taken, name) = name;
    }
    return vt_variable(b);
}

/* ---- what stands in whose expression ------------------------------------------------ */

typedef struct Plan {
    int *weights, *depth; /* by value id: of the expression */
    int *last;            /* by value id: the last item that reads it */
} Plan;

static bool is_output(const VtScope *s, const Value *v)
{
    for (int i = 0; i < s->outputs.n; i++)
        if (s->outputs.at[i] == v)
            return true;
    return false;
}

static void inline_args(VtBody *b, Plan *p, const Value *v)
{
    p->weights[v->id] = vt_holds_weights(v);
    p->depth[v->id] = 1;
    for (int i = 0; i < v->nargs; i++) {
        const Value *a = v->args[i];
        if (op_info[a->op].class == CLASS_source || a->uses != 1 || is_output(b->scope, a) ||
            b->w->scope[a->id] != b->scope || p->depth[a->id] >= NESTED ||
            p->weights[v->id] + p->weights[a->id] > 1)
            continue;
        b->inlined[a->id] = true;
        p->weights[v->id] += p->weights[a->id];
        if (p->depth[a->id] >= p->depth[v->id])
            p->depth[v->id] = p->depth[a->id] + 1;
    }
}

/* Values that item i reads, through what is inlined in it. */
static void note_reads(VtBody *b, Plan *p, const Value *v, int i)
{
    for (int k = 0; k < v->nargs; k++)
        if (b->inlined[v->args[k]->id])
            note_reads(b, p, v->args[k], i);
        else
            p->last[v->args[k]->id] = i;
}

static Plan plan_of(VtBody *b)
{
    int n = b->w->graph->next_id;
    Plan p = {NEW(b->w->arena, int, n), NEW(b->w->arena, int, n), NEW(b->w->arena, int, n)};
    VtScope *s = b->scope;
    for (int i = 0; i < s->items.n; i++)
        if (s->items.at[i].value)
            inline_args(b, &p, s->items.at[i].value);
    for (int i = 0; i < s->items.n; i++) {
        const VtItem *item = &s->items.at[i];
        if (item->value && !b->inlined[item->value->id])
            note_reads(b, &p, item->value, i);
        for (int k = 0; item->child && k < item->child->inputs.n; k++)
            p.last[item->child->inputs.at[k]->id] = i;
    }
    for (int i = 0; i < s->outputs.n; i++)
        p.last[s->outputs.at[i]->id] = INT32_MAX;
    return p;
}

/* ---- statements ---------------------------------------------------------------------- */

const char *vt_relative(const VtScope *s, const char *label)
{
    size_t n = strlen(s->path);
    return n ? label + n + 1 : label;
}

/* Variables whose last reader is item i are free for its results. */
static void free_read(VtBody *b, const Plan *p, int i)
{
    FOR_VALUES(v, b->w->graph)
        if (b->variable[v->id] && p->last[v->id] == i && v->op != OP_input) {
            variable_free(b, b->variable[v->id]);
            b->variable[v->id] = NULL;
        }
}

static void value_statement(VtBody *b, const Plan *p, Value *v, int i, Statement *to)
{
    const char *label = NULL, *text;
    b->before = text_new(b->w->arena);
    b->parameters.n = 0;
    text = vt_expr(b, v, &label);
    if (*text == '(') /* the brackets around all of it */
        text = arena_strndup(b->w->arena, text + 1, strlen(text) - 2);
    free_read(b, p, i);
    for (int k = 0; k < b->parameters.n; k++)
        variable_free(b, b->parameters.at[k]);
    b->variable[v->id] = variable_of_output(b, v);
    to->before = text_str(&b->before);
    to->label = label ? vt_relative(b->scope, label) : NULL;
    to->text = arena_printf(b->w->arena, "%s = %s", b->variable[v->id], text);
}

static int64_t param_value(const VtModule *m, const VtScope *s, int k)
{
    for (int i = 0; i < m->instances.n; i++)
        if (m->instances.at[i] == s)
            return m->params.at[k].values[i];
    bug("vt_body: a scope that is no instance of its module");
}

static void call_statement(VtBody *b, const Plan *p, VtScope *child, int i, Statement *to)
{
    const VtModule *m = &b->w->modules.at[child->module];
    Text args = text_new(b->w->arena), out = text_new(b->w->arena);
    for (int k = 0; k < child->inputs.n; k++)
        text_printf(&args, "%s%s", k ? ", " : "", b->variable[child->inputs.at[k]->id]);
    for (int k = 0; k < m->params.n; k++) {
        text_printf(&args, ", %s = ", m->params.at[k].name);
        vt_number(&args, m->params.at[k].name, param_value(m, child, k));
    }
    free_read(b, p, i);
    for (int k = 0; k < child->outputs.n; k++) {
        b->variable[child->outputs.at[k]->id] = variable_of_output(b, child->outputs.at[k]);
        text_printf(&out, "%s%s", k ? ", " : "", b->variable[child->outputs.at[k]->id]);
    }
    text_printf(&out, " = %s(%s)", m->name, text_str(&args));
    *to = (Statement){"", vt_relative(b->scope, child->path), text_str(&out)};
}

/* ---- loops ------------------------------------------------------------------------------ */

/* Are two labels equal but for one part, a number one higher? Where that begins. */
static int counted_part(const char *a, const char *b, long *number)
{
    int at = 0;
    size_t n, m;
    while (*a && *b) {
        n = strcspn(a, "."), m = strcspn(b, ".");
        if (n != m || strncmp(a, b, n) != 0)
            break;
        a += n + (a[n] == '.'), b += m + (b[m] == '.'), at += (int)n + 1;
    }
    n = strcspn(a, "."), m = strcspn(b, ".");
    if (strspn(a, "0123456789") != n || strspn(b, "0123456789") != m || !n || !m || n > 8 ||
        strcmp(a + n, b + m) != 0)
        return -1;
    *number = strtol(a, NULL, 10);
    return strtol(b, NULL, 10) == *number + 1 ? at : -1;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Do k statements from `at` on repeat at at + k, their labels one number on? */
static bool repeats(const Statements *s, int at, int k, long number)
{
    bool counted = false;
    if (at + 2 * k > s->n)
        return false;
    for (int i = at; i < at + k; i++) {
        const Statement *a = &s->at[i], *b = &s->at[i + k];
        long found;
        if (!same_text(a->text, b->text) || *a->before || *b->before || !a->label != !b->label)
            return false;
        if (!a->label)
            continue;
        if (counted_part(a->label, b->label, &found) < 0 || found != number)
            return false;
        counted = true;
    }
    return counted;
}

static const char *label_counted(Arena *arena, const char *a, const char *b)
{
    long number;
    int at = counted_part(a, b, &number);
    const char *rest = a + at + strcspn(a + at, ".");
    return arena_printf(arena, "%.*s{i}%s", at, a, rest);
}

static void statement_add(Text *out, const Statement *s, const char *indent)
{
    for (const char *at = s->before; *at;) {
        size_t n = strcspn(at, "\n");
        text_printf(out, "%s%.*s\n", indent, (int)n, at);
        at += n + 1;
    }
    if (s->text)
        text_printf(out, "%s%s%s%s\n", indent, s->label ? s->label : "", s->label ? ": " : "",
                    s->text);
}

/* The loop that begins at statement `at`, if one does: how many statements it covers. */
static int loop_add(Arena *arena, const Statements *s, int at, Text *out)
{
    for (int k = 1; k <= PERIOD && at + 2 * k <= s->n; k++) {
        long first;
        int with = at, rounds = 1;
        while (with < at + k && !s->at[with].label)
            with++;
        if (with == at + k || !s->at[with + k].label ||
            counted_part(s->at[with].label, s->at[with + k].label, &first) < 0)
            continue;
        while (repeats(s, at + (rounds - 1) * k, k, first + rounds - 1))
            rounds++;
        if (rounds == 1)
            continue;
        text_printf(out, "    for i in %ld..", first);
        vt_number(out, "count", first + rounds);
        text_add(out, " {\n");
        for (int i = at; i < at + k; i++) {
            Statement line = s->at[i];
            if (line.label)
                line.label = label_counted(arena, line.label, s->at[i + k].label);
            statement_add(out, &line, "        ");
        }
        text_add(out, "    }\n");
        return rounds * k;
    }
    return 0;
}

static const char *statements_text(Arena *arena, const Statements *s)
{
    Text out = text_new(arena);
    for (int i = 0; i < s->n;) {
        int covered = loop_add(arena, s, i, &out);
        if (!covered)
            statement_add(&out, &s->at[i], "    ");
        i += covered ? covered : 1;
    }
    return text_str(&out);
}

const char *vt_labels_file(Arena *arena, const char *stem, const Output *output)
{
    return arena_printf(arena, "%s.%s.txt", stem, vt_word(arena, output->name));
}

/* ---- the body ----------------------------------------------------------------------------- */

static void inputs_name(VtBody *b)
{
    VtScope *s = b->scope;
    FOR_VALUES(v, b->w->graph)
        if (v->op == OP_input && s == b->w->root) {
            char *name = arena_strdup(b->w->arena, b->w->input[v->id]);
            b->variable[v->id] = *strmap_slot(&b->taken, name) = name;
        }
    for (int i = 0; i < s->inputs.n; i++)
        if (s != b->w->root)
            b->variable[s->inputs.at[i]->id] = vt_variable(b);
}

static void results_add(VtBody *b, Text *out)
{
    VtScope *s = b->scope;
    for (int i = 0; i < s->outputs.n && s != b->w->root; i++)
        text_printf(out, "%s%s", i ? ", " : "    return ", b->variable[s->outputs.at[i]->id]);
    const Graph *g = b->w->graph;
    for (int i = 0; i < g->outputs.n && s == b->w->root; i++) {
        const Output *o = &g->outputs.at[i];
        bool source = o->value->op == OP_weight || o->value->op == OP_constant;
        const char *name = b->w->output[i];
        b->before = text_new(b->w->arena);
        const char *variable = source ? vt_source(b, o->value) : b->variable[o->value->id];
        text_printf(out, "%s", i ? "\n" : "");
        statement_add(out, &(Statement){text_str(&b->before), NULL, NULL}, "    ");
        text_printf(out, "    output %s", name);
        if (strcmp(name, variable) != 0)
            text_printf(out, " = %s", variable);
        if (o->labels.n) {
            VEC_PUSH(b->w->arena, b->w->model->labelled, o);
            text_printf(out, " { labels \"%s\" }", vt_labels_file(b->w->arena, b->w->stem, o));
        }
    }
    text_add(out, "\n");
}

void vt_body(VtWriter *w, VtScope *s)
{
    VtBody b = {.w = w, .scope = s, .taken = {.arena = w->arena},
                .variable = NEW(w->arena, const char *, w->graph->next_id),
                .inlined = NEW(w->arena, bool, w->graph->next_id)};
    Statements statements = {0};
    Text out = text_new(w->arena);
    s->tensors.n = 0;
    inputs_name(&b);
    Plan p = plan_of(&b);
    for (int i = 0; i < s->items.n; i++) {
        Statement line = {0};
        const VtItem *item = &s->items.at[i];
        if (item->value && b.inlined[item->value->id])
            continue;
        if (item->child)
            call_statement(&b, &p, item->child, i, &line);
        else
            value_statement(&b, &p, item->value, i, &line);
        VEC_PUSH(w->arena, statements, line);
    }
    text_add(&out, statements_text(w->arena, &statements));
    results_add(&b, &out);
    s->text = text_str(&out);
}
