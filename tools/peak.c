/* Measuring programs: a step that writes memory, one that reads it, and one that
 * does nothing but multiply and add in registers. They are programs of the loop IR,
 * so that a network and the peak it is held against share compiler and threads. */
#include "tools/peak.h"
#include "passes/program_passes.h"
#include <string.h>

/* Tasks divide evenly among 1 to 4, 6, 8, 12 threads.. Chains hide the latency of a
 * multiply-add and leave registers for its operands on machines of sixteen. */
enum { TASKS = 48, CHAINS = 12, TURNS = 4000, READS = 8, FLOATS = 1024 };

static const char graph_text[] = "graph \"peak\" {\n"
                                 "  %x = input name=\"x\" : f32[1024]\n"
                                 "  %y = relu %x : f32[1024]\n"
                                 "  output \"y\" %y\n"
                                 "}\n";

typedef struct Maker {
    Arena *arena;
    Program *program;
    Kernel *kernel;
    Build b;
    int lanes;
} Maker;

static int64_t task_floats(const Program *p)
{
    return p->workspace_bytes / 4 / TASKS;
}

static Maker maker_begin(Program *p, const char *name)
{
    Maker m = {.arena = p->arena, .program = p, .lanes = p->target->lanes};
    m.kernel = kernel_new(p->arena, name, TASKS);
    m.kernel->about = name;
    m.b = build_begin(p->arena, m.kernel);
    return m;
}

static int maker_param(Maker *m, const char *name, int64_t extent, Access access)
{
    return kernel_param(m->arena, m->kernel,
                        (Param){.name = name, .dtype = DT_f32, .extent = extent,
                                .access = access, .noalias = true, .align = 4});
}

static void maker_end(Maker *m, BufferKind first, BufferKind second)
{
    Program *p = m->program;
    Step step = {.kernel = m->kernel, .value = p->graph->last, .name = m->kernel->name};
    const BufferKind kinds[] = {first, second};
    for (int i = 0; i < m->kernel->params.n; i++)
        VEC_PUSH(m->arena, step.args, (Arg){.buffer = kinds[i]});
    m->kernel->index = p->kernels.n;
    VEC_PUSH(m->arena, p->kernels, m->kernel);
    VEC_PUSH(m->arena, p->steps, step);
}

static Index task_times(const Maker *m, int64_t factor)
{
    return index_mul(index_var(m->kernel->task), factor);
}

static void add_write(Program *p)
{
    Maker m = maker_begin(p, "write");
    int w = maker_param(&m, "w", p->workspace_bytes / 4, ACCESS_write);
    const IVar *i = build_for(&m.b, "i", task_floats(p) / m.lanes, false);
    Index at = index_add(task_times(&m, task_floats(p)), index_mul(index_var(i), m.lanes));
    build_store(&m.b, w, at, expr_real(m.arena, 1, m.lanes));
    build_end(&m.b);
    maker_end(&m, BUF_workspace, BUF_workspace);
}

/* acc[k] for k < count, one by one. */
static Index each(Maker *m, int count)
{
    return index_var(build_for(&m->b, "k", count, true));
}

/* y[task] gets the sum of what was worked out, so that it must be. */
static void store_sum(Maker *m, const Reg *acc, int y)
{
    const Expr *sum = expr_reg(m->arena, acc, index_const(0));
    for (int k = 1; k < acc->count; k++)
        sum = expr_bin(m->arena, EX_add, sum, expr_reg(m->arena, acc, index_const(k)));
    build_store(&m->b, y, task_times(m, m->lanes), sum);
}

static void add_read(Program *p)
{
    Maker m = maker_begin(p, "read");
    int w = maker_param(&m, "w", p->workspace_bytes / 4, ACCESS_read);
    int y = maker_param(&m, "y", FLOATS, ACCESS_write);
    const Reg *acc = build_var(&m.b, "acc", READS, expr_real(m.arena, 0, m.lanes));
    const IVar *i = build_for(&m.b, "i", task_floats(p) / (READS * m.lanes), false);
    Index k = each(&m, READS);
    Index at = index_add(task_times(&m, task_floats(p)),
                         index_add(index_mul(index_var(i), READS * m.lanes),
                                   index_mul(k, m.lanes)));
    const Expr *x = expr_load(m.arena, m.kernel, w, at, m.lanes);
    build_set(&m.b, acc, k, expr_bin(m.arena, EX_add, expr_reg(m.arena, acc, k), x));
    build_end(&m.b);
    build_end(&m.b);
    store_sum(&m, acc, y);
    maker_end(&m, BUF_workspace, BUF_output);
}

/* acc[k] = acc[k + 1] * a + acc[k]: each sum takes a product of the next one, for what was the
 * same in every turn would be worked out once where products and sums are two instructions. */
static void add_multiply(Program *p)
{
    Maker m = maker_begin(p, "multiply");
    int x = maker_param(&m, "x", FLOATS, ACCESS_read);
    int y = maker_param(&m, "y", FLOATS, ACCESS_write);
    const Expr *a = build_let(&m.b, "a", expr_load(m.arena, m.kernel, x, index_const(0), m.lanes));
    const Reg *acc = build_var(&m.b, "acc", CHAINS, expr_real(m.arena, 0, m.lanes));
    Index k = each(&m, CHAINS);
    build_set(&m.b, acc, k,
              expr_load(m.arena, m.kernel, x, index_plus(index_mul(k, m.lanes), m.lanes),
                        m.lanes));
    build_end(&m.b);
    build_for(&m.b, "i", TURNS, false);
    for (int i = 0; i < CHAINS; i++) {
        const Expr *factor = expr_reg(m.arena, acc, index_const((i + 1) % CHAINS));
        const Expr *sum = expr_reg(m.arena, acc, index_const(i));
        const Expr *product = expr_bin(m.arena, EX_mul, factor, a);
        build_set(&m.b, acc, index_const(i), expr_bin(m.arena, EX_add, sum, product));
    }
    build_end(&m.b);
    store_sum(&m, acc, y);
    maker_end(&m, BUF_input, BUF_output);
}

static void make_legal(Program *p)
{
    Text errors = text_new(p->arena);
    pass_contract(p);
    pass_simplify(p);
    pass_unroll(p);
    pass_scalarize(p);
    pass_legalize(p);
    if (!program_verify(p, &errors) || !program_emittable(p, &errors))
        bug("peak: %s", text_str(&errors));
}

Program *peak_program(Arena *arena, const Target *target, int64_t bytes, int max_threads)
{
    static const Source source = {"peak", graph_text, sizeof graph_text - 1};
    int64_t share = (int64_t)TASKS * READS * MAX_LANES * 4;
    Graph *graph = graph_parse(arena, &source, diag_new(arena));
    if (!graph)
        bug("peak: its graph is none");
    graph->first->place.home = HOME_input;
    graph->last->place.home = HOME_output;
    Program *p = NEW(arena, Program, 1);
    *p = (Program){.arena = arena, .name = "peak", .target = target, .graph = graph,
                   .workspace_bytes = (bytes + share - 1) / share * share,
                   .max_threads = max_threads};
    graph->workspace_bytes = p->workspace_bytes;
    add_write(p);
    add_read(p);
    add_multiply(p);
    make_legal(p);
    return p;
}

int64_t peak_bytes(const Program *program)
{
    return program->workspace_bytes;
}

int64_t peak_macs(const Program *program)
{
    return (int64_t)TASKS * TURNS * CHAINS * program->target->lanes;
}
