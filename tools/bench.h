/* vtc bench, shared by its files: times of layers (bench_layers.c) and how they are
 * printed (bench_print.c). */
#ifndef VTC_TOOLS_BENCH_H
#define VTC_TOOLS_BENCH_H

#include "tools/report.h"

/* Steps of one layer together. Bytes: of all that its steps read and write, once. */
typedef struct LayerTime {
    const Row *row; /* its stated and its executed multiplications */
    const char *algorithm; /* of a convolution or product, else "" */
    int steps;
    double ms;
    int64_t bytes;
} LayerTime;

typedef struct Bench {
    const char *model, *target, *backend;
    int threads, runs;
    double min_ms, median_ms; /* of whole runs */
    double peak_gflops, bandwidth_gbs; /* measured in the same minute, so many threads */
    Report *report;
    VEC(LayerTime) layers; /* in the order they run */
} Bench;

/* Time that arithmetic or memory alone would take, ms; the larger is the bound. */
double layer_compute_ms(const Bench *bench, const LayerTime *layer);
double layer_memory_ms(const Bench *bench, const LayerTime *layer);

/* Compiled into this process, run and timed by the step. NULL with diag. */
Bench *bench_layers(Context *c);

Sheet *sheet_of_bench(Arena *arena, const Bench *bench);
void json_bench(const Bench *bench, Text *out);

#endif
