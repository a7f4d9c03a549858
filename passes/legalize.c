/* legalize: what targets cannot do becomes arithmetic that all do alike.
 *
 *   y = exp(x)   ->   n = floor(x log2(e) + 1/2); r = x - n ln 2 (two parts);
 *                     p = polynomial(r); y = p * 2^n
 *
 * All in f32 with explicit fma, so that every back end gives the same bits.
 * Polynomials: Cephes single precision (Moshier 1992: expf, logf, tanhf); erf by
 * its Taylor series near zero and the Chebyshev fit of Numerical Recipes (6.2).
 *
 * needs: lowered   makes: legal   breaks: nothing   leaves: nothing */
#include "passes/program_passes.h"

typedef struct Legal {
    Arena *arena;
    const Target *target;
    Build b; /* writes the new body */
} Legal;

typedef const Expr *E;

static E real(Legal *g, double value, E like)
{
    return expr_real(g->arena, value, like->type.lanes);
}

static E let(Legal *g, E x)
{
    return build_let(&g->b, "t", x);
}

static E add(Legal *g, E x, E y)
{
    return expr_bin(g->arena, EX_add, x, y);
}

static E mul(Legal *g, E x, E y)
{
    return expr_bin(g->arena, EX_mul, x, y);
}

static E fma3(Legal *g, E x, E y, E z)
{
    if (g->target->has_fma)
        return expr_tri(g->arena, EX_fma, x, y, z);
    return add(g, mul(g, x, y), z);
}

static E pick(Legal *g, E mask, E x, E y)
{
    return expr_tri(g->arena, EX_select, mask, x, y);
}

static E less(Legal *g, E x, E y)
{
    return expr_bin(g->arena, EX_lt, x, y);
}

/* c[0] x^(n-1) + ... + c[n-1], Horner */
static E polynomial(Legal *g, E x, const double *c, int n)
{
    E sum = real(g, c[0], x);
    for (int i = 1; i < n; i++)
        sum = let(g, fma3(g, sum, x, real(g, c[i], x)));
    return sum;
}

/* x * 2^n for a whole n within -252..254, in two steps so that neither factor
 * leaves the normal range. */
static E scale_by_power(Legal *g, E x, E n)
{
    Arena *a = g->arena;
    int lanes = x->type.lanes;
    E whole = let(g, expr_cast(a, n, DT_i32));
    E half = let(g, expr_bin(a, EX_shr, whole, expr_int(a, 1, lanes)));
    E rest = let(g, expr_bin(a, EX_sub, whole, half));
    E parts[2] = {half, rest};
    for (int i = 0; i < 2; i++) {
        E biased = expr_bin(a, EX_add, parts[i], expr_int(a, 127, lanes));
        E bits = expr_bin(a, EX_shl, biased, expr_int(a, 23, lanes));
        x = let(g, mul(g, x, expr_bitcast(a, bits, DT_f32)));
    }
    return x;
}

/* Cephes expf; NaN stays NaN because the comparisons below keep x. */
static E expand_exp(Legal *g, E x)
{
    static const double c[] = {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3,
                               4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1};
    Arena *a = g->arena;
    x = let(g, x);
    E number = let(g, expr_bin(a, EX_eq, x, x));
    E inside = let(g, expr_bin(a, EX_min, expr_bin(a, EX_max, x, real(g, -104, x)),
                               real(g, 89, x)));
    inside = let(g, pick(g, number, inside, real(g, 0, x)));
    E n = let(g, expr_un(a, EX_floor, fma3(g, inside, real(g, 1.44269504088896341, x),
                                           real(g, 0.5, x))));
    E r = let(g, fma3(g, n, real(g, -0.693359375, x), inside));
    r = let(g, fma3(g, n, real(g, 2.12194440e-4, x), r));
    E p = polynomial(g, r, c, 6);
    E square = let(g, mul(g, r, r));
    p = let(g, fma3(g, p, square, r));
    p = let(g, add(g, p, real(g, 1, x)));
    return let(g, pick(g, number, scale_by_power(g, p, n), x));
}

/* Cephes logf on the mantissa in sqrt(1/2)..sqrt(2). */
static E expand_log(Legal *g, E x)
{
    static const double c[] = {7.0376836292e-2,  -1.1514610310e-1, 1.1676998740e-1,
                               -1.2420140846e-1, 1.4249322787e-1,  -1.6668057665e-1,
                               2.0000714765e-1,  -2.4999993993e-1, 3.3333331174e-1};
    Arena *a = g->arena;
    x = let(g, x);
    int lanes = x->type.lanes;
    E tiny = let(g, less(g, x, real(g, 0x1p-126, x)));
    E v = let(g, pick(g, tiny, mul(g, x, real(g, 0x1p23, x)), x));
    E bits = let(g, expr_bitcast(a, v, DT_i32));
    E exponent = let(g, expr_bin(a, EX_sub, expr_bin(a, EX_shr, bits, expr_int(a, 23, lanes)),
                                 expr_int(a, 126, lanes)));
    E fraction = expr_bin(a, EX_or, expr_bin(a, EX_and, bits, expr_int(a, 0x7fffff, lanes)),
                          expr_int(a, 0x3f000000, lanes));
    E m = let(g, expr_bitcast(a, fraction, DT_f32));
    E e = let(g, expr_cast(a, exponent, DT_f32));
    e = let(g, pick(g, tiny, expr_bin(a, EX_sub, e, real(g, 23, x)), e));
    E low = let(g, less(g, m, real(g, 0.707106781186547524, x)));
    e = let(g, pick(g, low, expr_bin(a, EX_sub, e, real(g, 1, x)), e));
    m = let(g, expr_bin(a, EX_sub, pick(g, low, add(g, m, m), m), real(g, 1, x)));
    E z = let(g, mul(g, m, m));
    E y = let(g, mul(g, mul(g, polynomial(g, m, c, 9), m), z));
    y = let(g, fma3(g, e, real(g, -2.12194440e-4, x), y));
    y = let(g, fma3(g, z, real(g, -0.5, x), y));
    y = let(g, fma3(g, e, real(g, 0.693359375, x), add(g, m, y)));
    E bounded = let(g, less(g, x, real(g, INFINITY, x)));
    y = let(g, pick(g, bounded, y, x)); /* inf, NaN */
    E zero = let(g, expr_bin(a, EX_eq, x, real(g, 0, x)));
    y = let(g, pick(g, zero, real(g, -INFINITY, x), y));
    return let(g, pick(g, less(g, x, real(g, 0, x)), real(g, NAN, x), y));
}

/* With the sign of x put back. */
static E with_sign(Legal *g, E magnitude, E x)
{
    Arena *a = g->arena;
    E sign = expr_bin(a, EX_and, expr_bitcast(a, x, DT_i32),
                      expr_int(a, INT32_MIN, x->type.lanes));
    E bits = expr_bin(a, EX_or, expr_bitcast(a, magnitude, DT_i32), sign);
    return let(g, expr_bitcast(a, bits, DT_f32));
}

/* Cephes tanhf: odd polynomial below 0.625, 1 - 2 / (exp(2|x|) + 1) above. */
static E expand_tanh(Legal *g, E x)
{
    static const double c[] = {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2,
                               1.33314422036e-1, -3.33332819422e-1};
    Arena *a = g->arena;
    x = let(g, x);
    E size = let(g, expr_un(a, EX_abs, x));
    E z = let(g, mul(g, x, x));
    E near_zero = let(g, fma3(g, mul(g, polynomial(g, z, c, 5), z), x, x));
    E e = let(g, expand_exp(g, add(g, size, size)));
    E far = let(g, expr_bin(a, EX_sub, real(g, 1, x),
                            expr_bin(a, EX_div, real(g, 2, x), add(g, e, real(g, 1, x)))));
    return let(g, pick(g, less(g, size, real(g, 0.625, x)), near_zero,
                       with_sign(g, far, x)));
}

/* Below 1: x P(x^2), the Taylor series to x^19 (error under 1e-8). Above: 1 - t
 * exp(-x^2 + Q(t)), t = 1 / (1 + x/2) (erfcc, relative error of erfc 1.2e-7). */
static E expand_erf(Legal *g, E x)
{
    static const double series[] = {
        0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807,
        -0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223};
    Arena *a = g->arena;
    double c[10], fact = 1;
    for (int n = 0; n < 10; n++) { /* 2/sqrt(pi) (-1)^n / (n! (2n+1)) */
        fact = n ? fact * n : 1;
        c[9 - n] = 1.1283791670955126 * (n % 2 ? -1 : 1) / (fact * (2 * n + 1));
    }
    x = let(g, x);
    E size = let(g, expr_un(a, EX_abs, x));
    E z = let(g, mul(g, x, x));
    E near_zero = let(g, mul(g, polynomial(g, z, c, 10), x));
    E t = let(g, expr_bin(a, EX_div, real(g, 1, x),
                          fma3(g, size, real(g, 0.5, x), real(g, 1, x))));
    E q = polynomial(g, t, series, 10);
    E exponent = let(g, expr_bin(a, EX_sub, q, z));
    E far = let(g, expr_bin(a, EX_sub, real(g, 1, x), mul(g, t, expand_exp(g, exponent))));
    return let(g, pick(g, less(g, size, real(g, 1, x)), near_zero, with_sign(g, far, x)));
}

/* x^y = exp(y log x) for x > 0; 0^y; x < 0 with a whole y by its parity. */
static E expand_pow(Legal *g, E x, E y)
{
    Arena *a = g->arena;
    x = let(g, x);
    y = let(g, y);
    E size = let(g, expr_un(a, EX_abs, x));
    E power = let(g, expand_exp(g, mul(g, y, expand_log(g, size))));
    E half = let(g, mul(g, y, real(g, 0.5, y)));
    E odd = let(g, expr_bin(a, EX_ne, expr_un(a, EX_floor, half), half));
    E whole = let(g, expr_bin(a, EX_eq, expr_un(a, EX_floor, y), y));
    E below = let(g, less(g, x, real(g, 0, x)));
    E negative = let(g, pick(g, odd, expr_un(a, EX_neg, power), power));
    negative = let(g, pick(g, whole, negative, real(g, NAN, x)));
    E result = let(g, pick(g, below, negative, power));
    E zeroth = let(g, expr_bin(a, EX_eq, y, real(g, 0, y)));
    return let(g, pick(g, zeroth, real(g, 1, x), result));
}

/* ---- the walk: every statement again, expansions before it ------------- */

static E rebuild(Legal *g, E e)
{
    if (!e)
        return NULL;
    Expr *copy = NEW(g->arena, Expr, 1);
    *copy = *e;
    for (int i = 0; i < 3; i++)
        copy->arg[i] = rebuild(g, e->arg[i]);
    switch ((int)e->op) {
    case EX_exp: return expand_exp(g, copy->arg[0]);
    case EX_log: return expand_log(g, copy->arg[0]);
    case EX_tanh: return expand_tanh(g, copy->arg[0]);
    case EX_erf: return expand_erf(g, copy->arg[0]);
    case EX_pow: return expand_pow(g, copy->arg[0], copy->arg[1]);
    }
    return copy;
}

static void legalize_block(Legal *g, const Block *block)
{
    Build *b = &g->b;
    for (const Stmt *s = block->first; s; s = s->next) {
        E expr = rebuild(g, s->expr);
        Stmt *copy = NEW(g->arena, Stmt, 1);
        *copy = *s;
        copy->next = NULL;
        copy->expr = expr;
        copy->body = copy->other = (Block){0};
        Block *into = b->at[b->depth];
        *(into->last ? &into->last->next : &into->first) = copy;
        into->last = copy;
        if (s->kind != ST_for && s->kind != ST_if)
            continue;
        b->at[++b->depth] = &copy->body;
        legalize_block(g, &s->body);
        b->at[b->depth] = &copy->other;
        legalize_block(g, &s->other);
        b->depth--;
    }
}

void pass_legalize(Program *program)
{
    for (int i = 0; i < program->kernels.n; i++) {
        Kernel *kernel = program->kernels.at[i];
        Block old = kernel->body;
        kernel->body = (Block){0};
        Legal g = {.arena = program->arena, .target = program->target,
                   .b = build_begin(program->arena, kernel)};
        legalize_block(&g, &old);
    }
}
