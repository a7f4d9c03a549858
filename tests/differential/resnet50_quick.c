/* ResNet-50 at 224x224: quick mode agrees with exact mode within 1e-4 of the
 * output's range, and the faster of two runs takes less than 3 seconds of processor time,
 * all threads together, which a busy machine does not lengthen.
 *
 *   resnet50_quick models/resnet50.vt */
#include "frontend/frontend.h"
#include "frontend/weights.h"
#include <stdio.h>
#include <time.h>

static const double tolerance = 1e-4, most_seconds = 3;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static Tensor *noise(Arena *arena, Type type)
{
    Tensor *tensor = tensor_new(arena, type);
    uint64_t state = 1;
    for (int64_t i = 0; i < shape_count(&type.shape); i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        tensor_set(tensor, i, (double)(state >> 40) / 8388608.0 - 1);
    }
    return tensor;
}

/* Largest difference in parts of the largest element. */
static double difference(const Result *exact, const Result *quick)
{
    double worst = 0, largest = 0;
    for (int64_t i = 0; i < shape_count(&exact->type.shape); i++) {
        worst = fmax(worst, fabs(exact->exact[i] - (double)quick->quick[i]));
        largest = fmax(largest, fabs(exact->exact[i]));
    }
    return largest > 0 ? worst / largest : INFINITY;
}

static bool compare(Arena *arena, Diag *diag, const Graph *graph)
{
    const Tensor *inputs[] = {noise(arena, graph->first->type)};
    double best = INFINITY;
    const Result *quick = NULL;
    for (int run = 0; run < 2; run++) {
        double start = now();
        quick = graph_eval(graph, EVAL_quick, inputs, arena, NULL, NULL, diag);
        best = fmin(best, now() - start);
    }
    const Result *exact = graph_eval(graph, EVAL_exact, inputs, arena, NULL, NULL, diag);
    if (!quick || !exact)
        return false;
    double worst = difference(exact, quick);
    printf("quick: %.3f s, at most %g; differs by %.2g, at most %g\n", best,
           most_seconds, worst, tolerance);
    return best < most_seconds && worst <= tolerance;
}

int main(int argc, char **argv)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    Graph *graph = argc == 2 ? frontend_load(arena, diag, argv[1], NULL) : NULL;
    bool ok = false;
    if (graph) {
        weights_init(graph, 1);
        ok = graph->first->op == OP_input && compare(arena, diag, graph);
    }
    diag_print(diag, stderr, 0);
    arena_free(arena);
    return !ok;
}
