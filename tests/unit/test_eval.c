/* The graph interpreter: each operator gives what was worked out by hand, in both
 * modes; the driver orders, shows, keeps and frees values as it says. */
#include "tests/unit/eval_examples.h"
#include "tests/unit/graph_read.h"
#include "tests/unit/unit.h"

static const char *const mode_text[] = {"exact", "quick"};

static double result_at(const Result *result, int64_t i)
{
    return result->exact ? result->exact[i] : (double)result->quick[i];
}

/* ---- operators --------------------------------------------------------- */

static void test_no_operator_is_missing(void)
{
    for (int op = 0; op < OP_COUNT; op++) {
        CU_ASSERT(eval_exists((Op)op));
        if (!eval_exists((Op)op))
            fprintf(stderr, "eval_table.inc lacks operator %s\n", op_info[op].name);
    }
}

static bool is_near(double found, double expected, EvalMode mode)
{
    double allowed = mode == EVAL_exact ? 1e-7 : 1e-5; /* data are f32 */
    return fabs(found - expected) <= allowed * (1 + fabs(expected));
}

static bool gives(const Result *result, const Example *example, EvalMode mode)
{
    bool ok = shape_count(&result->type.shape) == example->n;
    for (int i = 0; ok && i < example->n; i++)
        ok = is_near(result_at(result, i), example->y[i], mode);
    if (!ok)
        fprintf(stderr, "%s (%s) differs\n", example->name, mode_text[mode]);
    return ok;
}

static void run_example(const Example *example, bool *seen)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    Graph *graph = read_graph(
        arena, arena_printf(arena, "graph \"g\" {\n%soutput \"y\" %%y\n}\n",
                            example->text));
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    FOR_VALUES(v, graph)
        seen[v->op] = true;
    for (int mode = EVAL_exact; mode <= EVAL_quick; mode++) {
        Result *y = graph_eval(graph, (EvalMode)mode, NULL, arena, NULL, NULL, diag);
        CU_ASSERT_PTR_NOT_NULL_FATAL(y);
        CU_ASSERT(gives(y, example, (EvalMode)mode));
    }
    arena_free(arena);
}

static void test_examples(void)
{
    bool seen[OP_COUNT] = {[OP_input] = true, [OP_weight] = true}; /* see below */
    for (int i = 0; i < EXAMPLES; i++)
        run_example(&examples[i], seen);
    for (int op = 0; op < OP_COUNT; op++) {
        CU_ASSERT(seen[op]);
        if (!seen[op])
            fprintf(stderr, "no example of operator %s\n", op_info[op].name);
    }
}

/* ---- the driver -------------------------------------------------------- */

static const char network[] = "graph \"g\" {\n"
                              "  %a = input name=\"a\" : f32[2]\n"
                              "  %k = input name=\"k\" : i32[2]\n"
                              "  %w = weight name=\"w\" : f32[2]\n"
                              "  %p = add %a, %w : f32[2]\n"
                              "  %q = mul %p, %p : f32[2]\n"
                              "  %dead = exp %p : f32[2]\n"
                              "  output \"q\" %q\n"
                              "  output \"k\" %k\n"
                              "  output \"a\" %a\n"
                              "  output \"p\" %p\n"
                              "}\n";

typedef struct Seen {
    const Value *values[16];
    double first[16];
    int n;
} Seen;

static void remember(void *context, const Value *value, const Result *result)
{
    Seen *seen = context;
    seen->values[seen->n] = value;
    seen->first[seen->n++] = result_at(result, 0);
}

static Tensor *pair(Arena *arena, DType dtype, double a, double b)
{
    Tensor *tensor = tensor_new(arena, (Type){dtype, shape_of(1, (int64_t[]){2})});
    tensor_set(tensor, 0, a);
    tensor_set(tensor, 1, b);
    return tensor;
}

static void run_network(EvalMode mode)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, network);
    Seen seen = {.n = 0};
    const Tensor *inputs[] = {pair(arena, DT_f32, 1, 2), pair(arena, DT_i32, -7, 9)};
    find_value(graph, "w")->data = pair(arena, DT_f32, 10, 20);
    Result *y = graph_eval(graph, mode, inputs, arena, remember, &seen, diag_new(arena));
    const double expected[4][2] = {{121, 484}, {-7, 9}, {1, 2}, {11, 22}};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 2; k++)
            CU_ASSERT_EQUAL(result_at(&y[i], k), expected[i][k]);
    CU_ASSERT_EQUAL(y[1].type.dtype, DT_i32);
    CU_ASSERT((y->exact == NULL) == (mode == EVAL_quick));
    const Value *v = graph->first;
    CU_ASSERT_EQUAL_FATAL(seen.n, 6);
    for (int i = 0; i < seen.n; i++, v = v->next)
        CU_ASSERT_PTR_EQUAL(seen.values[i], v);
    CU_ASSERT_EQUAL(seen.first[3], 11);
    CU_ASSERT_DOUBLE_EQUAL(seen.first[5] / 59874.14171519782, 1, 1e-6);
    arena_free(arena);
}

static void test_network(void)
{
    run_network(EVAL_exact);
    run_network(EVAL_quick);
}

static void test_unbound_weight_is_named(void)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, network);
    Diag *diag = diag_new(arena);
    const Tensor *inputs[] = {pair(arena, DT_f32, 1, 2), pair(arena, DT_i32, -7, 9)};
    CU_ASSERT_PTR_NULL(
        graph_eval(graph, EVAL_exact, inputs, arena, NULL, NULL, diag));
    CU_ASSERT_EQUAL_FATAL(diag->errors, 1);
    CU_ASSERT_STRING_EQUAL(diag->messages.at[0]->text, "weight 'w' has no data");
    arena_free(arena);
}

/* Weights may be stored in half; 0x3c00 is 1 and 0xc000 is -2 in f16. */
static void test_weights_in_half(void)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, network);
    Tensor half = {{DT_f16, shape_of(1, (int64_t[]){2})},
                   (uint16_t[]){0x3c00, 0xc000}};
    const Tensor *inputs[] = {pair(arena, DT_f32, 0, 0), pair(arena, DT_i32, 0, 0)};
    find_value(graph, "w")->data = &half;
    for (int mode = EVAL_exact; mode <= EVAL_quick; mode++) {
        Result *y = graph_eval(graph, (EvalMode)mode, inputs, arena, NULL, NULL,
                               diag_new(arena));
        CU_ASSERT_EQUAL(result_at(&y[3], 0), 1);
        CU_ASSERT_EQUAL(result_at(&y[3], 1), -2);
    }
    arena_free(arena);
}

/* As fold_constants uses it. */
static void test_one_value(void)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, network);
    const Value *add = find_value(graph, "p");
    double a[] = {1, 2}, b[] = {0.5, -2}, y[2];
    Result args[] = {{.type = add->type, .exact = a}, {.type = add->type, .exact = b}};
    Result out = {.exact = y};
    value_eval(add, EVAL_exact, args, &out);
    CU_ASSERT(y[0] == 1.5 && y[1] == 0 && shape_equal(&out.type.shape, &add->type.shape));
    arena_free(arena);
}

/* Beyond what f32 holds, exact mode is exact. */
static void test_exact_is_double(void)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, "graph \"g\" {\n"
                                     "  %x = constant : f32[2] data {16777216,1}\n"
                                     "  %y = reduce_sum %x axes=[0] : f32[]\n"
                                     "  output \"y\" %y\n"
                                     "}\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    Result *y =
        graph_eval(graph, EVAL_exact, NULL, arena, NULL, NULL, diag_new(arena));
    CU_ASSERT_EQUAL(y->exact[0], 16777217);
    arena_free(arena);
}

/* What was folded of weights without data has no elements, and says so. */
static void test_unknown_constants(void)
{
    static const char text[] = "graph \"g\" {\n"
                               "  %x = input name=\"x\" : f32[2]\n"
                               "  %c = constant : f32[2] unknown\n"
                               "  %y = add %x, %c : f32[2]\n"
                               "  output \"y\" %y\n}\n";
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_STRING_EQUAL(print_graph(arena, graph), text);
    const Tensor *inputs[] = {tensor_new(arena, graph->first->type)};
    Diag *diag = diag_new(arena);
    CU_ASSERT_PTR_NULL(graph_eval(graph, EVAL_exact, inputs, arena, NULL, NULL, diag));
    CU_ASSERT_EQUAL(diag->errors, 1);
    arena_free(arena);
}

int main(void)
{
    static const UnitTest tests[] = {
        {"unknown constants are not evaluated", test_unknown_constants},
        {"no operator is missing",    test_no_operator_is_missing },
        {"examples",                  test_examples               },
        {"network",                   test_network                },
        {"unbound weight is named",   test_unbound_weight_is_named},
        {"weights in half",           test_weights_in_half        },
        {"one value",                 test_one_value              },
        {"exact is double",           test_exact_is_double        },
    };
    return UNIT_RUN(tests);
}
