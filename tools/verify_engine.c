/* vtc verify against an engine nobody here wrote: ONNX Runtime runs the file on the
 * same inputs, and its outputs (or those of every node) are compared with the graph
 * interpreter's. */
#include "tools/verify_engine.h"
#include "backends/onnx/onnx.h"
#include "backends/process.h"
#include "backends/verify.h"
#include "runtime/array.h"
#include <stdlib.h>
#include <string.h>

enum { NOT_INSTALLED = 42 }; /* the script's exit code */

typedef struct Engine {
    Context *c;
    const char *dir;     /* of inputs and outputs */
    const char *model;   /* the file that is run */
    const char *base;    /* where its external data lies */
    const OnnxOptions *nodes; /* NULL: only outputs are compared */
    Text *report;
} Engine;

/* ---- running it ------------------------------------------------------------------ */

static const char *python_of(void)
{
    const char *named = getenv("VTC_ONNXRUNTIME_PYTHON");
    return named && *named ? named : "python3";
}

static bool input_write(const Engine *e, int i, const Tensor *t)
{
    char header[VTC_NPY_HEADER_BYTES];
    const char *path = arena_printf(e->c->arena, "%s/input_%d.npy", e->dir, i);
    OutFile *out = outfile_open(e->c->arena, path, e->c->diag);
    if (!out)
        return false;
    vtc_npy_header(header, (int)t->type.dtype, t->type.shape.rank, t->type.shape.dim);
    outfile_write(out, header, sizeof header);
    outfile_write(out, t->data, (size_t)type_bytes(&t->type));
    return outfile_close(out, e->c->diag);
}

static int engine_run(const Engine *e)
{
    static const char script[] = "onnxruntime_run.py";
    Arena *a = e->c->arena;
    const char *found = part_find(a, script, VTC_TOOLS_DIR "/onnxruntime_run.py");
    char *argv[] = {arena_strdup(a, python_of()),
                    arena_strdup(a, found ? found : script),
                    arena_strdup(a, e->model),
                    arena_strdup(a, e->dir),
                    arena_strdup(a, e->base),
                    e->nodes ? arena_strdup(a, "plain") : NULL,
                    NULL};
    return build_spawn(argv, e->c->o.verbose);
}

static const char *engine_version(const Engine *e)
{
    Diag *quiet = diag_new(e->c->arena);
    Bytes b;
    if (!bytes_map(&b, arena_printf(e->c->arena, "%s/version", e->dir), quiet))
        return "";
    return arena_strndup(e->c->arena, (const char *)b.at, b.n);
}

/* ---- comparing ------------------------------------------------------------------- */

typedef struct Gap {
    double worst, range;
    int64_t at;
} Gap;

static double array_at(const VtcArray *array, int64_t i)
{
    if (array->dtype == VTC_f32)
        return (double)((const float *)array->data.at)[i];
    return array->dtype == VTC_u8 ? ((const unsigned char *)array->data.at)[i]
                                  : ((const int32_t *)array->data.at)[i];
}

/* false: it is not there, or has other elements; said. */
static bool output_compare(const Engine *e, const Result *r, int i, const char *name, Gap *gap)
{
    VtcArray array = {0};
    VtcError error = {0};
    const char *path = arena_printf(e->c->arena, "%s/output_%d.npy", e->dir, i);
    int64_t n = shape_count(&r->type.shape);
    *gap = (Gap){0};
    if (vtc_array_load(&array, path, &error) != VTC_OK) {
        diag_error(e->c->diag, (Span){0}, "%s", error.text);
        return false;
    }
    if (array.count != n)
        diag_error(e->c->diag, (Span){0}, "output '%s' has %lld elements there, %lld here", name,
                   (long long)array.count, (long long)n);
    for (int64_t k = 0; k < n && array.count == n; k++) {
        double a = r->exact ? r->exact[k] : (double)r->quick[k], b = array_at(&array, k);
        double d = a == b || (isnan(a) && isnan(b)) ? 0 : fabs(a - b);
        gap->range = isfinite(b) && fabs(b) > gap->range ? fabs(b) : gap->range;
        if (!(d <= gap->worst)) {
            gap->worst = isnan(d) ? INFINITY : d;
            gap->at = k;
        }
    }
    bool good = array.count == n;
    vtc_array_free(&array);
    return good;
}

static double relative(const Gap *gap)
{
    return gap->worst == 0 ? 0 : gap->worst / (gap->range > 0 ? gap->range : 1);
}

/* A class map may tell neighbouring classes apart by a rounding: 1 element in 1000. */
static bool classes_agree(const Engine *e, const Result *r, int i)
{
    VtcArray array = {0};
    VtcError error = {0};
    int64_t n = shape_count(&r->type.shape), wrong = 0;
    const char *path = arena_printf(e->c->arena, "%s/output_%d.npy", e->dir, i);
    if (vtc_array_load(&array, path, &error) != VTC_OK)
        return false;
    for (int64_t k = 0; k < n; k++)
        wrong += (r->exact ? r->exact[k] : (double)r->quick[k]) != array_at(&array, k);
    vtc_array_free(&array);
    return wrong * 1000 <= n;
}

/* Of a class map that a text computes the scores are compared: where two are nearly
 * equal, either class is right. */
static void scores_add(Graph *graph)
{
    int n = graph->outputs.n;
    for (int i = 0; i < n; i++) {
        Value *v = graph->outputs.at[i].value;
        if (v->op != OP_argmax)
            continue;
        const char *name = arena_printf(graph->arena, "%s.scores", graph->outputs.at[i].name);
        VEC_PUSH(graph->arena, graph->outputs, ((Output){.name = name, .value = v->args[0]}));
    }
}

static bool has_scores(const Graph *graph, int i)
{
    const Value *v = graph->outputs.at[i].value;
    for (int k = i + 1; v->op == OP_argmax && k < graph->outputs.n; k++)
        if (graph->outputs.at[k].value == v->args[0])
            return true;
    return false;
}

/* On the way a value may be ill-conditioned without harm to the outputs. */
static bool agrees(const Engine *e, const Result *r, int i, const Gap *gap, bool inside)
{
    double allowed = inside ? verify_value_tolerance : verify_output_tolerance;
    return r->type.dtype == DT_f32 ? relative(gap) <= allowed : classes_agree(e, r, i);
}

/* What of the file an output of the graph is: "Conv '/layer1/conv1/Conv'" */
static const char *what_is(const Engine *e, const Graph *graph, int i)
{
    int extra = e->nodes ? e->nodes->nodes.n : 0, first = graph->outputs.n - extra;
    if (i >= first)
        return e->nodes->nodes.at[i - first];
    return arena_printf(e->c->arena, "output '%s'", graph->outputs.at[i].name);
}

static bool results_compare(const Engine *e, const Graph *graph, const Result *results)
{
    const char *version = engine_version(e);
    int extra = e->nodes ? e->nodes->nodes.n : 0, first = graph->outputs.n - extra;
    double worst = 0;
    Gap gap;
    for (int k = 0; k < graph->outputs.n; k++) {
        int i = (first + k) % graph->outputs.n; /* nodes in the file's order, then outputs */
        if (!output_compare(e, &results[i], i, graph->outputs.at[i].name, &gap))
            return false;
        if (!has_scores(graph, i) && !agrees(e, &results[i], i, &gap, i >= first)) {
            text_printf(e->report, "ONNX Runtime %s: first difference at %s: %.3g of its range "
                                   "%.3g (element %lld)\n", version, what_is(e, graph, i),
                        relative(&gap), gap.range, (long long)gap.at);
            return false;
        }
        if (i < first && results[i].type.dtype == DT_f32 && relative(&gap) > worst)
            worst = relative(&gap);
    }
    text_printf(e->report, "%-22s ", arena_printf(e->c->arena, "ONNX Runtime %s", version));
    if (e->nodes)
        text_printf(e->report, "%d nodes agree, ", extra);
    text_printf(e->report, "outputs within %.1e of their range\n", worst);
    return true;
}

/* ---- the file ---------------------------------------------------------------------- */

/* Of an ONNX file the file itself, with every node's results as outputs where they
 * are wanted; else what the graph is written as. */
static bool model_prepare(Engine *e, const Graph *graph, const char *path)
{
    bool file = onnx_is_model(path);
    e->base = file ? path_dir(e->c->arena, path) : e->dir;
    e->model = file && !e->nodes ? path : arena_printf(e->c->arena, "%s/model.onnx", e->dir);
    if (e->model == path)
        return true;
    return file ? onnx_add_outputs(graph, path, e->nodes->nodes.n, e->model, e->c->diag)
                : onnx_export(graph, e->model, e->c->diag);
}

static enum EngineStatus engine_finish(const Engine *e, const Graph *graph,
                                       const Tensor *const *inputs)
{
    int code = engine_run(e);
    if (code == NOT_INSTALLED || code < 0 || code == 127) {
        text_printf(e->report, "ONNX Runtime           not installed in %s: no comparison "
                               "(VTC_ONNXRUNTIME_PYTHON names a Python that has it)\n",
                    python_of());
        return ENGINE_missing;
    }
    if (code != 0) {
        diag_error(e->c->diag, (Span){0}, "ONNX Runtime does not run '%s'", e->model);
        return ENGINE_differs;
    }
    const Result *results = graph_eval(graph, e->c->o.exact ? EVAL_exact : EVAL_quick, inputs,
                                       graph->arena, NULL, NULL, e->c->diag);
    return results && results_compare(e, graph, results) ? ENGINE_agrees : ENGINE_differs;
}

enum EngineStatus verify_engine(Context *c, Graph *graph, const OnnxOptions *nodes,
                                const Tensor *const *inputs, Text *report)
{
    Engine e = {.c = c, .nodes = nodes, .report = report, .dir = build_tempdir(c->arena, c->diag)};
    enum EngineStatus status = ENGINE_differs;
    if (!e.dir)
        return status;
    if (!onnx_is_model(c->o.models[0]))
        scores_add(graph);
    bool good = model_prepare(&e, graph, c->o.models[0]);
    for (int i = 0; good && i < graph_input_count(graph); i++)
        good = input_write(&e, i, inputs[i]);
    if (good)
        status = engine_finish(&e, graph, inputs);
    process_tempdir_end();
    return status;
}
