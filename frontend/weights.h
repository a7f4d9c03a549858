/* Weights of a graph: bound from a file, or made up by seed. */
#ifndef VTC_FRONTEND_WEIGHTS_H
#define VTC_FRONTEND_WEIGHTS_H

#include "frontend/safetensors.h"

/* Gives every OP_weight its elements. Missing, extra and mis-shaped tensors are
 * listed all at once with the nearest names; missing and mis-shaped ones are
 * errors, extra ones warnings. `path`: safetensors. */
bool weights_bind(Graph *graph, Diag *diag, const char *path);

/* Deterministic random weights (SplitMix64 by seed and name): He-scaled matrices,
 * non-trivial norm statistics, larger scales before a softmax so that attention
 * is peaked. Every part of a network moves its output. */
void weights_init(Graph *graph, uint64_t seed);
bool weights_write(const Graph *graph, Diag *diag, const char *path);

#endif
