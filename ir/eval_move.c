/* Operators that only move elements. */
#include "ir/eval_plain.h"
#include <string.h>

void eval_reshape(const Eval *e)
{
    memcpy(e->out->exact, e->arg[0].exact,
           sizeof(double) * (size_t)shape_count(&e->out->type.shape));
}

/* out[index] = x[base + sum of index * stride] */
static void strided(const Eval *e, int64_t base, const int64_t *stride)
{
    const Shape *s = &e->out->type.shape;
    int64_t at[MAX_RANK] = {0}, i = 0;
    do {
        int64_t from = base;
        for (int d = 0; d < s->rank; d++)
            from += at[d] * stride[d];
        e->out->exact[i++] = e->arg[0].exact[from];
    } while (next_element(s, at));
}

void eval_transpose(const Eval *e)
{
    int64_t own[MAX_RANK], stride[MAX_RANK];
    row_strides(&e->arg[0].type.shape, own);
    for (int d = 0; d < e->out->type.shape.rank; d++)
        stride[d] = own[e->v->attr.perm.at[d]];
    strided(e, 0, stride);
}

void eval_broadcast(const Eval *e)
{
    int64_t stride[MAX_RANK];
    broadcast_strides(&e->arg[0].type.shape, &e->out->type.shape, stride);
    strided(e, 0, stride);
}

void eval_slice(const Eval *e)
{
    int64_t own[MAX_RANK], stride[MAX_RANK], base = 0;
    row_strides(&e->arg[0].type.shape, own);
    for (int d = 0; d < e->out->type.shape.rank; d++) {
        stride[d] = own[d] * e->v->attr.step.at[d];
        base += own[d] * e->v->attr.start.at[d];
    }
    strided(e, base, stride);
}

void eval_concat(const Eval *e)
{
    const Shape *s = &e->out->type.shape;
    int64_t axis = e->v->attr.axis, inner = 1, outer = 1, done = 0;
    for (int d = 0; d < s->rank; d++) {
        outer *= d < axis ? s->dim[d] : 1;
        inner *= d > axis ? s->dim[d] : 1;
    }
    for (int k = 0; k < e->v->nargs; k++) {
        int64_t run = e->arg[k].type.shape.dim[axis] * inner;
        for (int64_t o = 0; o < outer; o++)
            memcpy(e->out->exact + o * s->dim[axis] * inner + done,
                   e->arg[k].exact + o * run, sizeof(double) * (size_t)run);
        done += run;
    }
}

static int64_t reflected(int64_t i, int64_t n)
{
    i = i < 0 ? -i : i;
    return i < n ? i : 2 * (n - 1) - i;
}

void eval_pad(const Eval *e)
{
    const Shape *s = &e->out->type.shape, *x = &e->arg[0].type.shape;
    int64_t at[MAX_RANK] = {0}, own[MAX_RANK], i = 0;
    row_strides(x, own);
    do {
        int64_t from = 0;
        bool inside = true;
        for (int d = 0; d < s->rank; d++) {
            int64_t p = at[d] - e->v->attr.pad.at[d];
            if (e->v->attr.mode == MODE_reflect)
                p = reflected(p, x->dim[d]);
            inside = inside && p >= 0 && p < x->dim[d];
            from += p * own[d];
        }
        e->out->exact[i++] = inside ? e->arg[0].exact[from] : e->v->attr.value;
    } while (next_element(s, at));
}
