/* Labels for an imported graph: from weights' names as a state dict has them, else from
 * the names of nodes as exporters make them. */
#include "frontend/onnx.h"
#include "frontend/vt_write.h"
#include <ctype.h>
#include <string.h>

/* Those in front may begin a label; i is what loops count with. */
static const char *const reserved[] = {
    "output", "stage", "preprocess", "model", "module", "i", "import", "for", "in", "if", "else",
    "return", "and", "or", "not", "true", "false", "none"};
enum { RESERVED = sizeof reserved / sizeof *reserved, BEGIN_LABELS = 6 };

static const char *word_of(Arena *arena, const char *name, int first_reserved)
{
    char *word = arena_strdup(arena, name && *name ? name : "x");
    for (char *at = word; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '_')
            *at = '_';
    if (isdigit((unsigned char)*word))
        word = arena_printf(arena, "n%s", word);
    for (int i = first_reserved; i < RESERVED; i++)
        if (strcmp(word, reserved[i]) == 0)
            return arena_printf(arena, "%s_", word);
    return word;
}

const char *vt_word(Arena *arena, const char *name)
{
    return word_of(arena, name, 0);
}

static bool is_number(const char *text)
{
    size_t n = strspn(text, "0123456789");
    return n > 0 && n < 10 && text[n] == '\0' && (text[0] != '0' || n == 1);
}

/* "layer1.0.conv1": parts that are words or numbers. */
static const char *path_clean(Arena *arena, const char *name)
{
    Text out = text_new(arena);
    char *rest = arena_strdup(arena, name), *part;
    while ((part = strtok_r(rest, ".", &rest)) != NULL)
        text_printf(&out, "%s%s", out.n ? "." : "",
                    is_number(part) ? part : word_of(arena, part, BEGIN_LABELS));
    return text_str(&out);
}

/* "/layer1/layer1.0/conv1/Conv" is layer1.0.conv1: a scope repeats the list it is in. */
static const char *path_of_scopes(Arena *arena, const char *name)
{
    Text out = text_new(arena);
    char *rest = arena_strdup(arena, name), *part;
    const char *last = "";
    while ((part = strtok_r(rest, "/", &rest)) != NULL) {
        if (!*rest)
            break; /* the operator itself */
        size_t n = strlen(last);
        if (n && strncmp(part, last, n) == 0 && part[n] == '.')
            text_add(&out, part + n);
        else
            text_printf(&out, "%s%s", out.n ? "." : "", part);
        last = part;
    }
    return path_clean(arena, text_str(&out));
}

/* Names that say no more than the operator ("Conv_12", "add"), are numbers ("n7"), or an
 * exporter's own. */
static bool is_default_name(Arena *arena, const char *name)
{
    const char *bar = strrchr(name, '_');
    if (is_number(name) || is_number(name + 1))
        return true;
    if (strchr(name, ':'))
        return true;
    if (bar && is_number(bar + 1))
        name = arena_strndup(arena, name, (size_t)(bar - name));
    return op_find(name) >= 0 || onnx_is_operator(name);
}

/* Where a node's name puts it; "" nowhere. */
static const char *path_of_node(Arena *arena, const Value *v)
{
    if (!v->label || is_default_name(arena, v->label))
        return "";
    return *v->label == '/' ? path_of_scopes(arena, v->label) : path_clean(arena, v->label);
}

/* "conv1.weight" less its ending; NULL: no such name */
static const char *path_of_tensor(Arena *arena, const Value *t, const char *ending)
{
    const char *name = t->op == OP_weight ? t->attr.name : NULL;
    size_t n = name ? strlen(name) : 0, m = strlen(ending);
    if (n <= m || strcmp(name + n - m, ending) != 0 || strchr(name, ':') || strchr(name, '/'))
        return NULL;
    return path_clean(arena, arena_strndup(arena, name, n - m));
}

static bool is_f32_source(const Value *v)
{
    return v->type.dtype == DT_f32 && (v->op == OP_weight || v->op == OP_constant);
}

bool vt_holds_weights(const Value *v)
{
    bool holds = op_info[v->op].class == CLASS_conv ||
                 (op_info[v->op].class == CLASS_norm && v->nargs > 1);
    for (int i = 1; i < v->nargs && holds; i++)
        holds = is_f32_source(v->args[i]);
    return holds;
}

/* ---- labels of weights -------------------------------------------------------- */

static const char *unique(VtWriter *w, const char *wish)
{
    const char *name = wish;
    for (int n = 2; strmap_get(&w->tensors, name); n++)
        name = arena_printf(w->arena, "%s_%d", wish, n);
    *strmap_slot(&w->tensors, name) = w;
    return name;
}

/* What the file calls it; "" when that tells nothing. */
static const char *label_named(VtWriter *w, const Value *v)
{
    bool own = v->args[1]->uses == 1; /* equal tensors are one in files of some exporters */
    const char *path = own ? path_of_tensor(w->arena, v->args[1], ".weight") : NULL;
    if (!path && v->nargs > 2 && v->args[2]->uses == 1)
        path = path_of_tensor(w->arena, v->args[2], ".bias");
    return path ? path : path_of_node(w->arena, v);
}

static const char *label_wish(VtWriter *w, const Value *v)
{
    const char *path = label_named(w, v), *op = op_info[v->op].name;
    if (*path)
        return path;
    return w->block[v->id] ? arena_printf(w->arena, "%s.%s", w->block[v->id], op) : op;
}

/* Have the layers no names? */
static bool is_nameless(VtWriter *w)
{
    int layers = 0, named = 0;
    FOR_VALUES(v, w->graph)
        if (vt_holds_weights(v)) {
            layers++;
            named += *label_named(w, v) != '\0';
        }
    return layers > 2 && named * 4 < layers;
}

/* ---- scopes ---------------------------------------------------------------------- */

static VtScope *scope_of_path(VtWriter *w, const char *path)
{
    VtScope *s = strmap_get(&w->scopes, path);
    if (s)
        return s;
    const char *dot = strrchr(path, '.');
    s = NEW(w->arena, VtScope, 1);
    s->path = path;
    s->module = -1;
    *strmap_slot(&w->scopes, path) = s;
    if (*path) {
        const char *outer = dot ? arena_strndup(w->arena, path, (size_t)(dot - path)) : "";
        s->parent = scope_of_path(w, outer);
        VEC_PUSH(w->arena, s->parent->children, s);
    }
    VEC_PUSH(w->arena, w->all, s);
    return s;
}

static const char *path_parent(Arena *arena, const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? arena_strndup(arena, path, (size_t)(dot - path)) : "";
}

/* "layer1.0_3" is the fourth of what has the name layer1.0: that scope, or NULL. */
static VtScope *scope_uncounted(const VtWriter *w, const char *name)
{
    const char *bar = strrchr(name, '_');
    if (!bar || !is_number(bar + 1))
        return NULL;
    name = arena_strndup(w->arena, name, (size_t)(bar - name));
    return strmap_get(&w->scopes, path_clean(w->arena, name));
}

/* The innermost scope that a path is or lies in; scopes are those that hold weights. */
static VtScope *scope_around(VtWriter *w, const Value *v, const char *path)
{
    VtScope *s = strmap_get(&w->scopes, path);
    if (!s && v->label && *v->label != '/')
        s = scope_uncounted(w, v->label);
    while (!s && *path) {
        path = path_parent(w->arena, path);
        s = strmap_get(&w->scopes, path);
    }
    return s ? s : w->root;
}

/* A value without a name stands where the last of its arguments was made. */
static VtScope *scope_of_args(const VtWriter *w, const Value *v)
{
    VtScope *s = w->root;
    int latest = -1;
    for (int i = 0; i < v->nargs; i++)
        if (op_info[v->args[i]->op].class != CLASS_source && v->args[i]->mark > latest) {
            latest = v->args[i]->mark;
            s = w->scope[v->args[i]->id];
        }
    return s;
}

/* What moves, reduces or pools at the end of a scope leads to what follows. */
static bool is_passage(const Value *v)
{
    switch (op_info[v->op].class) {
    case CLASS_pool: case CLASS_reduce: case CLASS_view: case CLASS_move: return true;
    case CLASS_source: case CLASS_conv: case CLASS_product: case CLASS_attention:
    case CLASS_norm: case CLASS_unary: case CLASS_binary: case CLASS_compare:
    case CLASS_select: case CLASS_softmax: case CLASS_dot: return false;
    }
    return false;
}

static bool is_read_inside(const VtWriter *w, const VtScope *s, const Value *v)
{
    for (const Value *u = v->next; u; u = u->next)
        for (int i = 0; i < u->nargs; i++)
            if (u->args[i] == v && vt_inside(w, s, u))
                return true;
    return false;
}

/* A guess by arguments puts a passage into the scope before: it is taken out again. */
static void passages_move(VtWriter *w, const bool *guessed)
{
    for (Value *v = w->graph->last; v; v = v->prev)
        while (guessed[v->id] && is_passage(v) && w->scope[v->id]->parent &&
               !is_read_inside(w, w->scope[v->id], v))
            w->scope[v->id] = w->scope[v->id]->parent;
}

void vt_labels(VtWriter *w)
{
    bool *guessed = NEW(w->arena, bool, w->graph->next_id);
    int position = 0;
    w->root = scope_of_path(w, "");
    FOR_VALUES(v, w->graph)
        v->mark = position++;
    w->nameless = is_nameless(w);
    if (w->nameless)
        vt_blocks(w);
    FOR_VALUES(v, w->graph) {
        if (!vt_holds_weights(v))
            continue;
        w->label[v->id] = unique(w, label_wish(w, v));
        w->scope[v->id] = scope_of_path(w, path_parent(w->arena, w->label[v->id]));
    }
    FOR_VALUES(v, w->graph) {
        if (op_info[v->op].class == CLASS_source || w->scope[v->id])
            continue;
        const char *path = w->block[v->id] ? w->block[v->id] : path_of_node(w->arena, v);
        guessed[v->id] = !*path;
        w->scope[v->id] = *path        ? scope_around(w, v, path)
                          : w->nameless ? w->root
                                        : scope_of_args(w, v);
    }
    passages_move(w, guessed);
}
