/* ONNX windows and products: convolution, pooling, Gemm, MatMul. */
#include "frontend/onnx_import.h"
#include <string.h>

/* ---- windows ------------------------------------------------------------------ */

typedef struct Window {
    int space; /* 1 or 2 dimensions */
    Ints kernel, stride, dilation, pad; /* pad: befores, then afters */
    bool ceil;
} Window;

/* Products of two such numbers and a dimension stay far from overflow. */
static void range_check(Importer *in, const char *name, const Ints *ints)
{
    for (int i = 0; i < ints->n; i++)
        if (ints->at[i] < 0 || ints->at[i] > 1 << 28)
            onnx_fail(in, "attribute '%s' is out of range", name);
}

static void ints_default(Importer *in, const char *name, Ints *ints, int n)
{
    if (!onnx_attr_ints(in, name, ints))
        for (ints->n = 0; ints->n < n; ints->n++)
            ints->at[ints->n] = strstr(name, "pad") == NULL;
    if (ints->n != n)
        onnx_fail(in, "attribute '%s' has %d numbers, needs %d", name, ints->n, n);
    range_check(in, name, ints);
}

/* Caffe and TensorFlow say "as large as the input over stride", the odd element of
 * padding after (UPPER) or before (LOWER). */
static void same_pads(Window *w, const Shape *x, bool lower)
{
    for (int i = 0; i < w->space; i++) {
        int64_t size = x->dim[2 + i], stride = w->stride.at[i] ? w->stride.at[i] : 1;
        int64_t out = (size + stride - 1) / stride;
        int64_t reach = (w->kernel.at[i] - 1) * w->dilation.at[i] + 1;
        int64_t all = (out - 1) * stride + reach - size;
        all = all < 0 ? 0 : all;
        w->pad.at[i] = lower ? all - all / 2 : all / 2;
        w->pad.at[w->space + i] = all - w->pad.at[i];
    }
}

static const char *padding_rule(Importer *in)
{
    return onnx_attr_choice(in, "auto_pad", "NOTSET", "NOTSET VALID SAME_UPPER SAME_LOWER");
}

static Window window_read(Importer *in, const Shape *x, const Shape *weight)
{
    Window w = {.space = x->rank - 2};
    if (w.space < 1 || w.space > 2)
        onnx_fail(in, "%d dimensions of space are not supported (1 or 2 are)", w.space);
    if (weight && weight->rank != x->rank)
        onnx_fail(in, "the weight has %d dimensions, x has %d", weight->rank, x->rank);
    if (!onnx_attr_ints(in, "kernel_shape", &w.kernel) && weight)
        for (w.kernel.n = 0; w.kernel.n < w.space; w.kernel.n++)
            w.kernel.at[w.kernel.n] = weight->dim[2 + w.kernel.n];
    if (w.kernel.n != w.space)
        onnx_fail(in, "kernel_shape has %d numbers, needs %d", w.kernel.n, w.space);
    range_check(in, "kernel_shape", &w.kernel);
    ints_default(in, "strides", &w.stride, w.space);
    ints_default(in, "dilations", &w.dilation, w.space);
    ints_default(in, "pads", &w.pad, 2 * w.space);
    const char *automatic = padding_rule(in);
    if (strncmp(automatic, "SAME_", 5) == 0)
        same_pads(&w, x, strcmp(automatic, "SAME_LOWER") == 0);
    else if (strcmp(automatic, "VALID") == 0)
        w.pad = (Ints){.n = 2 * w.space};
    return w;
}

/* A map of one dimension is one of height 1. */
static Value *lift(Importer *in, Value *x)
{
    Shape s = x->type.shape;
    if (s.rank != 3)
        return x;
    return onnx_reshape(in, x, shape_of(4, (int64_t[]){s.dim[0], s.dim[1], 1, s.dim[2]}));
}

static Value *lower(Importer *in, Value *x, int space)
{
    const int64_t *d = x->type.shape.dim;
    return space == 2 ? x : onnx_reshape(in, x, shape_of(3, (int64_t[]){d[0], d[1], d[3]}));
}

static Ints pair(const Window *w, const Ints *from, int64_t other)
{
    if (w->space == 2)
        return *from;
    return (Ints){2, {other, from->at[0]}};
}

static Attrs window_attrs(const Window *w)
{
    Attrs a = attrs_default();
    a.stride = pair(w, &w->stride, 1);
    a.dilation = pair(w, &w->dilation, 1);
    a.kernel = pair(w, &w->kernel, 1);
    a.pad = w->space == 2 ? w->pad : (Ints){4, {0, w->pad.at[0], 0, w->pad.at[1]}};
    a.ceil_mode = w->ceil;
    return a;
}

/* ---- convolution ---------------------------------------------------------------- */

void onnx_build_conv(Importer *in)
{
    Value *args[3] = {onnx_arg(in, 0), onnx_arg(in, 1), onnx_maybe(in, 2)};
    Window w = window_read(in, &args[0]->type.shape, &args[1]->type.shape);
    Attrs a = attrs_default();
    a.stride = w.stride;
    a.dilation = w.dilation;
    a.pad = w.pad;
    a.groups = onnx_attr_int(in, "group", 1);
    onnx_result(in, 0, onnx_op(in, w.space == 2 ? OP_conv2d : OP_conv1d, &a,
                               args[2] ? 3 : 2, args));
}

/* [C, O/g, kh, kw] to [O, C/g, kh, kw], the window turned round. */
static Value *transposed_weight(Importer *in, Value *w, int64_t groups)
{
    const int64_t *d = w->type.shape.dim;
    if (groups < 1 || d[0] % groups)
        onnx_fail(in, "%lld channels do not divide into %lld groups", (long long)d[0],
                  (long long)groups);
    int64_t split[] = {groups, d[0] / groups, d[1], d[2], d[3]};
    int64_t joined[] = {groups * d[1], d[0] / groups, d[2], d[3]};
    w = onnx_reshape(in, w, shape_of(5, split));
    w = onnx_transpose(in, w, (const int[]){0, 2, 1, 3, 4});
    w = onnx_reshape(in, w, shape_of(4, joined));
    return onnx_reverse(in, onnx_reverse(in, w, 2), 3);
}

/* stride - 1 zeros behind every element but the last */
static Value *interleave(Importer *in, Value *x, int axis, int64_t stride)
{
    Shape s = x->type.shape;
    if (stride == 1)
        return x;
    int64_t n = s.dim[axis], wide[MAX_RANK];
    for (int i = 0, k = 0; i < s.rank; i++) {
        wide[k++] = s.dim[i];
        if (i == axis)
            wide[k++] = 1;
    }
    Ints pad = {.n = 2 * (s.rank + 1)};
    pad.at[s.rank + 1 + axis + 1] = stride - 1;
    Value *y = onnx_reshape(in, x, shape_of(s.rank + 1, wide));
    y = onnx_pad(in, y, &pad, MODE_constant, 0);
    s.dim[axis] = n * stride;
    y = onnx_reshape(in, y, s);
    return onnx_slice(in, y, axis, (Ints){3, {0, (n - 1) * stride + 1, 1}});
}

/* What of the full result is kept: pads cut it, output_padding adds. */
static Ints transposed_pads(Importer *in, const Window *w, const Shape *x)
{
    Ints extra = {0}, shape = {0}, pad = w->pad;
    ints_default(in, "output_padding", &extra, w->space);
    const char *automatic = padding_rule(in);
    bool same = strncmp(automatic, "SAME_", 5) == 0;
    bool given = onnx_attr_ints(in, "output_shape", &shape);
    if (given && shape.n < w->space)
        onnx_fail(in, "output_shape has %d numbers, needs %d", shape.n, w->space);
    range_check(in, "output_shape", &shape);
    for (int i = 0; i < w->space; i++) {
        int64_t reach = (w->kernel.at[i] - 1) * w->dilation.at[i] + 1;
        int64_t full = (x->dim[2 + i] - 1) * w->stride.at[i] + reach + extra.at[i];
        int64_t want = given ? shape.at[shape.n - w->space + i] : x->dim[2 + i] * w->stride.at[i];
        if (!given && !same)
            continue;
        int64_t cut = full - want;
        int64_t less = cut / 2;
        if (cut < 0) { /* what is missing is added behind */
            pad.at[i] = 0;
            pad.at[w->space + i] = cut;
            continue;
        }
        bool upper = strcmp(automatic, "SAME_UPPER") == 0;
        pad.at[i] = upper ? less : cut - less;
        pad.at[w->space + i] = cut - pad.at[i];
    }
    Ints out = {.n = 8};
    for (int i = 0; i < w->space; i++) {
        int d = w->space == 2 ? 2 + i : 3;
        int64_t reach = (w->kernel.at[i] - 1) * w->dilation.at[i];
        out.at[d] = reach - pad.at[i];
        out.at[4 + d] = reach - pad.at[w->space + i] + extra.at[i];
    }
    return out;
}

void onnx_build_conv_transpose(Importer *in)
{
    Value *x = onnx_arg(in, 0), *weight = onnx_arg(in, 1), *bias = onnx_maybe(in, 2);
    Window w = window_read(in, &x->type.shape, &weight->type.shape);
    Ints pad = transposed_pads(in, &w, &x->type.shape);
    Attrs a = window_attrs(&w);
    a.groups = onnx_attr_int(in, "group", 1);
    weight = transposed_weight(in, lift(in, weight), a.groups);
    x = lift(in, x);
    x = interleave(in, interleave(in, x, 2, a.stride.at[0]), 3, a.stride.at[1]);
    x = onnx_pad(in, x, &pad, MODE_constant, 0);
    a.stride = (Ints){2, {1, 1}};
    a.pad = (Ints){.n = 4};
    x = onnx_op(in, OP_conv2d, &a, bias ? 3 : 2, (Value *[]){x, weight, bias});
    onnx_result(in, 0, lower(in, x, w.space));
}

/* ---- pooling -------------------------------------------------------------------- */

/* Outputs along one axis; *after: padding that the last window needs. */
static int64_t dilated_outputs(Importer *in, const Attrs *a, int i, int64_t size, int64_t *after)
{
    int64_t before = a->pad.at[i], stride = a->stride.at[i];
    int64_t reach = (a->kernel.at[i] - 1) * a->dilation.at[i] + 1;
    int64_t room = size + before + a->pad.at[2 + i] - reach;
    if (room < 0 || stride < 1)
        onnx_fail(in, "the dilated window does not fit");
    int64_t out = room / stride + 1;
    *after = a->pad.at[2 + i];
    if (!a->ceil_mode || room % stride == 0 || out * stride >= size + before)
        return out;
    *after = out * stride + reach - size - before; /* one more window, which ends outside */
    return out + 1;
}

/* A dilated window is the maximum of strided slices, along rows, then columns. */
static Value *dilated_max(Importer *in, Value *x, const Attrs *a)
{
    for (int i = 0; i < 2; i++) {
        int axis = 2 + i;
        Ints pad = {.n = 8};
        pad.at[axis] = a->pad.at[i];
        int64_t out = dilated_outputs(in, a, i, x->type.shape.dim[axis], &pad.at[4 + axis]);
        Value *wide = onnx_pad(in, x, &pad, MODE_constant, -INFINITY);
        x = NULL;
        for (int64_t k = 0; k < a->kernel.at[i]; k++) {
            Ints cut = {3, {k * a->dilation.at[i], out, a->stride.at[i]}};
            Value *part = onnx_slice(in, wide, axis, cut);
            x = x ? onnx_2(in, OP_maximum, x, part) : part;
        }
    }
    return x;
}

static void pool_build(Importer *in, Op op)
{
    Value *x = onnx_arg(in, 0);
    DType dtype = x->type.dtype;
    Window w = window_read(in, &x->type.shape, NULL);
    w.ceil = onnx_attr_int(in, "ceil_mode", 0) != 0;
    Attrs a = window_attrs(&w);
    a.count_pad = onnx_attr_int(in, "count_include_pad", 0) != 0;
    onnx_attr_int(in, "storage_order", 0); /* of Indices, which are refused */
    x = onnx_cast(in, lift(in, x), DT_f32);
    bool dilated = a.dilation.at[0] != 1 || a.dilation.at[1] != 1;
    if (dilated && (op != OP_max_pool2d || a.kernel.at[0] < 1 || a.kernel.at[1] < 1 ||
                    a.kernel.at[0] > 256 || a.kernel.at[1] > 256))
        onnx_fail(in, "this dilated window is not supported");
    Value *y = dilated ? dilated_max(in, x, &a) : onnx_op(in, op, &a, 1, &x);
    onnx_result(in, 0, onnx_cast(in, lower(in, y, w.space), dtype));
}

void onnx_build_max_pool(Importer *in)
{
    pool_build(in, OP_max_pool2d);
}

void onnx_build_average_pool(Importer *in)
{
    pool_build(in, OP_avg_pool2d);
}

void onnx_build_global_average(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    onnx_result(in, 0, onnx_reduce(in, OP_reduce_mean, x, onnx_axes(2, x->type.shape.rank), true));
}

void onnx_build_global_max(Importer *in)
{
    Value *x = onnx_arg(in, 0);
    onnx_result(in, 0, onnx_reduce(in, OP_reduce_max, x, onnx_axes(2, x->type.shape.rank), true));
}

/* ---- products ------------------------------------------------------------------- */

static Value *scaled(Importer *in, Value *x, double factor)
{
    return factor == 1 ? x : onnx_2(in, OP_mul, x, onnx_real(in, factor));
}

static Value *turned(Importer *in, Value *x)
{
    return onnx_transpose(in, x, (const int[]){1, 0});
}

static bool is_weight(const Value *v)
{
    return v->op == OP_weight || v->op == OP_constant;
}

void onnx_build_gemm(Importer *in)
{
    Value *a = onnx_arg(in, 0), *b = onnx_arg(in, 1), *c = onnx_maybe(in, 2);
    double alpha = onnx_attr_real(in, "alpha", 1), beta = onnx_attr_real(in, "beta", 1);
    if (a->type.shape.rank != 2 || b->type.shape.rank != 2)
        onnx_fail(in, "operands must be matrices");
    a = onnx_attr_int(in, "transA", 0) ? turned(in, a) : a;
    onnx_attr_int(in, "broadcast", 1); /* before opset 7; broadcast is the rule since */
    bool rows = onnx_attr_int(in, "transB", 0) != 0;
    if (rows && is_weight(b) && !c && alpha == 1) {
        onnx_result(in, 0, onnx_op(in, OP_linear, NULL, 2, (Value *[]){a, b}));
        return;
    }
    if (rows && is_weight(b) && c && is_weight(c) && alpha == 1 && beta == 1 &&
        c->type.shape.rank == 1 && c->type.shape.dim[0] == b->type.shape.dim[0]) {
        onnx_result(in, 0, onnx_op(in, OP_linear, NULL, 3, (Value *[]){a, b, c}));
        return;
    }
    Value *y = scaled(in, onnx_matmul(in, a, b, rows), alpha);
    onnx_result(in, 0, c ? onnx_2(in, OP_add, y, scaled(in, c, beta)) : y);
}

/* A vector is a matrix of one row or column, dropped again behind. */
void onnx_build_matmul(Importer *in)
{
    Value *a = onnx_arg(in, 0), *b = onnx_arg(in, 1);
    DType dtype = a->type.dtype;
    bool row = a->type.shape.rank == 1, column = b->type.shape.rank == 1;
    if (!a->type.shape.rank || !b->type.shape.rank)
        onnx_fail(in, "operands must not be scalars");
    a = onnx_cast(in, a, DT_f32);
    b = onnx_cast(in, b, DT_f32);
    if (row)
        a = onnx_reshape(in, a, shape_of(2, (int64_t[]){1, a->type.shape.dim[0]}));
    if (column)
        b = onnx_reshape(in, b, shape_of(2, (int64_t[]){b->type.shape.dim[0], 1}));
    Value *y = onnx_matmul(in, a, b, false);
    Shape s = y->type.shape;
    if (column)
        s.rank--;
    if (row) {
        s.dim[s.rank - 1 - !column] = s.dim[s.rank - 1];
        s.rank--;
    }
    onnx_result(in, 0, onnx_cast(in, onnx_reshape(in, y, s), dtype));
}
