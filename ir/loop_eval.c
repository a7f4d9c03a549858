/* The loop interpreter: what a program means. A kernel is first resolved (every
 * register and index variable gets a slot), then run task by task. */
#include "ir/loop.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_LANES = 64 };

typedef union Lane {
    float f;
    int32_t i;
} Lane;

typedef struct Slots {
    VEC(const void *) of; /* register or index variable by slot */
    int *hash;            /* open addressing, slot + 1 */
    int size;
} Slots;

typedef struct Machine {
    Arena *arena;
    const Kernel *kernel;
    unsigned char *base[64]; /* of parameters */
    Slots regs, vars;
    Lane *reg;               /* MAX_LANES each */
    int64_t *var;
} Machine;

/* ---- slots ------------------------------------------------------------- */

static unsigned hash_of(const void *p)
{
    uintptr_t x = (uintptr_t)p;
    return (unsigned)((x >> 4) * 2654435761u);
}

static int slot(const Slots *s, const void *thing)
{
    for (unsigned h = hash_of(thing);; h++) {
        int at = s->hash[h & (unsigned)(s->size - 1)];
        if (!at)
            bug("loop_eval: a register or variable out of scope");
        if (s->of.at[at - 1] == thing)
            return at - 1;
    }
}

static void collect(Arena *a, Slots *regs, Slots *vars, const Block *block)
{
    for (const Stmt *s = block->first; s; s = s->next) {
        if (s->kind == ST_let || s->kind == ST_var)
            VEC_PUSH(a, regs->of, (const void *)s->reg);
        if (s->kind == ST_for || s->kind == ST_iload)
            VEC_PUSH(a, vars->of, (const void *)s->var);
        collect(a, regs, vars, &s->body);
        collect(a, regs, vars, &s->other);
    }
}

static void index_slots(Arena *a, Slots *s)
{
    for (s->size = 16; s->size < s->of.n * 2 + 2;)
        s->size *= 2;
    s->hash = NEW(a, int, s->size);
    for (int i = 0; i < s->of.n; i++) {
        unsigned h = hash_of(s->of.at[i]);
        while (s->hash[h & (unsigned)(s->size - 1)])
            h++;
        s->hash[h & (unsigned)(s->size - 1)] = i + 1;
    }
}

/* ---- expressions ------------------------------------------------------- */

static int64_t index_value(const Machine *m, const Index *index)
{
    int64_t sum = index->base;
    for (int i = 0; i < index->n; i++)
        sum += index->term[i].factor * m->var[slot(&m->vars, index->term[i].var)];
    return sum;
}

static void load(const Machine *m, const Expr *e, Lane *out)
{
    int64_t at = index_value(m, &e->index);
    const unsigned char *base = m->base[e->param];
    if (e->type.dtype == DT_u8 || e->type.dtype == DT_bool)
        for (int i = 0; i < e->type.lanes; i++)
            out[i].i = base[at + i];
    else
        memcpy(out, base + at * 4, sizeof(Lane) * (size_t)e->type.lanes);
}

static int32_t to_int(float x)
{
    return (int32_t)x;
}

static void cast(const Expr *e, const Lane *x, Lane *out)
{
    DType from = e->arg[0]->type.dtype, to = e->type.dtype;
    for (int i = 0; i < e->type.lanes; i++) {
        if (from == DT_f32 && to != DT_f32)
            out[i].i = to_int(x[i].f);
        else if (from != DT_f32 && to == DT_f32)
            out[i].f = (float)x[i].i;
        else
            out[i] = x[i];
        if (to == DT_u8 || to == DT_bool)
            out[i].i &= 255;
    }
}

static float real_op(ExprOp op, float a, float b)
{
    switch ((int)op) {
    case EX_add: return a + b;
    case EX_sub: return a - b;
    case EX_mul: return a * b;
    case EX_div: return a / b;
    case EX_max: return a > b ? a : b;
    case EX_min: return a < b ? a : b;
    case EX_pow: return (float)pow(a, b);
    }
    bug("loop_eval: %s of f32", expr_info[op].name);
}

static int32_t int_op(ExprOp op, int32_t a, int32_t b)
{
    switch ((int)op) {
    case EX_add: return (int32_t)((uint32_t)a + (uint32_t)b);
    case EX_sub: return (int32_t)((uint32_t)a - (uint32_t)b);
    case EX_mul: return (int32_t)((uint32_t)a * (uint32_t)b);
    case EX_max: return a > b ? a : b;
    case EX_min: return a < b ? a : b;
    case EX_and: return a & b;
    case EX_or: return a | b;
    case EX_xor: return a ^ b;
    case EX_shl: return (int32_t)((uint32_t)a << b);
    case EX_shr: return a >> b;
    }
    bug("loop_eval: %s of i32", expr_info[op].name);
}

static int32_t compare(ExprOp op, const Expr *e, Lane a, Lane b)
{
    bool real = e->arg[0]->type.dtype == DT_f32;
    bool yes = false;
    switch ((int)op) {
    case EX_eq: yes = real ? a.f == b.f : a.i == b.i; break;
    case EX_ne: yes = real ? a.f != b.f : a.i != b.i; break;
    case EX_lt: yes = real ? a.f < b.f : a.i < b.i; break;
    case EX_le: yes = real ? a.f <= b.f : a.i <= b.i; break;
    }
    return yes ? -1 : 0;
}

static float special(ExprOp op, float x)
{
    switch ((int)op) {
    case EX_neg: return -x;
    case EX_sqrt: return sqrtf(x);
    case EX_abs: return fabsf(x);
    case EX_floor: return floorf(x);
    case EX_exp: return (float)exp(x);
    case EX_log: return (float)log(x);
    case EX_tanh: return (float)tanh(x);
    case EX_erf: return (float)erf(x);
    }
    bug("loop_eval: %s of f32", expr_info[op].name);
}

static void eval(Machine *m, const Expr *e, Lane *out);

static void eval_binary(const Expr *e, const Lane *a, const Lane *b, Lane *out)
{
    bool compares = e->op == EX_eq || e->op == EX_ne || e->op == EX_lt || e->op == EX_le;
    for (int i = 0; i < e->type.lanes; i++) {
        if (compares)
            out[i].i = compare(e->op, e, a[i], b[i]);
        else if (e->type.dtype == DT_f32)
            out[i].f = real_op(e->op, a[i].f, b[i].f);
        else
            out[i].i = int_op(e->op, a[i].i, b[i].i);
    }
}

static void eval(Machine *m, const Expr *e, Lane *out)
{
    Lane x[3][MAX_LANES];
    int n = expr_info[e->op].args, lanes = e->type.lanes;
    for (int i = 0; i < n; i++)
        eval(m, e->arg[i], x[i]);
    switch ((int)e->op) {
    case EX_const:
        for (int i = 0; i < lanes; i++) {
            if (e->type.dtype == DT_f32)
                out[i].f = (float)e->real;
            else
                out[i].i = (int32_t)e->integer;
        }
        return;
    case EX_reg:
        memcpy(out, m->reg + (size_t)slot(&m->regs, e->reg) * MAX_LANES,
               sizeof(Lane) * (size_t)lanes);
        return;
    case EX_load: load(m, e, out); return;
    case EX_index: out[0].i = (int32_t)index_value(m, &e->index); return;
    case EX_cast: cast(e, x[0], out); return;
    case EX_bitcast: memcpy(out, x[0], sizeof(Lane) * (size_t)lanes); return;
    case EX_splat:
        for (int i = 0; i < lanes; i++)
            out[i] = x[0][0];
        return;
    case EX_shuffle:
        for (int i = 0; i < lanes; i++) {
            int from = e->lane[i], width = e->arg[0]->type.lanes;
            out[i] = x[from >= width][from % width];
        }
        return;
    case EX_fma:
        for (int i = 0; i < lanes; i++)
            out[i].f = fmaf(x[0][i].f, x[1][i].f, x[2][i].f);
        return;
    case EX_select:
        for (int i = 0; i < lanes; i++)
            out[i] = x[0][i].i ? x[1][i] : x[2][i];
        return;
    }
    if (n == 2) {
        eval_binary(e, x[0], x[1], out);
        return;
    }
    for (int i = 0; i < lanes; i++) {
        if (e->type.dtype == DT_f32)
            out[i].f = special(e->op, x[0][i].f);
        else
            out[i].i = e->op == EX_neg ? (int32_t)(0u - (uint32_t)x[0][i].i) : abs(x[0][i].i);
    }
}

/* ---- statements -------------------------------------------------------- */

static void store(Machine *m, const Stmt *s)
{
    Lane x[MAX_LANES];
    eval(m, s->expr, x);
    int64_t at = index_value(m, &s->index);
    DType dtype = m->kernel->params.at[s->param].dtype;
    if (dtype == DT_u8 || dtype == DT_bool)
        for (int i = 0; i < s->expr->type.lanes; i++)
            m->base[s->param][at + i] = (unsigned char)x[i].i;
    else
        memcpy(m->base[s->param] + at * 4, x, sizeof(Lane) * (size_t)s->expr->type.lanes);
}

static void run_block(Machine *m, const Block *block)
{
    for (const Stmt *s = block->first; s; s = s->next) {
        switch (s->kind) {
        case ST_for: {
            int64_t *var = &m->var[slot(&m->vars, s->var)];
            for (*var = 0; *var < s->count; (*var)++)
                run_block(m, &s->body);
            break;
        }
        case ST_iload: {
            int32_t entry;
            memcpy(&entry, m->base[s->param] + index_value(m, &s->index) * 4, 4);
            m->var[slot(&m->vars, s->var)] = entry;
            break;
        }
        case ST_let:
        case ST_var:
        case ST_set: {
            Lane x[MAX_LANES];
            eval(m, s->expr, x);
            memcpy(m->reg + (size_t)slot(&m->regs, s->reg) * MAX_LANES, x, sizeof x);
            break;
        }
        case ST_store: store(m, s); break;
        case ST_if:
            run_block(m, index_value(m, &s->index) < s->limit ? &s->body : &s->other);
            break;
        case ST_comment: break;
        }
    }
}

/* ---- programs ---------------------------------------------------------- */

static unsigned char *writable(const void *p)
{
    return (unsigned char *)(uintptr_t)p;
}

static unsigned char *base_of(const Program *p, const Memory *memory, const Arg *arg)
{
    switch (arg->buffer) {
    case BUF_weights: return writable(memory->weights) + arg->offset;
    case BUF_workspace: return memory->workspace + arg->offset;
    case BUF_input: return writable(memory->inputs[arg->port]) + arg->offset;
    case BUF_output: return writable(memory->outputs[arg->port]) + arg->offset;
    case BUF_scratch: return memory->workspace + p->scratch_offset + arg->offset;
    }
    return NULL;
}

void program_eval(const Program *program, const Memory *memory, int first, int last)
{
    for (int i = first; i < last; i++) {
        const Step *step = &program->steps.at[i];
        const Kernel *k = step->kernel;
        Arena *arena = arena_new();
        Machine m = {.arena = arena, .kernel = k};
        VEC_PUSH(arena, m.vars.of, (const void *)k->task);
        collect(arena, &m.regs, &m.vars, &k->body);
        index_slots(arena, &m.regs);
        index_slots(arena, &m.vars);
        m.reg = NEW(arena, Lane, (m.regs.of.n + 1) * MAX_LANES);
        m.var = NEW(arena, int64_t, m.vars.of.n + 1);
        for (int a = 0; a < step->args.n; a++)
            m.base[a] = base_of(program, memory, &step->args.at[a]);
        for (int64_t task = 0; task < k->tasks; task++) {
            m.var[slot(&m.vars, k->task)] = task;
            run_block(&m, &k->body);
        }
        arena_free(arena);
    }
}
