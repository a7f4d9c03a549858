/* The networks of models/ after every pass: what passes leave is valid, prints
 * and parses back to the same text, in whatever order a shuffle put it. */
#include "frontend/frontend.h"
#include "passes/pass.h"
#include "tests/unit/graph_read.h"
#include "tests/unit/unit.h"

typedef struct Seen {
    Arena *arena;
    int passes, groups, placed;
} Seen;

static void check_text(Seen *seen, const char *pass, const Graph *graph)
{
    const char *text = print_graph(seen->arena, graph);
    Graph *again = read_graph(seen->arena, text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(again);
    bool same = strcmp(print_graph(seen->arena, again), text) == 0;
    Text errors = text_new(seen->arena);
    bool valid = graph_verify(again, &errors);
    CU_ASSERT(same && valid);
    if (!same || !valid)
        fprintf(stderr, "after %s:\n%s", pass, text_str(&errors));
    CU_ASSERT_EQUAL(graph_macs(again), graph_macs(graph));
    CU_ASSERT_EQUAL(again->groups.n, graph->groups.n);
}

static void after_pass(void *context, const PassInfo *pass, const Graph *graph,
                       const Program *program)
{
    Seen *seen = context;
    if (program)
        return;
    check_text(seen, pass->name, graph);
    seen->passes++;
    seen->groups = graph->groups.n;
    seen->placed = graph->workspace_bytes > 0;
}

static void check_model(const char *file, const Target *target)
{
    Seen seen = {.arena = arena_new()};
    Diag *diag = diag_new(seen.arena);
    const char *path = arena_printf(seen.arena, "%s/%s", VTC_SOURCE_DIR, file);
    Graph *graph = frontend_load(seen.arena, diag, path, NULL);
    diag_print(diag, stderr, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    check_text(&seen, "the front end", graph);
    PipelineOptions options = {.check = true,
                               .after = after_pass,
                               .context = &seen,
                               .stop_after = "plan_memory"};
    Program *program = NULL;
    CU_ASSERT(pipeline_run(graph, target, &options, &program, diag));
    diag_print(diag, stderr, 0);
    CU_ASSERT(seen.passes > 5 && seen.groups > 5 && seen.placed);
    arena_free(seen.arena);
}

static void test_small_model(void)
{
    for (int i = 0; i < target_count; i++)
        check_model("models/vt_fashion.vt", &targets[i]);
}

static void test_large_models(void)
{
    check_model("models/resnet50.vt", target_host());
    check_model("models/vt_resnet18.vt", target_host());
}

static const UnitTest tests[] = {
    {"small model",  test_small_model },
    {"large models", test_large_models},
};

int main(void)
{
    return UNIT_RUN(tests);
}
