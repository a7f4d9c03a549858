/* A network compiled into this process by ORC: the same object as --emit=obj,
 * linked where it runs. */
#include "backends/llvm/emit.h"
#include "backends/llvm/plugin.h"
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <stdlib.h>
#include <string.h>

static const VtcModel *fail(Diag *diag, const char *what, LLVMErrorRef error)
{
    char *message = LLVMGetErrorMessage(error);
    diag_error(diag, (Span){0}, "LLVM %s: %s", what, message);
    LLVMDisposeErrorMessage(message);
    return NULL;
}

/* libm and libc are those of this process. */
static LLVMErrorRef see_process(LLVMOrcLLJITRef jit, LLVMOrcJITDylibRef library)
{
    LLVMOrcDefinitionGeneratorRef generator;
    LLVMErrorRef error = LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
        &generator, LLVMOrcLLJITGetGlobalPrefix(jit), NULL, NULL);
    if (!error)
        LLVMOrcJITDylibAddGenerator(library, generator);
    return error;
}

/* The code stays until the process ends, and what holds it can be found until then:
 * nothing is lost for who looks for leaks. */
typedef struct Loaded {
    LLVMOrcLLJITRef jit;
    struct Loaded *earlier;
} Loaded;
static Loaded *loaded;

static void keep(LLVMOrcLLJITRef jit)
{
    Loaded *last = malloc(sizeof *last);
    if (!last)
        return;
    *last = (Loaded){jit, loaded};
    loaded = last;
}

static const VtcModel *link_object(LLVMMemoryBufferRef object, const char *symbol, Diag *diag)
{
    LLVMOrcLLJITRef jit;
    LLVMOrcExecutorAddress address = 0;
    LLVMErrorRef error = LLVMOrcCreateLLJIT(&jit, NULL);
    if (error) {
        LLVMDisposeMemoryBuffer(object);
        return fail(diag, "cannot start", error);
    }
    LLVMOrcJITDylibRef library = LLVMOrcLLJITGetMainJITDylib(jit);
    if ((error = see_process(jit, library)) != NULL ||
        (error = LLVMOrcLLJITAddObjectFile(jit, library, object)) != NULL ||
        (error = LLVMOrcLLJITLookup(jit, &address, symbol)) != NULL)
        return fail(diag, "cannot link in this process", error);
    keep(jit);
    return (const VtcModel *)(uintptr_t)address;
}

const VtcModel *llvm_link_here(const Program *program, const Blob *blob, Diag *diag)
{
    LlvmOptions options = {.output = LLVM_object};
    Arena *arena = program->arena;
    Abi abi = abi_of(arena, program, "network", WEIGHTS_file, blob->hash);
    LLVMMemoryBufferRef object = llvm_buffer(program, &abi, blob, &options, diag);
    const VtcModel *linked = object ? link_object(object, "network_model", diag) : NULL;
    if (!linked)
        return NULL;
    VtcModel *model = NEW(arena, VtcModel, 1);
    *model = *linked;
    model->weights = blob->payload;
    return model;
}
