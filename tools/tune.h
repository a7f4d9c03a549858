/* What vtc tune shares with vtc bench: networks compiled into this process, timed by
 * the step. */
#ifndef VTC_TOOLS_TUNE_H
#define VTC_TOOLS_TUNE_H

#include "runtime/session.h"
#include "tools/bench.h"

double bench_now_ms(void);
/* Compiled, its inputs filled; false with diag. */
bool bench_open(Context *c, VtcSession *session, const Program *program);
/* Steps [first, last), ms. */
double bench_time_steps(const VtcSession *session, int first, int last);

#endif
