/* A program compiled to a shared library and loaded into this process. */
#ifndef VTC_BACKENDS_JIT_H
#define VTC_BACKENDS_JIT_H

#include "backends/build.h"
#include "runtime/vtc_abi.h"

/* NULL with diag when it cannot be compiled or loaded. `compiler` NULL: the usual
 * one. The library stays loaded until the process ends. */
const VtcModel *jit_load(const Program *program, const char *compiler, bool verbose,
                         Diag *diag);

#endif
