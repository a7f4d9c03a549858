/* Workspace that the steps of one group use for themselves: memory planning asks
 * how much, lowering where. */
#ifndef VTC_PASSES_TEMPORARY_H
#define VTC_PASSES_TEMPORARY_H

#include "ir/graph.h"
#include "ir/target.h"

/* Bytes only; the offset is plan_memory's to set. */
Temporary group_temporary(const Group *group, const Target *target, int max_threads);
/* Up to the next multiple of 64. */
int64_t temporary_align(int64_t bytes);

#endif
