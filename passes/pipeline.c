/* The pipeline: rows of passes.def run in order, verified, timed, shown. */
#include "passes/graph_passes.h"
#include "passes/program_passes.h"
#include "support/progress.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define pass_refold_constants pass_fold_constants
#define ROW_graph(id) .graph = pass_##id
#define ROW_lower(id) .graph = NULL
#define ROW_program(id) .program = pass_##id

const PassInfo pass_table[] = {
#define PASS(kind, id, need, make, broken, must, text)                         \
    {.name = #id,                                                              \
     .doc = text,                                                              \
     ROW_##kind(id),                                                           \
     .needs = need,                                                            \
     .makes = make,                                                            \
     .breaks = broken,                                                         \
     .required = must},
#include "passes/passes.def"
};
const int pass_count = sizeof pass_table / sizeof *pass_table;

const char *const fact_name[] = {
#define FACT(id, text) [FACT_BIT_##id] = #id,
    FACTS
#undef FACT
};

int pass_find(const char *name)
{
    for (int i = 0; i < pass_count; i++)
        if (strcmp(pass_table[i].name, name) == 0)
            return i;
    return -1;
}

bool pipeline_check(const PassInfo *rows, int n, Text *errors)
{
    size_t before = errors->n;
    int known = 0;
    for (int i = 0; i < n; i++) {
        int missing = rows[i].needs & ~known;
        for (size_t bit = 0; bit < sizeof fact_name / sizeof *fact_name; bit++)
            if (missing >> bit & 1)
                text_printf(errors, "%s needs %s, which no pass before it makes\n",
                            rows[i].name, fact_name[bit]);
        known = (known | rows[i].makes) & ~rows[i].breaks;
    }
    return errors->n == before;
}

/* ---- which passes run -------------------------------------------------- */

static bool listed(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        size_t word = strcspn(at, ",");
        if (word == n && strncmp(at, name, n) == 0)
            return true;
    }
    return false;
}

static bool is_wanted(const PipelineOptions *o, const PassInfo *pass)
{
    for (int i = 0; i < o->skips; i++)
        if (strcmp(o->skip[i], pass->name) == 0)
            return false;
    if (pass->required)
        return true;
    return !o->o0 && (!o->only || listed(o->only, pass->name));
}

static bool check_name(const char *option, const char *name, Diag *diag)
{
    if (pass_find(name) >= 0)
        return true;
    diag_error(diag, (Span){0}, "%s: there is no pass '%s' (see: vtc passes)", option,
               name);
    return false;
}

static bool check_list(const char *list, Arena *arena, Diag *diag)
{
    bool good = true;
    for (const char *at = list; at && *at;) {
        size_t n = strcspn(at, ",");
        good = check_name("--passes", arena_strndup(arena, at, n), diag) && good;
        at += n + (at[n] == ',');
    }
    return good;
}

bool pipeline_accepts(const PipelineOptions *o, Arena *arena, Diag *diag)
{
    bool good = check_list(o->only, arena, diag);
    for (int i = 0; i < o->skips; i++) {
        good = check_name("--skip", o->skip[i], diag) && good;
        int at = pass_find(o->skip[i]);
        if (at >= 0 && pass_table[at].required) {
            diag_error(diag, (Span){0}, "--skip: pass '%s' is required", o->skip[i]);
            good = false;
        }
    }
    if (o->stop_after)
        good = check_name("--stop-after", o->stop_after, diag) && good;
    return good;
}

/* ---- running ----------------------------------------------------------- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void verify(const PassInfo *pass, const Graph *graph)
{
    Text errors = text_new(graph->arena);
    if (!graph_verify(graph, &errors))
        bug("after pass %s:\n%s", pass->name, text_str(&errors));
}

static void run_pass(const PassInfo *pass, Graph *graph, const Target *target,
                     const PipelineOptions *options, Program **program)
{
    /* Layout and later rely on the order of steps that group left. */
    bool early = pass_find(pass->name) <= pass_find("group");
    if (options->check && pass->graph && early)
        graph_shuffle(graph, (uint64_t)pass_find(pass->name) + 1);
    if (pass->graph)
        pass->graph(graph, target);
    else if (pass->program)
        pass->program(*program);
    else
        *program = lower(graph, target);
    if (options->check && pass->graph)
        verify(pass, graph);
    if (options->check && *program) {
        Text errors = text_new(graph->arena);
        if (!program_verify(*program, &errors))
            bug("after pass %s:\n%s", pass->name, text_str(&errors));
    }
}

bool pipeline_run(Graph *graph, const Target *target,
                  const PipelineOptions *options, Program **program, Diag *diag)
{
    *program = NULL;
    if (!pipeline_accepts(options, graph->arena, diag))
        return false;
    for (int i = 0; i < pass_count; i++) {
        const PassInfo *pass = &pass_table[i];
        if (!is_wanted(options, pass))
            continue;
        double begin = seconds();
        progress("pass %s", pass->name);
        run_pass(pass, graph, target, options, program);
        progress_end();
        if (options->time)
            fprintf(stderr, "%-24s %9.3f ms\n", pass->name, 1e3 * (seconds() - begin));
        if (options->after)
            options->after(options->context, pass, graph, *program);
        if (options->stop_after && strcmp(options->stop_after, pass->name) == 0)
            break;
    }
    return true;
}
