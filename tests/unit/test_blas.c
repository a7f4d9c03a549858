/* Products that a library computes: the statement of the loop IR, which values become one,
 * and how they are shared out among tasks. */
#include "passes/blas.h"
#include "passes/pass.h"
#include "tests/unit/graph_read.h"
#include "tests/unit/loop_build.h"
#include "tests/unit/unit.h"
#include <math.h>
#include <stdlib.h>

enum { ROWS = 3, COLUMNS = 5, DEPTH = 4, STEP = 7 };

/* y = x w, each of x and w as it lies or transposed; y's rows STEP apart. */
static Program *product_program(Arena *arena, bool left, bool right, int64_t extent)
{
    Kernel *k = kernel_new(arena, "product", 1);
    int x = param_add(arena, k, "x", DT_f32, 64, ACCESS_read);
    int w = param_add(arena, k, "w", DT_f32, 64, ACCESS_read);
    int y = param_add(arena, k, "y", DT_f32, extent, ACCESS_write);
    Build b = build_begin(arena, k);
    Product p = {.rows = ROWS, .columns = COLUMNS, .depth = DEPTH, .step = STEP,
                 .left = {x, index_const(2), left ? ROWS + 1 : DEPTH + 1, left},
                 .right = {w, index_const(1), right ? DEPTH + 2 : COLUMNS + 2, right}};
    build_product(&b, y, index_const(3), &p);
    return program_of(arena, &wide_target, k);
}

static double element(const float *at, const MatrixAt *m, int r, int c)
{
    return (double)at[m->at.base + (m->transposed ? c * m->step + r : r * m->step + c)];
}

static void test_products(void)
{
    for (int form = 0; form < 4; form++) {
        Arena *arena = arena_new();
        Program *p = product_program(arena, form & 1, form & 2, 3 + 2 * STEP + COLUMNS);
        CU_ASSERT_STRING_EQUAL(errors_of(p), "");
        CU_ASSERT_STRING_EQUAL(emit_errors_of(p), "");
        CU_ASSERT(program_has_products(p));
        CU_ASSERT(step_macs(&p->steps.at[0]) == ROWS * COLUMNS * DEPTH);
        float weights[128], y[64] = {0};
        for (int i = 0; i < 128; i++)
            weights[i] = (float)(i * 37 % 19 - 9);
        run_program(p, weights, y);
        const Product *product = p->kernels.at[0]->body.first->product;
        for (int r = 0; r < ROWS; r++)
            for (int c = 0; c < COLUMNS; c++) {
                double sum = 0;
                for (int k = 0; k < DEPTH; k++)
                    sum += element(weights, &product->left, r, k) *
                           element(weights + 64, &product->right, k, c);
                CU_ASSERT((double)y[3 + r * STEP + c] == sum);
            }
        CU_ASSERT(y[2] == 0 && y[3 + COLUMNS] == 0);
        arena_free(arena);
    }
}

static void test_printed(void)
{
    Arena *arena = arena_new();
    Program *p = product_program(arena, false, true, 64);
    CU_ASSERT_PTR_NOT_NULL(strstr(body_of(p), "y[3 by 7] = product 3x5x4 x[2 by 5] * "
                                              "w[1 by 6 transposed]"));
    arena_free(arena);
}

static void test_rules(void)
{
    Arena *arena = arena_new();
    Program *p = product_program(arena, false, false, 3 + 2 * STEP + COLUMNS - 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(errors_of(p), "an access stays inside its parameter: y"));
    p = product_program(arena, false, false, 64);
    p->kernels.at[0]->body.first->product->right.step = COLUMNS - 1;
    CU_ASSERT_PTR_NOT_NULL(strstr(errors_of(p), "rows of a matrix lie apart: w"));
    p = product_program(arena, false, false, 64);
    p->kernels.at[0]->body.first->product->left.at = index_const(64 - 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(errors_of(p), "an access stays inside its parameter: x"));
    p = product_program(arena, false, false, 64);
    p->kernels.at[0]->body.first->param = 0;
    CU_ASSERT_PTR_NOT_NULL(strstr(errors_of(p), "reads and writes f32 as its parameters allow"));
    arena_free(arena);
}

/* ---- which and how ------------------------------------------------------ */

/* Of these the input's convolutions stay: its channels lie far apart, and one has a stride,
 * one a window. */
static const char network[] =
    "graph \"g\" {\n"
    "  %x = input name=\"x\" : f32[1,64,20,20]\n"
    "  %w = weight name=\"w\" : f32[128,64,1,1]\n"
    "  %w3 = weight name=\"w3\" : f32[64,64,3,3]\n"
    "  %wl = weight name=\"wl\" : f32[96,128]\n"
    "  %wide = conv2d %x, %w : f32[1,128,20,20]\n"
    "  %half = conv2d %x, %w stride=[2,2] : f32[1,128,10,10]\n"
    "  %same = conv2d %x, %w3 pad=[1,1,1,1] : f32[1,64,20,20]\n"
    "  %flat = reshape %wide shape=[1,128,400] : f32[1,128,400]\n"
    "  %turned = transpose %flat perm=[0,2,1] : f32[1,400,128]\n"
    "  %line = linear %turned, %wl : f32[1,400,96]\n"
    "  %both = matmul %line, %turned transpose_a=true : f32[1,96,128]\n"
    "  %few = matmul %both, %flat : f32[1,96,400]\n"
    "  output \"half\" %half\n"
    "  output \"same\" %same\n"
    "  output \"few\" %few\n}\n";

static void count_calls(void *context, const PassInfo *pass, const Graph *graph,
                        const Program *program)
{
    (void)program;
    if (strcmp(pass->name, "pack_weights") != 0)
        return;
    FOR_VALUES(v, graph)
        *(int *)context += v->schedule.algorithm == ALGORITHM_blas;
}

static int calls_of(bool blas, bool plain)
{
    Arena *arena = arena_new();
    Graph *graph = read_graph(arena, network);
    int calls = 0;
    PipelineOptions options = {.check = true, .after = count_calls, .context = &calls};
    Program *p = NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    graph->options = (Options){.blas = blas, .plain = plain, .max_threads = 2};
    CU_ASSERT(pipeline_run(graph, target_find("x86-64-v3"), &options, &p, diag_new(arena)));
    CU_ASSERT(program_has_products(p) == (calls > 0));
    arena_free(arena);
    return calls;
}

static void test_choice(void)
{
    CU_ASSERT(calls_of(true, false) == 3);
    CU_ASSERT(calls_of(true, true) == 0);
    CU_ASSERT(calls_of(false, false) == 0);
}

static void test_parts(void)
{
    for (int64_t rows = 1; rows < 200; rows += 7)
        for (int64_t columns = 1; columns < 200; columns += 5) {
            BlasParts p = blas_parts(rows, columns);
            int64_t extent = p.by_columns ? columns : rows;
            CU_ASSERT(p.tasks >= 1 && p.part >= 1);
            CU_ASSERT((p.tasks - 1) * p.part < extent && extent <= p.tasks * p.part);
        }
    CU_ASSERT(blas_parts(1, 1000).by_columns && blas_parts(1, 1000).tasks > 1);
    CU_ASSERT(!blas_parts(784, 128).by_columns && blas_parts(784, 128).tasks > 1);
}

int main(void)
{
    static const UnitTest tests[] = {
        {"products of matrices", test_products},
        {"products as text", test_printed},
        {"rules of products", test_rules},
        {"which values a library computes", test_choice},
        {"tasks cover all", test_parts},
    };
    return UNIT_RUN(tests);
}
