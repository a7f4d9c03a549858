/* Lowering of elementwise groups and of operators that only move elements. */
#include "ir/resize.h"
#include "passes/lower.h"
#include <string.h>

/* ---- loops over a nest ------------------------------------------------- */

typedef void MapBody(Lower *l, const At *at, void *context);

static void map_pieces(Lower *l, At at, const Axis *axis, MapBody *body,
                       void *context)
{
    Piece pieces[MAX_PIECES];
    bool vector = axis_is_vector(axis, l->operands);
    int n = pieces_cut(axis->extent, vector ? lower_lanes(l) : 1, pieces);
    for (int i = 0; i < n; i++) {
        const Piece *p = &pieces[i];
        At here = at;
        const IVar *var = build_for(&l->b, "i", p->count, false);
        Index by = index_plus(index_mul(index_var(var), p->lanes), p->start);
        at_move(&here, l->operands, axis, by);
        here.lanes = p->lanes;
        here.vector = p->lanes > 1 ? axis : NULL;
        body(l, &here, context);
        build_end(&l->b);
    }
}

static void map_axes(Lower *l, At at, const Nest *nest, int from, MapBody *body,
                     void *context)
{
    if (from == nest->n - 1) {
        map_pieces(l, at, &nest->axis[from], body, context);
        return;
    }
    const IVar *var = build_for(&l->b, "d", nest->axis[from].extent, false);
    at_move(&at, l->operands, &nest->axis[from], index_var(var));
    map_axes(l, at, nest, from + 1, body, context);
    build_end(&l->b);
}

/* Splits the outermost axis into tasks of equal size; the vector axis keeps
 * whole vectors. */
static void map_tasks(Lower *l, Nest *nest)
{
    enum { TASKS = 64, WORTH_SPLITTING = 4096 };
    int64_t total = 1;
    for (int i = 0; i < nest->n; i++)
        total *= nest->axis[i].extent;
    int64_t limit = total / WORTH_SPLITTING;
    limit = limit > TASKS ? TASKS : limit;
    Axis *outer = &nest->axis[0];
    int64_t unit = nest->n == 1 && outer->extent % l->target->lanes == 0
                       ? l->target->lanes
                       : 1;
    int64_t tasks = limit > 1 ? divisor_below(outer->extent / unit, limit) : 1;
    Axis task = *outer;
    task.extent = tasks;
    for (int i = 0; i < nest->operands; i++)
        task.step[i] = outer->step[i] * (outer->extent / tasks);
    outer->extent /= tasks;
    memmove(&nest->axis[1], &nest->axis[0], sizeof(Axis) * (size_t)nest->n);
    nest->axis[0] = task;
    nest->n++;
}

/* A settled nest, its outermost axis shared out. */
static void map_nest(Lower *l, Nest *nest, At at, MapBody *body, void *context)
{
    map_tasks(l, nest);
    at_move(&at, l->operands, &nest->axis[0], lower_tasks(l, nest->axis[0].extent));
    map_axes(l, at, nest, 1, body, context);
}

/* ---- elementwise, copies ----------------------------------------------- */

static void body_chain(Lower *l, const At *at, void *context)
{
    (void)context;
    chain_store(l, at, NULL);
}

static void body_copy(Lower *l, const At *at, void *context)
{
    const int *operand = context;
    const Expr *x = at_load(l, at, *operand);
    chain_store(l, at, x);
}

/* A nest over the refined dimensions of a reshape: the common divisors of both
 * shapes. False when they do not line up. */
static bool refine(const Shape *a, const Shape *b, Shape *refined)
{
    refined->rank = 0;
    int64_t rest_a = 1, rest_b = 1;
    int i = 0, j = 0;
    while (i < a->rank || j < b->rank || rest_a > 1 || rest_b > 1) {
        if (rest_a == 1 && i < a->rank)
            rest_a = a->dim[i++];
        if (rest_b == 1 && j < b->rank)
            rest_b = b->dim[j++];
        int64_t small = rest_a < rest_b ? rest_a : rest_b;
        int64_t large = rest_a < rest_b ? rest_b : rest_a;
        if (small > 1 && large % small != 0)
            return false;
        if (small == 1 && (i < a->rank || j < b->rank) && large > 1)
            continue;
        (void)large;
        /* peel the outer factor: row-major order splits from the outside */
        int64_t outer = small;
        rest_a = rest_a / outer;
        rest_b = rest_b / outer;
        if (outer > 1) {
            if (refined->rank == MAX_RANK)
                return false;
            refined->dim[refined->rank++] = outer;
        } else if (i >= a->rank && j >= b->rank) {
            return rest_a == 1 && rest_b == 1;
        }
    }
    return true;
}

/* Steps of a dense-in-logical-order walk over `shape` with `stride`, expressed
 * on the refined dimensions. */
static void refined_steps(const Shape *shape, const int64_t *stride,
                          const Shape *refined, int64_t *step)
{
    int r = refined->rank - 1;
    for (int d = shape->rank - 1; d >= 0; d--) {
        int64_t covered = 1;
        while (covered < shape->dim[d]) {
            step[r] = stride[d] * covered;
            covered *= refined->dim[r--];
        }
    }
}

static void copy_by_table(Lower *l, int source)
{
    const Value *v = l->result, *x = v->args[0];
    int64_t n = shape_count(&v->type.shape);
    int32_t *from = NEW(l->arena, int32_t, n), *to = NEW(l->arena, int32_t, n);
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, a = 0, b = 0;
        for (int d = x->type.shape.rank - 1; d >= 0; d--) {
            a += rest % x->type.shape.dim[d] * x->place.stride[d];
            rest /= x->type.shape.dim[d];
        }
        rest = i;
        for (int d = v->type.shape.rank - 1; d >= 0; d--) {
            b += rest % v->type.shape.dim[d] * v->place.stride[d];
            rest /= v->type.shape.dim[d];
        }
        from[i] = (int32_t)a;
        to[i] = (int32_t)b;
    }
    int table_from = lower_table(l, "from", from, n);
    int table_to = lower_table(l, "to", to, n);
    const Section *sections = l->program->sections.at;
    const Section *s = &sections[l->operand[table_from].section];
    const Section *t = &sections[l->operand[table_to].section];
    Index task = lower_tasks(l, 1);
    const IVar *i = build_for(&l->b, "i", n, false);
    At at = at_origin(l, 1, NULL);
    at.index[source] = index_var(build_iload(&l->b, "from", table_from,
                                             index_add(task, index_var(i)),
                                             s->min, s->max));
    at.index[0] = index_var(build_iload(&l->b, "to", table_to,
                                        index_add(task, index_var(i)), t->min,
                                        t->max));
    chain_store(l, &at, at_load(l, &at, source));
    build_end(&l->b);
}

/* A view whose strides cannot express it, or a change of layout: a copy. */
static void lower_copy(Lower *l)
{
    const Value *v = l->group->anchor, *x = v->args[0];
    int source = lower_operand(l, x, true);
    Nest nest = {.operands = l->operands};
    int64_t stride[MAX_RANK], offset = 0;
    At at = at_origin(l, 1, NULL);
    if (view_strides(v, x->place.stride, stride, &offset)) {
        nest = nest_of_result(l);
        for (int d = 0; d < nest.n; d++)
            nest.axis[d].step[source] = stride[d];
        at.index[source] = index_const(offset);
    } else {
        Shape fine;
        if (!refine(&x->type.shape, &v->type.shape, &fine)) {
            copy_by_table(l, source);
            return;
        }
        int64_t from[MAX_RANK], to[MAX_RANK];
        refined_steps(&x->type.shape, x->place.stride, &fine, from);
        refined_steps(&v->type.shape, v->place.stride, &fine, to);
        nest.n = fine.rank;
        for (int d = 0; d < fine.rank; d++) {
            nest.axis[d] = (Axis){.extent = fine.dim[d]};
            nest.axis[d].step[0] = to[d];
            nest.axis[d].step[source] = from[d];
        }
    }
    nest_settle(&nest);
    if (nest_transposes(l, &nest, source))
        lower_transpose(l, &nest, at, source);
    else
        map_nest(l, &nest, at, body_copy, &source);
}

void lower_map(Lower *l)
{
    const Value *anchor = l->group->anchor;
    lower_open(l, op_info[anchor->op].class == CLASS_view ? "copy" : "map");
    store_pad_pixel(l);
    if (op_info[anchor->op].class == CLASS_view) {
        lower_copy(l);
    } else {
        Nest nest = nest_of_result(l);
        nest_settle(&nest);
        map_nest(l, &nest, at_origin(l, 1, NULL), body_chain, NULL);
    }
    lower_close(l);
}

/* ---- concat ------------------------------------------------------------ */

static void copy_part(Lower *l, int source, const Value *part, int64_t base)
{
    const Value *v = l->group->anchor;
    Nest nest = {.operands = l->operands, .n = part->type.shape.rank};
    for (int d = 0; d < nest.n; d++) {
        nest.axis[d] = (Axis){.extent = part->type.shape.dim[d]};
        nest.axis[d].step[0] = v->place.stride[d];
        nest.axis[d].step[source] = part->place.stride[d];
    }
    nest_settle(&nest);
    At at = at_origin(l, 1, NULL);
    at.index[0] = index_const(base);
    map_axes(l, at, &nest, 0, body_copy, &source);
}

void lower_concat(Lower *l)
{
    const Value *v = l->group->anchor;
    lower_open(l, "concat");
    store_pad_pixel(l);
    lower_tasks(l, 1);
    int64_t base = 0;
    for (int i = 0; i < v->nargs; i++) {
        copy_part(l, lower_operand(l, v->args[i], true), v->args[i], base);
        base += v->args[i]->type.shape.dim[v->attr.axis] *
                v->place.stride[v->attr.axis];
    }
    lower_close(l);
}

/* ---- pad, resize, one_hot ---------------------------------------------- */

typedef struct Fill {
    double value;
} Fill;

static void body_fill(Lower *l, const At *at, void *context)
{
    const Fill *fill = context;
    DType dtype = l->result->type.dtype;
    int64_t whole = dtype == DT_bool ? fill->value != 0 : (int64_t)fill->value;
    const Expr *x = dtype == DT_f32 ? expr_real(l->arena, fill->value, at->lanes)
                                    : expr_int(l->arena, whole, at->lanes);
    if (dtype == DT_bool || dtype == DT_u8)
        x = expr_cast(l->arena, x, DT_u8);
    build_store(&l->b, 0, at->index[0], x);
}

/* For every dimension the source coordinate times its stride, as a table; the
 * walk over the result then reads one entry per dimension. */
typedef int64_t CoordOf(const Value *v, int dim, int64_t i);

static int64_t reflect_coord(const Value *v, int dim, int64_t i)
{
    int64_t n = v->args[0]->type.shape.dim[dim], p = i - v->attr.pad.at[dim];
    if (p < 0)
        p = -p;
    return p < n ? p : 2 * (n - 1) - p;
}

static int64_t nearest_coord(const Value *v, int dim, int64_t i)
{
    return resize_nearest(v->attr.coords, v->args[0]->type.shape.dim[dim],
                          v->type.shape.dim[dim], i);
}

static int coord_table(Lower *l, const char *name, int dim, CoordOf *of)
{
    const Value *v = l->group->anchor;
    int64_t n = v->type.shape.dim[dim];
    int32_t *data = NEW(l->arena, int32_t, n);
    for (int64_t i = 0; i < n; i++)
        data[i] = (int32_t)(of(v, dim, i) * v->args[0]->place.stride[dim]);
    return lower_table(l, name, data, n);
}

static Index table_index(Lower *l, const char *name, int table, Index at)
{
    const Section *s = &l->program->sections.at[l->operand[table].section];
    return index_var(build_iload(&l->b, name, table, at, s->min, s->max));
}

/* Loops over all dimensions but `inner` (the innermost in memory), reading the
 * source coordinate of each by its table; then pieces of the inner one, which
 * moves the source by whole elements. */
static void gather_map(Lower *l, int source, CoordOf *of)
{
    const Value *v = l->group->anchor, *x = v->args[0];
    int rank = v->type.shape.rank, table[MAX_RANK], inner = v->layout.order[rank - 1];
    bool plain = v->type.shape.dim[inner] == x->type.shape.dim[inner];
    for (int d = 0; d < rank; d++)
        table[d] = d == inner && plain ? -1 : coord_table(l, "coord", d, of);
    At at = at_origin(l, 1, NULL);
    Index task = lower_tasks(l, 1);
    at.index[0] = index_add(at.index[0], task);
    for (int k = 0; k < rank - 1 + !plain; k++) {
        int d = v->layout.order[k];
        Index i = index_var(build_for(&l->b, "i", v->type.shape.dim[d], false));
        at.index[0] = index_add(at.index[0], index_mul(i, v->place.stride[d]));
        at.index[source] = index_add(at.index[source],
                                     table_index(l, "at", table[d], i));
    }
    if (plain) {
        Axis axis = {.extent = v->type.shape.dim[inner]};
        axis.step[0] = v->place.stride[inner];
        axis.step[source] = x->place.stride[inner];
        map_pieces(l, at, &axis, body_copy, &source);
    } else {
        chain_store(l, &at, at_load(l, &at, source));
    }
    for (int k = 0; k < rank - 1 + !plain; k++)
        build_end(&l->b);
}

static void pad_constant(Lower *l, int source)
{
    const Value *v = l->group->anchor, *x = v->args[0];
    Nest nest = {.operands = l->operands, .n = v->type.shape.rank};
    int64_t base = 0;
    Nest inside = nest;
    for (int d = 0; d < nest.n; d++) {
        nest.axis[d] = (Axis){.extent = v->type.shape.dim[d]};
        nest.axis[d].step[0] = v->place.stride[d];
        inside.axis[d] = (Axis){.extent = x->type.shape.dim[d]};
        inside.axis[d].step[0] = v->place.stride[d];
        inside.axis[d].step[source] = x->place.stride[d];
        base += v->attr.pad.at[d] * v->place.stride[d];
    }
    lower_tasks(l, 1);
    Nest *both[2] = {&nest, &inside};
    for (int i = 0; i < 2; i++)
        nest_settle(both[i]);
    Fill fill = {v->attr.value};
    At at = at_origin(l, 1, NULL);
    map_axes(l, at, &nest, 0, body_fill, &fill);
    at.index[0] = index_const(base);
    map_axes(l, at, &inside, 0, body_copy, &source);
}

void lower_pad(Lower *l)
{
    const Value *v = l->group->anchor;
    lower_open(l, "pad");
    store_pad_pixel(l);
    if (pad_interleaves(l, v))
        lower_interleave(l);
    else if (v->attr.mode == MODE_reflect)
        gather_map(l, lower_operand(l, v->args[0], true), reflect_coord);
    else
        pad_constant(l, lower_operand(l, v->args[0], true));
    lower_close(l);
}

/* ---- bilinear resize: out = lerp(lerp(4 neighbours)) -------------------- */

typedef struct BlendTables {
    int low, high, weight; /* of one dimension */
} BlendTables;

static BlendTables blend_tables(Lower *l, int dim)
{
    const Value *v = l->group->anchor;
    int64_t in = v->args[0]->type.shape.dim[dim], out = v->type.shape.dim[dim];
    int64_t stride = v->args[0]->place.stride[dim];
    int32_t *low = NEW(l->arena, int32_t, out), *high = NEW(l->arena, int32_t, out);
    float *weight = NEW(l->arena, float, out);
    for (int64_t i = 0; i < out; i++) {
        Blend blend = resize_blend(v->attr.coords, in, out, i);
        low[i] = (int32_t)(blend.low * stride);
        high[i] = (int32_t)(blend.high * stride);
        weight[i] = (float)blend.weight;
    }
    return (BlendTables){lower_table(l, "low", low, out),
                         lower_table(l, "high", high, out),
                         lower_reals(l, "weight", weight, out)};
}

static const Expr *lerp(Lower *l, const Expr *a, const Expr *b, const Expr *t)
{
    return expr_tri(l->arena, EX_fma, t, expr_bin(l->arena, EX_sub, b, a), a);
}

typedef struct Corners {
    int source;
    Index at[4];
    const Expr *th, *tw; /* scalars */
} Corners;

static void body_bilinear(Lower *l, const At *at, void *context)
{
    const Corners *c = context;
    const Expr *x[4];
    At here = *at;
    for (int i = 0; i < 4; i++) {
        here.index[c->source] = index_add(at->index[c->source], c->at[i]);
        x[i] = build_let(&l->b, "x", at_load(l, &here, c->source));
    }
    const Expr *th = c->th, *tw = c->tw;
    if (at->lanes > 1) {
        th = expr_splat(l->arena, th, at->lanes);
        tw = expr_splat(l->arena, tw, at->lanes);
    }
    tw = build_let(&l->b, "tw", tw);
    const Expr *top = build_let(&l->b, "top", lerp(l, x[0], x[1], tw));
    const Expr *low = build_let(&l->b, "low", lerp(l, x[2], x[3], tw));
    chain_store(l, at, lerp(l, top, low, th));
}

static void lower_bilinear(Lower *l, int source)
{
    const Value *v = l->group->anchor, *x = v->args[0];
    const int64_t *out = v->type.shape.dim;
    BlendTables bh = blend_tables(l, 2), bw = blend_tables(l, 3);
    At at = at_origin(l, 1, NULL);
    Index h = lower_tasks(l, out[2]);
    Index n = index_var(build_for(&l->b, "n", out[0], false));
    Index w = index_var(build_for(&l->b, "w", out[3], false));
    Index h0 = table_index(l, "h0", bh.low, h), h1 = table_index(l, "h1", bh.high, h);
    Index w0 = table_index(l, "w0", bw.low, w), w1 = table_index(l, "w1", bw.high, w);
    Corners c = {source, {index_add(h0, w0), index_add(h0, w1), index_add(h1, w0),
                          index_add(h1, w1)}, NULL, NULL};
    c.th = build_let(&l->b, "th", expr_load(l->arena, l->kernel, bh.weight, h, 1));
    c.tw = build_let(&l->b, "tw", expr_load(l->arena, l->kernel, bw.weight, w, 1));
    Index at_out[3] = {n, h, w};
    int dims[3] = {0, 2, 3};
    for (int i = 0; i < 3; i++)
        at.index[0] = index_add(at.index[0],
                                index_mul(at_out[i], v->place.stride[dims[i]]));
    at.index[source] = index_mul(n, x->place.stride[0]);
    Axis axis = {.extent = out[1]};
    axis.step[0] = v->place.stride[1];
    axis.step[source] = x->place.stride[1];
    map_pieces(l, at, &axis, body_bilinear, &c);
    build_end(&l->b);
    build_end(&l->b);
}

void lower_resize(Lower *l)
{
    const Value *v = l->group->anchor;
    lower_open(l, "resize");
    store_pad_pixel(l);
    int source = lower_operand(l, v->args[0], true);
    if (v->attr.mode == MODE_bilinear)
        lower_bilinear(l, source);
    else
        gather_map(l, source, nearest_coord);
    lower_close(l);
}

void lower_one_hot(Lower *l)
{
    const Value *v = l->group->anchor, *x = v->args[0];
    lower_open(l, "one_hot");
    store_pad_pixel(l);
    int source = lower_operand(l, x, true);
    At at = at_origin(l, 1, NULL);
    lower_tasks(l, 1);
    Index class = index_const(0);
    for (int d = 0, k = 0; d < v->type.shape.rank; d++) {
        Index i = index_var(build_for(&l->b, "i", v->type.shape.dim[d], false));
        at.index[0] = index_add(at.index[0], index_mul(i, v->place.stride[d]));
        if (d == v->attr.axis)
            class = i;
        else
            at.index[source] = index_add(at.index[source],
                                         index_mul(i, x->place.stride[k++]));
    }
    const Expr *hit = expr_bin(l->arena, EX_eq, at_load(l, &at, source),
                               expr_index(l->arena, class));
    chain_store(l, &at, expr_tri(l->arena, EX_select, hit,
                                 expr_real(l->arena, 1, 1),
                                 expr_real(l->arena, 0, 1)));
    for (int d = 0; d < v->type.shape.rank; d++)
        build_end(&l->b);
    lower_close(l);
}
