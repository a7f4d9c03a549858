/* Comparing a network with ONNX Runtime, where some Python has it. */
#ifndef VTC_TOOLS_VERIFY_ENGINE_H
#define VTC_TOOLS_VERIFY_ENGINE_H

#include "frontend/onnx.h"
#include "tools/command.h"

enum EngineStatus {
    ENGINE_agrees,
    ENGINE_differs, /* or failed: see diag */
    ENGINE_missing  /* not installed: said in the report */
};

/* The graph as written (weights bound). `nodes`: it was read with every_node, and each
 * node is compared; NULL: outputs only. */
enum EngineStatus verify_engine(Context *c, Graph *graph, const OnnxOptions *nodes,
                                const Tensor *const *inputs, Text *report);

#endif
