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

/* NULL: it has our shape, and *gap says how far it is; else what is wrong. */
static const char *output_compare(const Engine *e, const Result *r, int i, Gap *gap)
{
    VtcArray array = {0};
    VtcError error = {0};
    const char *path = arena_printf(e->c->arena, "%s/output_%d.npy", e->dir, i);
    Type theirs = {r->type.dtype, {0}};
    *gap = (Gap){0};
    if (vtc_array_load(&array, path, &error) != VTC_OK)
        return arena_strdup(e->c->arena, error.text);
    theirs.shape = shape_of(array.rank, array.dims);
    if (!shape_equal(&theirs.shape, &r->type.shape)) {
        Text text = text_new(e->c->arena);
        text_type(&text, &theirs);
        text_add(&text, " there, here ");
        text_type(&text, &r->type);
        vtc_array_free(&array);
        return text_str(&text);
    }
    for (int64_t k = 0; k < array.count; k++) {
        double a = r->exact ? r->exact[k] : (double)r->quick[k], b = array_at(&array, k);
        double d = a == b || (isnan(a) && isnan(b)) ? 0 : fabs(a - b);
        gap->range = isfinite(b) && fabs(b) > gap->range ? fabs(b) : gap->range;
        if (!(d <= gap->worst)) {
            gap->worst = isnan(d) ? INFINITY : d;
            gap->at = k;
        }
    }
    vtc_array_free(&array);
    return NULL;
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

/* Does output i agree? Else how it differs, as the first that does; *worst: of outputs. */
static bool output_agrees(const Engine *e, const Graph *graph, const Result *results, OnnxMade made,
                          Text *report, double *worst)
{
    Gap gap;
    int i = made.output;
    bool inside = e->nodes && i >= e->nodes->file_outputs;
    const char *wrong = output_compare(e, &results[i], i, &gap);
    if (!wrong && !has_scores(graph, i) && !agrees(e, &results[i], i, &gap, inside))
        wrong = arena_printf(e->c->arena, "%.3g of its range %.3g (element %lld)", relative(&gap),
                             gap.range, (long long)gap.at);
    if (wrong)
        text_printf(report, "ONNX Runtime %s: first difference at %s: %s\n", engine_version(e),
                    made.what, wrong);
    if (!inside && results[i].type.dtype == DT_f32 && relative(&gap) > *worst)
        *worst = relative(&gap);
    return !wrong;
}

/* Nodes in the file's order, then the outputs. */
static bool results_compare(const Engine *e, const Graph *graph, const Result *results,
                            Text *report)
{
    int nodes = e->nodes ? e->nodes->nodes.n : 0;
    int outputs = e->nodes ? e->nodes->file_outputs : graph->outputs.n;
    double worst = 0;
    for (int i = 0; i < nodes; i++)
        if (!output_agrees(e, graph, results, e->nodes->nodes.at[i], report, &worst))
            return false;
    for (int i = 0; i < outputs; i++) {
        OnnxMade made = {arena_printf(e->c->arena, "output '%s'", graph->outputs.at[i].name), i};
        if (!output_agrees(e, graph, results, made, report, &worst))
            return false;
    }
    text_printf(report, "%-22s ", arena_printf(e->c->arena, "ONNX Runtime %s", engine_version(e)));
    if (nodes)
        text_printf(report, "%d nodes agree, ", nodes);
    text_printf(report, "outputs within %.1e of their range\n", worst);
    return true;
}

/* What differs from the reference in f32 is held against that in double, which takes
 * longer: both round, and one may be as far from the truth as the other. */
static bool engine_judge(const Engine *e, const Graph *graph, const Tensor *const *inputs)
{
    for (int exact = e->c->o.exact; exact <= 1; exact++) {
        Text report = text_new(e->c->arena);
        const Result *results = graph_eval(graph, exact ? EVAL_exact : EVAL_quick, inputs,
                                           graph->arena, NULL, NULL, e->c->diag);
        bool good = results && results_compare(e, graph, results, &report);
        if (good || exact || !results) {
            text_add(e->report, text_str(&report));
            return good;
        }
    }
    return false;
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
    return file ? onnx_add_outputs(graph, path, graph->outputs.n - e->nodes->file_outputs, e->model,
                                   e->c->diag)
                : model_export(e->c, graph, e->model);
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
    return engine_judge(e, graph, inputs) ? ENGINE_agrees : ENGINE_differs;
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
