/* exp, log, tanh, erf, pow and floor as legalize spells them, against the C library in
 * double: the error in ulp over all of f32, and every special value. With fma and
 * without, as vectors and as scalars. */
#include "passes/program_passes.h"
#include "tests/unit/loop_build.h"
#include "tests/unit/unit.h"
#include <float.h>
#include <stdlib.h>

enum { LANES = 16, CHUNK = 4096 };

static const Target *const all_targets[] = {&wide_target, &split_target, &scalar_target};
enum { TARGETS = 3 };

typedef double Reference(double x, double y);

/* y[i] = op(a[i], b[i]) over CHUNK elements. */
static Program *function_program(Arena *arena, const Target *target, ExprOp op)
{
    int lanes = target->lanes;
    Kernel *k = kernel_new(arena, expr_info[op].name, 1);
    int a = param_add(arena, k, "a", DT_f32, CHUNK, ACCESS_read);
    int b = param_add(arena, k, "b", DT_f32, CHUNK, ACCESS_read);
    int y = param_add(arena, k, "y", DT_f32, CHUNK, ACCESS_write);
    Build build = build_begin(arena, k);
    Index at = index_mul(index_var(build_for(&build, "i", CHUNK / lanes, false)), lanes);
    const Expr *x = expr_load(arena, k, a, at, lanes);
    const Expr *e = expr_info[op].args == 1
                        ? expr_un(arena, op, x)
                        : expr_bin(arena, op, x, expr_load(arena, k, b, at, lanes));
    build_store(&build, y, at, e);
    build_end(&build);
    Program *p = program_of(arena, target, k);
    pass_legalize(p);
    CU_ASSERT_STRING_EQUAL(emit_errors_of(p), "");
    return p;
}

/* Distance in units of the last place that f32 has at `right`; infinity counts as
 * 2^128. What must be equal and is not is infinitely far. */
static double ulps(float got, double right)
{
    if (isnan(right) || isnan(got))
        return isnan(right) && isnan(got) ? 0 : INFINITY;
    if (right == 0 && got == 0)
        return !signbit(right) == !signbit(got) ? 0 : INFINITY;
    if (isinf(right))
        return got == (float)right ? 0 : INFINITY;
    double value = isinf(got) ? copysign(0x1p128, got) : (double)got;
    int exponent = right == 0 ? -126 : ilogb(right);
    exponent = exponent < -126 ? -126 : exponent > 127 ? 127 : exponent;
    double gap = fabs(value - right);
    return fabs(right) >= 0x1p128 && isinf(got) ? 0 : gap / ldexp(1, exponent - 23);
}

typedef struct Worst {
    double ulps;
    float x, y, got;
} Worst;

static void compare_chunk(const Program *p, Reference *reference, const float *in, Worst *w)
{
    static float out[CHUNK];
    run_program(p, in, out);
    for (int i = 0; i < CHUNK; i++) {
        double error = ulps(out[i], reference((double)in[i], (double)in[CHUNK + i]));
        if (error > w->ulps)
            *w = (Worst){error, in[i], in[CHUNK + i], out[i]};
    }
}

static void judge(const char *name, const Target *target, const Worst *w, double allowed)
{
    if (w->ulps > allowed)
        fprintf(stderr, "%s for %s: %g ulp at (%.9g, %.9g): %.9g\n", name, target->name,
                w->ulps, (double)w->x, (double)w->y, (double)w->got);
    CU_ASSERT(w->ulps <= allowed);
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Every STRIDE-th of all 2^32 patterns: NaN, infinities and subnormals too. */
static void sweep(ExprOp op, Reference *reference, double allowed)
{
    enum { STRIDE = 4093 };
    for (int t = 0; t < TARGETS; t++) {
        static float in[2 * CHUNK];
        Arena *arena = arena_new();
        Program *p = function_program(arena, all_targets[t], op);
        Worst worst = {0};
        int n = 0;
        for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += STRIDE) {
            in[n++] = float_of((uint32_t)bits);
            if (n == CHUNK)
                compare_chunk(p, reference, in, &worst), n = 0;
        }
        compare_chunk(p, reference, in, &worst);
        judge(expr_info[op].name, all_targets[t], &worst, allowed);
        arena_free(arena);
    }
}

/* Densely where the result is an ordinary number. */
static void scan(ExprOp op, Reference *reference, double from, double to, double allowed)
{
    enum { CHUNKS = 100 };
    for (int t = 0; t < TARGETS; t++) {
        static float in[2 * CHUNK];
        Arena *arena = arena_new();
        Program *p = function_program(arena, all_targets[t], op);
        Worst worst = {0};
        for (int c = 0; c < CHUNKS; c++) {
            for (int i = 0; i < CHUNK; i++)
                in[i] = (float)(from + (to - from) * (c * CHUNK + i) / (CHUNKS * CHUNK - 1.0));
            compare_chunk(p, reference, in, &worst);
        }
        judge(expr_info[op].name, all_targets[t], &worst, allowed);
        arena_free(arena);
    }
}

static double exp_of(double x, double y)
{
    (void)y;
    return exp(x);
}

static double log_of(double x, double y)
{
    (void)y;
    return log(x);
}

static double tanh_of(double x, double y)
{
    (void)y;
    return tanh(x);
}

static double erf_of(double x, double y)
{
    (void)y;
    return erf(x);
}

static double floor_of(double x, double y)
{
    (void)y;
    return floor(x);
}

/* The same number, zeros with their sign, by truncation too. */
static void test_floor(void)
{
    sweep(EX_floor, floor_of, 0);
    scan(EX_floor, floor_of, -1000, 1000, 0);
    scan(EX_floor, floor_of, -0x1p25, 0x1p25, 0);
}

static void test_exp(void)
{
    sweep(EX_exp, exp_of, 1);
    scan(EX_exp, exp_of, -104, 89, 1);
    scan(EX_exp, exp_of, -1, 1, 1);
}

static void test_log(void)
{
    sweep(EX_log, log_of, 1);
    scan(EX_log, log_of, 0.5, 2, 1);
    scan(EX_log, log_of, 0, 1000, 1);
}

static void test_tanh(void)
{
    sweep(EX_tanh, tanh_of, 2);
    scan(EX_tanh, tanh_of, -10, 10, 2);
    scan(EX_tanh, tanh_of, 0.6, 0.65, 2);
}

static void test_erf(void)
{
    sweep(EX_erf, erf_of, 2);
    scan(EX_erf, erf_of, -4.5, 4.5, 2);
    scan(EX_erf, erf_of, 0.99, 1.01, 2);
}

/* ---- pow --------------------------------------------------------------- */

static uint64_t random_state;

static double random_unit(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(random_state >> 11) * 0x1p-53;
}

/* A base of any size and the exponent that takes it to any power of two that f32
 * has and some more. */
static void any_pair(float *x, float *y)
{
    *x = float_of((uint32_t)(random_unit() * 0x7f800000));
    *y = (float)((random_unit() * 310 - 158) / log2((double)*x));
}

/* A base near one: an error of its logarithm shows in a huge exponent. */
static void near_one(float *x, float *y)
{
    double size = exp2(-1 - 23 * random_unit());
    *x = (float)(1 + (random_unit() < 0.5 ? -size / 2 : size));
    *y = (float)((random_unit() * 310 - 158) / log2((double)*x));
}

/* A small whole exponent of a base of either sign. */
static void whole_exponent(float *x, float *y)
{
    *x = (float)(random_unit() * 200 - 100);
    *y = (float)(int)(random_unit() * 60 - 30);
}

typedef void Pair(float *x, float *y);

static void test_pow(void)
{
    static Pair *const pairs[] = {any_pair, near_one, whole_exponent};
    enum { CHUNKS = 100 };
    for (int t = 0; t < TARGETS; t++)
        for (int k = 0; k < 3; k++) {
            static float in[2 * CHUNK];
            Arena *arena = arena_new();
            Program *p = function_program(arena, all_targets[t], EX_pow);
            Worst worst = {0};
            random_state = 20 + (uint64_t)k;
            for (int c = 0; c < CHUNKS; c++) {
                for (int i = 0; i < CHUNK; i++)
                    pairs[k](&in[i], &in[CHUNK + i]);
                compare_chunk(p, pow, in, &worst);
            }
            judge("pow", all_targets[t], &worst, 2);
            arena_free(arena);
        }
}

/* ---- special values ---------------------------------------------------- */

static const float specials[] = {
    0.0f,   -0.0f,  1.0f,    -1.0f,    0.5f,     -0.5f,    2.0f,     -2.0f,   3.0f,
    -3.0f,  2.5f,   -2.5f,   1e-45f,   -1e-45f,  FLT_MIN,  -FLT_MIN, FLT_MAX, -FLT_MAX,
    1e-40f, -1e-40f, 88.72283f, 88.72284f, -87.33655f, -103.97208f, -103.97209f, 16777215.0f,
    16777216.0f, -16777215.0f, 1e30f, -1e30f, 0x1.fffffep-1f, 0x1.000002p0f, 0x1p31f,
    -0x1p31f, INFINITY, -INFINITY, NAN, 9.1f, 3.9f, -3.9f, 4.1f, 1e10f};
enum { SPECIALS = sizeof specials / sizeof *specials };

static void check_specials(ExprOp op, Reference *reference, double allowed)
{
    for (int t = 0; t < TARGETS; t++) {
        static float in[2 * CHUNK];
        Arena *arena = arena_new();
        Program *p = function_program(arena, all_targets[t], op);
        Worst worst = {0};
        CU_ASSERT((int)SPECIALS * (int)SPECIALS <= CHUNK);
        for (int i = 0; i < CHUNK; i++) {
            in[i] = specials[i % SPECIALS];
            in[CHUNK + i] = specials[i / SPECIALS % SPECIALS];
        }
        compare_chunk(p, reference, in, &worst);
        judge(expr_info[op].name, all_targets[t], &worst, allowed);
        arena_free(arena);
    }
}

static void test_specials(void)
{
    check_specials(EX_exp, exp_of, 1);
    check_specials(EX_log, log_of, 1);
    check_specials(EX_tanh, tanh_of, 2);
    check_specials(EX_erf, erf_of, 2);
    check_specials(EX_pow, pow, 2);
    check_specials(EX_floor, floor_of, 0);
}

/* ---- what is left and what is not -------------------------------------- */

static const Expr *product_sum(Arena *a, Kernel *k, int lanes)
{
    const Expr *x = expr_load(a, k, 0, index_const(0), lanes);
    return expr_tri(a, EX_fma, x, x, x);
}

static const char *legalized_fma(Arena *arena, const Target *target)
{
    Kernel *k = kernel_new(arena, "fma", 1);
    param_add(arena, k, "a", DT_f32, 16, ACCESS_read);
    int y = param_add(arena, k, "y", DT_f32, 16, ACCESS_write);
    Build b = build_begin(arena, k);
    build_store(&b, y, index_const(0), product_sum(arena, k, 4));
    Program *p = program_of(arena, target, k);
    pass_legalize(p);
    CU_ASSERT_STRING_EQUAL(emit_errors_of(p), "");
    return body_of(p);
}

static void test_fma_is_split_without_fma(void)
{
    Arena *arena = arena_new();
    CU_ASSERT_PTR_NOT_NULL(strstr(legalized_fma(arena, &split_target),
                                  "y[0 .. 4] = add(mul(a[0 .. 4], a[0 .. 4]), a[0 .. 4])"));
    CU_ASSERT_PTR_NOT_NULL(strstr(legalized_fma(arena, &wide_target),
                                  "y[0 .. 4] = fma(a[0 .. 4], a[0 .. 4], a[0 .. 4])"));
    arena_free(arena);
}

/* Each argument is read once, before the statement, in the same block. */
static void test_lets_come_before_the_statement(void)
{
    Arena *arena = arena_new();
    Kernel *k = kernel_new(arena, "nested", 4);
    int a = param_add(arena, k, "a", DT_f32, 16, ACCESS_read);
    int y = param_add(arena, k, "y", DT_f32, 16, ACCESS_write);
    Build b = build_begin(arena, k);
    const Expr *x = build_let(&b, "t", expr_load(arena, k, a, index_const(0), 4));
    build_if_less(&b, index_var(k->task), 1);
    const Expr *e = expr_un(arena, EX_exp, expr_un(arena, EX_log, x));
    build_store(&b, y, index_const(0), e);
    build_end(&b);
    Program *p = program_of(arena, &wide_target, k);
    pass_legalize(p);
    CU_ASSERT_STRING_EQUAL(emit_errors_of(p), "");
    const char *text = body_of(p);
    const char *branch = strstr(text, "if task < 1 {"), *let = strstr(text, "t_1 ");
    CU_ASSERT_FATAL(branch && let);
    CU_ASSERT(branch < let);
    CU_ASSERT(let < strstr(text, "y[0 .. 4] = t_"));
    arena_free(arena);
}

static const UnitTest tests[] = {
    {"exp", test_exp},
    {"log", test_log},
    {"tanh", test_tanh},
    {"erf", test_erf},
    {"pow", test_pow},
    {"floor", test_floor},
    {"special values", test_specials},
    {"fma without fma", test_fma_is_split_without_fma},
    {"lets come before the statement", test_lets_come_before_the_statement},
};

int main(void)
{
    return UNIT_RUN(tests);
}
