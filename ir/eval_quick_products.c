/* Convolution, products and attention in float through OpenBLAS: convolution is
 * im2col and one product per group, in pieces that fit into a buffer. */
#include "ir/eval.h"
#include <cblas.h>
#include <string.h>

enum { PIECE = 1 << 22 }; /* floats of the im2col buffer and of scores */

static int64_t at_least_one(int64_t n)
{
    return n > 1 ? n : 1;
}

/* A matrix as OpenBLAS sees it: row-major, or its transpose. */
typedef struct Matrix {
    const float *at;
    int64_t step; /* from one row to the next, as it lies in memory */
    bool transposed;
} Matrix;

/* y[m,n] = factor * a[m,k] b[k,n] + keep * y */
typedef struct Gemm {
    int64_t m, n, k;
    float factor, keep;
} Gemm;

static void gemm(Gemm g, Matrix a, Matrix b, float *y, int64_t y_step)
{
    cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
                b.transposed ? CblasTrans : CblasNoTrans, (blasint)g.m,
                (blasint)g.n, (blasint)g.k, g.factor, a.at, (blasint)a.step, b.at,
                (blasint)b.step, g.keep, y, (blasint)y_step);
}

/* ---- convolution --------------------------------------------------------- */

/* Elements [from, to) of one output row at one tap: x or zero. */
static void tap_row(const Conv *conv, Taps taps, const float *row, int64_t from,
                    int64_t to, float *column)
{
    int64_t begin = taps.begin > from ? taps.begin : from;
    int64_t end = taps.end < to ? taps.end : to, stride = conv->stride[1];
    if (!row || begin >= end) {
        memset(column, 0, sizeof *column * (size_t)(to - from));
        return;
    }
    memset(column, 0, sizeof *column * (size_t)(begin - from));
    for (int64_t ow = begin; ow < end; ow++)
        column[ow - from] = row[ow * stride + taps.shift];
    memset(column + (end - from), 0, sizeof *column * (size_t)(to - end));
}

/* Output positions [from, to) of one map at one tap (kh, kw). */
static void tap_positions(const Conv *conv, Taps rows, Taps columns, const float *x,
                          int64_t from, int64_t to, float *column)
{
    int64_t width = conv->out[1];
    for (int64_t p = from, stop; p < to; p = stop) {
        int64_t oh = p / width, start = oh * width;
        stop = start + width < to ? start + width : to;
        bool inside = oh >= rows.begin && oh < rows.end;
        const float *row =
            inside ? x + (oh * conv->stride[0] + rows.shift) * conv->in[1] : NULL;
        tap_row(conv, columns, row, p - start, stop - start, column + (p - from));
    }
}

/* columns[k][p - from], k over (channel, kh, kw) of a group. */
static void im2col(const Conv *conv, const float *x, int64_t from, int64_t to,
                   float *columns)
{
    for (int64_t ic = 0; ic < conv->channels / conv->groups; ic++)
        for (int64_t kh = 0; kh < conv->kernel[0]; kh++)
            for (int64_t kw = 0; kw < conv->kernel[1]; kw++) {
                tap_positions(conv, conv_taps(conv, 0, kh), conv_taps(conv, 1, kw),
                              x + ic * conv->in[0] * conv->in[1], from, to, columns);
                columns += to - from;
            }
}

/* The columns of a 1x1 convolution are the map itself. */
static bool is_pointwise(const Conv *conv)
{
    return conv->kernel[0] * conv->kernel[1] == 1 && conv->stride[0] == 1 &&
           conv->stride[1] == 1 && conv->in[0] == conv->out[0] &&
           conv->in[1] == conv->out[1];
}

/* One group of one image; y holds the bias already. */
static void conv_group(const Conv *conv, const float *x, const float *w, float *y,
                       float *columns)
{
    int64_t map = conv->out[0] * conv->out[1];
    Gemm g = {.m = conv->outputs / conv->groups,
              .n = map,
              .k = conv->channels / conv->groups * conv->kernel[0] * conv->kernel[1],
              .factor = 1,
              .keep = 1};
    Matrix weights = {.at = w, .step = g.k};
    if (!columns) {
        gemm(g, weights, (Matrix){.at = x, .step = map}, y, map);
        return;
    }
    int64_t piece = at_least_one(PIECE / g.k);
    for (int64_t from = 0; from < map; from += piece) {
        int64_t to = from + piece < map ? from + piece : map;
        g.n = to - from;
        im2col(conv, x, from, to, columns);
        gemm(g, weights, (Matrix){.at = columns, .step = g.n}, y + from, map);
    }
}

static void fill_bias(const Conv *conv, const float *bias, float *y)
{
    int64_t map = conv->out[0] * conv->out[1];
    for (int64_t i = 0; i < conv->images * conv->outputs; i++)
        for (int64_t p = 0; p < map; p++)
            *y++ = bias ? bias[i % conv->outputs] : 0;
}

void quick_conv(const Value *v, const Result *args, Result *out)
{
    Conv conv = conv_of(v, args, out);
    int64_t inputs = conv.channels / conv.groups;
    int64_t outputs = conv.outputs / conv.groups;
    int64_t window = inputs * conv.kernel[0] * conv.kernel[1];
    int64_t in_map = conv.in[0] * conv.in[1], out_map = conv.out[0] * conv.out[1];
    Arena *scratch = arena_new();
    int64_t room = out_map < at_least_one(PIECE / window)
                       ? out_map
                       : at_least_one(PIECE / window);
    float *columns = is_pointwise(&conv) ? NULL : NEW(scratch, float, window * room);
    fill_bias(&conv, v->nargs == 3 ? args[2].quick : NULL, out->quick);
    for (int64_t i = 0; i < conv.images * conv.groups; i++)
        conv_group(&conv, args[0].quick + i * inputs * in_map,
                   args[1].quick + i % conv.groups * outputs * window,
                   out->quick + i * outputs * out_map, columns);
    arena_free(scratch);
}

/* ---- products ------------------------------------------------------------ */

void quick_linear(const Value *v, const Result *args, Result *out)
{
    const Shape *w = &args[1].type.shape;
    int64_t outputs = w->dim[0], inputs = w->dim[1];
    int64_t rows = shape_count(&out->type.shape) / outputs;
    for (int64_t i = 0; i < rows * outputs; i++)
        out->quick[i] = v->nargs == 3 ? args[2].quick[i % outputs] : 0;
    gemm((Gemm){rows, outputs, inputs, 1, 1},
         (Matrix){.at = args[0].quick, .step = inputs},
         (Matrix){.at = args[1].quick, .step = inputs, .transposed = true},
         out->quick, outputs);
}

static Matrix matrix_of(const Result *arg, const Result *out, int64_t batch,
                        bool transposed)
{
    const Shape *s = &arg->type.shape;
    return (Matrix){.at = arg->quick + batch_start(s, &out->type.shape, batch),
                    .step = s->dim[s->rank - 1],
                    .transposed = transposed};
}

void quick_matmul(const Value *v, const Result *args, Result *out)
{
    Product p = product_of(v, args, out);
    for (int64_t batch = 0; batch < p.batches; batch++)
        gemm((Gemm){p.m, p.n, p.k, 1, 0},
             matrix_of(&args[0], out, batch, v->attr.transpose_a),
             matrix_of(&args[1], out, batch, v->attr.transpose_b),
             out->quick + batch * p.m * p.n, p.n);
}

/* ---- attention ----------------------------------------------------------- */

/* One head of one batch; all four start at that head's first channel. */
typedef struct Head {
    const float *q, *k, *v;
    float *y;
} Head;

static void attend(const Heads *h, float scale, Head head, float *scores)
{
    int64_t piece = at_least_one(PIECE / h->keys);
    for (int64_t from = 0; from < h->queries; from += piece) {
        int64_t n = from + piece < h->queries ? piece : h->queries - from;
        gemm((Gemm){n, h->keys, h->head_width, scale, 0},
             (Matrix){.at = head.q + from * h->width, .step = h->width},
             (Matrix){.at = head.k, .step = h->width, .transposed = true}, scores,
             h->keys);
        for (int64_t i = 0; i < n; i++)
            quick_softmax(scores + i * h->keys, h->keys, 1);
        gemm((Gemm){n, h->head_depth, h->keys, 1, 0},
             (Matrix){.at = scores, .step = h->keys},
             (Matrix){.at = head.v, .step = h->depth}, head.y + from * h->depth,
             h->depth);
    }
}

void quick_attention(const Value *v, const Result *args, Result *out)
{
    Heads h = heads_of(v, args);
    Arena *scratch = arena_new();
    int64_t rows = at_least_one(PIECE / h.keys);
    float *scores =
        NEW(scratch, float, h.keys * (rows < h.queries ? rows : h.queries));
    for (int64_t i = 0; i < h.batches * h.heads; i++) {
        int64_t n = i / h.heads, head = i % h.heads;
        int64_t width = head * h.head_width, depth = head * h.head_depth;
        attend(&h, (float)v->attr.scale,
               (Head){args[0].quick + n * h.queries * h.width + width,
                      args[1].quick + n * h.keys * h.width + width,
                      args[2].quick + n * h.keys * h.depth + depth,
                      out->quick + n * h.queries * h.depth + depth},
               scores);
    }
    arena_free(scratch);
}
