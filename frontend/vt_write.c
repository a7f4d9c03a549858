/* Scopes that are equal but for numbers as one module, the model around them, and the
 * tensors under their labels. */
#include "frontend/vt_write.h"
#include "frontend/operators.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 96, LARGE = 6 }; /* letters; items of a module that is used once */

/* ---- marked numbers (see Note [Numbers that may become parameters]) ---------------- */

typedef struct Mark {
    const char *name; /* not terminated: n letters */
    int n;
    int64_t value;
} Mark;

/* The text behind the mark at `at`. */
static const char *mark_read(const char *at, Mark *mark)
{
    const char *colon = strchr(at, ':');
    char *end;
    mark->name = at + 1;
    mark->n = (int)(colon - at) - 1;
    mark->value = strtoll(colon + 1, &end, 10);
    return end + 1;
}

/* The text without its values: equal texts are one module. */
static const char *key_of(Arena *arena, const char *text)
{
    Text out = text_new(arena);
    Mark mark;
    while (*text)
        if (*text == '\2') {
            text = mark_read(text, &mark);
            text_printf(&out, "\2%.*s\3", mark.n, mark.name);
        } else {
            size_t n = strcspn(text, "\2");
            text_addn(&out, text, n);
            text += n;
        }
    return text_str(&out);
}

typedef VEC(Mark) Marks;

static Marks marks_of(Arena *arena, const char *text)
{
    Marks marks = {0};
    Mark mark;
    while ((text = strchr(text, '\2')) != NULL) {
        text = mark_read(text, &mark);
        VEC_PUSH(arena, marks, mark);
    }
    return marks;
}

/* ---- parameters --------------------------------------------------------------------- */

/* values[i] = factor * param's for every instance: the factor; 0: it is not so */
static int64_t multiple_of(const VtParam *p, const int64_t *values, int n)
{
    int64_t factor = 0;
    for (int i = 0; i < n; i++) {
        if (p->values[i] < 1 || values[i] % p->values[i])
            return 0;
        int64_t f = values[i] / p->values[i];
        if (i > 0 && f != factor)
            return 0;
        factor = f;
    }
    return factor;
}

static const char *param_name(VtWriter *w, const VtModule *m, const Mark *mark)
{
    const char *wish = arena_strndup(w->arena, mark->name, (size_t)mark->n), *name = wish;
    for (int n = 2, i = 0; i < m->params.n; i++)
        if (strcmp(m->params.at[i].name, name) == 0) {
            name = arena_printf(w->arena, "%s%d", wish, n++);
            i = -1;
        }
    return name;
}

/* A number of a module: itself, a parameter, or a multiple of one. */
static void number_write(VtWriter *w, VtModule *m, const Mark *mark, const int64_t *values,
                         Text *out)
{
    int n = m->instances.n;
    bool same = true;
    for (int i = 1; i < n; i++)
        same = same && values[i] == values[0];
    if (same) {
        text_printf(out, "%lld", (long long)values[0]);
        return;
    }
    for (int i = 0; i < m->params.n; i++) {
        int64_t factor = multiple_of(&m->params.at[i], values, n);
        if (factor == 1)
            text_add(out, m->params.at[i].name);
        else if (factor > 1)
            text_printf(out, "%lld * %s", (long long)factor, m->params.at[i].name);
        if (factor)
            return;
    }
    VtParam p = {param_name(w, m, mark), values};
    VEC_PUSH(w->arena, m->params, p);
    text_add(out, p.name);
}

/* The text of all instances, with parameters where they differ. */
static void module_write(VtWriter *w, VtModule *m)
{
    const char *text = m->instances.at[0]->text;
    Marks *marks = NEW(w->arena, Marks, m->instances.n);
    Text out = text_new(w->arena);
    Mark mark;
    for (int i = 0; i < m->instances.n; i++)
        marks[i] = marks_of(w->arena, m->instances.at[i]->text);
    for (int k = 0; *text;) {
        if (*text != '\2') {
            size_t n = strcspn(text, "\2");
            text_addn(&out, text, n);
            text += n;
            continue;
        }
        int64_t *values = NEW(w->arena, int64_t, m->instances.n);
        for (int i = 0; i < m->instances.n; i++)
            values[i] = marks[i].at[k].value;
        text = mark_read(text, &mark);
        number_write(w, m, &mark, values, &out);
        k++;
    }
    m->text = text_str(&out);
}

/* ---- modules -------------------------------------------------------------------------- */

static bool is_digits(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* "layer1.0" is a layer_block, "layer1" a layer: what instances have in common. */
static const char *module_name(VtWriter *w, const VtScope *s)
{
    const char *dot = strrchr(s->path, '.'), *last = dot ? dot + 1 : s->path;
    const char *end = "_module";
    if (is_digits(last)) {
        const char *outer = dot ? arena_strndup(w->arena, s->path, (size_t)(dot - s->path)) : "m";
        dot = strrchr(outer, '.');
        last = dot ? dot + 1 : outer;
        end = strcmp(last, "block") == 0 ? "" : "_block";
    }
    char *base = arena_strdup(w->arena, is_digits(last) ? "inner" : last);
    size_t n = strlen(base);
    while (n > 1 && (isdigit((unsigned char)base[n - 1]) || base[n - 1] == '_'))
        base[--n] = '\0';
    const char *wish = arena_printf(w->arena, "%s%s", base, end), *name = wish;
    for (int i = 2; strmap_get(&w->names, name) || operator_find(name); i++)
        name = arena_printf(w->arena, "%s_%d", wish, i);
    *strmap_slot(&w->names, name) = w;
    return name;
}

static void module_join(VtWriter *w, VtScope *s)
{
    const char *key = key_of(w->arena, s->text);
    for (int i = 0; i < w->modules.n; i++)
        if (strcmp(w->modules.at[i].key, key) == 0) {
            s->module = i;
            VEC_PUSH(w->arena, w->modules.at[i].instances, s);
            return;
        }
    VtModule m = {.key = key};
    VEC_PUSH(w->arena, m.instances, s);
    s->module = w->modules.n;
    VEC_PUSH(w->arena, w->modules, m);
}

/* Scopes of one height; what is small and stands once is written where it stands. */
static void level_write(VtWriter *w, int height)
{
    int first = w->modules.n;
    for (int i = 0; i < w->all.n; i++) {
        VtScope *s = w->all.at[i];
        if (s == w->root || s->dissolved || s->height != height)
            continue;
        vt_ports(w, s);
        vt_body(w, s);
        module_join(w, s);
    }
    for (int i = first; i < w->modules.n; i++) {
        VtModule *m = &w->modules.at[i];
        const VtScope *one = m->instances.at[0];
        bool list = w->nameless && one->parent == w->root; /* of the blocks */
        if (m->instances.n == 1 && (one->items.n < LARGE || list)) {
            vt_dissolve(w, m->instances.at[0]);
            continue;
        }
        m->name = module_name(w, m->instances.at[0]);
        module_write(w, m);
    }
}

/* ---- the text --------------------------------------------------------------------------- */

/* Does an argument with a name begin here? */
static bool is_named(const char *at)
{
    size_t n = strcspn(at, " ,([");
    return n > 0 && strncmp(at + n, " = ", 3) == 0;
}

/* Behind which comma a line is best broken: the last one in the outer brackets, else
 * before a named argument, else any in brackets; 0: none. */
static size_t line_cut(const char *line, int depth)
{
    size_t cut[3] = {0};
    for (size_t i = 0; i < LINE; i++) {
        depth += (line[i] == '(' || line[i] == '[') - (line[i] == ')' || line[i] == ']');
        if (line[i] != ',' || line[i + 1] != ' ' || depth < 1)
            continue;
        cut[2] = i + 1;
        if (is_named(line + i + 2))
            cut[1] = i + 1;
        if (depth == 1)
            cut[0] = i + 1;
    }
    return cut[0] > LINE / 2 ? cut[0] : cut[1] > LINE / 2 ? cut[1] : cut[2];
}

/* `depth`: brackets that are open where the line begins. */
static void line_add(Text *out, const char *line, size_t n, int depth)
{
    size_t indent = strspn(line, " ") + (depth ? 0 : 8), cut = n > LINE ? line_cut(line, depth) : 0;
    text_addn(out, line, cut ? cut : n);
    text_add(out, "\n");
    if (!cut)
        return;
    Text rest = text_new(out->arena);
    for (size_t i = 0; i < cut; i++)
        depth += (line[i] == '(' || line[i] == '[') - (line[i] == ')' || line[i] == ']');
    text_printf(&rest, "%*s%.*s", (int)indent, "", (int)(n - cut - 1), line + cut + 1);
    line_add(out, text_str(&rest), rest.n, depth);
}

static void lines_add(Text *out, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        line_add(out, text, n, 0);
        text += n + (text[n] == '\n');
    }
}

static void module_add(VtWriter *w, const VtModule *m, Text *out)
{
    const VtScope *s = m->instances.at[0];
    static const char *const ports[] = {"x", "y", "z", "a", "b", "c", "d", "e", "f", "g", "h"};
    Text head = text_new(w->arena);
    text_add(out, "// ");
    for (int i = 0; i < m->instances.n && i < 4; i++)
        text_printf(out, "%s%s", i ? ", " : "", m->instances.at[i]->path);
    if (m->instances.n > 4)
        text_printf(out, " and %d more", m->instances.n - 4);
    text_printf(&head, "\nmodule %s(", m->name);
    for (int i = 0; i < s->inputs.n; i++)
        text_printf(&head, "%s%s", i ? ", " : "",
                    i < 11 ? ports[i] : arena_printf(w->arena, "x%d", i));
    for (int i = 0; i < m->params.n; i++)
        text_printf(&head, ", %s", m->params.at[i].name);
    text_add(&head, ") {\n");
    lines_add(out, text_str(&head));
    lines_add(out, m->text);
    text_add(out, "}\n\n");
}

/* The model's numbers are its own. */
static const char *unmarked(Arena *arena, const char *text)
{
    Text out = text_new(arena);
    Mark mark;
    while (*text)
        if (*text == '\2') {
            text = mark_read(text, &mark);
            text_printf(&out, "%lld", (long long)mark.value);
        } else {
            text_addn(&out, text++, 1);
        }
    return text_str(&out);
}

/* "resize .." and so on, by lines of what is said together. */
static void preprocess_add(VtWriter *w, Text *out)
{
    for (int i = 0; i < w->graph->preprocess.n; i++) {
        const Preprocess *p = &w->graph->preprocess.at[i];
        Text text = text_new(w->arena);
        preprocess_text(p, &text);
        char *mean = strstr(arena_strdup(w->arena, text_str(&text)), "; mean");
        text_printf(out, "    preprocess %s { %.*s\n                       %s }\n",
                    w->input[p->input->id],
                    (int)(text.n - strlen(mean)), text_str(&text), mean + 2);
    }
}

static const char *model_text(VtWriter *w, const char *name, const char *comment)
{
    Text out = text_new(w->arena), head = text_new(w->arena);
    bool first = true;
    text_printf(&out, "// %s\n\n", comment);
    for (int i = 0; i < w->modules.n; i++)
        if (w->modules.at[i].name)
            module_add(w, &w->modules.at[i], &out);
    text_printf(&head, "model %s(", vt_word(w->arena, name));
    FOR_VALUES(v, w->graph)
        if (v->op == OP_input) {
            text_printf(&head, "%s%s: ", first ? "" : ", ", w->input[v->id]);
            text_type(&head, &v->type);
            first = false;
        }
    text_add(&head, ") {\n");
    lines_add(&out, text_str(&head));
    preprocess_add(w, &out);
    lines_add(&out, unmarked(w->arena, w->root->text));
    text_add(&out, "}\n");
    return text_str(&out);
}

/* ---- tensors --------------------------------------------------------------------------- */

static void tensor_add(VtWriter *w, const char *label, const char *ending, const Value *v)
{
    Tensor data = {v->type, NULL};
    if (v->data)
        data = *v->data;
    for (int64_t i = 0, n = shape_count(&v->type.shape); !v->data && i < n; i++) {
        data = i ? data : *tensor_new(w->arena, v->type);
        tensor_set(&data, i, v->attr.value);
    }
    VEC_PUSH(w->arena, w->model->tensors,
             ((NamedTensor){arena_printf(w->arena, "%s.%s", label, ending), data, NULL}));
}

/* The language's norms have a shift where they have a factor: then it is 0. */
static void shift_add(VtWriter *w, const char *label, const Value *v)
{
    Tensor *zeros = tensor_new(w->arena, v->args[1]->type);
    VEC_PUSH(w->arena, w->model->tensors,
             ((NamedTensor){arena_printf(w->arena, "%s.bias", label), *zeros, NULL}));
}

static void tensors_add(VtWriter *w)
{
    static const char *const endings[] = {"weight", "bias", "running_mean", "running_var"};
    FOR_VALUES(v, w->graph) {
        if (!w->label[v->id])
            continue;
        for (int i = 1; i < v->nargs; i++)
            tensor_add(w, w->label[v->id], endings[i - 1], v->args[i]);
        if (v->nargs == 2 && op_info[v->op].class == CLASS_norm)
            shift_add(w, w->label[v->id], v);
    }
    for (int i = 0; i < w->all.n; i++) {
        const VtScope *s = w->all.at[i];
        for (int k = 0; k < s->tensors.n && !s->dissolved; k++)
            VEC_PUSH(w->arena, w->model->tensors, s->tensors.at[k]);
    }
}

/* Names of the file that differ may be the same as words of the language. */
static const char *port_name(VtWriter *w, StrMap *taken, const char *name)
{
    const char *wish = vt_word(w->arena, name), *word = wish;
    for (int n = 2; strmap_get(taken, word); n++)
        word = arena_printf(w->arena, "%s_%d", wish, n);
    *strmap_slot(taken, word) = w;
    return word;
}

static void ports_name(VtWriter *w)
{
    StrMap inputs = {.arena = w->arena}, outputs = {.arena = w->arena};
    w->input = NEW(w->arena, const char *, w->graph->next_id);
    w->output = NEW(w->arena, const char *, w->graph->outputs.n + 1);
    FOR_VALUES(v, w->graph)
        if (v->op == OP_input)
            w->input[v->id] = port_name(w, &inputs, v->attr.name);
    for (int i = 0; i < w->graph->outputs.n; i++)
        w->output[i] = port_name(w, &outputs, w->graph->outputs.at[i].name);
}

VtModel *vt_write(Graph *graph, Diag *diag, const char *name, const char *stem,
                  const char *comment)
{
    Arena *a = graph->arena;
    int raised = diag->raised;
    VtWriter w = {.arena = a, .graph = graph, .diag = diag, .scopes = {.arena = a},
                  .names = {.arena = a}, .tensors = {.arena = a}};
    w.label = NEW(a, const char *, graph->next_id);
    w.scope = NEW(a, VtScope *, graph->next_id);
    w.block = NEW(a, const char *, graph->next_id);
    w.model = NEW(a, VtModel, 1);
    w.stem = stem;
    ports_name(&w);
    graph_count_uses(graph);
    vt_labels(&w);
    vt_scopes(&w);
    for (int h = 0; h < w.root->height; h++)
        level_write(&w, h);
    vt_ports(&w, w.root);
    vt_body(&w, w.root);
    w.model->text = model_text(&w, name, comment);
    tensors_add(&w);
    return diag->raised == raised ? w.model : NULL;
}
