/* Arithmetic and functions on compile-time values: integers of 64 bits with
 * every overflow refused, finite reals, strings, lists. */
#include "frontend/elaborate.h"
#include <string.h>

static Val real_result(Elab *e, const Expr *expr, double value)
{
    if (isfinite(value))
        return val_real(value);
    elab_error(e, expr->span, "the result is out of range");
    return val_poison();
}

static Val overflow(Elab *e, const Expr *expr)
{
    elab_error(e, expr->span, "the integer result is out of range (64 bits)");
    return val_poison();
}

static Val by_zero(Elab *e, const Expr *expr)
{
    elab_error(e, expr->span, "division by zero");
    return val_poison();
}

static Val mismatch(Elab *e, const Expr *expr, Sign sign, Val a, Val b)
{
    elab_error(e, expr->span, "'%s' cannot join %s and %s", sign_info[sign].text,
               val_describe(e, a), val_describe(e, b));
    return val_poison();
}

/* ---- integers ---------------------------------------------------------- */

/* Rounded down, as % is its rest: a == quotient * b + rest, rest has b's sign. */
static Val int_quotient(Elab *e, const Expr *expr, int64_t a, int64_t b)
{
    if (b == 0)
        return by_zero(e, expr);
    if (a == INT64_MIN && b == -1)
        return overflow(e, expr);
    return val_int(a / b - (a % b != 0 && (a < 0) != (b < 0)));
}

static Val int_mod(Elab *e, const Expr *expr, int64_t a, int64_t b)
{
    if (b == 0)
        return by_zero(e, expr);
    if (b == -1)
        return val_int(0);
    int64_t rest = a % b;
    return val_int(rest && (rest < 0) != (b < 0) ? rest + b : rest);
}

static Val int_div(Elab *e, const Expr *expr, int64_t a, int64_t b)
{
    if (b == 0)
        return by_zero(e, expr);
    if (a == INT64_MIN && b == -1)
        return overflow(e, expr);
    return a % b ? real_result(e, expr, (double)a / (double)b) : val_int(a / b);
}

static Val int_pow(Elab *e, const Expr *expr, int64_t a, int64_t b)
{
    if (b < 0)
        return a ? real_result(e, expr, pow((double)a, (double)b)) : by_zero(e, expr);
    int64_t result = 1;
    while (b > 0) {
        if ((b & 1) && __builtin_mul_overflow(result, a, &result))
            return overflow(e, expr);
        b >>= 1;
        if (b && __builtin_mul_overflow(a, a, &a))
            return overflow(e, expr);
    }
    return val_int(result);
}

static Val int_binary(Elab *e, const Expr *expr, Sign sign, int64_t a, int64_t b)
{
    int64_t result;
    bool over;
    if (sign == SIGN_div)
        return int_div(e, expr, a, b);
    if (sign == SIGN_mod)
        return int_mod(e, expr, a, b);
    if (sign == SIGN_pow)
        return int_pow(e, expr, a, b);
    if (sign == SIGN_add)
        over = __builtin_add_overflow(a, b, &result);
    else if (sign == SIGN_sub)
        over = __builtin_sub_overflow(a, b, &result);
    else
        over = __builtin_mul_overflow(a, b, &result);
    return over ? overflow(e, expr) : val_int(result);
}

static Val real_binary(Elab *e, const Expr *expr, Sign sign, double a, double b)
{
    if ((sign == SIGN_div || sign == SIGN_mod) && b == 0)
        return by_zero(e, expr);
    if (sign == SIGN_div)
        return real_result(e, expr, a / b);
    if (sign == SIGN_mod)
        return real_result(e, expr, a - b * floor(a / b));
    if (sign == SIGN_pow)
        return real_result(e, expr, pow(a, b));
    if (sign == SIGN_add)
        return real_result(e, expr, a + b);
    if (sign == SIGN_sub)
        return real_result(e, expr, a - b);
    return real_result(e, expr, a * b);
}

/* ---- joining ----------------------------------------------------------- */

static Val strings_join(Elab *e, const Expr *expr, const char *a, const char *b)
{
    size_t length = strlen(a) + strlen(b);
    if (length > LIMIT_STRING) {
        elab_error(e, expr->span, "this string is longer than %d bytes", LIMIT_STRING);
        return val_poison();
    }
    if (!elab_step(e, expr->span, (int64_t)length / 16))
        return val_poison();
    return val_text(arena_printf(e->arena, "%s%s", a, b));
}

static Val lists_join(Elab *e, const Expr *expr, Val a, Val b)
{
    if (!elab_step(e, expr->span, a.n + b.n))
        return val_poison();
    Val *items = NEW(e->arena, Val, a.n + b.n);
    for (int i = 0; i < a.n + b.n; i++)
        items[i] = i < a.n ? a.items[i] : b.items[i - a.n];
    return elab_list(e, expr->span, items, a.n + b.n);
}

/* ---- comparing --------------------------------------------------------- */

static int number_order(Val a, Val b)
{
    if (a.kind == VAL_int && b.kind == VAL_int)
        return (a.integer > b.integer) - (a.integer < b.integer);
    return (val_number(a) > val_number(b)) - (val_number(a) < val_number(b));
}

static bool val_equal(Elab *e, Span span, Val a, Val b)
{
    if (!elab_step(e, span, 1))
        return false;
    if (val_is_number(a) && val_is_number(b))
        return number_order(a, b) == 0;
    if (a.kind != b.kind)
        return false;
    if (a.kind == VAL_bool)
        return a.truth == b.truth;
    if (a.kind == VAL_string)
        return strcmp(a.text, b.text) == 0;
    if (a.kind == VAL_tensor)
        return a.tensor == b.tensor;
    if (a.kind != VAL_list)
        return true; /* none */
    bool equal = a.n == b.n;
    for (int i = 0; equal && i < a.n; i++)
        equal = val_equal(e, span, a.items[i], b.items[i]);
    return equal;
}

static bool order_holds(Sign sign, int order)
{
    if (sign == SIGN_lt)
        return order < 0;
    if (sign == SIGN_le)
        return order <= 0;
    return sign == SIGN_gt ? order > 0 : order >= 0;
}

static Val compare(Elab *e, const Expr *expr, Sign sign, Val a, Val b)
{
    bool numbers = val_is_number(a) && val_is_number(b);
    bool any_none = a.kind == VAL_none || b.kind == VAL_none;
    if (sign == SIGN_eq || sign == SIGN_ne) {
        if (!numbers && !any_none && a.kind != b.kind)
            return mismatch(e, expr, sign, a, b);
        return val_bool(val_equal(e, expr->span, a, b) == (sign == SIGN_eq));
    }
    if (!numbers)
        return mismatch(e, expr, sign, a, b);
    return val_bool(order_holds(sign, number_order(a, b)));
}

/* ---- operators --------------------------------------------------------- */

Val number_unary(Elab *e, const Expr *expr, Sign sign, Val a)
{
    if (sign == SIGN_not && a.kind == VAL_bool)
        return val_bool(!a.truth);
    if (sign == SIGN_neg && a.kind == VAL_int)
        return a.integer == INT64_MIN ? overflow(e, expr) : val_int(-a.integer);
    if (sign == SIGN_neg && a.kind == VAL_real)
        return val_real(-a.real);
    elab_error(e, expr->span, "'%s' cannot take %s",
               sign == SIGN_not ? "not" : "-", val_describe(e, a));
    return val_poison();
}

static Val arithmetic(Elab *e, const Expr *expr, Sign sign, Val a, Val b)
{
    if (a.kind == VAL_int && b.kind == VAL_int)
        return int_binary(e, expr, sign, a.integer, b.integer);
    if (val_is_number(a) && val_is_number(b))
        return real_binary(e, expr, sign, val_number(a), val_number(b));
    if (sign == SIGN_add && a.kind == VAL_string && b.kind == VAL_string)
        return strings_join(e, expr, a.text, b.text);
    if (sign == SIGN_add && a.kind == VAL_list && b.kind == VAL_list)
        return lists_join(e, expr, a, b);
    return mismatch(e, expr, sign, a, b);
}

Val number_binary(Elab *e, const Expr *expr, Sign sign, Val a, Val b)
{
    switch (sign) {
    case SIGN_or:
    case SIGN_and: /* the lazy half was decided before */
        if (a.kind == VAL_bool && b.kind == VAL_bool)
            return b;
        return mismatch(e, expr, sign, a, b);
    case SIGN_eq:
    case SIGN_ne:
    case SIGN_lt:
    case SIGN_le:
    case SIGN_gt:
    case SIGN_ge:
        return compare(e, expr, sign, a, b);
    case SIGN_add:
    case SIGN_sub:
    case SIGN_mul:
    case SIGN_div:
    case SIGN_mod:
    case SIGN_pow:
        return arithmetic(e, expr, sign, a, b);
    case SIGN_not:
    case SIGN_neg:
    case SIGN_COUNT:
        break;
    }
    bug("'%d' is no operator of two values", (int)sign);
}

/* ---- functions --------------------------------------------------------- */

static Val to_int(Elab *e, const Expr *call, double value)
{
    if (value >= -9223372036854775808.0 && value < 9223372036854775808.0)
        return val_int((int64_t)value);
    return overflow(e, call);
}

static Val fn_floor(Elab *e, const Expr *call, const Val *v, int n)
{
    (void)n;
    return v->kind == VAL_int ? *v : to_int(e, call, floor(v->real));
}

static Val fn_ceil(Elab *e, const Expr *call, const Val *v, int n)
{
    (void)n;
    return v->kind == VAL_int ? *v : to_int(e, call, ceil(v->real));
}

static Val fn_int(Elab *e, const Expr *call, const Val *v, int n)
{
    (void)n;
    return v->kind == VAL_int ? *v : to_int(e, call, v->real);
}

static Val fn_sqrt(Elab *e, const Expr *call, const Val *v, int n)
{
    (void)n;
    return real_result(e, call, sqrt(val_number(*v)));
}

static Val fn_exp(Elab *e, const Expr *call, const Val *v, int n)
{
    (void)n;
    return real_result(e, call, exp(val_number(*v)));
}

static Val fn_log(Elab *e, const Expr *call, const Val *v, int n)
{
    (void)n;
    return real_result(e, call, log(val_number(*v)));
}

/* A power of two has an integer for its logarithm. */
static Val fn_log2(Elab *e, const Expr *call, const Val *v, int n)
{
    (void)n;
    int64_t i = v->kind == VAL_int ? v->integer : 0;
    if (i > 0 && (i & (i - 1)) == 0)
        return val_int(__builtin_ctzll((unsigned long long)i));
    return real_result(e, call, log2(val_number(*v)));
}

static Val fn_abs(Elab *e, const Expr *call, const Val *v, int n)
{
    (void)n;
    if (v->kind == VAL_real)
        return val_real(fabs(v->real));
    return v->integer < 0 ? number_unary(e, call, SIGN_neg, *v) : *v;
}

static Val fn_len(Elab *e, const Expr *call, const Val *v, int n)
{
    (void)n;
    if (v->kind == VAL_list)
        return val_int(v->n);
    if (v->kind == VAL_string)
        return val_int((int64_t)strlen(v->text));
    elab_error(e, call->span, "len is of a list or a string, not of %s",
               val_describe(e, *v));
    return val_poison();
}

static Val extreme(const Val *v, int n, int wanted)
{
    Val best = v[0];
    for (int i = 1; i < n; i++)
        if (number_order(v[i], best) == wanted)
            best = v[i];
    return best;
}

static Val fn_min(Elab *e, const Expr *call, const Val *v, int n)
{
    (void)e;
    (void)call;
    return extreme(v, n, -1);
}

static Val fn_max(Elab *e, const Expr *call, const Val *v, int n)
{
    (void)e;
    (void)call;
    return extreme(v, n, 1);
}

static Val fn_quotient(Elab *e, const Expr *call, const Val *v, int n)
{
    (void)n;
    if (v[0].kind == VAL_int && v[1].kind == VAL_int)
        return int_quotient(e, call, v[0].integer, v[1].integer);
    if (val_number(v[1]) == 0)
        return by_zero(e, call);
    return to_int(e, call, floor(val_number(v[0]) / val_number(v[1])));
}

typedef Val Function(Elab *e, const Expr *call, const Val *values, int n);

typedef struct FunctionInfo {
    const char *name;
    int min, max;
    bool numbers; /* takes numbers only */
    Function *run;
} FunctionInfo;

static const FunctionInfo function_table[] = {
    {"abs",      1, 1,          true,  fn_abs     },
    {"ceil",     1, 1,          true,  fn_ceil    },
    {"exp",      1, 1,          true,  fn_exp     },
    {"floor",    1, 1,          true,  fn_floor   },
    {"int",      1, 1,          true,  fn_int     },
    {"len",      1, 1,          false, fn_len     },
    {"log",      1, 1,          true,  fn_log     },
    {"log2",     1, 1,          true,  fn_log2    },
    {"max",      1, LIMIT_LIST, true,  fn_max     },
    {"min",      1, LIMIT_LIST, true,  fn_min     },
    {"quotient", 2, 2,          true,  fn_quotient},
    {"sqrt",     1, 1,          true,  fn_sqrt    },
};
enum { FUNCTIONS = sizeof function_table / sizeof *function_table };

static const FunctionInfo *function_find(const char *name)
{
    for (int i = 0; i < FUNCTIONS; i++)
        if (strcmp(function_table[i].name, name) == 0)
            return &function_table[i];
    return NULL;
}

bool function_exists(const char *name)
{
    return function_find(name) != NULL;
}

void function_offer(Nearest *nearest)
{
    for (int i = 0; i < FUNCTIONS; i++)
        nearest_offer(nearest, function_table[i].name);
}

static bool numbers_ok(Elab *e, const Expr *call, const Val *values, int n)
{
    for (int i = 0; i < n; i++) {
        if (val_is_number(values[i]))
            continue;
        elab_error(e, call->span, "%s takes numbers, not %s", call->text,
                   val_describe(e, values[i]));
        return false;
    }
    return true;
}

Val elab_function(Elab *e, const Expr *call, const Val *values, int n)
{
    const FunctionInfo *function = function_find(call->text);
    if (n == 1 && function->max > 2 && values->kind == VAL_list && values->n) {
        n = values->n; /* min and max also take one list */
        values = values->items;
    }
    for (int i = 0; i < n; i++)
        if (values[i].kind == VAL_poison)
            return val_poison();
    if (n < function->min || n > function->max) {
        elab_error(e, call->span, "%s takes %d %s, not %d", call->text,
                   function->min, function->min == 1 ? "argument" : "arguments", n);
        return val_poison();
    }
    if (function->numbers && !numbers_ok(e, call, values, n))
        return val_poison();
    return function->run(e, call, values, n);
}
