/* The reflection record as constants: what abi_reflection writes as C. Fields
 * stand in the order of vtc_abi.h; LLVM lays structs out as the target's C does. */
#include "backends/llvm/emit.h"
#include <string.h>

static LLVMValueRef i32(const Unit *u, int64_t value)
{
    return llvm_int(u, value);
}

static LLVMValueRef i64(const Unit *u, uint64_t value)
{
    return LLVMConstInt(u->i64, value, false);
}

static LLVMValueRef constant(Unit *u, const char *name, LLVMValueRef value)
{
    LLVMValueRef global = LLVMAddGlobal(u->module, LLVMTypeOf(value), name);
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMInternalLinkage);
    return global;
}

static LLVMValueRef text(Unit *u, const char *string)
{
    return constant(u, "text", LLVMConstStringInContext2(u->context, string, strlen(string),
                                                         false));
}

static LLVMValueRef record(Unit *u, LLVMValueRef *field, unsigned n)
{
    return LLVMConstStructInContext(u->context, field, n, false);
}

static LLVMValueRef reals(const Unit *u, const double *at, unsigned n)
{
    LLVMValueRef x[8];
    for (unsigned i = 0; i < n; i++)
        x[i] = LLVMConstReal(u->f32, at[i]);
    return LLVMConstArray2(u->f32, x, n);
}

static LLVMValueRef strings(Unit *u, const char *name, LLVMValueRef *at, int n)
{
    return constant(u, name, LLVMConstArray2(u->pointer, at, (uint64_t)n));
}

/* VtcPreprocess of an input, or NULL. */
static LLVMValueRef preprocess(Unit *u, const Value *input)
{
    const Graph *g = u->program->graph;
    for (int i = 0; i < g->preprocess.n; i++) {
        const Preprocess *q = &g->preprocess.at[i];
        if (q->input != input)
            continue;
        int filter = q->filter == MODE_nearest ? VTC_NEAREST : VTC_BILINEAR;
        int order = q->order == ORDER_rgb ? VTC_RGB : q->order == ORDER_bgr ? VTC_BGR : VTC_GRAY;
        LLVMValueRef field[] = {
            i32(u, q->resize_short), i32(u, q->resize_h), i32(u, q->resize_w), i32(u, filter),
            i32(u, q->crop_h), i32(u, q->crop_w), i32(u, order), i32(u, 0),
            LLVMConstReal(u->f32, 255), reals(u, q->mean, 4), reals(u, q->std, 4)};
        return constant(u, "preprocess", record(u, field, 11));
    }
    return llvm_null(u);
}

static LLVMValueRef labels(Unit *u, const Output *o)
{
    if (!o->labels.n)
        return llvm_null(u);
    LLVMValueRef *name = NEW(u->arena, LLVMValueRef, o->labels.n);
    for (int i = 0; i < o->labels.n; i++)
        name[i] = text(u, o->labels.at[i]);
    return strings(u, "labels", name, o->labels.n);
}

static LLVMValueRef dims(const Unit *u, const Shape *shape)
{
    LLVMValueRef n[VTC_MAX_RANK];
    for (int d = 0; d < VTC_MAX_RANK; d++)
        n[d] = i64(u, d < shape->rank ? (uint64_t)shape->dim[d] : 0);
    return LLVMConstArray2(u->i64, n, VTC_MAX_RANK);
}

static LLVMValueRef tensor_info(Unit *u, const char *name, const Type *type, const Value *input,
                                const Output *output)
{
    LLVMValueRef field[] = {
        text(u, name), i32(u, (int)type->dtype), i32(u, type->shape.rank),
        dims(u, &type->shape), i64(u, (uint64_t)type_bytes(type)),
        input ? preprocess(u, input) : llvm_null(u), output ? labels(u, output) : llvm_null(u),
        i64(u, output ? (uint64_t)output->labels.n : 0)};
    return record(u, field, 8);
}

static LLVMValueRef tensor_infos(Unit *u, const char *name, LLVMValueRef *info, int n)
{
    LLVMTypeRef type = n ? LLVMTypeOf(info[0]) : u->i8;
    return constant(u, name, LLVMConstArray2(type, info, (uint64_t)n));
}

static LLVMValueRef inputs(Unit *u)
{
    LLVMValueRef *info = NEW(u->arena, LLVMValueRef, u->abi->inputs + 1);
    for (int i = 0; i < u->abi->inputs; i++) {
        const Value *v = u->abi->input[i];
        info[i] = tensor_info(u, v->attr.name, &v->type, v, NULL);
    }
    return tensor_infos(u, "inputs", info, u->abi->inputs);
}

static LLVMValueRef outputs(Unit *u)
{
    LLVMValueRef *info = NEW(u->arena, LLVMValueRef, u->abi->outputs + 1);
    for (int i = 0; i < u->abi->outputs; i++) {
        const Output *o = &u->program->graph->outputs.at[i];
        info[i] = tensor_info(u, o->name, &o->value->type, NULL, o);
    }
    return tensor_infos(u, "outputs", info, u->abi->outputs);
}

static LLVMValueRef step_names(Unit *u)
{
    const Program *p = u->program;
    LLVMValueRef *name = NEW(u->arena, LLVMValueRef, p->steps.n + 1);
    for (int i = 0; i < p->steps.n; i++)
        name[i] = text(u, p->steps.at[i].name);
    return strings(u, "step_names", name, p->steps.n);
}

/* Defined here, elsewhere, or nowhere (in a file). */
/* Note [Weights do not go through LLVM]: as a constant they would be hashed and copied
 * some five times. An object has a mark and zeros in their place, and object.c puts them
 * there when it is written. Small ones are a constant like others. */
static LLVMValueRef weights_data(Unit *u)
{
    const Blob *blob = u->blob;
    if (!llvm_is_marked(u->options, blob))
        return LLVMConstStringInContext2(u->context, (const char *)blob->payload, blob->bytes,
                                         true);
    LLVMTypeRef rest = LLVMArrayType2(u->i8, blob->bytes - LLVM_MARK_BYTES);
    LlvmMark mark = llvm_mark(blob);
    LLVMValueRef parts[] = {LLVMConstStringInContext2(u->context, mark.text, LLVM_MARK_BYTES, true),
                            LLVMConstNull(rest)};
    return LLVMConstStructInContext(u->context, parts, 2, true);
}

static LLVMValueRef weights(Unit *u)
{
    if (u->abi->weights == WEIGHTS_file)
        return llvm_null(u);
    const char *name = arena_printf(u->arena, "%s_weights", u->abi->name);
    LLVMValueRef data = u->options->with_weights ? weights_data(u) : NULL;
    LLVMTypeRef type = data ? LLVMTypeOf(data) : LLVMArrayType2(u->i8, u->blob->bytes);
    LLVMValueRef global = LLVMAddGlobal(u->module, type, name);
    LLVMSetGlobalConstant(global, true);
    LLVMSetAlignment(global, (unsigned)weights_align(u->program->target, u->blob->bytes));
    if (data)
        LLVMSetInitializer(global, data);
    return global;
}

/* const VtcModel *const vtc_main_model: which network the runtime's main runs. */
static void main_model(Unit *u)
{
    LLVMValueRef global = LLVMAddGlobal(u->module, u->pointer, "vtc_main_model");
    LLVMSetInitializer(global, u->model);
    LLVMSetGlobalConstant(global, true);
}

void llvm_reflection(Unit *u)
{
    const Program *p = u->program;
    LLVMValueRef field[] = {
        i32(u, VTC_ABI_VERSION), i32(u, 64), text(u, p->name), inputs(u), outputs(u),
        i32(u, u->abi->inputs), i32(u, u->abi->outputs), i32(u, p->max_threads),
        i32(u, u->abi->levels ? 0 : p->steps.n),
        u->abi->levels ? llvm_null(u) : step_names(u), i64(u, (uint64_t)p->workspace_bytes),
        i64(u, (uint64_t)p->weights_bytes), i64(u, u->abi->weights_hash), weights(u),
        u->run_function, u->abi->levels ? llvm_null(u) : u->run_steps_function};
    u->model = constant(u, arena_printf(u->arena, "%s_model", u->abi->name),
                        record(u, field, 16));
    LLVMSetLinkage(u->model, LLVMExternalLinkage);
    if (u->options->with_main)
        main_model(u);
}
