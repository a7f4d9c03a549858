/* Pooling and resizing. */
#include "ir/eval_plain.h"

typedef struct Pool {
    int64_t sum_of; /* elements inside */
    double sum, top;
    int64_t padded; /* positions inside the padded map */
} Pool;

static Pool pool_at(const Eval *e, const double *plane, int64_t oh, int64_t ow)
{
    const Attrs *a = &e->v->attr;
    const int64_t *x = e->arg[0].type.shape.dim;
    Pool p = {0, 0, -INFINITY, 0};
    for (int64_t kh = 0; kh < a->kernel.at[0]; kh++)
        for (int64_t kw = 0; kw < a->kernel.at[1]; kw++) {
            int64_t h = oh * a->stride.at[0] - a->pad.at[0] + kh;
            int64_t w = ow * a->stride.at[1] - a->pad.at[1] + kw;
            p.padded += h < x[2] + a->pad.at[2] && w < x[3] + a->pad.at[3];
            if (h < 0 || h >= x[2] || w < 0 || w >= x[3])
                continue;
            double value = plane[h * x[3] + w];
            p.sum_of++;
            p.sum += value;
            p.top = value > p.top ? value : p.top;
        }
    return p;
}

static void pool(const Eval *e, bool average)
{
    const int64_t *x = e->arg[0].type.shape.dim, *y = e->out->type.shape.dim;
    double *out = e->out->exact;
    for (int64_t c = 0; c < y[0] * y[1]; c++)
        for (int64_t oh = 0; oh < y[2]; oh++)
            for (int64_t ow = 0; ow < y[3]; ow++) {
                Pool p = pool_at(e, e->arg[0].exact + c * x[2] * x[3], oh, ow);
                int64_t count = e->v->attr.count_pad ? p.padded : p.sum_of;
                *out++ = average ? p.sum / (double)count : p.top;
            }
}

void eval_max_pool2d(const Eval *e)
{
    pool(e, false);
}

void eval_avg_pool2d(const Eval *e)
{
    pool(e, true);
}

/* ---- resize ------------------------------------------------------------ */

static double source_coord(const Value *v, int d, int64_t i)
{
    double in = (double)v->args[0]->type.shape.dim[d], out = (double)v->type.shape.dim[d];
    double x = (double)i;
    switch ((int)v->attr.coords) {
    case MODE_align_corners: return out > 1 ? x * (in - 1) / (out - 1) : 0;
    case MODE_half_pixel: return (x + 0.5) * in / out - 0.5;
    }
    return x * in / out;
}

/* asymmetric: floor (PyTorch nearest); the others round half up (nearest-exact) */
static int64_t nearest(const Value *v, int d, int64_t i)
{
    int64_t in = v->args[0]->type.shape.dim[d], out = v->type.shape.dim[d];
    double x = source_coord(v, d, i);
    if (v->attr.coords == MODE_half_pixel)
        x = ((double)i + 0.5) * ((double)in / (double)out);
    else if (v->attr.coords == MODE_asymmetric)
        x = (double)i * ((double)in / (double)out);
    else
        x += 0.5;
    int64_t p = (int64_t)floor(x);
    return p < 0 ? 0 : p < in ? p : in - 1;
}

static double bilinear(const Eval *e, const double *plane, int64_t oh, int64_t ow)
{
    const int64_t *x = e->arg[0].type.shape.dim;
    double at[2] = {source_coord(e->v, 2, oh), source_coord(e->v, 3, ow)}, t[2];
    int64_t low[2], high[2];
    for (int k = 0; k < 2; k++) {
        double p = at[k] > 0 ? at[k] : 0;
        low[k] = (int64_t)floor(p);
        low[k] = low[k] < x[2 + k] ? low[k] : x[2 + k] - 1;
        high[k] = low[k] + 1 < x[2 + k] ? low[k] + 1 : low[k];
        t[k] = p - (double)low[k];
    }
    const double *a = plane + low[0] * x[3], *b = plane + high[0] * x[3];
    double top = a[low[1]] + t[1] * (a[high[1]] - a[low[1]]);
    double bottom = b[low[1]] + t[1] * (b[high[1]] - b[low[1]]);
    return top + t[0] * (bottom - top);
}

void eval_resize(const Eval *e)
{
    const int64_t *x = e->arg[0].type.shape.dim, *y = e->out->type.shape.dim;
    double *out = e->out->exact;
    for (int64_t c = 0; c < y[0] * y[1]; c++) {
        const double *plane = e->arg[0].exact + c * x[2] * x[3];
        for (int64_t oh = 0; oh < y[2]; oh++)
            for (int64_t ow = 0; ow < y[3]; ow++)
                *out++ = e->v->attr.mode == MODE_bilinear
                             ? bilinear(e, plane, oh, ow)
                             : plane[nearest(e->v, 2, oh) * x[3] + nearest(e->v, 3, ow)];
    }
}
