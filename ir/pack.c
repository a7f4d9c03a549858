/* Packing weights; the layout says how. */
#include "ir/pack.h"
#include "ir/bilinear.h"
#include <string.h>

Panels panels_of(const Value *weight, int64_t groups, int width)
{
    const Shape *s = &weight->type.shape;
    Panels p = {.groups = groups, .outputs = s->dim[0] / groups, .width = width,
                .taps = 1, .inputs = s->dim[1]};
    for (int d = 2; d < s->rank; d++)
        p.taps *= s->dim[d];
    p.panels = (p.outputs + width - 1) / width;
    return p;
}

int64_t panels_count(const Panels *p)
{
    return p->groups * p->panels * p->taps * p->inputs * p->width;
}

static Bilinear weight_algorithm(const Value *w)
{
    return bilinear_of(w->layout.tile, (int)w->type.shape.dim[2], w->layout.stride);
}

static Bilinear row_algorithm(const Value *w)
{
    return bilinear_shared(w->layout.tile, (int)w->type.shape.dim[3], w->layout.stride);
}

static Panels halves_of(const Value *w)
{
    Panels p = panels_of(w, 1, w->layout.panel);
    p.inputs /= 2;
    p.outputs /= 2;
    p.panels = (p.outputs + p.width - 1) / p.width;
    return p;
}

int64_t packed_count(const Value *w)
{
    if (w->layout.kind == LAYOUT_rows)
        return shape_count(&w->type.shape);
    Panels p = panels_of(w, w->layout.groups, w->layout.panel);
    if (w->layout.kind == LAYOUT_winograd) {
        Bilinear b = weight_algorithm(w);
        p.taps = (int64_t)b.points * b.points;
    }
    if (w->layout.kind == LAYOUT_strassen) {
        p = halves_of(w);
        p.taps = STRASSEN_PRODUCTS;
    }
    if (w->layout.kind == LAYOUT_toom_cook) {
        p.inputs *= w->layout.stride;
        p.taps = row_algorithm(w).points * w->type.shape.dim[2];
    }
    return panels_count(&p);
}

/* One point's weight: the taps of a row with one remainder by the stride. */
static double row_point(const Value *w, const Bilinear *b, int point, int64_t row, int64_t first)
{
    int64_t taps = w->type.shape.dim[3];
    double sum = 0;
    for (int64_t k = first; k < taps; k += w->layout.stride)
        sum += b->g[point][k / w->layout.stride] * tensor_get(w->data, row * taps + k);
    return sum;
}

static void pack_toom_cook(const Value *w, float *out)
{
    const Shape *s = &w->type.shape;
    Bilinear b = row_algorithm(w);
    int64_t inputs = s->dim[1], rows = s->dim[2], width = w->layout.panel;
    int64_t stride = w->layout.stride, step = rows * stride * inputs * width;
    memset(out, 0, (size_t)packed_count(w) * sizeof *out);
    for (int64_t row = 0; row < s->dim[0] * inputs * rows; row++) {
        int64_t kh = row % rows, i = row / rows % inputs, o = row / (rows * inputs);
        for (int64_t first = 0; first < stride; first++)
            for (int p = 0; p < b.points; p++)
                out[o / width * b.points * step + o % width + p * step +
                    ((kh * stride + first) * inputs + i) * width] =
                    (float)row_point(w, &b, p, row, first);
    }
}

/* points x points of G w G^T, w being taps x taps. */
static void transform_window(const Bilinear *b, const double *w, double *u)
{
    double rows[MAX_POINTS][MAX_POINTS];
    for (int y = 0; y < b->points; y++)
        for (int kw = 0; kw < b->taps; kw++) {
            rows[y][kw] = 0;
            for (int kh = 0; kh < b->taps; kh++)
                rows[y][kw] += b->g[y][kh] * w[kh * b->taps + kw];
        }
    for (int y = 0; y < b->points; y++)
        for (int x = 0; x < b->points; x++) {
            double sum = 0;
            for (int kw = 0; kw < b->taps; kw++)
                sum += rows[y][kw] * b->g[x][kw];
            u[y * b->points + x] = sum;
        }
}

static void pack_winograd(const Value *w, float *out)
{
    Bilinear b = weight_algorithm(w);
    Panels p = panels_of(w, 1, w->layout.panel);
    int64_t points = (int64_t)b.points * b.points;
    memset(out, 0, (size_t)packed_count(w) * sizeof *out);
    for (int64_t o = 0; o < p.outputs; o++)
        for (int64_t i = 0; i < p.inputs; i++) {
            double window[MAX_POINTS * MAX_POINTS], u[MAX_POINTS * MAX_POINTS];
            for (int64_t k = 0; k < p.taps; k++)
                window[k] = tensor_get(w->data, (o * p.inputs + i) * p.taps + k);
            transform_window(&b, window, u);
            int64_t to = o / p.width * points * p.inputs * p.width + o % p.width;
            for (int64_t k = 0; k < points; k++)
                out[to + (k * p.inputs + i) * p.width] = (float)u[k];
        }
}

static void pack_strassen(const Value *w, float *out)
{
    Panels p = halves_of(w);
    int64_t all = 2 * p.inputs, step = p.inputs * p.width;
    memset(out, 0, (size_t)packed_count(w) * sizeof *out);
    for (int64_t o = 0; o < p.outputs; o++)
        for (int64_t i = 0; i < p.inputs; i++) {
            int64_t left = o * all + i, right = (o + p.outputs) * all + i;
            double b11 = tensor_get(w->data, left), b21 = tensor_get(w->data, left + p.inputs);
            double b12 = tensor_get(w->data, right), b22 = tensor_get(w->data, right + p.inputs);
            double t1 = b12 - b11, t2 = b22 - t1, t3 = b22 - b12, t4 = t2 - b21;
            const double b[STRASSEN_PRODUCTS] = {b11, b21, t2, t3, -t4, t1, b22};
            int64_t to = o / p.width * STRASSEN_PRODUCTS * step + i * p.width + o % p.width;
            for (int n = 0; n < STRASSEN_PRODUCTS; n++)
                out[to + n * step] = (float)b[n];
        }
}

static void pack_panels(const Value *w, float *out)
{
    Panels p = panels_of(w, w->layout.groups, w->layout.panel);
    bool by_input = w->layout.kind == LAYOUT_windows;
    for (int64_t g = 0; g < p.groups; g++)
        for (int64_t o = 0; o < p.panels * p.width; o++)
            for (int64_t t = 0; t < p.taps; t++)
                for (int64_t i = 0; i < p.inputs; i++) {
                    int64_t panel = g * p.panels + o / p.width;
                    int64_t k = by_input ? i * p.taps + t : t * p.inputs + i;
                    int64_t to = (panel * p.taps * p.inputs + k) * p.width + o % p.width;
                    int64_t from = ((g * p.outputs + o) * p.inputs + i) * p.taps + t;
                    out[to] = o < p.outputs ? (float)tensor_get(w->data, from) : 0;
                }
}

/* Walks the elements in memory order. */
static void pack_rows(const Value *w, void *out)
{
    const Shape *s = &w->type.shape;
    int64_t n = shape_count(s), at[MAX_RANK] = {0}, step[MAX_RANK], stride = 1;
    Tensor result = {w->type, out};
    if (w->type.dtype == DT_f16 || w->type.dtype == DT_bf16)
        result.type.dtype = DT_f32;
    for (int d = s->rank - 1; d >= 0; d--) {
        step[d] = stride;
        stride *= s->dim[d];
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t from = 0;
        for (int d = 0; d < s->rank; d++)
            from += at[d] * step[d];
        tensor_set(&result, i, tensor_get(w->data, from));
        for (int k = s->rank - 1; k >= 0; k--) {
            int d = w->layout.order[k];
            if (++at[d] < s->dim[d])
                break;
            at[d] = 0;
        }
    }
}

void pack_value(const Value *w, void *out)
{
    Tensor filled = {.type = w->type, .data = out};
    bool panels = w->layout.kind == LAYOUT_panels || w->layout.kind == LAYOUT_windows;
    if (w->data && panels) {
        pack_panels(w, out);
    } else if (w->data && w->layout.kind == LAYOUT_winograd) {
        pack_winograd(w, out);
    } else if (w->data && w->layout.kind == LAYOUT_strassen) {
        pack_strassen(w, out);
    } else if (w->data && w->layout.kind == LAYOUT_toom_cook) {
        pack_toom_cook(w, out);
    } else if (w->data) {
        pack_rows(w, out);
    } else {
        for (int64_t i = 0; i < shape_count(&w->type.shape); i++)
            tensor_set(&filled, i, w->attr.value);
    }
}
