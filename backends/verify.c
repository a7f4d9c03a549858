/* Comparing every stage of a network with the reference. */
#include "backends/verify.h"
#include "backends/blob.h"
#include "backends/llvm/llvm.h"
#include "backends/process.h"
#include "support/progress.h"
#include <float.h>
#include <math.h>
#include <string.h>

const double verify_output_tolerance = 1e-4;
/* A value on the way may be ill-conditioned (exp of a large score) without harm
 * to the output. */
const double verify_value_tolerance = 2e-3;
const double verify_class_tolerance = 1e-3;
/* Between two graphs of the same meaning. */
static const double quick_tolerance = 1e-4, exact_tolerance = 1e-5;

enum { EXACT_MACS = 100000000 };

typedef struct Verify {
    const VerifyOptions *o;
    Graph *graph;
    Text *report;
    Diag *diag;
    Arena *arena;
    EvalMode mode;
    Result *reference; /* outputs of the graph as written */
    double **values;   /* of the final graph, by value id; not where only wholes run */
    const char *first; /* the stage whose outputs' bits all others must have */
    uint64_t bits;
    bool failed;
} Verify;

/* ---- comparing --------------------------------------------------------- */

typedef struct Difference {
    double worst;
    double low, high, largest; /* of the reference's finite elements; in magnitude */
    bool output; /* judged by how far its elements spread, not by the largest */
    int64_t at;
    int64_t elements, unequal, finite;
    bool classes; /* integers: how many differ, not by how much */
} Difference;

static double result_at(const Result *r, int64_t i)
{
    return r->exact ? r->exact[i] : (double)r->quick[i];
}

static void differ(Difference *d, double a, double b, int64_t i)
{
    d->elements++;
    d->unequal += a != b;
    if (isnan(a) && isnan(b))
        return;
    if (isfinite(a)) {
        d->low = d->finite == 0 ? a : fmin(d->low, a);
        d->high = d->finite == 0 ? a : fmax(d->high, a);
        d->largest = fmax(d->largest, fabs(a));
        d->finite++;
    }
    double gap = a == b ? 0 : fabs(a - b);
    if (!(gap <= d->worst)) {
        d->worst = isnan(gap) ? INFINITY : gap;
        d->at = i;
    }
}

/* What a difference is measured by: scores that all lie near 1000 differ as much as
 * they spread. Where they do not at all, as with one element or where only the rounding of
 * double tells them apart, their size tells. */
static double range(const Difference *d)
{
    double spread = d->output ? d->high - d->low : 0;
    bool spreads = spread > DBL_EPSILON * 16 * d->largest;
    return spreads ? spread : d->largest > 0 ? d->largest : 1;
}

static double relative(const Difference *d)
{
    if (d->classes)
        return d->elements ? (double)d->unequal / (double)d->elements : 0;
    return d->worst == 0 ? 0 : d->worst / range(d);
}

static bool judge(Verify *v, const char *stage, const char *what, const Difference *d,
                  double allowed)
{
    if (relative(d) <= (d->classes ? verify_class_tolerance : allowed))
        return true;
    if (d->classes)
        text_printf(v->report, "%s: first difference at %s: %lld of %lld elements\n", stage,
                    what, (long long)d->unequal, (long long)d->elements);
    else
        text_printf(v->report, "%s: first difference at %s: %.3g of its range %.3g (element %lld)\n",
                    stage, what, relative(d), range(d), (long long)d->at);
    v->failed = true;
    return false;
}

/* ---- passes ------------------------------------------------------------ */

static void compare_outputs(Verify *v, const PassInfo *pass, const Graph *graph)
{
    Arena *arena = arena_new();
    Result *now = graph_eval(graph, v->mode, v->o->inputs, arena, NULL, NULL, v->diag);
    double allowed = v->mode == EVAL_exact ? exact_tolerance : quick_tolerance;
    for (int i = 0; now && i < graph->outputs.n && !v->failed; i++) {
        Difference d = {.classes = now[i].type.dtype != DT_f32, .output = !v->o->by_size};
        for (int64_t k = 0; k < shape_count(&now[i].type.shape); k++)
            differ(&d, result_at(&v->reference[i], k), result_at(&now[i], k), k);
        judge(v, arena_printf(v->arena, "after pass %s", pass->name),
              graph->outputs.at[i].name, &d, allowed);
    }
    v->failed = v->failed || !now;
    arena_free(arena);
}

static void after_pass(void *context, const PassInfo *pass, const Graph *graph,
                       const Program *program)
{
    Verify *v = context;
    progress("verify: after pass %s", pass->name);
    if (v->o->hook)
        v->o->hook(v->o->context, pass, (Graph *)(uintptr_t)graph,
                   (Program *)(uintptr_t)program);
    if (!program && !v->failed && !v->o->whole)
        compare_outputs(v, pass, graph);
}

/* ---- steps ------------------------------------------------------------- */

static void keep_value(void *context, const Value *value, const Result *result)
{
    Verify *v = context;
    int64_t n = shape_count(&result->type.shape);
    v->values[value->id] = NEW(v->arena, double, n);
    for (int64_t i = 0; i < n; i++)
        v->values[value->id][i] = result_at(result, i);
}

static int64_t offset_of(const Value *value, int64_t element)
{
    const Shape *s = &value->type.shape;
    int64_t at = 0;
    for (int k = s->rank - 1; k >= 0; k--) {
        at += element % s->dim[k] * value->place.stride[k];
        element /= s->dim[k];
    }
    return at;
}

static Difference compare_value(const Verify *v, const Value *value, const Memory *m)
{
    void *base = value->place.home == HOME_output ? m->outputs[value->place.port]
                                                  : m->workspace + value->place.offset;
    Tensor stored = {{value->type.dtype, {0}}, base};
    Difference d = {.classes = value->type.dtype != DT_f32,
                    .output = value->place.home == HOME_output && !v->o->by_size};
    for (int64_t i = 0; i < shape_count(&value->type.shape); i++)
        differ(&d, v->values[value->id][i], tensor_get(&stored, offset_of(value, i)), i);
    return d;
}

static uint64_t output_bits(const Program *p, const Memory *m)
{
    uint64_t hash = 14695981039346656037u;
    for (int i = 0; i < p->graph->outputs.n; i++) {
        const unsigned char *at = m->outputs[i];
        for (int64_t k = 0; k < type_bytes(&p->graph->outputs.at[i].value->type); k++)
            hash = (hash ^ at[k]) * 1099511628211u;
    }
    return hash;
}

typedef struct Stage {
    const char *name;
    const VtcModel *model; /* NULL: the loop interpreter */
} Stage;

static int run_step(const Program *p, const Stage *stage, const Memory *m, int i)
{
    if (stage->model)
        return stage->model->run_steps(m->weights, m->inputs, m->outputs, m->workspace, NULL,
                                       i, i + 1);
    program_eval(p, m, i, i + 1);
    return 0;
}

static void compare_bits(Verify *v, const char *what, uint64_t bits)
{
    if (bits == v->bits)
        return;
    text_printf(v->report, "%s: its bits differ from %s's\n", what, v->first);
    v->failed = true;
}

/* What a stage's outputs came to; the first stage's bits are all others'. A library adds
 * in its own order: then only compiled stages agree in their bits. */
static void outputs_agree(Verify *v, const Program *p, const Stage *stage, const Memory *m,
                          const char *steps, const Difference *worst)
{
    uint64_t bits = output_bits(p, m);
    bool library = !stage->model && program_has_products(p);
    if (!v->first && !library) {
        v->first = stage->name;
        v->bits = bits;
    }
    if (!library)
        compare_bits(v, stage->name, bits);
    if (v->failed)
        return;
    text_printf(v->report, "%-22s %soutputs within %.2g of their range, ", stage->name, steps,
                worst->worst / range(worst));
    if (worst->unequal)
        text_printf(v->report, "%lld of %lld classes differ, ", (long long)worst->unequal,
                    (long long)worst->elements);
    if (library)
        text_add(v->report, "bits a BLAS's own in compiled code\n");
    else
        text_printf(v->report, "bits %016llx\n", (unsigned long long)bits);
}

/* The worst of several outputs: the largest difference, all classes that differ. */
static void worsen(Difference *worst, const Difference *d)
{
    if (d->classes) {
        worst->unequal += d->unequal;
        worst->elements += d->elements;
    } else if (relative(d) > relative(worst)) {
        worst->worst = d->worst;
        worst->largest = range(d); /* and no output: a value by its size */
    }
}

/* The workspace starts as NaNs: nothing may rest on what was there before. */
static void clear(const Program *p, const Memory *m)
{
    memset(m->workspace, 0xff, (size_t)p->workspace_bytes);
}

static void refused(Verify *v, const char *stage, const char *what)
{
    text_printf(v->report, "%s: %s was refused\n", stage, what);
    v->failed = true;
}

static void run_stage(Verify *v, const Program *p, const Stage *stage, const Memory *m)
{
    Difference worst = {0};
    clear(p, m);
    for (int i = 0; i < p->steps.n; i++) {
        const Step *step = &p->steps.at[i];
        bool is_output = step->value->place.home == HOME_output;
        progress("verify: %s, step %d of %d, %s", stage->name, i + 1, p->steps.n, step->name);
        if (run_step(p, stage, m, i) != 0) {
            refused(v, stage->name, arena_printf(v->arena, "step %s", step->name));
            return;
        }
        if (step->unfinished)
            continue;
        Difference d = compare_value(v, step->value, m);
        if (!judge(v, stage->name, step->name, &d,
                   is_output ? verify_output_tolerance : verify_value_tolerance))
            return;
        if (is_output)
            worsen(&worst, &d);
    }
    outputs_agree(v, p, stage, m, arena_printf(v->arena, "%3d steps agree, ", p->steps.n),
                  &worst);
}

/* One run of the whole network, beside the reference of the graph as written. */
static void run_whole(Verify *v, const Program *p, const Stage *stage, const Memory *m)
{
    Difference worst = {0};
    clear(p, m);
    progress("verify: %s, the whole network", stage->name);
    if (stage->model->run(m->weights, m->inputs, m->outputs, m->workspace, NULL) != 0) {
        refused(v, stage->name, "the run");
        return;
    }
    for (int i = 0; i < p->graph->outputs.n; i++) {
        const Output *port = &p->graph->outputs.at[i];
        Tensor stored = {{port->value->type.dtype, {0}}, m->outputs[i]};
        Difference d = {.classes = port->value->type.dtype != DT_f32, .output = !v->o->by_size};
        for (int64_t k = 0; k < shape_count(&port->value->type.shape); k++)
            differ(&d, result_at(&v->reference[i], k), tensor_get(&stored, k), k);
        if (!judge(v, stage->name, port->name, &d, verify_output_tolerance))
            return;
        worsen(&worst, &d);
    }
    outputs_agree(v, p, stage, m, "", &worst);
}

static void run_executors(Verify *v, const Program *p, const Stage *stage, const Memory *m)
{
    for (int i = 0; v->o->executors && v->o->executors[i] && !v->failed; i++) {
        const VtcExecutor *executor = v->o->executors[i];
        clear(p, m);
        const char *what = arena_printf(v->arena, "%s, %d threads", stage->name,
                                        executor->threads);
        if (stage->model->run(m->weights, m->inputs, m->outputs, m->workspace, executor) != 0) {
            refused(v, what, "the run");
            return;
        }
        compare_bits(v, what, output_bits(p, m));
        if (!v->failed)
            text_printf(v->report, "%-22s the same bits\n", what);
    }
}

/* Compiled code: step by step, then whole on each executor. */
static void run_compiled(Verify *v, const Program *p, const Stage *stage, const Memory *m)
{
    if (v->o->whole)
        run_whole(v, p, stage, m);
    else
        run_stage(v, p, stage, m);
    if (!v->failed)
        run_executors(v, p, stage, m);
}

/* Only what is not there is skipped: a network that a compiler refuses is wrong. */
static void not_made(Verify *v, const char *stage, const Diag *quiet, bool is_there)
{
    text_printf(v->report, "%-22s %s: %s\n", stage, is_there ? "failed" : "skipped",
                quiet->messages.n ? quiet->messages.at[0]->text : "does not load");
    v->failed = v->failed || is_there;
}

static void run_compilers(Verify *v, const Program *p, const Memory *m)
{
    for (int i = 0; v->o->compilers && v->o->compilers[i] && !v->failed; i++) {
        Diag *quiet = diag_new(v->arena);
        Stage stage = {arena_printf(v->arena, "C by %s", v->o->compilers[i]), NULL};
        stage.model = jit_load(p, v->o->compilers[i], v->o->verbose, quiet);
        if (stage.model)
            run_compiled(v, p, &stage, m);
        else
            not_made(v, stage.name, quiet, process_starts(v->o->compilers[i]));
    }
}

static void run_llvm(Verify *v, const Program *p, const Blob *blob, const Memory *m)
{
    Diag *quiet = diag_new(v->arena);
    if (!v->o->llvm || v->failed)
        return;
    Stage stage = {"LLVM", llvm_load(p, blob, quiet)};
    if (stage.model)
        run_compiled(v, p, &stage, m);
    else
        not_made(v, stage.name, quiet, llvm_available(diag_new(v->arena)));
}

static bool write_vector(Verify *v, const char *name, int port, const void *data,
                         const Type *type)
{
    const char *path = arena_printf(v->arena, "%s/%s_%d.bin", v->o->vectors, name, port);
    OutFile *out = outfile_open(v->arena, path, v->diag);
    if (out)
        outfile_write(out, data, (size_t)type_bytes(type));
    return out && outfile_close(out, v->diag);
}

/* input_N.bin, output_N.bin: plain elements in this machine's byte order. */
static bool write_vectors(Verify *v, const Program *p, const Memory *m)
{
    const Value **inputs = graph_inputs(p->graph, v->arena);
    bool good = true;
    for (int i = 0; good && inputs[i]; i++)
        good = write_vector(v, "input", i, m->inputs[i], &inputs[i]->type);
    for (int i = 0; good && i < p->graph->outputs.n; i++)
        good = write_vector(v, "output", i, m->outputs[i],
                            &p->graph->outputs.at[i].value->type);
    return good;
}

static void verify_program(Verify *v, const Program *p)
{
    Blob blob = blob_pack_here(v->arena, p);
    int ports = graph_input_count(p->graph);
    const void **inputs = NEW(v->arena, const void *, ports + 1);
    void **outputs = NEW(v->arena, void *, p->graph->outputs.n + 1);
    for (int i = 0; i < ports; i++)
        inputs[i] = v->o->inputs[i]->data;
    for (int i = 0; i < p->graph->outputs.n; i++) {
        int64_t bytes = type_bytes(&p->graph->outputs.at[i].value->type);
        outputs[i] = arena_alloc(v->arena, (size_t)bytes);
    }
    /* Blocks from 64 bytes on are aligned as a workspace must be. */
    size_t workspace = p->workspace_bytes > 64 ? (size_t)p->workspace_bytes : 64;
    Memory m = {blob.payload, arena_alloc(v->arena, workspace), inputs, outputs};
    if (!v->o->whole)
        run_stage(v, p, &(Stage){"loop interpreter", NULL}, &m);
    if (v->failed)
        return;
    if (v->o->vectors && !write_vectors(v, p, &m))
        return;
    if (!target_runs_here(p->target)) {
        text_printf(v->report, "compiled code          skipped: this machine is no %s\n",
                    p->target->name);
        return;
    }
    run_compilers(v, p, &m);
    run_llvm(v, p, &blob, &m);
}

bool verify_graph(Graph *graph, const VerifyOptions *options, Text *report, Diag *diag)
{
    Verify v = {.o = options, .graph = graph, .report = report, .diag = diag,
                .arena = graph->arena};
    PipelineOptions pipeline = options->pipeline;
    Program *program = NULL;
    bool small = graph_macs(graph) < EXACT_MACS;
    v.mode = small || options->exact ? EVAL_exact : EVAL_quick;
    progress("verify: the reference");
    v.reference = graph_eval(graph, v.mode, options->inputs, v.arena, NULL, NULL, diag);
    if (!v.reference)
        return false;
    if (v.mode == EVAL_exact && !small)
        v.mode = EVAL_quick; /* the passes in between are judged by the quick mode */
    pipeline.after = after_pass;
    pipeline.context = &v;
    if (!pipeline_run(graph, options->target, &pipeline, &program, diag) || !program ||
        v.failed) {
        progress_end();
        return false;
    }
    progress("verify: the values on the way");
    v.mode = small || options->exact ? EVAL_exact : EVAL_quick;
    if (!options->whole) {
        text_printf(report, "%-22s agree with the graph as written\n", "passes");
        v.values = NEW(v.arena, double *, graph->next_id + 1);
        graph_eval(graph, v.mode, options->inputs, v.arena, keep_value, &v, diag);
    }
    verify_program(&v, program);
    progress_end();
    return !v.failed;
}
