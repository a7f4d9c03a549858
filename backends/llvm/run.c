/* What the C back end takes from vtc_abi.h as inline functions, and the runners:
 * the checks of a call, the dispatch of a step, run_steps, run_all, NAME_run. */
#include "backends/llvm/emit.h"
#include <string.h>

typedef struct Body {
    Unit *u;
    LLVMValueRef function;
} Body;

static LLVMValueRef given(const Body *f, unsigned i)
{
    return LLVMGetParam(f->function, i);
}

static LLVMBasicBlockRef new_block(const Body *f, const char *name)
{
    return LLVMAppendBasicBlockInContext(f->u->context, f->function, name);
}

static void begin(const Body *f, LLVMBasicBlockRef block)
{
    LLVMPositionBuilderAtEnd(f->u->b, block);
}

/* if (wrong) return status; */
static void refuse_if(const Body *f, LLVMValueRef wrong, LLVMValueRef status)
{
    LLVMBasicBlockRef refuse = new_block(f, "refuse"), go_on = new_block(f, "go_on");
    LLVMBuildCondBr(f->u->b, wrong, refuse, go_on);
    begin(f, refuse);
    LLVMBuildRet(f->u->b, status);
    begin(f, go_on);
}

static LLVMValueRef load_field(const Unit *u, LLVMTypeRef type, LLVMValueRef record, unsigned i)
{
    LLVMValueRef at = LLVMBuildStructGEP2(u->b, type, record, i, "");
    return LLVMBuildLoad2(u->b, LLVMStructGetTypeAtIndex(type, i), at, "");
}

static LLVMValueRef is_null(const Unit *u, LLVMValueRef x)
{
    return LLVMBuildICmp(u->b, LLVMIntEQ, x, llvm_null(u), "");
}

static void refuse_null(const Body *f, LLVMValueRef x)
{
    refuse_if(f, is_null(f->u, x), llvm_int(f->u, VTC_ERR_NULL));
}

/* ---- vtc_check_call ---------------------------------------------------- */

static void check_threads(const Body *f, LLVMValueRef executor)
{
    Unit *u = f->u;
    LLVMBasicBlockRef threads = new_block(f, "threads"), good = new_block(f, "good");
    LLVMBuildCondBr(u->b, is_null(u, executor), good, threads);
    begin(f, threads);
    LLVMValueRef n = load_field(u, u->executor, executor, 0);
    LLVMValueRef few = LLVMBuildICmp(u->b, LLVMIntSLT, n, llvm_int(u, 1), "");
    LLVMValueRef many = LLVMBuildICmp(u->b, LLVMIntSGT, n,
                                      llvm_int(u, u->program->max_threads), "");
    refuse_if(f, LLVMBuildOr(u->b, few, many, ""), llvm_int(u, VTC_ERR_THREADS));
    LLVMBuildBr(u->b, good);
    begin(f, good);
}

/* int check(weights, workspace, executor) */
static void check_call(Unit *u)
{
    LLVMTypeRef p = u->pointer;
    LLVMTypeRef type = LLVMFunctionType(u->i32, (LLVMTypeRef[]){p, p, p}, 3, false);
    Body f = {u, llvm_function(u, "vtc_check_call", type, false)};
    LLVMValueRef weights = given(&f, 0), workspace = given(&f, 1);
    u->check_function = f.function;
    if (u->program->weights_bytes > 0)
        refuse_null(&f, weights);
    if (u->program->workspace_bytes > 0)
        refuse_null(&f, workspace);
    LLVMValueRef both = LLVMBuildOr(u->b, LLVMBuildPtrToInt(u->b, weights, u->word, ""),
                                    LLVMBuildPtrToInt(u->b, workspace, u->word, ""), "");
    LLVMValueRef low = LLVMBuildAnd(u->b, both, llvm_word(u, 63), "");
    refuse_if(&f, LLVMBuildICmp(u->b, LLVMIntNE, low, LLVMConstNull(u->word), ""),
              llvm_int(u, VTC_ERR_ALIGN));
    check_threads(&f, given(&f, 2));
    LLVMBuildRet(u->b, llvm_int(u, VTC_OK));
}

/* ---- vtc_dispatch ------------------------------------------------------ */

/* for (i = first; i < last; i++): returns i; the body ends with end_loop. */
typedef struct Loop {
    LLVMBasicBlockRef head, body, done;
    LLVMValueRef i;
} Loop;

static Loop begin_loop(const Body *f, LLVMValueRef first, LLVMValueRef last)
{
    Unit *u = f->u;
    Loop loop = {new_block(f, "head"), new_block(f, "body"), new_block(f, "done"), NULL};
    LLVMBasicBlockRef before = LLVMGetInsertBlock(u->b);
    LLVMBuildBr(u->b, loop.head);
    begin(f, loop.head);
    loop.i = LLVMBuildPhi(u->b, u->i32, "i");
    LLVMAddIncoming(loop.i, &first, &before, 1);
    LLVMBuildCondBr(u->b, LLVMBuildICmp(u->b, LLVMIntSLT, loop.i, last, ""), loop.body,
                    loop.done);
    begin(f, loop.body);
    return loop;
}

static void end_loop(const Body *f, const Loop *loop)
{
    LLVMValueRef next = LLVMBuildNSWAdd(f->u->b, loop->i, llvm_int(f->u, 1), "");
    LLVMBasicBlockRef last = LLVMGetInsertBlock(f->u->b);
    LLVMAddIncoming(loop->i, &next, &last, 1);
    LLVMBuildBr(f->u->b, loop->head);
    begin(f, loop->done);
}

static void run_in_parallel(const Body *f)
{
    Unit *u = f->u;
    LLVMTypeRef p = u->pointer;
    LLVMTypeRef type = LLVMFunctionType(u->none, (LLVMTypeRef[]){p, p, p, u->i32}, 4, false);
    LLVMValueRef self = load_field(u, u->executor, given(f, 0), 1);
    LLVMValueRef run = load_field(u, u->executor, given(f, 0), 2);
    LLVMBuildCall2(u->b, type, run,
                   (LLVMValueRef[]){self, given(f, 1), given(f, 2), given(f, 3)}, 4, "");
    LLVMBuildRetVoid(u->b);
}

/* void dispatch(executor, task, context, tasks): one step. */
static void dispatch(Unit *u)
{
    Body f = {u, llvm_function(u, "vtc_dispatch", u->dispatch, false)};
    LLVMBasicBlockRef threads = new_block(&f, "threads"), parallel = new_block(&f, "parallel"),
                      serial = new_block(&f, "serial");
    u->dispatch_function = f.function;
    LLVMBuildCondBr(u->b, is_null(u, given(&f, 0)), serial, threads);
    begin(&f, threads);
    LLVMValueRef n = load_field(u, u->executor, given(&f, 0), 0), one = llvm_int(u, 1);
    LLVMValueRef some = LLVMBuildICmp(u->b, LLVMIntSGT, n, one, "");
    LLVMValueRef many = LLVMBuildICmp(u->b, LLVMIntSGT, given(&f, 3), one, "");
    LLVMBuildCondBr(u->b, LLVMBuildAnd(u->b, some, many, ""), parallel, serial);
    begin(&f, parallel);
    run_in_parallel(&f);
    begin(&f, serial);
    Loop loop = begin_loop(&f, llvm_int(u, 0), given(&f, 3));
    LLVMBuildCall2(u->b, u->task, given(&f, 1),
                   (LLVMValueRef[]){given(&f, 2), loop.i, llvm_int(u, 0)}, 3, "");
    end_loop(&f, &loop);
    LLVMBuildRetVoid(u->b);
}

/* ---- run_steps, run_all, NAME_run -------------------------------------- */

static void check_range(const Body *f, LLVMValueRef first, LLVMValueRef last)
{
    Unit *u = f->u;
    LLVMValueRef before = LLVMBuildICmp(u->b, LLVMIntSLT, first, llvm_int(u, 0), "");
    LLVMValueRef swapped = LLVMBuildICmp(u->b, LLVMIntSGT, first, last, "");
    LLVMValueRef behind = LLVMBuildICmp(u->b, LLVMIntSGT, last,
                                        llvm_int(u, u->program->steps.n), "");
    LLVMValueRef wrong = LLVMBuildOr(u->b, LLVMBuildOr(u->b, before, swapped, ""), behind, "");
    refuse_if(f, wrong, llvm_int(u, VTC_ERR_RANGE));
}

/* Call: weights, inputs, outputs, workspace, as they are given; a copy for each thread. */
static LLVMValueRef make_call(const Body *f)
{
    Unit *u = f->u;
    LLVMValueRef call = LLVMBuildAlloca(u->b, u->call, "call");
    for (unsigned i = 0; i < 4; i++)
        LLVMBuildStore(u->b, given(f, i), LLVMBuildStructGEP2(u->b, u->call, call, i, ""));
    LLVMValueRef copies = LLVMBuildStructGEP2(u->b, u->call, call, 4, "");
    LLVMBuildStore(u->b, llvm_int(u, 1), copies);
    if (!program_has_copies(u->program))
        return call;
    LLVMBasicBlockRef some = new_block(f, "some"), done = new_block(f, "called");
    LLVMBuildCondBr(u->b, is_null(u, given(f, 4)), done, some);
    begin(f, some);
    LLVMBuildStore(u->b, load_field(u, u->executor, given(f, 4), 0), copies);
    LLVMBuildBr(u->b, done);
    begin(f, done);
    return call;
}

/* The tasks of a row of the step table, those of a copied step for each copy. */
static LLVMValueRef tasks_of(const Body *f, LLVMValueRef call, LLVMValueRef row)
{
    Unit *u = f->u;
    LLVMValueRef tasks = load_field(u, u->step, row, 1);
    if (!program_has_copies(u->program))
        return tasks;
    LLVMValueRef copied = LLVMBuildICmp(u->b, LLVMIntNE, load_field(u, u->step, row, 2),
                                        llvm_int(u, 0), "");
    LLVMValueRef times = LLVMBuildSelect(u->b, copied, load_field(u, u->call, call, 4),
                                         llvm_int(u, 1), "");
    return LLVMBuildNSWMul(u->b, tasks, times, "");
}

static void run_step(const Body *f, LLVMValueRef call, LLVMValueRef i)
{
    Unit *u = f->u;
    LLVMValueRef row = LLVMBuildInBoundsGEP2(u->b, u->step, u->steps, &i, 1, "");
    LLVMValueRef args[] = {given(f, 4), load_field(u, u->step, row, 0), call,
                           tasks_of(f, call, row)};
    LLVMBuildCall2(u->b, u->dispatch, u->dispatch_function, args, 4, "");
}

/* A BLAS with threads of its own is told to use one, where it can be told. */
static void blas_one_thread(const Body *f)
{
    Unit *u = f->u;
    LLVMTypeRef type = LLVMFunctionType(u->none, &u->i32, 1, false);
    LLVMValueRef tell = llvm_external(u, "openblas_set_num_threads", type), one = llvm_int(u, 1);
    LLVMBasicBlockRef has = new_block(f, "has"), done = new_block(f, "told");
    LLVMSetLinkage(tell, LLVMExternalWeakLinkage);
    LLVMBuildCondBr(u->b, is_null(u, tell), done, has);
    begin(f, has);
    LLVMBuildCall2(u->b, type, tell, &one, 1, "");
    LLVMBuildBr(u->b, done);
    begin(f, done);
}

static void run_steps(Unit *u)
{
    Body f = {u, llvm_function(u, "run_steps", u->run_steps, false)};
    u->run_steps_function = f.function;
    LLVMValueRef call = make_call(&f);
    LLVMValueRef args[] = {given(&f, 0), given(&f, 3), given(&f, 4)};
    LLVMValueRef status = LLVMBuildCall2(u->b, LLVMGlobalGetValueType(u->check_function),
                                         u->check_function, args, 3, "");
    refuse_if(&f, LLVMBuildICmp(u->b, LLVMIntNE, status, llvm_int(u, VTC_OK), ""), status);
    check_range(&f, given(&f, 5), given(&f, 6));
    if (program_has_products(u->program))
        blas_one_thread(&f);
    Loop loop = begin_loop(&f, given(&f, 5), given(&f, 6));
    run_step(&f, call, loop.i);
    end_loop(&f, &loop);
    LLVMBuildRet(u->b, llvm_int(u, VTC_OK));
}

static void run_all(Unit *u)
{
    Body f = {u, llvm_function(u, "run_all", u->run, false)};
    u->run_function = f.function;
    LLVMValueRef args[7] = {NULL};
    for (unsigned i = 0; i < 5; i++)
        args[i] = given(&f, i);
    args[5] = llvm_int(u, 0);
    args[6] = llvm_int(u, u->program->steps.n);
    LLVMBuildRet(u->b, LLVMBuildCall2(u->b, u->run_steps, u->run_steps_function, args, 7, ""));
}

void llvm_runners(Unit *u)
{
    check_call(u);
    dispatch(u);
    run_steps(u);
    run_all(u);
}

/* The ports [first, first + n) of NAME_run as an array. */
static LLVMValueRef port_array(const Body *f, int first, int n)
{
    Unit *u = f->u;
    LLVMTypeRef type = LLVMArrayType2(u->pointer, (uint64_t)(n ? n : 1));
    LLVMValueRef array = LLVMBuildAlloca(u->b, type, "ports");
    for (int i = 0; i < n; i++) {
        LLVMValueRef at = llvm_word(u, i);
        LLVMBuildStore(u->b, given(f, (unsigned)(first + i)),
                       LLVMBuildInBoundsGEP2(u->b, u->pointer, array, &at, 1, ""));
    }
    return array;
}

/* NAME_run(weights, inputs.., outputs.., workspace, executor) */
void llvm_typed_run(Unit *u)
{
    int ports = u->abi->inputs + u->abi->outputs, n = ports + 3;
    LLVMTypeRef *takes = NEW(u->arena, LLVMTypeRef, n);
    for (int i = 0; i < n; i++)
        takes[i] = u->pointer;
    LLVMTypeRef type = LLVMFunctionType(u->i32, takes, (unsigned)n, false);
    Body f = {u, llvm_function(u, arena_printf(u->arena, "%s_run", u->abi->name), type, true)};
    LLVMValueRef inputs = port_array(&f, 1, u->abi->inputs);
    LLVMValueRef outputs = port_array(&f, 1 + u->abi->inputs, u->abi->outputs);
    for (int i = 1; i <= ports; i++)
        refuse_null(&f, given(&f, (unsigned)i));
    LLVMValueRef args[] = {given(&f, 0), inputs, outputs, given(&f, (unsigned)ports + 1),
                           given(&f, (unsigned)ports + 2)};
    LLVMBuildRet(u->b, LLVMBuildCall2(u->b, u->run, u->run_function, args, 5, ""));
}
