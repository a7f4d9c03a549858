/* Types of expressions, stated once more and independently of the builder: passes
 * copy and change expressions without it. */
#include "ir/loop_check.h"

static bool same(LType a, LType b)
{
    return a.dtype == b.dtype && a.lanes == b.lanes;
}

static bool is_byte(DType dtype)
{
    return dtype == DT_u8 || dtype == DT_bool;
}

static bool is_number(DType dtype)
{
    return dtype == DT_f32 || dtype == DT_i32;
}

static bool operands_are(const Expr *e, DType dtype)
{
    for (int i = 0; i < expr_info[e->op].args; i++)
        if (!same(e->arg[i]->type, (LType){dtype, e->type.lanes}))
            return false;
    return true;
}

/* Operands and result of one type. */
static bool is_all(const Expr *e, DType dtype)
{
    return e->type.dtype == dtype && operands_are(e, dtype);
}

static bool casts(LType from, LType to)
{
    bool numbers = is_number(from.dtype) && is_number(to.dtype) && from.dtype != to.dtype;
    bool widens = is_byte(from.dtype) && is_number(to.dtype);
    bool narrows = from.dtype == DT_i32 && is_byte(to.dtype);
    return from.lanes == to.lanes && (numbers || widens || narrows);
}

static bool shuffles(const Expr *e)
{
    LType x = e->arg[0]->type;
    for (int i = 0; i < e->type.lanes; i++)
        if (e->lane[i] < 0 || e->lane[i] >= 2 * x.lanes)
            return false;
    return same(x, e->arg[1]->type) && x.dtype == e->type.dtype;
}

static bool shifts(const Expr *e)
{
    const Expr *count = e->arg[1];
    return is_all(e, DT_i32) && count->op == EX_const && count->integer >= 0 &&
           count->integer < 32;
}

bool expr_types_fit(const Expr *e)
{
    LType type = e->type, x = expr_info[e->op].args ? e->arg[0]->type : type;
    switch (e->op) {
    case EX_const: return is_number(type.dtype);
    case EX_reg: return same(type, e->reg->type);
    case EX_load: return is_number(type.dtype) || is_byte(type.dtype);
    case EX_index: return same(type, (LType){DT_i32, 1});
    case EX_cast: return casts(x, type);
    case EX_bitcast:
        return is_number(x.dtype) && is_number(type.dtype) && x.dtype != type.dtype &&
               x.lanes == type.lanes;
    case EX_splat: return x.lanes == 1 && x.dtype == type.dtype;
    case EX_shuffle: return shuffles(e);
    case EX_add: case EX_sub: case EX_mul: case EX_neg: case EX_max: case EX_min:
        return is_all(e, DT_f32) || is_all(e, DT_i32);
    case EX_div: case EX_fma: case EX_sqrt: case EX_abs: case EX_floor: case EX_exp:
    case EX_log: case EX_tanh: case EX_erf: case EX_pow:
        return is_all(e, DT_f32);
    case EX_and: case EX_or: case EX_xor: return is_all(e, DT_i32);
    case EX_shl: case EX_shr: return shifts(e);
    case EX_eq: case EX_ne: case EX_lt: case EX_le:
        return type.dtype == DT_i32 && (operands_are(e, DT_f32) || operands_are(e, DT_i32));
    case EX_select:
        return same(x, (LType){DT_i32, type.lanes}) && same(type, e->arg[1]->type) &&
               same(type, e->arg[2]->type) && is_number(type.dtype);
    case EXPR_COUNT: break;
    }
    return false;
}

const char *expr_unspellable(const Expr *e, const Target *target)
{
    static const bool spelled[EXPR_COUNT] = {
#define EXPR(name, args, emit, doc) [EX_##name] = emit,
#include "ir/exprs.def"
    };
    int lanes = e->type.lanes;
    if (!spelled[e->op] || (e->op == EX_fma && !target->has_fma) ||
        (e->op == EX_floor && target->no_floor))
        return "only what the target can do is left";
    if (lanes > target->lanes)
        return "no vector is wider than the target's";
    if (lanes == 2 || (lanes & (lanes - 1)))
        return "a vector has 4, 8, .. lanes";
    if (lanes > 1 && is_byte(e->type.dtype))
        return "bytes come one by one";
    if (e->op == EX_reg && e->reg->count > 1)
        return "no register is an array";
    return NULL;
}
