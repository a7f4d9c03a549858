/* The text form of graphs: what prints parses back to the same text; every
 * operator and attribute is in it; any other text is refused with its place. */
#include "tests/unit/graph_read.h"
#include "tests/unit/unit.h"

#define SOURCES                                                           \
    "  %x = input name=\"x\" : f32[2,6,9,7]\n"                            \
    "  %tokens = input name=\"tokens\" : f32[2,5,6]\n"                    \
    "  %classes = input name=\"classes\" : i32[2,3]\n"                    \
    "  %image = input name=\"image\" : u8[1,3,4,5]\n"                     \
    "  %w = weight name=\"stem.weight\" : f32[8,3,3,2]\n"                 \
    "  %\"a \\\"b\\\"\" = weight name=\"a \\\"b\\\"\\t\" : f32[10,5,2]\n" \
    "  %\"12\" = weight name=\"12\" : f32[4,6]\n"                         \
    "  %c6 = constant value=0.5 : f32[6]\n"                               \
    "  %c8 = constant : f32[8]\n"                                         \
    "  %ints = constant : i32[2,2] data {1, -2, 3, 2147483647}\n"         \
    "  %tenth = constant : f32[] data {0.1}\n"                            \
    "  %few = constant : f32[4] data {-0, 1e-30, inf, 3.4028235e+38}\n"   \
    "  %yes = constant : bool[2,1] data {1, 0}\n"

static const char every_operator[] =
    "graph \"every operator\" {\n" SOURCES
    "  %1 = conv2d %x, %w, %c8 stride=[2,1] pad=[1,0,2,1] dilation=[1,2] "
    "groups=2 : f32[2,8,5,6] label \"stem.conv\"\n"
    "  %2 = conv1d %tokens, %\"a \\\"b\\\"\" pad=[1,0] : f32[2,10,6]\n"
    "  %3 = linear %tokens, %\"12\" : f32[2,5,4]\n"
    "  %4 = matmul %tokens, %tokens transpose_a=true : f32[2,6,6]\n"
    "  %5 = matmul %tokens, %tokens transpose_b=true : f32[2,5,5]\n"
    "  %6 = attention %tokens, %tokens, %tokens heads=3 scale=0.125 : "
    "f32[2,5,6]\n"
    "  %7 = max_pool2d %x stride=[2,2] pad=[1,1,1,1] kernel=[3,3] "
    "ceil_mode=true : f32[2,6,5,4]\n"
    "  %8 = avg_pool2d %x kernel=[2,2] count_pad=true : f32[2,6,8,6]\n"
    "  %9 = batch_norm %x, %c6, %c6, %c6, %c6 eps=0.001 : f32[2,6,9,7]\n"
    "  %10 = layer_norm %tokens, %c6, %c6 axis=2 : f32[2,5,6]\n"
    "  %11 = group_norm %x, %c6, %c6 groups=3 : f32[2,6,9,7]\n"
    "  %12 = relu %x : f32[2,6,9,7]\n"
    "  %13 = gelu %x mode=tanh : f32[2,6,9,7]\n"
    "  %14 = sigmoid %c6 : f32[6]\n"
    "  %15 = silu %c6 : f32[6]\n"
    "  %hard = hard_swish %c6 : f32[6]\n"
    "  %16 = tanh %c6 : f32[6]\n"
    "  %17 = erf %c6 : f32[6]\n"
    "  %18 = exp %c6 : f32[6]\n"
    "  %19 = log %c6 : f32[6]\n"
    "  %20 = sqrt %c6 : f32[6]\n"
    "  %21 = rsqrt %c6 : f32[6]\n"
    "  %22 = abs %c6 : f32[6]\n"
    "  %23 = neg %ints : i32[2,2]\n"
    "  %24 = floor %c6 : f32[6]\n"
    "  %25 = clamp %c6 min=-1.5 max=6 : f32[6]\n"
    "  %26 = not %yes : bool[2,1]\n"
    "  %27 = cast %image to=f32 : f32[1,3,4,5]\n"
    "  %28 = add %c6, %tokens : f32[2,5,6]\n"
    "  %29 = sub %ints, %23 : i32[2,2]\n"
    "  %30 = mul %tenth, %c6 : f32[6]\n"
    "  %31 = div %c6, %tenth : f32[6]\n"
    "  %32 = pow %c6, %tenth : f32[6]\n"
    "  %33 = maximum %c6, %tenth : f32[6]\n"
    "  %34 = minimum %c6, %tenth : f32[6]\n"
    "  %35 = and %yes, %26 : bool[2,1]\n"
    "  %36 = or %yes, %26 : bool[2,1]\n"
    "  %37 = eq %ints, %23 : bool[2,2]\n"
    "  %38 = ne %ints, %23 : bool[2,2]\n"
    "  %39 = lt %ints, %23 : bool[2,2]\n"
    "  %40 = le %ints, %23 : bool[2,2]\n"
    "  %41 = gt %ints, %23 : bool[2,2]\n"
    "  %42 = ge %ints, %23 : bool[2,2]\n"
    "  %43 = select %yes, %c6, %tenth : f32[2,6]\n"
    "  %44 = one_hot %classes axis=1 depth=7 : f32[2,7,3]\n"
    "  %45 = softmax %tokens axis=1 : f32[2,5,6]\n"
    "  %46 = reduce_sum %x axes=[0,2] : f32[6,7]\n"
    "  %47 = reduce_mean %x axes=[2,3] keepdims=true : f32[2,6,1,1]\n"
    "  %48 = reduce_max %c6 axes=[0] : f32[]\n"
    "  %49 = reduce_min %c6 axes=[0] : f32[]\n"
    "  %50 = argmax %x axis=1 : i32[2,9,7]\n"
    "  %51 = concat %c6, %c8, %c6 : f32[20]\n"
    "  %52 = slice %x shape=[1,2,3,7] start=[1,0,2,0] step=[1,3,2,1] : "
    "f32[1,2,3,7]\n"
    "  %53 = pad %c6 pad=[5,2] mode=reflect : f32[13]\n"
    "  %54 = pad %tokens pad=[0,1,0,0,0,2] mode=constant value=-1 : "
    "f32[2,6,8]\n"
    "  %55 = reshape %tokens shape=[2,30] : f32[2,30]\n"
    "  %56 = transpose %tokens perm=[2,0,1] : f32[6,2,5]\n"
    "  %57 = broadcast %c6 shape=[3,1,6] : f32[3,1,6]\n"
    "  %58 = resize %x shape=[2,6,3,20] mode=bilinear coords=align_corners : "
    "f32[2,6,3,20]\n"
    "  %59 = layer_norm %55 axis=1 : f32[2,30]\n"
    "  %60 = vecdot %x, %x axes=[1,3] keepdims=true : f32[2,1,9,1]\n"
    "  %61 = unfold %x stride=[2,1] dilation=[1,3] kernel=[3,2] : "
    "f32[2,6,3,2,4,4]\n"
    "  output \"a\" %59\n"
    "  output \"odd \\\"b\\\"\" %\"12\"\n"
    "}\n";

/* What layout, grouping, packing and planning leave on values. */
static const char planned[] =
    "graph \"planned\" {\n"
    "  %x = input name=\"x\" : f32[1,6,9,7] layout 0123 at input0+0\n"
    "  %w = weight name=\"w\" : f32[8,3,3,3] layout panels(4,2) at weights+64 "
    "size 1728\n"
    "  %1 = transpose %x perm=[0,2,3,1] : f32[1,9,7,6] strides [378,7,1,63]\n"
    "  %2 = conv2d %x, %w pad=[1,1,1,1] groups=2 : f32[1,8,9,7] label \"c\" "
    "layout 0231+pad group 0\n"
    "  %3 = relu %2 : f32[1,8,9,7] layout 0231 group 0 at workspace+4096 size "
    "2016\n"
    "  %4 = slice %3 shape=[1,8,9,6] start=[0,0,0,1] : f32[1,8,9,6] strides "
    "[504,1,56,8] at +8\n"
    "  %5 = exp %1 : f32[1,9,7,6] group 1 at output0+0\n"
    "  output \"y\" %5\n"
    "  memory workspace=8192 live=8000\n"
    "  temporary 0 [6144,512,1024]\n"
    "}\n";

static void check_round_trip(const char *text)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    const char *again = print_graph(arena, graph);
    CU_ASSERT_STRING_EQUAL(again, text);
    if (strcmp(again, text) != 0)
        fprintf(stderr, "printed:\n%s", again);
    Text errors = text_new(arena);
    CU_ASSERT(graph_verify(graph, &errors));
    fputs(text_str(&errors), stderr);
    arena_free(arena);
}

static void test_round_trip(void)
{
    check_round_trip(every_operator);
    check_round_trip(planned);
}

/* The text above has every row of ops.def and attrs.def, or the row is named.
 */
static void test_every_row_is_in_the_text(void)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, every_operator);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    bool seen[OP_COUNT] = {0};
    FOR_VALUES(v, graph)
    seen[v->op] = true;
    for (int op = 0; op < OP_COUNT; op++) {
        CU_ASSERT(seen[op]);
        if (!seen[op])
            fprintf(stderr, "not in the text: %s\n", op_info[op].name);
    }
    for (int id = 0; id < ATTR_COUNT; id++) {
        const char *text = arena_printf(arena, " %s=", attr_info[id].name);
        CU_ASSERT_PTR_NOT_NULL(strstr(every_operator, text));
        if (!strstr(every_operator, text))
            fprintf(stderr, "not in the text: %s\n", attr_info[id].name);
    }
    arena_free(arena);
}

static void test_parse_restores_meaning(void)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, planned);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    Value *w = find_value(graph, "w");
    CU_ASSERT(w->layout.kind == LAYOUT_panels && w->layout.panel == 4);
    CU_ASSERT(w->place.home == HOME_weights && w->place.bytes == 1728);
    CU_ASSERT_EQUAL(graph->groups.n, 2);
    const Group *group = &graph->groups.at[0];
    CU_ASSERT(group->members.n == 2 && group->anchor->op == OP_conv2d);
    const Value *relu = group->members.at[1];
    CU_ASSERT(relu->op == OP_relu && relu->place.stride[1] == 1 &&
              relu->place.stride[2] == 56);
    CU_ASSERT(group->temp.shared == 6144 && group->temp.per_thread == 512 &&
              group->temp.offset == 1024);
    arena_free(arena);
}

static void test_f32_elements_read_back(void)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, every_operator);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT(tensor_get(find_value(graph, "tenth")->data, 0) == (double)0.1f);
    const Tensor *few = find_value(graph, "few")->data;
    CU_ASSERT(signbit(tensor_get(few, 0)) && isinf(tensor_get(few, 2)));
    CU_ASSERT(tensor_get(few, 3) == (double)3.40282346638528859812e38f);
    CU_ASSERT(tensor_get(find_value(graph, "ints")->data, 3) == INT32_MAX);
    arena_free(arena);
}

/* 65 elements are a hash, which tells equal from different and is refused. */
static void test_large_constants_are_hashes(void)
{
    Arena *arena = arena_new();
    Graph *graph = graph_new(arena, "hash");
    Type type = {DT_f32, shape_of(1, (int64_t[]){PRINTED_ELEMENTS + 1})};
    Tensor *one = tensor_new(arena, type), *other = tensor_new(arena, type);
    tensor_set(other, PRINTED_ELEMENTS, 1);
    Value *v = graph_constant(graph, NULL, NULL, one);
    const char *before = print_graph(arena, graph);
    v->data = other;
    const char *after = print_graph(arena, graph);
    CU_ASSERT_STRING_NOT_EQUAL(before, after);
    Diag *diag = diag_new(arena);
    CU_ASSERT_PTR_NULL(graph_parse(arena, source_of(arena, "t", after), diag));
    CU_ASSERT_EQUAL_FATAL(diag->messages.n, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(diag->messages.at[0]->text, "hash"));
    arena_free(arena);
}

/* ---- refusals ---------------------------------------------------------- */

typedef struct Refusal {
    const char *line;    /* put into a graph with the sources above */
    const char *message; /* part of what is said about it */
} Refusal;

static const Refusal refusals[] = {
    {"nonsense",                                                          "expected a value, an output or '}'"   },
    {"%1 relu %x : f32[2,6,9,7]",                                         "expected '=' here"                    },
    {"%1 = %x : f32[1]",                                                  "expected an operator here"            },
    {"%1 = relux %x : f32[2,6,9,7]",                                      "there is no operator 'relux'"         },
    {"%1 = relu %y : f32[2,6,9,7]",                                       "no such value before this line"       },
    {"%x = relu %x : f32[2,6,9,7]",                                       "%x is defined twice"                  },
    {"% = relu %x : f32[2,6,9,7]",                                        "% is followed by a name"              },
    {"%99999999999999 = relu %x : f32[2,6,9,7]",                          "ids are at most"                      },
    {"%1 = relu %x stride=[1,1] : f32[2,6,9,7]",                          "no attribute 'stride'"                },
    {"%1 = relu %x bogus=1 : f32[2,6,9,7]",                               "no attribute 'bogus'"                 },
    {"%1 = softmax %x axis=1 axis=1 : f32[2,6,9,7]",                      "'axis' is given twice"                },
    {"%1 = softmax %x axis= : f32[2,6,9,7]",                              "expected an integer here"             },
    {"%1 = softmax %x axis=1x : f32[2,6,9,7]",                            "no attribute 'x'"                     },
    {"%1 = softmax %x axis=99999999999999999999 : f32[2,6,9,7]",
     "does not fit into 64 bits"                                                                                 },
    {"%1 = clamp %x min=one : f32[2,6,9,7]",                              "expected a number here"               },
    {"%1 = clamp %x min=1e : f32[2,6,9,7]",                               "expected a number here"               },
    {"%1 = reshape %x shape=[2,378 : f32[2,378]",                         "expected ',' here"                    },
    {"%1 = reshape %x shape=2 : f32[2,378]",                              "expected '[' here"                    },
    {"%1 = reshape %x shape=[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1] : f32[]",
     "more than 16 entries"                                                                                      },
    {"%1 = argmax %x keepdims=maybe : i32[1]",                            "expected true or false"               },
    {"%1 = gelu %x mode=fast : f32[2,6,9,7]",                             "expected a mode here"                 },
    {"%1 = cast %x to=f64 : f32[2,6,9,7]",                                "expected an element type here"        },
    {"%1 = relu %x",                                                      "expected ':' here"                    },
    {"%1 = relu %x : f64[2,6,9,7]",                                       "expected an element type here"        },
    {"%1 = relu %x : f32[2,6,9,8]",                                       "the type must be f32[2,6,9,7]"        },
    {"%1 = relu %x : i32[2,6,9,7]",                                       "the type must be f32[2,6,9,7]"        },
    {"%1 = relu %x, %x : f32[2,6,9,7]",                                   "relu: takes 1 to 1 arguments, has 2"  },
    {"%1 = constant : f32[0]",                                            "a dimension must be at least 1, is 0" },
    {"%1 = constant : f32[-1]",                                           "a dimension must be at least 1, is -1"},
    {"%1 = constant : f32[65536,65536]",                                  "4294967296 elements are more than"    },
    {"%1 = constant : f32[1,1,1,1,1,1,1,1,1]",                            "more than 8 entries"                  },
    {"%1 = constant : f16[1]",                                            "f16 is a type of stored weights"      },
    {"%1 = constant %x : f32[1]",                                         "constant takes no arguments"          },
    {"%1 = weight : f32[1]",                                              "weight needs name=\"..\""             },
    {"%1 = weight name=\"w : f32[1]",                                     "no closing quote"                     },
    {"%1 = weight name=w : f32[1]",                                       "expected a text in quotes here"       },
    {"%1 = weight name=\"w\" : f32[1] data {1}",                          "only a constant has data"             },
    {"%1 = constant : f32[2] data {1}",                                   "expected ',' here"                    },
    {"%1 = constant : f32[1] data {1, 2}",                                "expected '}' here"                    },
    {"%1 = constant : i32[1] data {0.5}",                                 "0.5 is no i32"                        },
    {"%1 = constant : i32[1] data {2147483648}",                          "is no i32"                            },
    {"%1 = constant : u8[1] data {256}",                                  "256 is no u8"                         },
    {"%1 = constant : bool[1] data {2}",                                  "2 is no bool"                         },
    {"%1 = constant : f32[65] data {1}",                                  "more than 64 elements"                },
    {"%1 = constant : f32[65] hash 00",                                   "was printed as a hash"                },
    {"%1 = relu %c6 : f32[6] label c",                                    "expected a text in quotes here"       },
    {"%1 = relu %x : f32[2,6,9,7] layout 0122",                           "each of the 4 dimensions"             },
    {"%1 = relu %x : f32[2,6,9,7] layout 012",                            "each of the 4 dimensions"             },
    {"%1 = relu %x : f32[2,6,9,7] layout 0124",                           "each of the 4 dimensions"             },
    {"%1 = relu %x : f32[2,6,9,7] layout panels(8,4)",                    "panels need outputs"                  },
    {"%1 = relu %x : f32[2,6,9,7] layout panels(0,1)",                    "0 is outside 1 to"                    },
    {"%1 = relu %x : f32[2,6,9,7] strides [1]",                           "strides need 4 entries"               },
    {"%1 = relu %x : f32[2,6,9,7] group 7",                               "group 0 has no members"               },
    {"%1 = relu %x : f32[2,6,9,7] group -1",                              "-1 is outside 0 to"                   },
    {"%1 = relu %x : f32[2,6,9,7] at home+0",                             "expected '+' here"                    },
    {"%1 = relu %x : f32[2,6,9,7] at weights-1",                          "expected '+' here"                    },
    {"%1 = relu %x : f32[2,6,9,7] bogus",                                 "nothing more is expected"             },
    {"output x %x",                                                       "expected a text in quotes here"       },
    {"output \"x\" x",                                                    "expected a value, %name, here"        },
    {"output \"x\" %y",                                                   "no such value before this line"       },
    {"memory workspace=1",                                                "expected live= here"                  },
};

static void check_refusal(const Refusal *refusal)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    const char *text = arena_printf(arena, "%s  %s\n}\n",
                                    "graph \"bad\" {\n" SOURCES, refusal->line);
    Graph *graph = graph_parse(arena, source_of(arena, "t", text), diag);
    CU_ASSERT_PTR_NULL(graph);
    const char *said =
        diag->messages.n ? diag->messages.at[0]->text : "nothing";
    bool as_expected = diag->errors == 1 && strstr(said, refusal->message);
    CU_ASSERT(as_expected);
    if (!as_expected)
        fprintf(stderr, "%s\n  said: %s (%d errors)\n", refusal->line, said,
                diag->errors);
    arena_free(arena);
}

static void test_refusals(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        check_refusal(&refusals[i]);
}

static void check_bad_text(const char *text, size_t length)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    Source source = {"t", text, length};
    CU_ASSERT_PTR_NULL(graph_parse(arena, &source, diag));
    CU_ASSERT(diag->errors > 0);
    arena_free(arena);
}

static void test_bad_frames(void)
{
    static const char *const texts[] = {
        "",
        "\n\n",
        "graph",
        "graph \"",
        "graph \"a\"",
        "graph \"a\" {",
        "// only",
        "graph \"a\" {}x",
        "graph \"a\" { // }",
        "graf \"a\" {}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_bad_text(texts[i], strlen(texts[i]));
    check_bad_text("graph \"a\0b\" {}", 14);
}

/* No cut of a good text is one; none makes the parser leave the text (a copy
 * of exact size lets the address sanitizer see it). */
static void test_every_cut_is_refused(void)
{
    size_t length = strlen(planned) - strlen("}\n");
    for (size_t n = 0; n <= length; n++) {
        Arena *arena = arena_new();
        char *cut = arena_strndup(arena, planned, n);
        check_bad_text(cut, n);
        arena_free(arena);
    }
}

/* One wrong line is one error, with its place; what uses it says nothing. */
static void test_errors_are_all_found_once(void)
{
    static const char text[] = "graph \"g\" {\n"
                               "  %x = input name=\"x\" : f32[4]\n"
                               "  %1 = relux %x : f32[4]\n"
                               "  %2 = exp %1 : f32[4]\n"
                               "  %3 = exp %x : f32[5]\n"
                               "  output \"y\" %2\n"
                               "}\n";
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    CU_ASSERT_PTR_NULL(graph_parse(arena, source_of(arena, "t", text), diag));
    CU_ASSERT_EQUAL_FATAL(diag->messages.n, 2);
    int line, column;
    span_position(diag->messages.at[0]->span, &line, &column);
    CU_ASSERT(line == 3 && column == 8);
    span_position(diag->messages.at[1]->span, &line, &column);
    CU_ASSERT_EQUAL(line, 5);
    arena_free(arena);
}

static void test_locations(void)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, "graph \"g\" { // comment\n\n"
                                     "  // another\n"
                                     "  %x = input name=\"x\" : f32[4] // end\n"
                                     "}");
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    Text text = text_new(arena);
    value_print(graph->first, (PrintStyle){.locations = true}, &text);
    CU_ASSERT_STRING_EQUAL(text_str(&text),
                           "%x = input name=\"x\" : f32[4] // test:4");
    arena_free(arena);
}

static const UnitTest tests[] = {
    {"round trip",                 test_round_trip                },
    {"every row is in the text",   test_every_row_is_in_the_text  },
    {"parse restores meaning",     test_parse_restores_meaning    },
    {"f32 elements read back",     test_f32_elements_read_back    },
    {"large constants are hashes", test_large_constants_are_hashes},
    {"refusals",                   test_refusals                  },
    {"bad frames",                 test_bad_frames                },
    {"every cut is refused",       test_every_cut_is_refused      },
    {"errors are all found once",  test_errors_are_all_found_once },
    {"locations",                  test_locations                 },
};

int main(void)
{
    return UNIT_RUN(tests);
}
