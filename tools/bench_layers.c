/* Times of layers: the network and the measuring program (peak.c) are compiled into
 * this process and run by the step, peaks before and after the network. */
#include "tools/tune.h"
#include "backends/jit.h"
#include "backends/llvm/llvm.h"
#include "runtime/bench.h"
#include "tools/peak.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PEAK_ROUNDS = 15 };

double bench_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* ---- running ----------------------------------------------------------- */

static const VtcModel *load(Context *c, const Program *program)
{
    if (c->backend == BACKEND_c)
        return jit_load(program, NULL, c->o.verbose, c->diag);
    Blob *blob = NEW(c->arena, Blob, 1);
    *blob = blob_pack(c->arena, program);
    return llvm_load(program, blob, c->diag);
}

bool bench_open(Context *c, VtcSession *session, const Program *program)
{
    VtcError error;
    const VtcModel *model = load(c, program);
    if (!model)
        return false;
    if (vtc_session_open(session, model, NULL, c->o.threads, &error) != VTC_OK) {
        diag_error(c->diag, (Span){0}, "%s", error.text);
        return false;
    }
    vtc_bench_pattern(session);
    return true;
}

/* Or bug: the arguments are ours. */
double bench_time_steps(const VtcSession *session, int first, int last)
{
    VtcError error;
    double begin = bench_now_ms();
    if (vtc_session_run_steps(session, first, last, &error) != VTC_OK)
        bug("bench: %s", error.text);
    return bench_now_ms() - begin;
}

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void time_runs(Bench *bench, const VtcSession *session, Arena *arena)
{
    double *ms = NEW(arena, double, bench->runs);
    int steps = session->model->step_count;
    bench_time_steps(session, 0, steps);
    for (int i = 0; i < bench->runs; i++)
        ms[i] = bench_time_steps(session, 0, steps);
    qsort(ms, (size_t)bench->runs, sizeof *ms, compare_times);
    bench->min_ms = ms[0];
    bench->median_ms = ms[bench->runs / 2];
}

/* The smallest time of each step, when each runs by itself, in order. */
static double *time_each(const Bench *bench, const VtcSession *session, Arena *arena)
{
    int steps = session->model->step_count;
    double *least = NEW(arena, double, steps);
    for (int run = 0; run < bench->runs; run++)
        for (int i = 0; i < steps; i++) {
            double ms = bench_time_steps(session, i, i + 1);
            least[i] = run == 0 || ms < least[i] ? ms : least[i];
        }
    return least;
}

/* ---- layers ------------------------------------------------------------ */

/* What a step reads and writes outside the scratch of threads, each place once. */
static int64_t step_bytes(const Step *step)
{
    int64_t bytes = 0;
    for (int i = 0; i < step->args.n; i++) {
        const Arg *arg = &step->args.at[i];
        const Param *param = &step->kernel->params.at[i];
        bool seen = arg->buffer == BUF_scratch || arg->buffer == BUF_copy;
        for (int k = 0; k < i; k++)
            seen = seen || (step->args.at[k].buffer == arg->buffer &&
                            step->args.at[k].port == arg->port &&
                            step->args.at[k].offset == arg->offset);
        bytes += seen ? 0 : param->extent * dtype_info[param->dtype].bytes;
    }
    return bytes;
}

/* As the graph's text has it: winograd(4). */
static const char *algorithm_of(Arena *arena, const Value *product)
{
    OpClass class = op_info[product->op].class;
    bool has = class == CLASS_conv || class == CLASS_product;
    return has ? schedule_text(arena, product->schedule) : "";
}

static LayerTime *layer_time(Bench *bench, Arena *arena, const int *layers, int layer, int *n)
{
    for (int i = 0; i < *n; i++)
        if (layers[i] == layer)
            return &bench->layers.at[i];
    VEC_PUSH(arena, bench->layers, (LayerTime){.algorithm = ""});
    (*n)++;
    return &bench->layers.at[*n - 1];
}

static void collect_layers(Bench *bench, Arena *arena, const Program *program, const double *ms)
{
    int *layers = NEW(arena, int, program->steps.n + 1), n = 0;
    for (int i = 0; i < program->steps.n; i++) {
        const Step *step = &program->steps.at[i];
        int layer = report_layer_of_step(arena, bench->report, program, step);
        LayerTime *time = layer_time(bench, arena, layers, layer, &n);
        layers[time - bench->layers.at] = layer;
        bench->report->layers.at[layer].cost.macs_lowered += step_macs(step);
        if (!time->algorithm[0])
            time->algorithm = algorithm_of(arena, step_product(program, step));
        time->steps++;
        time->ms += ms[i];
        time->bytes += step_bytes(step);
    }
    for (int i = 0; i < n; i++)
        bench->layers.at[i].row = &bench->report->layers.at[layers[i]];
}

double layer_compute_ms(const Bench *bench, const LayerTime *layer)
{
    return 2e-6 * (double)layer->row->cost.macs_lowered / bench->peak_gflops;
}

double layer_memory_ms(const Bench *bench, const LayerTime *layer)
{
    return 1e-6 * (double)layer->bytes / bench->bandwidth_gbs;
}

/* ---- the machine ------------------------------------------------------- */

static void measure_peaks(Bench *bench, const VtcSession *peak, const Program *program)
{
    for (int i = 0; i < PEAK_ROUNDS; i++) {
        bench_time_steps(peak, PEAK_write, PEAK_write + 1);
        double read = bench_time_steps(peak, PEAK_read, PEAK_read + 1);
        double multiply = bench_time_steps(peak, PEAK_multiply, PEAK_multiply + 1);
        double gbs = 1e-6 * (double)peak_bytes(program) / read;
        double gflops = 2e-6 * (double)peak_macs(program) / multiply;
        bench->bandwidth_gbs = gbs > bench->bandwidth_gbs ? gbs : bench->bandwidth_gbs;
        bench->peak_gflops = gflops > bench->peak_gflops ? gflops : bench->peak_gflops;
    }
}

static void run_all(Context *c, Bench *bench, const Program *program, VtcSession *network)
{
    VtcSession peak;
    Program *measuring = peak_program(c->arena, c->target,
                                      program->weights_bytes + program->workspace_bytes,
                                      program->max_threads);
    if (!bench_open(c, &peak, measuring))
        return;
    bench->threads = network->threads;
    measure_peaks(bench, &peak, measuring);
    time_runs(bench, network, c->arena);
    const double *ms = time_each(bench, network, c->arena);
    measure_peaks(bench, &peak, measuring);
    collect_layers(bench, c->arena, program, ms);
    vtc_session_close(&peak);
}

Bench *bench_layers(Context *c)
{
    Graph *graph = load_model(c, c->o.models[0], false);
    if (!graph)
        return NULL;
    if (!is_bound(graph))
        weights_init(graph, c->o.seed);
    Bench *bench = NEW(c->arena, Bench, 1);
    *bench = (Bench){.model = graph->name, .target = c->target->name, .runs = c->o.runs,
                     .backend = c->backend == BACKEND_c ? "c" : "llvm"};
    bench->report = report_begin(c->arena, graph);
    Program *program;
    VtcSession network;
    if (!run_passes(c, graph, &program, NULL, NULL) || !bench_open(c, &network, program))
        return NULL;
    run_all(c, bench, program, &network);
    vtc_session_close(&network);
    return c->diag->errors ? NULL : bench;
}
