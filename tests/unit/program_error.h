/* A graph given as text, with random numbers, through all passes and the loop interpreter,
 * beside the same in double. Used by tests of whole algorithms. */
#ifndef VTC_TESTS_PROGRAM_ERROR_H
#define VTC_TESTS_PROGRAM_ERROR_H

#include "backends/blob.h"
#include "passes/pass.h"
#include "tests/unit/graph_read.h"
#include "tests/unit/loop_build.h"
#include "tests/unit/unit.h"
#include <math.h>

static uint32_t seed = 1;

static inline double draw(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / (1 << 23) - 1;
}

static inline Tensor *drawn(Arena *arena, Type type)
{
    Tensor *x = tensor_new(arena, type);
    for (int64_t i = 0; i < shape_count(&type.shape); i++)
        tensor_set(x, i, draw());
    return x;
}

/* The largest error of the first output by its largest value; infinite when the program
 * leaves no number. `after` is called after each pass. */
typedef void AfterPass(void *context, const PassInfo *pass, const Graph *graph,
                       const Program *program);

static inline double program_error(const char *text, const char *target, AfterPass *after,
                                   void *context)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    FOR_VALUES(v, graph)
        if (v->op == OP_weight)
            v->data = drawn(graph->arena, v->type);
    const Tensor *x = drawn(arena, graph->first->type);
    double *right = graph_eval(graph, EVAL_exact, &x, arena, NULL, NULL, diag_new(arena))[0].exact;
    int64_t n = shape_count(&graph->outputs.at[0].value->type.shape);
    PipelineOptions options = {.check = true, .after = after, .context = context};
    Program *p = NULL;
    graph->options.max_threads = 2;
    CU_ASSERT_FATAL(pipeline_run(graph, target_find(target), &options, &p, diag_new(arena)));
    CU_ASSERT_STRING_EQUAL(emit_errors_of(p), "");
    Blob blob = blob_pack_here(arena, p);
    float *y = NEW(arena, float, n);
    unsigned char *workspace = NEW(arena, unsigned char, p->workspace_bytes + 1);
    memset(workspace, 0xff, (size_t)p->workspace_bytes);
    const void *inputs[] = {x->data};
    void *outputs[] = {y};
    program_eval(p, &(Memory){blob.payload, workspace, inputs, outputs}, 0, p->steps.n);
    double worst = 0, largest = 0;
    for (int64_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs(right[i] - (double)y[i]));
        largest = fmax(largest, fabs(right[i]));
        if (!isfinite(y[i]))
            worst = INFINITY;
    }
    arena_free(arena);
    return worst / largest;
}

#endif
