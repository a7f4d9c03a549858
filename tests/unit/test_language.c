/* The language's frontend: its table of operators against the graph's, what a
 * graph from text holds beside its values, limits, and spelling help. Programs
 * with their graphs and messages are in tests/language. */
#include "frontend/operators.h"
#include "unit.h"
#include <string.h>

static Arena *arena;
static Diag *diag;

static Graph *load(const char *text)
{
    Source *source = NEW(arena, Source, 1); /* spans point to it */
    *source = (Source){"test.vt", text, strlen(text)};
    diag = diag_new(arena);
    return frontend_load_text(arena, diag, source, 1, NULL);
}

static bool says(const char *text)
{
    for (int i = 0; i < diag->messages.n; i++)
        if (strstr(diag->messages.at[i]->text, text))
            return true;
    return false;
}

/* `text` inside a model with an input x: f32[1,3,4,4]. */
static Graph *load_body(const char *text)
{
    return load(arena_printf(arena, "model m(x: f32[1, 3, 4, 4]) {\n%s\noutput y\n}\n",
                             text));
}

static const Value *value_labelled(const Graph *graph, Op op, const char *label)
{
    FOR_VALUES(v, graph)
        if (v->op == op && v->label && strcmp(v->label, label) == 0)
            return v;
    return NULL;
}

/* ---- the table --------------------------------------------------------- */

static bool op_is_reachable(Op op)
{
    for (int i = 0; i < operator_count; i++)
        if (operator_table[i].op == op)
            return true;
    return false;
}

static void test_every_operator_is_reachable(void)
{
    for (int op = 0; op < OP_COUNT; op++) {
        bool made_otherwise = op == OP_input;
        if (!made_otherwise && !op_is_reachable((Op)op)) {
            printf("operators.def does not reach %s\n", op_info[op].name);
            CU_FAIL("an operator of ops.def has no name in the language");
        }
    }
}

static void test_operator_rows_are_sound(void)
{
    for (int i = 0; i < operator_count; i++) {
        const Operator *op = &operator_table[i];
        CU_ASSERT_PTR_EQUAL(operator_find(op->name), op); /* no name twice */
        CU_ASSERT(op->build != NULL && op->doc[0] != '\0');
        CU_ASSERT(op->params[OP_PARAMS - 1].name == NULL);
        CU_ASSERT(op->params[0].fallback == NULL);
    }
}

static void test_signs_are_operators(void)
{
    for (int i = 0; i < SIGN_COUNT; i++)
        if (sign_info[i].op != OP_COUNT)
            CU_ASSERT(op_is_reachable(sign_info[i].op));
}

/* ---- graphs ------------------------------------------------------------ */

static void test_stages(void)
{
    Graph *graph = load_body("a: x = conv2d(x, out = 2, kernel = 1)\n"
                             "x = relu(x)\n"
                             "stage rest { b: x = conv2d(x, out = 2, kernel = 1)\n"
                             "             x = sigmoid(x) }\n"
                             "stage a { y = tanh(x) }\n");
    CU_ASSERT_FATAL(graph != NULL);
    CU_ASSERT_EQUAL_FATAL(graph->stages.n, 2);
    CU_ASSERT_STRING_EQUAL(graph->stages.at[0], "a");
    CU_ASSERT_STRING_EQUAL(graph->stages.at[1], "rest");
    FOR_VALUES(v, graph) {
        int expected = v->op == OP_input || v->op == OP_relu ? -1
                       : v->op == OP_sigmoid                 ? 1
                       : v->op == OP_tanh                    ? 0
                       : strcmp(v->label, "a") == 0          ? 0
                                                             : 1;
        CU_ASSERT_EQUAL(v->stage, expected);
    }
}

static void test_sites_and_labels(void)
{
    Graph *graph = load("module inner(x) {\n    c: x = conv2d(x, out = 2, kernel = 1)\n"
                        "    return relu(x)\n}\n"
                        "module outer(x) {\n    i.{0}: x = inner(x)\n    return x\n}\n"
                        "model m(x: f32[1, 3, 4, 4]) {\n    o: y = outer(x)\n"
                        "    output y\n}\n");
    CU_ASSERT_FATAL(graph != NULL);
    const Value *conv = value_labelled(graph, OP_conv2d, "o.i.0.c");
    CU_ASSERT_FATAL(conv != NULL && conv->site != NULL && conv->site->outer != NULL);
    CU_ASSERT_STRING_EQUAL(conv->site->module, "inner");
    CU_ASSERT_STRING_EQUAL(conv->site->outer->module, "outer");
    CU_ASSERT(conv->site->outer->outer == NULL);
    CU_ASSERT_STRING_EQUAL(conv->args[1]->attr.name, "o.i.0.c.weight");
    int line, column;
    span_position(conv->span, &line, &column);
    CU_ASSERT(line == 2 && column == 12);
    CU_ASSERT(value_labelled(graph, OP_relu, "o.i.0") != NULL);
}

static void test_ports(void)
{
    static const char labels[] = "cat\r\ndog\nsea lion";
    static const char text[] =
        "model m(photo: f32[1, 3, 8, 6]) {\n"
        "    preprocess photo { resize 16 nearest; crop 8 6; bgr; mean 0.5 -1 2\n"
        "                       std 1 2 3 }\n"
        "    s = mean(photo, axis = [2, 3])\n"
        "    output s { labels \"names.txt\" }\n}\n";
    Source files[] = {{"d/main.vt", text, sizeof text - 1},
                      {"d/names.txt", labels, sizeof labels - 1}};
    diag = diag_new(arena);
    Graph *graph = frontend_load_text(arena, diag, files, 2, "m");
    CU_ASSERT_FATAL(graph != NULL);
    const Preprocess *pre = &graph->preprocess.at[0];
    CU_ASSERT(pre->resize_short == 16 && pre->resize_h == 0);
    CU_ASSERT(pre->crop_h == 8 && pre->crop_w == 6);
    CU_ASSERT(pre->filter == MODE_nearest && pre->order == ORDER_bgr);
    CU_ASSERT(pre->mean[1] == -1.0 && pre->std[2] == 3.0);
    CU_ASSERT_PTR_EQUAL(pre->input, graph->first);
    const Output *output = &graph->outputs.at[0];
    CU_ASSERT_STRING_EQUAL(output->labels_path, "d/names.txt");
    CU_ASSERT_EQUAL_FATAL(output->labels.n, 3);
    CU_ASSERT_STRING_EQUAL(output->labels.at[0], "cat");
    CU_ASSERT_STRING_EQUAL(output->labels.at[2], "sea lion");
}

/* Values of any label, also inside modules, as outputs beside the model's. */
static void test_outputs_by_label(void)
{
    static const char text[] = "module look(x) { inner: y = relu(x)\nreturn y + 1 }\n"
                               "model m(x: f32[2]) { a: y = look(x)\noutput y }";
    Source files[] = {{"m.vt", text, sizeof text - 1}};
    diag = diag_new(arena);
    const Ast *ast = frontend_parse_text(arena, diag, files, 1);
    Graph *graph = frontend_elaborate_outputs(arena, diag, ast, NULL, "a.inner,a");
    CU_ASSERT_FATAL(graph != NULL && graph->outputs.n == 3);
    CU_ASSERT_STRING_EQUAL(graph->outputs.at[1].name, "a.inner");
    CU_ASSERT(graph->outputs.at[1].value->op == OP_relu);
    CU_ASSERT(graph->outputs.at[2].value == graph->outputs.at[0].value);
    CU_ASSERT(!frontend_elaborate_outputs(arena, diag, ast, NULL, "a.iner"));
    CU_ASSERT(says("no value is labelled 'a.iner'"));
    diag = diag_new(arena);
    CU_ASSERT(!frontend_elaborate_outputs(arena, diag, ast, NULL, "a,a"));
    CU_ASSERT(says("a second output 'a'"));
}

static void test_model_choice(void)
{
    static const char text[] = "model a(x: f32[1]) { output x }\n"
                               "model b(x: f32[2]) { output x }\n";
    Source source = {"two.vt", text, sizeof text - 1};
    diag = diag_new(arena);
    Graph *graph = frontend_load_text(arena, diag, &source, 1, "b");
    CU_ASSERT_FATAL(graph != NULL);
    CU_ASSERT_STRING_EQUAL(graph->name, "b");
    CU_ASSERT(frontend_load_text(arena, diag, &source, 1, "c") == NULL);
    CU_ASSERT(says("there is no model 'c'"));
    CU_ASSERT(frontend_load(arena, diag, "/nowhere/x.vt", NULL) == NULL);
    CU_ASSERT(says("cannot read '/nowhere/x.vt'"));
}

static void test_models_of_the_project(void)
{
    diag = diag_new(arena);
    Graph *graph = frontend_load(arena, diag, VTC_SOURCE_DIR "/models/resnet18.vt", NULL);
    diag_print(diag, stderr, 0);
    CU_ASSERT_FATAL(graph != NULL);
    CU_ASSERT_EQUAL(diag->messages.n, 0);
    const Value *logits = graph->outputs.at[0].value;
    CU_ASSERT(logits->type.shape.rank == 2 && logits->type.shape.dim[1] == 1000);
    int64_t parameters = 0;
    FOR_VALUES(v, graph)
        if (v->op == OP_weight && !strstr(v->name, "running_"))
            parameters += shape_count(&v->type.shape);
    CU_ASSERT_EQUAL(parameters, 11689512); /* torchvision's resnet18 */
}

/* ---- limits ------------------------------------------------------------ */

static const char *repeat(const char *text, int n)
{
    Text out = text_new(arena);
    for (int i = 0; i < n; i++)
        text_add(&out, text);
    return text_str(&out);
}

static void test_nesting_is_refused(void)
{
    CU_ASSERT(!load_body(arena_printf(arena, "y = %s", repeat("(", 100000))));
    CU_ASSERT(says("nested more than 200 deep"));
    CU_ASSERT(!load_body(arena_printf(arena, "y = %sx", repeat("-", 100000))));
    CU_ASSERT(says("nested too deeply"));
    CU_ASSERT(!load_body(arena_printf(arena, "y = %sx", repeat("-", 300))));
    CU_ASSERT(says("operators deep"));
    CU_ASSERT(!load_body(arena_printf(arena, "y = %sx", repeat("x + ", 100000))));
    CU_ASSERT(says("operators deep"));
    CU_ASSERT(!load_body(arena_printf(arena, "%s", repeat("if true {", 100000))));
    CU_ASSERT(says("nested more than 200 deep"));
    CU_ASSERT(load_body(arena_printf(arena, "y = %sx", repeat("x + ", 190))) != NULL);
}

static void test_chains_of_modules_are_refused(void)
{
    Text text = text_new(arena);
    for (int i = 0; i < 300; i++)
        text_printf(&text, "module f%d(x) { return f%d(x) }\n", i, i + 1);
    text_add(&text, "module f300(x) { return x }\n"
                    "model m(x: f32[1]) { y = f0(x); output y }\n");
    CU_ASSERT(!load(text_str(&text)));
    CU_ASSERT(says("modules call one another more than 200 deep"));
}

static void test_runaway_programs_are_refused(void)
{
    CU_ASSERT(!load_body("y = x\nfor i in 0..1000000000000 { y = y + 1 }"));
    CU_ASSERT(says("loops run more than 100000 times"));
    CU_ASSERT(!load_body("y = x\nfor i in -9223372036854775807..9223372036854775807 "
                         "{ y = y + 1 }"));
    CU_ASSERT(says("loops run more than 100000 times"));
    CU_ASSERT(!load_body(arena_printf(arena, "y = x\nfor i in 0..90000 { %s }",
                                      repeat("n = 1 + 1;", 12))));
    CU_ASSERT(says("2000000 steps"));
}

static void test_many_errors_end(void)
{
    CU_ASSERT(!load_body(repeat("y = $ = 1\n", 100000)));
    CU_ASSERT(diag->errors >= LIMIT_ERRORS && diag->errors < LIMIT_ERRORS + 10);
    CU_ASSERT(says("too many errors"));
}

static void test_large_file_is_refused(void)
{
    size_t size = LIMIT_FILE_BYTES + 1;
    char *text = arena_alloc(arena, size + 1);
    memset(text, '\n', size);
    CU_ASSERT(!load(text));
    CU_ASSERT(says("larger than 16 MB"));
}

static void test_empty_and_odd_bytes(void)
{
    CU_ASSERT(!load(""));
    CU_ASSERT(says("no model"));
    Source source = {"nul.vt", "\0\0model\xff\xfe", 9};
    diag = diag_new(arena);
    CU_ASSERT(!frontend_load_text(arena, diag, &source, 1, NULL));
    CU_ASSERT(says("NUL byte"));
    CU_ASSERT(load("// \xff\xfe\n/* \x80 */ model m(x: f32[1]) {\n"
                   "\"\"\"\xc3\xa4 \x80\"\"\"\noutput x }") != NULL);
}

/* ---- details ----------------------------------------------------------- */

static void test_spelling(void)
{
    Nearest nearest = nearest_to("kernl");
    nearest_offer(&nearest, "stride");
    nearest_offer(&nearest, "kernel");
    CU_ASSERT_STRING_EQUAL(nearest.best, "kernel");
    nearest = nearest_to("x");
    nearest_offer(&nearest, "y");
    nearest_offer(&nearest, "bias");
    CU_ASSERT(nearest.best == NULL);
}

static void test_strmap_holds_many(void)
{
    StrMap map = {.arena = arena};
    for (int i = 0; i < 10000; i++)
        *strmap_slot(&map, arena_printf(arena, "name%d", i)) = arena_printf(arena, "%d", i);
    CU_ASSERT_EQUAL(map.n, 10000);
    CU_ASSERT_STRING_EQUAL(strmap_get(&map, "name4711"), "4711");
    CU_ASSERT(strmap_get(&map, "name10000") == NULL);
}

static void test_one_mistake_is_said_once(void)
{
    CU_ASSERT(!load("module f(x, n) {\n    y = reshape(x, shape = [n])\n    return y\n}\n"
                    "model m(x: f32[4]) {\n    y = x\n"
                    "    for i in 5..50 { y = f(x, i) }\n    output y\n}\n"));
    CU_ASSERT_EQUAL(diag->errors, 1);
}

int main(void)
{
    static const UnitTest tests[] = {
        {"every operator of ops.def has a name", test_every_operator_is_reachable },
        {"rows of the operator table",           test_operator_rows_are_sound     },
        {"signs stand for operators",            test_signs_are_operators         },
        {"stages",                               test_stages                      },
        {"call sites, spans, labels",            test_sites_and_labels            },
        {"preprocess and class names",           test_ports                       },
        {"outputs by label",                     test_outputs_by_label            },
        {"choice of the model",                  test_model_choice                },
        {"resnet18 has its parameters",          test_models_of_the_project       },
        {"nesting is refused",                   test_nesting_is_refused          },
        {"chains of modules are refused",        test_chains_of_modules_are_refused},
        {"runaway programs are refused",         test_runaway_programs_are_refused},
        {"many errors end",                      test_many_errors_end             },
        {"large files are refused",              test_large_file_is_refused       },
        {"empty and odd bytes",                  test_empty_and_odd_bytes         },
        {"spelling help",                        test_spelling                    },
        {"maps of many names",                   test_strmap_holds_many           },
        {"one mistake is said once",             test_one_mistake_is_said_once    },
    };
    arena = arena_new();
    int failed = UNIT_RUN(tests);
    arena_free(arena);
    return failed;
}
