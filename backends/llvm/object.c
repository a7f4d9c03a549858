/* A module optimised and written as object, assembly or text; linked into this
 * process for `vtc run`. */
#include "backends/llvm/emit.h"
#include "backends/llvm/plugin.h"
#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/Target.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <string.h>

static bool complain(Diag *diag, const char *what, char *message)
{
    diag_error(diag, (Span){0}, "LLVM %s: %s", what, message ? message : "failed");
    LLVMDisposeMessage(message);
    return false;
}

static bool complain_error(Diag *diag, const char *what, LLVMErrorRef error)
{
    char *message = LLVMGetErrorMessage(error);
    diag_error(diag, (Span){0}, "LLVM %s: %s", what, message);
    LLVMDisposeErrorMessage(message);
    return false;
}

/* ---- the target -------------------------------------------------------- */

static void initialize(void)
{
    static bool done;
    if (done)
        return;
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    LLVMInitializeAllAsmPrinters();
    LLVMInitializeAllAsmParsers();
    done = true;
}

/* "native" stands for this processor, no triple for this machine. */
static LLVMTargetMachineRef make_machine(LLVMTargetRef target, const char *triple,
                                         const Target *t)
{
    bool native = strcmp(t->cpu, "native") == 0;
    char *cpu = native ? LLVMGetHostCPUName() : LLVMCreateMessage(t->cpu);
    char *features = native ? LLVMGetHostCPUFeatures() : LLVMCreateMessage(t->features);
    LLVMTargetMachineOptionsRef options = LLVMCreateTargetMachineOptions();
    LLVMTargetMachineOptionsSetCPU(options, cpu);
    LLVMTargetMachineOptionsSetFeatures(options, features);
    LLVMTargetMachineOptionsSetABI(options, t->abi);
    LLVMTargetMachineOptionsSetCodeGenOptLevel(options, LLVMCodeGenLevelDefault);
    LLVMTargetMachineOptionsSetRelocMode(options,
                                         t->freestanding ? LLVMRelocStatic : LLVMRelocPIC);
    LLVMTargetMachineRef machine = LLVMCreateTargetMachineWithOptions(target, triple, options);
    LLVMDisposeTargetMachineOptions(options);
    LLVMDisposeMessage(cpu);
    LLVMDisposeMessage(features);
    return machine;
}

static LLVMTargetMachineRef target_machine(const Target *t, Diag *diag)
{
    LLVMTargetRef target;
    char *message = NULL;
    initialize();
    char *triple = *t->triple ? LLVMNormalizeTargetTriple(t->triple)
                              : LLVMGetDefaultTargetTriple();
    LLVMTargetMachineRef machine = NULL;
    if (LLVMGetTargetFromTriple(triple, &target, &message))
        complain(diag, "has no such target", message);
    else
        machine = make_machine(target, triple, t);
    LLVMDisposeMessage(triple);
    return machine;
}

/* ---- optimising -------------------------------------------------------- */

/* What is to be unrolled the program has unrolled: leaving it there is as fast and
 * saves a quarter of the time. */
static bool optimise(LLVMModuleRef module, LLVMTargetMachineRef machine, Diag *diag)
{
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMPassBuilderOptionsSetLoopUnrolling(options, false);
    LLVMErrorRef error = LLVMRunPasses(module, "default<O2>", machine, options);
    LLVMDisposePassBuilderOptions(options);
    return error ? complain_error(diag, "passes", error) : true;
}

static bool verified(LLVMModuleRef module, Diag *diag)
{
    char *message = NULL;
    bool broken = LLVMVerifyModule(module, LLVMReturnStatusAction, &message);
    if (broken)
        return complain(diag, "verifier", message);
    LLVMDisposeMessage(message);
    return true;
}

/* ---- writing ----------------------------------------------------------- */

static LLVMMemoryBufferRef text_buffer(LLVMModuleRef module)
{
    char *text = LLVMPrintModuleToString(module);
    LLVMMemoryBufferRef buffer =
        LLVMCreateMemoryBufferWithMemoryRangeCopy(text, strlen(text), "text");
    LLVMDisposeMessage(text);
    return buffer;
}

static LLVMMemoryBufferRef write_module(const Unit *u, LLVMTargetMachineRef machine, Diag *diag)
{
    LLVMMemoryBufferRef buffer = NULL;
    char *message = NULL;
    if (u->options->output == LLVM_text)
        return text_buffer(u->module);
    LLVMCodeGenFileType kind =
        u->options->output == LLVM_assembly ? LLVMAssemblyFile : LLVMObjectFile;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, u->module, kind, &message, &buffer)) {
        complain(diag, "code generator", message);
        return NULL;
    }
    return buffer;
}

static LLVMMemoryBufferRef build(Unit *u, LLVMTargetMachineRef machine, Diag *diag)
{
    char *triple = LLVMGetTargetMachineTriple(machine);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetModuleDataLayout(u->module, layout);
    LLVMSetTarget(u->module, triple);
    LLVMDisposeTargetData(layout);
    LLVMDisposeMessage(triple);
    llvm_emit(u);
    if (!verified(u->module, diag))
        return NULL;
    if (!u->options->as_emitted && !optimise(u->module, machine, diag))
        return NULL;
    return write_module(u, machine, diag);
}

LLVMMemoryBufferRef llvm_buffer(const Program *program, const Abi *abi, const Blob *blob,
                                const LlvmOptions *options, Diag *diag)
{
    LLVMTargetMachineRef machine = target_machine(program->target, diag);
    if (!machine)
        return NULL;
    Unit u = {.arena = program->arena, .program = program, .abi = abi, .blob = blob,
              .options = options, .context = LLVMContextCreate()};
    u.module = LLVMModuleCreateWithNameInContext(program->name, u.context);
    u.b = LLVMCreateBuilderInContext(u.context);
    LLVMMemoryBufferRef buffer = build(&u, machine, diag);
    LLVMDisposeBuilder(u.b);
    LLVMDisposeModule(u.module);
    LLVMContextDispose(u.context);
    LLVMDisposeTargetMachine(machine);
    return buffer;
}

bool llvm_make(const LlvmRequest *request, Diag *diag)
{
    LLVMMemoryBufferRef buffer = llvm_buffer(request->program, request->abi, request->blob,
                                             request->options, diag);
    if (!buffer)
        return false;
    request->put(request->to, LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer));
    LLVMDisposeMemoryBuffer(buffer);
    return true;
}
