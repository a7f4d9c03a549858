/* step_macs against a walk that takes every iteration of every loop and decides every
 * if by its numbers. */
#include "tests/unit/loop_build.h"
#include "tests/unit/unit.h"

enum { MOST_VARS = 8 };

/* The variables of the loops around, with their values. */
typedef struct Walk {
    const IVar *var[MOST_VARS];
    int64_t value[MOST_VARS];
    int n;
} Walk;

static int64_t value_of(const Walk *walk, const Index *index)
{
    int64_t sum = index->base;
    for (int i = 0; i < index->n; i++)
        for (int k = 0; k < walk->n; k++)
            if (walk->var[k] == index->term[i].var)
                sum += index->term[i].factor * walk->value[k];
    return sum;
}

static int64_t multiplications(const Expr *e)
{
    int64_t n = e->op == EX_mul || e->op == EX_fma ? e->type.lanes : 0;
    for (int i = 0; i < expr_info[e->op].args; i++)
        n += multiplications(e->arg[i]);
    return n;
}

static int64_t walk_block(Walk *walk, const Block *block);

static int64_t walk_loop(Walk *walk, const Stmt *s)
{
    int64_t n = 0;
    walk->var[walk->n++] = s->var;
    for (int64_t i = 0; i < s->count; i++) {
        walk->value[walk->n - 1] = i;
        n += walk_block(walk, &s->body);
    }
    walk->n--;
    return n;
}

static int64_t walk_block(Walk *walk, const Block *block)
{
    int64_t n = 0;
    int outer = walk->n;
    for (const Stmt *s = block->first; s; s = s->next) {
        if (s->expr)
            n += multiplications(s->expr);
        if (s->kind == ST_for)
            n += walk_loop(walk, s);
        if (s->kind == ST_if)
            n += walk_block(walk, value_of(walk, &s->index) < s->limit ? &s->body : &s->other);
        if (s->kind == ST_index) {
            walk->var[walk->n] = s->var;
            walk->value[walk->n++] = value_of(walk, &s->index);
        }
    }
    walk->n = outer;
    return n;
}

static int64_t walk_kernel(const Kernel *kernel)
{
    int64_t n = 0;
    Walk walk = {.var = {kernel->task}, .n = 1};
    for (walk.value[0] = 0; walk.value[0] < kernel->tasks; walk.value[0]++)
        n += walk_block(&walk, &kernel->body);
    return n;
}

/* ---- kernels ----------------------------------------------------------- */

typedef struct Maker {
    Arena *arena;
    Kernel *kernel;
    Build b;
    int x, y;
} Maker;

static Maker maker_begin(int64_t tasks)
{
    Maker m = {.arena = arena_new()};
    m.kernel = kernel_new(m.arena, "k", tasks);
    m.x = param_add(m.arena, m.kernel, "x", DT_f32, 64, ACCESS_read);
    m.y = param_add(m.arena, m.kernel, "y", DT_f32, 64, ACCESS_write);
    m.b = build_begin(m.arena, m.kernel);
    return m;
}

/* y[0..lanes] = x * x, lanes multiplications. */
static void multiply(Maker *m, int lanes)
{
    const Expr *x = expr_load(m->arena, m->kernel, m->x, index_const(0), lanes);
    build_store(&m->b, m->y, index_const(0), expr_bin(m->arena, EX_mul, x, x));
}

static void maker_check(Maker *m, int64_t expected)
{
    Program *p = program_of(m->arena, &wide_target, m->kernel);
    CU_ASSERT_STRING_EQUAL(errors_of(p), "");
    CU_ASSERT_EQUAL(walk_kernel(m->kernel), expected);
    CU_ASSERT_EQUAL(step_macs(&p->steps.at[0]), expected);
    arena_free(m->arena);
}

static void test_loops(void)
{
    Maker m = maker_begin(3);
    build_for(&m.b, "i", 5, false);
    multiply(&m, 16);
    build_for(&m.b, "j", 7, true);
    multiply(&m, 1);
    build_end(&m.b);
    build_end(&m.b);
    maker_check(&m, 3 * 5 * (16 + 7));
}

/* task < 2 does 16, the others 4; inside, a second if on task leaves one of them. */
static void test_if_of_task(void)
{
    Maker m = maker_begin(5);
    build_if_less(&m.b, index_var(m.kernel->task), 2);
    multiply(&m, 16);
    build_if_less(&m.b, index_var(m.kernel->task), 1);
    multiply(&m, 8);
    build_end(&m.b);
    build_else(&m.b);
    multiply(&m, 4);
    build_end(&m.b);
    maker_check(&m, 2 * 16 + 8 + 3 * 4);
}

/* 4 task + i < 10: two whole tasks and two iterations of the third. */
static void test_if_of_two_variables(void)
{
    Maker m = maker_begin(3);
    const IVar *i = build_for(&m.b, "i", 4, false);
    Index at = index_add(index_mul(index_var(m.kernel->task), 4), index_var(i));
    build_if_less(&m.b, at, 10);
    multiply(&m, 16);
    build_else(&m.b);
    multiply(&m, 1);
    build_end(&m.b);
    build_end(&m.b);
    maker_check(&m, 10 * 16 + 2);
}

/* 7 - 2 i < 2 holds for i = 3, 4, 5: from the other side. */
static void test_if_of_falling_index(void)
{
    Maker m = maker_begin(1);
    const IVar *i = build_for(&m.b, "i", 6, false);
    build_if_less(&m.b, index_plus(index_mul(index_var(i), -2), 7), 2);
    multiply(&m, 16);
    build_else(&m.b);
    multiply(&m, 4);
    build_end(&m.b);
    build_end(&m.b);
    maker_check(&m, 3 * 16 + 3 * 4);
}

/* Ifs over three variables inside one another, one index by a name, steps that do not
 * divide: only the walk knows the number. */
static void test_ifs_inside(void)
{
    Maker m = maker_begin(5);
    const IVar *i = build_for(&m.b, "i", 7, false), *j = build_for(&m.b, "j", 6, false);
    Index sum = index_add(index_mul(index_var(i), 3), index_mul(index_var(m.kernel->task), -5));
    Index named = build_index(&m.b, "sum", sum);
    build_if_less(&m.b, index_add(named, index_mul(index_var(j), 2)), 11);
    build_if_less(&m.b, index_add(index_var(i), index_mul(index_var(j), -3)), 2);
    multiply(&m, 16);
    build_else(&m.b);
    multiply(&m, 8);
    build_end(&m.b);
    build_else(&m.b);
    build_if_less(&m.b, index_plus(named, -4), 9);
    multiply(&m, 4);
    build_end(&m.b);
    build_end(&m.b);
    build_end(&m.b);
    build_end(&m.b);
    int64_t expected = walk_kernel(m.kernel);
    CU_ASSERT(expected > 5 * 7 * 6 && expected < 5 * 7 * 6 * 16);
    maker_check(&m, expected);
}

int main(void)
{
    static const UnitTest tests[] = {
        {"loops", test_loops},
        {"if of task", test_if_of_task},
        {"if of two variables", test_if_of_two_variables},
        {"if of a falling index", test_if_of_falling_index},
        {"ifs inside ifs", test_ifs_inside},
    };
    return UNIT_RUN(tests);
}
