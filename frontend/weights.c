/* Binding weights to a graph: by name, perhaps behind a prefix that all names of the
 * file have ("module." of DataParallel, "backbone." of a detector). */
#include "frontend/weights.h"
#include <string.h>

enum { NEAREST_TRIES = 200000, WARNED_TENSORS = 20 };

typedef struct Binding {
    Graph *graph;
    Diag *diag;
    const TensorFile *file;
    StrMap wanted;      /* names of weights -> any */
    size_t longest;     /* of those names */
    const char *prefix; /* of the file's names, with its dot, or "" */
    const char **given; /* by tensor of the file: the weight it became */
    int weights, prefixed;
    int tries; /* at names that are near: help must not cost time */
} Binding;

static void wanted_collect(Binding *b)
{
    b->wanted.arena = b->graph->arena;
    FOR_VALUES(v, b->graph)
    {
        if (v->op != OP_weight)
            continue;
        size_t n = strlen(v->attr.name);
        *strmap_slot(&b->wanted, v->attr.name) = v;
        b->longest = n > b->longest ? n : b->longest;
        b->weights++;
    }
}

/* ---- the prefix --------------------------------------------------------------- */

typedef struct Prefix {
    const char *text;
    int votes;
} Prefix;

static void vote(Binding *b, StrMap *votes, Prefix *best, bool *is_tie, const char *text)
{
    void **slot = strmap_slot(votes, text);
    if (!*slot) {
        Prefix *made = NEW(b->graph->arena, Prefix, 1);
        made->text = text;
        *slot = made;
    }
    Prefix *p = *slot;
    p->votes++;
    *is_tie = p->votes == best->votes ? strcmp(p->text, best->text) != 0
                                      : *is_tie && p->votes < best->votes;
    if (p->votes > best->votes)
        *best = *p;
}

/* The prefix under which the file has most of the weights; names as they are win. */
static bool prefix_find(Binding *b)
{
    Arena *arena = b->graph->arena;
    StrMap votes = {.arena = arena};
    Prefix best = {"", 0};
    bool is_tie = false;
    int exact = 0;
    b->prefix = "";
    for (int i = 0; i < b->file->tensors.n; i++) {
        const char *name = b->file->tensors.at[i].name, *end = name + strlen(name);
        exact += strmap_get(&b->wanted, name) != NULL;
        for (const char *dot = end; dot > name && (size_t)(end - dot) <= b->longest; dot--)
            if (dot[-1] == '.' && strmap_get(&b->wanted, dot))
                vote(b, &votes, &best, &is_tie, arena_strndup(arena, name, (size_t)(dot - name)));
    }
    if (exact >= best.votes)
        return true;
    if (is_tie)
        diag_error(b->diag, (Span){0}, "'%s' has the weights under several prefixes, '%s' among "
                                       "them, %d each: save those of one",
                   b->file->path, best.text, best.votes);
    b->prefix = best.text;
    return !is_tie;
}

static const NamedTensor *tensor_of(Binding *b, const char *name)
{
    const NamedTensor *t = NULL;
    if (*b->prefix)
        t = tensor_file_find(b->file, arena_printf(b->graph->arena, "%s%s", b->prefix, name));
    b->prefixed += t != NULL;
    return t ? t : tensor_file_find(b->file, name);
}

/* ---- one weight ------------------------------------------------------------------ */

/* The same name behind a prefix that the other does not have. */
static bool is_longer_by_prefix(const char *longer, const char *name)
{
    size_t n = strlen(longer), m = strlen(name);
    return n > m + 1 && longer[n - m - 1] == '.' && strcmp(longer + n - m, name) == 0;
}

/* The nearest name of the file; `spare`: of those only that no other weight asks for. */
static const char *nearest(Binding *b, const char *name, bool spare)
{
    const char *best = NULL;
    int least = (int)strlen(name) / 2 + 1;
    for (int i = 0; i < b->file->tensors.n && b->tries < NEAREST_TRIES; i++) {
        const char *whole = b->file->tensors.at[i].name, *has = whole;
        size_t prefix = strlen(b->prefix);
        if (strncmp(has, b->prefix, prefix) == 0)
            has += prefix;
        if (spare && strmap_get(&b->wanted, has))
            continue;
        bool is_same = is_longer_by_prefix(has, name) || is_longer_by_prefix(name, has);
        int d = is_same ? 0 : text_distance(has, name);
        b->tries++;
        if (d < least) {
            least = d;
            best = whole;
        }
    }
    return best;
}

static void missing_tell(Binding *b, const Value *v)
{
    const char *near_name = nearest(b, v->attr.name, true);
    if (!near_name)
        near_name = nearest(b, v->attr.name, false);
    Message *m = diag_error(b->diag, v->span, "weight '%s' is not in '%s'", v->attr.name,
                            b->file->path);
    if (near_name)
        diag_note(b->diag, m, (Span){0}, "the nearest name there is '%s'", near_name);
}

static void mismatch_tell(Binding *b, const Value *v, const NamedTensor *t)
{
    Text here = text_new(b->graph->arena), there = text_new(b->graph->arena);
    text_type(&here, &v->type);
    if (t->foreign)
        text_add(&there, t->foreign);
    else
        text_type(&there, &t->tensor.type);
    diag_error(b->diag, v->span, "weight '%s' is %s here and %s in '%s'", v->attr.name,
               text_str(&here), text_str(&there), b->file->path);
}

static void bind_one(Binding *b, Value *v)
{
    const NamedTensor *t = tensor_of(b, v->attr.name);
    if (!t) {
        missing_tell(b, v);
        return;
    }
    b->given[t - b->file->tensors.at] = v->attr.name;
    if (t->foreign || !dtype_info[t->tensor.type.dtype].is_real ||
        !shape_equal(&t->tensor.type.shape, &v->type.shape)) {
        mismatch_tell(b, v, t);
        return;
    }
    v->data = NEW(b->graph->arena, Tensor, 1);
    *v->data = t->tensor;
}

/* ---- what was used and what was not ------------------------------------------------ */

/* Batch norms count the steps of their training; no network reads that. */
static bool is_counter(const char *name)
{
    static const char counter[] = "num_batches_tracked";
    size_t n = strlen(name), m = sizeof counter - 1;
    return n >= m && strcmp(name + n - m, counter) == 0;
}

static void unused_tell(const Binding *b)
{
    int counters = 0, others = 0;
    for (int i = 0; i < b->file->tensors.n; i++) {
        const NamedTensor *t = &b->file->tensors.at[i];
        if (b->given[i])
            continue;
        if (is_counter(t->name))
            counters++;
        else if (others++ < WARNED_TENSORS)
            diag_warning(b->diag, (Span){0}, "'%s' has a tensor '%s' that no weight asks for",
                         b->file->path, t->name);
    }
    if (others > WARNED_TENSORS)
        diag_warning(b->diag, (Span){0}, "and %d more tensors: vtc check --weights lists all",
                     others - WARNED_TENSORS);
    if (counters)
        diag_remark(b->diag, (Span){0}, "'%s' has %d tensors num_batches_tracked, which count "
                                        "steps of training: not used", b->file->path, counters);
}

static void report_write(const Binding *b, Text *report)
{
    int used = 0;
    for (int i = 0; i < b->file->tensors.n; i++) {
        const NamedTensor *t = &b->file->tensors.at[i];
        Text type = text_new(b->graph->arena);
        if (t->foreign)
            text_add(&type, t->foreign);
        else
            text_type(&type, &t->tensor.type);
        used += b->given[i] != NULL;
        text_printf(report, "%-8s %-24s %s", b->given[i] ? "used" : "not used", text_str(&type),
                    t->name);
        if (b->given[i] && strcmp(b->given[i], t->name) != 0)
            text_printf(report, " as %s", b->given[i]);
        text_add(report, "\n");
    }
    text_printf(report, "%s: %d of %d tensors used, for %d weights\n", b->file->path, used,
                b->file->tensors.n, b->weights);
}

bool weights_bind(Graph *graph, Diag *diag, const char *path, Text *report)
{
    int raised = diag->raised;
    Binding b = {.graph = graph, .diag = diag};
    b.file = tensor_file_read(graph->arena, diag, path);
    if (!b.file)
        return false;
    b.given = NEW(graph->arena, const char *, b.file->tensors.n + 1);
    wanted_collect(&b);
    if (!prefix_find(&b))
        return false;
    FOR_VALUES(v, graph)
        if (v->op == OP_weight)
            bind_one(&b, v);
    if (*b.prefix)
        diag_remark(diag, (Span){0}, "names of '%s' are taken without their prefix '%s': %d of %d "
                                     "weights", path, b.prefix, b.prefixed, b.weights);
    unused_tell(&b);
    if (report)
        report_write(&b, report);
    return diag->raised == raised;
}

bool weights_write(const Graph *graph, Diag *diag, const char *path)
{
    VEC(NamedTensor) tensors = {0};
    FOR_VALUES(v, graph)
        if (v->op == OP_weight)
            VEC_PUSH(graph->arena, tensors, ((NamedTensor){v->attr.name, *v->data, NULL}));
    return safetensors_write(graph->arena, diag, path, tensors.at, tensors.n);
}
