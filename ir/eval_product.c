/* Convolutions and products. The quick mode gathers windows and calls dgemm. */
#include "ir/eval_plain.h"
#include <cblas.h>
#include <stdlib.h>
#include <string.h>

/* Every convolution as two-dimensional. */
typedef struct Conv {
    int64_t n, c, h, w, o, oh, ow, kh, kw, groups;
    int64_t stride_h, stride_w, dilation_h, dilation_w, top, left;
} Conv;

static Conv conv_of(const Eval *e)
{
    const int64_t *x = e->arg[0].type.shape.dim, *k = e->arg[1].type.shape.dim;
    const int64_t *y = e->out->type.shape.dim;
    const Attrs *a = &e->v->attr;
    if (e->v->op == OP_conv1d)
        return (Conv){x[0], x[1], 1, x[2], k[0], 1, y[2], 1, k[2], a->groups,
                      1, a->stride.at[0], 1, a->dilation.at[0], 0, a->pad.at[0]};
    return (Conv){x[0], x[1], x[2], x[3], k[0], y[2], y[3], k[2], k[3], a->groups,
                  a->stride.at[0], a->stride.at[1], a->dilation.at[0], a->dilation.at[1],
                  a->pad.at[0], a->pad.at[1]};
}

/* Element of x under window position (kh, kw) of output (oh, ow), 0 outside. */
static double under(const Conv *c, const double *plane, int64_t oh, int64_t ow, int64_t kh,
                    int64_t kw)
{
    int64_t h = oh * c->stride_h - c->top + kh * c->dilation_h;
    int64_t w = ow * c->stride_w - c->left + kw * c->dilation_w;
    return h >= 0 && h < c->h && w >= 0 && w < c->w ? plane[h * c->w + w] : 0;
}

static double conv_element(const Conv *c, const double *x, const double *weight, int64_t oh,
                           int64_t ow)
{
    double sum = 0;
    for (int64_t i = 0; i < c->c / c->groups; i++)
        for (int64_t kh = 0; kh < c->kh; kh++)
            for (int64_t kw = 0; kw < c->kw; kw++)
                sum += under(c, x + i * c->h * c->w, oh, ow, kh, kw) *
                       weight[(i * c->kh + kh) * c->kw + kw];
    return sum;
}

static void conv_plain(const Eval *e, const Conv *c)
{
    int64_t ig = c->c / c->groups, og = c->o / c->groups, k = ig * c->kh * c->kw;
    const double *bias = e->v->nargs == 3 ? e->arg[2].exact : NULL;
    double *y = e->out->exact;
    for (int64_t n = 0; n < c->n; n++)
        for (int64_t o = 0; o < c->o; o++) {
            const double *x = e->arg[0].exact + (n * c->c + o / og * ig) * c->h * c->w;
            for (int64_t oh = 0; oh < c->oh; oh++)
                for (int64_t ow = 0; ow < c->ow; ow++)
                    *y++ = conv_element(c, x, e->arg[1].exact + o * k, oh, ow) +
                           (bias ? bias[o] : 0);
        }
}

/* columns [I/g kh kw][oh ow] of one group of one image */
static void gather(const Conv *c, const double *x, double *columns)
{
    for (int64_t i = 0; i < c->c / c->groups; i++)
        for (int64_t kh = 0; kh < c->kh; kh++)
            for (int64_t kw = 0; kw < c->kw; kw++)
                for (int64_t oh = 0; oh < c->oh; oh++)
                    for (int64_t ow = 0; ow < c->ow; ow++)
                        *columns++ = under(c, x + i * c->h * c->w, oh, ow, kh, kw);
}

static void conv_quick(const Eval *e, const Conv *c)
{
    int64_t ig = c->c / c->groups, og = c->o / c->groups, k = ig * c->kh * c->kw;
    int64_t pixels = c->oh * c->ow;
    double *columns = malloc(sizeof(double) * (size_t)(k * pixels));
    if (!columns)
        bug("eval_conv: out of memory");
    for (int64_t n = 0; n < c->n; n++)
        for (int64_t g = 0; g < c->groups; g++) {
            double *y = e->out->exact + (n * c->o + g * og) * pixels;
            for (int64_t i = 0; i < og * pixels; i++)
                y[i] = e->v->nargs == 3 ? e->arg[2].exact[g * og + i / pixels] : 0;
            gather(c, e->arg[0].exact + (n * c->c + g * ig) * c->h * c->w, columns);
            cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)og, (int)pixels,
                        (int)k, 1, e->arg[1].exact + g * og * k, (int)k, columns, (int)pixels,
                        1, y, (int)pixels);
        }
    free(columns);
}

void eval_conv(const Eval *e)
{
    Conv c = conv_of(e);
    if (e->mode == EVAL_quick)
        conv_quick(e, &c);
    else
        conv_plain(e, &c);
}

/* y [m,n] = a [m,k] b [k,n], rows and columns at any stride */
typedef struct Matrix {
    const double *at;
    int64_t row, column;
} Matrix;

static void product(EvalMode mode, Matrix a, Matrix b, double *y, const int64_t mnk[3])
{
    int64_t m = mnk[0], n = mnk[1], k = mnk[2];
    if (mode == EVAL_quick) {
        bool ta = a.column != 1, tb = b.column != 1;
        cblas_dgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans,
                    tb ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, 1, a.at,
                    (int)(ta ? a.column : a.row), b.at, (int)(tb ? b.column : b.row), 0, y,
                    (int)n);
        return;
    }
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t l = 0; l < k; l++)
                sum += a.at[i * a.row + l * a.column] * b.at[l * b.row + j * b.column];
            y[i * n + j] = sum;
        }
}

void eval_linear(const Eval *e)
{
    const Shape *w = &e->arg[1].type.shape;
    int64_t out = w->dim[0], in = w->dim[1];
    int64_t rows = shape_count(&e->arg[0].type.shape) / in;
    product(e->mode, (Matrix){e->arg[0].exact, in, 1}, (Matrix){e->arg[1].exact, 1, in},
            e->out->exact, (int64_t[]){rows, out, in});
    for (int64_t i = 0; e->v->nargs == 3 && i < rows * out; i++)
        e->out->exact[i] += e->arg[2].exact[i % out];
}

void eval_matmul(const Eval *e)
{
    const Shape *a = &e->arg[0].type.shape, *b = &e->arg[1].type.shape;
    const Shape *y = &e->out->type.shape;
    bool ta = e->v->attr.transpose_a, tb = e->v->attr.transpose_b;
    int64_t m = y->dim[y->rank - 2], n = y->dim[y->rank - 1];
    int64_t k = a->dim[a->rank - (ta ? 2 : 1)];
    int64_t sa[MAX_RANK], sb[MAX_RANK], at[MAX_RANK] = {0};
    Shape batch = shape_of(y->rank - 2, y->dim);
    broadcast_strides(a, y, sa);
    broadcast_strides(b, y, sb);
    double *out = e->out->exact;
    do {
        const double *pa = e->arg[0].exact, *pb = e->arg[1].exact;
        for (int d = 0; d < batch.rank; d++) {
            pa += at[d] * sa[d];
            pb += at[d] * sb[d];
        }
        product(e->mode, (Matrix){pa, ta ? 1 : k, ta ? m : 1},
                (Matrix){pb, tb ? 1 : n, tb ? k : 1}, out, (int64_t[]){m, n, k});
        out += m * n;
    } while (next_element(&batch, at));
}

/* ---- attention --------------------------------------------------------- */

static void softmax_row(double *x, int64_t n)
{
    double top = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] = exp(x[i] - top);
    for (int64_t i = 0; i < n; i++)
        x[i] /= sum;
}

static void attend(const Eval *e, int64_t n, int64_t h, double *scores)
{
    const int64_t *q = e->arg[0].type.shape.dim, *k = e->arg[1].type.shape.dim;
    int64_t heads = e->v->attr.heads, d = q[2] / heads;
    int64_t all_v = e->arg[2].type.shape.dim[2], dv = all_v / heads;
    for (int64_t i = 0; i < q[1]; i++) {
        const double *qi = e->arg[0].exact + (n * q[1] + i) * q[2] + h * d;
        for (int64_t j = 0; j < k[1]; j++) {
            const double *kj = e->arg[1].exact + (n * k[1] + j) * q[2] + h * d;
            scores[j] = 0;
            for (int64_t c = 0; c < d; c++)
                scores[j] += qi[c] * kj[c];
            scores[j] *= e->v->attr.scale;
        }
        softmax_row(scores, k[1]);
        double *y = e->out->exact + (n * q[1] + i) * all_v + h * dv;
        memset(y, 0, sizeof(double) * (size_t)dv);
        for (int64_t j = 0; j < k[1]; j++)
            for (int64_t c = 0; c < dv; c++)
                y[c] += scores[j] * e->arg[2].exact[(n * k[1] + j) * all_v + h * dv + c];
    }
}

void eval_attention(const Eval *e)
{
    double *scores = malloc(sizeof(double) * (size_t)e->arg[1].type.shape.dim[1]);
    if (!scores)
        bug("eval_attention: out of memory");
    for (int64_t n = 0; n < e->arg[0].type.shape.dim[0]; n++)
        for (int64_t h = 0; h < e->v->attr.heads; h++)
            attend(e, n, h, scores);
    free(scores);
}
