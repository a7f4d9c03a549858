/* A module optimised and written as object, assembly or text; linked into this
 * process for `vtc run`. */
#define _GNU_SOURCE /* memmem */
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

#define COMBINE "instcombine<no-verify-fixpoint>"
#define SIMPLIFY "simplifycfg<switch-range-to-icmp;keep-loops>"
#define SINK "hoist-common-insts;sink-common-insts"

/* LLVM's default<O2> without what programs give nothing to: they are unrolled and made
 * of vectors already, and have no exceptions, coroutines, virtual calls, library calls,
 * or branches that values decide. Two thirds of the time, and networks as fast. */
static const char pipeline[] =
    "inferattrs,function<eager-inv>(simplifycfg<no-switch-range-to-icmp;keep-loops>,sroa,"
    "early-cse),function<eager-inv>(mem2reg," COMBINE "," SIMPLIFY "),"
    "require<globals-aa>,function(invalidate<aa>),"
    "cgscc(devirt<4>(inline,function-attrs<skip-non-recursive-function-attrs>,"
    "function<eager-inv;no-rerun>(sroa,early-cse<memssa>," SIMPLIFY "," COMBINE "," SIMPLIFY
    ",reassociate,loop-mssa(loop-instsimplify,loop-simplifycfg,licm<no-allowspeculation>,"
    "loop-rotate,licm,simple-loop-unswitch<trivial>)," SIMPLIFY "," COMBINE
    ",loop(loop-idiom,indvars,simple-loop-unswitch<trivial>,loop-deletion),sroa,"
    "vector-combine,gvn,dse,loop-mssa(licm),simplifycfg<switch-range-to-icmp;keep-loops;" SINK
    ">," COMBINE "),function-attrs)),globaldce,"
    "function<eager-inv>(loop(loop-rotate,loop-deletion),loop-vectorize,infer-alignment,"
    "simplifycfg<forward-switch-cond;switch-range-to-icmp;switch-to-lookup;no-keep-loops;" SINK
    ">,sroa<preserve-cfg>,infer-alignment," COMBINE ",loop-mssa(licm),"
    "alignment-from-assumptions,instsimplify,tailcallelim,"
    "simplifycfg<switch-range-to-icmp;keep-loops;speculate-unpredictables>),"
    "globaldce,constmerge";

static bool optimise(LLVMModuleRef module, LLVMTargetMachineRef machine, Diag *diag)
{
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(module, pipeline, machine, options);
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

/* ---- weights ----------------------------------------------------------- */

LlvmMark llvm_mark(const Blob *blob)
{
    LlvmMark mark = {"\177vtc: packed weights\177"};
    memcpy(mark.text + LLVM_MARK_BYTES - sizeof blob->hash, &blob->hash, sizeof blob->hash);
    return mark;
}

bool llvm_is_marked(const LlvmOptions *options, const Blob *blob)
{
    enum { LEAST = 1 << 16 };
    return options->output == LLVM_object && options->with_weights && blob->bytes >= LEAST;
}

/* Where the weights belong in an object: at its only mark. */
static size_t weights_place(const char *object, size_t n, const Blob *blob)
{
    LlvmMark mark = llvm_mark(blob);
    const char *at = memmem(object, n, mark.text, LLVM_MARK_BYTES);
    if (!at || (size_t)(at - object) + blob->bytes > n)
        bug("LLVM's object has no place for the weights");
    const char *end = at + blob->bytes;
    if (memmem(end, n - (size_t)(end - object), mark.text, LLVM_MARK_BYTES))
        bug("LLVM's object has two places for the weights");
    return (size_t)(at - object);
}

static void put_object(const LlvmRequest *request, const char *object, size_t n)
{
    const Blob *blob = request->blob;
    if (!llvm_is_marked(request->options, blob)) {
        request->put(request->to, object, n);
        return;
    }
    size_t place = weights_place(object, n, blob), end = place + blob->bytes;
    request->put(request->to, object, place);
    request->put(request->to, blob->payload, blob->bytes);
    request->put(request->to, object + end, n - end);
}

bool llvm_make(const LlvmRequest *request, Diag *diag)
{
    LLVMMemoryBufferRef buffer = llvm_buffer(request->program, request->abi, request->blob,
                                             request->options, diag);
    if (!buffer)
        return false;
    put_object(request, LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer));
    LLVMDisposeMemoryBuffer(buffer);
    return true;
}
