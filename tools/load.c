/* What every command begins and ends with. */
#include "tools/command.h"
#include <string.h>
#include <unistd.h>

int context_finish(Context *c, int code)
{
    diag_print(c->diag, stderr, 50);
    return code == EXIT_OK && c->diag->errors ? EXIT_INPUT : code;
}

static const char *weights_beside(Context *c, const char *path)
{
    const char *file = arena_printf(c->arena, "%s/%s.safetensors", path_dir(c->arena, path),
                                    path_stem(c->arena, path));
    return access(file, R_OK) == 0 ? file : NULL;
}

Graph *load_model(Context *c, const char *path, bool need_weights)
{
    Graph *graph = frontend_load_outputs(c->arena, c->diag, path, c->o.model_name, c->o.outputs);
    if (!graph)
        return NULL;
    graph->options = (Options){c->o.plain, c->o.small, c->o.max_threads};
    const char *weights = c->o.weights ? c->o.weights : weights_beside(c, path);
    if (weights)
        return weights_bind(graph, c->diag, weights) ? graph : NULL;
    bool any = false;
    FOR_VALUES(v, graph)
        any = any || v->op == OP_weight;
    if (any && need_weights) {
        diag_error(c->diag, (Span){0}, "the weights of '%s' are missing: --weights=FILE, or "
                                       "%s.safetensors beside it (vtc init makes random ones)",
                   path, path_stem(c->arena, path));
        return NULL;
    }
    return graph;
}

bool is_bound(const Graph *graph)
{
    FOR_VALUES(v, graph)
        if (v->op == OP_weight && !v->data)
            return false;
    return true;
}

PipelineOptions pipeline_options(const Context *c)
{
    PipelineOptions o = {.o0 = c->o.o0, .only = c->o.passes, .skips = c->o.skips,
                         .stop_after = c->o.stop_after, .time = c->o.time_passes};
#ifdef VTC_CHECK_PASSES
    o.check = true;
#endif
    memcpy(o.skip, c->o.skip, sizeof o.skip);
    return o;
}

bool run_passes(Context *c, Graph *graph, Program **program,
                void (*after)(void *, const PassInfo *, const Graph *, const Program *),
                void *context)
{
    PipelineOptions o = pipeline_options(c);
    o.after = after;
    o.context = context;
    return pipeline_run(graph, c->target, &o, program, c->diag);
}
