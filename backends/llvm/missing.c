/* The back end's interface in a compiler that was built without LLVM. */
#include "backends/llvm/llvm.h"

bool llvm_available(Diag *diag)
{
    diag_error(diag, (Span){0}, "this vtc was built without LLVM: install the package "
                                "'llvm-19-dev' and build it again");
    return false;
}

bool llvm_compile(const Program *program, const Abi *abi, const Blob *blob,
                  const LlvmOptions *options, const char *path, Diag *diag)
{
    (void)program, (void)abi, (void)blob, (void)options, (void)path;
    return llvm_available(diag);
}

bool llvm_print(const Program *program, const Abi *abi, const LlvmOptions *options, Text *out,
                Diag *diag)
{
    (void)program, (void)abi, (void)options, (void)out;
    return llvm_available(diag);
}

const VtcModel *llvm_load(const Program *program, const Blob *blob, Diag *diag)
{
    (void)program, (void)blob;
    llvm_available(diag);
    return NULL;
}
