/* Shape and type inference: the driver, the array of functions, and what they
 * share. Messages give the rule, then the values. */
#include "ir/infer.h"

const Shape *arg_shape(const Infer *in, int i)
{
    return &in->args[i]->type.shape;
}

const char *shape_str(Infer *in, const Shape *shape)
{
    Text text = text_new(in->why->arena);
    text_shape(&text, shape);
    return text_str(&text);
}

bool need_real(Infer *in)
{
    for (int i = 0; i < in->nargs; i++)
        if (in->args[i]->type.dtype != DT_f32)
            FAIL("argument %d must be f32, is %s", i + 1,
                 dtype_info[in->args[i]->type.dtype].name);
    return true;
}

bool need_rank(Infer *in, int i, int rank, const char *form)
{
    const Shape *s = arg_shape(in, i);
    if (s->rank != rank)
        FAIL("argument %d must be %s, is %s", i + 1, form, shape_str(in, s));
    return true;
}

bool need_vector(Infer *in, int i, int64_t n, const char *what)
{
    const Shape *s = arg_shape(in, i);
    if (s->rank != 1 || s->dim[0] != n)
        FAIL("%s must be [%lld], is %s", what, LL(n), shape_str(in, s));
    return true;
}

bool need_entries(Infer *in, const char *name, const Ints *ints, int n)
{
    if (ints->n != 0 && ints->n != n)
        FAIL("%s needs %d entries, has %d", name, n, ints->n);
    return true;
}

bool same_dtype(Infer *in, int i, int j)
{
    DType a = in->args[i]->type.dtype, b = in->args[j]->type.dtype;
    if (a != b)
        FAIL("operands must have one type, are %s and %s", dtype_info[a].name,
             dtype_info[b].name);
    return true;
}

bool need_axis(Infer *in, int64_t axis, int rank)
{
    if (axis < 0 || axis >= rank)
        FAIL("axis %lld is outside %s", LL(axis),
             shape_str(in, arg_shape(in, 0)));
    return true;
}

bool broadcast_shapes(Infer *in, const Shape *a, const Shape *b, int skip,
                      Shape *out)
{
    int rank = a->rank > b->rank ? a->rank : b->rank;
    out->rank = rank;
    for (int i = 0; i < rank - skip; i++) {
        int ia = i - (rank - a->rank), ib = i - (rank - b->rank);
        int64_t da = ia >= 0 ? a->dim[ia] : 1, db = ib >= 0 ? b->dim[ib] : 1;
        if (da != db && da != 1 && db != 1)
            FAIL("shapes %s and %s do not broadcast: %lld against %lld",
                 shape_str(in, a), shape_str(in, b), LL(da), LL(db));
        out->dim[i] = da == 1 ? db : da;
    }
    return true;
}

static bool infer_source(Infer *in)
{
    FAIL("a source has a type of its own");
}

static InferFn *const infer_fn[OP_COUNT] = {
    [OP_input] = infer_source,
    [OP_weight] = infer_source,
    [OP_constant] = infer_source,
    [OP_conv2d] = infer_conv2d,
    [OP_conv1d] = infer_conv1d,
    [OP_linear] = infer_linear,
    [OP_matmul] = infer_matmul,
    [OP_vecdot] = infer_vecdot,
    [OP_attention] = infer_attention,
    [OP_max_pool2d] = infer_pool,
    [OP_avg_pool2d] = infer_pool,
    [OP_batch_norm] = infer_batch_norm,
    [OP_layer_norm] = infer_layer_norm,
    [OP_group_norm] = infer_group_norm,
    [OP_relu] = infer_real_unary,
    [OP_gelu] = infer_gelu,
    [OP_sigmoid] = infer_real_unary,
    [OP_silu] = infer_real_unary,
    [OP_hard_swish] = infer_real_unary,
    [OP_tanh] = infer_real_unary,
    [OP_erf] = infer_real_unary,
    [OP_exp] = infer_real_unary,
    [OP_log] = infer_real_unary,
    [OP_sqrt] = infer_real_unary,
    [OP_rsqrt] = infer_real_unary,
    [OP_abs] = infer_real_unary,
    [OP_neg] = infer_number_unary,
    [OP_floor] = infer_real_unary,
    [OP_clamp] = infer_clamp,
    [OP_not] = infer_not,
    [OP_cast] = infer_cast,
    [OP_add] = infer_binary,
    [OP_sub] = infer_binary,
    [OP_mul] = infer_binary,
    [OP_div] = infer_real_binary,
    [OP_pow] = infer_real_binary,
    [OP_maximum] = infer_binary,
    [OP_minimum] = infer_binary,
    [OP_and] = infer_logic,
    [OP_or] = infer_logic,
    [OP_eq] = infer_compare,
    [OP_ne] = infer_compare,
    [OP_lt] = infer_compare,
    [OP_le] = infer_compare,
    [OP_gt] = infer_compare,
    [OP_ge] = infer_compare,
    [OP_select] = infer_select,
    [OP_one_hot] = infer_one_hot,
    [OP_softmax] = infer_softmax,
    [OP_reduce_sum] = infer_reduce,
    [OP_reduce_mean] = infer_reduce,
    [OP_reduce_max] = infer_reduce,
    [OP_reduce_min] = infer_reduce,
    [OP_argmax] = infer_argmax,
    [OP_concat] = infer_concat,
    [OP_slice] = infer_slice,
    [OP_pad] = infer_pad,
    [OP_reshape] = infer_reshape,
    [OP_transpose] = infer_transpose,
    [OP_broadcast] = infer_broadcast,
    [OP_unfold] = infer_unfold,
    [OP_resize] = infer_resize,
};

bool infer_exists(Op op)
{
    return infer_fn[op] != NULL;
}

/* Every dimension at least 1, all elements together at most INT32_MAX. */
static bool size_ok(Infer *in)
{
    const Shape *s = &in->type->shape;
    double count = 1;
    for (int d = 0; d < s->rank; d++) {
        if (s->dim[d] < 1)
            FAIL("a dimension must be at least 1, the result is %s",
                 shape_str(in, s));
        count *= (double)s->dim[d];
    }
    if (count > INT32_MAX)
        FAIL("the result %s has %.0f elements, more than 2^31 - 1",
             shape_str(in, s), count);
    return true;
}

static bool infer_checked(Infer *in, Op op)
{
    const OpInfo *info = &op_info[op];
    if (in->nargs < info->min_args || in->nargs > info->max_args)
        FAIL("takes %d to %d arguments, has %d", info->min_args, info->max_args,
             in->nargs);
    if (in->nargs)
        *in->type = in->args[0]->type;
    return infer_fn[op](in) && size_ok(in);
}

bool infer_type(Op op, const Attrs *attr, int nargs, Value *const *args,
                Type *type, Text *why)
{
    Text reason = text_new(why->arena);
    Infer in = {attr, nargs, args, type, &reason};
    if (infer_checked(&in, op))
        return true;
    text_printf(why, "%s: %s", op_info[op].name, text_str(&reason));
    return false;
}
