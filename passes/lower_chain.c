/* The elementwise chain of a group, one expression per member. */
#include "passes/lower.h"

static const Expr *mask_of(Lower *l, const Expr *x)
{
    return expr_bin(l->arena, EX_ne, expr_cast(l->arena, x, DT_i32),
                    expr_int(l->arena, 0, x->type.lanes));
}

const Expr *at_load(Lower *l, const At *at, int operand)
{
    bool vector = at->lanes > 1 && at->vector->step[operand] == 1;
    const Expr *x = expr_load(l->arena, l->kernel, operand, at->index[operand],
                              vector ? at->lanes : 1);
    if (x->type.dtype == DT_bool)
        x = mask_of(l, x);
    if (at->lanes > 1 && !vector)
        x = expr_splat(l->arena, x, at->lanes);
    return x;
}

int lower_lanes(const Lower *l)
{
    for (int i = 0; i < l->operands; i++) {
        DType dtype = l->kernel->params.at[i].dtype;
        if (dtype != DT_f32 && dtype != DT_i32)
            return 1;
    }
    return l->target->lanes;
}

/* ---- one operator ------------------------------------------------------ */

static const Expr *real(Lower *l, double value, int lanes)
{
    return expr_real(l->arena, value, lanes);
}

static const Expr *sigmoid(Lower *l, const Expr *x)
{
    int lanes = x->type.lanes;
    const Expr *e = expr_un(l->arena, EX_exp, expr_un(l->arena, EX_neg, x));
    return expr_bin(l->arena, EX_div, real(l, 1, lanes),
                    expr_bin(l->arena, EX_add, real(l, 1, lanes), e));
}

static const Expr *gelu(Lower *l, const Value *v, const Expr *x)
{
    Arena *a = l->arena;
    int lanes = x->type.lanes;
    const Expr *inner;
    if (v->attr.mode == MODE_tanh) { /* sqrt(2/pi) (x + 0.044715 x^3) */
        const Expr *x2 = expr_bin(a, EX_mul, x, x);
        const Expr *poly = expr_tri(a, EX_fma, x2, real(l, 0.044715, lanes),
                                    real(l, 1, lanes));
        const Expr *arg = expr_bin(a, EX_mul, expr_bin(a, EX_mul, x, poly),
                                   real(l, 0.7978845608028654, lanes));
        inner = expr_un(a, EX_tanh, arg);
    } else {
        inner = expr_un(a, EX_erf, expr_bin(a, EX_mul, x,
                                            real(l, 0.7071067811865476, lanes)));
    }
    const Expr *half = expr_bin(a, EX_mul, x, real(l, 0.5, lanes));
    return expr_bin(a, EX_mul, half,
                    expr_bin(a, EX_add, inner, real(l, 1, lanes)));
}

static const Expr *clamp(Lower *l, const Value *v, const Expr *x)
{
    Arena *a = l->arena;
    if (isfinite(v->attr.min))
        x = expr_bin(a, EX_max, x, real(l, v->attr.min, x->type.lanes));
    if (isfinite(v->attr.max))
        x = expr_bin(a, EX_min, x, real(l, v->attr.max, x->type.lanes));
    return x;
}

/* f32 to i32: truncated, the nearest that there is, NaN 0. The conversion itself knows
 * only what is in range, of which the largest f32 is 2^31 - 128. */
static const Expr *whole_of(Lower *l, const Expr *x)
{
    Arena *a = l->arena;
    int lanes = x->type.lanes;
    const Expr *number = expr_bin(a, EX_eq, x, x);
    const Expr *fits = expr_tri(a, EX_select, number, x, real(l, 0, lanes));
    fits = expr_bin(a, EX_max, fits, real(l, -2147483648.0, lanes));
    fits = expr_bin(a, EX_min, fits, real(l, 2147483520.0, lanes));
    return expr_tri(a, EX_select, expr_bin(a, EX_le, real(l, 2147483648.0, lanes), x),
                    expr_int(a, INT32_MAX, lanes), expr_cast(a, fits, DT_i32));
}

/* Masks (bool in registers) are all ones or zero; numbers are made from them by
 * and-ing with 1. */
static const Expr *cast(Lower *l, const Value *v, const Expr *x)
{
    Arena *a = l->arena;
    int lanes = x->type.lanes;
    DType from = v->args[0]->type.dtype, to = v->attr.to;
    if (from == to)
        return x;
    if (from == DT_bool)
        x = expr_bin(a, EX_and, x, expr_int(a, 1, lanes));
    if (to == DT_bool && from == DT_f32)
        return expr_bin(a, EX_ne, x, real(l, 0, lanes));
    if (to == DT_f32)
        return expr_cast(a, x, DT_f32);
    if (from == DT_f32)
        x = whole_of(l, x);
    else if (from == DT_u8)
        x = expr_cast(a, x, DT_i32);
    if (to == DT_bool)
        return expr_bin(a, EX_ne, x, expr_int(a, 0, lanes));
    if (to != DT_u8)
        return x;
    x = expr_bin(a, EX_max, x, expr_int(a, 0, lanes));
    return expr_cast(a, expr_bin(a, EX_min, x, expr_int(a, 255, lanes)), DT_u8);
}

static const Expr *pow_of(Lower *l, const Expr *x, const Expr *y)
{
    if (y->op == EX_const && y->real == 2)
        return expr_bin(l->arena, EX_mul, x, x);
    if (y->op == EX_const && y->real == 0.5)
        return expr_un(l->arena, EX_sqrt, x);
    return expr_bin(l->arena, EX_pow, x, y);
}

/* x min(max(x / 6 + 1/2, 0), 1) */
static const Expr *hard_swish(Lower *l, const Expr *x)
{
    Arena *a = l->arena;
    int lanes = x->type.lanes;
    const Expr *gate = expr_bin(a, EX_mul, x, real(l, 1.0 / 6, lanes));
    gate = expr_bin(a, EX_add, gate, real(l, 0.5, lanes));
    gate = expr_bin(a, EX_max, gate, real(l, 0, lanes));
    return expr_bin(a, EX_mul, x, expr_bin(a, EX_min, gate, real(l, 1, lanes)));
}

static const Expr *unary(Lower *l, const Value *v, const Expr *x)
{
    Arena *a = l->arena;
    int lanes = x->type.lanes;
    switch ((int)v->op) {
    case OP_relu: return expr_bin(a, EX_max, x, real(l, 0, lanes));
    case OP_gelu: return gelu(l, v, x);
    case OP_sigmoid: return sigmoid(l, x);
    case OP_silu: return expr_bin(a, EX_mul, x, sigmoid(l, x));
    case OP_hard_swish: return hard_swish(l, x);
    case OP_tanh: return expr_un(a, EX_tanh, x);
    case OP_erf: return expr_un(a, EX_erf, x);
    case OP_exp: return expr_un(a, EX_exp, x);
    case OP_log: return expr_un(a, EX_log, x);
    case OP_sqrt: return expr_un(a, EX_sqrt, x);
    case OP_rsqrt:
        return expr_bin(a, EX_div, real(l, 1, lanes), expr_un(a, EX_sqrt, x));
    case OP_abs: return expr_un(a, EX_abs, x);
    case OP_neg: return expr_un(a, EX_neg, x);
    case OP_floor: return expr_un(a, EX_floor, x);
    case OP_clamp: return clamp(l, v, x);
    case OP_not: return expr_bin(a, EX_xor, x, expr_int(a, -1, lanes));
    case OP_cast: return cast(l, v, x);
    }
    bug("unary: %s is not elementwise", op_info[v->op].name);
}

static const Expr *binary(Lower *l, const Value *v, const Expr *x, const Expr *y)
{
    Arena *a = l->arena;
    switch ((int)v->op) {
    case OP_add: return expr_bin(a, EX_add, x, y);
    case OP_sub: return expr_bin(a, EX_sub, x, y);
    case OP_mul: return expr_bin(a, EX_mul, x, y);
    case OP_div: return expr_bin(a, EX_div, x, y);
    case OP_pow: return pow_of(l, x, y);
    case OP_maximum: return expr_bin(a, EX_max, x, y);
    case OP_minimum: return expr_bin(a, EX_min, x, y);
    case OP_and: return expr_bin(a, EX_and, x, y);
    case OP_or: return expr_bin(a, EX_or, x, y);
    case OP_eq: return expr_bin(a, EX_eq, x, y);
    case OP_ne: return expr_bin(a, EX_ne, x, y);
    case OP_lt: return expr_bin(a, EX_lt, x, y);
    case OP_le: return expr_bin(a, EX_le, x, y);
    case OP_gt: return expr_bin(a, EX_lt, y, x);
    case OP_ge: return expr_bin(a, EX_le, y, x);
    }
    bug("binary: %s is not elementwise", op_info[v->op].name);
}

const Expr *lower_elementwise(Lower *l, const Value *value, const Expr **arg,
                              int lanes)
{
    (void)lanes;
    if (value->op == OP_select)
        return expr_tri(l->arena, EX_select, arg[0], arg[1], arg[2]);
    return value->nargs == 1 ? unary(l, value, arg[0])
                             : binary(l, value, arg[0], arg[1]);
}

/* ---- the chain --------------------------------------------------------- */

static bool is_scalar_constant(const Value *v)
{
    return v->op == OP_constant && shape_count(&v->type.shape) == 1;
}

static const Expr *constant_of(Lower *l, const Value *v, int lanes)
{
    double value = v->data ? tensor_get(v->data, 0) : v->attr.value;
    switch (v->type.dtype) {
    case DT_bool: return expr_int(l->arena, value != 0 ? -1 : 0, lanes);
    case DT_i32:
    case DT_u8: return expr_int(l->arena, (int64_t)value, lanes);
    case DT_f32:
    case DT_f16:
    case DT_bf16: return expr_real(l->arena, value, lanes);
    case DTYPE_COUNT: break;
    }
    bug("constant_of: no such type");
}

static int member_index(const Group *group, const Value *v)
{
    for (int i = 0; i < group->members.n; i++)
        if (group->members.at[i] == v)
            return i;
    return -1;
}

static const Expr *chain_argument(Lower *l, const At *at, const Value *arg,
                                  const Expr *const *made)
{
    int i = member_index(l->group, arg);
    if (i >= 0)
        return made[i];
    if (is_scalar_constant(arg))
        return constant_of(l, arg, at->lanes);
    return at_load(l, at, lower_operand(l, arg, false));
}

static const char *short_name(const Value *v)
{
    return op_info[v->op].name;
}

static void store_result(Lower *l, const At *at, const Expr *x)
{
    if (l->result->type.dtype == DT_bool) {
        x = expr_bin(l->arena, EX_and, x, expr_int(l->arena, 1, at->lanes));
        x = expr_cast(l->arena, x, DT_u8);
    }
    build_store(&l->b, 0, at->index[0], x);
}

/* The members behind `from`, whose value is `x`, up to `to`. */
static const Expr *chain_members(Lower *l, const At *at, int from, const Expr *x, int to)
{
    enum { MAX_CHAIN = 64 };
    const Expr *made[MAX_CHAIN] = {0};
    if (from >= 0)
        made[from] = x;
    for (int i = from + 1; i <= to; i++) {
        const Value *v = l->group->members.at[i];
        const Expr *arg[3] = {0};
        for (int k = 0; k < v->nargs; k++)
            arg[k] = chain_argument(l, at, v->args[k], made);
        made[i] = build_let(&l->b, short_name(v),
                            lower_elementwise(l, v, arg, at->lanes));
    }
    return made[to];
}

const Expr *chain_between(Lower *l, const At *at, const Value *from, const Expr *x,
                          const Value *to)
{
    return chain_members(l, at, member_index(l->group, from), x, member_index(l->group, to));
}

void chain_store(Lower *l, const At *at, const Expr *anchor)
{
    int from = anchor ? member_index(l->group, l->group->anchor) : -1;
    store_result(l, at, chain_members(l, at, from, anchor, l->group->members.n - 1));
}

void chain_store_after(Lower *l, const At *at, const Value *from, const Expr *x)
{
    store_result(l, at, chain_between(l, at, from, x, l->result));
}
