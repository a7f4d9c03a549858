/* Timing a network on the machine it runs on. */
#ifndef VTC_BENCH_H
#define VTC_BENCH_H

#include "session.h"
#include <stdbool.h>
#include <stdio.h>

typedef struct VtcBench {
    int runs;    /* timed, after one that is not */
    bool layers; /* each step too; needs model->run_steps */
    bool json;
} VtcBench;

/* On the session's inputs as they are. Prints the smallest and the median time
 * of a run and, for layers, the smallest time of each step when it runs by
 * itself. VTC_ERR_RANGE for layers without run_steps, _MEMORY, errors of run. */
int vtc_bench_run(VtcSession *session, const VtcBench *bench, FILE *out,
                  VtcError *error);

/* Inputs when none are given: the same pattern every time, -1..1 for f32, 0 for
 * other types (indices that are in range everywhere). */
void vtc_bench_pattern(const VtcSession *session);

#endif
