/* What each operation of the loop interpreter computes: the arithmetic of the loop
 * IR, lane by lane. IEEE f32; fma rounds once; i32 wraps. */
#include "ir/loop_code.h"
#include <math.h>
#include <string.h>

static int64_t where(const Where *at)
{
    int64_t sum = at->base;
    for (int i = 0; i < at->n; i++)
        sum += at->term[i].factor * *at->term[i].var;
    return sum;
}

/* ---- lanes in blocks: cheap arithmetic --------------------------------- */

/* A block is complete before it is written: `out` may be an operand. */
#define IN_BLOCKS(name, type, result)                                  \
    static void name(const Instr *o)                                      \
    {                                                                  \
        for (int at = 0; at < o->lanes; at += BLOCK) {                 \
            const Lane *x = o->arg[0] + at, *y = o->arg[1] + at;       \
            const Lane *z = o->arg[2] + at;                            \
            Lane block[BLOCK];                                         \
            (void)x, (void)y, (void)z;                                 \
            for (int i = 0; i < BLOCK; i++)                            \
                block[i].type = (result);                              \
            memcpy(o->out + at, block, sizeof block);                  \
        }                                                              \
    }

#define WRAP(x, sign, y) (int32_t)((uint32_t)(x)sign(uint32_t)(y))
#define MASK(condition) (condition) ? -1 : 0

IN_BLOCKS(real_add, f, x[i].f + y[i].f)
IN_BLOCKS(real_sub, f, x[i].f - y[i].f)
IN_BLOCKS(real_mul, f, x[i].f * y[i].f)
IN_BLOCKS(real_div, f, x[i].f / y[i].f)
IN_BLOCKS(real_max, f, x[i].f > y[i].f ? x[i].f : y[i].f)
IN_BLOCKS(real_min, f, x[i].f < y[i].f ? x[i].f : y[i].f)
IN_BLOCKS(real_neg, f, -x[i].f)
IN_BLOCKS(real_abs, i, x[i].i & INT32_MAX)
IN_BLOCKS(real_eq, i, MASK(x[i].f == y[i].f))
IN_BLOCKS(real_ne, i, MASK(x[i].f != y[i].f))
IN_BLOCKS(real_lt, i, MASK(x[i].f < y[i].f))
IN_BLOCKS(real_le, i, MASK(x[i].f <= y[i].f))
IN_BLOCKS(int_add, i, WRAP(x[i].i, +, y[i].i))
IN_BLOCKS(int_sub, i, WRAP(x[i].i, -, y[i].i))
IN_BLOCKS(int_mul, i, WRAP(x[i].i, *, y[i].i))
IN_BLOCKS(int_neg, i, WRAP(0, -, x[i].i))
IN_BLOCKS(int_max, i, x[i].i > y[i].i ? x[i].i : y[i].i)
IN_BLOCKS(int_min, i, x[i].i < y[i].i ? x[i].i : y[i].i)
IN_BLOCKS(int_and, i, x[i].i & y[i].i)
IN_BLOCKS(int_or, i, x[i].i | y[i].i)
IN_BLOCKS(int_xor, i, x[i].i ^ y[i].i)
IN_BLOCKS(int_shl, i, (int32_t)((uint32_t)x[i].i << o->count))
IN_BLOCKS(int_shr, i, x[i].i >> o->count)
IN_BLOCKS(int_eq, i, MASK(x[i].i == y[i].i))
IN_BLOCKS(int_ne, i, MASK(x[i].i != y[i].i))
IN_BLOCKS(int_lt, i, MASK(x[i].i < y[i].i))
IN_BLOCKS(int_le, i, MASK(x[i].i <= y[i].i))
IN_BLOCKS(int_to_real, f, (float)x[i].i)
IN_BLOCKS(int_to_byte, i, x[i].i & 255)
IN_BLOCKS(any_select, i, x[i].i ? y[i].i : z[i].i)

/* ---- one lane at a time: calls of the C library ------------------------ */

#define BY_LANE(name, type, result)              \
    static void name(const Instr *o)                \
    {                                            \
        const Lane *x = o->arg[0], *y = o->arg[1], *z = o->arg[2]; \
        (void)y, (void)z;                        \
        for (int i = 0; i < o->lanes; i++)       \
            o->out[i].type = (result);           \
    }

/* Out of range is undefined in the IR; here it is what x86 gives. */
static int32_t truncated(float x)
{
    return x >= -0x1p31f && x < 0x1p31f ? (int32_t)x : INT32_MIN;
}

BY_LANE(real_fma, f, fmaf(x[i].f, y[i].f, z[i].f))
BY_LANE(real_sqrt, f, sqrtf(x[i].f))
BY_LANE(real_floor, f, floorf(x[i].f))
BY_LANE(real_to_int, i, truncated(x[i].f))
BY_LANE(real_exp, f, (float)exp((double)x[i].f))
BY_LANE(real_log, f, (float)log((double)x[i].f))
BY_LANE(real_tanh, f, (float)tanh((double)x[i].f))
BY_LANE(real_erf, f, (float)erf((double)x[i].f))
BY_LANE(real_pow, f, (float)pow((double)x[i].f, (double)y[i].f))

/* ---- lanes from elsewhere ---------------------------------------------- */

static void load(const Instr *o)
{
    memcpy(o->out, o->base + where(&o->at) * 4, sizeof(Lane) * (size_t)o->lanes);
}

static void load_bytes(const Instr *o)
{
    const unsigned char *from = o->base + where(&o->at);
    for (int i = 0; i < o->lanes; i++)
        o->out[i].i = from[i];
}

static void index_lane(const Instr *o)
{
    o->out[0].i = (int32_t)where(&o->at);
}

static void splat(const Instr *o)
{
    Lane all = o->arg[0][0];
    for (int i = 0; i < o->lanes; i++)
        o->out[i] = all;
}

static void shuffle(const Instr *o)
{
    Lane lanes[MAX_LANES];
    for (int i = 0; i < o->lanes; i++) {
        int from = o->lane[i];
        lanes[i] = o->arg[from >= o->width][from % o->width];
    }
    memcpy(o->out, lanes, sizeof(Lane) * (size_t)o->lanes);
}

/* ---- which is which ---------------------------------------------------- */

static Run *const run_real[EXPR_COUNT] = {
    [EX_add] = real_add,   [EX_sub] = real_sub,   [EX_mul] = real_mul,
    [EX_div] = real_div,   [EX_max] = real_max,   [EX_min] = real_min,
    [EX_neg] = real_neg,   [EX_abs] = real_abs,   [EX_eq] = real_eq,
    [EX_ne] = real_ne,     [EX_lt] = real_lt,     [EX_le] = real_le,
    [EX_fma] = real_fma,   [EX_sqrt] = real_sqrt, [EX_floor] = real_floor,
    [EX_exp] = real_exp,   [EX_log] = real_log,   [EX_tanh] = real_tanh,
    [EX_erf] = real_erf,   [EX_pow] = real_pow,   [EX_cast] = real_to_int,
    [EX_load] = load,      [EX_splat] = splat,    [EX_shuffle] = shuffle,
};

static Run *const run_int[EXPR_COUNT] = {
    [EX_add] = int_add,      [EX_sub] = int_sub,   [EX_mul] = int_mul,
    [EX_neg] = int_neg,      [EX_max] = int_max,   [EX_min] = int_min,
    [EX_and] = int_and,      [EX_or] = int_or,     [EX_xor] = int_xor,
    [EX_shl] = int_shl,      [EX_shr] = int_shr,   [EX_eq] = int_eq,
    [EX_ne] = int_ne,        [EX_lt] = int_lt,     [EX_le] = int_le,
    [EX_select] = any_select, [EX_load] = load,    [EX_index] = index_lane,
    [EX_splat] = splat,      [EX_shuffle] = shuffle,
};

static Run *cast_to(const Expr *e)
{
    if (e->arg[0]->type.dtype == DT_f32)
        return real_to_int;
    return e->type.dtype == DT_f32 ? int_to_real : int_to_byte;
}

Run *run_of(const Expr *e)
{
    bool bytes = dtype_info[e->type.dtype].bytes == 1;
    if (e->op == EX_load && bytes)
        return load_bytes;
    if (e->op == EX_cast)
        return cast_to(e);
    DType operands = expr_info[e->op].args ? e->arg[0]->type.dtype : e->type.dtype;
    Run *run = operands == DT_f32 ? run_real[e->op] : run_int[e->op];
    if (!run)
        bug("loop_eval: %s of %s", expr_info[e->op].name, dtype_info[operands].name);
    return run;
}

/* ---- statements -------------------------------------------------------- */

void run_copy(const Instr *o)
{
    memcpy(o->out, o->arg[0], sizeof(Lane) * (size_t)o->lanes);
}

void run_pick(const Instr *o)
{
    memcpy(o->out, o->arg[0] + where(&o->at) * o->lanes, sizeof(Lane) * (size_t)o->lanes);
}

void run_put(const Instr *o)
{
    memcpy(o->out + where(&o->at) * o->lanes, o->arg[0], sizeof(Lane) * (size_t)o->lanes);
}

void run_store(const Instr *o)
{
    memcpy(o->base + where(&o->at) * 4, o->arg[0], sizeof(Lane) * (size_t)o->lanes);
}

void run_store_bytes(const Instr *o)
{
    unsigned char *to = o->base + where(&o->at);
    for (int i = 0; i < o->lanes; i++)
        to[i] = (unsigned char)o->arg[0][i].i;
}

/* Sums in order, in double: a library's are as near, in whatever order it adds. */
void run_product(const Instr *o)
{
    const Product *p = o->matrices->product;
    const float *a = (const float *)(const void *)o->matrices->left_base +
                     where(&o->matrices->left);
    const float *b = (const float *)(const void *)o->matrices->right_base +
                     where(&o->matrices->right);
    float *y = (float *)(void *)o->base + where(&o->at);
    int64_t a_row = p->left.transposed ? 1 : p->left.step;
    int64_t a_k = p->left.transposed ? p->left.step : 1;
    int64_t b_k = p->right.transposed ? 1 : p->right.step;
    int64_t b_column = p->right.transposed ? p->right.step : 1;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t c = 0; c < p->columns; c++) {
            double sum = 0;
            for (int64_t k = 0; k < p->depth; k++)
                sum += (double)a[r * a_row + k * a_k] * (double)b[k * b_k + c * b_column];
            y[r * p->step + c] = (float)sum;
        }
}

void run_for(const Instr *o)
{
    for (*o->var = 0; *o->var < o->count; ++*o->var)
        code_run(o->body);
}

void run_if(const Instr *o)
{
    code_run(where(&o->at) < o->count ? o->body : o->other);
}

/* The bounds are proven from the promised range, so a table that breaks it would
 * be read out of bounds later. */
void run_iload(const Instr *o)
{
    int32_t entry;
    memcpy(&entry, o->base + where(&o->at) * 4, sizeof entry);
    if (entry < o->index_var->min || entry > o->index_var->max)
        bug("table entry %d for %s is outside %lld to %lld", entry, o->index_var->name,
            (long long)o->index_var->min, (long long)o->index_var->max);
    *o->var = entry;
}

void run_index(const Instr *o)
{
    *o->var = where(&o->at);
}

void code_run(const Code *code)
{
    const Instr *end = code->at + code->n;
    for (const Instr *op = code->at; op < end; op++)
        op->run(op);
}
