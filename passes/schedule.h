/* Which schedules a convolution can have: what choosing and measuring agree on. */
#ifndef VTC_PASSES_SCHEDULE_H
#define VTC_PASSES_SCHEDULE_H

#include "ir/graph.h"
#include "ir/target.h"

/* Can it be computed so, under the graph's options? direct has tile 0. */
bool schedule_allowed(const Graph *graph, const Value *conv, Schedule schedule,
                      const Target *target);

#endif
