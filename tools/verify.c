/* vtc verify: every stage against the reference.
 *
 *   graph as written (double)  = graph after each pass (double)
 *   graph after all passes     = loop interpreter, step by step
 *                              = C, step by step, by each compiler that is there
 *
 * The first value that differs is named. Inputs are random, by --seed. */
#include "backends/blob.h"
#include "backends/jit.h"
#include "tools/command.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Largest difference allowed, in parts of the value's largest element: between f32
 * code and the reference; between graphs, when the reference is quick (f32) and
 * when it is exact (double). Graphs of few products are evaluated exactly. */
static const double tolerance = 1e-4, quick_tolerance = 3e-5, exact_tolerance = 3e-6;
enum { EXACT_MACS = 100000000 };

typedef struct Verify {
    Context *c;
    const Tensor *inputs[16];
    Result *reference;  /* outputs of the graph as written */
    bool failed;
    EvalMode mode;
    double pass_tolerance;
    Result *values;     /* of the final graph by value id (copies) */
    Arena *arena;
} Verify;

static Tensor *random_input(Arena *arena, const Value *v, uint64_t *state)
{
    Tensor *t = tensor_new(arena, v->type);
    for (int64_t i = 0; i < shape_count(&v->type.shape); i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        double x = (double)(*state >> 40) / 8388608.0 - 1;
        if (v->type.dtype == DT_f32)
            tensor_set(t, i, 2 * x);
        else
            tensor_set(t, i, v->type.dtype == DT_bool ? x > 0 : floor((x + 1) * 100));
    }
    return t;
}

/* ---- comparing --------------------------------------------------------- */

typedef struct Difference {
    double worst, range;
    int64_t at;
} Difference;

static double result_at(const Result *r, int64_t i)
{
    return r->exact ? r->exact[i] : (double)r->quick[i];
}

static void differ(Difference *d, double a, double b, int64_t i)
{
    if (isnan(a) && isnan(b))
        return;
    if (fabs(a) > d->range && isfinite(a))
        d->range = fabs(a);
    double gap = a == b ? 0 : fabs(a - b);
    if (!(gap <= d->worst)) {
        d->worst = isnan(gap) ? INFINITY : gap;
        d->at = i;
    }
}

static double relative(const Difference *d)
{
    return d->worst == 0 ? 0 : d->worst / (d->range > 0 ? d->range : 1);
}

static bool judge(Verify *v, const char *stage, const char *what, const Difference *d,
                  double allowed)
{
    if (relative(d) <= allowed)
        return true;
    printf("%s: FIRST DIFFERENCE at %s: %.3g of its range %.3g (element %lld)\n", stage,
           what, relative(d), d->range, (long long)d->at);
    v->failed = true;
    return false;
}

/* ---- passes ------------------------------------------------------------ */

static void after_pass(void *context, const PassInfo *pass, const Graph *graph,
                       const Program *program)
{
    Verify *v = context;
    if (program || v->failed)
        return;
    Arena *arena = arena_new();
    Result *now = graph_eval(graph, v->mode, v->inputs, arena, NULL, NULL, v->c->diag);
    for (int i = 0; now && i < graph->outputs.n; i++) {
        Difference d = {0};
        for (int64_t k = 0; k < shape_count(&now[i].type.shape); k++)
            differ(&d, result_at(&v->reference[i], k), result_at(&now[i], k), k);
        if (!judge(v, pass->name, graph->outputs.at[i].name, &d, v->pass_tolerance))
            break;
    }
    arena_free(arena);
}

/* ---- steps ------------------------------------------------------------- */

static void keep_value(void *context, const Value *value, const Result *result)
{
    Verify *v = context;
    size_t n = (size_t)shape_count(&result->type.shape);
    v->values[value->id] = (Result){.type = result->type, .exact = NEW(v->arena, double, n)};
    for (size_t i = 0; i < n; i++)
        v->values[value->id].exact[i] = result_at(result, (int64_t)i);
}

static double element(DType dtype, const unsigned char *base, int64_t at)
{
    Tensor t = {{dtype, {0}}, (void *)(uintptr_t)base};
    return tensor_get(&t, at);
}

static Difference compare_value(const Verify *v, const Value *value, const Memory *m)
{
    const unsigned char *base = value->place.home == HOME_output
                                    ? m->outputs[value->place.port]
                                    : m->workspace + value->place.offset;
    const Shape *s = &value->type.shape;
    Difference d = {0};
    for (int64_t i = 0; i < shape_count(s); i++) {
        int64_t rest = i, at = 0;
        for (int k = s->rank - 1; k >= 0; k--) {
            at += rest % s->dim[k] * value->place.stride[k];
            rest /= s->dim[k];
        }
        differ(&d, v->values[value->id].exact[i], element(value->type.dtype, base, at), i);
    }
    return d;
}

static uint64_t bits_of(const Program *p, const Memory *m)
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

static void run_stage(Verify *v, const Program *p, const Stage *stage, const Memory *m,
                      uint64_t *bits)
{
    Difference last = {0};
    memset(m->workspace, 0xff, (size_t)p->workspace_bytes);
    for (int i = 0; i < p->steps.n; i++) {
        int status = 0;
        if (stage->model)
            status = stage->model->run_steps(m->weights, m->inputs, m->outputs, m->workspace,
                                             NULL, i, i + 1);
        else
            program_eval(p, m, i, i + 1);
        if (status) {
            printf("%s: run_steps failed with %d\n", stage->name, status);
            v->failed = true;
            return;
        }
        last = compare_value(v, p->steps.at[i].value, m);
        if (!judge(v, stage->name, p->steps.at[i].name, &last, tolerance))
            return;
    }
    *bits = bits_of(p, m);
    printf("%-18s %3d steps agree, output within %.2g of its range, bits %016llx\n",
           stage->name, p->steps.n, relative(&last), (unsigned long long)*bits);
}

static void verify_program(Verify *v, const Program *p)
{
    static const char *const compilers[] = {"gcc", "clang"};
    Arena *arena = v->arena;
    Blob blob = blob_pack(arena, p);
    const void *inputs[16];
    void *outputs[64];
    for (int i = 0; i < 16; i++)
        inputs[i] = v->inputs[i] ? v->inputs[i]->data : NULL;
    for (int i = 0; i < p->graph->outputs.n && i < 64; i++)
        outputs[i] = arena_alloc(arena, (size_t)type_bytes(&p->graph->outputs.at[i].value->type) + 64);
    Memory m = {blob.payload, arena_alloc(arena, (size_t)p->workspace_bytes + 64), inputs,
                outputs};
    uint64_t loops = 0, bits = 0;
    run_stage(v, p, &(Stage){"loop interpreter", NULL}, &m, &loops);
    for (int i = 0; i < 2 && !v->failed; i++) {
        const VtcModel *model = jit_load(p, compilers[i], v->c->o.verbose, v->c->diag);
        if (!model)
            continue;
        run_stage(v, p, &(Stage){arena_printf(arena, "C by %s", compilers[i]), model}, &m,
                  &bits);
        if (!v->failed && bits != loops) {
            printf("C by %s: its bits differ from the loop interpreter's\n", compilers[i]);
            v->failed = true;
        }
    }
}

int command_verify(Context *c)
{
    Graph *graph = load_model(c, c->o.models[0], false);
    if (!graph)
        return context_finish(c, EXIT_INPUT);
    bool bound = true;
    FOR_VALUES(w, graph)
        bound = bound && (w->op != OP_weight || w->data);
    if (!bound)
        weights_init(graph, c->o.seed);
    Verify v = {.c = c, .arena = c->arena};
    uint64_t state = c->o.seed + 1;
    int n = 0;
    FOR_VALUES(w, graph)
        if (w->op == OP_input && n < 16)
            v.inputs[n++] = random_input(c->arena, w, &state);
    v.mode = graph_macs(graph) < EXACT_MACS ? EVAL_exact : EVAL_quick;
    v.pass_tolerance = v.mode == EVAL_exact ? exact_tolerance : quick_tolerance;
    v.reference = graph_eval(graph, v.mode, v.inputs, c->arena, NULL, NULL, c->diag);
    Program *program = NULL;
    if (!v.reference || !run_passes(c, graph, &program, after_pass, &v))
        return context_finish(c, EXIT_INPUT);
    if (!v.failed) {
        printf("%-18s agree with the graph as written\n", "passes");
        v.values = NEW(c->arena, Result, graph->next_id + 1);
        graph_eval(graph, v.mode, v.inputs, c->arena, keep_value, &v, c->diag);
        verify_program(&v, program);
    }
    return context_finish(c, v.failed ? EXIT_INPUT : EXIT_OK);
}
