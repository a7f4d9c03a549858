/* simplify: what is known before running is not computed.
 *
 *   for i < 1 {                          let a = x[8]
 *     let a = x[i*4 + 8]                 y[0] = a
 *     let b = mul(a, 2)
 *     if task < 0 { y[1] = b }     ->
 *     y[0] = add(mul(a, 1), -0)
 *   }
 *
 * Only rules that keep every bit: x + 0 stays, because -0 + 0 is 0.
 *
 * needs: lowered   makes: nothing   breaks: nothing
 * leaves: loops of two and more, ifs that depend on the task */
#include "passes/program_passes.h"
#include "passes/rewrite.h"
#include "support/ptrmap.h"

/* ---- expressions ------------------------------------------------------- */

static bool is_real(const Expr *e, double value)
{
    return e->op == EX_const && e->type.dtype == DT_f32 && e->real == value &&
           !signbit(e->real) == !signbit(value);
}

static bool is_int(const Expr *e, int64_t value)
{
    return e->op == EX_const && e->type.dtype == DT_i32 && e->integer == value;
}

static bool is_one(const Expr *e)
{
    return is_real(e, 1) || is_int(e, 1);
}

/* x + -0 = x, also for x = 0 and x = -0; of integers x + 0 = x */
static const Expr *drop_added_zero(const Expr *e)
{
    const Expr *x = e->arg[0], *y = e->arg[1];
    if (is_real(y, -0.0) || is_int(y, 0))
        return x;
    return is_real(x, -0.0) || is_int(x, 0) ? y : e;
}

/* x - 0 = x */
static const Expr *drop_subtracted_zero(const Expr *e)
{
    return is_real(e->arg[1], 0) || is_int(e->arg[1], 0) ? e->arg[0] : e;
}

/* x * 1 = 1 * x = x */
static const Expr *drop_factor_one(const Expr *e)
{
    if (is_one(e->arg[1]))
        return e->arg[0];
    return is_one(e->arg[0]) ? e->arg[1] : e;
}

/* x * 1 + z = x + z; x * y + -0 = x * y: one rounding either way */
static const Expr *split_fma(Arena *a, const Expr *e)
{
    if (is_real(e->arg[1], 1))
        return expr_bin(a, EX_add, e->arg[0], e->arg[2]);
    if (is_real(e->arg[0], 1))
        return expr_bin(a, EX_add, e->arg[1], e->arg[2]);
    if (is_real(e->arg[2], -0.0))
        return expr_bin(a, EX_mul, e->arg[0], e->arg[1]);
    return e;
}

/* The same number in every lane is a constant of that many lanes. */
static const Expr *splat_constant(Arena *a, const Expr *e)
{
    const Expr *x = e->arg[0];
    if (x->op != EX_const)
        return e;
    return x->type.dtype == DT_f32 ? expr_real(a, x->real, e->type.lanes)
                                   : expr_int(a, x->integer, e->type.lanes);
}

/* -(-x) = x */
static const Expr *fold_neg(Arena *a, const Expr *e)
{
    const Expr *x = e->arg[0];
    if (x->op == EX_neg)
        return x->arg[0];
    if (x->op == EX_const && x->type.dtype == DT_f32 && !isnan(x->real))
        return expr_real(a, -x->real, e->type.lanes);
    return e;
}

static Index known_index(const Index *index)
{
    Index known = index_const(index->base);
    for (int i = 0; i < index->n; i++)
        known = index_add(known, index_mul(index_var(index->term[i].var),
                                           index->term[i].factor));
    return known;
}

static bool is_known(const Index *index)
{
    for (int i = 0; i < index->n; i++)
        if (index->term[i].var->min == index->term[i].var->max)
            return true;
    return false;
}

static const Expr *simplify_index(Arena *a, const Expr *e)
{
    if (!is_known(&e->index))
        return e;
    Expr *copy = NEW(a, Expr, 1);
    *copy = *e;
    copy->index = known_index(&e->index);
    return copy;
}

static const Expr *simplify_expr(void *context, const Expr *e)
{
    Arena *a = context;
    switch ((int)e->op) {
    case EX_reg:
    case EX_load:
    case EX_index: return simplify_index(a, e);
    case EX_add: return drop_added_zero(e);
    case EX_sub: return drop_subtracted_zero(e);
    case EX_mul: return drop_factor_one(e);
    case EX_div: return is_one(e->arg[1]) ? e->arg[0] : e;
    case EX_fma: return split_fma(a, e);
    case EX_splat: return splat_constant(a, e);
    case EX_neg: return fold_neg(a, e);
    }
    return e;
}

/* ---- loops and ifs ----------------------------------------------------- */

static void simplify_block(Block *block);

static void splice(Block *to, const Block *from)
{
    for (Stmt *s = from->first, *next; s; s = next) {
        next = s->next;
        block_append(to, s);
    }
}

static void simplify_stmt(Stmt *s, Block *out)
{
    s->index = known_index(&s->index);
    if (s->product) {
        s->product->left.at = known_index(&s->product->left.at);
        s->product->right.at = known_index(&s->product->right.at);
    }
    simplify_block(&s->body);
    simplify_block(&s->other);
    bool nothing = !s->body.first && !s->other.first;
    if (s->kind == ST_for && (s->count == 1 || nothing))
        splice(out, &s->body);
    else if (s->kind == ST_if && (nothing || index_max(&s->index) < s->limit))
        splice(out, &s->body);
    else if (s->kind == ST_if && index_min(&s->index) >= s->limit)
        splice(out, &s->other);
    else
        block_append(out, s);
}

static void simplify_block(Block *block)
{
    Block out = {0};
    for (Stmt *s = block->first, *next; s; s = next) {
        next = s->next;
        simplify_stmt(s, &out);
    }
    *block = out;
}

/* ---- what nothing reads ------------------------------------------------ */

static void use_index(PtrMap *uses, const Index *index)
{
    for (int i = 0; i < index->n; i++)
        ptrmap_entry(uses, index->term[i].var)->number++;
}

static void use_expr(PtrMap *uses, const Expr *e)
{
    for (int i = 0; i < expr_info[e->op].args; i++)
        use_expr(uses, e->arg[i]);
    use_index(uses, &e->index);
    if (e->op == EX_reg)
        ptrmap_entry(uses, e->reg)->number++;
}

static void use_block(PtrMap *uses, const Block *block)
{
    for (const Stmt *s = block->first; s; s = s->next) {
        if (s->expr)
            use_expr(uses, s->expr);
        use_index(uses, &s->index);
        if (s->product) {
            use_index(uses, &s->product->left.at);
            use_index(uses, &s->product->right.at);
        }
        use_block(uses, &s->body);
        use_block(uses, &s->other);
    }
}

static bool is_dead(const PtrMap *uses, const Stmt *s)
{
    bool makes = s->kind == ST_let || s->kind == ST_var || s->kind == ST_set;
    if (makes)
        return !ptrmap_find(uses, s->reg);
    return (s->kind == ST_iload || s->kind == ST_index) && !ptrmap_find(uses, s->var);
}

static bool drop_dead(const PtrMap *uses, Block *block)
{
    bool dropped = false;
    Block out = {0};
    for (Stmt *s = block->first, *next; s; s = next) {
        next = s->next;
        if (is_dead(uses, s)) {
            dropped = true;
            continue;
        }
        dropped = drop_dead(uses, &s->body) || dropped;
        dropped = drop_dead(uses, &s->other) || dropped;
        block_append(&out, s);
    }
    *block = out;
    return dropped;
}

/* What only dead statements read is dead in the next round. */
static void drop_unread(Arena *arena, Block *block)
{
    for (bool again = true; again;) {
        PtrMap uses = ptrmap_new(arena);
        use_block(&uses, block);
        again = drop_dead(&uses, block);
    }
}

void pass_simplify(Program *program)
{
    Arena *arena = program->arena;
    for (int i = 0; i < program->kernels.n; i++) {
        Kernel *kernel = program->kernels.at[i];
        block_rewrite(arena, &kernel->body, simplify_expr, arena);
        simplify_block(&kernel->body);
        drop_unread(arena, &kernel->body);
        simplify_block(&kernel->body);
    }
}
