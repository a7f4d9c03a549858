/* Builders of the operators that hold weights, and of products and pools: what
 * the language leaves out (weight shapes, paddings, strides) is filled in. */
#include "frontend/operators.h"

static Type f32_type(int rank, const int64_t *dims)
{
    return (Type){DT_f32, shape_of(rank, dims)};
}

/* Emits op over the arguments that are not NULL. */
static Val emit_some(OpCall *call, Op op, const Attrs *attr, Value *const *args,
                     int n)
{
    Value *given[8];
    int count = 0;
    for (int i = 0; i < n; i++)
        if (args[i])
            given[count++] = args[i];
    return op_emit(call, op, attr, count, given);
}

/* bias = true makes one of n, a tensor is one, false and none are none. */
static Value *bias_make(OpCall *call, int64_t n, bool fallback)
{
    Val bias = arg_val(call, "bias");
    if (bias.kind == VAL_tensor)
        return bias.tensor;
    bool wanted = bias.kind == VAL_none ? fallback : bias.truth;
    return wanted ? op_weight(call, "bias", f32_type(1, &n)) : NULL;
}

/* ---- convolutions ------------------------------------------------------ */

/* int, one per dimension, or all befores then all afters. */
static Ints pads_read(OpCall *call, int dims)
{
    Val v = arg_val(call, "pad");
    bool whole = v.kind == VAL_list && v.n == 2 * dims;
    Ints pad = arg_ints(call, "pad", whole ? 2 * dims : dims);
    for (int i = 0; !whole && i < dims; i++)
        pad.at[dims + i] = pad.at[i];
    pad.n = 2 * dims;
    return pad;
}

/* "out" or "kernel" beside a given weight must agree with it. */
static bool agrees(OpCall *call, const char *name, int64_t said, int64_t is)
{
    if (!arg_written(call, name) || said == is)
        return true;
    op_error(call, arg_span(call, name), "'%s' is %lld but the weight has %lld",
             name, (long long)said, (long long)is);
    return false;
}

static Value *weight_given(OpCall *call, int dims)
{
    Value *weight = arg_tensor(call, "weight");
    const Shape *shape = &weight->type.shape;
    if (!arg_need_rank(call, "weight", dims + 2, dims == 2 ? "[O,C/groups,KH,KW]"
                                                       : "[O,C/groups,K]"))
        return NULL;
    if (arg_written(call, "out") &&
        !agrees(call, "out", arg_int(call, "out"), shape->dim[0]))
        return NULL;
    Ints kernel = arg_written(call, "kernel") ? arg_ints(call, "kernel", dims)
                                              : (Ints){0};
    for (int i = 0; i < kernel.n; i++)
        if (!agrees(call, "kernel", kernel.at[i], shape->dim[2 + i]))
            return NULL;
    return weight;
}

static bool conv_args_ok(OpCall *call, Ints kernel)
{
    bool out_ok = arg_int(call, "out") >= 1;
    if (!out_ok)
        op_error(call, arg_span(call, "out"), "'out' must be at least 1");
    for (int i = 0; i < kernel.n && !call->failed; i++)
        if (kernel.at[i] < 1)
            op_error(call, arg_span(call, "kernel"), "'kernel' must be at least 1");
    return !call->failed;
}

static Value *weight_made(OpCall *call, const Value *x, int dims)
{
    int64_t groups = arg_int(call, "groups");
    bool out = arg_given(call, "out"), size = arg_given(call, "kernel");
    if (!out || !size) {
        op_error(call, call->expr->span, "needs %s%s%s (or 'weight')",
                 out ? "" : "'out'", out || size ? "" : " and ",
                 size ? "" : "'kernel'");
        return NULL;
    }
    Ints kernel = arg_ints(call, "kernel", dims);
    if (!conv_args_ok(call, kernel))
        return NULL;
    int64_t inside = groups > 0 ? x->type.shape.dim[1] / groups : 1;
    int64_t shape[4] = {arg_int(call, "out"), inside > 0 ? inside : 1, kernel.at[0],
                        kernel.at[1]};
    return op_weight(call, "weight", f32_type(2 + dims, shape));
}

static Val conv_build(OpCall *call, Op op, int dims)
{
    Value *x = arg_tensor(call, "x");
    Attrs attr = attrs_default();
    if (!arg_need_rank(call, "x", 2 + dims, dims == 2 ? "[N,C,H,W]" : "[N,C,L]"))
        return val_poison();
    attr.stride = arg_ints(call, "stride", dims);
    attr.dilation = arg_ints(call, "dilation", dims);
    attr.pad = pads_read(call, dims);
    attr.groups = arg_int(call, "groups");
    Value *weight = arg_given(call, "weight") ? weight_given(call, dims)
                                              : weight_made(call, x, dims);
    if (!weight)
        return val_poison();
    Value *bias = bias_make(call, weight->type.shape.dim[0], false);
    return emit_some(call, op, &attr, (Value *[]){x, weight, bias}, 3);
}

Val build_conv2d(OpCall *call)
{
    return conv_build(call, OP_conv2d, 2);
}

Val build_conv1d(OpCall *call)
{
    return conv_build(call, OP_conv1d, 1);
}

/* ---- products ---------------------------------------------------------- */

static Value *linear_weight(OpCall *call, const Shape *x)
{
    if (arg_given(call, "weight")) {
        Value *weight = arg_tensor(call, "weight");
        bool ok = arg_need_rank(call, "weight", 2, "[O,I]") &&
                  (!arg_written(call, "out") ||
                   agrees(call, "out", arg_int(call, "out"), weight->type.shape.dim[0]));
        return ok ? weight : NULL;
    }
    if (!arg_given(call, "out"))
        op_error(call, call->expr->span, "needs 'out' (or 'weight')");
    else if (arg_int(call, "out") < 1)
        op_error(call, arg_span(call, "out"), "'out' must be at least 1");
    else
        return op_weight(call, "weight",
                         f32_type(2, (int64_t[]){arg_int(call, "out"),
                                                 x->dim[x->rank - 1]}));
    return NULL;
}

Val build_linear(OpCall *call)
{
    Value *x = arg_tensor(call, "x");
    Attrs attr = attrs_default();
    if (x->type.shape.rank < 1) {
        op_error(call, arg_span(call, "x"), "x must have a dimension");
        return val_poison();
    }
    Value *weight = linear_weight(call, &x->type.shape);
    if (!weight)
        return val_poison();
    Value *bias = bias_make(call, weight->type.shape.dim[0], !arg_given(call, "weight"));
    return emit_some(call, OP_linear, &attr, (Value *[]){x, weight, bias}, 3);
}

Val build_matmul(OpCall *call)
{
    Attrs attr = attrs_default();
    attr.transpose_a = arg_bool(call, "transpose_a");
    attr.transpose_b = arg_bool(call, "transpose_b");
    return op_emit(call, OP_matmul, &attr, 2,
                   (Value *[]){arg_tensor(call, "a"), arg_tensor(call, "b")});
}

/* ---- norms ------------------------------------------------------------- */

/* The dimension that batch and group norm work on. */
static bool channels_read(OpCall *call, int64_t *channels)
{
    const Shape *shape = &arg_tensor(call, "x")->type.shape;
    if (shape->rank < 2)
        op_error(call, arg_span(call, "x"), "x must be [N,C,..], has %d %s",
                 shape->rank, shape->rank == 1 ? "dimension" : "dimensions");
    else
        *channels = shape->dim[1];
    return !call->failed;
}

static Attrs norm_attrs(OpCall *call)
{
    Attrs attr = attrs_default();
    attr.eps = arg_real(call, "eps");
    if (!(attr.eps >= 0))
        op_error(call, arg_span(call, "eps"), "'eps' must be at least 0");
    return attr;
}

Val build_batch_norm(OpCall *call)
{
    static const char *const names[] = {"", "weight", "bias", "running_mean",
                                        "running_var"};
    Attrs attr = norm_attrs(call);
    Value *args[5] = {arg_tensor(call, "x")};
    int64_t channels;
    if (call->failed || !channels_read(call, &channels))
        return val_poison();
    for (int i = 1; i < 5; i++) {
        args[i] = op_weight(call, names[i], f32_type(1, &channels));
        if (!args[i])
            return val_poison();
    }
    return op_emit(call, OP_batch_norm, &attr, 5, args);
}

static Val norm_emit(OpCall *call, Op op, const Attrs *attr, Type type)
{
    Value *args[3] = {arg_tensor(call, "x")};
    if (arg_bool(call, "affine")) {
        args[1] = op_weight(call, "weight", type);
        args[2] = op_weight(call, "bias", type);
    }
    return emit_some(call, op, attr, args, 3);
}

Val build_layer_norm(OpCall *call)
{
    const Shape *shape = &arg_tensor(call, "x")->type.shape;
    int64_t axes = arg_int(call, "axes");
    Attrs attr = norm_attrs(call);
    if (axes < 1 || axes > shape->rank)
        op_error(call, arg_span(call, "axes"),
                 "'axes' counts the last dimensions: 1 to %d, not %lld", shape->rank,
                 (long long)axes);
    if (call->failed)
        return val_poison();
    attr.axis = shape->rank - axes;
    return norm_emit(call, OP_layer_norm, &attr,
                     f32_type((int)axes, shape->dim + attr.axis));
}

Val build_group_norm(OpCall *call)
{
    Attrs attr = norm_attrs(call);
    int64_t channels;
    if (call->failed || !channels_read(call, &channels))
        return val_poison();
    attr.groups = arg_int(call, "groups");
    return norm_emit(call, OP_group_norm, &attr, f32_type(1, &channels));
}

/* ---- tensors of their own ---------------------------------------------- */

Val build_parameter(OpCall *call)
{
    Type type = {DT_f32, {0}};
    if (!arg_read_shape(call, "shape", &type.shape))
        return val_poison();
    return val_tensor(op_weight(call, "", type));
}

Val build_constant(OpCall *call)
{
    Type type = {DT_f32, {0}};
    if (!arg_read_shape(call, "shape", &type.shape))
        return val_poison();
    return val_tensor(op_constant(call, arg_real(call, "value"), type));
}

/* ---- pools ------------------------------------------------------------- */

Val build_pool(OpCall *call)
{
    Value *x = arg_tensor(call, "x");
    Attrs attr = attrs_default();
    attr.kernel = arg_ints(call, "kernel", 2);
    attr.stride = arg_given(call, "stride") ? arg_ints(call, "stride", 2) : attr.kernel;
    attr.pad = pads_read(call, 2);
    if (!call->failed && (attr.kernel.at[0] < 1 || attr.kernel.at[1] < 1))
        op_error(call, arg_span(call, "kernel"), "'kernel' must be at least 1");
    attr.ceil_mode = arg_bool(call, "ceil_mode");
    if (call->op->op == OP_avg_pool2d)
        attr.count_pad = arg_bool(call, "count_pad");
    return op_emit(call, call->op->op, &attr, 1, &x);
}

Val build_unfold(OpCall *call)
{
    Value *x = arg_tensor(call, "x");
    Attrs attr = attrs_default();
    attr.kernel = arg_ints(call, "kernel", 2);
    attr.stride = arg_ints(call, "stride", 2);
    attr.dilation = arg_ints(call, "dilation", 2);
    return op_emit(call, OP_unfold, &attr, 1, &x);
}

Val build_global_pool(OpCall *call)
{
    Value *x = arg_tensor(call, "x");
    Attrs attr = attrs_default();
    if (!arg_need_rank(call, "x", 4, "[N,C,H,W]"))
        return val_poison();
    attr.axes = (Ints){2, {2, 3}};
    attr.keepdims = true;
    return op_emit(call, call->op->op, &attr, 1, &x);
}
