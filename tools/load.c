/* What every command begins and ends with. */
#include "frontend/onnx.h"
#include "frontend/tuning.h"
#include "tools/command.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int context_finish(Context *c, int code)
{
    diag_print(c->diag, stderr, 50);
    return code == EXIT_OK && c->diag->errors ? EXIT_INPUT : code;
}

/* NAME.safetensors or PyTorch's NAME.pth, NAME.pt beside a model */
static const char *weights_beside(Context *c, const char *path)
{
    static const char *const endings[] = {"safetensors", "pth", "pt"};
    for (int i = 0; i < 3; i++) {
        const char *file = arena_printf(c->arena, "%s/%s.%s", path_dir(c->arena, path),
                                        path_stem(c->arena, path), endings[i]);
        if (access(file, R_OK) == 0)
            return file;
    }
    return NULL;
}

/* "batch=4", as often as --dim was said. */
void read_dims(Context *c, OnnxOptions *options)
{
    for (int i = 0; i < c->o.dims; i++) {
        const char *equals = strrchr(c->o.dim[i], '=');
        const char *name = arena_strndup(c->arena, c->o.dim[i], (size_t)(equals - c->o.dim[i]));
        VEC_PUSH(c->arena, options->dims,
                 (OnnxDim){.name = name, .value = strtoll(equals + 1, NULL, 10)});
    }
}

/* An ONNX file by its name or what is in it; else the language. */
static Graph *read_model(Context *c, const char *path)
{
    OnnxOptions options = {0};
    if (!onnx_is_model(path) && c->o.dims) {
        diag_error(c->diag, (Span){0}, "--dim fixes dimensions of ONNX files, '%s' is none", path);
        return NULL;
    }
    if (!onnx_is_model(path))
        return frontend_load_outputs(c->arena, c->diag, path, c->o.model_name, c->o.outputs);
    if (c->o.outputs || c->o.model_name) {
        diag_error(c->diag, (Span){0}, "--output and --model choose in files of the language, "
                                       "'%s' is an ONNX file", path);
        return NULL;
    }
    read_dims(c, &options);
    return onnx_load(c->arena, c->diag, path, &options);
}

Graph *load_model(Context *c, const char *path, bool need_weights)
{
    Graph *graph = read_model(c, path);
    if (!graph)
        return NULL;
    graph->options = (Options){.plain = c->o.plain, .small = c->o.small, .blas = c->o.blas,
                               .keep_norms = c->o.keep_norms, .max_threads = c->o.max_threads};
    if (c->o.tuned && !(graph->options.tuning = tuning_read(c->arena, c->diag, c->o.tuned)))
        return NULL;
    /* an ONNX file brings its own */
    const char *weights = c->o.weights || onnx_is_model(path) ? c->o.weights
                                                              : weights_beside(c, path);
    if (weights)
        return weights_bind(graph, c->diag, weights, c->weights_report) ? graph : NULL;
    bool any = false;
    FOR_VALUES(v, graph)
        any = any || (v->op == OP_weight && !v->data);
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
    if (!pipeline_run(graph, c->target, &o, program, c->diag))
        return false;
    const Tuning *tuning = graph->options.tuning;
    for (int i = 0; tuning && i < tuning->layers.n; i++)
        if (!tuning->layers.at[i].used)
            diag_warning(c->diag, tuning->layers.at[i].span,
                         "no layer '%s' is computed so here", tuning->layers.at[i].label);
    return true;
}
