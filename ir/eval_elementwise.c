/* Elementwise operators, casts, selection. */
#include "ir/eval_plain.h"

static double unary(const Value *v, double x)
{
    switch ((int)v->op) {
    case OP_relu: return x > 0 ? x : isnan(x) ? x : 0;
    case OP_gelu:
        if (v->attr.mode == MODE_tanh)
            return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
        return 0.5 * x * (1 + erf(x * 0.7071067811865476));
    case OP_sigmoid: return 1 / (1 + exp(-x));
    case OP_silu: return x / (1 + exp(-x));
    case OP_tanh: return tanh(x);
    case OP_erf: return erf(x);
    case OP_exp: return exp(x);
    case OP_log: return log(x);
    case OP_sqrt: return sqrt(x);
    case OP_rsqrt: return 1 / sqrt(x);
    case OP_abs: return fabs(x);
    case OP_neg: return -x;
    case OP_floor: return floor(x);
    case OP_clamp:
        x = x > v->attr.min || isnan(x) ? x : v->attr.min;
        return x < v->attr.max || isnan(x) ? x : v->attr.max;
    case OP_not: return x == 0;
    }
    bug("unary: %s", op_info[v->op].name);
}

void eval_unary(const Eval *e)
{
    for (int64_t i = 0; i < shape_count(&e->out->type.shape); i++)
        e->out->exact[i] = unary(e->v, e->arg[0].exact[i]);
}

static double saturated(double x, double low, double high)
{
    return isnan(x) ? 0 : x < low ? low : x > high ? high : trunc(x);
}

void eval_cast(const Eval *e)
{
    for (int64_t i = 0; i < shape_count(&e->out->type.shape); i++) {
        double x = e->arg[0].exact[i], *y = &e->out->exact[i];
        switch (e->v->attr.to) {
        case DT_f32: *y = x; break;
        case DT_i32: *y = saturated(x, INT32_MIN, INT32_MAX); break;
        case DT_u8: *y = saturated(x, 0, 255); break;
        case DT_bool: *y = x != 0; break;
        case DT_f16:
        case DT_bf16:
        case DTYPE_COUNT: bug("cast to a storage type");
        }
    }
}

static double wrapped(const Value *v, double x)
{
    if (v->type.dtype != DT_i32)
        return x;
    return (double)(int32_t)(uint32_t)(int64_t)x;
}

static double binary(const Value *v, double a, double b)
{
    switch ((int)v->op) {
    case OP_add: return wrapped(v, a + b);
    case OP_sub: return wrapped(v, a - b);
    case OP_mul: return wrapped(v, a * b);
    case OP_div: return a / b;
    case OP_pow: return pow(a, b);
    case OP_maximum: return a > b ? a : b;
    case OP_minimum: return a < b ? a : b;
    case OP_and: return a != 0 && b != 0;
    case OP_or: return a != 0 || b != 0;
    case OP_eq: return a == b;
    case OP_ne: return a != b;
    case OP_lt: return a < b;
    case OP_le: return a <= b;
    case OP_gt: return a > b;
    case OP_ge: return a >= b;
    }
    bug("binary: %s", op_info[v->op].name);
}

static int64_t offset_at(const int64_t *index, const int64_t *stride, int rank)
{
    int64_t offset = 0;
    for (int d = 0; d < rank; d++)
        offset += index[d] * stride[d];
    return offset;
}

void eval_binary(const Eval *e)
{
    const Shape *s = &e->out->type.shape;
    int64_t at[MAX_RANK] = {0}, stride[2][MAX_RANK], i = 0;
    for (int k = 0; k < 2; k++)
        broadcast_strides(&e->arg[k].type.shape, s, stride[k]);
    do {
        e->out->exact[i++] = binary(e->v, e->arg[0].exact[offset_at(at, stride[0], s->rank)],
                                    e->arg[1].exact[offset_at(at, stride[1], s->rank)]);
    } while (next_element(s, at));
}

void eval_select(const Eval *e)
{
    const Shape *s = &e->out->type.shape;
    int64_t at[MAX_RANK] = {0}, stride[3][MAX_RANK], i = 0;
    for (int k = 0; k < 3; k++)
        broadcast_strides(&e->arg[k].type.shape, s, stride[k]);
    do {
        bool yes = e->arg[0].exact[offset_at(at, stride[0], s->rank)] != 0;
        int k = yes ? 1 : 2;
        e->out->exact[i++] = e->arg[k].exact[offset_at(at, stride[k], s->rank)];
    } while (next_element(s, at));
}
