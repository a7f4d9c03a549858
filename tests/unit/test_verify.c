/* `verify` finds planted bugs: it names the pass after which the graph means
 * something else, or the first step whose value is wrong, and nothing before it. */
#include "backends/verify.h"
#include "tests/unit/graph_read.h"
#include "tests/unit/unit.h"

static const char network[] =
    "graph \"small\" {\n"
    "  %x = input name=\"x\" : f32[1,16,9,9]\n"
    "  %w1 = weight name=\"first.weight\" : f32[16,16,3,3]\n"
    "  %w2 = weight name=\"second.weight\" : f32[16,16,1,1]\n"
    "  %a = conv2d %x, %w1 pad=[1,1,1,1] : f32[1,16,9,9] label \"first\"\n"
    "  %b = relu %a : f32[1,16,9,9] label \"first\"\n"
    "  %c = conv2d %b, %w2 : f32[1,16,9,9] label \"second\"\n"
    "  %d = add %c, %b : f32[1,16,9,9] label \"second\"\n"
    "  %e = reduce_mean %d axes=[2,3] : f32[1,16] label \"pool\"\n"
    "  %f = softmax %e axis=1 : f32[1,16] label \"scores\"\n"
    "  output \"y\" %f\n}\n";

static uint32_t seed = 7;

static void fill(Tensor *t, double around)
{
    for (int64_t i = 0; i < shape_count(&t->type.shape); i++) {
        seed = seed * 1664525u + 1013904223u;
        tensor_set(t, i, around + (double)(seed >> 8) / (1 << 23) - 1);
    }
}

/* 2500 places, each of one of four classes: that of the largest of x + w. */
static const char classes[] =
    "graph \"classes\" {\n"
    "  %x = input name=\"x\" : f32[1,4,50,50]\n"
    "  %w = weight name=\"bias\" : f32[1,4,50,50]\n"
    "  %s = add %x, %w : f32[1,4,50,50] label \"sum\"\n"
    "  %y = argmax %s axis=1 : i32[1,50,50] label \"best\"\n"
    "  output \"y\" %y\n}\n";

static bool verify_text(const char *text, VerifyOptions options, char *report, size_t room)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    Tensor *x = NULL;
    FOR_VALUES(v, graph) {
        if (v->op != OP_weight && v->op != OP_input)
            continue;
        Tensor *t = tensor_new(arena, v->type);
        fill(t, strcmp(v->attr.name, "offset") == 0 ? 1000 : 0);
        if (v->op == OP_weight)
            v->data = t;
        else
            x = t;
    }
    const Tensor *inputs[] = {x};
    options.target = target_find("c11");
    options.inputs = inputs;
    options.exact = true;
    Text out = text_new(arena);
    Diag *diag = diag_new(arena);
    bool right = verify_graph(graph, &options, &out, diag);
    diag_print(diag, stderr, 0);
    snprintf(report, room, "%s", text_str(&out));
    arena_free(arena);
    return right;
}

static bool verify_with(VerifyHook *hook, char *report, size_t room)
{
    return verify_text(network, (VerifyOptions){.hook = hook}, report, room);
}

/* ---- a bug in a pass --------------------------------------------------- */

/* group "forgets" what kind of sum the residual is. */
static void bug_in_pass(void *context, const PassInfo *pass, Graph *graph, Program *program)
{
    (void)context;
    (void)program;
    if (strcmp(pass->name, "group") != 0)
        return;
    FOR_VALUES(v, graph)
        if (v->op == OP_add && v->label && strcmp(v->label, "second") == 0)
            v->op = OP_sub;
}

/* ---- a bug in a lowering ----------------------------------------------- */

/* The last store of the second convolution's kernel writes its neighbour's value. */
static Stmt *last_store(Block *block)
{
    Stmt *found = NULL;
    for (Stmt *s = block->first; s; s = s->next) {
        Stmt *inner = last_store(&s->body);
        if (s->kind == ST_store)
            found = s;
        found = inner ? inner : found;
    }
    return found;
}

static void bug_in_lowering(void *context, const PassInfo *pass, Graph *graph,
                            Program *program)
{
    (void)context;
    (void)graph;
    if (!program || strcmp(pass->name, "lower") != 0)
        return;
    for (int i = 0; i < program->steps.n; i++)
        if (strstr(program->steps.at[i].name, "second")) {
            Stmt *store = last_store(&program->kernels.at[program->steps.at[i].kernel->index]
                                          ->body);
            CU_ASSERT_PTR_NOT_NULL_FATAL(store);
            store->expr = expr_bin(program->arena, EX_add, store->expr,
                                   expr_real(program->arena, 0.125, store->expr->type.lanes));
        }
}

/* ---- a bug in a class map ---------------------------------------------- */

/* At so many places, a little more than a thousandth and a little less, class 3 wins. */
static void some_classes(const char *pass, Graph *graph, int places)
{
    if (strcmp(pass, "group") == 0)
        FOR_VALUES(v, graph)
            if (v->op == OP_weight)
                for (int i = 0; i < places; i++) {
                    tensor_set(v->data, i, -9);
                    tensor_set(v->data, 2500 + i, -9);
                    tensor_set(v->data, 5000 + i, -9);
                }
}

static void few_classes(void *context, const PassInfo *pass, Graph *graph, Program *program)
{
    (void)context;
    (void)program;
    some_classes(pass->name, graph, 2);
}

static void many_classes(void *context, const PassInfo *pass, Graph *graph, Program *program)
{
    (void)context;
    (void)program;
    some_classes(pass->name, graph, 40);
}

/* ---- a small bug in large scores --------------------------------------- */

static const char offset[] =
    "graph \"offset\" {\n"
    "  %x = input name=\"x\" : f32[1,64]\n"
    "  %w = weight name=\"offset\" : f32[1,64]\n"
    "  %y = sub %x, %w : f32[1,64] label \"sum\"\n"
    "  output \"y\" %y\n}\n";

/* All scores are near -1000, within 4 of each other; one is wrong by 0.005: 5e-6 of
 * their size, a thousandth of their range. */
static void bug_in_offset(void *context, const PassInfo *pass, Graph *graph, Program *program)
{
    (void)context;
    (void)program;
    if (strcmp(pass->name, "group") == 0)
        FOR_VALUES(v, graph)
            if (v->op == OP_weight)
                tensor_set(v->data, 9, tensor_get(v->data, 9) + 0.005);
}

static void test_without_a_bug(void)
{
    char report[4096];
    CU_ASSERT(verify_with(NULL, report, sizeof report));
    CU_ASSERT_PTR_NOT_NULL(strstr(report, "agree"));
    CU_ASSERT_PTR_NULL(strstr(report, "first difference"));
}

static void names(const char *report, const char *text, bool expected)
{
    bool found = strstr(report, text) != NULL;
    CU_ASSERT_EQUAL(found, expected);
    if (found != expected)
        fprintf(stderr, "%s '%s' in:\n%s", expected ? "missing" : "unexpected", text, report);
}

static void test_bug_in_a_pass(void)
{
    char report[4096];
    CU_ASSERT_FALSE(verify_with(bug_in_pass, report, sizeof report));
    names(report, "group", true);
    names(report, "loop interpreter", false);
}

static void test_bug_in_a_lowering(void)
{
    char report[4096];
    CU_ASSERT_FALSE(verify_with(bug_in_lowering, report, sizeof report));
    names(report, "loop interpreter: first difference at second", true);
    names(report, "difference at first", false);
    names(report, "difference at pool", false);
}

static void test_class_maps(void)
{
    char report[4096];
    CU_ASSERT(verify_text(classes, (VerifyOptions){.hook = few_classes}, report, sizeof report));
    CU_ASSERT_FALSE(
        verify_text(classes, (VerifyOptions){.hook = many_classes}, report, sizeof report));
    names(report, "after pass group: first difference at y:", true);
    names(report, " of 2500 elements", true);
}

/* An output's errors are parts of what its elements spread over. */
static void test_offset(void)
{
    char report[4096];
    CU_ASSERT(verify_text(offset, (VerifyOptions){0}, report, sizeof report));
    CU_ASSERT_FALSE(
        verify_text(offset, (VerifyOptions){.hook = bug_in_offset}, report, sizeof report));
    names(report, "after pass group: first difference at y:", true);
}

/* Between copies of one pixel double rounds as it likes: that is no range. */
static const char flat[] =
    "graph \"flat\" {\n"
    "  %x = input name=\"x\" : f32[1,1,1,1]\n"
    "  %y = resize %x shape=[1,1,7,49] mode=bilinear coords=asymmetric : f32[1,1,7,49]\n"
    "  output \"y\" %y\n}\n";

static void test_flat(void)
{
    for (int i = 0; i < 20; i++) {
        char report[4096];
        CU_ASSERT(verify_text(flat, (VerifyOptions){0}, report, sizeof report));
        names(report, "first difference", false);
    }
}

/* Whole runs are compared with the graph as written, not with what passes made of it. */
static void test_whole_runs(void)
{
    static const char *const compilers[] = {"gcc", NULL};
    VerifyOptions options = {.whole = true, .compilers = compilers};
    char report[4096];
    CU_ASSERT(verify_text(network, options, report, sizeof report));
    names(report, "C by gcc               outputs within", true);
    CU_ASSERT(verify_text(classes, options, report, sizeof report));
    names(report, "classes differ", false);
    options.hook = bug_in_lowering;
    CU_ASSERT_FALSE(verify_text(network, options, report, sizeof report));
    names(report, "C by gcc: first difference at y:", true);
}

int main(void)
{
    static const UnitTest tests[] = {
        {"nothing is found where nothing is wrong", test_without_a_bug},
        {"a bug in a pass is named", test_bug_in_a_pass},
        {"a bug in a lowering is named", test_bug_in_a_lowering},
        {"class maps may differ in a thousandth of their places", test_class_maps},
        {"errors are parts of an output's range, not of its size", test_offset},
        {"the rounding of double is no range", test_flat},
        {"whole runs of compiled code are compared", test_whole_runs},
    };
    return UNIT_RUN(tests);
}
