/* ONNX operators that map elements one by one. */
#include "frontend/onnx_import.h"
#include <string.h>

typedef Importer I;

static bool node_is(const I *in, const char *name)
{
    return strcmp(in->node->op_type, name) == 0;
}

static Value *add(I *in, Value *a, Value *b) { return onnx_2(in, OP_add, a, b); }
static Value *sub(I *in, Value *a, Value *b) { return onnx_2(in, OP_sub, a, b); }
static Value *mul(I *in, Value *a, Value *b) { return onnx_2(in, OP_mul, a, b); }
static Value *divide(I *in, Value *a, Value *b) { return onnx_2(in, OP_div, a, b); }
static Value *num(I *in, double x) { return onnx_real(in, x); }
static Value *times(I *in, Value *a, double x) { return mul(in, a, num(in, x)); }
static Value *plus(I *in, Value *a, double x) { return add(in, a, num(in, x)); }
static Value *lt0(I *in, Value *a) { return onnx_2(in, OP_lt, a, num(in, 0)); }

static Value *clamped(I *in, Value *x, double low, double high)
{
    Attrs a = attrs_default();
    a.min = low;
    a.max = high;
    return onnx_op(in, OP_clamp, &a, 1, &x);
}

/* ---- unary ---------------------------------------------------------------------- */

void onnx_build_unary(I *in)
{
    static const struct {
        const char *name;
        Op op;
    } rows[] = {{"Relu", OP_relu}, {"Sigmoid", OP_sigmoid}, {"Tanh", OP_tanh}, {"Erf", OP_erf},
                {"Exp", OP_exp},   {"Log", OP_log},         {"Sqrt", OP_sqrt}, {"Abs", OP_abs},
                {"Neg", OP_neg},   {"Floor", OP_floor},     {"Not", OP_not}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (node_is(in, rows[i].name))
            onnx_result(in, 0, onnx_1(in, rows[i].op, onnx_arg(in, 0)));
}

static Value *ceiling(I *in, Value *x)
{
    return onnx_1(in, OP_neg, onnx_1(in, OP_floor, onnx_1(in, OP_neg, x)));
}

void onnx_build_ceil(I *in)
{
    onnx_result(in, 0, ceiling(in, onnx_arg(in, 0)));
}

/* floor(x + 1/2), one less where x lies in the middle and that is odd */
void onnx_build_round(I *in)
{
    Value *x = onnx_arg(in, 0), *low = onnx_1(in, OP_floor, x);
    Value *rest = sub(in, x, low), *half = times(in, low, 0.5);
    Value *odd = onnx_2(in, OP_ne, half, onnx_1(in, OP_floor, half));
    Value *tie = onnx_2(in, OP_and, onnx_2(in, OP_eq, rest, num(in, 0.5)), odd);
    Value *up = onnx_2(in, OP_or, onnx_2(in, OP_gt, rest, num(in, 0.5)), tie);
    onnx_result(in, 0, add(in, low, onnx_cast(in, up, DT_f32)));
}

void onnx_build_sign(I *in)
{
    Value *x = onnx_arg(in, 0), *zero = onnx_scalar(in, x->type.dtype, 0);
    Value *above = onnx_cast(in, onnx_2(in, OP_gt, x, zero), DT_f32);
    Value *below = onnx_cast(in, onnx_2(in, OP_lt, x, zero), DT_f32);
    onnx_result(in, 0, onnx_cast(in, sub(in, above, below), x->type.dtype));
}

void onnx_build_reciprocal(I *in)
{
    onnx_result(in, 0, divide(in, num(in, 1), onnx_arg(in, 0)));
}

static Value *softplus(I *in, Value *x)
{
    Value *e = onnx_1(in, OP_exp, onnx_1(in, OP_neg, onnx_1(in, OP_abs, x)));
    return add(in, onnx_1(in, OP_relu, x), onnx_1(in, OP_log, plus(in, e, 1)));
}

void onnx_build_softplus(I *in)
{
    onnx_result(in, 0, softplus(in, onnx_arg(in, 0)));
}

void onnx_build_softsign(I *in)
{
    Value *x = onnx_arg(in, 0);
    onnx_result(in, 0, divide(in, x, plus(in, onnx_1(in, OP_abs, x), 1)));
}

/* gamma (x < 0 ? alpha (exp(x / scale) - 1) : x) */
void onnx_build_elu(I *in)
{
    bool selu = node_is(in, "Selu"), celu = node_is(in, "Celu");
    double alpha = onnx_attr_real(in, "alpha", selu ? 1.67326319217681884765625 : 1);
    double gamma = selu ? onnx_attr_real(in, "gamma", 1.05070102214813232421875) : 1;
    Value *x = onnx_arg(in, 0), *low = onnx_2(in, OP_minimum, x, num(in, 0));
    low = onnx_1(in, OP_exp, celu ? times(in, low, 1 / alpha) : low);
    low = times(in, plus(in, low, -1), alpha);
    Value *y = onnx_select(in, lt0(in, x), low, x);
    onnx_result(in, 0, gamma == 1 ? y : times(in, y, gamma));
}

void onnx_build_leaky_relu(I *in)
{
    Value *x = onnx_arg(in, 0);
    Value *low = times(in, x, onnx_attr_real(in, "alpha", 0.01));
    onnx_result(in, 0, onnx_select(in, lt0(in, x), low, x));
}

/* b where its first dimension is one of a's, `axis`: what opset 6 calls broadcast. */
static Value *aligned(I *in, Value *b, int rank, int64_t axis)
{
    Shape s = b->type.shape, wide = {.rank = rank};
    axis = axis < 0 ? rank - s.rank : axis;
    if (axis < 0 || axis + s.rank > rank)
        onnx_fail(in, "axis %lld is out of range", (long long)axis);
    for (int d = 0; d < rank; d++)
        wide.dim[d] = d >= axis && d < axis + s.rank ? s.dim[d - axis] : 1;
    return onnx_reshape(in, b, wide);
}

/* Before opset 7 the slopes are always those of channels. */
void onnx_build_prelu(I *in)
{
    Value *x = onnx_arg(in, 0), *slope = onnx_arg(in, 1);
    if (in->opset < 7 && slope->type.shape.rank == 1 && x->type.shape.rank > 1 &&
        slope->type.shape.dim[0] > 1)
        slope = aligned(in, slope, x->type.shape.rank, 1);
    onnx_result(in, 0, onnx_select(in, lt0(in, x), mul(in, x, slope), x));
}

void onnx_build_thresholded(I *in)
{
    Value *x = onnx_arg(in, 0);
    Value *above = onnx_2(in, OP_gt, x, num(in, onnx_attr_real(in, "alpha", 1)));
    onnx_result(in, 0, onnx_select(in, above, x, num(in, 0)));
}

void onnx_build_shrink(I *in)
{
    Value *x = onnx_arg(in, 0);
    double lambda = onnx_attr_real(in, "lambd", 0.5), bias = onnx_attr_real(in, "bias", 0);
    Value *low = onnx_select(in, onnx_2(in, OP_lt, x, num(in, -lambda)), plus(in, x, bias),
                             num(in, 0));
    onnx_result(in, 0, onnx_select(in, onnx_2(in, OP_gt, x, num(in, lambda)),
                                   plus(in, x, -bias), low));
}

static Value *hard_sigmoid(I *in, Value *x, double alpha, double beta)
{
    return clamped(in, plus(in, times(in, x, alpha), beta), 0, 1);
}

void onnx_build_hard_sigmoid(I *in)
{
    double alpha = onnx_attr_real(in, "alpha", 0.2), beta = onnx_attr_real(in, "beta", 0.5);
    onnx_result(in, 0, hard_sigmoid(in, onnx_arg(in, 0), alpha, beta));
}

void onnx_build_hard_swish(I *in)
{
    onnx_result(in, 0, onnx_1(in, OP_hard_swish, onnx_arg(in, 0)));
}

void onnx_build_gelu(I *in)
{
    Attrs a = attrs_default();
    Value *x = onnx_arg(in, 0);
    a.mode = *onnx_attr_choice(in, "approximate", "none", "none tanh") == 't' ? MODE_tanh : MODE_erf;
    onnx_result(in, 0, onnx_op(in, OP_gelu, &a, 1, &x));
}

void onnx_build_mish(I *in)
{
    Value *x = onnx_arg(in, 0);
    onnx_result(in, 0, mul(in, x, onnx_1(in, OP_tanh, softplus(in, x))));
}

void onnx_build_clip(I *in)
{
    Value *x = onnx_arg(in, 0), *low = onnx_maybe(in, 1), *high = onnx_maybe(in, 2);
    double min = onnx_attr_real(in, "min", -INFINITY), max = onnx_attr_real(in, "max", INFINITY);
    DType dtype = x->type.dtype;
    bool folded = (!low || low->op == OP_constant) && (!high || high->op == OP_constant);
    if (dtype == DT_f32 && folded) {
        min = low ? tensor_get(onnx_known(in, low), 0) : min;
        max = high ? tensor_get(onnx_known(in, high), 0) : max;
        bool bounded = isfinite(min) || isfinite(max);
        onnx_result(in, 0, bounded ? clamped(in, x, min, max) : x);
        return;
    }
    DType wide = dtype == DT_u8 ? DT_i32 : dtype;
    x = onnx_cast(in, x, wide);
    x = low ? onnx_2(in, OP_maximum, x, onnx_cast(in, low, wide)) : x;
    x = high ? onnx_2(in, OP_minimum, x, onnx_cast(in, high, wide)) : x;
    onnx_result(in, 0, onnx_cast(in, x, dtype));
}

void onnx_build_is_inf(I *in)
{
    Value *x = onnx_arg(in, 0);
    double low = onnx_attr_int(in, "detect_negative", 1) ? -INFINITY : INFINITY;
    double high = onnx_attr_int(in, "detect_positive", 1) ? INFINITY : low;
    low = isinf(low) && low > 0 ? high : low;
    Value *is_low = onnx_2(in, OP_eq, x, num(in, low)), *is_high = onnx_2(in, OP_eq, x, num(in, high));
    onnx_result(in, 0, onnx_2(in, OP_or, is_low, is_high));
}

void onnx_build_is_nan(I *in)
{
    Value *x = onnx_arg(in, 0);
    onnx_result(in, 0, onnx_2(in, OP_ne, x, x));
}

/* ---- series: what the IR has no operator for --------------------------------------- */

/* Taylor in -pi .. pi: the term of x^21 is below 1e-9. */
static Value *sine(I *in, Value *x)
{
    const double turn = 6.283185307179586476925;
    Value *turns = onnx_1(in, OP_floor, plus(in, times(in, x, 1 / turn), 0.5));
    Value *r = sub(in, x, times(in, turns, turn)), *square = mul(in, r, r), *sum = num(in, 1);
    for (int k = 20; k >= 2; k -= 2)
        sum = plus(in, times(in, mul(in, sum, square), -1.0 / (k * (k + 1))), 1);
    return mul(in, r, sum);
}

static Value *cosine(I *in, Value *x)
{
    return sine(in, plus(in, x, 1.570796326794896619231));
}

void onnx_build_sin(I *in)
{
    Value *x = onnx_arg(in, 0);
    bool tangent = node_is(in, "Tan");
    Value *y = node_is(in, "Cos") ? cosine(in, x) : sine(in, x);
    onnx_result(in, 0, tangent ? divide(in, y, cosine(in, x)) : y);
}

/* atan t = 2 atan(t / (1 + sqrt(1 + t^2))), twice, then the series below 0.42 */
static Value *arctangent(I *in, Value *t)
{
    for (int i = 0; i < 2; i++) {
        Value *root = onnx_1(in, OP_sqrt, plus(in, mul(in, t, t), 1));
        t = divide(in, t, plus(in, root, 1));
    }
    Value *square = mul(in, t, t), *sum = num(in, 1.0 / 25);
    for (int k = 23; k >= 1; k -= 2)
        sum = plus(in, times(in, mul(in, sum, square), -1), 1.0 / k);
    return times(in, mul(in, t, sum), 4);
}

void onnx_build_atan(I *in)
{
    Value *x = onnx_arg(in, 0);
    if (node_is(in, "Atan")) {
        onnx_result(in, 0, arctangent(in, x));
        return;
    }
    Value *root = onnx_1(in, OP_sqrt, sub(in, num(in, 1), mul(in, x, x)));
    Value *y = arctangent(in, divide(in, x, root));
    onnx_result(in, 0, node_is(in, "Asin") ? y : sub(in, num(in, 1.570796326794896619231), y));
}

static Value *log_of(I *in, Value *x) { return onnx_1(in, OP_log, x); }

void onnx_build_hyperbolic(I *in)
{
    Value *x = onnx_arg(in, 0), *square = mul(in, x, x), *y;
    Value *up = onnx_1(in, OP_exp, x), *down = onnx_1(in, OP_exp, onnx_1(in, OP_neg, x));
    if (node_is(in, "Sinh"))
        y = times(in, sub(in, up, down), 0.5);
    else if (node_is(in, "Cosh"))
        y = times(in, add(in, up, down), 0.5);
    else if (node_is(in, "Asinh"))
        y = log_of(in, add(in, x, onnx_1(in, OP_sqrt, plus(in, square, 1))));
    else if (node_is(in, "Acosh"))
        y = log_of(in, add(in, x, onnx_1(in, OP_sqrt, plus(in, square, -1))));
    else
        y = times(in, log_of(in, divide(in, plus(in, x, 1), sub(in, num(in, 1), x))), 0.5);
    onnx_result(in, 0, y);
}

/* ---- binary ------------------------------------------------------------------------- */

/* u8 is computed in i32. */
static Value *wide_arg(I *in, int i)
{
    Value *v = onnx_arg(in, i);
    if (in->opset < 7 && i == 1 && onnx_attr_int(in, "broadcast", 0))
        v = aligned(in, v, onnx_arg(in, 0)->type.shape.rank, onnx_attr_int(in, "axis", -1));
    return v->type.dtype == DT_u8 || v->type.dtype == DT_bool ? onnx_cast(in, v, DT_i32) : v;
}

void onnx_build_binary(I *in)
{
    static const struct {
        const char *name;
        Op op;
    } rows[] = {{"Add", OP_add},     {"Sub", OP_sub},     {"Mul", OP_mul}, {"Max", OP_maximum},
                {"Min", OP_minimum}, {"Sum", OP_add},     {"Mean", OP_add}, {"And", OP_and},
                {"Or", OP_or}};
    size_t row = 0;
    while (!node_is(in, rows[row].name))
        row++;
    bool logic = rows[row].op == OP_and || rows[row].op == OP_or;
    DType dtype = onnx_arg(in, 0)->type.dtype;
    Value *y = logic ? onnx_arg(in, 0) : wide_arg(in, 0);
    for (int i = 1; i < onnx_inputs(in); i++)
        y = onnx_2(in, rows[row].op, y, logic ? onnx_arg(in, i) : wide_arg(in, i));
    if (node_is(in, "Mean"))
        y = times(in, y, 1.0 / onnx_inputs(in));
    onnx_result(in, 0, onnx_cast(in, y, dtype));
}

/* Whole quotients are cut towards 0, which cast does. */
void onnx_build_divide(I *in)
{
    Value *a = onnx_arg(in, 0), *b = wide_arg(in, 1);
    Value *y = divide(in, onnx_cast(in, a, DT_f32), onnx_cast(in, b, DT_f32));
    onnx_result(in, 0, onnx_cast(in, y, a->type.dtype));
}

/* fmod: the rest has the sign of a; else that of b */
void onnx_build_mod(I *in)
{
    DType dtype = onnx_arg(in, 0)->type.dtype;
    Value *a = onnx_cast(in, onnx_arg(in, 0), DT_f32), *b = onnx_cast(in, onnx_arg(in, 1), DT_f32);
    Value *q = divide(in, a, b), *whole = onnx_1(in, OP_floor, q);
    if (onnx_attr_int(in, "fmod", 0))
        whole = onnx_select(in, lt0(in, q), ceiling(in, q), whole);
    onnx_result(in, 0, onnx_cast(in, sub(in, a, mul(in, b, whole)), dtype));
}

void onnx_build_pow(I *in)
{
    DType dtype = onnx_arg(in, 0)->type.dtype;
    Value *a = onnx_cast(in, onnx_arg(in, 0), DT_f32), *b = onnx_cast(in, onnx_arg(in, 1), DT_f32);
    onnx_result(in, 0, onnx_cast(in, onnx_2(in, OP_pow, a, b), dtype));
}

void onnx_build_xor(I *in)
{
    onnx_result(in, 0, onnx_2(in, OP_ne, wide_arg(in, 0), wide_arg(in, 1)));
}

void onnx_build_compare(I *in)
{
    static const struct {
        const char *name;
        Op op;
    } rows[] = {{"Equal", OP_eq}, {"Less", OP_lt}, {"LessOrEqual", OP_le},
                {"Greater", OP_gt}, {"GreaterOrEqual", OP_ge}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (node_is(in, rows[i].name))
            onnx_result(in, 0, onnx_2(in, rows[i].op, wide_arg(in, 0), wide_arg(in, 1)));
}

void onnx_build_where(I *in)
{
    onnx_result(in, 0, onnx_select(in, onnx_arg(in, 0), onnx_arg(in, 1), onnx_arg(in, 2)));
}

void onnx_build_cast(I *in)
{
    DType to = DT_f32;
    if (node_is(in, "CastLike"))
        to = onnx_arg(in, 1)->type.dtype;
    else if (!onnx_dtype((int)onnx_attr_int(in, "to", 0), &to))
        onnx_fail(in, "a cast to this type is not supported");
    onnx_attr_int(in, "saturate", 1); /* of types of 8 bits, which are refused */
    onnx_attr_text(in, "round_mode", "up");
    onnx_result(in, 0, onnx_cast(in, onnx_arg(in, 0), to));
}

void onnx_build_identity(I *in)
{
    if (onnx_has(in, 0) && !onnx_maybe(in, 0))
        onnx_result_empty(in, 0);
    else
        onnx_result(in, 0, onnx_arg(in, 0));
}

void onnx_build_dropout(I *in)
{
    Value *x = onnx_arg(in, 0), *mode = onnx_maybe(in, 2);
    onnx_attr_real(in, "ratio", 0.5); /* of training, as the input, */
    onnx_maybe(in, 1);
    onnx_attr_int(in, "is_test", 1); /* this, before opset 7, */
    onnx_attr_int(in, "seed", 0); /* and this */
    if (mode && tensor_get(onnx_known(in, mode), 0) != 0)
        onnx_fail(in, "training mode is not supported");
    onnx_result(in, 0, x);
    if (onnx_wants(in, 1))
        onnx_result(in, 1, onnx_broadcast(in, onnx_scalar(in, DT_bool, 1), x->type.shape));
}
