/* pow in f32: x^y = 2^(y log2 x). An error in y log2 x, which reaches 150, is one of
 * the result, so log2 x and the product are carried as sums of two f32 of some 45
 * bits (T. J. Dekker, A floating-point technique for extending the available
 * precision, 1971; the plan is that of fdlibm's e_pow). */
#include "passes/legalize.h"

/* hi + lo, where lo is at most about half an ulp of hi. */
typedef struct Two {
    E hi, lo;
} Two;

/* a + b exactly, |a| >= |b| or a = 0. */
static Two two_sum(Legal *g, E a, E b)
{
    Two sum = {.hi = legal_let(g, legal_add(g, a, b))};
    sum.lo = legal_let(g, legal_sub(g, b, legal_sub(g, sum.hi, a)));
    return sum;
}

/* The leading 12 bits: products of two such are exact. */
static E leading(Legal *g, E x)
{
    E bits = expr_bitcast(g->arena, x, DT_i32);
    bits = expr_bin(g->arena, EX_and, bits, legal_int(g, -4096, x));
    return legal_let(g, expr_bitcast(g->arena, bits, DT_f32));
}

/* a * b exactly. */
static Two two_product(Legal *g, E a, E b)
{
    Two p = {.hi = legal_let(g, legal_mul(g, a, b))};
    if (g->target->has_fma) {
        p.lo = legal_let(g, legal_fma(g, a, b, expr_un(g->arena, EX_neg, p.hi)));
        return p;
    }
    E a1 = leading(g, a), b1 = leading(g, b);
    E a2 = legal_let(g, legal_sub(g, a, a1)), b2 = legal_let(g, legal_sub(g, b, b1));
    E rest = legal_sub(g, legal_mul(g, a1, b1), p.hi);
    rest = legal_add(g, rest, legal_mul(g, a1, b2));
    rest = legal_add(g, rest, legal_mul(g, a2, b1));
    p.lo = legal_let(g, legal_add(g, rest, legal_mul(g, a2, b2)));
    return p;
}

/* x * (hi + lo) */
static Two two_scale(Legal *g, E x, Two y)
{
    Two p = two_product(g, x, y.hi);
    p.lo = legal_let(g, legal_fma(g, x, y.lo, p.lo));
    return p;
}

static Two two_constant(Legal *g, double value, E like)
{
    double hi = (double)(float)value;
    return (Two){legal_real(g, hi, like), legal_real(g, value - hi, like)};
}

/* s = (m - 1) / (m + 1); m - 1 is exact, m + 1 and the quotient are not. */
static Two log_argument(Legal *g, E m)
{
    E one = legal_real(g, 1, m);
    E u = legal_let(g, legal_sub(g, m, one));
    Two v = {.hi = legal_let(g, legal_add(g, m, one))};
    v.lo = legal_sub(g, m, legal_sub(g, v.hi, one));
    Two s = {.hi = legal_let(g, expr_bin(g->arena, EX_div, u, v.hi))};
    Two back = two_scale(g, s.hi, (Two){v.hi, legal_let(g, v.lo)});
    E rest = legal_sub(g, legal_sub(g, u, back.hi), back.lo);
    s.lo = legal_let(g, expr_bin(g->arena, EX_div, rest, v.hi));
    return s;
}

/* log m = 2 s + s^3 (2/3 + 2/5 s^2 + 2/7 s^4 ..), |s| < 0.172. */
static Two log_mantissa(Legal *g, E m)
{
    static const double c[] = {2.0 / 13, 2.0 / 11, 2.0 / 9, 2.0 / 7, 2.0 / 5};
    Two s = log_argument(g, m);
    Two z = two_product(g, s.hi, s.hi);
    z.lo = legal_let(g, legal_fma(g, legal_add(g, s.hi, s.hi), s.lo, z.lo));
    E rest = legal_mul(g, legal_polynomial(g, z.hi, c, 5), legal_mul(g, z.hi, z.hi));
    Two third = two_constant(g, 2.0 / 3, m);
    Two first = two_scale(g, z.hi, third);
    first.lo = legal_fma(g, z.lo, third.hi, first.lo);
    Two series = two_sum(g, first.hi, legal_let(g, legal_add(g, first.lo, rest)));
    Two cubed = two_scale(g, s.hi, series);
    E twice_low = legal_add(g, s.lo, s.lo);
    Two sum = two_sum(g, legal_let(g, legal_add(g, s.hi, s.hi)), cubed.hi);
    sum.lo = legal_add(g, sum.lo, legal_add(g, cubed.lo, twice_low));
    return two_sum(g, sum.hi, legal_let(g, sum.lo));
}

/* log2 x = e + log m / log 2, x > 0 */
static Two log2_positive(Legal *g, E x)
{
    E e, m = legal_mantissa(g, x, &e);
    Two log_m = log_mantissa(g, m);
    Two per_log2 = two_constant(g, 1.44269504088896341, x);
    Two part = two_scale(g, log_m.hi, per_log2);
    part.lo = legal_fma(g, log_m.lo, per_log2.hi, part.lo);
    Two sum = two_sum(g, e, part.hi);
    return two_sum(g, sum.hi, legal_let(g, legal_add(g, sum.lo, part.lo)));
}

/* 2^(hi + lo): Cephes' polynomial for 2^f, |f| <= 1/2. Beyond 200 it is 0 or
 * infinite in f32, as at 200. */
static E exp2_two(Legal *g, Two x)
{
    static const double c[] = {1.535336188319500e-4, 1.339887440266574e-3,
                               9.618437357674640e-3, 5.550332471162809e-2,
                               2.402264791363012e-1, 6.931472028550421e-1,
                               1.0};
    Arena *a = g->arena;
    E most = legal_real(g, 200, x.hi);
    E inside = legal_let(g, legal_less(g, legal_abs(g, x.hi), most));
    E hi = expr_bin(a, EX_max, x.hi, legal_real(g, -200, x.hi));
    hi = legal_let(g, expr_bin(a, EX_min, hi, most));
    E lo = legal_select(g, inside, x.lo, legal_real(g, 0, x.hi));
    E n = legal_let(g, legal_floor(g, legal_add(g, hi, legal_real(g, 0.5, hi))));
    E f = legal_let(g, legal_add(g, legal_sub(g, hi, n), lo));
    return legal_scale(g, legal_polynomial(g, f, c, 7), n);
}

/* |x|^y for x != 0: at 2^31 every y but of x = 1 has its last value. */
static E power_of_size(Legal *g, E size, E y)
{
    Arena *a = g->arena;
    E bounded = expr_bin(a, EX_max, y, legal_real(g, -0x1p31, y));
    bounded = legal_let(g, expr_bin(a, EX_min, bounded, legal_real(g, 0x1p31, y)));
    return exp2_two(g, two_scale(g, bounded, log2_positive(g, size)));
}

/* 0^y and infinity^y: 0, or infinite when the sign of y turns it round. */
static E power_at_ends(Legal *g, E size, E y, E regular)
{
    E zero = legal_real(g, 0, y), infinite = legal_real(g, INFINITY, y);
    E down = legal_let(g, legal_less(g, y, zero));
    E of_zero = legal_select(g, down, infinite, zero);
    E of_infinity = legal_select(g, down, zero, infinite);
    E power = legal_select(g, legal_equal(g, size, zero), of_zero, regular);
    return legal_let(g, legal_select(g, legal_equal(g, size, infinite), of_infinity, power));
}

static E is_odd(Legal *g, E y)
{
    E half = legal_let(g, legal_mul(g, y, legal_real(g, 0.5, y)));
    E halved = expr_bin(g->arena, EX_ne, legal_floor(g, half), half);
    E whole = legal_equal(g, legal_floor(g, y), y);
    return expr_bin(g->arena, EX_and, halved, whole);
}

/* Negative x: the sign for odd y; no number for y that is not whole. */
static E with_base_sign(Legal *g, E x, E y, E power)
{
    Arena *a = g->arena;
    E sign = expr_bin(a, EX_and, legal_sign(g, x), is_odd(g, y));
    E result = legal_let(g, legal_with_sign(g, power, sign));
    E broken = expr_bin(a, EX_ne, legal_floor(g, y), y);
    E below = legal_less(g, x, legal_real(g, 0, x));
    E finite = legal_less(g, legal_real(g, -INFINITY, x), x);
    E none = expr_bin(a, EX_and, broken, expr_bin(a, EX_and, below, finite));
    return legal_let(g, legal_select(g, none, legal_real(g, NAN, x), result));
}

E legal_pow(Legal *g, E x, E y)
{
    Arena *a = g->arena;
    x = legal_let(g, x);
    y = legal_let(g, y);
    E size = legal_let(g, legal_abs(g, x));
    E power = power_at_ends(g, size, y, power_of_size(g, size, y));
    E result = with_base_sign(g, x, y, power);
    E numbers = expr_bin(a, EX_and, legal_equal(g, x, x), legal_equal(g, y, y));
    result = legal_let(g, legal_select(g, numbers, result, legal_add(g, x, y)));
    E one = expr_bin(a, EX_or, legal_equal(g, x, legal_real(g, 1, x)),
                     legal_equal(g, y, legal_real(g, 0, y)));
    return legal_let(g, legal_select(g, one, legal_real(g, 1, x), result));
}
