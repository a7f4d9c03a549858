/* Lowering of pooling and depthwise convolution: a window slides over the map,
 * lanes lie across channels.
 *
 * Each output pixel reads its window's positions from a table of element
 * offsets, so padding costs no test: max pooling repeats a position inside, the
 * others read the pad pixel (zeros). */
#include "passes/lower.h"

typedef struct Windowed {
    Window w;
    int source, weight, bias, divisor; /* operands; -1 none */
    int table;
    int64_t taps;
    ExprOp op;
    double scale;
    const Section *section;
} Windowed;

static int64_t pixel_offset(const Value *x, const Window *w, int64_t h, int64_t ww,
                            int64_t outside)
{
    if (h < 0 || h >= w->in_h || ww < 0 || ww >= w->in_w)
        return outside;
    bool flat = x->type.shape.rank == 3;
    int64_t step_h = flat ? 0 : x->place.stride[2];
    int64_t step_w = x->place.stride[flat ? 2 : 3];
    return h * step_h + ww * step_w;
}

static int64_t clamp_into(int64_t first, int64_t step, int64_t i, int64_t n, int64_t limit)
{
    int64_t p = first + i * step;
    while (p < 0)
        p += step;
    while (p >= limit)
        p -= step;
    (void)n;
    return p;
}

/* One image's entries [oh][ow][kh][kw]; the pad pixel lies behind all images. */
static int64_t window_image(int32_t *table, const Value *x, const Windowed *win,
                            int64_t image, bool repeat_inside)
{
    const Window *w = &win->w;
    int64_t first = image * x->place.stride[0], at = 0;
    int64_t outside = shape_count(&x->type.shape) - first;
    for (int64_t oh = 0; oh < w->out_h; oh++)
        for (int64_t ow = 0; ow < w->out_w; ow++)
            for (int64_t k = 0; k < win->taps; k++) {
                int64_t kh = k / w->kernel_w, kw = k % w->kernel_w;
                int64_t h0 = oh * w->stride_h - w->pad_top;
                int64_t w0 = ow * w->stride_w - w->pad_left;
                int64_t h = h0 + kh * w->dilation_h, c = w0 + kw * w->dilation_w;
                if (repeat_inside) {
                    h = clamp_into(h0, w->dilation_h, kh, w->kernel_h, w->in_h);
                    c = clamp_into(w0, w->dilation_w, kw, w->kernel_w, w->in_w);
                }
                table[at++] = (int32_t)(first + pixel_offset(x, w, h, c, outside));
            }
    return at;
}

/* Offset entries [n][oh][ow][kh][kw] relative to the channel. */
static void window_table(Lower *l, Windowed *win, bool repeat_inside)
{
    const Value *x = l->group->anchor->args[0];
    const Window *w = &win->w;
    int64_t images = x->type.shape.dim[0], at = 0;
    int64_t n = images * w->out_h * w->out_w * win->taps;
    int32_t *table = NEW(l->arena, int32_t, n);
    for (int64_t image = 0; image < images; image++)
        at += window_image(table + at, x, win, image, repeat_inside);
    win->table = lower_table(l, "window", table, n);
    win->section = &l->program->sections.at[l->operand[win->table].section];
}

static int64_t inside(int64_t first, int64_t kernel, int64_t limit)
{
    int64_t end = first + kernel < limit ? first + kernel : limit;
    return end - (first > 0 ? first : 0);
}

/* Reciprocals would round twice: the sum is divided by the count. */
static void average_divisor(Lower *l, Windowed *win)
{
    const Value *v = l->group->anchor;
    const Window *w = &win->w;
    float *counts = NEW(l->arena, float, w->out_h * w->out_w);
    bool equal = true;
    for (int64_t i = 0; i < w->out_h * w->out_w; i++) {
        int64_t h0 = i / w->out_w * w->stride_h - w->pad_top;
        int64_t w0 = i % w->out_w * w->stride_w - w->pad_left;
        int64_t high_h = w->in_h + (v->attr.count_pad ? v->attr.pad.at[2] : 0);
        int64_t high_w = w->in_w + (v->attr.count_pad ? v->attr.pad.at[3] : 0);
        int64_t base_h = v->attr.count_pad ? h0 + w->pad_top : h0;
        int64_t base_w = v->attr.count_pad ? w0 + w->pad_left : w0;
        int64_t shift_h = v->attr.count_pad ? w->pad_top : 0;
        int64_t shift_w = v->attr.count_pad ? w->pad_left : 0;
        counts[i] = (float)(inside(base_h, w->kernel_h, high_h + shift_h) *
                            inside(base_w, w->kernel_w, high_w + shift_w));
        equal = equal && counts[i] == counts[0];
    }
    win->scale = counts[0];
    win->divisor = equal ? -1 : lower_reals(l, "count", counts, w->out_h * w->out_w);
}

static Windowed window_describe(Lower *l)
{
    const Value *v = l->group->anchor;
    Windowed win = {.w = window_of(v), .weight = -1, .bias = -1, .divisor = -1,
                    .scale = 1};
    win.taps = win.w.kernel_h * win.w.kernel_w;
    win.source = lower_operand(l, v->args[0], true);
    win.op = v->op == OP_max_pool2d ? EX_max : v->op == OP_avg_pool2d ? EX_add : EX_fma;
    if (win.op == EX_fma) {
        win.weight = lower_operand(l, v->args[1], true);
        if (v->nargs == 3)
            win.bias = lower_operand(l, v->args[2], true);
    }
    window_table(l, &win, win.op == EX_max);
    if (v->op == OP_avg_pool2d)
        average_divisor(l, &win);
    return win;
}

static const Expr *tap(Lower *l, const Windowed *win, const At *at, const Reg *sum,
                       Index k)
{
    Arena *a = l->arena;
    const Expr *old = expr_reg(a, sum, index_const(0));
    const Expr *x = at_load(l, at, win->source);
    if (win->op != EX_fma)
        return expr_bin(a, win->op, old, x);
    At w = *at;
    int64_t channels = l->group->anchor->type.shape.dim[1];
    w.index[win->weight] = index_add(w.index[win->weight], index_mul(k, channels));
    const Expr *weight = at_load(l, &w, win->weight);
    if (l->target->has_fma)
        return expr_tri(a, EX_fma, x, weight, old);
    return expr_bin(a, EX_add, expr_bin(a, EX_mul, x, weight), old);
}

/* One vector of channels of one output pixel; `entry` is its first table index. */
static void window_element(Lower *l, const Windowed *win, const At *at, Index entry,
                           Index pixel)
{
    Arena *a = l->arena;
    const Expr *init = expr_real(a, win->op == EX_max ? -INFINITY : 0, at->lanes);
    if (win->bias >= 0)
        init = at_load(l, at, win->bias);
    const Reg *sum = build_var(&l->b, "sum", 1, init);
    const IVar *k = build_for(&l->b, "k", win->taps, win->taps <= 9);
    const IVar *offset = build_iload(&l->b, "at", win->table,
                                     index_add(entry, index_var(k)), win->section->min,
                                     win->section->max);
    At here = *at;
    here.index[win->source] = index_add(here.index[win->source], index_var(offset));
    build_set(&l->b, sum, index_const(0), tap(l, win, &here, sum, index_var(k)));
    build_end(&l->b);
    const Expr *result = expr_reg(a, sum, index_const(0));
    if (win->divisor >= 0) {
        const Expr *count = expr_load(a, l->kernel, win->divisor, pixel, 1);
        if (at->lanes > 1)
            count = expr_splat(a, count, at->lanes);
        result = expr_bin(a, EX_div, result, count);
    } else if (win->scale != 1) {
        result = expr_bin(a, EX_div, result, expr_real(a, win->scale, at->lanes));
    }
    chain_store(l, at, build_let(&l->b, "window", result));
}

/* Channels in vectors when they are dense in every operand. */
static void window_channels(Lower *l, const Windowed *win, At at, Index entry,
                            Index pixel)
{
    const Value *v = l->group->anchor, *x = v->args[0];
    Nest result = nest_of_result(l);
    Axis axis = result.axis[1];
    axis.step[win->source] = x->place.stride[1];
    axis.step[win->table] = 0;
    if (win->divisor >= 0)
        axis.step[win->divisor] = 0;
    if (win->weight >= 0)
        axis.step[win->weight] = 1;
    if (win->bias >= 0)
        axis.step[win->bias] = 1;
    bool vector = axis_is_vector(&axis, l->operands);
    Piece pieces[MAX_PIECES];
    int n = pieces_cut(axis.extent, vector ? lower_lanes(l) : 1, pieces);
    for (int i = 0; i < n; i++) {
        At here = at;
        const IVar *c = build_for(&l->b, "c", pieces[i].count, false);
        at_move(&here, l->operands, &axis,
                index_plus(index_mul(index_var(c), pieces[i].lanes), pieces[i].start));
        here.lanes = pieces[i].lanes;
        here.vector = here.lanes > 1 ? &axis : NULL;
        window_element(l, win, &here, entry, pixel);
        build_end(&l->b);
    }
}

void lower_window(Lower *l)
{
    lower_open(l, "window");
    Windowed win = window_describe(l);
    store_pad_pixel(l);
    const Window *w = &win.w;
    Nest result = nest_of_result(l);
    bool flat = result.n == 3;
    At at = at_origin(l, 1, NULL);
    Index oh = lower_tasks(l, w->out_h);
    Axis images = result.axis[0];
    const IVar *n = build_for(&l->b, "n", images.extent, false);
    at_move(&at, l->operands, &images, index_var(n));
    if (!flat)
        at_move(&at, l->operands, &result.axis[2], oh);
    const IVar *ow = build_for(&l->b, "ow", w->out_w, false);
    at_move(&at, l->operands, &result.axis[flat ? 2 : 3], index_var(ow));
    at.index[win.source] = index_const(0);
    Index pixel = index_add(index_mul(oh, w->out_w), index_var(ow));
    Index entry = index_add(pixel, index_mul(index_var(n), w->out_h * w->out_w));
    window_channels(l, &win, at, index_mul(entry, win.taps), pixel);
    build_end(&l->b);
    build_end(&l->b);
    lower_close(l);
}
