/* The table of passes: what each row says it makes is true afterwards and stays true until
 * a row breaks it, any order that the columns forbid is refused, a pass that has run finds
 * nothing more to do, and without any of the optional ones the numbers are right. */
#include "backends/verify.h"
#include "frontend/frontend.h"
#include "frontend/weights.h"
#include "tests/unit/graph_read.h"
#include "tests/unit/unit.h"

static Graph *network(Arena *arena)
{
    Diag *diag = diag_new(arena);
    Graph *graph = frontend_load(arena, diag, VTC_SOURCE_DIR "/tests/unit/passes.vt", NULL);
    diag_print(diag, stderr, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    weights_init(graph, 1);
    graph->options.max_threads = 2;
    return graph;
}

/* ---- what each fact means ---------------------------------------------- */

typedef struct State {
    const Graph *graph;
    const Program *program;
} State;

static bool has_op(const Graph *graph, Op op)
{
    FOR_VALUES(v, graph)
        if (v->op == op)
            return true;
    return false;
}

static bool is_canonical(const State *s)
{
    return !has_op(s->graph, OP_softmax) && !has_op(s->graph, OP_layer_norm) &&
           !has_op(s->graph, OP_group_norm) && !has_op(s->graph, OP_attention);
}

static bool norms_folded(const State *s)
{
    return !has_op(s->graph, OP_batch_norm);
}

/* Everything that is computed depends on an input, and so on something that is computed. */
static bool constants_folded(const State *s)
{
    FOR_VALUES(v, s->graph) {
        bool varies = v->op == OP_input;
        for (int i = 0; i < v->nargs; i++)
            varies = varies || v->args[i]->mark;
        v->mark = varies;
        if (!varies && op_info[v->op].class != CLASS_source && v->uses)
            return false;
    }
    return true;
}

static bool is_grouped(const State *s)
{
    FOR_VALUES(v, s->graph) {
        int found = 0;
        for (int g = 0; g < s->graph->groups.n; g++)
            for (int m = 0; m < s->graph->groups.at[g].members.n; m++)
                found += s->graph->groups.at[g].members.at[m] == v;
        OpClass class = op_info[v->op].class;
        bool free = class == CLASS_source || class == CLASS_view;
        if (found > 1 || (found == 1) != (v->group >= 0) || (!found && !free))
            return false;
    }
    return true;
}

static bool is_scheduled(const State *s)
{
    bool transformed = false;
    FOR_VALUES(v, s->graph) {
        if (op_info[v->op].class != CLASS_conv)
            continue;
        bool direct = v->schedule.algorithm == ALGORITHM_direct;
        if (v->schedule.algorithm >= ALGORITHM_COUNT || direct != (v->schedule.tile == 0))
            return false;
        transformed = transformed || !direct;
    }
    return transformed; /* this network has 3x3 convolutions wide enough */
}

static bool is_laid_out(const State *s)
{
    FOR_VALUES(v, s->graph) {
        int rank = v->type.shape.rank, seen = 0;
        if (v->layout.kind != LAYOUT_rows)
            continue;
        for (int d = 0; d < rank; d++)
            seen |= 1 << v->layout.order[d];
        if (seen != (1 << rank) - 1)
            return false;
        if (op_info[v->op].class == CLASS_conv && rank == 4 && v->layout.order[3] != 1)
            return false;
    }
    return true;
}

static bool is_packed(const State *s)
{
    FOR_VALUES(v, s->graph) {
        const Value *weight = op_info[v->op].class == CLASS_conv ? v->args[1] : NULL;
        if (weight && (op_info[weight->op].class != CLASS_source ||
                       (weight->layout.kind == LAYOUT_rows && v->attr.groups == 1)))
            return false;
    }
    return true;
}

static bool is_placed(const State *s)
{
    FOR_VALUES(v, s->graph) {
        const Group *group = v->group >= 0 ? &s->graph->groups.at[v->group] : NULL;
        bool stored = group && group->members.at[group->members.n - 1] == v;
        if (stored && v->place.home == HOME_none)
            return false;
        if (v->place.home == HOME_workspace &&
            v->place.offset + v->place.bytes > s->graph->workspace_bytes)
            return false;
    }
    return s->graph->workspace_bytes > 0;
}

static bool is_lowered(const State *s)
{
    Text errors = text_new(s->graph->arena);
    return s->program && s->program->steps.n > 10 && program_verify(s->program, &errors);
}

static bool any_unroll(const Block *block)
{
    for (const Stmt *at = block->first; at; at = at->next)
        if ((at->kind == ST_for && at->unroll) || any_unroll(&at->body) || any_unroll(&at->other))
            return true;
    return false;
}

static bool is_unrolled(const State *s)
{
    for (int i = 0; i < s->program->kernels.n; i++)
        if (any_unroll(&s->program->kernels.at[i]->body))
            return false;
    return true;
}

static bool is_legal(const State *s)
{
    Text errors = text_new(s->graph->arena);
    return program_emittable(s->program, &errors);
}

static bool (*const holds[])(const State *) = {
    [FACT_BIT_canonical] = is_canonical,
    [FACT_BIT_norms_folded] = norms_folded,
    [FACT_BIT_constants_folded] = constants_folded,
    [FACT_BIT_grouped] = is_grouped,
    [FACT_BIT_scheduled] = is_scheduled,
    [FACT_BIT_laid_out] = is_laid_out,
    [FACT_BIT_packed] = is_packed,
    [FACT_BIT_placed] = is_placed,
    [FACT_BIT_lowered] = is_lowered,
    [FACT_BIT_unrolled] = is_unrolled,
    [FACT_BIT_legal] = is_legal,
};
enum { FACT_COUNT = sizeof holds / sizeof *holds };

/* ---- facts ------------------------------------------------------------- */

static int known;

static void check_facts(void *context, const PassInfo *pass, const Graph *graph,
                        const Program *program)
{
    State state = {graph, program};
    (void)context;
    graph_count_uses((Graph *)(uintptr_t)graph);
    known = (known | pass->makes) & ~pass->breaks;
    for (int bit = 0; bit < FACT_COUNT; bit++) {
        bool good = !(known >> bit & 1) || holds[bit](&state);
        CU_ASSERT(good);
        if (!good)
            fprintf(stderr, "after %s: '%s' does not hold\n", pass->name, fact_name[bit]);
    }
}

static Program *run(Graph *graph, PipelineOptions options)
{
    Program *program = NULL;
    Diag *diag = diag_new(graph->arena);
    CU_ASSERT(pipeline_run(graph, target_find("x86-64-v3"), &options, &program, diag));
    diag_print(diag, stderr, 0);
    return program;
}

static void test_facts(void)
{
    Arena *arena = arena_new();
    Graph *graph = network(arena);
    State before = {graph, NULL};
    /* a check that is true before anything ran would say nothing */
    graph_count_uses(graph);
    for (int bit = 0; bit <= FACT_BIT_placed; bit++)
        if (bit != FACT_BIT_laid_out && bit != FACT_BIT_constants_folded)
            CU_ASSERT(!holds[bit](&before)); /* rows are a layout; nothing is folded yet */
    known = 0;
    run(graph, (PipelineOptions){.after = check_facts});
    CU_ASSERT_EQUAL(known, (1 << FACT_COUNT) - 1);
    arena_free(arena);
}

/* ---- order ------------------------------------------------------------- */

enum { MOST_ROWS = 64 };

static bool accepted(const PassInfo *rows, int n)
{
    Arena *arena = arena_new();
    Text errors = text_new(arena);
    bool good = pipeline_check(rows, n, &errors);
    CU_ASSERT(good == (*text_str(&errors) == 0));
    arena_free(arena);
    return good;
}

/* Is a fact that this row makes needed by another, and made by none? */
static bool alone(int row)
{
    int others = 0, needed = 0;
    for (int i = 0; i < pass_count; i++) {
        others |= i == row ? 0 : pass_table[i].makes;
        needed |= i == row ? 0 : pass_table[i].needs;
    }
    return (pass_table[row].makes & needed & ~others) != 0;
}

/* Each pass that needs anything is refused at the front; each that alone makes what
 * another needs cannot be left out; the reverse order is refused. */
static void test_order(void)
{
    PassInfo rows[MOST_ROWS];
    int makers = 0;
    CU_ASSERT(accepted(pass_table, pass_count));
    for (int i = 0; i < pass_count; i++) {
        rows[0] = pass_table[i];
        for (int k = 0, n = 1; k < pass_count; k++)
            if (k != i)
                rows[n++] = pass_table[k];
        CU_ASSERT(pass_table[i].needs == 0 || !accepted(rows, pass_count));
        CU_ASSERT(accepted(rows + 1, pass_count - 1) != alone(i) ||
                  pass_table[i].makes & FACT_constants_folded);
        makers += alone(i);
    }
    CU_ASSERT(makers >= 6);
    for (int i = 0; i < pass_count; i++)
        rows[i] = pass_table[pass_count - 1 - i];
    CU_ASSERT(!accepted(rows, pass_count));
}

/* ---- again ------------------------------------------------------------- */

static void run_again(void *context, const PassInfo *pass, const Graph *graph,
                      const Program *program)
{
    Graph *same = (Graph *)(uintptr_t)graph;
    int *count = context;
    (void)program;
    if (!pass->graph || pass->makes & (FACT_grouped | FACT_placed))
        return; /* steps and places are made anew, not looked for */
    const char *once = print_graph(same->arena, same);
    pass->graph(same, target_find("x86-64-v3"));
    const char *twice = print_graph(same->arena, same);
    CU_ASSERT_STRING_EQUAL(once, twice);
    if (strcmp(once, twice) != 0)
        fprintf(stderr, "%s changes what it left\n", pass->name);
    ++*count;
}

static void test_again(void)
{
    Arena *arena = arena_new();
    int count = 0;
    run(network(arena), (PipelineOptions){.after = run_again, .context = &count});
    CU_ASSERT(count >= 12);
    arena_free(arena);
}

/* ---- without, and in another order of values --------------------------- */

/* Every stage against the interpreter in double, by the loop interpreter. */
static void verify_with(PipelineOptions pipeline, const char *what)
{
    static const char *const none[] = {NULL};
    static const VtcExecutor *const alone[] = {NULL};
    Arena *arena = arena_new();
    Graph *graph = network(arena);
    Tensor *image = tensor_new(arena, find_value(graph, "image")->type);
    for (int64_t i = 0; i < shape_count(&image->type.shape); i++)
        tensor_set(image, i, (double)(i * 37 % 101) / 50 - 1);
    const Tensor *inputs[] = {image};
    VerifyOptions options = {.target = target_find("x86-64-v3"), .pipeline = pipeline,
                             .inputs = inputs, .exact = true, .compilers = none,
                             .executors = alone};
    Text report = text_new(arena);
    Diag *diag = diag_new(arena);
    bool good = verify_graph(graph, &options, &report, diag);
    diag_print(diag, stderr, 0);
    CU_ASSERT(good);
    CU_ASSERT_PTR_NOT_NULL(strstr(text_str(&report), "loop interpreter"));
    if (!good)
        fprintf(stderr, "%s:\n%s", what, text_str(&report));
    arena_free(arena);
}

static void test_skip(void)
{
    int optional = 0;
    for (int i = 0; i < pass_count; i++) {
        PipelineOptions without = {.skip = {pass_table[i].name}, .skips = 1};
        if (pass_table[i].required)
            continue;
        verify_with(without, pass_table[i].name);
        optional++;
    }
    CU_ASSERT(optional >= 6);
    verify_with((PipelineOptions){.o0 = true}, "-O0");
}

/* As debug builds do: another valid order before every pass, verified after it. */
static void test_shuffled(void)
{
    verify_with((PipelineOptions){.check = true}, "shuffled");
}

int main(void)
{
    static const UnitTest tests[] = {
        {"what a pass makes is true", test_facts},
        {"wrong orders are refused", test_order},
        {"a pass has nothing to do again", test_again},
        {"without each optional pass", test_skip},
        {"values in another order", test_shuffled},
    };
    return UNIT_RUN(tests);
}
