/* Convolution, products and attention as plain loops in double: the last word. */
#include "ir/eval.h"

/* ---- convolution --------------------------------------------------------- */

/* y += w * x, x moved by one tap of the window. */
static void add_tap(const Conv *conv, Taps rows, Taps columns, double w,
                    const double *x, double *y)
{
    for (int64_t oh = rows.begin; oh < rows.end; oh++) {
        const double *from =
            x + (oh * conv->stride[0] + rows.shift) * conv->in[1] + columns.shift;
        double *to = y + oh * conv->out[1];
        for (int64_t ow = columns.begin; ow < columns.end; ow++)
            to[ow] += w * from[ow * conv->stride[1]];
    }
}

/* One output map from the `inputs` maps of its group. */
static void add_maps(const Conv *conv, int64_t inputs, const double *x,
                     const double *w, double *y)
{
    for (int64_t ic = 0; ic < inputs; ic++)
        for (int64_t kh = 0; kh < conv->kernel[0]; kh++)
            for (int64_t kw = 0; kw < conv->kernel[1]; kw++)
                add_tap(conv, conv_taps(conv, 0, kh), conv_taps(conv, 1, kw), *w++,
                        x + ic * conv->in[0] * conv->in[1], y);
}

void exact_conv(const Value *v, const Result *args, Result *out)
{
    Conv conv = conv_of(v, args, out);
    int64_t inputs = conv.channels / conv.groups;
    int64_t per_group = conv.outputs / conv.groups;
    int64_t in_map = conv.in[0] * conv.in[1], out_map = conv.out[0] * conv.out[1];
    int64_t window = inputs * conv.kernel[0] * conv.kernel[1];
    for (int64_t i = 0; i < conv.images * conv.outputs; i++) {
        int64_t n = i / conv.outputs, oc = i % conv.outputs;
        const double *x = args[0].exact +
                          (n * conv.channels + oc / per_group * inputs) * in_map;
        double *y = out->exact + i * out_map;
        for (int64_t p = 0; p < out_map; p++)
            y[p] = v->nargs == 3 ? args[2].exact[oc] : 0;
        add_maps(&conv, inputs, x, args[1].exact + oc * window, y);
    }
}

/* ---- products ------------------------------------------------------------ */

static double dot(const double *a, int64_t a_step, const double *b, int64_t b_step,
                  int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i * a_step] * b[i * b_step];
    return sum;
}

void exact_linear(const Value *v, const Result *args, Result *out)
{
    const Shape *w = &args[1].type.shape;
    int64_t outputs = w->dim[0], inputs = w->dim[1];
    for (int64_t i = 0; i < shape_count(&out->type.shape); i++) {
        int64_t row = i / outputs, o = i % outputs;
        double bias = v->nargs == 3 ? args[2].exact[o] : 0;
        out->exact[i] = bias + dot(args[0].exact + row * inputs, 1,
                                   args[1].exact + o * inputs, 1, inputs);
    }
}

void exact_matmul(const Value *v, const Result *args, Result *out)
{
    Product p = product_of(v, args, out);
    double *y = out->exact;
    for (int64_t batch = 0; batch < p.batches; batch++) {
        const double *a = args[0].exact + batch_start(&args[0].type.shape,
                                                      &out->type.shape, batch);
        const double *b = args[1].exact + batch_start(&args[1].type.shape,
                                                      &out->type.shape, batch);
        for (int64_t i = 0; i < p.m; i++)
            for (int64_t j = 0; j < p.n; j++)
                *y++ = dot(a + i * p.a_row, p.a_col, b + j * p.b_col, p.b_row, p.k);
    }
}

/* ---- attention ----------------------------------------------------------- */

/* One query of one head; k and values start at that head's first channel. */
static void attend(const Heads *h, double scale, const double *q,
                   const Result *args, int64_t k_start, int64_t v_start,
                   double *scores, double *y)
{
    const double *k = args[1].exact + k_start, *values = args[2].exact + v_start;
    for (int64_t i = 0; i < h->keys; i++)
        scores[i] = scale * dot(q, 1, k + i * h->width, 1, h->head_width);
    exact_softmax(scores, h->keys, 1);
    for (int64_t j = 0; j < h->head_depth; j++)
        y[j] = dot(scores, 1, values + j, h->depth, h->keys);
}

void exact_attention(const Value *v, const Result *args, Result *out)
{
    Heads h = heads_of(v, args);
    Arena *scratch = arena_new();
    double *scores = NEW(scratch, double, h.keys);
    for (int64_t n = 0; n < h.batches; n++)
        for (int64_t query = 0; query < h.queries; query++)
            for (int64_t head = 0; head < h.heads; head++) {
                int64_t row = n * h.queries + query;
                const double *q =
                    args[0].exact + row * h.width + head * h.head_width;
                double *y = out->exact + row * h.depth + head * h.head_depth;
                attend(&h, v->attr.scale, q, args,
                       n * h.keys * h.width + head * h.head_width,
                       n * h.keys * h.depth + head * h.head_depth, scores, y);
            }
    arena_free(scratch);
}
