/* A graph compiled into this process by LLVM, all passes run, and run once. */
#ifndef TESTS_ONNX_RUN_COMPILED_H
#define TESTS_ONNX_RUN_COMPILED_H

#include "ir/graph.h"

/* The outputs as graph_eval gives them; NULL with diag. Passes change the graph. */
Result *run_compiled(Arena *arena, Graph *graph, const Tensor *const *inputs, Diag *diag);

#endif
