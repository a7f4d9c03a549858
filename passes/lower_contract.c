/* The contraction builder: convolution, linear and products as one loop nest.
 *
 *     for each column panel, for each tile of rows:
 *         acc[rows][vectors] = bias
 *         for each window position: row offsets (affine, or from a table)
 *             for k: acc += splat(a[row][k]) * b[k][vectors]
 *         chain, store
 *
 * Rows are output pixels (or rows of a product), columns are output channels.
 * The lanes lie along the columns, so b and the result must be dense there;
 * otherwise the operands of a product change roles, or lanes is 1.
 *
 * Note [Row offsets from a table]: with padding or stride, the pixels of a tile
 * are not evenly spaced, and some lie outside the map. A table gives for every
 * (pixel, window position) the element offset, that of the pad pixel (zeros)
 * where the window leaves the map. One integer load pays for all channels, and
 * tiles run across the ends of image rows. */
#include "passes/lower.h"
#include "passes/contraction.h"

/* ---- description ------------------------------------------------------- */

static int64_t step_of(const Value *v, int d)
{
    return v->type.shape.dim[d] == 1 ? 0 : v->place.stride[d];
}

/* Axis `d` of the result, with the steps of the chain's operands. */
static Axis result_axis(const Lower *l, int d)
{
    Nest nest = nest_of_result(l);
    return nest.axis[d];
}

static int32_t *conv_table(Lower *l, const Value *conv, int64_t *count)
{
    const Value *x = conv->args[0];
    Window w = window_of(conv);
    bool flat = x->type.shape.rank == 3;
    int64_t images = x->type.shape.dim[0], at = 0;
    int64_t zero = shape_count(&x->type.shape);
    int64_t step_h = flat ? 0 : x->place.stride[2], step_w = x->place.stride[flat ? 2 : 3];
    *count = images * w.out_h * w.out_w * w.kernel_h * w.kernel_w;
    int32_t *table = NEW(l->arena, int32_t, *count);
    for (int64_t n = 0; n < images; n++)
        for (int64_t p = 0; p < w.out_h * w.out_w; p++)
            for (int64_t k = 0; k < w.kernel_h * w.kernel_w; k++) {
                int64_t h = p / w.out_w * w.stride_h - w.pad_top +
                            k / w.kernel_w * w.dilation_h;
                int64_t c = p % w.out_w * w.stride_w - w.pad_left +
                            k % w.kernel_w * w.dilation_w;
                bool in = h >= 0 && h < w.in_h && c >= 0 && c < w.in_w;
                table[at++] = (int32_t)(in ? n * x->place.stride[0] + h * step_h +
                                                 c * step_w
                                           : zero);
            }
    return table;
}

static void describe_window(Contraction *c, const Value *conv)
{
    const Value *x = conv->args[0];
    Window w = window_of(conv);
    bool flat = x->type.shape.rank == 3;
    int64_t step_h = flat ? 0 : x->place.stride[2], step_w = x->place.stride[flat ? 2 : 3];
    c->taps = w.kernel_h * w.kernel_w;
    c->run = conv->args[1]->type.shape.dim[1];
    c->run_step = step_of(x, 1);
    bool one = c->taps == 1 && w.stride_h == 1 && w.stride_w == 1;
    c->use_table = window_leaves_map(&w) || !one;
    /* Few channels and no padding: rows of the map are dense runs. */
    bool rows = !window_leaves_map(&w) && c->run < 16 && w.dilation_w == 1 &&
                c->run_step == 1 && step_w == c->run && conv->attr.groups == 1;
    if (rows && !one) {
        c->use_table = false;
        c->taps = w.kernel_h;
        c->run *= w.kernel_w;
    }
    c->tap_step = step_h * w.dilation_h;
    c->row_step[0] = step_of(x, 0);
    c->row_step[1] = step_h * w.stride_h;
    c->row_step[2] = step_w * w.stride_w;
}

static void describe_conv(Lower *l, Contraction *c)
{
    const Value *v = l->group->anchor, *x = v->args[0];
    bool flat = x->type.shape.rank == 3;
    c->a = lower_operand(l, x, true);
    c->b = lower_operand(l, v->args[1], true);
    c->bias = v->nargs == 3 ? lower_operand(l, v->args[2], true) : -1;
    c->groups = v->attr.groups;
    describe_window(c, v);
    int64_t table_count = 0;
    int32_t *table = c->use_table ? conv_table(l, v, &table_count) : NULL;
    c->table = table ? lower_table(l, "rows", table, table_count) : -1;
    c->columns = result_axis(l, 1);
    c->columns.extent /= c->groups;
    c->group = c->columns;
    c->group.extent = c->groups;
    for (int i = 0; i < l->operands; i++)
        c->group.step[i] = c->columns.step[i] * c->columns.extent;
    c->group.step[c->a] = x->place.stride[1] * (x->type.shape.dim[1] / c->groups);
    const int dims[3] = {0, flat ? -1 : 2, flat ? 2 : 3};
    int64_t pixels = 1;
    for (int i = 2; i >= 0; i--) {
        Axis axis = dims[i] < 0 ? (Axis){.extent = 1} : result_axis(l, dims[i]);
        axis.step[c->a] = c->use_table ? 0 : c->row_step[i];
        if (c->use_table)
            axis.step[c->table] = pixels * c->taps;
        pixels *= axis.extent;
        c->rows.axis[i] = axis;
    }
    c->rows.n = 3;
}

static void describe_linear(Lower *l, Contraction *c)
{
    const Value *v = l->group->anchor, *x = v->args[0];
    int last = x->type.shape.rank - 1;
    c->a = lower_operand(l, x, true);
    c->b = lower_operand(l, v->args[1], true);
    c->bias = v->nargs == 3 ? lower_operand(l, v->args[2], true) : -1;
    c->groups = 1;
    c->group = (Axis){.extent = 1};
    c->taps = 1;
    c->run = x->type.shape.dim[last];
    c->run_step = step_of(x, last);
    c->table = -1;
    c->columns = result_axis(l, last);
    for (int d = 0; d < last; d++) {
        c->rows.axis[d] = result_axis(l, d);
        c->rows.axis[d].step[c->a] = step_of(x, d);
    }
    c->rows.n = last;
}

/* Steps of a product's operand along batch, outer and inner dimension. */
static int64_t product_step(const Value *x, int d, int rank)
{
    int own = d - (rank - x->type.shape.rank);
    return own < 0 ? 0 : step_of(x, own);
}

static void describe_product(Lower *l, Contraction *c)
{
    const Value *v = l->group->anchor, *a = v->args[0], *b = v->args[1];
    int rank = v->type.shape.rank, m = rank - 2, n = rank - 1;
    int am = v->attr.transpose_a ? n : m, ak = v->attr.transpose_a ? m : n;
    int bn = v->attr.transpose_b ? m : n, bk = v->attr.transpose_b ? n : m;
    c->a = lower_operand(l, a, true);
    c->b = lower_operand_alone(l, b, true); /* of a value with itself too */
    c->bias = c->table = -1;
    c->groups = c->taps = 1;
    c->group = (Axis){.extent = 1};
    c->run = a->type.shape.dim[ak - (rank - a->type.shape.rank)];
    Axis rows = result_axis(l, m), columns = result_axis(l, n);
    int64_t a_m = product_step(a, am, rank), b_n = product_step(b, bn, rank);
    int64_t a_k = product_step(a, ak, rank), b_k = product_step(b, bk, rank);
    /* Lanes along m when only there result and operand are dense, or when m is
     * the longer of two such dimensions. */
    bool by_n = columns.step[0] == 1 && b_n == 1, by_m = rows.step[0] == 1 && a_m == 1;
    c->swapped = by_m && (!by_n || rows.extent > columns.extent);
    if (c->swapped) {
        Axis other = rows;
        rows = columns;
        columns = other;
        int operand = c->a;
        c->a = c->b;
        c->b = operand;
        int64_t outer = a_m, inner = a_k;
        a_m = b_n, a_k = b_k, b_n = outer, b_k = inner;
    }
    rows.step[c->a] = a_m;
    columns.step[c->b] = b_n;
    c->run_step = a_k;
    c->b_step = b_k;
    c->columns = columns;
    for (int d = 0; d < m; d++) {
        Axis batch = result_axis(l, d);
        const Value *first = c->swapped ? b : a, *second = c->swapped ? a : b;
        batch.step[c->a] = product_step(first, d, rank);
        batch.step[c->b] = product_step(second, d, rank);
        c->batch.axis[d] = batch;
    }
    c->batch.n = m;
    c->rows.axis[0] = rows;
    c->rows.n = 1;
}

static void describe_panels(Lower *l, Contraction *c)
{
    const Value *w = l->operand[c->b].value;
    c->packed = w && (w->layout.kind == LAYOUT_panels || w->layout.kind == LAYOUT_strassen);
    if (!c->packed)
        return;
    Panels p = panels_of(w, w->layout.groups, w->layout.panel);
    c->panel = w->layout.panel;
    c->b_step = c->panel;
    c->panel_step = p.taps * p.inputs * p.width;
    c->group.step[c->b] = p.panels * c->panel_step;
    c->columns.step[c->b] = 1;
    if (c->bias >= 0) {
        c->columns.step[c->bias] = 1;
        c->group.step[c->bias] = c->columns.extent;
    }
}

void contraction_describe(Lower *l, Contraction *c)
{
    const Value *v = l->group->anchor;
    if (op_info[v->op].class == CLASS_product)
        describe_product(l, c);
    else if (v->op == OP_linear)
        describe_linear(l, c);
    else
        describe_conv(l, c);
    contraction_finish(l, c);
}

void contraction_finish(Lower *l, Contraction *c)
{
    describe_panels(l, c);
    c->columns.step[c->a] = 0;
    c->rows.operands = c->batch.operands = l->operands;
    nest_coalesce(&c->rows, 0);
    nest_coalesce(&c->batch, 0);
    if (c->rows.n == 0)
        c->rows.axis[c->rows.n++] = (Axis){.extent = 1};
    bool dense = c->columns.step[0] == 1 && (c->packed || c->columns.step[c->b] == 1);
    for (int i = 1; i < l->operands; i++)
        dense = dense && (c->columns.step[i] == 0 || c->columns.step[i] == 1);
    c->lanes = dense ? lower_lanes(l) : 1;
    if (c->table >= 0)
        c->lanes = dense ? l->target->lanes : 1;
    if (!c->packed)
        c->panel = c->lanes * l->target->tile_vectors;
}
