/* Program -> LLVM module. The same walk as backends/c with the same function
 * names: emit.c, expr.c; run.c and reflection.c make what the C back end takes
 * from vtc_abi.h and abi.c. No decisions are made here. */
#ifndef VTC_BACKENDS_LLVM_EMIT_H
#define VTC_BACKENDS_LLVM_EMIT_H

#include "backends/llvm/llvm.h"
#include <llvm-c/Core.h>
#include <llvm-c/DebugInfo.h>
#include <llvm-c/TargetMachine.h>

/* What a pointer of the Program means in LLVM: registers, index variables,
 * kernels. */
typedef struct NameTable {
    const void **key;
    LLVMValueRef *value;
    size_t slots, n; /* slots: a power of two */
} NameTable;

/* One module being made. */
typedef struct Unit {
    Arena *arena;
    const Program *program;
    const Abi *abi;
    const Blob *blob;
    const LlvmOptions *options;
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef b;
    LLVMTypeRef none, i8, i32, i64, f32, pointer;
    LLVMTypeRef word;     /* indices and sizes: as wide as a pointer */
    LLVMTypeRef call;     /* what a task is given: weights, inputs, outputs, workspace, copies */
    LLVMTypeRef task;     /* void (ptr context, i32 task, i32 thread) */
    LLVMTypeRef executor; /* VtcExecutor */
    LLVMTypeRef step;     /* a row of the step table: task, number of tasks, copied */
    LLVMTypeRef run, run_steps; /* VtcRun, VtcRunSteps */
    LLVMTypeRef dispatch;
    LLVMValueRef steps, check_function, dispatch_function, run_function,
        run_steps_function, model, weights;
    LLVMDIBuilderRef debug; /* NULL: no debug information */
    LLVMMetadataRef debug_unit;
    NameTable kernels;
} Unit;

/* One kernel being made. */
typedef struct Walk {
    Unit *u;
    const Kernel *kernel;
    LLVMValueRef function;
    LLVMBasicBlockRef entry; /* allocas */
    NameTable names;
} Walk;

/* The module's contents; the unit has context, module and target set. */
void llvm_emit(Unit *unit);

/* shared by its files */
LLVMValueRef llvm_expr(Walk *walk, const Expr *expr);
LLVMValueRef llvm_index(Walk *walk, const Index *index);
LLVMValueRef llvm_place(Walk *walk, int param, const Index *index);
LLVMTypeRef llvm_type(const Unit *unit, LType type);
void llvm_names_put(Arena *arena, NameTable *names, const void *key, LLVMValueRef value);
LLVMValueRef llvm_names_get(const NameTable *names, const void *key);
/* A function with the target's attributes and an open block `entry`. */
LLVMValueRef llvm_function(Unit *unit, const char *name, LLVMTypeRef type, bool visible);
void llvm_attribute(const Unit *unit, LLVMValueRef function, unsigned at, const char *name,
                    uint64_t value);
/* A function of a library. */
LLVMValueRef llvm_external(Unit *unit, const char *name, LLVMTypeRef type);
LLVMValueRef llvm_int(const Unit *unit, int64_t value); /* i32 */
LLVMValueRef llvm_word(const Unit *unit, int64_t value);
LLVMValueRef llvm_null(const Unit *unit);

void llvm_runners(Unit *unit);    /* run.c: check, dispatch, run_steps, run_all */
void llvm_levels(Unit *unit);     /* levels.c: run_all by the processor's level */
void llvm_typed_run(Unit *unit);  /* run.c: NAME_run */
void llvm_reflection(Unit *unit); /* reflection.c: NAME_model */
void llvm_debug_begin(Unit *unit);
/* From here on instructions belong to the step's place in the model text. */
void llvm_debug_function(Unit *unit, LLVMValueRef function, const char *name,
                         const Step *step);
void llvm_debug_end(Unit *unit);

/* What stands in an object for weights that are put there when it is written. */
enum { LLVM_MARK_BYTES = 32 };
typedef struct LlvmMark {
    char text[LLVM_MARK_BYTES];
} LlvmMark;
LlvmMark llvm_mark(const Blob *blob);
bool llvm_is_marked(const LlvmOptions *options, const Blob *blob);

/* object.c: a finished, optimised module as a memory buffer; NULL with diag. */
LLVMMemoryBufferRef llvm_buffer(const Program *program, const Abi *abi, const Blob *blob,
                                const LlvmOptions *options, Diag *diag);

#endif
