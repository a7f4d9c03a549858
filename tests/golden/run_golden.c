/* Golden text of the passes, the files NAME.pass of this folder. One is
 *
 *     # what it shows
 *     pass NAME target TARGET
 *     --- before
 *     graph "..." {...}
 *     --- after
 *     the graph that the pass leaves
 *
 * For a pass over programs the graph goes through the required passes; then
 * `--- loops` holds the program before the pass and `--- after` the one it leaves.
 * Every graph pass is also run on the graph with random weights: what the outputs
 * are may change by rounding only. A pass without a file is named.
 *
 *     run_golden FOLDER [--update]      writes the sections after `before` anew */
#include "passes/pass.h"
#include "support/file.h"
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Golden {
    Arena *arena;
    const char *path, *pass, *target;
    const char *head, *before, *loops, *after; /* sections; NULL: absent */
} Golden;

/* ---- files ------------------------------------------------------------- */

static char *file_text(Arena *arena, const char *path)
{
    const Source *source = source_read(arena, diag_new(arena), (Span){0}, path);
    return source ? arena_strdup(arena, source->text) : NULL;
}

/* Cuts at the line `--- name`; returns what follows it, or NULL. */
static char *section(char *text, const char *name)
{
    char mark[32];
    snprintf(mark, sizeof mark, "--- %s\n", name);
    char *at = text ? strstr(text, mark) : NULL;
    if (!at)
        return NULL;
    *at = 0;
    return at + strlen(mark);
}

static bool golden_read(Golden *g, Arena *arena, const char *path)
{
    char pass[64] = "", target[64] = "x86-64-v4";
    char *text = file_text(arena, path);
    *g = (Golden){.arena = arena, .path = path};
    g->after = section(text, "after");
    g->loops = section(text, "loops");
    g->before = section(text, "before");
    g->head = text;
    const char *line = text ? strstr(text, "\npass ") : NULL;
    if (!line || !g->before || sscanf(line + 1, "pass %63s target %63s", pass, target) < 1) {
        fprintf(stderr, "%s: not a golden file\n", path);
        return false;
    }
    g->pass = arena_strdup(arena, pass);
    g->target = arena_strdup(arena, target);
    if (pass_find(pass) < 0 || !target_find(target)) {
        fprintf(stderr, "%s: no pass %s or no target %s\n", path, pass, target);
        return false;
    }
    return true;
}

static Graph *graph_of(const Golden *g)
{
    Source *source = NEW(g->arena, Source, 1);
    const char *name = strrchr(g->path, '/');
    *source = (Source){name ? name + 1 : g->path, g->before, strlen(g->before)};
    Diag *diag = diag_new(g->arena);
    Graph *graph = graph_parse(g->arena, source, diag);
    diag_print(diag, stderr, 0);
    if (graph)
        graph->options.max_threads = 2;
    return graph;
}

/* ---- graph passes ------------------------------------------------------ */

static const char *graph_text(const Golden *g, const Graph *graph)
{
    Text text = text_new(g->arena);
    graph_print(graph, (PrintStyle){.layouts = true}, &text);
    return text_str(&text);
}

static double draw(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (double)(*seed >> 8) / (1 << 24);
}

/* Of the passes before it, the ones it needs have left their mark in the text. */
static const char *graph_after(const Golden *g, Graph *graph)
{
    pass_table[pass_find(g->pass)].graph(graph, target_find(g->target));
    Text errors = text_new(g->arena);
    if (!graph_verify(graph, &errors))
        fprintf(stderr, "%s: the pass leaves a wrong graph:\n%s", g->path, text_str(&errors));
    return graph_text(g, graph);
}

/* Values positive: they may be variances. */
static const Tensor *const *bind_random(const Golden *g, Graph *graph)
{
    uint32_t seed = 1;
    const Tensor **inputs = NEW(g->arena, const Tensor *, 16);
    int n = 0;
    FOR_VALUES(v, graph) {
        if (v->op != OP_weight && v->op != OP_input)
            continue;
        Tensor *t = tensor_new(g->arena, v->type);
        for (int64_t i = 0; i < shape_count(&v->type.shape); i++)
            tensor_set(t, i, 0.1 + draw(&seed));
        if (v->op == OP_weight)
            v->data = t;
        else if (n < 16)
            inputs[n++] = t;
    }
    return inputs;
}

static bool same_meaning(const Golden *g)
{
    Graph *graph = graph_of(g);
    const Tensor *const *inputs = bind_random(g, graph);
    Diag *diag = diag_new(g->arena);
    Result *before = graph_eval(graph, EVAL_exact, inputs, g->arena, NULL, NULL, diag);
    pass_table[pass_find(g->pass)].graph(graph, target_find(g->target));
    Result *after = graph_eval(graph, EVAL_exact, inputs, g->arena, NULL, NULL, diag);
    diag_print(diag, stderr, 0);
    if (!before || !after)
        return false;
    for (int i = 0; i < graph->outputs.n; i++)
        for (int64_t k = 0; k < shape_count(&before[i].type.shape); k++)
            if (!(fabs(before[i].exact[k] - after[i].exact[k]) <=
                  1e-6 * (1 + fabs(before[i].exact[k])))) {
                fprintf(stderr, "%s: output %d, element %lld: %g became %g\n", g->path, i,
                        (long long)k, before[i].exact[k], after[i].exact[k]);
                return false;
            }
    return true;
}

/* ---- program passes ---------------------------------------------------- */

typedef struct Capture {
    const Golden *g;
    const char *last, *before, *after;
} Capture;

static void capture(void *context, const PassInfo *pass, const Graph *graph,
                    const Program *program)
{
    Capture *c = context;
    (void)graph;
    if (!program)
        return;
    Text text = text_new(c->g->arena);
    program_print(program, &text);
    if (strcmp(pass->name, c->g->pass) == 0) {
        c->before = c->last;
        c->after = text_str(&text);
    }
    c->last = text_str(&text);
}

static bool program_texts(const Golden *g, const char **before, const char **after)
{
    Capture c = {.g = g};
    PipelineOptions options = {.only = g->pass, .stop_after = g->pass, .check = true,
                               .after = capture, .context = &c};
    Graph *graph = graph_of(g);
    Program *program = NULL;
    Diag *diag = diag_new(g->arena);
    bool ok = graph && pipeline_run(graph, target_find(g->target), &options, &program, diag);
    diag_print(diag, stderr, 0);
    *before = c.before;
    *after = c.after;
    return ok && c.after;
}

/* ---- one file ---------------------------------------------------------- */

static bool agree(const Golden *g, const char *what, const char *expected, const char *found)
{
    if (expected && found && strcmp(expected, found) == 0)
        return true;
    fprintf(stderr, "%s: %s differs; it is now\n%s", g->path, what, found ? found : "nothing\n");
    return false;
}

static bool golden_update(const Golden *g, const char *loops, const char *after)
{
    FILE *file = fopen(g->path, "wb");
    if (!file)
        return false;
    fprintf(file, "%s--- before\n%s", g->head, g->before);
    if (loops)
        fprintf(file, "--- loops\n%s", loops);
    fprintf(file, "--- after\n%s", after);
    return fclose(file) == 0;
}

static bool golden_check(const Golden *g, bool update)
{
    const char *loops = NULL, *after;
    if (pass_table[pass_find(g->pass)].graph) {
        Graph *graph = graph_of(g);
        if (!graph || !same_meaning(g))
            return false;
        after = graph_after(g, graph);
    } else if (!program_texts(g, &loops, &after)) {
        return false;
    }
    if (update)
        return golden_update(g, loops, after);
    bool same = !loops || agree(g, "the program before", g->loops, loops);
    return agree(g, "what the pass leaves", g->after, after) && same;
}

static bool is_golden(const char *name)
{
    size_t n = strlen(name);
    return n > 5 && strcmp(name + n - 5, ".pass") == 0;
}

/* Names the passes that no file is about. */
static int count_missing(const bool *seen)
{
    int missing = 0;
    for (int i = 0; i < pass_count; i++)
        if (!seen[i]) {
            fprintf(stderr, "no golden file for the pass %s\n", pass_table[i].name);
            missing++;
        }
    return missing;
}

int main(int argc, char **argv)
{
    enum { MOST_PASSES = 64 };
    bool update = argc > 2 && strcmp(argv[2], "--update") == 0, seen[MOST_PASSES] = {0};
    DIR *folder = argc > 1 ? opendir(argv[1]) : NULL;
    int passed = 0, failed = 0;
    if (!folder || pass_count > MOST_PASSES) {
        fprintf(stderr, "usage: run_golden FOLDER [--update]\n");
        return 2;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        Golden g;
        Arena *arena = arena_new();
        const char *path = arena_printf(arena, "%s/%s", argv[1], entry->d_name);
        if (is_golden(entry->d_name)) {
            bool ok = golden_read(&g, arena, path);
            if (ok)
                seen[pass_find(g.pass)] = true;
            ok = ok && golden_check(&g, update);
            passed += ok;
            failed += !ok;
        }
        arena_free(arena);
    }
    closedir(folder);
    failed += count_missing(seen);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
