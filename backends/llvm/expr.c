/* Expressions as LLVM values. */
#include "backends/llvm/emit.h"
#include <string.h>

LLVMTypeRef llvm_type(const Unit *u, LType type)
{
    LLVMTypeRef one = type.dtype == DT_f32   ? u->f32
                      : type.dtype == DT_i32 ? u->i32
                                             : u->i8;
    return type.lanes > 1 ? LLVMVectorType(one, (unsigned)type.lanes) : one;
}

LLVMValueRef llvm_index(Walk *w, const Index *index)
{
    LLVMValueRef sum = NULL;
    for (int i = 0; i < index->n; i++) {
        const Term *t = &index->term[i];
        LLVMValueRef x = llvm_names_get(&w->names, t->var);
        if (t->factor != 1)
            x = LLVMBuildNSWMul(w->u->b, x, llvm_word(w->u, t->factor), "");
        sum = sum ? LLVMBuildNSWAdd(w->u->b, sum, x, "") : x;
    }
    LLVMValueRef base = llvm_word(w->u, index->base);
    if (!sum)
        return base;
    return index->base ? LLVMBuildNSWAdd(w->u->b, sum, base, "") : sum;
}

LLVMValueRef llvm_place(Walk *w, int param, const Index *index)
{
    LLVMTypeRef element = llvm_type(w->u, (LType){w->kernel->params.at[param].dtype, 1});
    LLVMValueRef at = llvm_index(w, index);
    return LLVMBuildInBoundsGEP2(w->u->b, element, LLVMGetParam(w->function, (unsigned)param),
                                 &at, 1, "");
}

static LLVMValueRef splat(const Unit *u, LLVMValueRef x, int lanes)
{
    LLVMValueRef each[MAX_LANES];
    if (lanes == 1)
        return x;
    if (LLVMIsConstant(x)) {
        for (int i = 0; i < lanes; i++)
            each[i] = x;
        return LLVMConstVector(each, (unsigned)lanes);
    }
    LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(x), (unsigned)lanes);
    LLVMTypeRef lane = LLVMVectorType(u->i32, (unsigned)lanes);
    LLVMValueRef first = LLVMBuildInsertElement(u->b, LLVMGetPoison(type), x, llvm_int(u, 0), "");
    return LLVMBuildShuffleVector(u->b, first, LLVMGetPoison(type), LLVMConstNull(lane), "");
}

static LLVMValueRef constant(const Unit *u, const Expr *e)
{
    LLVMValueRef one = e->type.dtype == DT_f32 ? LLVMConstReal(u->f32, e->real)
                                               : llvm_int(u, e->integer);
    return splat(u, one, e->type.lanes);
}

static LLVMValueRef reg(Walk *w, const Expr *e)
{
    LLVMValueRef x = llvm_names_get(&w->names, e->reg);
    return e->reg->once ? x : LLVMBuildLoad2(w->u->b, llvm_type(w->u, e->type), x, "");
}

static LLVMValueRef load(Walk *w, const Expr *e)
{
    LLVMValueRef at = llvm_place(w, e->param, &e->index);
    LLVMValueRef x = LLVMBuildLoad2(w->u->b, llvm_type(w->u, e->type), at, "");
    LLVMSetAlignment(x, (unsigned)dtype_info[e->type.dtype].bytes);
    return x;
}

/* llvm.fma and its kin: defined for every vector type. */
static LLVMValueRef call(Walk *w, const char *name, const Expr *e, int n)
{
    LLVMTypeRef type = llvm_type(w->u, e->type), takes[3] = {type, type, type};
    LLVMValueRef x[3];
    for (int i = 0; i < n; i++)
        x[i] = llvm_expr(w, e->arg[i]);
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(w->u->module, id, &type, 1);
    return LLVMBuildCall2(w->u->b, LLVMFunctionType(type, takes, (unsigned)n, false), function,
                          x, (unsigned)n, "");
}

static LLVMValueRef operator(Walk *w, LLVMOpcode code, const Expr *e)
{
    LLVMValueRef x = llvm_expr(w, e->arg[0]), y = llvm_expr(w, e->arg[1]);
    return LLVMBuildBinOp(w->u->b, code, x, y, "");
}

static LLVMValueRef arithmetic(Walk *w, LLVMOpcode real, LLVMOpcode integer, const Expr *e)
{
    return operator(w, e->type.dtype == DT_f32 ? real : integer, e);
}

static LLVMValueRef test(Walk *w, LLVMRealPredicate real, LLVMIntPredicate integer,
                         LLVMValueRef x, LLVMValueRef y)
{
    LLVMTypeRef type = LLVMTypeOf(x);
    bool vector = LLVMGetTypeKind(type) == LLVMVectorTypeKind;
    if ((vector ? LLVMGetElementType(type) : type) == w->u->f32)
        return LLVMBuildFCmp(w->u->b, real, x, y, "");
    return LLVMBuildICmp(w->u->b, integer, x, y, "");
}

static LLVMValueRef compare(Walk *w, LLVMRealPredicate real, LLVMIntPredicate integer,
                            const Expr *e)
{
    LLVMValueRef x = llvm_expr(w, e->arg[0]), y = llvm_expr(w, e->arg[1]);
    LLVMValueRef bit = test(w, real, integer, x, y);
    return LLVMBuildSExt(w->u->b, bit, llvm_type(w->u, e->type), "");
}

/* a > b ? a : b is what maxps computes, NaN and signed zeros included. */
static LLVMValueRef extreme(Walk *w, LLVMRealPredicate real, LLVMIntPredicate integer,
                            const Expr *e)
{
    LLVMValueRef x = llvm_expr(w, e->arg[0]), y = llvm_expr(w, e->arg[1]);
    return LLVMBuildSelect(w->u->b, test(w, real, integer, x, y), x, y, "");
}

static LLVMValueRef choose(Walk *w, const Expr *e)
{
    LLVMValueRef mask = llvm_expr(w, e->arg[0]);
    LLVMValueRef x = llvm_expr(w, e->arg[1]), y = llvm_expr(w, e->arg[2]);
    LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(mask));
    return LLVMBuildSelect(w->u->b, LLVMBuildICmp(w->u->b, LLVMIntNE, mask, zero, ""), x, y,
                           "");
}

static LLVMValueRef absolute(Walk *w, const Expr *e)
{
    LType bits = {DT_i32, e->type.lanes};
    LLVMValueRef x = LLVMBuildBitCast(w->u->b, llvm_expr(w, e->arg[0]), llvm_type(w->u, bits),
                                      "");
    LLVMValueRef mask = splat(w->u, llvm_int(w->u, INT32_MAX), e->type.lanes);
    return LLVMBuildBitCast(w->u->b, LLVMBuildAnd(w->u->b, x, mask, ""),
                            llvm_type(w->u, e->type), "");
}

static LLVMValueRef cast(Walk *w, const Expr *e)
{
    LLVMValueRef x = llvm_expr(w, e->arg[0]);
    LLVMTypeRef type = llvm_type(w->u, e->type);
    DType from = e->arg[0]->type.dtype, to = e->type.dtype;
    if (from == DT_f32)
        return LLVMBuildFPToSI(w->u->b, x, type, "");
    if (to == DT_f32)
        return from == DT_i32 ? LLVMBuildSIToFP(w->u->b, x, type, "")
                              : LLVMBuildUIToFP(w->u->b, x, type, "");
    return to == DT_i32 ? LLVMBuildZExt(w->u->b, x, type, "")
                        : LLVMBuildTrunc(w->u->b, x, type, "");
}

static LLVMValueRef shuffle(Walk *w, const Expr *e)
{
    int lanes = e->arg[0]->type.lanes;
    LLVMValueRef lane[MAX_LANES];
    if (e->type.lanes == 1) {
        LLVMValueRef at = llvm_int(w->u, e->lane[0] % lanes);
        return LLVMBuildExtractElement(w->u->b, llvm_expr(w, e->arg[e->lane[0] >= lanes]), at,
                                       "");
    }
    for (int i = 0; i < e->type.lanes; i++)
        lane[i] = llvm_int(w->u, e->lane[i]);
    LLVMValueRef x = llvm_expr(w, e->arg[0]), y = llvm_expr(w, e->arg[1]);
    return LLVMBuildShuffleVector(w->u->b, x, y, LLVMConstVector(lane, (unsigned)e->type.lanes),
                                  "");
}

static LLVMValueRef negate(Walk *w, const Expr *e)
{
    LLVMValueRef x = llvm_expr(w, e->arg[0]);
    return e->type.dtype == DT_f32 ? LLVMBuildFNeg(w->u->b, x, "")
                                   : LLVMBuildNeg(w->u->b, x, "");
}

LLVMValueRef llvm_expr(Walk *w, const Expr *e)
{
    switch (e->op) {
    case EX_const: return constant(w->u, e);
    case EX_reg: return reg(w, e);
    case EX_load: return load(w, e);
    case EX_index:
        return LLVMBuildIntCast2(w->u->b, llvm_index(w, &e->index), w->u->i32, true, "");
    case EX_cast: return cast(w, e);
    case EX_bitcast:
        return LLVMBuildBitCast(w->u->b, llvm_expr(w, e->arg[0]), llvm_type(w->u, e->type), "");
    case EX_splat: return splat(w->u, llvm_expr(w, e->arg[0]), e->type.lanes);
    case EX_shuffle: return shuffle(w, e);
    case EX_add: return arithmetic(w, LLVMFAdd, LLVMAdd, e);
    case EX_sub: return arithmetic(w, LLVMFSub, LLVMSub, e);
    case EX_mul: return arithmetic(w, LLVMFMul, LLVMMul, e);
    case EX_div: return operator(w, LLVMFDiv, e);
    case EX_neg: return negate(w, e);
    case EX_fma: return call(w, "llvm.fma", e, 3);
    case EX_max: return extreme(w, LLVMRealOGT, LLVMIntSGT, e);
    case EX_min: return extreme(w, LLVMRealOLT, LLVMIntSLT, e);
    case EX_sqrt: return call(w, "llvm.sqrt", e, 1);
    case EX_abs: return absolute(w, e);
    case EX_floor: return call(w, "llvm.floor", e, 1);
    case EX_and: return operator(w, LLVMAnd, e);
    case EX_or: return operator(w, LLVMOr, e);
    case EX_xor: return operator(w, LLVMXor, e);
    case EX_shl: return operator(w, LLVMShl, e);
    case EX_shr: return operator(w, LLVMAShr, e);
    case EX_eq: return compare(w, LLVMRealOEQ, LLVMIntEQ, e);
    case EX_ne: return compare(w, LLVMRealUNE, LLVMIntNE, e);
    case EX_lt: return compare(w, LLVMRealOLT, LLVMIntSLT, e);
    case EX_le: return compare(w, LLVMRealOLE, LLVMIntSLE, e);
    case EX_select: return choose(w, e);
    case EX_exp: case EX_log: case EX_tanh: case EX_erf: case EX_pow: case EXPR_COUNT:
        break;
    }
    bug("llvm_expr: %s is not legal here", expr_info[e->op].name);
}
