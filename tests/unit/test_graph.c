/* Graphs: the tables are complete; building and changing keep them valid; the
 * verifier finds what a broken pass would leave; known costs come out. */
#include "ir/target.h"
#include "tests/unit/graph_read.h"
#include "tests/unit/unit.h"

static const char network[] =
    "graph \"network\" {\n"
    "  %x = input name=\"x\" : f32[1,4,5,5]\n"
    "  %mask = input name=\"mask\" : f32[1,4,5,5]\n"
    "  %w = weight name=\"w\" : f32[4,4,3,3]\n"
    "  %a = conv2d %x, %w pad=[1,1,1,1] : f32[1,4,5,5]\n"
    "  %b = relu %a : f32[1,4,5,5]\n"
    "  %c = mul %b, %mask : f32[1,4,5,5]\n"
    "  %d = add %c, %b : f32[1,4,5,5]\n"
    "  %e = exp %x : f32[1,4,5,5]\n"
    "  %f = sub %d, %e : f32[1,4,5,5]\n"
    "  output \"y\" %f\n"
    "  output \"again\" %b\n"
    "}\n";

static bool is_valid(Arena *arena, const Graph *graph)
{
    Text errors = text_new(arena);
    bool ok = graph_verify(graph, &errors);
    CU_ASSERT(ok == (errors.n == 0));
    return ok;
}

/* ---- tables ------------------------------------------------------------ */

/* Names every operator that lacks an inference function or a description. */
static void test_rows_are_complete(void)
{
    for (int op = 0; op < OP_COUNT; op++) {
        const OpInfo *info = &op_info[op];
        bool complete = infer_exists((Op)op) && info->doc && info->doc[0];
        CU_ASSERT(complete);
        if (!complete)
            fprintf(stderr, "incomplete operator: %s\n", info->name);
        CU_ASSERT(info->min_args <= info->max_args &&
                  info->attrs >> ATTR_COUNT == 0);
        CU_ASSERT_EQUAL(op_find(info->name), op);
    }
    for (int i = 0; i < DTYPE_COUNT; i++)
        CU_ASSERT(dtype_find(dtype_info[i].name) == i &&
                  dtype_info[i].bytes > 0);
    for (int i = 0; i < MODE_COUNT; i++)
        CU_ASSERT_EQUAL(mode_find(mode_name[i]), i);
    CU_ASSERT(op_find("relu6") == -1 && mode_find("") == -1);
    CU_ASSERT_EQUAL(dtype_find("F32"), -1);
}

static void test_tables_agree(void)
{
    CU_ASSERT(op_has(OP_conv2d, ATTR_stride) && !op_has(OP_relu, ATTR_stride));
    CU_ASSERT(op_is_elementwise(OP_select) && !op_is_elementwise(OP_softmax));
    Attrs attrs = attrs_default();
    CU_ASSERT(attrs.stride.at[0] == 1 && attrs.stride.at[MAX_INTS - 1] == 1);
    CU_ASSERT(attrs.pad.at[3] == 0 && attrs.groups == 1 && attrs.eps == 1e-5);
    CU_ASSERT(isinf(attrs.max) && attrs.mode == MODE_none && !attrs.name);
}

static void test_targets(void)
{
    for (int i = 0; i < target_count; i++)
        CU_ASSERT_PTR_EQUAL(target_find(targets[i].name), &targets[i]);
    CU_ASSERT_PTR_NULL(target_find("x86-64-v9"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(target_host());
    CU_ASSERT_PTR_NOT_NULL(target_find(target_host()->name));
}

/* ---- tensors ----------------------------------------------------------- */

static void check_stored(DType dtype, uint16_t bits, double value)
{
    Tensor tensor = {
        {dtype, {0}},
        &bits
    };
    CU_ASSERT(tensor_get(&tensor, 0) == value);
}

static void test_tensors(void)
{
    check_stored(DT_f16, 0x3c00, 1);
    check_stored(DT_f16, 0xc000, -2);
    check_stored(DT_f16, 0x7bff, 65504);
    check_stored(DT_f16, 0x0001, 0x1p-24);
    check_stored(DT_f16, 0x83ff, -1023 * 0x1p-24);
    check_stored(DT_f16, 0xfc00, -INFINITY);
    check_stored(DT_bf16, 0x3f80, 1);
    check_stored(DT_bf16, 0xff80, -INFINITY);
    uint16_t nan = 0x7e00;
    Tensor half = {
        {DT_f16, {0}},
        &nan
    };
    CU_ASSERT(isnan(tensor_get(&half, 0)));
    Arena *arena = arena_new();
    Tensor *ints =
        tensor_new(arena, (Type){DT_i32, shape_of(1, (int64_t[]){2})});
    tensor_set(ints, 1, INT32_MIN);
    CU_ASSERT(tensor_get(ints, 0) == 0 && tensor_get(ints, 1) == INT32_MIN);
    CU_ASSERT_EQUAL(type_bytes(&ints->type), 8);
    arena_free(arena);
}

/* ---- building and changing --------------------------------------------- */

static void test_insert_refuses(void)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, network);
    Value *args[] = {find_value(graph, "x"), find_value(graph, "w")};
    Value proto = {.op = OP_add, .attr = attrs_default(), .stage = -1};
    const char *before = print_graph(arena, graph);
    Text why = text_new(arena);
    CU_ASSERT_PTR_NULL(graph_insert(graph, NULL, &proto, 2, args, &why));
    CU_ASSERT_STRING_EQUAL(text_str(&why),
                           "add: shapes [1,4,5,5] and [4,4,3,3] do not "
                           "broadcast: 5 against 3");
    CU_ASSERT_STRING_EQUAL(print_graph(arena, graph), before);
    arena_free(arena);
}

static void test_add_takes_the_place_of_like(void)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, network);
    Value *a = find_value(graph, "a"), *b = find_value(graph, "b");
    a->label = "layer1.conv1";
    a->stage = 3;
    Value *v = graph_add(graph, b, a, OP_silu, NULL, 1, &a);
    CU_ASSERT(v->prev == a && v->next == b && v->group == -1);
    CU_ASSERT(v->label == a->label && v->stage == 3 &&
              v->span.begin == a->span.begin);
    CU_ASSERT(v->attr.stride.at[1] == 1 && v->name == NULL);
    CU_ASSERT(v->id == graph->next_id - 1 && is_valid(arena, graph));
    arena_free(arena);
}

static void test_replace_and_remove(void)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, network);
    Value *b = find_value(graph, "b");
    Value *twice = graph_add(graph, b->next, b, OP_neg, NULL, 1, &b);
    graph_replace(graph, b, twice); /* all uses but the one by `twice` itself */
    CU_ASSERT_PTR_EQUAL(twice->args[0], b);
    CU_ASSERT_PTR_EQUAL(find_value(graph, "c")->args[0], twice);
    CU_ASSERT_PTR_EQUAL(find_value(graph, "d")->args[1], twice);
    CU_ASSERT(graph_is_output(graph, twice) && !graph_is_output(graph, b));
    graph_count_uses(graph);
    CU_ASSERT(twice->uses == 3 && b->uses == 1);
    value_set_arg(twice, 0, find_value(graph, "a"));
    graph_remove(graph, b);
    CU_ASSERT(find_value(graph, "b") == NULL && is_valid(arena, graph));
    arena_free(arena);
}

static void test_move(void)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, network);
    Value *e = find_value(graph, "e"), *a = find_value(graph, "a");
    graph_move_before(graph, e, a);
    CU_ASSERT(a->prev == e && e->next == a && is_valid(arena, graph));
    graph_move_before(graph, e, e);
    CU_ASSERT(a->prev == e && is_valid(arena, graph));
    graph_move_before(graph, find_value(graph, "w"), NULL);
    CU_ASSERT(!is_valid(arena, graph)); /* now behind its use */
    arena_free(arena);
}

static void test_fresh_names(void)
{
    Arena *arena = arena_new();
    Graph *graph = graph_new(arena, "names");
    Type type = {DT_f32, {0}};
    Value *a = graph_source(graph, OP_weight, "w", type, (Span){0});
    Value *b = graph_source(graph, OP_weight, "w", type, (Span){0});
    CU_ASSERT_STRING_EQUAL(a->name, "w");
    CU_ASSERT_STRING_EQUAL(b->name, "w.1");
    CU_ASSERT_STRING_EQUAL(b->attr.name, "w");
    CU_ASSERT_STRING_EQUAL(graph_fresh_name(graph, "w"), "w.2");
    arena_free(arena);
}

/* ---- shuffle and copy -------------------------------------------------- */

static void test_shuffle_keeps_a_valid_order(void)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, network);
    const char *before = print_graph(arena, graph);
    int changed = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        graph_shuffle(graph, seed);
        bool ok = is_valid(arena, graph);
        CU_ASSERT(ok);
        if (!ok)
            fprintf(stderr, "seed %d\n", (int)seed);
        int count = 0, mask = 0, x = 0;
        FOR_VALUES(v, graph)
        {
            x = v == find_value(graph, "x") ? count : x;
            mask = v == find_value(graph, "mask") ? count : mask;
            count++;
        }
        CU_ASSERT(count == 9 && x < mask); /* the inputs are the signature */
        changed += strcmp(before, print_graph(arena, graph)) != 0;
    }
    CU_ASSERT(changed > 40);
    arena_free(arena);
}

static void test_same_seed_same_order(void)
{
    Arena *arena = arena_new();
    Graph *one = read_graph(arena, network), *two = read_graph(arena, network);
    graph_shuffle(one, 7);
    graph_shuffle(two, 7);
    CU_ASSERT_STRING_EQUAL(print_graph(arena, one), print_graph(arena, two));
    arena_free(arena);
}

static void test_copy_stands_alone(void)
{
    Arena *arena = arena_new(), *other = arena_new();
    Graph *graph = read_graph(arena, network);
    graph->stages.n = 0;
    VEC_PUSH(arena, graph->stages, "stem");
    Value *b = find_value(graph, "b");
    Group group = {.anchor = b};
    VEC_PUSH(arena, group.members, b);
    VEC_PUSH(arena, graph->groups, group);
    b->group = 0;
    const char *before = print_graph(arena, graph);
    Value **map;
    Graph *copy = graph_copy(other, graph, &map);
    const char *copied = print_graph(other, copy);
    CU_ASSERT_STRING_EQUAL(copied, before);
    CU_ASSERT(map[b->id] == find_value(copy, "b") && map[b->id] != b);
    CU_ASSERT_PTR_EQUAL(copy->groups.at[0].anchor, map[b->id]);
    graph_replace(graph, b, find_value(graph, "a"));
    VEC_PUSH(other, copy->stages, "other");
    VEC_PUSH(arena, graph->stages, "own");
    CU_ASSERT_STRING_EQUAL(copy->stages.at[1], "other");
    CU_ASSERT_STRING_EQUAL(print_graph(other, copy), copied);
    CU_ASSERT(is_valid(other, copy));
    FOR_VALUES(v, copy) /* no argument is a value of the original */
    for (int i = 0; i < v->nargs; i++)
        CU_ASSERT_PTR_EQUAL(v->args[i], map[v->args[i]->id]);
    arena_free(other);
    arena_free(arena);
}

/* ---- multiply-accumulates ---------------------------------------------- */

static int64_t macs_of(const char *sources, const char *line)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(
        arena, arena_printf(arena, "graph \"m\" {\n%s%s\n}\n", sources, line));
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    int64_t macs = graph_macs(graph);
    CU_ASSERT_EQUAL(macs, value_macs(graph->last));
    arena_free(arena);
    return macs;
}

static void test_known_macs(void)
{
    /* ResNet's stem: 112 * 112 * 64 * 7 * 7 * 3. */
    CU_ASSERT_EQUAL(
        macs_of("%x = input name=\"x\" : f32[1,3,224,224]\n"
                "%w = weight name=\"w\" : f32[64,3,7,7]\n"
                "%b = weight name=\"b\" : f32[64]\n",
                "%1 = conv2d %x, %w, %b stride=[2,2] pad=[3,3,3,3] : "
                "f32[1,64,112,112]"),
        118013952);
    CU_ASSERT_EQUAL(macs_of("%x = input name=\"x\" : f32[2,32,7,7]\n"
                            "%w = weight name=\"w\" : f32[32,1,3,3]\n",
                            "%1 = conv2d %x, %w groups=32 pad=[1,1,1,1] : "
                            "f32[2,32,7,7]"),
                    2 * 32 * 49 * 9);
    CU_ASSERT_EQUAL(macs_of("%x = input name=\"x\" : f32[1,6,8]\n"
                            "%w = weight name=\"w\" : f32[4,3,3]\n",
                            "%1 = conv1d %x, %w groups=2 : f32[1,4,6]"),
                    4 * 6 * 9);
    CU_ASSERT_EQUAL(macs_of("%x = input name=\"x\" : f32[2,5,512]\n"
                            "%w = weight name=\"w\" : f32[1000,512]\n",
                            "%1 = linear %x, %w : f32[2,5,1000]"),
                    2 * 5 * 1000 * 512);
    CU_ASSERT_EQUAL(
        macs_of("%x = input name=\"x\" : f32[3,7,11]\n",
                "%1 = matmul %x, %x transpose_a=true : f32[3,11,11]"),
        3 * 11 * 11 * 7);
    CU_ASSERT_EQUAL(macs_of("%q = input name=\"q\" : f32[2,3,8]\n"
                            "%k = input name=\"k\" : f32[2,5,8]\n"
                            "%v = input name=\"v\" : f32[2,5,4]\n",
                            "%1 = attention %q, %k, %v heads=2 : f32[2,3,4]"),
                    2 * 3 * 5 * 8 + 2 * 3 * 5 * 4);
    CU_ASSERT_EQUAL(
        macs_of("%x = input name=\"x\" : f32[9]\n", "%1 = mul %x, %x : f32[9]"),
        0);
}

/* ---- the verifier ------------------------------------------------------ */

typedef void Break(Graph *graph);

static void break_order(Graph *graph)
{
    graph_move_before(graph, find_value(graph, "c"), find_value(graph, "b"));
}

static void break_type(Graph *graph)
{
    find_value(graph, "d")->type.shape.dim[1] = 3;
}

static void break_rule(Graph *graph)
{
    find_value(graph, "a")->attr.groups = 3;
}

static void break_ids(Graph *graph)
{
    find_value(graph, "d")->id = find_value(graph, "c")->id;
}

static void break_id_range(Graph *graph)
{
    graph->last->id = graph->next_id;
}

static void break_names(Graph *graph)
{
    find_value(graph, "d")->name = "c";
}

static void break_source(Graph *graph)
{
    find_value(graph, "w")->attr.name = NULL;
}

static void break_data(Graph *graph)
{
    Value *w = find_value(graph, "w");
    w->data =
        tensor_new(graph->arena, (Type){DT_f32, shape_of(1, (int64_t[]){4})});
}

static void break_layout(Graph *graph)
{
    find_value(graph, "d")->layout.order[0] = 1;
}

static void break_panels(Graph *graph)
{
    Value *w = find_value(graph, "w");
    w->layout = (Layout){.kind = LAYOUT_panels, .panel = 4, .groups = 3};
}

static void break_group_index(Graph *graph)
{
    find_value(graph, "d")->group = 4;
}

/* b and c in one group, though d and an output read b. */
static void break_group_reads(Graph *graph)
{
    Value *b = find_value(graph, "b"), *c = find_value(graph, "c");
    Group group = {.anchor = b};
    VEC_PUSH(graph->arena, group.members, b);
    VEC_PUSH(graph->arena, group.members, c);
    VEC_PUSH(graph->arena, graph->groups, group);
    b->group = c->group = 0;
}

static void break_anchor(Graph *graph)
{
    Value *e = find_value(graph, "e");
    Group group = {.anchor = find_value(graph, "d")};
    VEC_PUSH(graph->arena, group.members, e);
    VEC_PUSH(graph->arena, graph->groups, group);
    e->group = 0;
}

static void break_membership(Graph *graph)
{
    break_anchor(graph);
    graph->groups.at[0].anchor = find_value(graph, "e");
    find_value(graph, "e")->group = -1;
}

static void break_output(Graph *graph)
{
    Value *f = find_value(graph, "f");
    f->prev->next = NULL;
    graph->last = f->prev;
}

static const struct {
    Break *run;
    const char *rule, *about;
} breaks[] = {
    {break_order,       "an argument comes before its use",                     "%c = mul"   },
    {break_type,        "the type is what inference says, f32[1,4,5,5]",        "%d = add"   },
    {break_rule,        "conv2d: 4 input channels do not divide into 3 groups", "%a"         },
    {break_ids,         "ids are unique and below next_id",                     "%d = add"   },
    {break_id_range,    "ids are unique and below next_id",                     "%f = sub"   },
    {break_names,       "names are unique",                                     "%c"         },
    {break_source,      "an input or weight has a name",                        "%w = weight"},
    {break_data,        "data has the value's type",                            "%w = weight"},
    {break_layout,      "a layout names every dimension once",                  "%d = add"   },
    {break_panels,      "panels divide the outputs of each group",              "%w = weight"},
    {break_group_index, "a value's group exists",                               "%d = add"   },
    {break_group_reads, "only a group's last member is read outside",           "%d"         },
    {break_group_reads, "only a group's last member leaves it",                 "%b = relu"  },
    {break_anchor,      "a group's anchor is one of its members",               "%e = exp"   },
    {break_membership,  "a member knows its group",                             "%e = exp"   },
    {break_output,      "an output is in the graph",                            "%f = sub"   },
};

static bool has_line(const char *text, const char *rule, const char *about)
{
    const char *at = strstr(text, rule);
    const char *end = at ? strchr(at, '\n') : NULL;
    const char *value = at ? strstr(at, about) : NULL;
    return value && end && value < end;
}

static void test_verifier_finds(void)
{
    for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
        Arena *arena = arena_new();
        Graph *graph = read_graph(arena, network);
        CU_ASSERT_FATAL(graph && is_valid(arena, graph));
        breaks[i].run(graph);
        Text errors = text_new(arena);
        CU_ASSERT_FALSE(graph_verify(graph, &errors));
        bool said =
            has_line(text_str(&errors), breaks[i].rule, breaks[i].about);
        CU_ASSERT(said);
        if (!said)
            fprintf(stderr, "wanted: %s\nsaid:\n%s", breaks[i].rule,
                    text_str(&errors));
        arena_free(arena);
    }
}

static void test_verifier_finds_everything(void)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, network);
    break_rule(graph);
    break_layout(graph);
    break_names(graph);
    Text errors = text_new(arena);
    CU_ASSERT_FALSE(graph_verify(graph, &errors));
    int lines = 0;
    for (const char *c = text_str(&errors); *c; c++)
        lines += *c == '\n';
    CU_ASSERT_EQUAL(lines, 3);
    arena_free(arena);
}

static const UnitTest tests[] = {
    {"rows are complete",             test_rows_are_complete          },
    {"tables agree",                  test_tables_agree               },
    {"targets",                       test_targets                    },
    {"tensors",                       test_tensors                    },
    {"insert refuses",                test_insert_refuses             },
    {"add takes the place of like",   test_add_takes_the_place_of_like},
    {"replace and remove",            test_replace_and_remove         },
    {"move",                          test_move                       },
    {"fresh names",                   test_fresh_names                },
    {"shuffle keeps a valid order",   test_shuffle_keeps_a_valid_order},
    {"same seed, same order",         test_same_seed_same_order       },
    {"a copy stands alone",           test_copy_stands_alone          },
    {"known multiply-accumulates",    test_known_macs                 },
    {"the verifier finds",            test_verifier_finds             },
    {"the verifier finds everything", test_verifier_finds_everything  },
};

int main(void)
{
    return UNIT_RUN(tests);
}
