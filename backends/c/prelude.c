/* The helpers at the top of every generated file: vector types and the operations
 * that C has no operator for. gcc has no vector ?: in C and lowers lane lists well
 * only at -O2, so its builtins are named where the target has them; the last
 * branch is right everywhere. */
#include "backends/c/emit.h"

static void lane_list(Text *out, int lanes, const char *format)
{
    for (int i = 0; i < lanes; i++) {
        text_add(out, i ? ", " : "");
        for (const char *c = format; *c; c++)
            if (*c == '@')
                text_printf(out, "%d", i);
            else
                text_addn(out, c, 1);
    }
}

static void vector_types(Text *out, int lanes)
{
    int bytes = lanes * 4;
    text_printf(out, "typedef float f%d __attribute__((vector_size(%d)));\n"
                     "typedef int32_t i%d __attribute__((vector_size(%d)));\n"
                     "typedef uint32_t n%d __attribute__((vector_size(%d)));\n",
                lanes, bytes, lanes, bytes, lanes, bytes);
    text_printf(out, "typedef float f%du __attribute__((vector_size(%d), aligned(4), may_alias));\n"
                     "typedef int32_t i%du __attribute__((vector_size(%d), aligned(4), may_alias));\n",
                lanes, bytes, lanes, bytes);
    text_printf(out, "INL f%d load_f%d(const float *p) { return *(const f%du *)p; }\n"
                     "INL i%d load_i%d(const int32_t *p) { return *(const i%du *)p; }\n"
                     "INL void store_f%d(float *p, f%d x) { *(f%du *)p = x; }\n"
                     "INL void store_i%d(int32_t *p, i%d x) { *(i%du *)p = x; }\n",
                lanes, lanes, lanes, lanes, lanes, lanes, lanes, lanes, lanes, lanes, lanes,
                lanes);
    text_printf(out, "INL f%d splat_f%d(float s) { return (f%d){", lanes, lanes, lanes);
    lane_list(out, lanes, "s");
    text_printf(out, "}; }\nINL i%d splat_i%d(int32_t s) { return (i%d){", lanes, lanes, lanes);
    lane_list(out, lanes, "s");
    text_add(out, "}; }\n");
}

static void select_helper(Text *out, int lanes)
{
    text_printf(out, "INL i%d select_i%d(i%d m, i%d a, i%d b) { return b ^ (m & (a ^ b)); }\n",
                lanes, lanes, lanes, lanes, lanes);
    text_printf(out, "INL f%d select_f%d(i%d m, f%d a, f%d b)\n{\n", lanes, lanes, lanes, lanes,
                lanes);
    if (lanes == 8 || lanes == 4)
        text_printf(out, "#if !defined(__clang__) && defined(%s)\n"
                         "    return __builtin_ia32_blendvps%s(b, a, (f%d)m);\n#else\n",
                    lanes == 8 ? "__AVX__" : "__SSE4_1__", lanes == 8 ? "256" : "", lanes);
    text_printf(out, "    return (f%d)((i%d)b ^ (m & ((i%d)a ^ (i%d)b)));\n", lanes, lanes, lanes,
                lanes);
    text_add(out, lanes == 8 || lanes == 4 ? "#endif\n}\n" : "}\n");
}

/* a > b ? a : b is what maxps computes, NaN and signed zeros included. */
static void extreme_helper(Text *out, const char *name, char sign, int lanes)
{
    text_printf(out, "INL f%d %s_f%d(f%d a, f%d b)\n{\n", lanes, name, lanes, lanes, lanes);
    text_printf(out, "#if !defined(__clang__) && defined(%s)\n",
                lanes == 16 ? "__AVX512F__" : lanes == 8 ? "__AVX__" : "__SSE__");
    if (lanes == 16)
        text_printf(out, "    return __builtin_ia32_%sps512_mask(a, b, a, (unsigned short)-1, 4);\n",
                    name);
    else
        text_printf(out, "    return __builtin_ia32_%sps%s(a, b);\n", name, lanes == 8 ? "256" : "");
    text_printf(out, "#else\n    return select_f%d(a %c b, a, b);\n#endif\n}\n", lanes, sign);
    text_printf(out, "INL i%d %s_i%d(i%d a, i%d b) { return select_i%d(a %c b, a, b); }\n", lanes,
                name, lanes, lanes, lanes, lanes, sign);
}

static void fma_helper(Text *out, int lanes)
{
    text_printf(out, "INL f%d fma_f%d(f%d a, f%d b, f%d c)\n{\n", lanes, lanes, lanes, lanes, lanes);
    text_add(out, "#if defined(VTC_ELEMENTWISE_FMA)\n"
                  "    return __builtin_elementwise_fma(a, b, c);\n"
                  "#elif defined(__clang__)\n"
                  "    _Pragma(\"STDC FP_CONTRACT ON\")\n"
                  "    return a * b + c;\n");
    text_printf(out, "#elif defined(%s) /* see REGISTER */\n"
                     "    __asm__(\"vfmadd231ps {%%2, %%1, %%0|%%0, %%1, %%2}\"\n"
                     "            : \"+\" REGISTER(c) : REGISTER(a), REGISTER \"m\"(b));\n"
                     "    return c;\n", lanes == 16 ? "__AVX512F__" : "__FMA__");
    text_printf(out, "#else\n    return (f%d){", lanes);
    lane_list(out, lanes, "__builtin_fmaf(a[@], b[@], c[@])");
    text_add(out, "};\n#endif\n}\n");
}

/* Loaded once, and then in a register. */
static void held_helper(Text *out, int lanes)
{
    text_printf(out, "INL f%d held_f%d(f%d x)\n{\n#if defined(%s) && !defined(__clang__)\n"
                     "    __asm__(\"\" : \"+\" REGISTER(x));\n#endif\n    return x;\n}\n",
                lanes, lanes, lanes, lanes == 16 ? "__AVX512F__" : "__FMA__");
}

static void lanewise(Text *out, const char *name, const char *call, int lanes)
{
    text_printf(out, "INL f%d %s_f%d(f%d x) { return (f%d){", lanes, name, lanes, lanes, lanes);
    lane_list(out, lanes, call);
    text_add(out, "}; }\n");
}

/* The helpers that take vectors, as macros: where functions are given vectors in
 * halves the compiler does not put them together again, inlined or not. */
static void macro_helpers(Text *out, int lanes)
{
    int n = lanes;
    text_printf(out, "#define splat_f%d(s) __extension__({ const float s_ = (s); (f%d){", n, n);
    lane_list(out, n, "s_");
    text_printf(out, "}; })\n#define splat_i%d(s) __extension__({ const int32_t s_ = (s); (i%d){",
                n, n);
    lane_list(out, n, "s_");
    text_add(out, "}; })\n");
    for (int f = 0; f < 2; f++) {
        char t = f ? 'f' : 'i';
        text_printf(out, "#define load_%c%d(p) (*(const %c%du *)(p))\n", t, n, t, n);
        text_printf(out, "#define store_%c%d(p, x) ((void)(*(%c%du *)(p) = (x)))\n", t, n, t, n);
        text_printf(out, "#define select_%c%d(m, a, b) __extension__({ const i%d m_ = (m), "
                         "a_ = (i%d)(a), b_ = (i%d)(b); (%c%d)(b_ ^ (m_ & (a_ ^ b_))); })\n",
                    t, n, n, n, n, t, n);
        for (int k = 0; k < 2; k++)
            text_printf(out, "#define %s_%c%d(a, b) __extension__({ const %c%d x_ = (a), "
                             "y_ = (b); select_%c%d(x_ %c y_, x_, y_); })\n",
                        k ? "min" : "max", t, n, t, n, t, n, k ? '<' : '>');
    }
    text_printf(out, "#define abs_f%d(x) ((f%d)((i%d)(x) & INT32_MAX))\n"
                     "#if defined(VTC_ELEMENTWISE_FMA)\n"
                     "#define fma_f%d(a, b, c) __builtin_elementwise_fma(a, b, c)\n#endif\n\n",
                n, n, n, n);
}

static void vector_helpers(Text *out, int lanes)
{
    vector_types(out, lanes);
    select_helper(out, lanes);
    extreme_helper(out, "max", '>', lanes);
    extreme_helper(out, "min", '<', lanes);
    lanewise(out, "sqrt", "__builtin_sqrtf(x[@])", lanes);
    lanewise(out, "floor", "__builtin_floorf(x[@])", lanes);
    text_printf(out, "INL f%d abs_f%d(f%d x) { return (f%d)((i%d)x & splat_i%d(INT32_MAX)); }\n\n",
                lanes, lanes, lanes, lanes, lanes, lanes);
}

static void scalar_helpers(Text *out)
{
    text_add(out,
             "typedef union Bits { float f; int32_t i; } Bits;\n"
             "INL int32_t bits_of(float x) { Bits b; b.f = x; return b.i; }\n"
             "INL float float_of(int32_t x) { Bits b; b.i = x; return b.f; }\n"
             "INL float max_f1(float a, float b) { return a > b ? a : b; }\n"
             "INL float min_f1(float a, float b) { return a < b ? a : b; }\n"
             "INL int32_t max_i1(int32_t a, int32_t b) { return a > b ? a : b; }\n"
             "INL int32_t min_i1(int32_t a, int32_t b) { return a < b ? a : b; }\n"
             "INL float select_f1(int32_t m, float a, float b) { return m ? a : b; }\n"
             "INL int32_t select_i1(int32_t m, int32_t a, int32_t b) { return m ? a : b; }\n"
             "INL float sqrt_f1(float x) { return sqrtf(x); }\n"
             "INL float floor_f1(float x) { return floorf(x); }\n"
             "INL float abs_f1(float x) { return float_of(bits_of(x) & INT32_MAX); }\n"
             "INL int32_t wrap(uint32_t x) { return (int32_t)x; }\n\n");
}

/* Without a library the compiler's builtins are instructions. */
static void library(const Target *target, Text *out)
{
    if (!target->freestanding)
        text_add(out, "#include <math.h>\n");
    text_add(out, "#include <stddef.h>\n#include <stdint.h>\n\n");
    if (target->freestanding)
        text_add(out, "#define NAN __builtin_nanf(\"\")\n"
                      "#define INFINITY __builtin_inff()\n"
                      "#define sqrtf __builtin_sqrtf\n"
                      "#define floorf __builtin_floorf\n"
                      "#define fmaf __builtin_fmaf\n\n");
}

/* gcc 12 takes the register of any of an instruction's three operands for its result: sums
 * move to and fro, and some of a tile that fills the registers are spilled. As assembly that
 * adds to its third operand they stay where they are. What is loaded for one sum alone is
 * the second factor, which may stay in memory; what is loaded for several is held (emit.c),
 * or gcc would leave it there too, and read it again for each of two or three. */
static void register_class(Text *out)
{
    text_add(out, "/* Of gcc's asm: left to choose the register that a sum is in next, it spills some. */\n"
                  "#if defined(__AVX512VL__)\n#define REGISTER \"v\"\n"
                  "#elif defined(__FMA__) || defined(__AVX512F__)\n#define REGISTER \"x\"\n#endif\n\n");
}

/* As cblas.h has it, whose enumerations are ints. A BLAS with threads of its own is told
 * to use one: tasks are shared out by the executor. */
static void blas(Text *out)
{
    text_add(out,
             "extern void cblas_sgemm(int order, int trans_a, int trans_b, int m, int n, int k,\n"
             "                        float alpha, const float *a, int lda, const float *b,\n"
             "                        int ldb, float beta, float *c, int ldc);\n"
             "#if defined(__GNUC__)\n"
             "extern void openblas_set_num_threads(int threads) __attribute__((weak));\n"
             "static void blas_one_thread(void)\n{\n    if (openblas_set_num_threads)\n"
             "        openblas_set_num_threads(1);\n}\n"
             "#else\nstatic void blas_one_thread(void) {}\n#endif\n\n");
}

void c_prelude(const Program *p, Text *out)
{
    bool vectors = p->target->lanes > 1;
    library(p->target, out);
    if (program_has_products(p))
        blas(out);
    if (!vectors) {
        text_add(out, "#if defined(__GNUC__)\n"
                      "#define INL static inline __attribute__((unused))\n"
                      "#else\n#define INL static inline\n#endif\n#define KERNEL\n#define STEP\n");
        scalar_helpers(out);
        if (p->target->has_fma)
            text_add(out, "INL float fma_f1(float a, float b, float c) "
                          "{ return fmaf(a, b, c); }\n\n");
        return;
    }
    text_add(out, "#if defined(__clang__) && defined(__has_builtin)\n"
                  "#if __has_builtin(__builtin_elementwise_fma)\n"
                  "#define VTC_ELEMENTWISE_FMA 1\n#endif\n#endif\n"
                  "#define INL static inline __attribute__((always_inline, unused))\n"
                  "/* Inlined into its step, a kernel would share registers with it. */\n"
                  "/* A step stays its kernel's caller, and that one function: by them profilers\n"
                  " * and debuggers know the layer. */\n"
                  "#if defined(__clang__)\n"
                  "#define KERNEL __attribute__((noinline))\n"
                  "#define STEP __attribute__((disable_tail_calls))\n#else\n"
                  "#define KERNEL __attribute__((noinline, noclone))\n"
                  "#define STEP __attribute__((optimize(\"no-optimize-sibling-calls\")))\n"
                  "/* Sums that one loop leaves in memory for the next round would wait in registers\n"
                  " * that the loops between need. */\n"
                  "#pragma GCC optimize(\"no-tree-pre\")\n"
                  "#endif\n\n");
    register_class(out);
    scalar_helpers(out);
    text_add(out, "/* Hints, never accesses (the address may lie outside): into the L2 cache where L1\n"
                  " * has no room for it until it is used. */\n"
                  "INL void prefetch(uintptr_t at) { __builtin_prefetch((const void *)at, 0, 2); }\n"
                  "INL void prefetch_l1(uintptr_t at) { __builtin_prefetch((const void *)at, 0, 3); }\n\n");
    text_add(out, "INL float fma_f1(float a, float b, float c)\n{\n"
                  "    return __builtin_fmaf(a, b, c);\n}\n\n");
    for (int lanes = 4; lanes <= p->target->lanes; lanes *= 2) {
        vector_helpers(out, lanes);
        if (p->target->has_fma) {
            fma_helper(out, lanes);
            held_helper(out, lanes);
        }
        if (p->target->splits_vectors)
            macro_helpers(out, lanes);
    }
}
