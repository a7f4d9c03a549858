/* vtc verify: every stage against the reference, on random inputs by --seed or on
 * --input; of ONNX files also against ONNX Runtime. */
#include "backends/llvm/llvm.h"
#include "backends/verify.h"
#include "runtime/inputs.h"
#include "runtime/threads.h"
#include "tools/verify_engine.h"
#include <stdio.h>
#include <string.h>

static VtcPreprocess preprocess_of(const Preprocess *p)
{
    VtcPreprocess q = {.resize_short = p->resize_short, .resize_h = p->resize_h,
                       .resize_w = p->resize_w, .crop_h = p->crop_h, .crop_w = p->crop_w,
                       .range = 255};
    q.filter = p->filter == MODE_nearest ? VTC_NEAREST : VTC_BILINEAR;
    q.order = p->order == ORDER_rgb ? VTC_RGB : p->order == ORDER_bgr ? VTC_BGR : VTC_GRAY;
    for (int i = 0; i < 4; i++) {
        q.mean[i] = (float)p->mean[i];
        q.std[i] = (float)p->std[i];
    }
    return q;
}

/* The file as the runtime would hand it to the network. */
static Tensor *file_input(Context *c, const Graph *graph, const Value *v)
{
    VtcPreprocess preprocess;
    VtcTensorInfo info = {.name = v->attr.name, .dtype = (int32_t)v->type.dtype,
                          .rank = v->type.shape.rank,
                          .bytes = (uint64_t)type_bytes(&v->type)};
    memcpy(info.dims, v->type.shape.dim, sizeof info.dims);
    for (int i = 0; i < graph->preprocess.n; i++)
        if (graph->preprocess.at[i].input == v) {
            preprocess = preprocess_of(&graph->preprocess.at[i]);
            info.preprocess = &preprocess;
        }
    Tensor *t = tensor_new(c->arena, v->type);
    VtcItems items = {0};
    VtcError error = {0};
    int status = vtc_items_open(&items, &info, c->o.input, &error);
    if (status == VTC_OK)
        status = vtc_items_fill(&items, &info, 0, t->data, &error);
    if (status != VTC_OK)
        diag_error(c->diag, (Span){0}, "%s", error.text);
    vtc_items_close(&items);
    return status == VTC_OK ? t : NULL;
}

static bool fill_inputs(Context *c, const Graph *graph, const Tensor **inputs)
{
    const Value **of = graph_inputs(graph, c->arena);
    for (int i = 0; of[i]; i++) {
        inputs[i] = i == 0 && c->o.input
                        ? file_input(c, graph, of[i])
                        : random_input(c->arena, &of[i]->type, c->o.seed + (uint64_t)i);
        if (!inputs[i])
            return false;
    }
    return true;
}

/* Every stage of ours against the reference. */
static bool verify_stages(Context *c, Graph *graph, const Tensor *const *inputs, Text *report)
{
    static const char *const both[] = {"gcc", "clang", NULL}, *const gcc[] = {"gcc", NULL},
                      *const none[] = {NULL};
    bool llvm_alone = c->o.backend && c->backend == BACKEND_llvm;
    VtcPool *pool = NULL;
    VtcError error;
    if (c->o.max_threads > 1)
        vtc_pool_create(&pool, 2, &error);
    const VtcExecutor *executors[2] = {pool ? vtc_pool_executor(pool) : NULL, NULL};
    VerifyOptions options = {.target = c->target, .pipeline = pipeline_options(c),
                             .inputs = inputs, .exact = c->o.exact, .whole = c->o.whole,
                             .verbose = c->o.verbose,
                             .compilers = llvm_alone ? none : c->o.whole ? gcc : both,
                             .llvm = !c->o.backend || llvm_alone,
                             .executors = executors, .vectors = c->o.vectors};
    bool good = verify_graph(graph, &options, report, c->diag);
    vtc_pool_destroy(pool);
    return good;
}

/* The network as written, once more: passes have changed the other. */
static int engine_stage(Context *c, const Tensor *const *inputs, Text *report)
{
    OnnxOptions options = {.every_node = c->o.nodes};
    bool file = onnx_is_model(c->o.models[0]);
    read_dims(c, &options);
    Graph *graph = file ? onnx_load(c->arena, c->diag, c->o.models[0], &options)
                        : load_model(c, c->o.models[0], false);
    if (!graph)
        return EXIT_INPUT;
    if (!is_bound(graph))
        weights_init(graph, c->o.seed);
    switch (verify_engine(c, graph, c->o.nodes ? &options : NULL, inputs, report)) {
    case ENGINE_agrees: return EXIT_OK;
    case ENGINE_differs: return EXIT_INPUT;
    case ENGINE_missing: break;
    }
    return c->o.engine ? EXIT_ENVIRONMENT : EXIT_OK; /* asked for, or only offered */
}

static bool check_call(Context *c)
{
    bool file = onnx_is_model(c->o.models[0]);
    const char *wrong = c->o.engine && strcmp(c->o.engine, "onnxruntime") != 0
                            ? "--with takes onnxruntime"
                        : c->o.whole && c->o.vectors ? "--whole keeps no vectors"
                        : c->o.nodes && !file ? "--nodes takes an ONNX file"
                                              : NULL;
    if (wrong)
        fprintf(stderr, "vtc: %s\n", wrong);
    return !wrong;
}

int command_verify(Context *c)
{
    if (!check_call(c))
        return EXIT_CALL;
    Graph *graph = load_model(c, c->o.models[0], false);
    if (!graph)
        return context_finish(c, EXIT_INPUT);
    if (!is_bound(graph))
        weights_init(graph, c->o.seed);
    const Tensor **inputs = NEW(c->arena, const Tensor *, graph_input_count(graph) + 1);
    if (!fill_inputs(c, graph, inputs))
        return context_finish(c, EXIT_INPUT);
    Text report = text_new(c->arena);
    int code = c->o.engine || verify_stages(c, graph, inputs, &report) ? EXIT_OK : EXIT_INPUT;
    if (code == EXIT_OK && (c->o.engine || onnx_is_model(c->o.models[0])))
        code = engine_stage(c, inputs, &report);
    fputs(text_str(&report), stdout);
    return context_finish(c, code);
}
