/* Expressions as C. Vectors use the compilers' operators where they exist. */
#include "backends/c/emit.h"

void c_type(LType type, Text *out)
{
    if (type.lanes > 1)
        text_printf(out, "%c%d", type.dtype == DT_f32 ? 'f' : 'i', type.lanes);
    else
        text_add(out, dtype_info[type.dtype].c_type);
}

void c_index(const Index *index, Text *out)
{
    bool first = true;
    for (int i = 0; i < index->n; i++) {
        const Term *t = &index->term[i];
        text_add(out, first ? "" : " + ");
        if (t->factor == 1)
            text_add(out, t->var->name);
        else
            text_printf(out, "%lld * %s", (long long)t->factor, t->var->name);
        first = false;
    }
    if (first || index->base)
        text_printf(out, "%s%lld", first ? "" : " + ", (long long)index->base);
}

static char letter(const Expr *e)
{
    return e->type.dtype == DT_f32 ? 'f' : 'i';
}

static void real_number(double value, Text *out)
{
    if (isnan(value))
        text_add(out, "NAN");
    else if (isinf(value))
        text_add(out, value < 0 ? "-INFINITY" : "INFINITY");
    else if (value == (double)(int)value && fabs(value) < 1e6)
        text_printf(out, "%.1ff", value);
    else
        text_printf(out, "%af", value);
}

static void constant(const Expr *e, Text *out)
{
    if (e->type.lanes > 1)
        text_printf(out, "splat_%c%d(", letter(e), e->type.lanes);
    if (e->type.dtype == DT_f32)
        real_number(e->real, out);
    else if (e->integer == INT32_MIN)
        text_add(out, "INT32_MIN");
    else
        text_printf(out, "%lld", (long long)e->integer);
    if (e->type.lanes > 1)
        text_add(out, ")");
}

static void load(const Kernel *k, const Expr *e, Text *out)
{
    const char *name = k->params.at[e->param].name;
    if (e->type.lanes == 1) {
        text_printf(out, "%s[", name);
        c_index(&e->index, out);
        text_add(out, "]");
        return;
    }
    text_printf(out, "load_%c%d(%s + (", letter(e), e->type.lanes, name);
    c_index(&e->index, out);
    text_add(out, "))");
}

static void call(const Kernel *k, const char *name, const Expr *e, int n, Text *out)
{
    text_printf(out, "%s_%c%d(", name, letter(e), e->type.lanes);
    for (int i = 0; i < n; i++) {
        text_add(out, i ? ", " : "");
        c_expr(k, e->arg[i], out);
    }
    text_add(out, ")");
}

static void operator(const Kernel *k, const char *sign, const Expr *e, Text *out)
{
    text_add(out, "(");
    c_expr(k, e->arg[0], out);
    text_printf(out, " %s ", sign);
    c_expr(k, e->arg[1], out);
    text_add(out, ")");
}

/* The unsigned integer of the same width: signed overflow is undefined in C. */
static void as_unsigned(const Kernel *k, const Expr *e, Text *out)
{
    if (e->type.lanes > 1)
        text_printf(out, "(n%d)", e->type.lanes);
    else
        text_add(out, "(uint32_t)");
    c_expr(k, e, out);
}

/* Back from it: what is open is closed by two parentheses. */
static void wrapped(const Expr *e, Text *out)
{
    if (e->type.lanes > 1)
        text_printf(out, "((i%d)(", e->type.lanes);
    else
        text_add(out, "(wrap(");
}

static void arithmetic(const Kernel *k, const char *sign, const Expr *e, Text *out)
{
    if (e->type.dtype == DT_f32) {
        operator(k, sign, e, out);
        return;
    }
    wrapped(e, out);
    as_unsigned(k, e->arg[0], out);
    text_printf(out, " %s ", sign);
    as_unsigned(k, e->arg[1], out);
    text_add(out, "))");
}

static void negation(const Kernel *k, const Expr *e, Text *out)
{
    if (e->type.dtype == DT_f32) {
        text_add(out, "(-");
        c_expr(k, e->arg[0], out);
        text_add(out, ")");
        return;
    }
    wrapped(e, out);
    text_add(out, "0U - ");
    as_unsigned(k, e->arg[0], out);
    text_add(out, "))");
}

static void compare(const Kernel *k, const char *sign, const Expr *e, Text *out)
{
    text_add(out, e->type.lanes > 1 ? "" : "-(int32_t)");
    operator(k, sign, e, out);
}

static void shift(const Kernel *k, const Expr *e, Text *out)
{
    bool left = e->op == EX_shl;
    if (left) {
        wrapped(e, out);
        as_unsigned(k, e->arg[0], out);
    } else {
        text_add(out, "(");
        c_expr(k, e->arg[0], out);
    }
    text_printf(out, " %s %lld%s", left ? "<<" : ">>", (long long)e->arg[1]->integer,
                left ? "))" : ")");
}

static void cast(const Kernel *k, const Expr *e, Text *out)
{
    if (e->type.lanes > 1) {
        text_add(out, "__builtin_convertvector(");
        c_expr(k, e->arg[0], out);
        text_add(out, ", ");
        c_type(e->type, out);
    } else {
        text_add(out, "((");
        c_type(e->type, out);
        text_add(out, ")");
        c_expr(k, e->arg[0], out);
    }
    text_add(out, ")");
}

static void bitcast(const Kernel *k, const Expr *e, Text *out)
{
    if (e->type.lanes > 1) {
        text_add(out, "((");
        c_type(e->type, out);
        text_add(out, ")");
    } else {
        text_add(out, e->type.dtype == DT_f32 ? "float_of(" : "bits_of(");
    }
    c_expr(k, e->arg[0], out);
    text_add(out, ")");
}

static void shuffle(const Kernel *k, const Expr *e, Text *out)
{
    int lanes = e->arg[0]->type.lanes;
    if (e->type.lanes == 1) {
        int lane = e->lane[0];
        c_expr(k, e->arg[lane >= lanes], out);
        text_printf(out, "[%d]", lane % lanes);
        return;
    }
    if (e->type.lanes == 2)
        bug("a shuffle to two lanes");
    text_add(out, "__builtin_shufflevector(");
    c_expr(k, e->arg[0], out);
    text_add(out, ", ");
    c_expr(k, e->arg[1], out);
    for (int i = 0; i < e->type.lanes; i++)
        text_printf(out, ", %d", e->lane[i]);
    text_add(out, ")");
}

void c_expr(const Kernel *k, const Expr *e, Text *out)
{
    switch (e->op) {
    case EX_const: constant(e, out); return;
    case EX_reg: text_add(out, e->reg->name); return;
    case EX_load: load(k, e, out); return;
    case EX_index:
        text_add(out, "(int32_t)(");
        c_index(&e->index, out);
        text_add(out, ")");
        return;
    case EX_cast: cast(k, e, out); return;
    case EX_bitcast: bitcast(k, e, out); return;
    case EX_splat: call(k, "splat", e, 1, out); return;
    case EX_shuffle: shuffle(k, e, out); return;
    case EX_add: arithmetic(k, "+", e, out); return;
    case EX_sub: arithmetic(k, "-", e, out); return;
    case EX_mul: arithmetic(k, "*", e, out); return;
    case EX_div: operator(k, "/", e, out); return;
    case EX_neg: negation(k, e, out); return;
    case EX_fma: call(k, "fma", e, 3, out); return;
    case EX_max: call(k, "max", e, 2, out); return;
    case EX_min: call(k, "min", e, 2, out); return;
    case EX_sqrt: call(k, "sqrt", e, 1, out); return;
    case EX_abs: call(k, "abs", e, 1, out); return;
    case EX_floor: call(k, "floor", e, 1, out); return;
    case EX_and: operator(k, "&", e, out); return;
    case EX_or: operator(k, "|", e, out); return;
    case EX_xor: operator(k, "^", e, out); return;
    case EX_shl:
    case EX_shr: shift(k, e, out); return;
    case EX_eq: compare(k, "==", e, out); return;
    case EX_ne: compare(k, "!=", e, out); return;
    case EX_lt: compare(k, "<", e, out); return;
    case EX_le: compare(k, "<=", e, out); return;
    case EX_select: call(k, "select", e, 3, out); return;
    case EX_exp: case EX_log: case EX_tanh: case EX_erf: case EX_pow: case EXPR_COUNT:
        break;
    }
    bug("c_expr: %s is not legal here", expr_info[e->op].name);
}
