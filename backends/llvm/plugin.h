/* The LLVM back end as a part that is loaded when it is first needed: LLVM's
 * libraries cost tens of megabytes and a tenth of a second merely by being linked.
 * Both sides are one source tree; `sizes` refuses a part of another build. */
#ifndef VTC_BACKENDS_LLVM_PLUGIN_H
#define VTC_BACKENDS_LLVM_PLUGIN_H

#include "backends/llvm/llvm.h"

#define LLVM_PLUGIN_FILE "vtc_llvm.so"
#define LLVM_PLUGIN_SYMBOL "vtc_llvm_plugin"

/* What both sides read by its layout. */
#define LLVM_PLUGIN_SIZES                                                      \
    {sizeof(Program), sizeof(Kernel), sizeof(Step), sizeof(Stmt), sizeof(Expr), \
     sizeof(Target), sizeof(Abi), sizeof(Blob), sizeof(LlvmOptions), sizeof(VtcModel), OP_COUNT}
enum { LLVM_PLUGIN_SIZE_COUNT = 11 };

/* One module to make, and who takes its bytes: files are the compiler's own affair. */
typedef struct LlvmRequest {
    const Program *program;
    const Abi *abi;
    const Blob *blob;
    const LlvmOptions *options;
    void (*put)(void *to, const void *data, size_t n);
    void *to;
} LlvmRequest;

typedef struct LlvmPlugin {
    size_t sizes[LLVM_PLUGIN_SIZE_COUNT];
    bool (*make)(const LlvmRequest *request, Diag *diag);
    const VtcModel *(*load)(const Program *program, const Blob *blob, Diag *diag);
} LlvmPlugin;

/* object.c, load.c */
bool llvm_make(const LlvmRequest *request, Diag *diag);
const VtcModel *llvm_link_here(const Program *program, const Blob *blob, Diag *diag);

#endif
