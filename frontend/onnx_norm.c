/* ONNX normalisations and what goes along one axis: softmax, reductions, TopK. */
#include "frontend/onnx_import.h"
#include <string.h>

static bool node_is(const Importer *in, const char *name)
{
    return strcmp(in->node->op_type, name) == 0;
}

static Value *add(Importer *in, Value *a, Value *b) { return onnx_2(in, OP_add, a, b); }
static Value *sub(Importer *in, Value *a, Value *b) { return onnx_2(in, OP_sub, a, b); }
static Value *mul(Importer *in, Value *a, Value *b) { return onnx_2(in, OP_mul, a, b); }

/* ---- normalisations ------------------------------------------------------------- */

void onnx_build_batch_norm(Importer *in)
{
    Attrs a = attrs_default();
    Value *args[5];
    a.eps = onnx_attr_real(in, "epsilon", 1e-5);
    onnx_attr_real(in, "momentum", 0.9); /* of training */
    if (onnx_attr_int(in, "training_mode", 0))
        onnx_fail(in, "training mode is not supported");
    onnx_attr_int(in, "is_test", 1); /* before opset 7 */
    if (!onnx_attr_int(in, "spatial", 1))
        onnx_fail(in, "statistics per pixel (spatial = 0) are not supported");
    for (int i = 0; i < 5; i++)
        args[i] = onnx_arg(in, i);
    onnx_result(in, 0, onnx_op(in, OP_batch_norm, &a, 5, args));
}

void onnx_build_instance_norm(Importer *in)
{
    Attrs a = attrs_default();
    Value *args[3] = {onnx_arg(in, 0), onnx_arg(in, 1), onnx_arg(in, 2)};
    if (args[0]->type.shape.rank < 3)
        onnx_fail(in, "x has no dimensions of space");
    a.eps = onnx_attr_real(in, "epsilon", 1e-5);
    a.groups = args[0]->type.shape.dim[1];
    onnx_result(in, 0, onnx_op(in, OP_group_norm, &a, 3, args));
}

/* [G] to [C], each element for the channels of its group */
static Value *of_channels(Importer *in, Value *v, int64_t groups, int64_t channels)
{
    if (v->type.shape.rank != 1 || v->type.shape.dim[0] != groups || channels % groups)
        return v;
    v = onnx_reshape(in, v, shape_of(2, (int64_t[]){groups, 1}));
    v = onnx_broadcast(in, v, shape_of(2, (int64_t[]){groups, channels / groups}));
    return onnx_reshape(in, v, shape_of(1, &channels));
}

void onnx_build_group_norm(Importer *in)
{
    Attrs a = attrs_default();
    Value *args[3] = {onnx_arg(in, 0), onnx_arg(in, 1), onnx_arg(in, 2)};
    a.eps = onnx_attr_real(in, "epsilon", 1e-5);
    a.groups = onnx_attr_int(in, "num_groups", 0);
    onnx_attr_int(in, "stash_type", 1); /* the precision of the sums: ours is f32 */
    if (args[0]->type.shape.rank < 3 || a.groups < 1)
        onnx_fail(in, "x has no dimensions of space, or there are no groups");
    for (int i = 1; i < 3 && in->opset < 21; i++)
        args[i] = of_channels(in, args[i], a.groups, args[0]->type.shape.dim[1]);
    onnx_result(in, 0, onnx_op(in, OP_group_norm, &a, 3, args));
}

/* 1 / sqrt(var + eps) and the mean over axes */
static Value *deviation(Importer *in, Value *x, Ints axes, double eps, Value **mean)
{
    *mean = onnx_reduce(in, OP_reduce_mean, x, axes, true);
    Value *d = sub(in, x, *mean);
    Value *var = onnx_reduce(in, OP_reduce_mean, mul(in, d, d), axes, true);
    return onnx_1(in, OP_rsqrt, add(in, var, onnx_real(in, eps)));
}

void onnx_build_layer_norm(Importer *in)
{
    Attrs a = attrs_default();
    Value *x = onnx_arg(in, 0), *scale = onnx_arg(in, 1), *bias = onnx_maybe(in, 2), *mean;
    int rank = x->type.shape.rank;
    a.axis = onnx_axis(in, onnx_attr_int(in, "axis", -1), rank);
    a.eps = onnx_attr_real(in, "epsilon", 1e-5);
    onnx_attr_int(in, "stash_type", 1); /* the precision of the statistics: ours is f32 */
    Shape part = {.rank = rank - (int)a.axis};
    for (int i = 0; i < part.rank; i++)
        part.dim[i] = x->type.shape.dim[a.axis + i];
    scale = onnx_broadcast(in, scale, part);
    bias = bias ? onnx_broadcast(in, bias, part) : NULL;
    onnx_result(in, 0, onnx_op(in, OP_layer_norm, &a, bias ? 3 : 2, (Value *[]){x, scale, bias}));
    if (!onnx_wants(in, 1) && !onnx_wants(in, 2))
        return;
    Value *inverse = deviation(in, x, onnx_axes((int)a.axis, rank), a.eps, &mean);
    onnx_result(in, 1, mean);
    onnx_result(in, 2, inverse);
}

void onnx_build_mean_variance(Importer *in)
{
    Ints axes = {3, {0, 2, 3}};
    Value *x = onnx_arg(in, 0), *mean;
    onnx_attr_ints(in, "axes", &axes);
    Value *inverse = deviation(in, x, axes, 1e-9, &mean);
    onnx_result(in, 0, mul(in, sub(in, x, mean), inverse));
}

void onnx_build_lp_norm(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    int axis = (int)onnx_axis(in, onnx_attr_int(in, "axis", -1), x->type.shape.rank);
    int64_t p = onnx_attr_int(in, "p", 2);
    bool two = p == 2;
    if (p != 1 && p != 2)
        onnx_fail(in, "p = %lld is not supported (1 and 2 are)", (long long)p);
    Value *y = two ? mul(in, x, x) : onnx_1(in, OP_abs, x);
    y = onnx_reduce(in, OP_reduce_sum, y, onnx_axes(axis, axis + 1), true);
    Value *none = onnx_2(in, OP_eq, y, onnx_real(in, 0)); /* zeros remain, as engines have it */
    y = onnx_select(in, none, onnx_real(in, 1), two ? onnx_1(in, OP_sqrt, y) : y);
    onnx_result(in, 0, onnx_2(in, OP_div, x, y));
}

/* The mean of squares over neighbouring channels is an average pool of [N,1,C,HW]. */
void onnx_build_lrn(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    Shape s = x->type.shape;
    int64_t size = onnx_attr_int(in, "size", 1);
    if (s.rank < 2 || size < 1 || size > s.dim[1] * 2)
        onnx_fail(in, "size is out of range");
    int64_t flat[] = {s.dim[0], 1, s.dim[1], shape_count(&s) / (s.dim[0] * s.dim[1])};
    Attrs a = attrs_default();
    a.kernel = (Ints){2, {size, 1}};
    a.stride = (Ints){2, {1, 1}};
    a.pad = (Ints){4, {(size - 1) / 2, 0, size - 1 - (size - 1) / 2, 0}};
    a.count_pad = true;
    Value *y = onnx_reshape(in, mul(in, x, x), shape_of(4, flat));
    y = onnx_reshape(in, onnx_op(in, OP_avg_pool2d, &a, 1, &y), s);
    y = mul(in, y, onnx_real(in, onnx_attr_real(in, "alpha", 1e-4)));
    y = add(in, y, onnx_real(in, onnx_attr_real(in, "bias", 1)));
    y = onnx_2(in, OP_pow, y, onnx_real(in, onnx_attr_real(in, "beta", 0.75)));
    onnx_result(in, 0, onnx_2(in, OP_div, x, y));
}

/* ---- softmax and its kin ---------------------------------------------------------- */

static Value *along_one(Importer *in, Op op, Value *x, int axis)
{
    return onnx_reduce(in, op, x, onnx_axes(axis, axis + 1), true);
}

static Value *argmax(Importer *in, Value *x, int axis, bool keep)
{
    Attrs a = attrs_default();
    a.axis = axis;
    a.keepdims = keep;
    return onnx_op(in, OP_argmax, &a, 1, &x);
}

static Value *one_hot(Importer *in, Value *x, int axis, int64_t depth)
{
    Attrs a = attrs_default();
    a.axis = axis;
    a.depth = depth;
    return onnx_op(in, OP_one_hot, &a, 1, &x);
}

static Value *softmax_of(Importer *in, Value *x, int axis)
{
    Attrs a = attrs_default();
    a.axis = axis;
    if (node_is(in, "Hardmax"))
        return one_hot(in, argmax(in, x, axis, false), axis, x->type.shape.dim[axis]);
    if (node_is(in, "Softmax"))
        return onnx_op(in, OP_softmax, &a, 1, &x);
    Value *low = sub(in, x, along_one(in, OP_reduce_max, x, axis));
    Value *sum = along_one(in, OP_reduce_sum, onnx_1(in, OP_exp, low), axis);
    return sub(in, low, onnx_1(in, OP_log, sum));
}

/* Before opset 13 everything from axis on was one dimension. */
void onnx_build_softmax(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    Shape s = x->type.shape;
    bool flat = in->opset < 13;
    int axis = (int)onnx_axis(in, onnx_attr_int(in, "axis", flat ? 1 : -1), s.rank);
    if (!flat || axis == s.rank - 1) {
        onnx_result(in, 0, softmax_of(in, x, axis));
        return;
    }
    int64_t rows[2] = {1, 1};
    for (int d = 0; d < s.rank; d++)
        rows[d >= axis] *= s.dim[d];
    Value *y = softmax_of(in, onnx_reshape(in, x, shape_of(2, rows)), 1);
    onnx_result(in, 0, onnx_reshape(in, y, s));
}

void onnx_build_argmax(Importer *in)
{
    Value *x = onnx_cast(in, onnx_arg(in, 0), DT_f32);
    int axis = (int)onnx_axis(in, onnx_attr_int(in, "axis", 0), x->type.shape.rank);
    bool keep = onnx_attr_int(in, "keepdims", 1) != 0;
    bool last = onnx_attr_int(in, "select_last_index", 0) != 0;
    x = node_is(in, "ArgMin") ? onnx_1(in, OP_neg, x) : x;
    Value *y = argmax(in, last ? onnx_reverse(in, x, axis) : x, axis, keep);
    if (last)
        y = sub(in, onnx_scalar(in, DT_i32, (double)(x->type.shape.dim[axis] - 1)), y);
    onnx_result(in, 0, y);
}

/* k times: the first maximum, then it alone becomes -inf. */
void onnx_build_topk(Importer *in)
{
    Value *x = onnx_cast(in, onnx_arg(in, 0), DT_f32), *values[64], *indices[64];
    int axis = (int)onnx_axis(in, onnx_attr_int(in, "axis", -1), x->type.shape.rank);
    bool largest = onnx_attr_int(in, "largest", 1) != 0;
    bool attribute = in->opset < 10;
    Ints k = attribute ? (Ints){1, {onnx_attr_int(in, "k", 0)}} : onnx_known_ints(in, 1);
    DType dtype = onnx_arg(in, 0)->type.dtype;
    onnx_attr_int(in, "sorted", 1); /* sorted is one of the orders allowed */
    if (k.n != 1 || k.at[0] < 1 || k.at[0] > 64)
        onnx_fail(in, "k must be 1 to 64");
    x = largest ? x : onnx_1(in, OP_neg, x);
    for (int i = 0; i < k.at[0]; i++) {
        values[i] = along_one(in, OP_reduce_max, x, axis);
        indices[i] = argmax(in, x, axis, true);
        Value *taken = one_hot(in, argmax(in, x, axis, false), axis, x->type.shape.dim[axis]);
        x = onnx_select(in, onnx_cast(in, taken, DT_bool), onnx_real(in, -INFINITY), x);
    }
    Value *best = onnx_concat(in, axis, (int)k.at[0], values);
    onnx_result(in, 0, onnx_cast(in, largest ? best : onnx_1(in, OP_neg, best), dtype));
    onnx_result(in, 1, onnx_concat(in, axis, (int)k.at[0], indices));
}

/* ---- reductions --------------------------------------------------------------------- */

static Value *product_along(Importer *in, Value *x, int axis)
{
    int64_t n = x->type.shape.dim[axis];
    while (n > 1) {
        int64_t half = n / 2;
        Value *a = onnx_slice(in, x, axis, (Ints){3, {0, half, 1}});
        Value *b = onnx_slice(in, x, axis, (Ints){3, {half, half, 1}});
        Value *rest = n % 2 ? onnx_slice(in, x, axis, (Ints){3, {n - 1, 1, 1}}) : NULL;
        x = mul(in, a, b);
        if (rest)
            x = onnx_concat(in, axis, 2, (Value *[]){x, rest});
        n = half + n % 2;
    }
    return x;
}

static Value *product(Importer *in, Value *x, Ints axes)
{
    for (int i = 0; i < axes.n; i++)
        x = product_along(in, x, (int)axes.at[i]);
    return x;
}

static Ints reduce_axes(Importer *in, int rank, bool *none)
{
    Ints axes = {0}, sorted = {0};
    unsigned seen = 0;
    if (!onnx_attr_ints(in, "axes", &axes) && onnx_has(in, 1))
        axes = onnx_known_ints(in, 1);
    *none = onnx_attr_int(in, "noop_with_empty_axes", 0) && axes.n == 0;
    if (axes.n == 0)
        return onnx_axes(0, rank);
    for (int i = 0; i < axes.n; i++)
        seen |= 1u << onnx_axis(in, axes.at[i], rank);
    for (int d = 0; d < rank; d++)
        if (seen >> d & 1)
            sorted.at[sorted.n++] = d;
    return sorted;
}

static Value *sum_of(Importer *in, Value *x, Ints axes)
{
    return onnx_reduce(in, OP_reduce_sum, x, axes, true);
}

static Value *reduced(Importer *in, Value *x, Ints axes, bool keep)
{
    const char *kind = in->node->op_type + strlen("Reduce");
    if (strcmp(kind, "Sum") == 0)
        return onnx_reduce(in, OP_reduce_sum, x, axes, keep);
    if (strcmp(kind, "Mean") == 0)
        return onnx_reduce(in, OP_reduce_mean, x, axes, keep);
    if (strcmp(kind, "Max") == 0)
        return onnx_reduce(in, OP_reduce_max, x, axes, keep);
    if (strcmp(kind, "Min") == 0)
        return onnx_reduce(in, OP_reduce_min, x, axes, keep);
    if (strcmp(kind, "Prod") == 0)
        return product(in, x, axes);
    if (strcmp(kind, "L1") == 0)
        return sum_of(in, onnx_1(in, OP_abs, x), axes);
    if (strcmp(kind, "L2") == 0)
        return onnx_1(in, OP_sqrt, sum_of(in, mul(in, x, x), axes));
    if (strcmp(kind, "SumSquare") == 0)
        return sum_of(in, mul(in, x, x), axes);
    if (strcmp(kind, "LogSum") == 0)
        return onnx_1(in, OP_log, sum_of(in, x, axes));
    Value *top = onnx_reduce(in, OP_reduce_max, x, axes, true);
    Value *sum = sum_of(in, onnx_1(in, OP_exp, sub(in, x, top)), axes);
    return add(in, onnx_1(in, OP_log, sum), top);
}

void onnx_build_reduce(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    bool none, keep = onnx_attr_int(in, "keepdims", 1) != 0;
    Ints axes = reduce_axes(in, x->type.shape.rank, &none);
    if (none) {
        onnx_result(in, 0, x);
        return;
    }
    Value *y = onnx_cast(in, reduced(in, onnx_cast(in, x, DT_f32), axes, keep), x->type.dtype);
    Shape s = {0};
    for (int d = 0, i = 0; !keep && d < x->type.shape.rank; d++)
        if (i < axes.n && axes.at[i] == d)
            i++;
        else
            s.dim[s.rank++] = x->type.shape.dim[d];
    onnx_result(in, 0, keep ? y : onnx_reshape(in, y, s));
}
