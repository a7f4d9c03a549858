/* Timing a network: two runs to warm caches and pages, weights moved between
 * them to where they are read fastest, then the timed ones. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include "json.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int time_runs(VtcSession *session, double *ms, int runs,
                     VtcError *error)
{
    int status = vtc_session_run(session, error);
    vtc_session_settle(session);
    if (status == VTC_OK)
        status = vtc_session_run(session, error);
    for (int i = 0; i < runs && status == VTC_OK; i++) {
        double begin = now_ms();
        status = vtc_session_run(session, error);
        ms[i] = now_ms() - begin;
    }
    if (status == VTC_OK)
        qsort(ms, (size_t)runs, sizeof *ms, compare_times);
    return status;
}

/* The smallest time of each step over the runs. */
static int time_steps(const VtcSession *session, double *ms, int runs,
                      VtcError *error)
{
    int status = VTC_OK;
    for (int run = 0; run < runs; run++)
        for (int i = 0; i < session->model->step_count && status == VTC_OK;
             i++) {
            double begin = now_ms();
            status = vtc_session_run_steps(session, i, i + 1, error);
            double taken = now_ms() - begin;
            ms[i] = run == 0 || taken < ms[i] ? taken : ms[i];
        }
    return status;
}

static const char *step_name(const VtcModel *model, int step)
{
    return model->step_names != NULL ? model->step_names[step] : "step";
}

static void print_text(const VtcSession *session, const VtcBench *bench,
                       FILE *out, const double *ms, const double *steps)
{
    const VtcModel *model = session->model;
    fprintf(out, "%s: min %.3f ms, median %.3f ms, %d runs, %d threads\n",
            model->name, ms[0], ms[bench->runs / 2], bench->runs,
            session->threads);
    for (int i = 0; steps != NULL && i < model->step_count; i++)
        fprintf(out, "%10.4f ms  %s\n", steps[i], step_name(model, i));
}

static void print_json(const VtcSession *session, const VtcBench *bench,
                       FILE *out, const double *ms, const double *steps)
{
    const VtcModel *model = session->model;
    fputs("{\"name\": ", out);
    vtc_json_string(out, model->name);
    fprintf(out, ", \"min_ms\": %.6f, \"median_ms\": %.6f, \"runs\": %d, "
                 "\"threads\": %d, \"layers\": [",
            ms[0], ms[bench->runs / 2], bench->runs, session->threads);
    for (int i = 0; steps != NULL && i < model->step_count; i++) {
        fprintf(out, "%s{\"name\": ", i > 0 ? ", " : "");
        vtc_json_string(out, step_name(model, i));
        fprintf(out, ", \"min_ms\": %.6f}", steps[i]);
    }
    fputs("]}\n", out);
}

int vtc_bench_run(VtcSession *session, const VtcBench *bench, FILE *out,
                  VtcError *error)
{
    if (bench->layers && session->model->run_steps == NULL)
        return vtc_fail(error, VTC_ERR_RANGE,
                        "'%s' was built without an entry for single steps",
                        session->model->name);
    size_t steps = bench->layers ? (size_t)session->model->step_count : 0;
    double *ms = calloc((size_t)bench->runs + steps, sizeof *ms);
    if (ms == NULL)
        return vtc_fail(error, VTC_ERR_MEMORY, "out of memory for %d times",
                        bench->runs);
    double *step_ms = bench->layers ? ms + bench->runs : NULL;
    int status = time_runs(session, ms, bench->runs, error);
    if (status == VTC_OK && bench->layers)
        status = time_steps(session, step_ms, bench->runs, error);
    if (status == VTC_OK && bench->json)
        print_json(session, bench, out, ms, step_ms);
    else if (status == VTC_OK)
        print_text(session, bench, out, ms, step_ms);
    free(ms);
    return status;
}

void vtc_bench_pattern(const VtcSession *session)
{
    for (int i = 0; i < session->model->input_count; i++) {
        const VtcTensorInfo *info = &session->model->inputs[i];
        uint32_t state = 1;
        if (info->dtype != VTC_f32) {
            memset(session->inputs[i], 0, (size_t)info->bytes);
            continue;
        }
        float *at = session->inputs[i];
        for (uint64_t k = 0; k < info->bytes / sizeof *at; k++) {
            state = state * 1664525u + 1013904223u; /* Numerical Recipes */
            at[k] = (float)(state >> 8) / 8388608.0f - 1.0f;
        }
    }
}
