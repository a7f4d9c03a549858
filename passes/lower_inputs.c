/* Lowering of a 1x1 convolution whose inputs are computed as it reads them.
 *
 *     for each pixel of a row, `pixels` at a time:
 *         scratch[pixels][channels] = the inputs, part by part
 *         result[pixels] = a contraction of scratch and weights
 *
 * So what the convolution reads is never whole in memory; see passes/inputs.h. */
#include "passes/contraction.h"
#include "passes/inputs.h"
#include "passes/temporary.h"

typedef struct Inputs {
    InputPart part[MAX_PARTS];
    int parts;
    int scratch; /* operand */
    int64_t pixels, channels;
    Axis axis[MAX_CUTS]; /* of pixels, outermost first; the last in steps of `pixels` */
    int axes;
} Inputs;

/* Where a part's loops stand. */
typedef struct Spot {
    const InputPart *part;
    Index index[MAX_CUTS]; /* of each axis */
    int lanes;             /* along the last axis of channels, `vector` */
    int vector;
} Spot;

/* ---- one element ------------------------------------------------------- */

static Index run_index(const Spot *spot, const Run *run)
{
    Index index = index_const(run->start);
    int64_t step = 1;
    for (int i = run->end - 1; i >= run->begin; i--) {
        index = index_add(index, index_mul(spot->index[i], step));
        step *= spot->part->extent[i];
    }
    return index;
}

/* Elements from one lane to the next; -1 when they are not evenly spaced. */
static int64_t lane_step(const Spot *spot, const Value *x, const Run *runs)
{
    int64_t step = 0;
    for (int d = 0; d < x->type.shape.rank; d++) {
        int64_t inner = 1;
        for (int i = runs[d].end - 1; i >= runs[d].begin; i--) {
            if (i == spot->vector)
                step += inner * x->place.stride[d];
            inner *= spot->part->extent[i];
        }
    }
    return step;
}

static const Expr *leaf(Lower *l, const Spot *spot, const Value *x, const Run *runs)
{
    if (x->op == OP_constant && shape_count(&x->type.shape) == 1)
        return expr_real(l->arena, x->data ? tensor_get(x->data, 0) : x->attr.value, spot->lanes);
    Index at = index_const(0);
    for (int d = 0; d < x->type.shape.rank; d++)
        at = index_add(at, index_mul(run_index(spot, &runs[d]), x->place.stride[d]));
    int64_t step = lane_step(spot, x, runs);
    const Expr *value =
        expr_load(l->arena, l->kernel, lower_operand(l, x, true), at, step == 1 ? spot->lanes : 1);
    return spot->lanes > 1 && step != 1 ? expr_splat(l->arena, value, spot->lanes) : value;
}

static const Expr *element(Lower *l, const Spot *spot, const Value *v, const Run *runs)
{
    const Expr *arg[3] = {0};
    if (!group_is_input(l->group, v))
        return build_let(&l->b, "x", leaf(l, spot, v, runs));
    for (int i = 0; i < v->nargs; i++) {
        Run own[MAX_RANK];
        if (v->op == OP_concat && i != spot->part->part)
            continue;
        argument_runs(spot->part, v, runs, i, own);
        const Expr *x = element(l, spot, v->args[i], own);
        if (!op_is_elementwise(v->op))
            return x;
        arg[i] = x;
    }
    return build_let(&l->b, op_info[v->op].name, lower_elementwise(l, v, arg, spot->lanes));
}

/* ---- a part ------------------------------------------------------------ */

/* All leaves lie densely along the axis, or not at all. */
static bool is_dense(const Lower *l, const Spot *spot, const Value *v, const Run *runs)
{
    if (!group_is_input(l->group, v)) {
        int64_t step = lane_step(spot, v, runs);
        return step == 0 || step == 1;
    }
    for (int i = 0; i < v->nargs; i++) {
        Run own[MAX_RANK];
        if (v->op == OP_concat && i != spot->part->part)
            continue;
        argument_runs(spot->part, v, runs, i, own);
        if (!is_dense(l, spot, v->args[i], own))
            return false;
    }
    return true;
}

static void store_element(Lower *l, const Inputs *in, const Spot *spot, Index pixel)
{
    Run runs[MAX_RANK];
    input_runs(l->group, spot->part, runs);
    const Expr *x = element(l, spot, l->group->anchor->args[0], runs);
    Index at = index_add(index_mul(pixel, in->channels), run_index(spot, &runs[1]));
    build_store(&l->b, in->scratch, at, x);
}

/* Loops over the channels' axes from `from` on; the last one in vectors. */
static void channel_loops(Lower *l, const Inputs *in, Spot spot, int from, Index pixel)
{
    Run runs[MAX_RANK];
    input_runs(l->group, spot.part, runs);
    int last = runs[1].end - 1;
    if (from > last) {
        store_element(l, in, &spot, pixel);
        return;
    }
    spot.vector = last;
    Piece pieces[MAX_PIECES];
    bool vector = from == last && is_dense(l, &spot, l->group->anchor->args[0], runs);
    int n = pieces_cut(spot.part->extent[from], vector ? l->target->lanes : 1, pieces);
    for (int i = 0; i < n; i++) {
        Spot here = spot;
        const IVar *var = build_for(&l->b, "c", pieces[i].count, false);
        here.index[from] = index_plus(index_mul(index_var(var), pieces[i].lanes), pieces[i].start);
        here.lanes = pieces[i].lanes;
        channel_loops(l, in, here, from + 1, pixel);
        build_end(&l->b);
    }
}

/* Scratch for the pixels that start where `at` says. */
static void fill_part(Lower *l, const Inputs *in, const InputPart *part, const Index *at)
{
    Run runs[MAX_RANK];
    input_runs(l->group, part, runs);
    Spot spot = {.part = part, .lanes = 1, .vector = -1};
    const IVar *pixel = build_for(&l->b, "p", in->pixels, false);
    for (int i = 0; i < in->axes; i++)
        spot.index[runs[1].end + i] = at[i];
    Index *row = &spot.index[part->n - 1];
    *row = index_add(index_mul(*row, in->pixels), index_var(pixel));
    channel_loops(l, in, spot, runs[1].begin, index_var(pixel));
    build_end(&l->b);
}

/* ---- the whole --------------------------------------------------------- */

/* Operands before any step is asked for: nests have the size of their number. */
static void open_leaves(Lower *l)
{
    for (int i = 0; l->group->members.at[i] != l->group->anchor; i++) {
        const Value *v = l->group->members.at[i];
        for (int k = 0; k < v->nargs; k++) {
            const Value *x = v->args[k];
            bool number = x->op == OP_constant && shape_count(&x->type.shape) == 1;
            if (!number && !group_is_input(l->group, x))
                lower_operand(l, x, true);
        }
    }
}

/* Axes of pixels with the steps of the result and of what its chain reads. */
static void describe_pixels(Lower *l, Inputs *in)
{
    Run runs[MAX_RANK];
    input_runs(l->group, &in->part[0], runs);
    Nest result = nest_of_result(l);
    for (int d = 2; d < result.n; d++) {
        int64_t inner = 1;
        for (int i = runs[d].end - 1; i >= runs[d].begin; i--) {
            Axis *axis = &in->axis[i - runs[1].end];
            *axis = result.axis[d];
            axis->extent = in->part[0].extent[i];
            for (int k = 0; k < l->operands; k++)
                axis->step[k] *= inner;
            inner *= axis->extent;
        }
    }
    in->axes = in->part[0].n - runs[1].end;
}

static void describe(Lower *l, Inputs *in, Contraction *c)
{
    const Value *conv = l->group->anchor;
    in->parts = inputs_describe(l->group, in->part);
    in->pixels = inputs_pixels(l->group);
    in->channels = conv->args[0]->type.shape.dim[1];
    open_leaves(l);
    int64_t bytes = temporary_align(in->pixels * in->channels * 4);
    in->scratch =
        lower_scratch(l, "inputs", l->group->temp.per_thread - bytes, in->pixels * in->channels);
    *c = (Contraction){.a = in->scratch,
                       .table = -1,
                       .sink = -1,
                       .sums = -1,
                       .bias = -1,
                       .groups = 1,
                       .group = {.extent = 1},
                       .taps = 1,
                       .run = in->channels,
                       .run_step = 1};
    c->b = lower_operand(l, conv->args[1], true);
    if (conv->nargs == 3)
        c->bias = lower_operand(l, conv->args[2], true);
    c->columns = nest_of_result(l).axis[1];
    describe_pixels(l, in);
    c->rows.axis[0] = in->axis[in->axes - 1];
    c->rows.axis[0].extent = in->pixels;
    c->rows.axis[0].step[c->a] = in->channels;
    c->rows.n = 1;
    contraction_finish(l, c);
}

static void build_pixels(Lower *l, Inputs *in, Contraction *c, const Index *index)
{
    At at = at_origin(l, 1, NULL);
    for (int i = 0; i < in->axes; i++)
        at_move(&at, l->operands, &in->axis[i], index[i]);
    for (int i = 0; i < in->parts; i++)
        fill_part(l, in, &in->part[i], index);
    contraction_rows(l, c, at);
}

/* The longest axis is shared out. */
static int task_axis(const Inputs *in)
{
    int best = 0;
    for (int i = 1; i < in->axes; i++)
        if (in->axis[i].extent > in->axis[best].extent)
            best = i;
    return best;
}

void lower_with_inputs(Lower *l)
{
    Inputs in = {0};
    Contraction c;
    Index index[MAX_CUTS];
    lower_open(l, "conv2d_inputs");
    describe(l, &in, &c);
    store_pad_pixel(l);
    Axis *row = &in.axis[in.axes - 1];
    row->extent /= in.pixels;
    for (int i = 0; i < l->operands; i++)
        row->step[i] *= in.pixels;
    int task = task_axis(&in);
    index[task] = lower_tasks(l, in.axis[task].extent);
    for (int i = 0; i < in.axes; i++)
        if (i != task)
            index[i] = index_var(build_for(&l->b, "o", in.axis[i].extent, false));
    build_pixels(l, &in, &c, index);
    for (int i = 1; i < in.axes; i++)
        build_end(&l->b);
    lower_close(l);
}
