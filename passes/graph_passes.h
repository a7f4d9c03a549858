/* The graph passes, one file each; their rows are in passes.def. */
#ifndef VTC_PASSES_GRAPH_PASSES_H
#define VTC_PASSES_GRAPH_PASSES_H

#include "passes/layout.h"
#include "passes/pass.h"

/* A group of one, for values that later passes add. Its index. */
int group_new(Graph *graph, Value *value);
/* Groups without members go; the others move up. */
void groups_drop_empty(Graph *graph);

#define GRAPH_PASS(name) void pass_##name(Graph *graph, const Target *target)
GRAPH_PASS(canonicalize);
GRAPH_PASS(fold_batch_norm);
GRAPH_PASS(fold_constants);
GRAPH_PASS(common_subexpressions);
GRAPH_PASS(dead_code);
GRAPH_PASS(merge_siblings);
GRAPH_PASS(fuse_tokenizer);
GRAPH_PASS(fuse_projector);
GRAPH_PASS(lower_groups);
GRAPH_PASS(order_windows);
GRAPH_PASS(group);
GRAPH_PASS(schedule);
GRAPH_PASS(fuse_inputs);
GRAPH_PASS(fuse_pool);
GRAPH_PASS(fuse_attention);
GRAPH_PASS(layout);
GRAPH_PASS(pack_weights);
GRAPH_PASS(plan_memory);

#endif
