/* What legalize.c expands functions with. Each expansion appends lets to the open
 * block and returns the result; x and y may be any expression. Errors are those of
 * the result in f32, on targets with fma and without, over all of f32
 * (tests/unit/test_legalize.c measures them). */
#ifndef VTC_PASSES_LEGALIZE_H
#define VTC_PASSES_LEGALIZE_H

#include "ir/loop.h"

typedef const Expr *E;

typedef struct Legal {
    Arena *arena;
    const Target *target;
    Build b; /* at[0]: the block being rewritten; lets go to its end */
} Legal;

E legal_exp(Legal *g, E x);      /* legalize_exp.c; 1 ulp */
E legal_log(Legal *g, E x);      /* 1 ulp */
E legal_tanh(Legal *g, E x);     /* 2 ulp */
E legal_erf(Legal *g, E x);      /* 2 ulp */
E legal_pow(Legal *g, E x, E y); /* legalize_pow.c; 2 ulp; specials as C's pow */

/* Building blocks. The lets make values that are read more than once. */
E legal_real(Legal *g, double value, E like); /* in as many lanes as `like` */
E legal_int(Legal *g, int64_t value, E like);
E legal_let(Legal *g, E x);
E legal_add(Legal *g, E x, E y);
E legal_sub(Legal *g, E x, E y);
E legal_mul(Legal *g, E x, E y);
E legal_fma(Legal *g, E x, E y, E z); /* two roundings without fast fma */
E legal_less(Legal *g, E x, E y);
E legal_equal(Legal *g, E x, E y);
E legal_select(Legal *g, E mask, E x, E y);
E legal_abs(Legal *g, E x);
E legal_floor(Legal *g, E x); /* exact */
E legal_sign(Legal *g, E x);                   /* the sign bit, as i32 */
E legal_with_sign(Legal *g, E x, E sign);      /* x >= 0 with that bit */
E legal_polynomial(Legal *g, E x, const double *c, int n); /* c[0] x^(n-1) + .. */
E legal_scale(Legal *g, E x, E n); /* x 2^n, |n| <= 250 whole: rounds at most once */
/* x > 0 as m 2^e with m in sqrt(1/2) .. sqrt(2), subnormal x too; m of other x is
 * whatever. */
E legal_mantissa(Legal *g, E x, E *e);

#endif
