/* Random small networks through every stage: the graph as written, after each pass,
 * the loop interpreter, C by gcc and by clang, LLVM; for several targets. Many
 * networks are compiled as one graph, each with its own input and output.
 *
 *     random_networks TARGET COUNT SEED      prints the seed; on failure the graph too
 *
 * A network is a chain over a feature map (convolutions of all kinds, pooling,
 * normalisation, activations, residual sums, concatenation, slices, resizing), at
 * times ended by an attention over its pixels or of them, with odd extents and channels. */
#include "backends/verify.h"
#include "passes/nest.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOGETHER = 30, STEPS = 9 };

typedef struct Maker {
    Arena *arena;
    Graph *graph;
    uint64_t state;
    int serial;
} Maker;

static int64_t draw(Maker *m, int64_t low, int64_t high)
{
    m->state = m->state * 6364136223846793005u + 1442695040888963407u;
    return low + (int64_t)((m->state >> 33) % (uint64_t)(high - low + 1));
}

static const char *fresh(Maker *m, const char *what)
{
    return arena_printf(m->arena, "%s%d", what, m->serial++);
}

static Value *source(Maker *m, Op op, Shape shape)
{
    Type type = {DT_f32, shape};
    const char *name = fresh(m, op == OP_input ? "x" : "w");
    return graph_source(m->graph, op, name, type, (Span){0});
}

/* NULL when the operator does not take these: the caller keeps what it has. */
static Value *make(Maker *m, Op op, const Attrs *attrs, int nargs, Value *const *args)
{
    Value proto = {.op = op, .attr = *attrs, .stage = -1, .name = fresh(m, op_info[op].name)};
    Text why = text_new(m->arena);
    Value *v = graph_insert(m->graph, NULL, &proto, nargs, args, &why);
    return v && shape_count(&v->type.shape) <= 20000 ? v : NULL;
}

static Ints pair(int64_t a, int64_t b)
{
    return (Ints){2, {a, b}};
}

static int64_t channels_of(const Value *x)
{
    return x->type.shape.dim[1];
}

/* ---- operators over a map [1, C, H, W] ---------------------------------- */

static Value *random_conv(Maker *m, Value *x)
{
    const int64_t many[] = {1, 3, 8, 16, 17, 32, 48, 64, 70};
    Attrs a = attrs_default();
    int64_t inputs = channels_of(x), outputs = many[draw(m, 0, 8)], groups = 1;
    int64_t kh = draw(m, 1, 3), kw = draw(m, 0, 2) ? kh : draw(m, 1, 7);
    if (draw(m, 0, 3) == 0) {
        groups = draw(m, 0, 1) ? inputs : inputs % 4 ? 1 : 4;
        outputs = groups * draw(m, 1, 3);
    }
    int64_t stride = draw(m, 1, 2);
    a.groups = groups;
    a.stride = pair(stride, draw(m, 0, 3) ? stride : draw(m, 1, 3));
    a.dilation = pair(draw(m, 0, 3) ? 1 : 2, 1);
    a.pad = (Ints){4, {draw(m, 0, kh), draw(m, 0, kw), draw(m, 0, kh), draw(m, 0, kw)}};
    if (draw(m, 0, 1))
        a.pad = (Ints){4, {kh / 2, kw / 2, kh / 2, kw / 2}};
    Shape shape = shape_of(4, (int64_t[]){outputs, inputs / groups, kh, kw});
    Value *args[3] = {x, source(m, OP_weight, shape), NULL};
    int n = 2;
    if (draw(m, 0, 1))
        args[n++] = source(m, OP_weight, shape_of(1, &outputs));
    return make(m, OP_conv2d, &a, n, args);
}

static Value *random_pool(Maker *m, Value *x)
{
    Attrs a = attrs_default();
    int64_t k = draw(m, 1, 3);
    a.kernel = pair(k, draw(m, 1, 3));
    a.stride = pair(draw(m, 1, 2), draw(m, 1, 2));
    int64_t p = draw(m, 0, 1) && k > 1 ? 1 : 0;
    a.pad = (Ints){4, {p, 0, p, 0}};
    return make(m, draw(m, 0, 1) ? OP_max_pool2d : OP_avg_pool2d, &a, 1, &x);
}

static Value *random_norm(Maker *m, Value *x)
{
    Attrs a = attrs_default();
    int64_t c = channels_of(x);
    Value *args[5] = {x};
    for (int i = 1; i < 5; i++)
        args[i] = source(m, OP_weight, shape_of(1, &c));
    return make(m, OP_batch_norm, &a, 5, args);
}

static Value *random_unary(Maker *m, Value *x)
{
    const Op ops[] = {OP_relu, OP_sigmoid, OP_silu, OP_tanh, OP_abs, OP_neg, OP_gelu};
    Attrs a = attrs_default();
    a.mode = MODE_none;
    Op op = ops[draw(m, 0, 6)];
    if (op == OP_gelu)
        a.mode = draw(m, 0, 1) ? MODE_erf : MODE_tanh;
    return make(m, op, &a, 1, &x);
}

static Value *random_binary(Maker *m, Value *x, Value *const *before, int n)
{
    const Op ops[] = {OP_add, OP_sub, OP_mul, OP_maximum, OP_minimum};
    Attrs a = attrs_default();
    Value *args[2] = {x, before[draw(m, 0, n - 1)]};
    if (!shape_equal(&x->type.shape, &args[1]->type.shape)) {
        int64_t c = channels_of(x);
        args[1] = source(m, OP_weight, shape_of(3, (int64_t[]){c, 1, 1}));
    }
    return make(m, ops[draw(m, 0, 4)], &a, 2, args);
}

static Value *random_concat(Maker *m, Value *x, Value *const *before, int n)
{
    Attrs a = attrs_default();
    Value *other = before[draw(m, 0, n - 1)], *args[2] = {x, other};
    a.axis = 1;
    return make(m, OP_concat, &a, 2, args);
}

static Value *random_slice(Maker *m, Value *x)
{
    Attrs a = attrs_default();
    a.start.n = a.shape.n = a.step.n = 4;
    for (int d = 0; d < 4; d++) {
        int64_t extent = x->type.shape.dim[d];
        a.step.at[d] = d > 1 && draw(m, 0, 4) == 0 ? 2 : 1;
        a.start.at[d] = draw(m, 0, 3) ? 0 : draw(m, 0, extent / 3);
        int64_t most = (extent - a.start.at[d] - 1) / a.step.at[d] + 1;
        a.shape.at[d] = draw(m, 0, 2) ? most : draw(m, (most + 1) / 2, most);
    }
    return make(m, OP_slice, &a, 1, &x);
}

static Value *random_resize(Maker *m, Value *x)
{
    const Mode coords[] = {MODE_half_pixel, MODE_align_corners, MODE_asymmetric};
    Attrs a = attrs_default();
    a.mode = draw(m, 0, 1) ? MODE_nearest : MODE_bilinear;
    a.coords = coords[draw(m, 0, 2)];
    a.shape = (Ints){4, {1, channels_of(x), draw(m, 1, 19), draw(m, 1, 19)}};
    return make(m, OP_resize, &a, 1, &x);
}

static Value *random_pad(Maker *m, Value *x)
{
    Attrs a = attrs_default();
    a.mode = draw(m, 0, 1) ? MODE_constant : MODE_reflect;
    a.pad.n = 8;
    for (int i = 0; i < 8; i++)
        a.pad.at[i] = i % 4 > 1 ? draw(m, 0, 2) : 0;
    return make(m, OP_pad, &a, 1, &x);
}

static Value *random_softmax(Maker *m, Value *x)
{
    Attrs a = attrs_default();
    a.axis = draw(m, 1, 3);
    return make(m, OP_softmax, &a, 1, &x);
}

static Value *shaped(Maker *m, Value *x, int rank, const int64_t *dims)
{
    Attrs a = attrs_default();
    a.shape.n = rank;
    for (int d = 0; d < rank; d++)
        a.shape.at[d] = dims[d];
    return x ? make(m, OP_reshape, &a, 1, &x) : NULL;
}

/* Channels as two dimensions: of heads of neighbours, or of every so-many-th one. */
static Value *in_heads(Maker *m, Value *x, int64_t heads, bool spread)
{
    const int64_t *s = x->type.shape.dim, each = s[1] / heads;
    if (!spread)
        return shaped(m, x, 5, (int64_t[]){s[0], heads, each, s[2], s[3]});
    Attrs a = attrs_default();
    Value *y = shaped(m, x, 5, (int64_t[]){s[0], each, heads, s[2], s[3]});
    a.perm = (Ints){5, {0, 2, 1, 3, 4}};
    return make(m, OP_transpose, &a, 1, &y);
}

static Value *unfolded(Maker *m, Value *x, const Attrs *window)
{
    return x ? make(m, OP_unfold, window, 1, &x) : NULL;
}

/* Attention of each pixel (of every other, with a stride) over its window: products,
 * softmax over the window, weighted sum. */
static Value *random_window(Maker *m, Value *x)
{
    Attrs window = attrs_default(), a = attrs_default();
    Value *padded = random_pad(m, x);
    if (!padded || channels_of(x) > 96)
        return NULL;
    const int64_t *s = padded->type.shape.dim;
    window.kernel = (Ints){2, {draw(m, 1, s[2] < 7 ? s[2] : 7), draw(m, 1, s[3] < 5 ? s[3] : 5)}};
    window.stride = (Ints){2, {draw(m, 1, 2), draw(m, 1, 2)}};
    int64_t heads = divisor_below(channels_of(x), draw(m, 1, 9));
    bool spread = draw(m, 0, 1);
    Value *k = unfolded(m, in_heads(m, padded, heads, spread), &window);
    if (!k)
        return NULL;
    const int64_t *w = k->type.shape.dim;
    a.start.n = a.shape.n = a.step.n = 4;
    for (int d = 0; d < 4; d++)
        a.shape.at[d] = d < 2 ? s[d] : w[d + 3];
    Value *q = make(m, OP_slice, &a, 1, &padded);
    q = in_heads(m, q, heads, spread);
    q = shaped(m, q, 7, (int64_t[]){w[0], w[1], w[2], 1, 1, w[5], w[6]});
    a = attrs_default();
    a.axes = (Ints){1, {2}};
    a.axis = 2;
    Value *scores = make(m, OP_vecdot, &a, 2, (Value *[]){q, k});
    scores = shaped(m, scores, 5, (int64_t[]){w[0], w[1], w[3] * w[4], w[5], w[6]});
    scores = make(m, OP_softmax, &a, 1, &scores);
    scores = shaped(m, scores, 7, (int64_t[]){w[0], w[1], 1, w[3], w[4], w[5], w[6]});
    a.axes = (Ints){2, {3, 4}};
    Value *y = make(m, OP_vecdot, &a, 2, (Value *[]){scores, k});
    if (!spread)
        return shaped(m, y, 4, (int64_t[]){w[0], w[1] * w[2], w[5], w[6]});
    a.perm = (Ints){5, {0, 2, 1, 3, 4}};
    y = make(m, OP_transpose, &a, 1, &y);
    return shaped(m, y, 4, (int64_t[]){w[0], w[1] * w[2], w[5], w[6]});
}

/* What pixels make of their windows, channel by channel: how they differ, or all of a
 * window beside them; normed, and brought to other channels. */
static Value *random_relation(Maker *m, Value *x)
{
    Attrs window = attrs_default(), a = attrs_default();
    const int64_t *s = x->type.shape.dim;
    int64_t side = draw(m, 0, 1) + (s[2] > 4 && s[3] > 4);
    a.mode = draw(m, 0, 1) && s[2] > side && s[3] > side ? MODE_reflect : MODE_constant;
    a.pad = (Ints){8, {0, 0, side, side, 0, 0, side, side}};
    window.kernel = pair(2 * side + 1, 2 * side + 1);
    Value *k = unfolded(m, make(m, OP_pad, &a, 1, &x), &window);
    if (!k)
        return NULL;
    int64_t taps = window.kernel.at[0] * window.kernel.at[1];
    bool patch = draw(m, 0, 1);
    Value *y;
    if (patch) {
        y = shaped(m, k, 4, (int64_t[]){s[0], s[1] * taps, s[2], s[3]});
        a.axis = 1;
        if (y && draw(m, 0, 1))
            y = make(m, OP_concat, &a, 2, (Value *[]){x, y});
    } else {
        Value *q = shaped(m, x, 6, (int64_t[]){s[0], s[1], 1, 1, s[2], s[3]});
        y = make(m, OP_sub, &a, 2, (Value *[]){q, k});
        y = shaped(m, y, 4, (int64_t[]){s[0], s[1], taps, s[2] * s[3]});
    }
    if (!y)
        return NULL;
    y = random_norm(m, y);
    y = y ? make(m, OP_relu, &a, 1, &y) : NULL;
    if (!y)
        return NULL;
    Value *w = source(m, OP_weight, shape_of(4, (int64_t[]){draw(m, 1, 40), channels_of(y), 1, 1}));
    a = attrs_default();
    y = make(m, OP_conv2d, &a, 2, (Value *[]){y, w});
    a.axes = (Ints){1, {2}};
    if (patch || !y)
        return y;
    y = make(m, OP_reduce_max, &a, 1, &y);
    return shaped(m, y, 4, (int64_t[]){s[0], channels_of(y), s[2], s[3]});
}

static Value *random_step(Maker *m, Value *x, Value *const *before, int n)
{
    switch (draw(m, 0, 19)) {
    case 0: case 1: case 2: case 3: return random_conv(m, x);
    case 4: return random_pool(m, x);
    case 5: return random_norm(m, x);
    case 6: case 7: case 8: return random_unary(m, x);
    case 9: case 10: return random_binary(m, x, before, n);
    case 11: return random_concat(m, x, before, n);
    case 12: return random_slice(m, x);
    case 13: return random_resize(m, x);
    case 14: return random_pad(m, x);
    case 15: return random_softmax(m, x);
    case 16: case 17: return random_window(m, x);
    case 18: case 19: return random_relation(m, x);
    }
    return NULL;
}

/* ---- the end of a network ----------------------------------------------- */

/* Tokens: softmax over the pixels of a 1x1 convolution, then A^T X. */
static Value *tokens(Maker *m, Value *x)
{
    Attrs a = attrs_default();
    int64_t c = channels_of(x), hw = x->type.shape.dim[2] * x->type.shape.dim[3];
    int64_t count = draw(m, 1, 9);
    Value *w = source(m, OP_weight, shape_of(4, (int64_t[]){count, c, 1, 1}));
    Value *scores = make(m, OP_conv2d, &a, 2, (Value *[]){x, w});
    a.shape = (Ints){3, {1, count, hw}};
    Value *flat = make(m, OP_reshape, &a, 1, &scores);
    a.axis = 2;
    Value *soft = make(m, OP_softmax, &a, 1, &flat);
    a.shape = (Ints){3, {1, c, hw}};
    Value *map = make(m, OP_reshape, &a, 1, &x);
    a.transpose_b = true;
    return soft && map ? make(m, OP_matmul, &a, 2, (Value *[]){map, soft}) : NULL;
}

/* X + softmax over tokens of (X^T T), times T: every pixel takes of the tokens. */
static Value *projected(Maker *m, Value *x)
{
    Attrs a = attrs_default();
    int64_t c = channels_of(x), hw = x->type.shape.dim[2] * x->type.shape.dim[3];
    Value *t = tokens(m, x);
    a.shape = (Ints){3, {1, c, hw}};
    Value *map = make(m, OP_reshape, &a, 1, &x);
    if (!t || !map)
        return NULL;
    a.transpose_a = true;
    Value *scores = make(m, OP_matmul, &a, 2, (Value *[]){map, t});
    a.transpose_a = false;
    a.axis = 2;
    Value *soft = scores ? make(m, OP_softmax, &a, 1, &scores) : NULL;
    a.transpose_b = true;
    Value *y = soft ? make(m, OP_matmul, &a, 2, (Value *[]){t, soft}) : NULL;
    a.transpose_b = false;
    a.shape = (Ints){4, {1, c, x->type.shape.dim[2], x->type.shape.dim[3]}};
    y = y ? make(m, OP_reshape, &a, 1, &y) : NULL;
    return y ? make(m, OP_add, &a, 2, (Value *[]){x, y}) : NULL;
}

static Value *pooled(Maker *m, Value *x)
{
    Attrs a = attrs_default();
    const Op ops[] = {OP_reduce_sum, OP_reduce_mean, OP_reduce_max, OP_reduce_min};
    a.axes = draw(m, 0, 1) ? (Ints){2, {2, 3}} : (Ints){1, {1}};
    a.keepdims = draw(m, 0, 1);
    return make(m, ops[draw(m, 0, 3)], &a, 1, &x);
}

static void random_network(Maker *m)
{
    const int64_t some[] = {1, 3, 5, 16, 17, 32, 64};
    Shape shape = shape_of(4, (int64_t[]){1, some[draw(m, 0, 6)], draw(m, 1, 17),
                                          draw(m, 1, 17)});
    Value *made[STEPS + 1] = {source(m, OP_input, shape)};
    int n = 1;
    for (int64_t i = draw(m, 1, STEPS); i > 0; i--) {
        Value *next = random_step(m, made[n - 1], made, n);
        if (next)
            made[n++] = next;
    }
    Value *x = made[n - 1], *end = NULL;
    int64_t how = draw(m, 0, 4);
    if (how < 3)
        end = how == 0 ? tokens(m, x) : how == 1 ? pooled(m, x) : projected(m, x);
    Output out = {.name = fresh(m, "y"), .value = end ? end : x};
    VEC_PUSH(m->arena, m->graph->outputs, out);
}

/* ---- running ------------------------------------------------------------- */

static void fill(Maker *m, Graph *graph, const Tensor **inputs)
{
    int n = 0;
    FOR_VALUES(v, graph) {
        if (v->op != OP_weight && v->op != OP_input)
            continue;
        Tensor *t = tensor_new(m->arena, v->type);
        int64_t count = shape_count(&v->type.shape);
        double scale = v->type.shape.rank == 4 && v->op == OP_weight
                           ? 1.7 / (double)(1 + count / v->type.shape.dim[0])
                           : 1;
        for (int64_t i = 0; i < count; i++) /* all positive: some are variances */
            tensor_set(t, i, scale * (0.2 + (double)draw(m, 0, 1000) / 1000) *
                                 (v->type.shape.rank == 4 && draw(m, 0, 1) ? -1 : 1));
        if (v->op == OP_weight)
            v->data = t;
        else
            inputs[n++] = t;
    }
}

static bool run(const Target *target, uint64_t seed, int count, bool compile)
{
    static const char *const compilers[] = {"gcc", "clang", NULL};
    Maker m = {.arena = arena_new(), .state = seed};
    m.graph = graph_new(m.arena, "random");
    for (int i = 0; i < count; i++)
        random_network(&m);
    const Tensor *inputs[TOGETHER];
    fill(&m, m.graph, inputs);
    Text graph = text_new(m.arena), report = text_new(m.arena);
    graph_print(m.graph, (PrintStyle){0}, &graph);
    VerifyOptions options = {.target = target, .inputs = inputs, .exact = true, .by_size = true,
                             .compilers = compile ? compilers : NULL, .llvm = compile};
    Diag *diag = diag_new(m.arena);
    bool good = verify_graph(m.graph, &options, &report, diag);
    diag_print(diag, stderr, 0);
    printf("%s seed %llu, %d networks: %s\n%s", target->name, (unsigned long long)seed, count,
           good ? "agree" : "DIFFER", text_str(&report));
    if (!good && count == 1)
        printf("%s", text_str(&graph));
    arena_free(m.arena);
    return good;
}

int main(int argc, char **argv)
{
    const Target *target = argc > 3 ? target_find(argv[1]) : NULL;
    if (!target) {
        fprintf(stderr, "usage: random_networks TARGET COUNT SEED\n");
        return 2;
    }
    int count = atoi(argv[2]), failed = 0;
    uint64_t seed = strtoull(argv[3], NULL, 0);
    /* Each by itself through the interpreters: cheap, and names the network. */
    for (int i = 0; i < count; i++)
        failed += !run(target, seed + (uint64_t)i, 1, false);
    /* Together through the compilers. */
    for (int i = 0; i < count && !failed; i += TOGETHER)
        failed += !run(target, seed + (uint64_t)i, count - i < TOGETHER ? count - i : TOGETHER,
                       true);
    printf("%d networks for %s, %d failed\n", count, target->name, failed);
    return failed != 0;
}
