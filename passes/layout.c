/* layout: how every value lies in memory.
 *
 * Maps lie channels last ([N,H,W,C]): lanes of convolution run along channels.
 * Two sweeps: backwards, every reader says which order it would like; forwards,
 * every operator takes that order when its kernel can write it. Views take the
 * strides of what they show; where none can express them, and where a kernel
 * cannot read an operand as it lies, a copy (a reshape to the same shape, in a
 * group of its own) is put in between.
 *
 *   %1 = reshape %x : f32[1,64,49]                       (free: strides 1, 64)
 *   %2 = conv2d %image ..  ->  %c = reshape %image layout 0231+pad; conv2d %c
 *
 * needs: grouped   makes: laid_out   breaks: nothing
 * leaves: place.stride set; homes are plan_memory's */
#include "passes/attention.h"
#include "passes/graph_passes.h"
#include "passes/inputs.h"
#include <string.h>

typedef struct Wish {
    bool any;
    signed char order[MAX_RANK];
} Wish;

typedef struct Layouter {
    Graph *graph;
    Wish *wish; /* by value id */
    int wishes;
} Layouter;

static Wish channels_last(int rank)
{
    Wish wish = {.any = true};
    int n = 0;
    for (int d = 0; d < rank; d++)
        if (d != 1)
            wish.order[n++] = (signed char)d;
    wish.order[rank - 1] = 1;
    return wish;
}

static Wish row_major(int rank)
{
    Layout rows = layout_rows(rank);
    Wish wish = {.any = true};
    memcpy(wish.order, rows.order, sizeof wish.order);
    return wish;
}

/* Dimensions from the largest stride to the smallest; those of length 1 keep
 * their place among the others. */
static Wish order_of_strides(const Shape *shape, const int64_t *stride)
{
    Wish wish = row_major(shape->rank);
    for (int i = 1; i < shape->rank; i++)
        for (int j = i; j > 0; j--) {
            int a = wish.order[j - 1], b = wish.order[j];
            if (stride[a] >= stride[b] || shape->dim[a] == 1)
                break;
            wish.order[j - 1] = (signed char)b;
            wish.order[j] = (signed char)a;
        }
    return wish;
}

/* ---- backwards --------------------------------------------------------- */

static void wish_for(Layouter *l, const Value *v, Wish wish)
{
    if (v->id < l->wishes && !l->wish[v->id].any && wish.any)
        l->wish[v->id] = wish;
}

/* What order of the source makes this view lie in the wished order? */
static Wish pull_back(const Value *v, const Wish *wish)
{
    const Shape *to = &v->type.shape, *from = &v->args[0]->type.shape;
    int64_t stride[MAX_RANK], source[MAX_RANK], seen[MAX_RANK];
    Layout layout = {.kind = LAYOUT_rows};
    memcpy(layout.order, wish->order, sizeof layout.order);
    layout_strides(to, &layout, stride);
    for (int d = 0; d < from->rank; d++)
        source[d] = 1;
    if (v->op == OP_transpose) {
        for (int d = 0; d < to->rank; d++)
            source[v->attr.perm.at[d]] = stride[d];
    } else if (v->op == OP_reshape) {
        /* run the reshape the other way round */
        Value back = *v, inner = *v->args[0];
        Value *arg = &inner;
        inner.type = v->type;
        back.args = &arg;
        back.type = v->args[0]->type;
        int64_t offset;
        if (!view_strides(&back, stride, source, &offset))
            return (Wish){0};
    } else {
        return (Wish){0};
    }
    (void)seen;
    return order_of_strides(from, source);
}

static void wish_of_reader(Layouter *l, const Value *v)
{
    const Wish *own = &l->wish[v->id];
    switch (op_info[v->op].class) {
    case CLASS_conv:
    case CLASS_pool:
        wish_for(l, v->args[0],
                 v->op == OP_linear ? row_major(v->args[0]->type.shape.rank)
                                    : channels_last(v->args[0]->type.shape.rank));
        return;
    case CLASS_view:
        if (own->any)
            wish_for(l, v->args[0], pull_back(v, own));
        return;
    case CLASS_unary:
    case CLASS_binary:
    case CLASS_compare:
    case CLASS_select:
    case CLASS_move:
        for (int i = 0; i < v->nargs; i++)
            if (v->args[i]->type.shape.rank == v->type.shape.rank && v->op != OP_one_hot)
                wish_for(l, v->args[i], *own);
        return;
    case CLASS_source:
    case CLASS_product:
    case CLASS_dot:
    case CLASS_attention:
    case CLASS_norm:
    case CLASS_reduce:
    case CLASS_softmax: return;
    }
}

/* ---- forwards ---------------------------------------------------------- */

static void set_order(Value *v, const Wish *wish)
{
    v->layout.kind = LAYOUT_rows;
    memcpy(v->layout.order, wish->order, sizeof v->layout.order);
    layout_strides(&v->type.shape, &v->layout, v->place.stride);
}

/* A dense copy of x before `at`. */
static Value *copy_before(Layouter *l, Value *at, Value *x, const Wish *wish)
{
    Attrs attrs = attrs_default();
    attrs.shape.n = x->type.shape.rank;
    memcpy(attrs.shape.at, x->type.shape.dim, sizeof x->type.shape.dim);
    Value *copy = graph_add(l->graph, at, x, OP_reshape, &attrs, 1, &x);
    group_new(l->graph, copy);
    set_order(copy, wish);
    return copy;
}

/* Copies go before the whole group that reads them. */
static Value *first_of_group(const Layouter *l, Value *v)
{
    return v->group >= 0 ? l->graph->groups.at[v->group].members.at[0] : v;
}

static bool is_dense(const Value *v, const Wish *wish)
{
    int64_t stride[MAX_RANK];
    Layout layout = {.kind = LAYOUT_rows};
    memcpy(layout.order, wish->order, sizeof layout.order);
    layout_strides(&v->type.shape, &layout, stride);
    for (int d = 0; d < v->type.shape.rank; d++)
        if (v->type.shape.dim[d] > 1 && v->place.stride[d] != stride[d])
            return false;
    return true;
}

/* The pad pixel lies behind the root's last element, one innermost row long. */
static bool can_pad(const Layouter *l, Value *x, const Wish *wish)
{
    Value *root = view_root(x);
    if (root->group < 0 || graph_is_output(l->graph, root) || !is_dense(x, wish))
        return false;
    int64_t row = root->type.shape.dim[(int)root->layout.order[root->type.shape.rank - 1]];
    return shape_count(&root->type.shape) == shape_count(&x->type.shape) &&
           row >= x->type.shape.dim[1];
}

static bool reads_outside(const Value *v)
{
    if (v->op != OP_conv2d && v->op != OP_conv1d && v->op != OP_avg_pool2d)
        return false;
    Window w = window_of(v);
    bool direct = v->schedule.algorithm == ALGORITHM_direct ||
                  v->schedule.algorithm == ALGORITHM_strassen ||
                  v->schedule.algorithm == ALGORITHM_blas;
    return !direct || window_leaves_map(&w);
}

static void pad_before(Layouter *l, Value *conv)
{
    Value *x = conv->args[0], *at = first_of_group(l, conv);
    Attrs attrs = attrs_default();
    attrs.mode = MODE_constant;
    attrs.pad.n = 8;
    for (int i = 0; i < 8; i++)
        attrs.pad.at[i] = 0;
    attrs.pad.at[2] = conv->attr.pad.at[0];
    attrs.pad.at[3] = conv->attr.pad.at[1];
    attrs.pad.at[6] = conv->attr.pad.at[2];
    attrs.pad.at[7] = conv->attr.pad.at[3];
    Value *padded = graph_add(l->graph, at, conv, OP_pad, &attrs, 1, &x);
    Wish wish = channels_last(4);
    group_new(l->graph, padded);
    set_order(padded, &wish);
    value_set_arg(conv, 0, padded);
    for (int i = 0; i < 4; i++)
        conv->attr.pad.at[i] = 0;
}

static void prepare_window(Layouter *l, Value *v)
{
    Value *x = v->args[0];
    Wish wish = channels_last(x->type.shape.rank);
    if (conv_reads_rows(v)) {
        if (reads_outside(v))
            pad_before(l, v);
        else if (!is_dense(x, &wish))
            value_set_arg(v, 0, copy_before(l, first_of_group(l, v), x, &wish));
        return;
    }
    if (!reads_outside(v))
        return;
    if (!can_pad(l, x, &wish)) {
        x = copy_before(l, first_of_group(l, v), x, &wish);
        value_set_arg(v, 0, x);
    }
    view_root(x)->layout.pad_pixel = true;
}

static bool dense_in(const Value *x, int d)
{
    return x->type.shape.dim[d] == 1 || x->place.stride[d] == 1;
}

/* A product needs an operand that is dense along its free dimension. */
static void prepare_product(Layouter *l, Value *v)
{
    Value *a = v->args[0], *b = v->args[1];
    int ra = a->type.shape.rank, rb = b->type.shape.rank;
    int am = ra - (v->attr.transpose_a ? 1 : 2), bn = rb - (v->attr.transpose_b ? 2 : 1);
    if (dense_in(a, am) || dense_in(b, bn))
        return;
    bool copy_b = shape_count(&b->type.shape) <= shape_count(&a->type.shape);
    Value *x = copy_b ? b : a;
    int dense = copy_b ? bn : am, n = 0;
    Wish wish = {.any = true};
    for (int d = 0; d < x->type.shape.rank; d++)
        if (d != dense)
            wish.order[n++] = (signed char)d;
    wish.order[n] = (signed char)dense;
    value_set_arg(v, copy_b ? 1 : 0, copy_before(l, first_of_group(l, v), x, &wish));
}

/* Lanes lie along n or m; the wish is met when it ends in one that can. */
static Wish product_order(const Value *v, const Wish *wish)
{
    const Value *a = v->args[0], *b = v->args[1];
    int rank = v->type.shape.rank, m = rank - 2, n = rank - 1;
    bool by_n = dense_in(b, b->type.shape.rank - (v->attr.transpose_b ? 2 : 1));
    bool by_m = dense_in(a, a->type.shape.rank - (v->attr.transpose_a ? 1 : 2));
    int last = wish->any ? wish->order[rank - 1] : -1;
    if ((last == n && by_n) || (last == m && by_m))
        return *wish;
    bool lanes_m = by_m && (!by_n || v->type.shape.dim[m] > v->type.shape.dim[n]);
    Wish order = row_major(rank);
    if (wish->any)
        order = *wish;
    int dense = lanes_m ? m : n, k = 0;
    Wish result = {.any = true};
    for (int i = 0; i < rank; i++)
        if (order.order[i] != dense)
            result.order[k++] = order.order[i];
    result.order[k] = (signed char)dense;
    return result;
}

/* A value's dimensions from its largest stride. Those of windows, which overlap, go
 * together before the innermost: all of a window at its pixel. */
static Wish order_of_value(const Value *v)
{
    const Shape *shape = &v->type.shape;
    if (v->op != OP_unfold || v->group >= 0)
        return order_of_strides(shape, v->place.stride);
    int64_t stride[MAX_RANK];
    for (int d = 0; d < shape->rank; d++)
        stride[d] = 4 * v->place.stride[d];
    stride[shape->rank - 4] = 6; /* one step of the innermost is 4, of the next 8 */
    stride[shape->rank - 3] = 5;
    return order_of_strides(shape, stride);
}

static Wish order_like_argument(const Value *v)
{
    for (int i = 0; i < v->nargs; i++)
        if (shape_equal(&v->args[i]->type.shape, &v->type.shape) &&
            op_info[v->args[i]->op].class != CLASS_source)
            return order_of_value(v->args[i]);
    for (int i = 0; i < v->nargs; i++)
        if (v->args[i]->type.shape.rank == v->type.shape.rank)
            return order_of_strides(&v->type.shape, v->args[i]->place.stride);
    return row_major(v->type.shape.rank);
}

/* Kept dimensions stay in the argument's order. */
static Wish reduced_order(const Value *v)
{
    const Value *x = v->args[0];
    if (v->type.shape.rank == x->type.shape.rank)
        return order_of_strides(&v->type.shape, x->place.stride);
    int64_t stride[MAX_RANK];
    int n = 0;
    for (int d = 0; d < x->type.shape.rank; d++) {
        bool gone = v->op == OP_argmax && d == v->attr.axis;
        for (int i = 0; i < v->attr.axes.n && v->op != OP_argmax; i++)
            gone = gone || v->attr.axes.at[i] == d;
        if (!gone)
            stride[n++] = x->place.stride[d];
    }
    return order_of_strides(&v->type.shape, stride);
}

/* Where a dimension of vecdot's result lies in an operand: its step; 0 broadcast. */
static int64_t dot_step(const Value *v, int operand, int d)
{
    const Value *x = v->args[operand];
    Shape joined = shape_joined(&v->args[0]->type.shape, &v->args[1]->type.shape);
    int at = 0;
    for (int kept = -1; at < joined.rank; at++) {
        bool summed = false;
        for (int i = 0; i < v->attr.axes.n; i++)
            summed = summed || v->attr.axes.at[i] == at;
        kept += !summed || v->attr.keepdims;
        if (kept == d && (!summed || v->attr.keepdims))
            break;
    }
    int own = at - (joined.rank - x->type.shape.rank);
    return own < 0 || x->type.shape.dim[own] == 1 ? 0 : x->place.stride[own];
}

/* What lanes would lie along: dense in an operand, dense or repeated in the other.
 * Else the dimension with the least step in both. */
static int dot_inner(const Value *v)
{
    int best = v->type.shape.rank - 1;
    int64_t least = INT64_MAX;
    for (int d = 0; d < v->type.shape.rank; d++) {
        int64_t a = dot_step(v, 0, d), b = dot_step(v, 1, d);
        int64_t step = a > b ? a : b;
        if (v->type.shape.dim[d] > 1 && step > 0 && step < least) {
            least = step;
            best = d;
        }
    }
    return best;
}

/* The first operand's dimensions as they lie there, then those it repeats along as
 * they lie in the second (windows of a pixel stay together), innermost the lanes'. */
static Wish dot_order(const Value *v, const Wish *wish)
{
    int rank = v->type.shape.rank, inner = rank ? dot_inner(v) : 0, n = 0;
    if (rank == 0 || (wish->any && wish->order[rank - 1] == inner))
        return rank ? *wish : row_major(0);
    Wish order = {.any = true};
    for (int operand = 0; operand < 2; operand++) {
        int64_t step[MAX_RANK] = {0};
        for (int d = 0; d < rank; d++)
            step[d] = dot_step(v, operand, d);
        Wish sorted = order_of_strides(&v->type.shape, step);
        for (int i = 0; i < rank; i++) {
            int d = sorted.order[i];
            bool first = dot_step(v, 0, d) != 0;
            if (d != inner && first == (operand == 0))
                order.order[n++] = (signed char)d;
        }
    }
    order.order[n] = (signed char)inner;
    return order;
}

static Wish natural_order(const Value *v, const Wish *wish)
{
    int rank = v->type.shape.rank;
    switch (op_info[v->op].class) {
    case CLASS_conv:
        return v->op == OP_linear ? row_major(rank) : channels_last(rank);
    case CLASS_pool: return channels_last(rank);
    case CLASS_product: return product_order(v, wish);
    case CLASS_dot: return dot_order(v, wish);
    case CLASS_reduce: return reduced_order(v);
    case CLASS_unary:
    case CLASS_binary:
    case CLASS_compare:
    case CLASS_select:
    case CLASS_move:
    case CLASS_view:
        if (wish->any)
            return *wish;
        return v->op == OP_one_hot ? row_major(rank) : order_like_argument(v);
    case CLASS_source:
    case CLASS_attention:
    case CLASS_norm:
    case CLASS_softmax: return row_major(rank);
    }
    bug("natural_order: no such class");
}

static Wish none;

static const Wish *wish_of(const Layouter *l, const Value *v)
{
    return v->id < l->wishes ? &l->wish[v->id] : &none;
}

static void prepare_arguments(Layouter *l, Value *v)
{
    if (v->op == OP_conv2d || v->op == OP_conv1d || v->op == OP_avg_pool2d)
        prepare_window(l, v);
    else if (v->op == OP_matmul)
        prepare_product(l, v);
}

/* A convolution's lanes lie along its channels: what its chain reads besides must be
 * dense there, or the same for all of them. */
static void prepare_chain_argument(Layouter *l, Value *v, int i)
{
    Value *x = v->args[i], *anchor = l->graph->groups.at[v->group].anchor;
    Wish all = order_of_strides(&anchor->type.shape, anchor->place.stride), own = {.any = true};
    int missing = anchor->type.shape.rank - x->type.shape.rank, n = 0;
    int inner = all.order[anchor->type.shape.rank - 1] - missing;
    if (x->group == v->group || inner < 0 || dense_in(x, inner))
        return;
    for (int d = 0; d < anchor->type.shape.rank; d++)
        if (all.order[d] >= missing)
            own.order[n++] = (signed char)(all.order[d] - missing);
    value_set_arg(v, i, copy_before(l, first_of_group(l, v), x, &own));
}

/* ---- scores, softmax and what reads it --------------------------------- */

/* A column's elements are neighbours; those of all heads, head by head. */
static Wish columns_first(int rank)
{
    return rank == 3 ? channels_last(3) : (Wish){true, {0, 3, 1, 2}};
}

/* Over pixels, the order of the map. Over tokens the reader's wish, else the map's. */
static Wish attention_order(const Attention *a, const Wish *wish)
{
    int rank = a->rows + 2;
    bool last = attention_is_channels_last(a);
    if (a->values && wish->any)
        last = wish->order[rank - 1] != rank - 1;
    return last ? columns_first(rank) : row_major(rank);
}

/* Lanes of scores lie along the tokens, or along the pixels of a result that has them
 * so; those of channels-last results along V's. */
static void prepare_attention(Layouter *l, Value *product, const Attention *a, const Wish *order)
{
    Value *first = first_of_group(l, product), *values = product->args[0];
    int columns = a->rows + 1;
    Wish rows = row_major(columns + 1), last = columns_first(columns + 1);
    bool by_channel = order->order[columns] == a->rows;
    for (int i = 0; i < first->nargs; i++) {
        Value *m = first->args[i];
        if (m == a->matrix && first->op == OP_matmul && (!a->values || by_channel) &&
            !dense_in(m, columns))
            value_set_arg(first, i, copy_before(l, first, m, &rows));
    }
    if (a->values && by_channel && !dense_in(values, a->rows))
        value_set_arg(product, 0, copy_before(l, first, values, &last));
}

/* All members of a group are stored (if at all) in the anchor's order. */
static void place_computed(Layouter *l, Value *v)
{
    const Group *group = &l->graph->groups.at[v->group];
    const Value *last = group->members.at[group->members.n - 1];
    Attention attention;
    if (v == group->anchor && attention_of(group, &attention)) {
        Wish order = attention_order(&attention, wish_of(l, last));
        prepare_attention(l, v, &attention, &order);
        set_order(v, &order);
        return;
    }
    if (v == group->anchor)
        prepare_arguments(l, v);
    else if (group_is_input(group, v))
        ; /* never stored */
    else if (op_info[group->anchor->op].class == CLASS_conv)
        for (int i = 0; i < v->nargs; i++)
            prepare_chain_argument(l, v, i);
    Wish wish = v == group->anchor ? natural_order(v, wish_of(l, last))
                                   : order_of_strides(&v->type.shape,
                                                      group->anchor->place.stride);
    set_order(v, &wish);
}

static void place_view(Layouter *l, Value *v)
{
    int64_t offset;
    if (view_strides(v, v->args[0]->place.stride, v->place.stride, &offset)) {
        v->place.offset = offset;
        return;
    }
    group_new(l->graph, v);
    Wish wish = natural_order(v, wish_of(l, v));
    set_order(v, &wish);
}

/* A reshape of all of a step's result that lies as the output should: the step writes
 * the output itself. */
static bool shows_result(const Layouter *l, Value *v)
{
    const Value *root = view_root(v);
    Wish plain = row_major(root->type.shape.rank);
    while (v != root && v->op == OP_reshape && v->group < 0)
        v = v->args[0];
    return v == root && root->group >= 0 && !root->layout.pad_pixel && is_dense(root, &plain) &&
           !graph_is_output(l->graph, root);
}

/* Outputs are dense in logical order and written by a step. */
static void settle_outputs(Layouter *l)
{
    for (int i = 0; i < l->graph->outputs.n; i++) {
        Output *out = &l->graph->outputs.at[i];
        Wish plain = row_major(out->value->type.shape.rank);
        bool repeated = false;
        for (int k = 0; k < i; k++)
            repeated = repeated ||
                       view_root(l->graph->outputs.at[k].value) == view_root(out->value);
        bool written = out->value->group >= 0 || shows_result(l, out->value);
        if (!written || !is_dense(out->value, &plain) || out->value->layout.pad_pixel || repeated)
            out->value = copy_before(l, NULL, out->value, &plain);
    }
}

void pass_layout(Graph *graph, const Target *target)
{
    (void)target;
    Layouter l = {.graph = graph, .wishes = graph->next_id};
    l.wish = NEW(graph->arena, Wish, graph->next_id + 1);
    for (int i = 0; i < graph->outputs.n; i++)
        wish_for(&l, graph->outputs.at[i].value,
                 row_major(graph->outputs.at[i].value->type.shape.rank));
    for (Value *v = graph->last; v; v = v->prev)
        wish_of_reader(&l, v);
    FOR_VALUES(v, graph) {
        if (op_info[v->op].class == CLASS_source)
            layout_strides(&v->type.shape, &v->layout, v->place.stride);
        else if (v->group >= 0 && !v->layout.pad_pixel && v->place.stride[0] == 0)
            place_computed(&l, v);
        else if (v->group < 0)
            place_view(&l, v);
    }
    settle_outputs(&l);
}
