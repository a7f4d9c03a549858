/* Rules of canonicalize that stand in files of their own: what a value becomes, or NULL. */
#ifndef VTC_PASSES_CANONICALIZE_H
#define VTC_PASSES_CANONICALIZE_H

#include "ir/graph.h"

Value *rule_padded_window(Graph *g, Value *v);
Value *rule_computed_linear(Graph *g, Value *v);
Value *rule_computed_convolution(Graph *g, Value *v);

#endif
