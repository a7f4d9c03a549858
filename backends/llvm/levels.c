/* A network of several processor levels: asks the processor and runs the newest level
 * that it and the system have. */
#include "backends/llvm/emit.h"
#include <string.h>

/* cpuid of a leaf, subleaf 0: {eax, ebx, ecx, edx}. */
static LLVMValueRef cpuid(Unit *u, uint32_t leaf)
{
    static const char text[] = "cpuid", places[] = "={ax},={bx},={cx},={dx},{ax},{cx}";
    LLVMTypeRef i = u->i32;
    LLVMTypeRef four = LLVMStructTypeInContext(u->context, (LLVMTypeRef[]){i, i, i, i}, 4, false);
    LLVMTypeRef type = LLVMFunctionType(four, (LLVMTypeRef[]){i, i}, 2, false);
    LLVMValueRef code = LLVMGetInlineAsm(type, text, sizeof text - 1, places, sizeof places - 1,
                                         true, false, LLVMInlineAsmDialectATT, false);
    LLVMValueRef args[] = {llvm_int(u, (int32_t)leaf), llvm_int(u, 0)};
    return LLVMBuildCall2(u->b, type, code, args, 2, "");
}

/* A register of a leaf, 0 where the processor has no such leaf. */
static LLVMValueRef leaf_register(Unit *u, uint32_t leaf, unsigned place)
{
    LLVMValueRef most = LLVMBuildExtractValue(u->b, cpuid(u, leaf & 0x80000000u), 0, "");
    LLVMValueRef there = LLVMBuildICmp(u->b, LLVMIntUGE, most, llvm_int(u, (int32_t)leaf), "");
    LLVMValueRef x = LLVMBuildExtractValue(u->b, cpuid(u, leaf), place, "");
    return LLVMBuildSelect(u->b, there, x, llvm_int(u, 0), "");
}

static LLVMBasicBlockRef new_block(const Unit *u, LLVMValueRef function, const char *name)
{
    return LLVMAppendBasicBlockInContext(u->context, function, name);
}

static LLVMValueRef xgetbv(Unit *u)
{
    static const char text[] = "xgetbv", places[] = "={ax},={dx},{cx}";
    LLVMTypeRef i = u->i32;
    LLVMTypeRef two = LLVMStructTypeInContext(u->context, (LLVMTypeRef[]){i, i}, 2, false);
    LLVMTypeRef type = LLVMFunctionType(two, &i, 1, false);
    LLVMValueRef code = LLVMGetInlineAsm(type, text, sizeof text - 1, places, sizeof places - 1,
                                         true, false, LLVMInlineAsmDialectATT, false);
    LLVMValueRef zero = llvm_int(u, 0);
    return LLVMBuildExtractValue(u->b, LLVMBuildCall2(u->b, type, code, &zero, 1, ""), 0, "");
}

/* The registers that the system keeps; xgetbv is there when bit 27 of leaf 1 says so. */
static LLVMValueRef kept(Unit *u, LLVMValueRef function, LLVMValueRef leaf1)
{
    LLVMBasicBlockRef ask = new_block(u, function, "ask"), done = new_block(u, function, "asked");
    LLVMBasicBlockRef before = LLVMGetInsertBlock(u->b);
    LLVMValueRef bit = LLVMBuildAnd(u->b, leaf1, llvm_int(u, 1 << 27), "");
    LLVMValueRef zero = llvm_int(u, 0);
    LLVMBuildCondBr(u->b, LLVMBuildICmp(u->b, LLVMIntNE, bit, zero, ""), ask, done);
    LLVMPositionBuilderAtEnd(u->b, ask);
    LLVMValueRef low = xgetbv(u);
    LLVMBuildBr(u->b, done);
    LLVMPositionBuilderAtEnd(u->b, done);
    LLVMValueRef x = LLVMBuildPhi(u->b, u->i32, "xcr0");
    LLVMAddIncoming(x, &zero, &before, 1);
    LLVMAddIncoming(x, &low, &ask, 1);
    return x;
}

static LLVMValueRef has(Unit *u, const LLVMValueRef *offer, const CpuLevel *n)
{
    const uint32_t need[] = {n->leaf1, n->leaf7, n->leaf81, n->xcr0};
    LLVMValueRef all = LLVMConstInt(LLVMInt1TypeInContext(u->context), 1, false);
    for (int i = 0; i < 4; i++) {
        LLVMValueRef bits = llvm_int(u, (int32_t)need[i]);
        LLVMValueRef both = LLVMBuildAnd(u->b, offer[i], bits, "");
        all = LLVMBuildAnd(u->b, all, LLVMBuildICmp(u->b, LLVMIntEQ, both, bits, ""), "");
    }
    return all;
}

/* A level's record has its run before the last field (vtc_abi.h: VtcModel). */
static LLVMValueRef level_run(Unit *u, const AbiLevel *level)
{
    const char *name = arena_printf(u->arena, "%s_model", level->name);
    LLVMValueRef model = LLVMAddGlobal(u->module, u->i8, name);
    LLVMSetGlobalConstant(model, true);
    LLVMValueRef at = LLVMConstInt(u->i64, offsetof(VtcModel, run), false);
    LLVMValueRef field = LLVMBuildInBoundsGEP2(u->b, u->i8, model, &at, 1, "");
    return LLVMBuildLoad2(u->b, u->pointer, field, "run");
}

static void run_level(Unit *u, LLVMValueRef function, const AbiLevel *level)
{
    LLVMValueRef args[5];
    for (unsigned i = 0; i < 5; i++)
        args[i] = LLVMGetParam(function, i);
    LLVMBuildRet(u->b, LLVMBuildCall2(u->b, u->run, level_run(u, level), args, 5, ""));
}

/* run_all; VTC_ERR_SYSTEM: the processor is older than every level. */
void llvm_levels(Unit *u)
{
    LLVMValueRef f = llvm_function(u, "run_all", u->run, false), offer[4];
    u->run_function = f;
    offer[0] = leaf_register(u, 1, 2);
    offer[1] = leaf_register(u, 7, 1);
    offer[2] = leaf_register(u, 0x80000001u, 2);
    offer[3] = kept(u, f, offer[0]);
    for (int i = 0; i < u->abi->levels; i++) {
        LLVMBasicBlockRef yes = new_block(u, f, "level"), no = new_block(u, f, "older");
        LLVMBuildCondBr(u->b, has(u, offer, u->abi->level[i].needs), yes, no);
        LLVMPositionBuilderAtEnd(u->b, yes);
        run_level(u, f, &u->abi->level[i]);
        LLVMPositionBuilderAtEnd(u->b, no);
    }
    LLVMBuildRet(u->b, llvm_int(u, VTC_ERR_SYSTEM));
}
