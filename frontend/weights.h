/* Weights of a graph: bound from a file, or made up by seed. */
#ifndef VTC_FRONTEND_WEIGHTS_H
#define VTC_FRONTEND_WEIGHTS_H

#include "frontend/safetensors.h"

/* Gives every OP_weight its elements. Missing, extra and mis-shaped tensors are
 * listed all at once with the nearest names; missing and mis-shaped ones are
 * errors, extra ones warnings. Names may have a prefix in the file, which is told.
 * `path`: a checkpoint (tensor_file.h). `report` (may be NULL): a line for each tensor
 * of the file, whether it is used, and what as. */
bool weights_bind(Graph *graph, Diag *diag, const char *path, Text *report);

/* Deterministic random weights (SplitMix64 by seed and name): matrices scaled by what
 * they make of random_input, non-trivial norm statistics, scores such that attention is
 * peaked but not one-hot. Every tensor matters: without any one the output moves by more
 * than 100 times what compiled code may differ (tests/differential/zeroed_weights.c names
 * what cannot, as what a softmax takes away). */
void weights_init(Graph *graph, uint64_t seed);
/* An input by seed: f32 maps [N,C,H,W] like photographs, of deviation 1; other f32
 * normal; integers 0 .. 199. */
Tensor *random_input(Arena *arena, const Type *type, uint64_t seed);
bool weights_write(const Graph *graph, Diag *diag, const char *path);

#endif
