/* The graph's operators in ONNX: one row each; those of several nodes are in
 * spellings.c. */
#include "backends/onnx/writer.h"
#include "ir/resize.h"

static void write_plain(Writer *w, const char *operators)
{
    writer_plain(w, operators);
}

/* ---- windows ------------------------------------------------------------------ */

/* Ints as the graph may leave them out: all of the default. */
static Ints ints_given(const Ints *ints, int n, int64_t otherwise)
{
    Ints out = *ints;
    for (; out.n < n; out.n++)
        out.at[out.n] = otherwise;
    return out;
}

static void window_attrs(Writer *w, Node *node, const Ints *kernel, const Ints *pad)
{
    Ints stride = ints_given(&w->value->attr.stride, kernel->n, 1);
    node_ints(w, node, "kernel_shape", kernel);
    node_ints(w, node, "strides", &stride);
    node_ints(w, node, "pads", pad);
}

static void write_conv(Writer *w, const char *operators)
{
    const Attrs *a = &w->value->attr;
    const Shape *weight = &w->value->args[1]->type.shape;
    Node *node = writer_plain(w, operators);
    Ints kernel = {.n = weight->rank - 2};
    for (int i = 0; i < kernel.n; i++)
        kernel.at[i] = weight->dim[2 + i];
    Ints dilation = ints_given(&a->dilation, kernel.n, 1);
    Ints pad = ints_given(&a->pad, 2 * kernel.n, 0);
    window_attrs(w, node, &kernel, &pad);
    node_ints(w, node, "dilations", &dilation);
    node_int(w, node, "group", a->groups);
}

/* Engines disagree on ceil_mode where the last window would lie in the padding behind the
 * map: the padding that the windows need says the same. Not where padding is counted: what
 * ceil_mode adds is not. */
static bool ceil_as_padding(const Value *v, const Ints *kernel, Ints *pad)
{
    Ints stride = ints_given(&v->attr.stride, 2, 1);
    if (!v->attr.ceil_mode || (v->op == OP_avg_pool2d && v->attr.count_pad))
        return v->attr.ceil_mode;
    for (int i = 0; i < 2; i++) {
        int64_t out = v->type.shape.dim[2 + i], size = v->args[0]->type.shape.dim[2 + i];
        int64_t need = (out - 1) * stride.at[i] + kernel->at[i] - size - pad->at[i];
        pad->at[2 + i] = need > 0 ? need : 0;
    }
    return false;
}

static Node *write_window(Writer *w, const char *operators)
{
    Node *node = writer_plain(w, operators);
    Ints kernel = ints_given(&w->value->attr.kernel, 2, 1);
    Ints pad = ints_given(&w->value->attr.pad, 4, 0);
    bool ceil = ceil_as_padding(w->value, &kernel, &pad);
    window_attrs(w, node, &kernel, &pad);
    node_int(w, node, "ceil_mode", ceil);
    return node;
}

static void write_max_pool(Writer *w, const char *operators)
{
    write_window(w, operators);
}

static void write_avg_pool(Writer *w, const char *operators)
{
    Node *node = write_window(w, operators);
    node_int(w, node, "count_include_pad", w->value->attr.count_pad);
}

static void write_batch_norm(Writer *w, const char *operators)
{
    Node *node = writer_plain(w, operators);
    node_real(w, node, "epsilon", w->value->attr.eps);
}

/* ---- elements ----------------------------------------------------------------- */

static void write_clamp(Writer *w, const char *operators)
{
    const Attrs *a = &w->value->attr;
    const char *low = isinf(a->min) ? "" : writer_real(w, a->min);
    const char *high = isinf(a->max) ? "" : writer_real(w, a->max);
    const char *x = writer_arg(w, 0);
    writer_last(w, operators, *high ? 3 : *low ? 2 : 1, (const char *[]){x, low, high});
}

static void write_cast(Writer *w, const char *operators)
{
    Node *node = writer_plain(w, operators);
    node_int(w, node, "to", onnx_type_of(w->value->attr.to));
}

/* ---- along axes --------------------------------------------------------------- */

static void write_softmax(Writer *w, const char *operators)
{
    Node *node = writer_plain(w, operators);
    node_int(w, node, "axis", w->value->attr.axis);
}

static void write_reduce(Writer *w, const char *operators)
{
    const Attrs *a = &w->value->attr;
    Node *node = writer_plain(w, operators);
    node_ints(w, node, "axes", &a->axes);
    node_int(w, node, "keepdims", a->keepdims);
}

/* From opset 13 on ReduceSum, it alone, takes its axes as an input. */
static void write_reduce_sum(Writer *w, const char *operators)
{
    const Attrs *a = &w->value->attr;
    const char *x = writer_arg(w, 0), *axes = writer_ints(w, &a->axes);
    node_int(w, writer_last(w, operators, 2, (const char *[]){x, axes}), "keepdims", a->keepdims);
}

/* ArgMax gives int64. The reader sees through the Cast, so that is the helper by name. */
static void write_argmax(Writer *w, const char *operators)
{
    const Attrs *a = &w->value->attr;
    (void)operators;
    const char *at = writer_unary(w, "ArgMax", writer_arg(w, 0));
    node_int(w, writer_node_of(w), "axis", a->axis);
    node_int(w, writer_node_of(w), "keepdims", a->keepdims);
    Node *found = writer_node_of(w), *cast = writer_last(w, "Cast", 1, &at);
    node_int(w, cast, "to", onnx_type_of(DT_i32));
    writer_core(w, found);
}

/* ---- moves -------------------------------------------------------------------- */

static int64_t step_of(const Attrs *a, int d)
{
    return d < a->step.n ? a->step.at[d] : 1;
}

/* The language cuts one axis after the other: one Slice does so at once. */
static void write_slice(Writer *w, const char *operators)
{
    const char *inputs[5];
    const Value *x = w->value->args[0], *from = writer_cut(w->value);
    Attrs a = w->value->attr;
    for (; x != from; x = x->args[0])
        for (int d = 0; d < a.shape.n; d++) {
            a.start.at[d] = x->attr.start.at[d] + step_of(&x->attr, d) * a.start.at[d];
            a.step.at[d] = step_of(&x->attr, d) * step_of(&a, d);
        }
    a.step.n = from == w->value->args[0] ? a.step.n : a.shape.n;
    writer_slice(w, from, &a, inputs);
    writer_last(w, operators, 5, inputs);
}

static void write_pad(Writer *w, const char *operators)
{
    const Attrs *a = &w->value->attr;
    bool constant = a->mode == MODE_constant;
    const char *inputs[3] = {writer_arg(w, 0), writer_ints(w, &a->pad)};
    if (constant) {
        Tensor *fill = tensor_new(w->arena, (Type){w->value->type.dtype, {0}});
        tensor_set(fill, 0, a->value);
        inputs[2] = writer_constant(w, fill);
    }
    Node *node = writer_last(w, operators, constant ? 3 : 2, inputs);
    node_text(w, node, "mode", mode_name[a->mode]);
}

static void write_to_shape(Writer *w, const char *operators)
{
    const char *x = writer_arg(w, 0), *shape = writer_ints(w, &w->value->attr.shape);
    writer_last(w, operators, 2, (const char *[]){x, shape});
}

static void write_transpose(Writer *w, const char *operators)
{
    Node *node = writer_plain(w, operators);
    node_ints(w, node, "perm", &w->value->attr.perm);
}

static void write_concat(Writer *w, const char *operators)
{
    Node *node = writer_plain(w, operators);
    node_int(w, node, "axis", w->value->attr.axis);
}

/* Engines divide by a scale in f32: where a coordinate is a whole number, and the scale
 * is none, they may fall to the element before. */
static bool is_safe(int64_t in, int64_t out)
{
    bool shrinks = in % out == 0 && ((in / out) & (in / out - 1)) == 0;
    return out % in == 0 || shrinks;
}

static void nearest_attrs(Writer *w, Node *node)
{
    Mode coords = w->value->attr.coords;
    node_text(w, node, "mode", "nearest");
    node_text(w, node, "coordinate_transformation_mode", mode_name[coords]);
    node_text(w, node, "nearest_mode", coords == MODE_asymmetric ? "floor" : "round_prefer_ceil");
}

/* The operator and its inputs for one axis of a nearest resize: x has `shape` before. */
static const char *nearest_axis(Writer *w, const char *x, int d, Ints shape, const char **inputs)
{
    const Attrs *a = &w->value->attr;
    int64_t in = shape.at[d], out = a->shape.at[d], at = resize_nearest(a->coords, in, out, 0);
    inputs[0] = x;
    if (out == 1) {
        inputs[1] = writer_ints(w, &(Ints){1, {at}});
        inputs[2] = writer_ints(w, &(Ints){1, {at + 1}});
        inputs[3] = writer_ints(w, &(Ints){1, {d}});
        inputs[4] = writer_ints(w, &(Ints){1, {1}});
        return "Slice";
    }
    if (is_safe(in, out)) {
        shape.at[d] = out;
        inputs[1] = inputs[2] = "";
        inputs[3] = writer_ints(w, &shape);
        return "Resize";
    }
    Tensor *all = tensor_new(w->arena, (Type){DT_i32, shape_of(1, &out)});
    for (int64_t i = 0; i < out; i++)
        tensor_set(all, i, (double)resize_nearest(a->coords, in, out, i));
    inputs[1] = writer_constant(w, all);
    return "Gather";
}

/* One axis after the other, by elements' numbers where a scale would not be exact. */
static void write_nearest_axes(Writer *w)
{
    const int64_t *to = w->value->attr.shape.at;
    const Shape *from = &w->value->args[0]->type.shape;
    Ints shape = {4, {from->dim[0], from->dim[1], from->dim[2], from->dim[3]}};
    const char *x = writer_arg(w, 0), *inputs[5];
    int last = to[3] != from->dim[3] ? 3 : 2;
    for (int d = 2; d <= last; d++) {
        if (to[d] == from->dim[d])
            continue;
        const char *op = nearest_axis(w, x, d, shape, inputs);
        int n = *op == 'S' ? 5 : *op == 'R' ? 4 : 2;
        if (d == last)
            writer_last(w, op, n, inputs);
        else
            x = writer_node(w, op, n, inputs);
        if (*op == 'R')
            nearest_attrs(w, writer_node_of(w));
        if (*op == 'G')
            node_int(w, writer_node_of(w), "axis", d);
        shape.at[d] = to[d];
    }
}

/* nearest: ours is floor(src) if asymmetric, else floor(src + 1/2) (modes.def) */
static void write_resize(Writer *w, const char *operators)
{
    (void)operators;
    const Attrs *a = &w->value->attr;
    const int64_t *from = w->value->args[0]->type.shape.dim;
    if (a->mode == MODE_nearest &&
        !(is_safe(from[2], a->shape.at[2]) && is_safe(from[3], a->shape.at[3]))) {
        write_nearest_axes(w);
        return;
    }
    const char *x = writer_arg(w, 0), *size = writer_ints(w, &a->shape);
    Node *node = writer_last(w, "Resize", 4, (const char *[]){x, "", "", size});
    if (a->mode == MODE_nearest) {
        nearest_attrs(w, node);
        return;
    }
    node_text(w, node, "mode", "linear");
    node_text(w, node, "coordinate_transformation_mode", mode_name[a->coords]);
}

/* ---- the table ---------------------------------------------------------------- */

typedef struct Row {
    const char *operators;
    ValueWriter *write;
} Row;

static const Row rows[OP_COUNT] = {
    [OP_input] = {"a graph input", NULL},
    [OP_weight] = {"an initializer", NULL},
    [OP_constant] = {"an initializer", NULL},
    [OP_conv2d] = {"Conv", write_conv},
    [OP_conv1d] = {"Conv", write_conv},
    [OP_linear] = {"Gemm, or Transpose, MatMul, Add", write_linear},
    [OP_matmul] = {"MatMul, Transpose", write_matmul},
    [OP_vecdot] = {"Mul, ReduceSum", write_vecdot},
    [OP_attention] = {"Reshape, Transpose, MatMul, Mul, Softmax, MatMul", write_attention},
    [OP_max_pool2d] = {"MaxPool", write_max_pool},
    [OP_avg_pool2d] = {"AveragePool", write_avg_pool},
    [OP_batch_norm] = {"BatchNormalization", write_batch_norm},
    [OP_layer_norm] = {"LayerNormalization (opset 17)", write_layer_norm},
    [OP_group_norm] = {"InstanceNormalization, Reshape, Mul, Add", write_group_norm},
    [OP_relu] = {"Relu", write_plain},
    [OP_gelu] = {"Erf or Tanh, Mul, Add", write_gelu},
    [OP_sigmoid] = {"Sigmoid", write_plain},
    [OP_silu] = {"Sigmoid, Mul", write_silu},
    [OP_hard_swish] = {"HardSigmoid, Mul", write_hard_swish},
    [OP_tanh] = {"Tanh", write_plain},
    [OP_erf] = {"Erf", write_plain},
    [OP_exp] = {"Exp", write_plain},
    [OP_log] = {"Log", write_plain},
    [OP_sqrt] = {"Sqrt", write_plain},
    [OP_rsqrt] = {"Sqrt, Reciprocal", write_rsqrt},
    [OP_abs] = {"Abs", write_plain},
    [OP_neg] = {"Neg", write_plain},
    [OP_floor] = {"Floor", write_plain},
    [OP_clamp] = {"Clip", write_clamp},
    [OP_not] = {"Not", write_plain},
    [OP_cast] = {"Cast", write_cast},
    [OP_add] = {"Add", write_plain},
    [OP_sub] = {"Sub", write_plain},
    [OP_mul] = {"Mul", write_plain},
    [OP_div] = {"Div", write_plain},
    [OP_pow] = {"Pow", write_plain},
    [OP_maximum] = {"Max", write_plain},
    [OP_minimum] = {"Min", write_plain},
    [OP_and] = {"And", write_plain},
    [OP_or] = {"Or", write_plain},
    [OP_eq] = {"Equal", write_plain},
    [OP_ne] = {"Equal, Not", write_ne},
    [OP_lt] = {"Less", write_plain},
    [OP_le] = {"LessOrEqual", write_plain},
    [OP_gt] = {"Greater", write_plain},
    [OP_ge] = {"GreaterOrEqual", write_plain},
    [OP_select] = {"Where", write_plain},
    [OP_one_hot] = {"Reshape, Equal, Cast", write_one_hot},
    [OP_softmax] = {"Softmax", write_softmax},
    [OP_reduce_sum] = {"ReduceSum", write_reduce_sum},
    [OP_reduce_mean] = {"ReduceMean", write_reduce},
    [OP_reduce_max] = {"ReduceMax", write_reduce},
    [OP_reduce_min] = {"ReduceMin", write_reduce},
    [OP_argmax] = {"ArgMax, Cast", write_argmax},
    [OP_concat] = {"Concat", write_concat},
    [OP_slice] = {"Slice", write_slice},
    [OP_pad] = {"Pad", write_pad},
    [OP_unfold] = {"Slice, Reshape, Concat, Reshape", write_unfold},
    [OP_reshape] = {"Reshape", write_to_shape},
    [OP_transpose] = {"Transpose", write_transpose},
    [OP_broadcast] = {"Expand", write_to_shape},
    [OP_resize] = {"Resize, or Gather by axis", write_resize},
};

void write_value(Writer *w, const Value *v)
{
    if (!rows[v->op].write)
        bug("onnx: no writer for %s", op_info[v->op].name);
    rows[v->op].write(w, rows[v->op].operators);
}

bool onnx_exports(Op op)
{
    return rows[op].write || (rows[op].operators && op_info[op].class == CLASS_source);
}

const char *onnx_spelling(Op op)
{
    return rows[op].operators;
}
