/* order_windows: where a 1x1 convolution reads or makes the elements of windows as its
 * channels, the map's channels become the innermost of them.
 *
 *   reshape %windows [N,C,K,K,H,W] to [N,C*K*K,H,W]; conv2d
 *   ->  transpose %windows to [N,K,K,C,H,W]; reshape; conv2d, its weights in that order
 *   conv2d to [N,G*K*K,H,W]; reshape to [N,G,K,K,H,W]; vecdot over the windows
 *   ->  conv2d, its weights in that order; reshape to [N,K,K,G,H,W]; transpose back
 *
 * Channels of a map are dense in memory, the places of a window are not: so lanes can
 * lie along them. Weights, biases, and what norms left per channel are permuted now.
 *
 * needs: norms_folded   makes: nothing   breaks: constants_folded
 * leaves: permutations of weights, for refold_constants; dead values */
#include "passes/graph_passes.h"

/* Channels [start, start + outer * inner): outer changes places with inner. */
typedef struct Swap {
    int64_t start, outer, inner;
} Swap;

/* ---- permuting what is static ------------------------------------------ */

static Value *cut(Graph *g, Value *at, Value *x, int axis, int64_t start, int64_t count)
{
    Attrs a = attrs_default();
    a.start.n = a.shape.n = a.step.n = x->type.shape.rank;
    for (int d = 0; d < x->type.shape.rank; d++) {
        a.start.at[d] = d == axis ? start : 0;
        a.shape.at[d] = d == axis ? count : x->type.shape.dim[d];
    }
    return graph_add(g, at, at, OP_slice, &a, 1, &x);
}

static Value *reshaped(Graph *g, Value *at, Value *x, const Shape *to)
{
    Attrs a = attrs_default();
    a.shape.n = to->rank;
    for (int d = 0; d < to->rank; d++)
        a.shape.at[d] = to->dim[d];
    return graph_add(g, at, at, OP_reshape, &a, 1, &x);
}

static Value *transposed(Graph *g, Value *at, Value *x, const int *perm)
{
    Attrs a = attrs_default();
    a.perm.n = x->type.shape.rank;
    for (int d = 0; d < a.perm.n; d++)
        a.perm.at[d] = perm[d];
    return graph_add(g, at, at, OP_transpose, &a, 1, &x);
}

/* Of all of x along axis: [.., outer * inner, ..] to [.., inner * outer, ..]. */
static Value *swapped_whole(Graph *g, Value *at, Value *x, int axis, const Swap *swap)
{
    Shape split = {.rank = x->type.shape.rank + 1};
    int perm[MAX_RANK] = {0};
    for (int d = 0; d < split.rank; d++) {
        split.dim[d] = x->type.shape.dim[d <= axis ? d : d - 1];
        perm[d] = d == axis ? axis + 1 : d == axis + 1 ? axis : d;
    }
    split.dim[axis] = swap->outer;
    split.dim[axis + 1] = swap->inner;
    Value *y = transposed(g, at, reshaped(g, at, x, &split), perm);
    return reshaped(g, at, y, &x->type.shape);
}

static Value *swapped(Graph *g, Value *at, Value *x, int axis, const Swap *swap)
{
    int64_t count = swap->outer * swap->inner, all = x->type.shape.dim[axis];
    int64_t after = all - swap->start - count;
    Value *parts[3];
    int n = 0;
    if (swap->start)
        parts[n++] = cut(g, at, x, axis, 0, swap->start);
    Value *part = count == all ? x : cut(g, at, x, axis, swap->start, count);
    parts[n++] = swapped_whole(g, at, part, axis, swap);
    if (after)
        parts[n++] = cut(g, at, x, axis, swap->start + count, after);
    if (n == 1)
        return parts[0];
    Attrs a = attrs_default();
    a.axis = axis;
    return graph_add(g, at, at, OP_concat, &a, n, parts);
}

/* ---- what a convolution reads ------------------------------------------ */

static bool is_point(const Value *v)
{
    return v->op == OP_conv2d && v->attr.groups == 1 && value_is_static(v->args[1]) &&
           v->args[1]->type.shape.dim[2] * v->args[1]->type.shape.dim[3] == 1;
}

/* [N,C,K,K,H,W] as [N,C*K*K,H,W] */
static bool merges_windows(const Value *v)
{
    const Value *x = v->op == OP_reshape ? v->args[0] : NULL;
    if (!x || x->op != OP_unfold || x->type.shape.rank != 6 || v->type.shape.rank != 4)
        return false;
    const int64_t *from = x->type.shape.dim, *to = v->type.shape.dim;
    return from[1] > 1 && to[0] == from[0] && to[1] == from[1] * from[2] * from[3] &&
           to[2] == from[4];
}

/* The axis of channels in an operand of a [N,C,H,W] operator; -1: it has none. */
static int channel_axis(const Value *x)
{
    int axis = 1 - (4 - x->type.shape.rank);
    return axis >= 0 && x->type.shape.dim[axis] > 1 ? axis : -1;
}

/* Does the value come from windows, by operators that only it reads and whose other
 * operands are static? */
static bool find_windows(const Value *v, Swap *swap)
{
    if (v->uses != 1 || v->type.shape.rank != 4)
        return false;
    if (merges_windows(v)) {
        const int64_t *from = v->args[0]->type.shape.dim;
        swap->outer = from[1];
        swap->inner = from[2] * from[3];
        return true;
    }
    bool joint = v->op == OP_concat && v->attr.axis == 1;
    if (!joint && !op_is_elementwise(v->op))
        return false;
    const Value *way = NULL;
    for (int i = 0; i < v->nargs; i++) {
        Swap inner = {0};
        if (!way && find_windows(v->args[i], &inner)) {
            way = v->args[i];
            swap->start += inner.start;
            swap->outer = inner.outer;
            swap->inner = inner.inner;
        } else if (joint && !way) {
            swap->start += v->args[i]->type.shape.dim[1];
        } else if (!joint && !value_is_static(v->args[i])) {
            return false;
        }
    }
    return way != NULL;
}

/* x, which is windows as channels, with the map's channels innermost. */
static Value *windows_swapped(Graph *g, Value *x)
{
    static const int innermost[] = {0, 2, 3, 1, 4, 5};
    return reshaped(g, x, transposed(g, x, x->args[0], innermost), &x->type.shape);
}

/* Argument i of v, on the way that find_windows found or beside it, in the new order. */
static void swap_argument(Graph *g, Value *v, int i, const Swap *swap)
{
    Value *x = v->args[i];
    Swap found = {0};
    if (merges_windows(x) && x->uses == 1) {
        value_set_arg(v, i, windows_swapped(g, x));
    } else if (find_windows(x, &found)) {
        for (int k = 0; k < x->nargs; k++)
            swap_argument(g, x, k, swap);
    } else if (op_is_elementwise(v->op) && channel_axis(x) >= 0) {
        value_set_arg(v, i, swapped(g, v, x, channel_axis(x), swap));
    }
}

static void order_inputs(Graph *g, Value *conv)
{
    Swap swap = {0};
    if (!find_windows(conv->args[0], &swap))
        return;
    value_set_arg(conv, 1, swapped(g, conv, conv->args[1], 1, &swap));
    swap_argument(g, conv, 0, &swap);
}

/* ---- what a convolution makes ------------------------------------------ */

/* Dimensions [first, last) of a reshape cut a convolution's channels: the first of
 * them the map's, the others a window's, over which its reader sums. */
static bool splits_windows(const Value *v, const Value *reader, int *first, int *last)
{
    const Value *conv = v->args[0];
    int64_t channels = conv->type.shape.dim[1], count = 1;
    int d = 0;
    while (d < v->type.shape.rank && v->type.shape.dim[d] == 1)
        d++;
    *first = d;
    for (; d < v->type.shape.rank && count < channels; d++)
        count *= v->type.shape.dim[d];
    *last = d;
    if (count != channels || *last - *first < 2 || conv->type.shape.dim[0] != 1 ||
        reader->type.shape.rank > v->type.shape.rank)
        return false;
    int offset = shape_joined(&reader->args[0]->type.shape, &reader->args[1]->type.shape).rank -
                 v->type.shape.rank;
    int summed = 0;
    for (int i = 0; i < reader->attr.axes.n; i++)
        summed +=
            reader->attr.axes.at[i] - offset > *first && reader->attr.axes.at[i] - offset < *last;
    return summed == *last - *first - 1 && summed == reader->attr.axes.n;
}

static Value *reader_of(const Value *v)
{
    for (Value *u = v->next; u && v->uses == 1; u = u->next)
        for (int i = 0; i < u->nargs; i++)
            if (u->uses && u->args[i] == v)
                return u;
    return NULL;
}

static void order_results(Graph *g, Value *v)
{
    int first, last, perm[MAX_RANK];
    Value *conv = v->args[0], *reader = reader_of(v);
    if (!is_point(conv) || conv->uses != 1 || !reader || reader->op != OP_vecdot ||
        !splits_windows(v, reader, &first, &last))
        return;
    Swap swap = {.outer = v->type.shape.dim[first],
                 .inner = conv->type.shape.dim[1] / v->type.shape.dim[first]};
    for (int i = 1; i < conv->nargs; i++)
        value_set_arg(conv, i, swapped(g, conv, conv->args[i], 0, &swap));
    Shape moved = v->type.shape;
    for (int d = 0; d < moved.rank; d++) {
        perm[d] = d == first ? last - 1 : d > first && d < last ? d - 1 : d;
        moved.dim[perm[d]] = v->type.shape.dim[d];
    }
    Value *windows = reshaped(g, v, conv, &moved);
    Value *back = transposed(g, v, windows, perm);
    graph_replace(g, v, back);
}

/* Uses by what reaches an output: earlier passes leave readers that are dead. */
static void count_live_uses(Graph *graph)
{
    FOR_VALUES(v, graph)
        v->uses = graph_is_output(graph, v);
    for (Value *v = graph->last; v; v = v->prev)
        for (int i = 0; v->uses && i < v->nargs; i++)
            v->args[i]->uses++;
}

void pass_order_windows(Graph *graph, const Target *target)
{
    (void)target;
    count_live_uses(graph);
    FOR_VALUES(v, graph) {
        if (is_point(v))
            order_inputs(graph, v);
        else if (v->op == OP_reshape && v->args[0]->op == OP_conv2d)
            order_results(graph, v);
    }
}
