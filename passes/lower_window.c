/* Lowering of pooling and depthwise convolution: a window slides over the map,
 * lanes lie across channels.
 *
 * Each output pixel reads its window's positions from a table of element
 * offsets, so padding costs no test: max pooling repeats a position inside, the
 * others read the pad pixel (zeros). */
#include "passes/lower.h"

enum { TILE_PIXELS = 4, TILE_VECTORS = 2 };

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

/* What is computed together: some pixels of a row, some vectors of channels. Their sums
 * are registers, so a weight that has been loaded serves all pixels, and a position all
 * vectors; else loads, two a multiplication, would be the limit. */
typedef struct Tile {
    At at;        /* of the first element */
    Index entry;  /* of the table, of the first pixel */
    Index pixel;
    int pixels, vectors, lanes;
    const Axis *row, *channels;
    const Reg *sum[TILE_PIXELS][TILE_VECTORS];
} Tile;

static At tile_element(Lower *l, const Windowed *win, const Tile *t, int pixel, int vector)
{
    At at = t->at;
    at_move(&at, l->operands, t->row, index_const(pixel));
    at.index[win->source] = t->at.index[win->source];
    at_move(&at, l->operands, t->channels, index_const((int64_t)vector * t->lanes));
    at.lanes = t->lanes;
    at.vector = t->lanes > 1 ? t->channels : NULL;
    return at;
}

static const Expr *first_sum(Lower *l, const Windowed *win, const At *at)
{
    if (win->bias >= 0)
        return at_load(l, at, win->bias);
    return expr_real(l->arena, win->op == EX_max ? -INFINITY : 0, at->lanes);
}

static const Expr *tap_weight(Lower *l, const Windowed *win, const Tile *t, int vector, Index k)
{
    At at = tile_element(l, win, t, 0, vector);
    int64_t channels = l->group->anchor->type.shape.dim[1];
    at.index[win->weight] = index_add(at.index[win->weight], index_mul(k, channels));
    return build_let(&l->b, "w", at_load(l, &at, win->weight));
}

/* Position k of the windows of all pixels. */
static void tile_tap(Lower *l, const Windowed *win, const Tile *t, Index k)
{
    const Expr *weight[TILE_VECTORS] = {NULL};
    for (int v = 0; v < t->vectors && win->weight >= 0; v++)
        weight[v] = tap_weight(l, win, t, v, k);
    for (int p = 0; p < t->pixels; p++) {
        Index entry = index_plus(index_add(t->entry, k), p * win->taps);
        const IVar *offset = build_iload(&l->b, "at", win->table, entry, win->section->min,
                                         win->section->max);
        for (int v = 0; v < t->vectors; v++) {
            At at = tile_element(l, win, t, p, v);
            at.index[win->source] = index_add(at.index[win->source], index_var(offset));
            const Expr *x = at_load(l, &at, win->source);
            const Expr *old = expr_reg(l->arena, t->sum[p][v], index_const(0));
            build_set(&l->b, t->sum[p][v], index_const(0),
                      weight[v] ? expr_multiply_add(l->arena, l->target, weight[v], x, old)
                                : expr_bin(l->arena, win->op, old, x));
        }
    }
}

static void tile_store(Lower *l, const Windowed *win, const Tile *t, int pixel, int vector)
{
    Arena *a = l->arena;
    At at = tile_element(l, win, t, pixel, vector);
    const Expr *result = expr_reg(a, t->sum[pixel][vector], index_const(0));
    if (win->divisor >= 0) {
        const Expr *count = expr_load(a, l->kernel, win->divisor, index_plus(t->pixel, pixel), 1);
        if (at.lanes > 1)
            count = expr_splat(a, count, at.lanes);
        result = expr_bin(a, EX_div, result, count);
    } else if (win->scale != 1) {
        result = expr_bin(a, EX_div, result, expr_real(a, win->scale, at.lanes));
    }
    chain_store(l, &at, build_let(&l->b, "window", result));
}

static void window_tile(Lower *l, const Windowed *win, Tile *t)
{
    enum { UNROLLED = 9 };
    for (int p = 0; p < t->pixels; p++)
        for (int v = 0; v < t->vectors; v++) {
            At at = tile_element(l, win, t, p, v);
            t->sum[p][v] = build_var(&l->b, "sum", 1, first_sum(l, win, &at));
        }
    const IVar *k = build_for(&l->b, "k", win->taps, win->taps <= UNROLLED);
    tile_tap(l, win, t, index_var(k));
    build_end(&l->b);
    for (int p = 0; p < t->pixels; p++)
        for (int v = 0; v < t->vectors; v++)
            tile_store(l, win, t, p, v);
}

/* `count` times as many vectors as the tile has, from channel `start` on. */
static void window_run(Lower *l, const Windowed *win, const Tile *tile, int64_t start,
                       int64_t count)
{
    if (count == 0)
        return;
    Tile t = *tile;
    const IVar *c = build_for(&l->b, "c", count, false);
    Index channel = index_mul(index_var(c), (int64_t)t.vectors * t.lanes);
    at_move(&t.at, l->operands, t.channels, index_plus(channel, start));
    window_tile(l, win, &t);
    build_end(&l->b);
}

static Axis channel_axis(const Windowed *win, const Nest *result, const Value *x)
{
    Axis axis = result->axis[1];
    axis.step[win->source] = x->place.stride[1];
    axis.step[win->table] = 0;
    if (win->divisor >= 0)
        axis.step[win->divisor] = 0;
    if (win->weight >= 0)
        axis.step[win->weight] = 1;
    if (win->bias >= 0)
        axis.step[win->bias] = 1;
    return axis;
}

/* Channels in vectors when they are dense in every operand. */
static void window_channels(Lower *l, const Windowed *win, const Nest *result, Tile t)
{
    Axis axis = channel_axis(win, result, l->group->anchor->args[0]);
    t.channels = &axis;
    bool vector = axis_is_vector(&axis, l->operands);
    Piece pieces[MAX_PIECES];
    int n = pieces_cut(axis.extent, vector ? lower_lanes(l) : 1, pieces);
    for (int i = 0; i < n; i++) {
        t.lanes = pieces[i].lanes;
        t.vectors = win->weight >= 0 && pieces[i].count >= TILE_VECTORS ? TILE_VECTORS : 1;
        int64_t whole = pieces[i].count / t.vectors;
        window_run(l, win, &t, pieces[i].start, whole);
        int64_t rest = pieces[i].count % t.vectors;
        int64_t done = whole * t.vectors * t.lanes;
        t.vectors = 1;
        window_run(l, win, &t, pieces[i].start + done, rest);
    }
}

/* Pixels start .. start + count of a row, so many at a time. */
static void window_pixels(Lower *l, const Windowed *win, const Nest *result, Tile t,
                          int64_t start, int64_t count)
{
    if (count == 0)
        return;
    const IVar *ow = build_for(&l->b, "ow", count / t.pixels, false);
    Index by = index_plus(index_mul(index_var(ow), t.pixels), start);
    Index source = t.at.index[win->source];
    at_move(&t.at, l->operands, t.row, by);
    t.at.index[win->source] = source;
    t.pixel = index_add(t.pixel, by);
    t.entry = index_add(t.entry, index_mul(by, win->taps));
    window_channels(l, win, result, t);
    build_end(&l->b);
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
    at.index[win.source] = index_const(0);
    Index pixel = index_mul(oh, w->out_w);
    Index entry = index_add(pixel, index_mul(index_var(n), w->out_h * w->out_w));
    Tile t = {.at = at, .pixel = pixel, .entry = index_mul(entry, win.taps),
              .row = &result.axis[flat ? 2 : 3]};
    int most = win.weight >= 0 ? TILE_PIXELS : 1;
    int64_t whole = w->out_w / most * most;
    t.pixels = most;
    window_pixels(l, &win, &result, t, 0, whole);
    t.pixels = (int)(w->out_w - whole);
    window_pixels(l, &win, &result, t, whole, w->out_w - whole);
    build_end(&l->b);
    lower_close(l);
}
