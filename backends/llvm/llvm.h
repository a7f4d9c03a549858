/* The LLVM back end: objects, assembly and LLVM text without a C compiler. Its
 * interface names nothing of LLVM, so that a build without LLVM has it too. */
#ifndef VTC_BACKENDS_LLVM_LLVM_H
#define VTC_BACKENDS_LLVM_LLVM_H

#include "backends/abi.h"
#include "backends/blob.h"
#include "runtime/vtc_abi.h"

typedef enum LlvmOutput { LLVM_object, LLVM_assembly, LLVM_text } LlvmOutput;

typedef struct LlvmOptions {
    LlvmOutput output;
    bool with_weights; /* define NAME_weights: the payload as data */
    bool with_main;    /* define vtc_main_model for the runtime's main */
    bool as_emitted;   /* without LLVM's passes: to read beside the loops */
    bool debug;        /* DWARF: each kernel its line of the model */
} LlvmOptions;

/* Was this compiler built with LLVM? When not, diag gets the package's name. */
bool llvm_available(Diag *diag);
/* Writes what the options say to `path`; false with diag. */
bool llvm_compile(const Program *program, const Abi *abi, const Blob *blob,
                  const LlvmOptions *options, const char *path, Diag *diag);
/* The same as text: LLVM's or assembly. */
bool llvm_print(const Program *program, const Abi *abi, const LlvmOptions *options, Text *out,
                Diag *diag);
/* The network compiled into this process; its weights are the blob's payload,
 * which must live as long as the model. NULL with diag. The code stays until the
 * process ends. */
const VtcModel *llvm_load(const Program *program, const Blob *blob, Diag *diag);

#endif
