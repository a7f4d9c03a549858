/* value_macs by hand, for every operator that multiplies weights or two values, and
 * its nothing for all others. */
#include "tests/unit/graph_read.h"
#include "tests/unit/unit.h"

typedef struct Case {
    const char *name; /* of the value in the graph */
    int64_t macs;
} Case;

static const char text[] =
    "graph \"macs\" {\n"
    "  %x = input name=\"x\" : f32[2,12,9,7]\n"
    "  %w = weight name=\"w\" : f32[8,12,3,5]\n"
    "  %b = weight name=\"b\" : f32[8]\n"
    "  %dense = conv2d %x, %w, %b stride=[2,1] pad=[1,2,1,2] : f32[2,8,5,7]\n"
    "  %wg = weight name=\"wg\" : f32[24,3,1,1]\n"
    "  %grouped = conv2d %x, %wg groups=4 : f32[2,24,9,7]\n"
    "  %wd = weight name=\"wd\" : f32[12,1,3,3]\n"
    "  %depthwise = conv2d %x, %wd groups=12 dilation=[2,2] : f32[2,12,5,3]\n"
    "  %s = input name=\"s\" : f32[2,12,11]\n"
    "  %w1 = weight name=\"w1\" : f32[6,4,3]\n"
    "  %line = conv1d %s, %w1 groups=3 pad=[1,1] : f32[2,6,11]\n"
    "  %wl = weight name=\"wl\" : f32[5,11]\n"
    "  %linear = linear %s, %wl : f32[2,12,5]\n"
    "  %t = input name=\"t\" : f32[3,1,11,12]\n"
    "  %nn = matmul %t, %s : f32[3,2,11,11]\n"
    "  %tn = matmul %s, %s transpose_a=true : f32[2,11,11]\n"
    "  %nt = matmul %s, %s transpose_b=true : f32[2,12,12]\n"
    "  %q = input name=\"q\" : f32[2,5,16]\n"
    "  %k = input name=\"k\" : f32[2,9,16]\n"
    "  %v = input name=\"v\" : f32[2,9,24]\n"
    "  %heads = attention %q, %k, %v heads=4 scale=0.5 : f32[2,5,24]\n"
    "  %windows = unfold %x kernel=[3,5] stride=[2,1] : f32[2,12,3,5,4,3]\n"
    "  %query = input name=\"query\" : f32[2,12,1,1,4,3]\n"
    "  %dot = vecdot %query, %windows axes=[1] : f32[2,3,5,4,3]\n"
    "  %relu = relu %dense : f32[2,8,5,7]\n"
    "  %sum = add %relu, %dense : f32[2,8,5,7]\n"
    "  %scaled = mul %sum, %relu : f32[2,8,5,7]\n"
    "  %pooled = avg_pool2d %scaled kernel=[2,2] stride=[2,2] : f32[2,8,2,3]\n"
    "  output \"a\" %pooled\n"
    "  output \"b\" %grouped\n"
    "  output \"c\" %depthwise\n"
    "  output \"d\" %line\n"
    "  output \"e\" %linear\n"
    "  output \"f\" %nn\n"
    "  output \"g\" %tn\n"
    "  output \"h\" %nt\n"
    "  output \"i\" %heads\n"
    "  output \"j\" %dot\n"
    "}\n";

static const Case cases[] = {
    {"dense", 2 * 8 * 5 * 7 * (12 * 3 * 5)},
    {"grouped", 2 * 24 * 9 * 7 * 3},
    {"depthwise", 2 * 12 * 5 * 3 * 9},
    {"line", 2 * 6 * 11 * (4 * 3)},
    {"linear", 2 * 12 * 5 * 11},
    {"nn", 3 * 2 * 11 * 11 * 12},
    {"tn", 2 * 11 * 11 * 12},
    {"nt", 2 * 12 * 12 * 11},
    {"heads", 2 * 5 * 9 * 16 + 2 * 5 * 9 * 24},
    {"windows", 0},
    {"dot", 2 * 12 * (3 * 5) * (4 * 3)},
    {"relu", 0},
    {"sum", 0},
    {"scaled", 0},
    {"pooled", 0},
};
enum { CASES = sizeof cases / sizeof *cases };

static void test_by_hand(void)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    int64_t total = 0;
    for (int i = 0; i < CASES; i++) {
        const Value *v = find_value(graph, cases[i].name);
        CU_ASSERT_PTR_NOT_NULL_FATAL(v);
        if (value_macs(v) != cases[i].macs)
            fprintf(stderr, "%s: %lld, by hand %lld\n", cases[i].name,
                    (long long)value_macs(v), (long long)cases[i].macs);
        CU_ASSERT_EQUAL(value_macs(v), cases[i].macs);
        total += cases[i].macs;
    }
    CU_ASSERT_EQUAL(graph_macs(graph), total);
    arena_free(arena);
}

/* A new operator that multiplies must be counted, and have its case above. */
static void test_every_product(void)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    for (int op = 0; op < OP_COUNT; op++) {
        OpClass class = op_info[op].class;
        bool counts = class == CLASS_conv || class == CLASS_product || class == CLASS_dot ||
                      class == CLASS_attention;
        bool found = false;
        FOR_VALUES(v, graph)
            found = found || ((int)v->op == op && value_macs(v) > 0);
        if (counts && !found)
            fprintf(stderr, "%s: no case\n", op_info[op].name);
        CU_ASSERT_EQUAL(found, counts);
    }
    arena_free(arena);
}

int main(void)
{
    static const UnitTest tests[] = {
        {"by hand", test_by_hand},
        {"every product", test_every_product},
    };
    return UNIT_RUN(tests);
}
