/* Program -> LLVM module: a function for each kernel, a task for each step, run. */
#include "backends/llvm/emit.h"
#include <string.h>

#define FUNCTION_ITSELF ((LLVMAttributeIndex)LLVMAttributeFunctionIndex)

/* ---- names ------------------------------------------------------------- */

static size_t slot_of(const NameTable *names, const void *key)
{
    size_t at = (size_t)(((uint64_t)(uintptr_t)key >> 4) * 0x9e3779b97f4a7c15u >> 20);
    while (names->key[at & (names->slots - 1)] && names->key[at & (names->slots - 1)] != key)
        at++;
    return at & (names->slots - 1);
}

static void names_grow(Arena *arena, NameTable *names)
{
    NameTable bigger = {.slots = names->slots ? names->slots * 2 : 256};
    bigger.key = NEW(arena, const void *, bigger.slots);
    bigger.value = NEW(arena, LLVMValueRef, bigger.slots);
    for (size_t i = 0; i < names->slots; i++)
        if (names->key[i])
            llvm_names_put(arena, &bigger, names->key[i], names->value[i]);
    *names = bigger;
}

void llvm_names_put(Arena *arena, NameTable *names, const void *key, LLVMValueRef value)
{
    if (names->n * 2 >= names->slots)
        names_grow(arena, names);
    size_t at = slot_of(names, key);
    names->n += names->key[at] == NULL;
    names->key[at] = key;
    names->value[at] = value;
}

LLVMValueRef llvm_names_get(const NameTable *names, const void *key)
{
    size_t at = names->slots ? slot_of(names, key) : 0;
    if (!names->slots || !names->key[at])
        bug("the LLVM back end met a name before its statement");
    return names->value[at];
}

LLVMValueRef llvm_int(const Unit *u, int64_t value)
{
    return LLVMConstInt(u->i32, (uint64_t)value, true);
}

LLVMValueRef llvm_word(const Unit *u, int64_t value)
{
    return LLVMConstInt(u->word, (unsigned long long)value, true);
}

LLVMValueRef llvm_null(const Unit *u)
{
    return LLVMConstPointerNull(u->pointer);
}

/* ---- statements -------------------------------------------------------- */

static void block(Walk *w, const Block *b);

static LLVMBasicBlockRef new_block(Walk *w, const char *name)
{
    return LLVMAppendBasicBlockInContext(w->u->context, w->function, name);
}

/* Trip counts are at least one: the test stands at the end. */
static void loop(Walk *w, const Stmt *s)
{
    LLVMBuilderRef b = w->u->b;
    LLVMValueRef zero = LLVMConstNull(w->u->word);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b), body = new_block(w, s->var->name);
    LLVMBuildBr(b, body);
    LLVMPositionBuilderAtEnd(b, body);
    LLVMValueRef i = LLVMBuildPhi(b, w->u->word, s->var->name);
    LLVMAddIncoming(i, &zero, &before, 1);
    llvm_names_put(w->u->arena, &w->names, s->var, i);
    block(w, &s->body);
    LLVMBasicBlockRef last = LLVMGetInsertBlock(b), done = new_block(w, "done");
    LLVMValueRef next = LLVMBuildNSWAdd(b, i, llvm_word(w->u, 1), "");
    LLVMValueRef count = llvm_word(w->u, s->count);
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, next, count, ""), body, done);
    LLVMAddIncoming(i, &next, &last, 1);
    LLVMPositionBuilderAtEnd(b, done);
}

static void branch(Walk *w, const Stmt *s)
{
    LLVMBuilderRef b = w->u->b;
    LLVMValueRef limit = llvm_word(w->u, s->limit);
    LLVMValueRef less = LLVMBuildICmp(b, LLVMIntSLT, llvm_index(w, &s->index), limit, "");
    LLVMBasicBlockRef yes = new_block(w, "then"), done = new_block(w, "endif");
    LLVMBasicBlockRef no = s->other.first ? new_block(w, "else") : done;
    LLVMBuildCondBr(b, less, yes, no);
    LLVMPositionBuilderAtEnd(b, yes);
    block(w, &s->body);
    LLVMBuildBr(b, done);
    if (s->other.first) {
        LLVMPositionBuilderAtEnd(b, no);
        block(w, &s->other);
        LLVMBuildBr(b, done);
    }
    LLVMPositionBuilderAtEnd(b, done);
}

static void table_entry(Walk *w, const Stmt *s)
{
    LLVMValueRef at = llvm_place(w, s->param, &s->index);
    LLVMValueRef x = LLVMBuildLoad2(w->u->b, w->u->i32, at, "");
    LLVMSetAlignment(x, 4);
    llvm_names_put(w->u->arena, &w->names, s->var,
                   LLVMBuildIntCast2(w->u->b, x, w->u->word, true, s->var->name));
}

/* Values have names only where they are read by people. */
static void let(Walk *w, const Stmt *s)
{
    LLVMValueRef x = llvm_expr(w, s->expr);
    size_t n = 0;
    if (w->u->options->output == LLVM_text && LLVMIsAInstruction(x) &&
        *LLVMGetValueName2(x, &n) == 0)
        LLVMSetValueName2(x, s->reg->name, strlen(s->reg->name));
    llvm_names_put(w->u->arena, &w->names, s->reg, x);
}

/* A variable that is set again lives in an alloca, which SROA makes a register. */
static LLVMValueRef variable(Walk *w, const Reg *reg)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(w->u->b);
    LLVMValueRef first = LLVMGetFirstInstruction(w->entry);
    if (first)
        LLVMPositionBuilderBefore(w->u->b, first);
    else
        LLVMPositionBuilderAtEnd(w->u->b, w->entry);
    LLVMValueRef at = LLVMBuildAlloca(w->u->b, llvm_type(w->u, reg->type), reg->name);
    LLVMPositionBuilderAtEnd(w->u->b, here);
    return at;
}

/* A hint, never an access: the address may lie outside, so that nothing may be
 * concluded from its index. */
static void prefetch(Walk *w, const Stmt *s)
{
    const Unit *u = w->u;
    LLVMTypeRef i = u->i32, takes[] = {u->pointer, i, i, i};
    LLVMTypeRef element = llvm_type(u, (LType){w->kernel->params.at[s->param].dtype, 1});
    LLVMValueRef at = llvm_index(w, &s->index), given = LLVMGetParam(w->function,
                                                                   (unsigned)s->param);
    unsigned id = LLVMLookupIntrinsicID("llvm.prefetch", 13);
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(u->module, id, takes, 1);
    LLVMValueRef args[] = {LLVMBuildGEP2(u->b, element, given, &at, 1, ""), llvm_int(u, 0),
                           llvm_int(u, s->near == NEAR_l1 ? 3 : 2), llvm_int(u, 1)};
    LLVMBuildCall2(u->b, LLVMFunctionType(u->none, takes, 4, false), function, args, 4, "");
}

static void store(Walk *w, const Stmt *s)
{
    LLVMValueRef x = llvm_expr(w, s->expr), at = llvm_place(w, s->param, &s->index);
    LLVMSetAlignment(LLVMBuildStore(w->u->b, x, at),
                     (unsigned)dtype_info[s->expr->type.dtype].bytes);
}

LLVMValueRef llvm_external(Unit *u, const char *name, LLVMTypeRef type)
{
    LLVMValueRef f = LLVMGetNamedFunction(u->module, name);
    return f ? f : LLVMAddFunction(u->module, name, type);
}

/* Of cblas.h: 101 rows are dense, 111 as it lies, 112 transposed. */
static void product(Walk *w, const Stmt *s)
{
    Unit *u = w->u;
    const Product *p = s->product;
    LLVMTypeRef i = u->i32, f = u->f32, m = u->pointer;
    LLVMTypeRef takes[] = {i, i, i, i, i, i, f, m, i, m, i, f, m, i};
    LLVMTypeRef type = LLVMFunctionType(u->none, takes, 14, false);
    LLVMValueRef args[] = {
        llvm_int(u, 101), llvm_int(u, p->left.transposed ? 112 : 111),
        llvm_int(u, p->right.transposed ? 112 : 111), llvm_int(u, p->rows),
        llvm_int(u, p->columns), llvm_int(u, p->depth), LLVMConstReal(f, 1),
        llvm_place(w, p->left.param, &p->left.at), llvm_int(u, p->left.step),
        llvm_place(w, p->right.param, &p->right.at), llvm_int(u, p->right.step),
        LLVMConstReal(f, 0), llvm_place(w, s->param, &s->index), llvm_int(u, p->step)};
    LLVMBuildCall2(u->b, type, llvm_external(u, "cblas_sgemm", type), args, 14, "");
}

static void statement(Walk *w, const Stmt *s)
{
    switch (s->kind) {
    case ST_for: loop(w, s); return;
    case ST_iload: table_entry(w, s); return;
    case ST_index:
        llvm_names_put(w->u->arena, &w->names, s->var, llvm_index(w, &s->index));
        return;
    case ST_let: let(w, s); return;
    case ST_var: {
        LLVMValueRef x = llvm_expr(w, s->expr), at = variable(w, s->reg);
        LLVMBuildStore(w->u->b, x, at);
        llvm_names_put(w->u->arena, &w->names, s->reg, at);
        return;
    }
    case ST_set:
        LLVMBuildStore(w->u->b, llvm_expr(w, s->expr), llvm_names_get(&w->names, s->reg));
        return;
    case ST_store: store(w, s); return;
    case ST_product: product(w, s); return;
    case ST_if: branch(w, s); return;
    case ST_prefetch: prefetch(w, s); return;
    case ST_comment: return;
    }
}

static void block(Walk *w, const Block *b)
{
    for (const Stmt *s = b->first; s; s = s->next)
        statement(w, s);
}

/* ---- functions --------------------------------------------------------- */

void llvm_attribute(const Unit *u, LLVMValueRef function, unsigned at, const char *name,
                    uint64_t value)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(function, at, LLVMCreateEnumAttribute(u->context, kind, value));
}

static void text_attribute(const Unit *u, LLVMValueRef function, const char *name,
                           const char *value)
{
    LLVMAddAttributeAtIndex(function, FUNCTION_ITSELF,
                            LLVMCreateStringAttribute(u->context, name, (unsigned)strlen(name),
                                                      value, (unsigned)strlen(value)));
}

LLVMValueRef llvm_function(Unit *u, const char *name, LLVMTypeRef type, bool visible)
{
    enum { ASYNCHRONOUS = 2 }; /* right at every instruction */
    const Target *t = u->program->target;
    LLVMValueRef f = LLVMAddFunction(u->module, name, type);
    LLVMSetLinkage(f, visible ? LLVMExternalLinkage : LLVMInternalLinkage);
    llvm_attribute(u, f, FUNCTION_ITSELF, "nounwind", 0);
    if (!t->freestanding) /* as C compilers do, so that profilers find callers */
        llvm_attribute(u, f, FUNCTION_ITSELF, "uwtable", ASYNCHRONOUS);
    if (*t->cpu && strcmp(t->cpu, "native") != 0)
        text_attribute(u, f, "target-cpu", t->cpu);
    if (*t->features)
        text_attribute(u, f, "target-features", t->features);
    if (t->lanes > 1)
        text_attribute(u, f, "prefer-vector-width",
                       arena_printf(u->arena, "%d", 32 * t->lanes));
    LLVMPositionBuilderAtEnd(u->b, LLVMAppendBasicBlockInContext(u->context, f, "entry"));
    return f;
}

/* ---- kernels ----------------------------------------------------------- */

static void parameter(Walk *w, int i)
{
    const Param *p = &w->kernel->params.at[i];
    unsigned at = (unsigned)i + 1;
    LLVMSetValueName2(LLVMGetParam(w->function, (unsigned)i), p->name, strlen(p->name));
    if (p->noalias)
        llvm_attribute(w->u, w->function, at, "noalias", 0);
    if (p->access == ACCESS_read)
        llvm_attribute(w->u, w->function, at, "readonly", 0);
    if (p->align > 1)
        llvm_attribute(w->u, w->function, at, "align", (uint64_t)p->align);
}

static void kernel(Unit *u, const Kernel *k)
{
    Walk w = {.u = u, .kernel = k};
    int n = k->params.n;
    LLVMTypeRef *takes = NEW(u->arena, LLVMTypeRef, n + 1);
    for (int i = 0; i < n; i++)
        takes[i] = u->pointer;
    takes[n] = u->word;
    LLVMTypeRef type = LLVMFunctionType(u->none, takes, (unsigned)n + 1, false);
    w.function = llvm_function(u, k->name, type, false);
    w.entry = LLVMGetInsertBlock(u->b);
    llvm_attribute(u, w.function, FUNCTION_ITSELF, "noinline", 0);
    llvm_debug_function(u, w.function, k->name, abi_first_step(u->program, k));
    for (int i = 0; i < n; i++)
        parameter(&w, i);
    llvm_names_put(u->arena, &w.names, k->task, LLVMGetParam(w.function, (unsigned)n));
    LLVMBasicBlockRef start = new_block(&w, "start");
    LLVMPositionBuilderAtEnd(u->b, start);
    block(&w, &k->body);
    LLVMBuildRetVoid(u->b);
    LLVMPositionBuilderAtEnd(u->b, w.entry);
    LLVMBuildBr(u->b, start);
    llvm_names_put(u->arena, &u->kernels, k, w.function);
}

/* ---- steps ------------------------------------------------------------- */

static LLVMValueRef call_field(const Unit *u, LLVMValueRef function, unsigned field)
{
    LLVMValueRef at = LLVMBuildStructGEP2(u->b, u->call, LLVMGetParam(function, 0), field, "");
    return LLVMBuildLoad2(u->b, u->pointer, at, "");
}

static LLVMValueRef offset(const Unit *u, LLVMValueRef base, LLVMValueRef bytes)
{
    return LLVMBuildInBoundsGEP2(u->b, u->i8, base, &bytes, 1, "");
}

static LLVMValueRef port(const Unit *u, LLVMValueRef ports, int i)
{
    LLVMValueRef at = llvm_word(u, i);
    return LLVMBuildLoad2(u->b, u->pointer,
                          LLVMBuildInBoundsGEP2(u->b, u->pointer, ports, &at, 1, ""), "");
}

/* Task, thread or copy as a word. */
static LLVMValueRef as_word(const Unit *u, LLVMValueRef number)
{
    return LLVMBuildIntCast2(u->b, number, u->word, true, "");
}

/* What a task is given, besides the context. */
typedef struct Given {
    LLVMValueRef task, thread, copy; /* words; task: of the kernel's */
} Given;

/* Which copy a task has: that of the thread whose part it is (vtc_abi.h, VtcExecutor); of a
 * copied step also which of its tasks it is. */
static Given task_given(const Unit *u, LLVMValueRef function, const Step *step)
{
    LLVMValueRef task = LLVMGetParam(function, 1), tasks = llvm_int(u, step->kernel->tasks);
    Given g = {.task = as_word(u, task), .thread = as_word(u, LLVMGetParam(function, 2))};
    if (step->copied) {
        g.copy = as_word(u, LLVMBuildSDiv(u->b, task, tasks, ""));
        g.task = as_word(u, LLVMBuildSRem(u->b, task, tasks, ""));
        return g;
    }
    if (step_has_copy(step)) {
        LLVMValueRef at = LLVMBuildStructGEP2(u->b, u->call, LLVMGetParam(function, 0), 4, "");
        LLVMValueRef copies = LLVMBuildLoad2(u->b, u->i32, at, "");
        LLVMValueRef next = LLVMBuildNSWAdd(u->b, task, llvm_int(u, 1), "");
        LLVMValueRef part = LLVMBuildNSWMul(u->b, next, copies, "");
        part = LLVMBuildNSWSub(u->b, part, llvm_int(u, 1), "");
        g.copy = as_word(u, LLVMBuildSDiv(u->b, part, tasks, ""));
    }
    return g;
}

static LLVMValueRef argument(const Unit *u, LLVMValueRef function, const Given *given,
                             const Arg *arg)
{
    LLVMValueRef base = NULL;
    switch (arg->buffer) {
    case BUF_weights: base = call_field(u, function, 0); break;
    case BUF_input: base = port(u, call_field(u, function, 1), arg->port); break;
    case BUF_output: base = port(u, call_field(u, function, 2), arg->port); break;
    case BUF_workspace: base = call_field(u, function, 3); break;
    case BUF_scratch:
    case BUF_copy: {
        LLVMValueRef number = arg->buffer == BUF_copy ? given->copy : given->thread;
        LLVMValueRef stride = llvm_word(u, arg->stride);
        base = offset(u, call_field(u, function, 3), LLVMBuildNSWMul(u->b, number, stride, ""));
        break;
    }
    }
    return offset(u, base, llvm_word(u, arg->offset));
}

static LLVMValueRef step_task(Unit *u, const Step *step, int i)
{
    LLVMValueRef kernel_function = llvm_names_get(&u->kernels, step->kernel);
    LLVMValueRef *args = NEW(u->arena, LLVMValueRef, step->args.n + 1);
    const char *name = abi_step_symbol(u->arena, step, i);
    LLVMValueRef f = llvm_function(u, name, u->task, false);
    llvm_debug_function(u, f, step->name, step);
    Given given = task_given(u, f, step);
    for (int a = 0; a < step->args.n; a++)
        args[a] = argument(u, f, &given, &step->args.at[a]);
    args[step->args.n] = given.task;
    LLVMValueRef call = LLVMBuildCall2(u->b, LLVMGlobalGetValueType(kernel_function),
                                       kernel_function, args, (unsigned)step->args.n + 1, "");
    LLVMSetTailCallKind(call, LLVMTailCallKindNoTail); /* profilers know the layer by it */
    LLVMBuildRetVoid(u->b);
    return f;
}

static void step_table(Unit *u)
{
    const Program *p = u->program;
    LLVMValueRef *row = NEW(u->arena, LLVMValueRef, p->steps.n + 1);
    for (int i = 0; i < p->steps.n; i++) {
        LLVMValueRef field[3] = {step_task(u, &p->steps.at[i], i),
                                 llvm_int(u, p->steps.at[i].kernel->tasks),
                                 llvm_int(u, p->steps.at[i].copied)};
        row[i] = LLVMConstNamedStruct(u->step, field, 3);
    }
    LLVMValueRef table = LLVMConstArray2(u->step, row, (uint64_t)p->steps.n);
    u->steps = LLVMAddGlobal(u->module, LLVMTypeOf(table), "steps");
    LLVMSetInitializer(u->steps, table);
    LLVMSetGlobalConstant(u->steps, true);
    LLVMSetLinkage(u->steps, LLVMInternalLinkage);
}

/* ---- the module -------------------------------------------------------- */

static LLVMTypeRef record(const Unit *u, const char *name, LLVMTypeRef *field, unsigned n)
{
    LLVMTypeRef type = LLVMStructCreateNamed(u->context, name);
    LLVMStructSetBody(type, field, n, false);
    return type;
}

/* The records and functions of vtc_abi.h. */
static void types(Unit *u)
{
    u->none = LLVMVoidTypeInContext(u->context);
    u->i8 = LLVMInt8TypeInContext(u->context);
    u->i32 = LLVMInt32TypeInContext(u->context);
    u->i64 = LLVMInt64TypeInContext(u->context);
    u->f32 = LLVMFloatTypeInContext(u->context);
    u->pointer = LLVMPointerTypeInContext(u->context, 0);
    u->word = u->program->target->pointer_bytes == 8 ? u->i64 : u->i32;
    LLVMTypeRef p = u->pointer, i = u->i32;
    u->call = record(u, "Call", (LLVMTypeRef[]){p, p, p, p, i}, 5);
    u->executor = record(u, "VtcExecutor", (LLVMTypeRef[]){i, p, p}, 3);
    u->step = record(u, "Step", (LLVMTypeRef[]){p, i, i}, 3);
    u->task = LLVMFunctionType(u->none, (LLVMTypeRef[]){p, i, i}, 3, false);
    u->run = LLVMFunctionType(i, (LLVMTypeRef[]){p, p, p, p, p}, 5, false);
    u->run_steps = LLVMFunctionType(i, (LLVMTypeRef[]){p, p, p, p, p, i, i}, 7, false);
    u->dispatch = LLVMFunctionType(u->none, (LLVMTypeRef[]){p, p, p, i}, 4, false);
}

void llvm_emit(Unit *u)
{
    const Program *p = u->program;
    abi_check_emittable(p);
    types(u);
    llvm_debug_begin(u);
    for (int i = 0; i < p->kernels.n && !u->abi->levels; i++)
        kernel(u, p->kernels.at[i]);
    if (u->abi->levels) {
        llvm_levels(u);
    } else {
        step_table(u);
        llvm_runners(u);
    }
    llvm_typed_run(u);
    llvm_reflection(u);
    llvm_debug_end(u);
}
