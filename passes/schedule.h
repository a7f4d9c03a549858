/* Which schedules a convolution can have: what choosing and measuring agree on. */
#ifndef VTC_PASSES_SCHEDULE_H
#define VTC_PASSES_SCHEDULE_H

#include "ir/graph.h"
#include "ir/target.h"

/* Can it be computed so, under the graph's options? direct has tile 0. */
bool schedule_allowed(const Graph *graph, const Value *conv, Schedule schedule,
                      const Target *target);
/* What the cost model thinks of it, in multiply-adds; 0 of what is never compared
 * (toom_cook, blas). */
double schedule_cost(const Graph *graph, const Value *conv, Schedule schedule,
                     const Target *target);

#endif
