/* ONNX operators that move elements, and constants made from shapes. */
#include "frontend/onnx_import.h"
#include "ir/resize.h"
#include <string.h>

static bool node_is(const Importer *in, const char *name)
{
    return strcmp(in->node->op_type, name) == 0;
}

static Shape shape_checked(Importer *in, const Ints *dims)
{
    double count = 1;
    if (dims->n > MAX_RANK)
        onnx_fail(in, "%d dimensions are more than %d", dims->n, MAX_RANK);
    for (int i = 0; i < dims->n; i++) {
        count *= (double)dims->at[i];
        if (dims->at[i] < 1 || count > INT32_MAX)
            onnx_fail(in, "a dimension is %lld: out of range", (long long)dims->at[i]);
    }
    return shape_of(dims->n, dims->at);
}

/* ---- shapes ----------------------------------------------------------------------- */

static int64_t bounded(int64_t x, int64_t rank)
{
    x = x < 0 ? x + rank : x;
    return x < 0 ? 0 : x > rank ? rank : x;
}

void onnx_build_shape(Importer *in)
{
    Shape s = onnx_arg(in, 0)->type.shape;
    int64_t first = bounded(onnx_attr_int(in, "start", 0), s.rank);
    int64_t last = bounded(onnx_attr_int(in, "end", s.rank), s.rank), n = last - first;
    if (n < 1) {
        onnx_result_empty(in, 0);
        return;
    }
    Tensor *t = onnx_tensor_new(in, (Type){DT_i32, shape_of(1, &n)});
    for (int64_t i = 0; i < n; i++)
        tensor_set(t, i, (double)s.dim[first + i]);
    onnx_result(in, 0, onnx_constant(in, t));
}

void onnx_build_size(Importer *in)
{
    onnx_result(in, 0, onnx_scalar(in, DT_i32, (double)shape_count(&onnx_arg(in, 0)->type.shape)));
}

/* 0 keeps the dimension of the input, -1 takes what is left */
void onnx_build_reshape(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    Ints to = onnx_known_ints(in, 1);
    int64_t rest = shape_count(&x->type.shape);
    int free = -1;
    bool zero = onnx_attr_int(in, "allowzero", 0) != 0;
    for (int i = 0; i < to.n; i++) {
        if (to.at[i] == 0 && !zero && i < x->type.shape.rank)
            to.at[i] = x->type.shape.dim[i];
        if (to.at[i] == -1)
            free = i;
        else
            rest = to.at[i] > 0 ? rest / to.at[i] : rest;
    }
    if (free >= 0)
        to.at[free] = rest;
    onnx_result(in, 0, onnx_reshape(in, x, shape_checked(in, &to)));
}

void onnx_build_flatten(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    Shape s = x->type.shape;
    int64_t axis = onnx_attr_int(in, "axis", 1), rows[2] = {1, 1};
    axis = axis == s.rank ? axis : onnx_axis(in, axis, s.rank);
    for (int d = 0; d < s.rank; d++)
        rows[d >= axis] *= s.dim[d];
    onnx_result(in, 0, onnx_reshape(in, x, shape_of(2, rows)));
}

static unsigned axes_given(Importer *in, int rank, bool *any)
{
    Ints axes = {0};
    unsigned seen = 0;
    *any = onnx_attr_ints(in, "axes", &axes);
    if (!*any && onnx_has(in, 1)) {
        axes = onnx_known_ints(in, 1);
        *any = true;
    }
    for (int i = 0; i < axes.n; i++)
        seen |= 1u << onnx_axis(in, axes.at[i], rank + (node_is(in, "Unsqueeze") ? axes.n : 0));
    return seen;
}

void onnx_build_squeeze(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    Shape from = x->type.shape, to = {0};
    bool any;
    unsigned seen = axes_given(in, from.rank, &any);
    for (int d = 0; d < from.rank; d++)
        if (any ? !(seen >> d & 1) : from.dim[d] != 1)
            to.dim[to.rank++] = from.dim[d];
        else if (from.dim[d] != 1)
            onnx_fail(in, "dimension %d is %lld, not 1", d, (long long)from.dim[d]);
    onnx_result(in, 0, onnx_reshape(in, x, to));
}

void onnx_build_unsqueeze(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    Shape from = x->type.shape, to = {0};
    bool any;
    unsigned seen = axes_given(in, from.rank, &any);
    for (int d = 0, i = 0; i < from.rank || seen >> d; d++) {
        if (d == MAX_RANK)
            onnx_fail(in, "more than %d dimensions", MAX_RANK);
        to.dim[to.rank++] = seen >> d & 1 ? 1 : from.dim[i++];
    }
    onnx_result(in, 0, onnx_reshape(in, x, to));
}

void onnx_build_transpose(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    int rank = x->type.shape.rank, perm[MAX_RANK];
    Ints given = {0};
    bool any = onnx_attr_ints(in, "perm", &given);
    if (any && given.n != rank)
        onnx_fail(in, "perm has %d numbers, needs %d", given.n, rank);
    for (int i = 0; i < rank; i++)
        perm[i] = any ? (int)onnx_axis(in, given.at[i], rank) : rank - 1 - i;
    onnx_result(in, 0, onnx_transpose(in, x, perm));
}

void onnx_build_concat(Importer *in)
{
    int n = onnx_inputs(in), kept = 0, rank = 1;
    Value **parts = NEW(in->arena, Value *, n ? n : 1);
    for (int i = 0; i < n; i++) {
        Value *v = onnx_maybe(in, i); /* without elements: adds nothing */
        if (v)
            parts[kept++] = v;
        rank = v ? v->type.shape.rank : rank;
    }
    int axis = (int)onnx_axis(in, onnx_attr_int(in, "axis", 1), rank);
    if (kept)
        onnx_result(in, 0, onnx_concat(in, axis, kept, parts));
    else
        onnx_result_empty(in, 0);
}

void onnx_build_split(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    int axis = (int)onnx_axis(in, onnx_attr_int(in, "axis", 0), x->type.shape.rank);
    int64_t n = (int64_t)in->node->n_output, size = x->type.shape.dim[axis], at = 0;
    Ints sizes = {0};
    if (!onnx_attr_ints(in, "split", &sizes) && onnx_has(in, 1))
        sizes = onnx_known_ints(in, 1);
    int64_t promised = onnx_attr_int(in, "num_outputs", n);
    if (promised != n)
        onnx_fail(in, "num_outputs is %lld, of %lld", (long long)promised, (long long)n);
    if (n < 1 || (sizes.n && sizes.n != n))
        onnx_fail(in, "%d sizes for %lld outputs", sizes.n, (long long)n);
    for (int i = 0; i < n; i++) {
        int64_t part = sizes.n ? sizes.at[i] : (size + n - 1) / n;
        part = !sizes.n && part > size - at ? size - at : part;
        if (part < 0 || part > size - at)
            onnx_fail(in, "the sizes do not fit %lld", (long long)size);
        if (part)
            onnx_result(in, i, onnx_slice(in, x, axis, (Ints){3, {at, part, 1}}));
        else
            onnx_result_empty(in, i);
        at += part;
    }
    if (at != size)
        onnx_fail(in, "the sizes make %lld, not %lld", (long long)at, (long long)size);
}

/* One axis of a Slice, as NumPy reads first:last:step. What is cut is gathered in `a`,
 * so that several axes are one slice; false: no elements are left. */
static bool slice_axis(Importer *in, Value **from, int axis, Ints s, Attrs *a)
{
    Value *x = *from;
    int64_t n = x->type.shape.dim[axis], first = s.at[0], last = s.at[1], step = s.at[2];
    if (step == 0 || step > INT32_MAX || step < -INT32_MAX)
        onnx_fail(in, "a step of %lld is not supported", (long long)step);
    first = first < 0 ? first + n : first;
    last = last < 0 ? last + n : last;
    if (step < 0) { /* the same of the reversed axis */
        *from = onnx_reverse(in, x, axis);
        first = n - 1 - first;
        last = n - 1 - last;
        step = -step;
    }
    first = first < 0 ? 0 : first;
    last = last > n ? n : last;
    a->start.at[axis] = first;
    a->shape.at[axis] = (last - first + step - 1) / step;
    a->step.at[axis] = step;
    return first < last;
}

static Attrs whole_slice(const Shape *s)
{
    Attrs a = attrs_default();
    a.start.n = a.shape.n = a.step.n = s->rank;
    for (int d = 0; d < s->rank; d++) {
        a.shape.at[d] = s->dim[d];
        a.step.at[d] = 1;
    }
    return a;
}

void onnx_build_slice(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    Ints starts = {0}, ends = {0}, axes = {0}, steps = {0};
    if (!onnx_attr_ints(in, "starts", &starts))
        starts = onnx_known_ints(in, 1);
    if (!onnx_attr_ints(in, "ends", &ends))
        ends = onnx_known_ints(in, 2);
    if (!onnx_attr_ints(in, "axes", &axes))
        axes = onnx_has(in, 3) ? onnx_known_ints(in, 3) : onnx_axes(0, starts.n);
    if (onnx_has(in, 4))
        steps = onnx_known_ints(in, 4);
    if (ends.n != starts.n || axes.n != starts.n || (steps.n && steps.n != starts.n))
        onnx_fail(in, "starts, ends, axes and steps differ in length");
    Attrs a = whole_slice(&x->type.shape);
    bool any = true, all = true;
    for (int i = 0; i < starts.n && any; i++) {
        int axis = (int)onnx_axis(in, axes.at[i], x->type.shape.rank);
        int64_t step = steps.n ? steps.at[i] : 1;
        any = slice_axis(in, &x, axis, (Ints){3, {starts.at[i], ends.at[i], step}}, &a);
        all = all && any && a.shape.at[axis] == x->type.shape.dim[axis];
    }
    if (any)
        onnx_result(in, 0, all ? x : onnx_op(in, OP_slice, &a, 1, &x));
    else
        onnx_result_empty(in, 0);
}

/* ---- padding and copies --------------------------------------------------------------- */

static Value *edge_padded(Importer *in, Value *x, const Ints *pad)
{
    int rank = x->type.shape.rank;
    for (int d = 0; d < rank; d++) {
        int64_t n = x->type.shape.dim[d], before = pad->at[d], after = pad->at[rank + d];
        if (before < 0 || after < 0)
            onnx_fail(in, "negative padding with mode edge is not supported");
        Shape s = x->type.shape;
        Value *parts[3] = {NULL, x, NULL};
        s.dim[d] = before;
        if (before)
            parts[0] = onnx_broadcast(in, onnx_slice(in, x, d, (Ints){3, {0, 1, 1}}), s);
        s.dim[d] = after;
        if (after)
            parts[2] = onnx_broadcast(in, onnx_slice(in, x, d, (Ints){3, {n - 1, 1, 1}}), s);
        x = onnx_concat(in, d, 2 + (before && after) - !(before || after), parts + !before);
    }
    return x;
}

/* Pads of some axes (opset 18) as pads of all. */
static Ints pad_of_axes(Importer *in, const Ints *some, Ints axes, int rank)
{
    Ints all = {.n = 2 * rank};
    if (some->n != 2 * axes.n)
        onnx_fail(in, "%d pads for %d axes", some->n, axes.n);
    for (int i = 0; i < axes.n; i++) {
        int64_t d = onnx_axis(in, axes.at[i], rank);
        all.at[d] = some->at[i];
        all.at[rank + d] = some->at[axes.n + i];
    }
    return all;
}

void onnx_build_pad(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    DType dtype = x->type.dtype;
    const char *mode = onnx_attr_choice(in, "mode", "constant", "constant reflect edge");
    double value = onnx_attr_real(in, "value", 0);
    Ints pad = {0};
    if (!onnx_attr_ints(in, "pads", &pad))
        pad = onnx_known_ints(in, 1);
    if (onnx_maybe(in, 2))
        value = tensor_get(onnx_known(in, onnx_arg(in, 2)), 0);
    if (onnx_has(in, 3))
        pad = pad_of_axes(in, &pad, onnx_known_ints(in, 3), x->type.shape.rank);
    if (pad.n != 2 * x->type.shape.rank)
        onnx_fail(in, "%d pads for %d dimensions", pad.n, x->type.shape.rank);
    if (strcmp(mode, "edge") == 0)
        x = edge_padded(in, x, &pad);
    else
        x = onnx_pad(in, x, &pad, *mode == 'c' ? MODE_constant : MODE_reflect, value);
    onnx_result(in, 0, onnx_cast(in, x, dtype));
}

/* Both may be the wider one. */
void onnx_build_expand(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    Ints to = onnx_known_ints(in, 1);
    Shape s = shape_checked(in, &to), from = x->type.shape;
    int rank = s.rank > from.rank ? s.rank : from.rank;
    Shape wide = {.rank = rank};
    for (int i = 0; i < rank; i++) {
        int64_t a = i < rank - s.rank ? 1 : s.dim[i - (rank - s.rank)];
        int64_t b = i < rank - from.rank ? 1 : from.dim[i - (rank - from.rank)];
        wide.dim[i] = a > b ? a : b;
    }
    onnx_result(in, 0, onnx_broadcast(in, x, wide));
}

void onnx_build_tile(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    Ints repeats = onnx_known_ints(in, 1);
    if (repeats.n != x->type.shape.rank)
        onnx_fail(in, "%d repeats for %d dimensions", repeats.n, x->type.shape.rank);
    for (int d = 0; d < repeats.n; d++) {
        int64_t n = repeats.at[d];
        if (n < 1 || n > 4096)
            onnx_fail(in, "repeats must be 1 to 4096");
        Value **parts = NEW(in->arena, Value *, n);
        for (int64_t i = 0; i < n; i++)
            parts[i] = x;
        x = onnx_concat(in, d, (int)n, parts);
    }
    onnx_result(in, 0, x);
}

void onnx_build_depth_to_space(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    const int64_t *d = x->type.shape.dim;
    int64_t b = onnx_attr_int(in, "blocksize", 1);
    bool up = node_is(in, "DepthToSpace");
    bool crd = *onnx_attr_choice(in, "mode", "DCR", up ? "DCR CRD" : "DCR") == 'C';
    if (x->type.shape.rank != 4 || b < 1 || b > 4096 ||
        (up ? d[1] % (b * b) : d[2] % b || d[3] % b))
        onnx_fail(in, "blocks of %lld do not divide x", (long long)b);
    if (up) {
        int64_t c = d[1] / (b * b);
        int64_t dcr[] = {d[0], b, b, c, d[2], d[3]}, rows[] = {d[0], c, b, b, d[2], d[3]};
        static const int order[2][6] = {{0, 3, 4, 1, 5, 2}, {0, 1, 4, 2, 5, 3}};
        Value *y = onnx_reshape(in, x, shape_of(6, crd ? rows : dcr));
        y = onnx_transpose(in, y, order[crd]);
        onnx_result(in, 0, onnx_reshape(in, y, shape_of(4, (int64_t[]){d[0], c, d[2] * b, d[3] * b})));
        return;
    }
    int64_t split[] = {d[0], d[1], d[2] / b, b, d[3] / b, b};
    Value *y = onnx_reshape(in, x, shape_of(6, split));
    y = onnx_transpose(in, y, (const int[]){0, 3, 5, 1, 2, 4});
    onnx_result(in, 0, onnx_reshape(in, y, shape_of(4, (int64_t[]){d[0], d[1] * b * b, d[2] / b, d[3] / b})));
}

/* ---- gather ------------------------------------------------------------------------------- */

static bool is_constant(const Value *v)
{
    return v->op == OP_constant || (v->op == OP_weight && v->data);
}

/* A slice for each index. */
static Value *picked(Importer *in, Value *x, int axis, const Tensor *at)
{
    int64_t n = shape_count(&at->type.shape), size = x->type.shape.dim[axis];
    Value **parts = NEW(in->arena, Value *, n);
    if (n > 4096)
        onnx_fail(in, "%lld indices are more than 4096", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        int64_t k = onnx_axis(in, onnx_whole(tensor_get(at, i)), (int)size);
        parts[i] = onnx_slice(in, x, axis, (Ints){3, {k, 1, 1}});
    }
    return onnx_concat(in, axis, (int)n, parts);
}

/* Indices that go over an axis of a map as a nearest resize does: that, or NULL. */
static Value *picked_nearest(Importer *in, Value *x, int axis, const Tensor *at)
{
    static const Mode coords[] = {MODE_asymmetric, MODE_half_pixel, MODE_align_corners};
    const Shape *s = &x->type.shape;
    int64_t n = shape_count(&at->type.shape);
    if (s->rank != 4 || axis < 2 || n < 2 || x->type.dtype != DT_f32 || at->type.shape.rank != 1)
        return NULL;
    for (int k = 0; k < 3; k++) {
        int64_t i = 0;
        while (i < n && tensor_get(at, i) == (double)resize_nearest(coords[k], s->dim[axis], n, i))
            i++;
        if (i < n)
            continue;
        Attrs a = attrs_default();
        a.mode = MODE_nearest;
        a.coords = coords[k];
        a.shape = (Ints){4, {s->dim[0], s->dim[1], s->dim[2], s->dim[3]}};
        a.shape.at[axis] = n;
        return onnx_op(in, OP_resize, &a, 1, &x);
    }
    return NULL;
}

/* Rows chosen by one-hot vectors: what is exact in f32 stays exact. */
static Value *chosen(Importer *in, Value *x, int axis, Value *at)
{
    int64_t n = shape_count(&at->type.shape), size = x->type.shape.dim[axis];
    int rank = x->type.shape.rank, perm[MAX_RANK], back[MAX_RANK];
    Attrs a = attrs_default();
    Value *zero = onnx_scalar(in, DT_i32, 0), *wide = onnx_scalar(in, DT_i32, (double)size);
    at = onnx_reshape(in, onnx_cast(in, at, DT_i32), shape_of(1, &n));
    at = onnx_select(in, onnx_2(in, OP_lt, at, zero), onnx_2(in, OP_add, at, wide), at);
    a.axis = 1;
    a.depth = size;
    Value *rows = onnx_op(in, OP_one_hot, &a, 1, &at);
    for (int i = 0, k = 1; i < rank; i++)
        if (i != axis)
            perm[k++] = i;
    perm[0] = axis;
    for (int i = 0; i < rank; i++)
        back[perm[i]] = i;
    Value *y = onnx_transpose(in, onnx_cast(in, x, DT_f32), perm);
    Shape s = y->type.shape;
    y = onnx_reshape(in, y, shape_of(2, (int64_t[]){size, shape_count(&s) / size}));
    s.dim[0] = n;
    y = onnx_transpose(in, onnx_reshape(in, onnx_matmul(in, rows, y, false), s), back);
    return onnx_cast(in, y, x->type.dtype);
}

void onnx_build_gather(Importer *in)
{
    Value *x = onnx_arg(in, 0), *at = onnx_arg(in, 1);
    Shape s = x->type.shape, inner = at->type.shape, to = {0};
    int axis = (int)onnx_axis(in, onnx_attr_int(in, "axis", 0), s.rank);
    if (s.rank - 1 + inner.rank > MAX_RANK)
        onnx_fail(in, "more than %d dimensions", MAX_RANK);
    const Tensor *known = is_constant(at) ? onnx_known(in, at) : NULL;
    Value *y = known ? picked_nearest(in, x, axis, known) : NULL;
    y = y ? y : known ? picked(in, x, axis, known) : chosen(in, x, axis, at);
    for (int d = 0; d < s.rank; d++)
        if (d != axis)
            to.dim[to.rank++] = s.dim[d];
        else
            for (int i = 0; i < inner.rank; i++)
                to.dim[to.rank++] = inner.dim[i];
    onnx_result(in, 0, onnx_reshape(in, y, to));
}

/* y[i, j] = x[at[i, j], j]: selected by one-hot rows and summed. */
void onnx_build_gather_elements(Importer *in)
{
    Value *x = onnx_arg(in, 0), *at = onnx_cast(in, onnx_arg(in, 1), DT_i32);
    Shape s = at->type.shape, row = s;
    int rank = s.rank, perm[MAX_RANK];
    if (rank != x->type.shape.rank || rank == MAX_RANK)
        onnx_fail(in, "indices have %d dimensions, x has %d", rank, x->type.shape.rank);
    int axis = (int)onnx_axis(in, onnx_attr_int(in, "axis", 0), rank);
    int64_t size = x->type.shape.dim[axis];
    for (int d = 0; d < rank; d++)
        if (d != axis && s.dim[d] < x->type.shape.dim[d])
            x = onnx_slice(in, x, d, (Ints){3, {0, s.dim[d], 1}});
    for (int d = 0, k = 0; d < rank; d++)
        if (d != axis)
            perm[k++] = d;
    perm[rank - 1] = axis;
    row.dim[axis] = 1;
    row.dim[row.rank++] = size;
    Value *zero = onnx_scalar(in, DT_i32, 0), *wide = onnx_scalar(in, DT_i32, (double)size);
    at = onnx_select(in, onnx_2(in, OP_lt, at, zero), onnx_2(in, OP_add, at, wide), at);
    Attrs a = attrs_default();
    a.axis = rank;
    a.depth = size;
    Value *hot = onnx_cast(in, onnx_op(in, OP_one_hot, &a, 1, &at), DT_bool);
    Value *y = onnx_reshape(in, onnx_transpose(in, onnx_cast(in, x, DT_f32), perm), row);
    y = onnx_select(in, hot, y, onnx_real(in, 0));
    y = onnx_reduce(in, OP_reduce_sum, y, onnx_axes(rank, rank + 1), false);
    onnx_result(in, 0, onnx_cast(in, y, x->type.dtype));
}

void onnx_build_one_hot(Importer *in)
{
    Value *at = onnx_cast(in, onnx_arg(in, 0), DT_i32), *ends = onnx_arg(in, 2);
    int64_t depth = onnx_whole(tensor_get(onnx_known(in, onnx_arg(in, 1)), 0));
    Attrs a = attrs_default();
    if (depth < 1 || depth > INT32_MAX)
        onnx_fail(in, "depth is out of range");
    a.axis = onnx_axis(in, onnx_attr_int(in, "axis", -1), at->type.shape.rank + 1);
    a.depth = depth;
    Value *low = onnx_scalar(in, DT_i32, 0), *wide = onnx_scalar(in, DT_i32, (double)depth);
    at = onnx_select(in, onnx_2(in, OP_lt, at, low), onnx_2(in, OP_add, at, wide), at);
    Value *hot = onnx_cast(in, onnx_op(in, OP_one_hot, &a, 1, &at), DT_bool);
    Value *off = onnx_reshape(in, onnx_slice(in, ends, 0, (Ints){3, {0, 1, 1}}), (Shape){0});
    Value *on = onnx_reshape(in, onnx_slice(in, ends, 0, (Ints){3, {1, 1, 1}}), (Shape){0});
    onnx_result(in, 0, onnx_select(in, hot, on, off));
}

/* ---- constants from shapes ---------------------------------------------------------------- */

void onnx_build_constant_of_shape(Importer *in)
{
    Ints dims = onnx_known_ints(in, 0);
    const Onnx__AttributeProto *a = onnx_attr(in, "value");
    bool empty = false;
    for (int i = 0; i < dims.n; i++)
        empty = empty || dims.at[i] == 0;
    if (empty) {
        onnx_result_empty(in, 0);
        return;
    }
    Shape s = shape_checked(in, &dims);
    Tensor *one = a && a->t ? onnx_tensor(in->arena, in->diag, NULL, a->t, &empty) : NULL;
    if (a && !one)
        onnx_fail(in, "its value is not a tensor of one element");
    Value *v = onnx_scalar(in, one ? one->type.dtype : DT_f32, one ? tensor_get(one, 0) : 0);
    onnx_result(in, 0, onnx_broadcast(in, v, s));
}

void onnx_build_range(Importer *in)
{
    double at[3];
    for (int i = 0; i < 3; i++)
        at[i] = tensor_get(onnx_known(in, onnx_arg(in, i)), 0);
    onnx_attr_int(in, "stash_type", 1); /* the precision on the way: ours is double */
    double count = ceil((at[1] - at[0]) / at[2]);
    if (!(count < 1 << 24))
        onnx_fail(in, "more than 2^24 elements");
    int64_t n = onnx_whole(count);
    if (n < 1) {
        onnx_result_empty(in, 0);
        return;
    }
    Tensor *t = onnx_tensor_new(in, (Type){onnx_arg(in, 0)->type.dtype, shape_of(1, &n)});
    for (int64_t i = 0; i < n; i++)
        tensor_set(t, i, at[0] + (double)i * at[2]);
    onnx_result(in, 0, onnx_constant(in, t));
}

/* [rows, columns], 1 where column - row is in low .. high */
static Tensor *band(Importer *in, DType dtype, int64_t rows, int64_t columns, Ints low_high)
{
    Tensor *t = onnx_tensor_new(in, (Type){dtype, shape_of(2, (int64_t[]){rows, columns})});
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < columns; k++)
            tensor_set(t, i * columns + k, k - i >= low_high.at[0] && k - i <= low_high.at[1]);
    return t;
}

void onnx_build_eye_like(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    DType dtype = x->type.dtype;
    int64_t type = onnx_attr_int(in, "dtype", 0), k = onnx_attr_int(in, "k", 0);
    if (x->type.shape.rank != 2 || (type && !onnx_dtype((int)type, &dtype)))
        onnx_fail(in, "it makes a matrix of numbers");
    const int64_t *d = x->type.shape.dim;
    onnx_result(in, 0, onnx_constant(in, band(in, dtype, d[0], d[1], (Ints){2, {k, k}})));
}

void onnx_build_trilu(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    int rank = x->type.shape.rank;
    int64_t k = onnx_maybe(in, 1) ? onnx_whole(tensor_get(onnx_known(in, onnx_arg(in, 1)), 0)) : 0;
    if (rank < 2)
        onnx_fail(in, "x must be a matrix");
    Ints upper = {2, {k, INT64_MAX}}, lower = {2, {INT64_MIN, k}};
    const int64_t *d = x->type.shape.dim + rank - 2;
    Tensor *mask = band(in, DT_bool, d[0], d[1], onnx_attr_int(in, "upper", 1) ? upper : lower);
    onnx_result(in, 0, onnx_select(in, onnx_constant(in, mask), x,
                                   onnx_scalar(in, x->type.dtype, 0)));
}

void onnx_build_cumsum(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    Ints at = onnx_known_ints(in, 1);
    if (at.n != 1)
        onnx_fail(in, "one axis is needed");
    int axis = (int)onnx_axis(in, at.at[0], x->type.shape.rank);
    int64_t n = x->type.shape.dim[axis], self = onnx_attr_int(in, "exclusive", 0) != 0;
    Ints before = {2, {INT64_MIN, -self}}, after = {2, {self, INT64_MAX}};
    bool reverse = onnx_attr_int(in, "reverse", 0) != 0;
    if (n > 8192)
        onnx_fail(in, "sums along %lld elements are not supported (8192 are)", (long long)n);
    Tensor *triangle = band(in, DT_f32, n, n, reverse ? after : before);
    Value *y = onnx_along(in, onnx_cast(in, x, DT_f32), axis, triangle);
    onnx_result(in, 0, onnx_cast(in, y, x->type.dtype));
}
