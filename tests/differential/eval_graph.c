/* Evaluates graphs in both modes, for the scripts beside it:
 *
 *   vtc_eval_graph CASE...
 *
 * CASE is a folder as case_file.h reads it; OUTPUT.exact.npy and OUTPUT.quick.npy are written into it. Prints the
 * seconds that quick mode took. */
#include "tests/differential/case_file.h"
#include <time.h>

static void write_outputs(Arena *arena, const char *folder, const Graph *graph,
                          EvalMode mode, const Result *results)
{
    for (int i = 0; i < graph->outputs.n; i++) {
        const Result *r = &results[i];
        const char *path =
            arena_printf(arena, "%s/%s.%s.npy", folder, graph->outputs.at[i].name,
                         mode == EVAL_exact ? "exact" : "quick");
        if (mode == EVAL_exact)
            npy_write(path, "<f8", &r->type.shape, r->exact, sizeof *r->exact);
        else
            npy_write(path, "<f4", &r->type.shape, r->quick, sizeof *r->quick);
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool run_case(Arena *arena, const char *folder)
{
    Diag *diag = diag_new(arena);
    const Tensor **inputs;
    Graph *graph = case_read(arena, folder, &inputs);
    if (!graph)
        return false;
    for (int mode = EVAL_exact; mode <= EVAL_quick; mode++) {
        double start = seconds();
        const Result *results =
            graph_eval(graph, (EvalMode)mode, inputs, arena, NULL, NULL, diag);
        if (!results) {
            diag_print(diag, stderr, 0);
            return false;
        }
        if (mode == EVAL_quick)
            printf("%s %.3f\n", folder, seconds() - start);
        write_outputs(arena, folder, graph, (EvalMode)mode, results);
    }
    return true;
}

int main(int argc, char **argv)
{
    int failures = 0;
    for (int i = 1; i < argc; i++) {
        Arena *arena = arena_new();
        failures += !run_case(arena, argv[i]);
        arena_free(arena);
    }
    return failures != 0;
}
