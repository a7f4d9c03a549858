/* The pieces that expansions are made of. */
#include "passes/legalize.h"

E legal_real(Legal *g, double value, E like)
{
    return expr_real(g->arena, value, like->type.lanes);
}

E legal_int(Legal *g, int64_t value, E like)
{
    return expr_int(g->arena, value, like->type.lanes);
}

E legal_let(Legal *g, E x)
{
    return build_let(&g->b, "t", x);
}

E legal_add(Legal *g, E x, E y)
{
    return expr_bin(g->arena, EX_add, x, y);
}

E legal_sub(Legal *g, E x, E y)
{
    return expr_bin(g->arena, EX_sub, x, y);
}

E legal_mul(Legal *g, E x, E y)
{
    return expr_bin(g->arena, EX_mul, x, y);
}

E legal_fma(Legal *g, E x, E y, E z)
{
    if (g->target->has_fma)
        return expr_tri(g->arena, EX_fma, x, y, z);
    return legal_add(g, legal_mul(g, x, y), z);
}

E legal_less(Legal *g, E x, E y)
{
    return expr_bin(g->arena, EX_lt, x, y);
}

E legal_equal(Legal *g, E x, E y)
{
    return expr_bin(g->arena, EX_eq, x, y);
}

E legal_select(Legal *g, E mask, E x, E y)
{
    return expr_tri(g->arena, EX_select, mask, x, y);
}

E legal_abs(Legal *g, E x)
{
    return expr_un(g->arena, EX_abs, x);
}

/* From 2^23 on every number is whole. Truncated, one is too large if it was negative;
 * zeros keep their sign. */
static E floor_by_truncation(Legal *g, E x)
{
    Arena *a = g->arena;
    x = legal_let(g, x);
    E small = legal_let(g, legal_less(g, legal_abs(g, x), legal_real(g, 0x1p23, x)));
    E inside = legal_let(g, legal_select(g, small, x, legal_real(g, 0, x)));
    E whole = legal_let(g, expr_cast(a, expr_cast(a, inside, DT_i32), DT_f32));
    E less = legal_sub(g, whole, legal_real(g, 1, x));
    E down = legal_select(g, legal_less(g, inside, whole), less, whole);
    down = legal_with_sign(g, down, legal_sign(g, x));
    return legal_let(g, legal_select(g, small, down, x));
}

E legal_floor(Legal *g, E x)
{
    return g->target->no_floor ? floor_by_truncation(g, x) : expr_un(g->arena, EX_floor, x);
}

E legal_sign(Legal *g, E x)
{
    E bits = expr_bitcast(g->arena, x, DT_i32);
    return expr_bin(g->arena, EX_and, bits, legal_int(g, INT32_MIN, x));
}

E legal_with_sign(Legal *g, E x, E sign)
{
    E bits = expr_bitcast(g->arena, x, DT_i32);
    return expr_bitcast(g->arena, expr_bin(g->arena, EX_or, bits, sign), DT_f32);
}

E legal_polynomial(Legal *g, E x, const double *c, int n)
{
    E sum = legal_real(g, c[0], x);
    for (int i = 1; i < n; i++)
        sum = legal_let(g, legal_fma(g, sum, x, legal_real(g, c[i], x)));
    return sum;
}

/* 2^n by its bits, for a whole i32 n in the normal range. */
static E power_of_two(Legal *g, E n)
{
    Arena *a = g->arena;
    E biased = legal_add(g, n, legal_int(g, 127, n));
    E bits = expr_bin(a, EX_shl, biased, legal_int(g, 23, n));
    return expr_bitcast(a, bits, DT_f32);
}

/* In two factors, neither of which leaves the normal range. Only the second
 * product can be subnormal or overflow. */
E legal_scale(Legal *g, E x, E n)
{
    E whole = legal_let(g, expr_cast(g->arena, n, DT_i32));
    E half = legal_let(g, expr_bin(g->arena, EX_shr, whole, legal_int(g, 1, whole)));
    E rest = legal_sub(g, whole, half);
    E scaled = legal_mul(g, x, power_of_two(g, half));
    return legal_let(g, legal_mul(g, scaled, power_of_two(g, rest)));
}

E legal_mantissa(Legal *g, E x, E *e)
{
    Arena *a = g->arena;
    E tiny = legal_let(g, legal_less(g, x, legal_real(g, 0x1p-126, x)));
    E normal = legal_select(g, tiny, legal_mul(g, x, legal_real(g, 0x1p23, x)), x);
    E bits = legal_let(g, expr_bitcast(a, normal, DT_i32));
    E biased = expr_bin(a, EX_shr, bits, legal_int(g, 23, x));
    E bias = legal_select(g, tiny, legal_int(g, 126 + 23, x), legal_int(g, 126, x));
    E exponent = legal_let(g, expr_cast(a, legal_sub(g, biased, bias), DT_f32));
    E fraction = expr_bin(a, EX_and, bits, legal_int(g, 0x7fffff, x));
    fraction = expr_bin(a, EX_or, fraction, legal_int(g, 0x3f000000, x));
    E half = legal_let(g, expr_bitcast(a, fraction, DT_f32)); /* in 1/2 .. 1 */
    E low = legal_let(g, legal_less(g, half, legal_real(g, 0.70710678118654752, x)));
    E one = legal_real(g, 1, x);
    *e = legal_let(g, legal_select(g, low, legal_sub(g, exponent, one), exponent));
    return legal_let(g, legal_select(g, low, legal_add(g, half, half), half));
}
