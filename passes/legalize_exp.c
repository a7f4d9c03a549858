/* exp, log, tanh and erf in f32. Polynomials are those of Cephes (S. L. Moshier,
 * Methods and Programs for Mathematical Functions, 1989; single precision, 1992);
 * exp and log take ln 2 in two parts (W. J. Cody and W. Waite, Software Manual for
 * the Elementary Functions, 1980): the first has few bits, so that n times it is
 * exact. NaN comes out of every one as NaN. */
#include "passes/legalize.h"

static const double ln2_high = 0.693359375, ln2_low = -2.12194440e-4;

enum { COUNT_exp = 6, COUNT_log = 9, COUNT_tanh = 5, COUNT_erf = 7, COUNT_erfc = 9 };

/* e^x = 2^n e^r with r = x - n ln 2 in -0.35 .. 0.35; e^r = 1 + r + r^2 P(r).
 * Beyond -104 and 89 it is 0 and infinite in f32, as at them. */
E legal_exp(Legal *g, E x)
{
    static const double c[COUNT_exp] = {1.9875691500e-4, 1.3981999507e-3,
                                        8.3334519073e-3, 4.1665795894e-2,
                                        1.6666665459e-1, 5.0000001201e-1};
    Arena *a = g->arena;
    x = legal_let(g, x);
    E inside = expr_bin(a, EX_max, x, legal_real(g, -104, x));
    inside = legal_let(g, expr_bin(a, EX_min, inside, legal_real(g, 89, x)));
    E log2_e = legal_real(g, 1.44269504088896341, x);
    E n = legal_let(g, legal_floor(g, legal_fma(g, inside, log2_e, legal_real(g, 0.5, x))));
    E r = legal_fma(g, n, legal_real(g, -ln2_high, x), inside);
    r = legal_let(g, legal_fma(g, n, legal_real(g, -ln2_low, x), r));
    E p = legal_polynomial(g, r, c, COUNT_exp);
    p = legal_fma(g, p, legal_mul(g, r, r), r);
    p = legal_let(g, legal_add(g, p, legal_real(g, 1, x)));
    E number = legal_equal(g, x, x);
    return legal_let(g, legal_select(g, number, legal_scale(g, p, n), x));
}

/* log x = e ln 2 + log(1 + f), f = m - 1; log(1 + f) = f - f^2/2 + f^3 P(f). */
static E log_positive(Legal *g, E x)
{
    static const double c[COUNT_log] = {7.0376836292e-2,  -1.1514610310e-1,
                                        1.1676998740e-1,  -1.2420140846e-1,
                                        1.4249322787e-1,  -1.6668057665e-1,
                                        2.0000714765e-1,  -2.4999993993e-1,
                                        3.3333331174e-1};
    E e, m = legal_mantissa(g, x, &e);
    E f = legal_let(g, legal_sub(g, m, legal_real(g, 1, x)));
    E z = legal_let(g, legal_mul(g, f, f));
    E y = legal_mul(g, legal_mul(g, legal_polynomial(g, f, c, COUNT_log), f), z);
    y = legal_fma(g, e, legal_real(g, ln2_low, x), y);
    y = legal_fma(g, z, legal_real(g, -0.5, x), y);
    return legal_let(g, legal_fma(g, e, legal_real(g, ln2_high, x), legal_add(g, f, y)));
}

E legal_log(Legal *g, E x)
{
    x = legal_let(g, x);
    E y = log_positive(g, x);
    E bounded = legal_less(g, x, legal_real(g, INFINITY, x));
    y = legal_select(g, bounded, y, x); /* infinity, NaN */
    E zero = legal_real(g, 0, x);
    y = legal_select(g, legal_equal(g, x, zero), legal_real(g, -INFINITY, x), y);
    return legal_let(g, legal_select(g, legal_less(g, x, zero), legal_real(g, NAN, x), y));
}

/* |x| < 0.625: x + x^3 P(x^2), odd; above: 1 - 2 / (e^2|x| + 1). */
E legal_tanh(Legal *g, E x)
{
    static const double c[COUNT_tanh] = {-5.70498872745e-3, 2.06390887954e-2,
                                         -5.37397155531e-2, 1.33314422036e-1,
                                         -3.33332819422e-1};
    x = legal_let(g, x);
    E size = legal_let(g, legal_abs(g, x));
    E z = legal_let(g, legal_mul(g, x, x));
    E p = legal_mul(g, legal_polynomial(g, z, c, COUNT_tanh), z);
    E below = legal_fma(g, p, size, size);
    E power = legal_exp(g, legal_add(g, size, size));
    E one = legal_real(g, 1, x);
    E part = expr_bin(g->arena, EX_div, legal_real(g, 2, x), legal_add(g, power, one));
    E above = legal_sub(g, one, part);
    E small = legal_less(g, size, legal_real(g, 0.625, x));
    return legal_let(g, legal_with_sign(g, legal_select(g, small, below, above),
                                        legal_sign(g, x)));
}

/* |x| < 1: x + x T(x^2); above: 1 - e^(-x^2) P(1/x^2) / |x|. P is Cephes' for 1 .. 2;
 * behind 2 what it is off by is lost in 1 - 0.0047. */
E legal_erf(Legal *g, E x)
{
    static const double t[COUNT_erf] = {7.853861353153693e-5, -8.010193625184903e-4,
                                        5.188327685732524e-3, -2.685381193529856e-2,
                                        1.128358514861418e-1, -3.761262582423300e-1,
                                        1.28379165726710e-1};
    static const double p[COUNT_erfc] = {2.326819970068386e-2, -1.387039388740657e-1,
                                         3.687424674597105e-1, -5.824733027278666e-1,
                                         6.210004621745983e-1, -4.944515323274145e-1,
                                         3.404879937665872e-1, -2.741127028184656e-1,
                                         5.638259427386472e-1};
    Arena *a = g->arena;
    x = legal_let(g, x);
    E size = legal_let(g, legal_abs(g, x));
    E z = legal_let(g, legal_mul(g, x, x));
    E below = legal_fma(g, legal_polynomial(g, z, t, COUNT_erf), size, size);
    E one = legal_real(g, 1, x);
    E q = legal_let(g, expr_bin(a, EX_div, one, size));
    E fit = legal_polynomial(g, legal_let(g, legal_mul(g, q, q)), p, COUNT_erfc);
    E power = legal_exp(g, expr_un(a, EX_neg, z));
    E above = legal_sub(g, one, legal_mul(g, legal_mul(g, power, q), fit));
    E small = legal_less(g, size, one);
    return legal_let(g, legal_with_sign(g, legal_select(g, small, below, above),
                                        legal_sign(g, x)));
}
