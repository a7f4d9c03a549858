/* Fast correlations and products: their matrices, the code made from matrices, and
 * convolutions computed so through lowering and the loop interpreter, against plain sums in
 * double. Also the rules of programs that they rest on: guards over several loop
 * variables, named indices, scratch of threads. */
#include "ir/bilinear.h"
#include "passes/pass.h"
#include "passes/transform.h"
#include "passes/strassen.h"
#include "passes/toom_cook.h"
#include "passes/winograd.h"
#include "tests/unit/graph_read.h"
#include "tests/unit/loop_build.h"
#include "tests/unit/program_error.h"
#include "tests/unit/unit.h"
#include <math.h>
#include <stdlib.h>

/* ---- matrices ---------------------------------------------------------- */

static double largest_error(const Bilinear *b)
{
    double x[MAX_POINTS], w[MAX_POINTS], products[MAX_POINTS], worst = 0;
    for (int i = 0; i < b->inputs; i++)
        x[i] = draw();
    for (int k = 0; k < b->taps; k++)
        w[k] = draw();
    for (int p = 0; p < b->points; p++) {
        double u = 0, v = 0;
        for (int k = 0; k < b->taps; k++)
            u += b->g[p][k] * w[k];
        for (int i = 0; i < b->inputs; i++)
            v += b->bt[p][i] * x[i];
        products[p] = u * v;
    }
    for (int o = 0; o < b->outputs; o++) {
        double direct = 0, fast = 0;
        for (int k = 0; k < b->taps; k++)
            direct += x[o * b->stride + k] * w[k];
        for (int p = 0; p < b->points; p++)
            fast += b->at[o][p] * products[p];
        worst = fmax(worst, fabs(direct - fast));
    }
    return worst;
}

static void test_matrices(void)
{
    int tried = 0;
    for (int outputs = 1; outputs <= BILINEAR_MOST; outputs++)
        for (int taps = 1; taps <= 5; taps++)
            for (int stride = 1; stride <= 2; stride++) {
                if (stride * (outputs - 1) + taps > MAX_POINTS ||
                    (stride == 2 && 2 * outputs + taps - 2 > MAX_POINTS))
                    continue;
                Bilinear b = bilinear_of(outputs, taps, stride);
                CU_ASSERT(largest_error(&b) < 1e-11);
                tried++;
            }
    CU_ASSERT(tried > 40);
    Bilinear b = bilinear_of(4, 3, 1), s = bilinear_of(4, 3, 2);
    CU_ASSERT(b.points == 6 && s.points == 9 && s.inputs == 9);
}

/* Weights transformed for a tile serve every smaller one: its points come first. */
static void check_smaller(const Bilinear *b)
{
    for (int outputs = 1; outputs < b->outputs; outputs++) {
        Bilinear s = bilinear_of(outputs, b->taps, b->stride);
        CU_ASSERT(s.points < b->points);
        for (int i = 0; i < s.points * s.taps; i++)
            CU_ASSERT(s.g[i / s.taps][i % s.taps] == b->g[i / s.taps][i % s.taps]);
    }
}

static void test_smaller_tiles(void)
{
    for (int stride = 1; stride <= 2; stride++)
        for (int taps = 2; taps <= 5; taps++)
            for (int outputs = 2; outputs <= (stride == 2 ? 4 : BILINEAR_MOST); outputs++) {
                Bilinear b = bilinear_of(outputs, taps, stride);
                check_smaller(&b);
            }
}

/* ---- code from matrices ------------------------------------------------ */

static void check_transform(const Matrix *matrix, int rows, int columns)
{
    Arena *arena = arena_new();
    Kernel *k = kernel_new(arena, "transform", 1);
    int x = param_add(arena, k, "x", DT_f32, columns * 16, ACCESS_read);
    int y = param_add(arena, k, "y", DT_f32, rows * 16, ACCESS_write);
    Build b = build_begin(arena, k);
    const Expr *in[MAX_POINTS], *out[MAX_POINTS];
    for (int i = 0; i < columns; i++)
        in[i] = build_let(&b, "x", expr_load(arena, k, x, index_const(i * 16), 16));
    transform_build(&b, &wide_target, matrix, rows, columns, in, out);
    for (int i = 0; i < rows; i++)
        build_store(&b, y, index_const(i * 16), out[i]);
    Program *p = program_of(arena, &wide_target, k);
    CU_ASSERT_STRING_EQUAL(errors_of(p), "");
    float *from = NEW(arena, float, columns * 16), *to = NEW(arena, float, rows * 16);
    for (int i = 0; i < columns * 16; i++)
        from[i] = (float)draw();
    run_program(p, from, to);
    for (int i = 0; i < rows * 16; i++) {
        double sum = 0;
        for (int c = 0; c < columns; c++)
            sum += (*matrix)[i / 16][c] * (double)from[c * 16 + i % 16];
        CU_ASSERT(fabs(sum - (double)to[i]) <= 2e-5 * (1 + fabs(sum)));
    }
    arena_free(arena);
}

static void test_transforms(void)
{
    for (int outputs = 1; outputs <= BILINEAR_MOST; outputs++)
        for (int stride = 1; stride <= 2; stride++) {
            if (stride == 2 && outputs > 5)
                continue;
            Bilinear b = bilinear_of(outputs, 3, stride);
            check_transform((const Matrix *)&b.bt, b.points, b.inputs);
            check_transform((const Matrix *)&b.at, b.outputs, b.points);
            check_transform((const Matrix *)&b.g, b.points, b.taps);
        }
}

static void test_any_matrix(void)
{
    const double entry[] = {0, 0, 1, -1, 2, -0.5, 0.25};
    for (int n = 0; n < 200; n++) {
        Matrix m = {{0}};
        int rows = 1 + n % 7, columns = 1 + n % 5;
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++)
                m[r][c] = entry[(int)((draw() + 1) * 3.49)];
        check_transform((const Matrix *)&m, rows, columns);
    }
}

/* ---- convolutions ------------------------------------------------------ */

static int pools_joined; /* of the last run, those that fuse_pool took */

static void count_pools(const Graph *graph)
{
    FOR_VALUES(v, graph)
        pools_joined += v->op == OP_max_pool2d && graph->groups.at[v->group].anchor != v;
}

static void force_schedule(void *context, const PassInfo *pass, const Graph *graph,
                           const Program *program)
{
    (void)program;
    const Schedule *schedule = context;
    if (strcmp(pass->name, "fuse_pool") == 0)
        count_pools(graph);
    if (strcmp(pass->name, "pack_weights") == 0 && schedule->algorithm == ALGORITHM_strassen)
        FOR_VALUES(v, graph)
            CU_ASSERT(v->op != OP_conv2d || v->schedule.algorithm == ALGORITHM_strassen);
    if (strcmp(pass->name, "schedule") != 0)
        return;
    FOR_VALUES(v, graph) {
        if (v->op != OP_conv2d)
            continue;
        if (schedule->algorithm == ALGORITHM_toom_cook)
            CU_ASSERT(v->schedule.algorithm == ALGORITHM_toom_cook);
        v->schedule = *schedule;
    }
}

/* The program's output beside the exact one; 1 when the schedule was not used. */
static double conv_error(const char *text, const char *target, Schedule schedule)
{
    return program_error(text, target, force_schedule, &schedule);
}

static const char *conv_text(char *out, size_t room, const int64_t *s)
{
    int64_t k = s[5] ? s[5] : 3, p = k / 2, groups = s[6] ? s[6] : 1;
    int64_t h = (s[2] + 2 * p - k) / s[4] + 1, w = (s[3] + 2 * p - k) / s[4] + 1;
    snprintf(out, room,
             "graph \"g\" {\n"
             "  %%x = input name=\"x\" : f32[1,%d,%d,%d]\n"
             "  %%w = weight name=\"w\" : f32[%d,%d,%d,%d]\n"
             "  %%b = weight name=\"b\" : f32[%d]\n"
             "  %%1 = conv2d %%x, %%w, %%b stride=[%d,%d] pad=[%d,%d,%d,%d] groups=%d : "
             "f32[1,%d,%d,%d]\n"
             "  %%2 = relu %%1 : f32[1,%d,%d,%d]\n"
             "  output \"y\" %%2\n}\n",
             (int)s[0], (int)s[2], (int)s[3], (int)s[1], (int)(s[0] / groups), (int)k, (int)k,
             (int)s[1], (int)s[4], (int)s[4], (int)p, (int)p, (int)p, (int)p, (int)groups,
             (int)s[1], (int)h, (int)w, (int)s[1], (int)h, (int)w);
    return out;
}

/* channels in, out, height, width, stride, kernel (0: 3), groups (0: 1) */
static const int64_t whole[][7] = {{16, 16, 1, 1, 1},  {16, 48, 7, 7, 1},  {32, 80, 5, 13, 1},
                                   {48, 144, 6, 4, 1}, {16, 32, 11, 1, 2}, {32, 128, 9, 8, 2},
                                   {16, 64, 14, 17, 1}};
/* A group is a panel, of 24 channels at most with vectors of 8. */
static const int64_t grouped[][7] = {{32, 32, 5, 7, 1, 3, 2}, {96, 48, 1, 11, 1, 3, 3},
                                     {48, 48, 9, 4, 2, 3, 3}, {32, 64, 6, 13, 2, 3, 2},
                                     {64, 192, 13, 6, 1, 3, 4}};
enum { GROUPED_NARROW = 3 };

/* ---- tiles of two sizes ------------------------------------------------ */

static bool is_at(int kind, int point)
{
    return point == REST || kind == WHOLE;
}

/* The tiles of a task that multiply at points of a kind are those, and no others. */
static void check_points(const Winograd *g, int down, int across)
{
    Tiles tiles = winograd_tiles(g, down, across);
    for (int i = 0; i < TILE_KINDS * TILE_KINDS; i++) {
        Region r = winograd_region(g, i / TILE_KINDS, i % TILE_KINDS);
        int64_t rows = g->by_panels ? r.rows : 1;
        bool multiplies = (!g->by_panels || is_at(r.down, down)) && is_at(r.across, across);
        for (int64_t tile = r.first; tile < r.first + rows * r.columns; tile++)
            CU_ASSERT((tile >= tiles.first && tile < tiles.first + tiles.count) == multiplies);
    }
}

/* The products along both sides, of all points. */
static int64_t check_tiles(const Winograd *g)
{
    enum { MOST = 1024 };
    bool seen[MOST] = {false};
    int64_t all = g->down.tiles * g->across.tiles, n = 0, products = 0;
    for (int down = 0; down < TILE_KINDS; down++)
        for (int across = 0; across < TILE_KINDS; across++) {
            Region r = winograd_region(g, down, across);
            for (int64_t i = r.number; i < r.number + r.rows * r.columns; i++, n++) {
                CU_ASSERT_FATAL(i >= 0 && i < all && all <= MOST);
                CU_ASSERT(!seen[i]);
                seen[i] = true;
            }
            products += r.rows * g->down.b[down].points * r.columns * g->across.b[across].points;
            if (g->down.points[down] && g->across.points[across])
                check_points(g, down, across);
        }
    CU_ASSERT(n == all);
    return products;
}

static void test_two_sizes(void)
{
    /* channels in, out, height, width, stride; tile; products down and across: one an
     * output and two a tile, with stride 2 two an output and one a tile */
    const int64_t shapes[][8] = {
        {64, 64, 56, 56, 1, 6, 76, 76},    {128, 128, 28, 28, 1, 6, 38, 38},
        {256, 256, 14, 14, 1, 5, 20, 20},  {512, 512, 7, 7, 1, 4, 11, 11},
        {128, 128, 30, 28, 1, 6, 40, 38},  {64, 256, 3, 17, 1, 6, 5, 23},
        {128, 128, 12, 18, 1, 6, 16, 24},  {64, 64, 2, 3, 1, 5, 4, 5},
        {128, 128, 28, 27, 2, 4, 32, 32},
    };
    Arena *arena = arena_new();
    char text[1024];
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int64_t *s = shapes[i], whole_shape[7] = {s[0], s[1], s[2], s[3], s[4]};
        Graph *graph = read_graph(arena, conv_text(text, sizeof text, whole_shape));
        for (int online = 0; online < 2; online++) {
            Schedule schedule = {online ? ALGORITHM_winograd_online : ALGORITHM_winograd,
                                 (int)s[5]};
            FOR_VALUES(v, graph) {
                if (v->op != OP_conv2d)
                    continue;
                Winograd g = winograd_of(v, schedule, target_find("x86-64-v4"));
                CU_ASSERT(check_tiles(&g) == s[6] * s[7]);
            }
        }
    }
    arena_free(arena);
}

/* Every tile of a side is one task's, tiles lie one after another, and of two smaller ones
 * each half of the tasks has one. */
static void check_side(const Side *side, int64_t extent)
{
    bool seen[64] = {false};
    int64_t at = 0, rests[2] = {0};
    CU_ASSERT_FATAL(side->tiles <= 64);
    for (int64_t tile = 0; tile < side->tiles; tile++) {
        CU_ASSERT(side_start(side, tile) == at);
        at += side->b[tile < side->count[WHOLE] ? WHOLE : REST].outputs;
    }
    CU_ASSERT(at == extent);
    for (int64_t task = 0; task < side->tiles; task++) {
        int64_t tile = side_tile_of_task(side, task);
        CU_ASSERT_FATAL(tile >= 0 && tile < side->tiles && !seen[tile]);
        seen[tile] = true;
        rests[2 * task / side->tiles] += tile >= side->count[WHOLE];
    }
    CU_ASSERT(side->count[REST] < 2 || (rests[0] == 1 && rests[1] == 1));
}

static void test_sides(void)
{
    Arena *arena = arena_new();
    char text[1024];
    for (int64_t extent = 1; extent <= 60; extent++) {
        const int64_t shape[7] = {16, 16, extent, 61 - extent, 1};
        Graph *graph = read_graph(arena, conv_text(text, sizeof text, shape));
        FOR_VALUES(v, graph)
            for (int tile = 2; v->op == OP_conv2d && tile <= BILINEAR_MOST; tile++) {
                Schedule schedule = {ALGORITHM_winograd, tile};
                Winograd g = winograd_of(v, schedule, target_find("x86-64-v4"));
                check_side(&g.down, extent);
                check_side(&g.across, 61 - extent);
            }
    }
    arena_free(arena);
}

/* The parts of a row of points: all of them, each as many as registers hold. */
static int parts_of_row(const Winograd *g, const Target *target)
{
    int parts = 0;
    for (int first = 0, count; first < side_points(&g->across); first += count, parts++) {
        int64_t sums = 0;
        count = winograd_points_held(g, target, first);
        CU_ASSERT_FATAL(count > 0);
        for (int p = first; p < first + count; p++)
            sums += winograd_tiles(g, REST, side_kind(&g->across, p)).count;
        CU_ASSERT(sums <= target->tile_rows * target->tile_vectors);
    }
    return parts;
}

static void test_held(void)
{
    /* channels in, out, height, width, stride; tile; parts with vectors of 16 and of 8 */
    const int64_t shapes[][8] = {{512, 512, 7, 7, 1, 4, 1, 0},    {64, 32, 3, 5, 1, 4, 1, 1},
                                 {256, 256, 14, 14, 1, 5, 0, 0},  {256, 512, 14, 14, 2, 4, 2, 0},
                                 {512, 512, 7, 7, 1, 2, 0, 0}};
    Arena *arena = arena_new();
    char text[1024];
    for (size_t i = 0; i < 2 * sizeof shapes / sizeof *shapes; i++) {
        const int64_t *s = shapes[i / 2], shape[7] = {s[0], s[1], s[2], s[3], s[4]};
        const Target *target = target_find(i % 2 ? "x86-64-v3" : "x86-64-v4");
        Graph *graph = read_graph(arena, conv_text(text, sizeof text, shape));
        FOR_VALUES(v, graph) {
            if (v->op != OP_conv2d)
                continue;
            Schedule schedule = {ALGORITHM_winograd_online, (int)s[5]};
            Winograd g = winograd_of(v, schedule, target);
            CU_ASSERT(g.held == s[6 + i % 2]);
            CU_ASSERT(!g.held || (g.width == target->lanes && parts_of_row(&g, target) == g.held));
        }
    }
    arena_free(arena);
}

static void check_algorithm(Algorithm algorithm, const char *target, const int64_t (*shapes)[7],
                            size_t count)
{
    char text[1024];
    for (size_t i = 0; i < count; i++)
        for (int tile = 2; tile <= (shapes[i][4] == 2 ? 4 : BILINEAR_MOST); tile++) {
            double error = conv_error(conv_text(text, sizeof text, shapes[i]), target,
                                      (Schedule){algorithm, tile});
            CU_ASSERT(error < 1e-4);
            if (!(error < 1e-4))
                fprintf(stderr, "%s(%d) for %s: error %g\n%s", algorithm_name[algorithm],
                        tile, target, error, text);
        }
}

static void test_convolutions(void)
{
    static const char *const widths[] = {"x86-64-v4", "x86-64-v3"};
    for (int i = 0; i < 2; i++) {
        check_algorithm(ALGORITHM_winograd, widths[i], whole, sizeof whole / sizeof *whole);
        check_algorithm(ALGORITHM_winograd_online, widths[i], whole,
                        sizeof whole / sizeof *whole);
        check_algorithm(ALGORITHM_winograd, widths[i], grouped,
                        i ? GROUPED_NARROW : sizeof grouped / sizeof *grouped);
    }
}

/* Few channels, wide windows: chosen by itself, on both vector widths. */
static void test_stems(void)
{
    const int64_t shapes[][7] = {{3, 64, 20, 20, 2, 7}, {3, 48, 14, 29, 2, 7},
                                 {1, 16, 12, 11, 2, 5}, {2, 80, 30, 18, 2, 5},
                                 {4, 32, 10, 14, 2, 5}};
    char text[1024];
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int wide = 0; wide < 2; wide++) {
            double error = conv_error(conv_text(text, sizeof text, shapes[i]),
                                      wide ? "x86-64-v4" : "x86-64-v3",
                                      (Schedule){ALGORITHM_toom_cook, TOOM_COOK_TILE});
            CU_ASSERT(error < 1e-5);
            if (!(error < 1e-5))
                fprintf(stderr, "error %g\n%s", error, text);
        }
}

/* With its max pooling in one pass: odd and even maps, one and several panels, rows that
 * are one task and many. */
static void test_pooled_stems(void)
{
    const int shapes[][4] = {/* channels in, out, height, width */
                             {3, 64, 70, 96}, {3, 16, 20, 20}, {3, 80, 44, 40},
                             {1, 32, 58, 40}, {3, 16, 26, 48}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int *s = shapes[i];
        int h = (s[2] - 1) / 2 + 1, w = (s[3] - 1) / 2 + 1;
        int ph = (h - 1) / 2 + 1, pw = (w - 1) / 2 + 1;
        char text[1024];
        snprintf(text, sizeof text,
                 "graph \"g\" {\n"
                 "  %%x = input name=\"x\" : f32[1,%d,%d,%d]\n"
                 "  %%w = weight name=\"w\" : f32[%d,%d,7,7]\n"
                 "  %%b = weight name=\"b\" : f32[%d]\n"
                 "  %%1 = conv2d %%x, %%w, %%b stride=[2,2] pad=[3,3,3,3] : f32[1,%d,%d,%d]\n"
                 "  %%2 = neg %%1 : f32[1,%d,%d,%d]\n"
                 "  %%3 = max_pool2d %%2 stride=[2,2] pad=[1,1,1,1] kernel=[3,3] : "
                 "f32[1,%d,%d,%d]\n"
                 "  %%4 = tanh %%3 : f32[1,%d,%d,%d]\n"
                 "  output \"y\" %%4\n}\n",
                 s[0], s[2], s[3], s[1], s[0], s[1], s[1], h, w, s[1], h, w, s[1], ph, pw, s[1],
                 ph, pw);
        pools_joined = 0;
        double error = conv_error(text, i % 2 ? "x86-64-v3" : "x86-64-v4",
                                  (Schedule){ALGORITHM_toom_cook, TOOM_COOK_TILE});
        CU_ASSERT(pools_joined == 1);
        CU_ASSERT(error < 1e-5);
        if (!(error < 1e-5) || pools_joined != 1)
            fprintf(stderr, "error %g, %d joined\n%s", error, pools_joined, text);
    }
}

/* Between operators that leave its input and its result to it, with an operand in its
 * chain. */
static const char *halves_text(char *out, size_t room, const int *s)
{
    int h = (s[2] - 1) / s[4] + 1, w = (s[3] - 1) / s[4] + 1;
    snprintf(out, room,
             "graph \"g\" {\n"
             "  %%x = input name=\"x\" : f32[1,%d,%d,%d]\n"
             "  %%r = reduce_mean %%x axes=[2,3] keepdims=true : f32[1,%d,1,1]\n"
             "  %%0 = add %%x, %%r : f32[1,%d,%d,%d]\n"
             "  %%w = weight name=\"w\" : f32[%d,%d,1,1]\n"
             "  %%b = weight name=\"b\" : f32[%d]\n"
             "  %%s = weight name=\"s\" : f32[1,%d,1,1]\n"
             "  %%1 = conv2d %%0, %%w, %%b stride=[%d,%d] : f32[1,%d,%d,%d]\n"
             "  %%2 = mul %%1, %%s : f32[1,%d,%d,%d]\n"
             "  %%3 = relu %%2 : f32[1,%d,%d,%d]\n"
             "  output \"y\" %%3\n}\n",
             s[0], s[2], s[3], s[0], s[0], s[2], s[3], s[1], s[0], s[1], s[1], s[4], s[4], s[1],
             h, w, s[1], h, w, s[1], h, w);
    return out;
}

/* Halves of one panel and of several, the last narrow; rows that are one block, and many
 * with rows left over, or evenly in tiles of two sizes; pixels of a stride. */
static void test_strassen(void)
{
    const int shapes[][5] = {/* channels in, out, height, width, stride */
                             {64, 128, 6, 8, 1},   {32, 192, 13, 14, 1}, {96, 160, 20, 17, 1},
                             {64, 256, 24, 15, 2}, {128, 128, 2, 59, 1},
                             {32, 128, 14, 14, 1}};
    char text[1024];
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int wide = 0; wide < 2; wide++) {
            double error = conv_error(halves_text(text, sizeof text, shapes[i]),
                                      wide ? "x86-64-v4" : "x86-64-v3",
                                      (Schedule){ALGORITHM_strassen, STRASSEN_LEVELS});
            CU_ASSERT(error < 1e-5);
            if (!(error < 1e-5))
                fprintf(stderr, "error %g\n%s", error, text);
        }
}

/* Blocks have all rows of a half, each once. */
static void check_blocks(const Blocks *b, int64_t rows)
{
    int64_t each = blocks_row(b), last = rows - (b->blocks - 1) * each;
    CU_ASSERT(last > 0 && last <= b->most && each <= b->most);
    if (b->fewer) {
        CU_ASSERT(last == each && b->tiles == b->block * b->blocks && b->rest == 0);
    } else {
        CU_ASSERT(b->tiles * b->rows + b->rest == rows);
    }
}

static void test_blocks(void)
{
    Arena *arena = arena_new();
    char text[1024];
    for (int height = 12; height < 60; height++)
        for (int threads = 1; threads <= 8; threads *= 2) {
            const int shape[] = {64, 128, height, 14, 1};
            const Graph *graph = read_graph(arena, halves_text(text, sizeof text, shape));
            FOR_VALUES(v, graph) {
                if (v->op != OP_conv2d)
                    continue;
                Strassen g = strassen_of(v, target_find("x86-64-v4"), threads);
                check_blocks(&g.blocks, g.rows);
                if (height == 14 && threads == 2)
                    CU_ASSERT(g.blocks.blocks == 2 && g.blocks.most == 49);
                if (height == 14 && threads == 4)
                    CU_ASSERT(g.blocks.blocks == 4);
            }
        }
    arena_free(arena);
}

/* Either side of a product moves in its own way, though both are one value. */
static void test_product_with_itself(void)
{
    static const char text[] =
        "graph \"g\" {\n"
        "  %x = input name=\"x\" : f32[1,16,4,6]\n"
        "  %w = weight name=\"w\" : f32[32,16,1,1]\n"
        "  %1 = conv2d %x, %w : f32[1,32,4,6]\n"
        "  %2 = reshape %1 shape=[1,32,24] : f32[1,32,24]\n"
        "  %3 = matmul %2, %2 transpose_b=true : f32[1,32,32]\n"
        "  output \"y\" %3\n}\n";
    CU_ASSERT(conv_error(text, "x86-64-v4", (Schedule){ALGORITHM_direct, 0}) < 1e-5);
}

/* Long reductions are cut, the rows into blocks: every sum all the same. */
static void test_stretches(void)
{
    const int64_t shapes[][7] = {{512, 70, 9, 9, 1}, {96, 65, 23, 19, 1}, {300, 16, 7, 31, 2}};
    char text[1024];
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        CU_ASSERT(conv_error(conv_text(text, sizeof text, shapes[i]), "x86-64-v4",
                             (Schedule){ALGORITHM_direct, 0}) < 1e-5);
}

/* ---- rules of programs -------------------------------------------------- */

/* y[8 * block + tile] for block * 3 + tile < limit of 8 elements in steps of 1. */
static const char *guarded(Arena *arena, int64_t limit, int64_t extent)
{
    Kernel *k = kernel_new(arena, "guarded", 3);
    int y = param_add(arena, k, "y", DT_f32, extent, ACCESS_write);
    Build b = build_begin(arena, k);
    const IVar *tile = build_for(&b, "tile", 3, false);
    Index at = index_add(index_mul(index_var(k->task), 3), index_var(tile));
    build_if_less(&b, at, limit);
    Index named = build_index(&b, "at", index_mul(at, 2));
    build_store(&b, y, index_plus(named, 1), expr_real(arena, 1, 1));
    build_end(&b);
    build_end(&b);
    return errors_of(program_of(arena, &wide_target, k));
}

/* y[16 * block + 2 * row - 6] where 8 * block + row is at least `low`, by its name. */
static const char *guarded_below(Arena *arena, int64_t low)
{
    Kernel *k = kernel_new(arena, "below", 3);
    int y = param_add(arena, k, "y", DT_f32, 16 * 3 - 6, ACCESS_write);
    Build b = build_begin(arena, k);
    const IVar *row = build_for(&b, "row", 8, false);
    Index at = build_index(&b, "at", index_add(index_mul(index_var(k->task), 8), index_var(row)));
    build_if_less(&b, at, low);
    build_else(&b);
    build_store(&b, y, index_plus(index_mul(at, 2), -6), expr_real(arena, 1, 1));
    build_end(&b);
    build_end(&b);
    return errors_of(program_of(arena, &wide_target, k));
}

static void test_guards(void)
{
    Arena *arena = arena_new();
    CU_ASSERT_STRING_EQUAL(guarded_below(arena, 3), "");
    CU_ASSERT_PTR_NOT_NULL(strstr(guarded_below(arena, 2), "an access stays inside"));
    CU_ASSERT_STRING_EQUAL(guarded(arena, 7, 14), "");
    CU_ASSERT_PTR_NOT_NULL(strstr(guarded(arena, 8, 14), "an access stays inside"));
    CU_ASSERT_PTR_NOT_NULL(strstr(guarded(arena, 7, 13), "an access stays inside"));
    arena_free(arena);
}

static const char *scratch_errors(Arena *arena, BufferKind buffer, int64_t stride,
                                  int64_t workspace)
{
    Kernel *k = kernel_new(arena, "scratch", 1);
    kernel_param(arena, k, (Param){.name = "t", .dtype = DT_f32, .extent = 16,
                                   .access = ACCESS_both, .noalias = true,
                                   .per_thread = true, .align = 64});
    Build b = build_begin(arena, k);
    build_store(&b, 0, index_const(0), expr_real(arena, 0, 16));
    Program *p = program_of(arena, &wide_target, k);
    p->max_threads = 4;
    p->workspace_bytes = workspace;
    p->steps.at[0].copied = buffer != BUF_scratch;
    p->steps.at[0].args.at[0] = (Arg){buffer, 0, 64, stride};
    return errors_of(p);
}

static void test_scratch(void)
{
    Arena *arena = arena_new();
    const BufferKind buffers[] = {BUF_scratch, BUF_copy};
    for (int i = 0; i < 2; i++) {
        BufferKind b = buffers[i];
        CU_ASSERT_STRING_EQUAL(scratch_errors(arena, b, 64, 64 + 4 * 64), "");
        CU_ASSERT_PTR_NOT_NULL(strstr(scratch_errors(arena, b, 32, 4096), "scratch lies apart"));
        CU_ASSERT_PTR_NOT_NULL(strstr(scratch_errors(arena, b, 64, 4 * 64), "inside its buffer"));
    }
    CU_ASSERT_PTR_NULL(strstr(scratch_errors(arena, BUF_copy, 64, 4096), "writes copies alone"));
    CU_ASSERT_PTR_NOT_NULL(strstr(scratch_errors(arena, BUF_output, 64, 4096),
                                  "writes copies alone"));
    arena_free(arena);
}

int main(void)
{
    static const UnitTest tests[] = {
        {"matrices give correlations", test_matrices},
        {"smaller tiles have part of the weights", test_smaller_tiles},
        {"transforms are their matrices", test_transforms},
        {"any matrix becomes code", test_any_matrix},
        {"tiles of two sizes", test_two_sizes},
        {"sides in tasks", test_sides},
        {"sums held in registers", test_held},
        {"convolutions by Winograd", test_convolutions},
        {"stems by Toom and Cook", test_stems},
        {"stems with their pooling", test_pooled_stems},
        {"products by Strassen", test_strassen},
        {"blocks of their rows", test_blocks},
        {"a product with itself", test_product_with_itself},
        {"reductions in stretches", test_stretches},
        {"guards over several variables", test_guards},
        {"scratch of threads", test_scratch},
    };
    return UNIT_RUN(tests);
}
