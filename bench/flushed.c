/* Times a network whose weights, workspace, inputs and outputs are thrown out of all
 * caches before each run. Prints JSON: min_ms, median_ms, weights_bytes. Compiled with
 * the network's header and its name:
 *
 *     cc -DHEADER='"net.h"' -DMODEL=net_model flushed.c libnet.a libvtcrt.a -lpthread -lm
 *     flushed THREADS RUNS */
#define _GNU_SOURCE
#include "flush.h"
#include HEADER
#include "bench.h"
#include "session.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void flush_session(const VtcSession *session)
{
    const VtcModel *model = session->model;
    flush_caches(session->weights.data, model->weights_bytes);
    flush_caches(session->workspace, model->workspace_bytes);
    for (int i = 0; i < model->input_count; i++)
        flush_caches(session->inputs[i], model->inputs[i].bytes);
    for (int i = 0; i < model->output_count; i++)
        flush_caches(session->outputs[i], model->outputs[i].bytes);
}

int main(int argc, char **argv)
{
    enum { MOST_RUNS = 1000 };
    static double ms[MOST_RUNS];
    int threads = argc > 1 ? atoi(argv[1]) : 1, runs = argc > 2 ? atoi(argv[2]) : 50;
    VtcSession session;
    VtcError error;
    if (runs < 1 || runs > MOST_RUNS ||
        vtc_session_open(&session, &MODEL, NULL, threads, &error) != VTC_OK)
        return 2;
    vtc_bench_pattern(&session);
    if (vtc_session_run(&session, &error) != VTC_OK)
        return 1;
    for (int i = 0; i < runs; i++) {
        flush_session(&session);
        double start = now_ms();
        vtc_session_run(&session, &error);
        ms[i] = now_ms() - start;
    }
    qsort(ms, (size_t)runs, sizeof *ms, compare_times);
    printf("{\"min_ms\": %.4f, \"median_ms\": %.4f, \"weights_bytes\": %llu}\n", ms[0],
           ms[runs / 2], (unsigned long long)MODEL.weights_bytes);
    vtc_session_close(&session);
    return 0;
}
