/* Building programs: indices, expressions, statements. Wrong types are bugs. */
#include "ir/loop.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- indices ----------------------------------------------------------- */

Index index_const(int64_t base)
{
    return (Index){.base = base};
}

Index index_var(const IVar *var)
{
    if (var->min == var->max)
        return index_const(var->min);
    return (Index){.n = 1, .term = {{var, 1}}};
}

static void index_term(Index *index, const IVar *var, int64_t factor)
{
    for (int i = 0; i < index->n; i++) {
        if (index->term[i].var != var)
            continue;
        index->term[i].factor += factor;
        if (index->term[i].factor == 0)
            index->term[i] = index->term[--index->n];
        return;
    }
    if (factor == 0)
        return;
    if (index->n == MAX_TERMS)
        bug("index with more than %d variables", MAX_TERMS);
    index->term[index->n++] = (Term){var, factor};
}

Index index_add(Index a, Index b)
{
    a.base += b.base;
    for (int i = 0; i < b.n; i++)
        index_term(&a, b.term[i].var, b.term[i].factor);
    return a;
}

Index index_plus(Index a, int64_t b)
{
    a.base += b;
    return a;
}

Index index_mul(Index a, int64_t factor)
{
    Index product = {.base = a.base * factor};
    for (int i = 0; i < a.n; i++)
        index_term(&product, a.term[i].var, a.term[i].factor * factor);
    return product;
}

int64_t index_min(const Index *index)
{
    int64_t sum = index->base;
    for (int i = 0; i < index->n; i++) {
        const Term *t = &index->term[i];
        sum += t->factor * (t->factor > 0 ? t->var->min : t->var->max);
    }
    return sum;
}

int64_t index_max(const Index *index)
{
    int64_t sum = index->base;
    for (int i = 0; i < index->n; i++) {
        const Term *t = &index->term[i];
        sum += t->factor * (t->factor > 0 ? t->var->max : t->var->min);
    }
    return sum;
}

/* ---- kernels and statements -------------------------------------------- */

static bool type_equal(LType a, LType b)
{
    return a.dtype == b.dtype && a.lanes == b.lanes;
}

Kernel *kernel_new(Arena *arena, const char *name, int64_t tasks)
{
    Kernel *kernel = NEW(arena, Kernel, 1);
    kernel->name = name;
    kernel->tasks = tasks;
    kernel->task = NEW(arena, IVar, 1);
    *kernel->task = (IVar){.name = "task", .max = tasks - 1};
    return kernel;
}

int kernel_param(Arena *arena, Kernel *kernel, Param param)
{
    VEC_PUSH(arena, kernel->params, param);
    return kernel->params.n - 1;
}

static const Param *param_of(const Kernel *kernel, int param)
{
    if (param < 0 || param >= kernel->params.n)
        bug("kernel %s has no parameter %d", kernel->name, param);
    return &kernel->params.at[param];
}

static int number_behind(const char *name)
{
    const char *digits = name + strlen(name);
    while (digits > name && digits[-1] >= '0' && digits[-1] <= '9')
        digits--;
    return *digits && strlen(digits) < 10 ? atoi(digits) : -1;
}

static int highest_number(const Block *block)
{
    int most = -1;
    for (const Stmt *s = block->first; s; s = s->next) {
        const char *made = s->var ? s->var->name
                           : s->kind == ST_let || s->kind == ST_var ? s->reg->name
                                                                     : "";
        int here[] = {number_behind(made), highest_number(&s->body),
                      highest_number(&s->other)};
        for (int i = 0; i < 3; i++)
            most = here[i] > most ? here[i] : most;
    }
    return most;
}

int kernel_next_serial(const Kernel *kernel)
{
    return highest_number(&kernel->body) + 1;
}

Build build_begin(Arena *arena, Kernel *kernel)
{
    Build b = {.arena = arena, .kernel = kernel};
    b.at[0] = &kernel->body;
    return b;
}

static Stmt *append(Build *b, StmtKind kind)
{
    Stmt *stmt = NEW(b->arena, Stmt, 1);
    stmt->kind = kind;
    Block *block = b->at[b->depth];
    *(block->last ? &block->last->next : &block->first) = stmt;
    block->last = stmt;
    return stmt;
}

static void open(Build *b, Block *block)
{
    if (b->depth + 1 == (int)(sizeof b->at / sizeof *b->at))
        bug("loops nested too deeply");
    b->at[++b->depth] = block;
}

static const char *fresh(Build *b, const char *name)
{
    return arena_printf(b->arena, "%s_%d", name, b->serial++);
}

const IVar *build_for(Build *b, const char *name, int64_t count, bool unroll)
{
    if (count < 1)
        bug("loop %s of %lld", name, (long long)count);
    Stmt *stmt = append(b, ST_for);
    stmt->var = NEW(b->arena, IVar, 1);
    *stmt->var = (IVar){.name = fresh(b, name), .max = count - 1};
    stmt->count = count;
    stmt->unroll = unroll;
    open(b, &stmt->body);
    return stmt->var;
}

void build_if_less(Build *b, Index index, int64_t limit)
{
    Stmt *stmt = append(b, ST_if);
    stmt->index = index;
    stmt->limit = limit;
    open(b, &stmt->body);
}

void build_else(Build *b)
{
    Stmt *stmt = b->at[b->depth - 1]->last;
    if (stmt->kind != ST_if)
        bug("else without if");
    b->at[b->depth] = &stmt->other;
}

void build_end(Build *b)
{
    if (b->depth == 0)
        bug("end without a loop");
    b->depth--;
}

const IVar *build_iload(Build *b, const char *name, int param, Index index,
                        int64_t min, int64_t max)
{
    if (param_of(b->kernel, param)->dtype != DT_i32)
        bug("table %s is not i32", b->kernel->params.at[param].name);
    Stmt *stmt = append(b, ST_iload);
    stmt->var = NEW(b->arena, IVar, 1);
    *stmt->var = (IVar){.name = fresh(b, name), .min = min, .max = max};
    stmt->param = param;
    stmt->index = index;
    return stmt->var;
}

Index build_index(Build *b, const char *name, Index index)
{
    if (index.n == 0 || (index.n == 1 && index.base == 0 && index.term[0].factor == 1))
        return index;
    Stmt *stmt = append(b, ST_index);
    stmt->index = index;
    stmt->var = NEW(b->arena, IVar, 1);
    *stmt->var = (IVar){fresh(b, name), index_min(&index), index_max(&index), &stmt->index};
    return index_var(stmt->var);
}

static Reg *reg_new(Build *b, const char *name, LType type, int count,
                    bool once)
{
    Reg *reg = NEW(b->arena, Reg, 1);
    *reg = (Reg){.name = fresh(b, name), .type = type, .count = count, .once = once};
    return reg;
}

const Expr *build_let(Build *b, const char *name, const Expr *expr)
{
    if (expr->op == EX_const || (expr->op == EX_reg && expr->reg->once))
        return expr;
    Stmt *stmt = append(b, ST_let);
    stmt->reg = reg_new(b, name, expr->type, 1, true);
    stmt->expr = expr;
    return expr_reg(b->arena, stmt->reg, index_const(0));
}

const Reg *build_var(Build *b, const char *name, int count, const Expr *init)
{
    if (count < 1)
        bug("a register array of %d", count);
    Stmt *stmt = append(b, ST_var);
    stmt->reg = reg_new(b, name, init->type, count, false);
    stmt->expr = init;
    return stmt->reg;
}

void build_set(Build *b, const Reg *reg, Index element, const Expr *expr)
{
    if (!type_equal(expr->type, reg->type) || reg->once)
        bug("set %s: %s", reg->name, reg->once ? "made by a let" : "types differ");
    Stmt *stmt = append(b, ST_set);
    stmt->reg = reg;
    stmt->index = element;
    stmt->expr = expr;
}

void build_store(Build *b, int param, Index index, const Expr *expr)
{
    const Param *p = param_of(b->kernel, param);
    bool flag = p->dtype == DT_bool && expr->type.dtype == DT_u8;
    if (p->dtype != expr->type.dtype && !flag)
        bug("store to %s: a value of another type", p->name);
    Stmt *stmt = append(b, ST_store);
    stmt->param = param;
    stmt->index = index;
    stmt->expr = expr;
}

void build_product(Build *b, int param, Index index, const Product *product)
{
    Stmt *stmt = append(b, ST_product);
    stmt->param = param;
    stmt->index = index;
    stmt->product = NEW(b->arena, Product, 1);
    *stmt->product = *product;
}

int64_t matrix_reach(const MatrixAt *m, int64_t rows, int64_t columns)
{
    return m->transposed ? (columns - 1) * m->step + rows : (rows - 1) * m->step + columns;
}

static bool block_has_product(const Block *block)
{
    for (const Stmt *s = block->first; s; s = s->next)
        if (s->kind == ST_product || block_has_product(&s->body) || block_has_product(&s->other))
            return true;
    return false;
}

bool program_has_products(const Program *program)
{
    for (int i = 0; i < program->kernels.n; i++)
        if (block_has_product(&program->kernels.at[i]->body))
            return true;
    return false;
}

void build_prefetch(Build *b, Near near, int param, Index index)
{
    Stmt *stmt = append(b, ST_prefetch);
    stmt->near = near;
    stmt->param = param;
    stmt->index = index;
}

void build_comment(Build *b, const char *format, ...)
{
    char buffer[512];
    va_list args;
    va_start(args, format);
    vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    append(b, ST_comment)->text = arena_strdup(b->arena, buffer);
}

static const Expr *lane_of(Arena *a, const Expr *x, int lane)
{
    signed char from = (signed char)lane;
    return expr_shuffle(a, x, x, 1, &from);
}

static const Expr *halves(Arena *a, ExprOp op, const Expr *x)
{
    signed char low[64], high[64];
    int half = x->type.lanes / 2;
    for (int i = 0; i < half; i++) {
        low[i] = (signed char)i;
        high[i] = (signed char)(i + half);
    }
    return expr_bin(a, op, expr_shuffle(a, x, x, half, low),
                    expr_shuffle(a, x, x, half, high));
}

/* Halving down to four lanes, then (0 + 2) + (1 + 3) as scalars: no target has
 * vectors of two. */
const Expr *build_across(Build *b, ExprOp op, const Expr *x)
{
    Arena *a = b->arena;
    for (; x->type.lanes > 4; x = halves(a, op, x))
        x = build_let(b, "across", x);
    if (x->type.lanes == 4) {
        x = build_let(b, "across", x);
        const Expr *even = expr_bin(a, op, lane_of(a, x, 0), lane_of(a, x, 2));
        const Expr *odd = expr_bin(a, op, lane_of(a, x, 1), lane_of(a, x, 3));
        x = expr_bin(a, op, even, odd);
    }
    return build_let(b, "across", x);
}

/* ---- expressions ------------------------------------------------------- */

static Expr *expr_new(Arena *a, ExprOp op, LType type)
{
    if (type.lanes < 1 || type.lanes > MAX_LANES)
        bug("%s of %d lanes", expr_info[op].name, type.lanes);
    Expr *expr = NEW(a, Expr, 1);
    expr->op = op;
    expr->type = type;
    return expr;
}

static void need(bool holds, ExprOp op, const Expr *x)
{
    if (!holds)
        bug("%s does not take %s x %d", expr_info[op].name, dtype_info[x->type.dtype].name,
            x->type.lanes);
}

static bool is_real(const Expr *x)
{
    return x->type.dtype == DT_f32;
}

static bool is_int(const Expr *x)
{
    return x->type.dtype == DT_i32;
}

static bool is_byte(DType dtype)
{
    return dtype == DT_u8 || dtype == DT_bool;
}

const Expr *expr_real(Arena *a, double value, int lanes)
{
    Expr *expr = expr_new(a, EX_const, (LType){DT_f32, lanes});
    expr->real = (double)(float)value;
    return expr;
}

const Expr *expr_int(Arena *a, int64_t value, int lanes)
{
    if (value < INT32_MIN || value > INT32_MAX)
        bug("%lld is no i32", (long long)value);
    Expr *expr = expr_new(a, EX_const, (LType){DT_i32, lanes});
    expr->integer = value;
    return expr;
}

const Expr *expr_reg(Arena *a, const Reg *reg, Index element)
{
    Expr *expr = expr_new(a, EX_reg, reg->type);
    expr->reg = reg;
    expr->index = element;
    return expr;
}

const Expr *expr_load(Arena *a, const Kernel *kernel, int param, Index index,
                      int lanes)
{
    DType dtype = param_of(kernel, param)->dtype;
    if (dtype != DT_f32 && dtype != DT_i32 && !is_byte(dtype))
        bug("a load of %s", dtype_info[dtype].name);
    Expr *expr = expr_new(a, EX_load, (LType){dtype, lanes});
    expr->param = param;
    expr->index = index;
    return expr;
}

const Expr *expr_index(Arena *a, Index index)
{
    Expr *expr = expr_new(a, EX_index, (LType){DT_i32, 1});
    expr->index = index;
    return expr;
}

const Expr *expr_un(Arena *a, ExprOp op, const Expr *x)
{
    if (expr_info[op].args != 1 || op == EX_cast || op == EX_bitcast || op == EX_splat)
        bug("expr_un makes no %s", expr_info[op].name);
    need(is_real(x) || (op == EX_neg && is_int(x)), op, x);
    Expr *expr = expr_new(a, op, x->type);
    expr->arg[0] = x;
    return expr;
}

bool expr_compares(ExprOp op)
{
    return op == EX_eq || op == EX_ne || op == EX_lt || op == EX_le;
}

static bool takes_reals(ExprOp op)
{
    return op != EX_and && op != EX_or && op != EX_xor && op != EX_shl && op != EX_shr;
}

static bool takes_ints(ExprOp op)
{
    return op != EX_div && op != EX_pow;
}

const Expr *expr_bin(Arena *a, ExprOp op, const Expr *x, const Expr *y)
{
    if (expr_info[op].args != 2 || op == EX_shuffle)
        bug("expr_bin makes no %s", expr_info[op].name);
    if (!type_equal(x->type, y->type))
        bug("%s: operands of different types (%s x %d, %s x %d)", expr_info[op].name,
            dtype_info[x->type.dtype].name, x->type.lanes,
            dtype_info[y->type.dtype].name, y->type.lanes);
    need((is_real(x) && takes_reals(op)) || (is_int(x) && takes_ints(op)), op, x);
    bool shifts = op == EX_shl || op == EX_shr;
    if (shifts && (y->op != EX_const || y->integer < 0 || y->integer > 31))
        bug("%s: the count is a constant from 0 to 31", expr_info[op].name);
    Expr *expr = expr_new(a, op, x->type);
    if (expr_compares(op))
        expr->type.dtype = DT_i32;
    expr->arg[0] = x;
    expr->arg[1] = y;
    return expr;
}

const Expr *expr_tri(Arena *a, ExprOp op, const Expr *x, const Expr *y,
                     const Expr *z)
{
    if (expr_info[op].args != 3)
        bug("expr_tri makes no %s", expr_info[op].name);
    if (!type_equal(y->type, z->type) || x->type.lanes != y->type.lanes)
        bug("%s: operands of different types", expr_info[op].name);
    need(op == EX_fma ? is_real(x) && is_real(y) : is_int(x), op, x);
    Expr *expr = expr_new(a, op, y->type);
    expr->arg[0] = x;
    expr->arg[1] = y;
    expr->arg[2] = z;
    return expr;
}

const Expr *expr_cast(Arena *a, const Expr *x, DType to)
{
    DType from = x->type.dtype;
    bool numbers = (from == DT_f32 && to == DT_i32) || (from == DT_i32 && to == DT_f32);
    bool widens = is_byte(from) && (to == DT_i32 || to == DT_f32);
    need(numbers || widens || (from == DT_i32 && is_byte(to)), EX_cast, x);
    Expr *expr = expr_new(a, EX_cast, (LType){to, x->type.lanes});
    expr->arg[0] = x;
    return expr;
}

const Expr *expr_bitcast(Arena *a, const Expr *x, DType to)
{
    need((is_real(x) && to == DT_i32) || (is_int(x) && to == DT_f32), EX_bitcast, x);
    Expr *expr = expr_new(a, EX_bitcast, (LType){to, x->type.lanes});
    expr->arg[0] = x;
    return expr;
}

const Expr *expr_splat(Arena *a, const Expr *scalar, int lanes)
{
    if (scalar->type.lanes != 1)
        bug("splat of a vector");
    Expr *expr = expr_new(a, EX_splat, (LType){scalar->type.dtype, lanes});
    expr->arg[0] = scalar;
    return expr;
}

const Expr *expr_shuffle(Arena *a, const Expr *x, const Expr *y, int lanes,
                         const signed char *lane)
{
    if (!type_equal(x->type, y->type))
        bug("shuffle of different types");
    Expr *expr = expr_new(a, EX_shuffle, (LType){x->type.dtype, lanes});
    for (int i = 0; i < lanes; i++)
        if (lane[i] < 0 || lane[i] >= 2 * x->type.lanes)
            bug("shuffle takes lane %d of %d", lane[i], 2 * x->type.lanes);
    expr->arg[0] = x;
    expr->arg[1] = y;
    signed char *own = NEW(a, signed char, lanes);
    memcpy(own, lane, (size_t)lanes);
    expr->lane = own;
    return expr;
}

bool program_has_copies(const Program *p)
{
    for (int i = 0; i < p->steps.n; i++)
        if (p->steps.at[i].copied)
            return true;
    return false;
}

bool step_has_copy(const Step *step)
{
    for (int i = 0; i < step->args.n; i++)
        if (step->args.at[i].buffer == BUF_copy)
            return true;
    return false;
}
