/* Reductions, norms, softmax, argmax. */
#include "ir/eval_plain.h"
#include <stdlib.h>

static bool is_reduced(const Value *v, int d)
{
    for (int i = 0; i < v->attr.axes.n; i++)
        if (v->attr.axes.at[i] == d)
            return true;
    return false;
}

static double combine(Op op, double sum, double x)
{
    switch ((int)op) {
    case OP_reduce_max: return x > sum || isnan(x) ? x : sum;
    case OP_reduce_min: return x < sum || isnan(x) ? x : sum;
    }
    return sum + x;
}

void eval_reduce(const Eval *e)
{
    const Shape *s = &e->arg[0].type.shape;
    int64_t kept[MAX_RANK], step = 1, at[MAX_RANK] = {0}, i = 0, count = 1;
    for (int d = s->rank - 1; d >= 0; d--) {
        kept[d] = is_reduced(e->v, d) ? 0 : step;
        step *= is_reduced(e->v, d) ? 1 : s->dim[d];
        count *= is_reduced(e->v, d) ? s->dim[d] : 1;
    }
    double first = e->v->op == OP_reduce_max ? -INFINITY
                   : e->v->op == OP_reduce_min ? INFINITY : 0;
    for (int64_t k = 0; k < step; k++)
        e->out->exact[k] = first;
    do {
        int64_t to = 0;
        for (int d = 0; d < s->rank; d++)
            to += at[d] * kept[d];
        e->out->exact[to] = combine(e->v->op, e->out->exact[to], e->arg[0].exact[i++]);
    } while (next_element(s, at));
    for (int64_t k = 0; e->v->op == OP_reduce_mean && k < step; k++)
        e->out->exact[k] /= (double)count;
}

/* A tensor as [outer][axis][inner]. */
typedef struct Lines {
    int64_t outer, n, inner;
} Lines;

static Lines lines_of(const Shape *s, int64_t axis)
{
    Lines l = {1, s->dim[axis], 1};
    for (int d = 0; d < s->rank; d++) {
        l.outer *= d < axis ? s->dim[d] : 1;
        l.inner *= d > axis ? s->dim[d] : 1;
    }
    return l;
}

void eval_argmax(const Eval *e)
{
    Lines l = lines_of(&e->arg[0].type.shape, e->v->attr.axis);
    for (int64_t o = 0; o < l.outer; o++)
        for (int64_t i = 0; i < l.inner; i++) {
            const double *x = e->arg[0].exact + o * l.n * l.inner + i;
            int64_t best = 0;
            for (int64_t k = 1; k < l.n; k++)
                if (x[k * l.inner] > x[best * l.inner])
                    best = k;
            e->out->exact[o * l.inner + i] = (double)best;
        }
}

void eval_softmax(const Eval *e)
{
    Lines l = lines_of(&e->arg[0].type.shape, e->v->attr.axis);
    for (int64_t o = 0; o < l.outer; o++)
        for (int64_t i = 0; i < l.inner; i++) {
            int64_t base = o * l.n * l.inner + i;
            const double *x = e->arg[0].exact + base;
            double *y = e->out->exact + base, top = -INFINITY, sum = 0;
            for (int64_t k = 0; k < l.n; k++)
                top = x[k * l.inner] > top ? x[k * l.inner] : top;
            for (int64_t k = 0; k < l.n; k++)
                sum += y[k * l.inner] = exp(x[k * l.inner] - top);
            for (int64_t k = 0; k < l.n; k++)
                y[k * l.inner] /= sum;
        }
}

void eval_batch_norm(const Eval *e)
{
    Lines l = lines_of(&e->arg[0].type.shape, 1);
    for (int64_t i = 0; i < shape_count(&e->out->type.shape); i++) {
        int64_t c = i / l.inner % l.n;
        double scale = e->arg[1].exact[c] / sqrt(e->arg[4].exact[c] + e->v->attr.eps);
        e->out->exact[i] = (e->arg[0].exact[i] - e->arg[3].exact[c]) * scale + e->arg[2].exact[c];
    }
}

static void normalise(const double *x, double *y, int64_t n, double eps)
{
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < n; i++)
        mean += x[i];
    mean /= (double)n;
    for (int64_t i = 0; i < n; i++)
        variance += (x[i] - mean) * (x[i] - mean);
    variance /= (double)n;
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) / sqrt(variance + eps);
}

void eval_layer_norm(const Eval *e)
{
    const Shape *s = &e->out->type.shape;
    int64_t n = 1;
    for (int d = (int)e->v->attr.axis; d < s->rank; d++)
        n *= s->dim[d];
    for (int64_t at = 0; at < shape_count(s); at += n)
        normalise(e->arg[0].exact + at, e->out->exact + at, n, e->v->attr.eps);
    for (int64_t i = 0; i < shape_count(s); i++) {
        if (e->v->nargs > 1)
            e->out->exact[i] *= e->arg[1].exact[i % n];
        if (e->v->nargs > 2)
            e->out->exact[i] += e->arg[2].exact[i % n];
    }
}

void eval_group_norm(const Eval *e)
{
    Lines l = lines_of(&e->out->type.shape, 1);
    int64_t n = l.n / e->v->attr.groups * l.inner, total = shape_count(&e->out->type.shape);
    for (int64_t at = 0; at < total; at += n)
        normalise(e->arg[0].exact + at, e->out->exact + at, n, e->v->attr.eps);
    for (int64_t i = 0; i < total; i++) {
        int64_t c = i / l.inner % l.n;
        if (e->v->nargs > 1)
            e->out->exact[i] *= e->arg[1].exact[c];
        if (e->v->nargs > 2)
            e->out->exact[i] += e->arg[2].exact[c];
    }
}

void eval_one_hot(const Eval *e)
{
    Lines l = lines_of(&e->out->type.shape, e->v->attr.axis);
    for (int64_t i = 0; i < shape_count(&e->out->type.shape); i++) {
        int64_t o = i / (l.n * l.inner), k = i / l.inner % l.n;
        e->out->exact[i] = e->arg[0].exact[o * l.inner + i % l.inner] == (double)k;
    }
}
