/* Inference of what maps, reduces or moves elements. */
#include "ir/infer.h"
#include <string.h>

/* ---- elementwise ----------------------------------------------------------
 */

bool infer_real_unary(Infer *in)
{
    return need_real(in);
}

bool infer_gelu(Infer *in)
{
    Mode mode = in->attr->mode;
    if (mode != MODE_erf && mode != MODE_tanh)
        FAIL("mode must be erf or tanh, is %s", mode_name[mode]);
    return need_real(in);
}

bool infer_number_unary(Infer *in)
{
    if (in->type->dtype != DT_f32 && in->type->dtype != DT_i32)
        FAIL("argument must be f32 or i32, is %s",
             dtype_info[in->type->dtype].name);
    return true;
}

bool infer_not(Infer *in)
{
    if (in->type->dtype != DT_bool)
        FAIL("argument must be bool, is %s", dtype_info[in->type->dtype].name);
    return true;
}

bool infer_clamp(Infer *in)
{
    if (!(in->attr->min <= in->attr->max))
        FAIL("min must not be above max, are %g and %g", in->attr->min,
             in->attr->max);
    return need_real(in);
}

bool infer_cast(Infer *in)
{
    in->type->dtype = in->attr->to;
    if (in->attr->to == DT_f16 || in->attr->to == DT_bf16)
        FAIL("%s is a storage type of weights only",
             dtype_info[in->attr->to].name);
    return true;
}

bool infer_binary(Infer *in)
{
    if (!same_dtype(in, 0, 1))
        return false;
    if (in->type->dtype != DT_f32 && in->type->dtype != DT_i32)
        FAIL("operands must be f32 or i32, are %s",
             dtype_info[in->type->dtype].name);
    return broadcast_shapes(in, arg_shape(in, 0), arg_shape(in, 1), 0,
                            &in->type->shape);
}

bool infer_real_binary(Infer *in)
{
    return need_real(in) && infer_binary(in);
}

bool infer_logic(Infer *in)
{
    if (in->type->dtype != DT_bool || !same_dtype(in, 0, 1))
        FAIL("operands must be bool, are %s and %s",
             dtype_info[in->args[0]->type.dtype].name,
             dtype_info[in->args[1]->type.dtype].name);
    return broadcast_shapes(in, arg_shape(in, 0), arg_shape(in, 1), 0,
                            &in->type->shape);
}

bool infer_compare(Infer *in)
{
    if (!infer_binary(in))
        return false;
    in->type->dtype = DT_bool;
    return true;
}

bool infer_select(Infer *in)
{
    Shape values;
    if (in->type->dtype != DT_bool)
        FAIL("condition must be bool, is %s", dtype_info[in->type->dtype].name);
    if (!same_dtype(in, 1, 2) ||
        !broadcast_shapes(in, arg_shape(in, 1), arg_shape(in, 2), 0, &values) ||
        !broadcast_shapes(in, arg_shape(in, 0), &values, 0, &in->type->shape))
        return false;
    in->type->dtype = in->args[1]->type.dtype;
    return true;
}

/* ---- along axes -----------------------------------------------------------
 */

bool infer_softmax(Infer *in)
{
    return need_real(in) && need_axis(in, in->attr->axis, in->type->shape.rank);
}

static bool drop_axes(Infer *in, const Ints *axes)
{
    Shape *s = &in->type->shape;
    for (int i = 0; i < axes->n; i++) {
        if (!need_axis(in, axes->at[i], s->rank))
            return false;
        if (i && axes->at[i] <= axes->at[i - 1])
            FAIL("axes must be ascending and different, %lld follows %lld",
                 LL(axes->at[i]), LL(axes->at[i - 1]));
        s->dim[axes->at[i]] = in->attr->keepdims ? 1 : 0;
    }
    int rank = 0;
    for (int i = 0; i < s->rank; i++)
        if (s->dim[i] != 0)
            s->dim[rank++] = s->dim[i];
    s->rank = rank;
    return true;
}

bool infer_reduce(Infer *in)
{
    if (in->attr->axes.n == 0)
        FAIL("no axes to reduce");
    return need_real(in) && drop_axes(in, &in->attr->axes);
}

bool infer_vecdot(Infer *in)
{
    if (in->attr->axes.n == 0)
        FAIL("no axes to sum over");
    return need_real(in) &&
           broadcast_shapes(in, arg_shape(in, 0), arg_shape(in, 1), 0,
                            &in->type->shape) &&
           drop_axes(in, &in->attr->axes);
}

bool infer_argmax(Infer *in)
{
    Ints axes = {.n = 1, .at = {in->attr->axis}};
    if (!need_real(in) || !drop_axes(in, &axes))
        return false;
    in->type->dtype = DT_i32;
    return true;
}

bool infer_one_hot(Infer *in)
{
    Shape *s = &in->type->shape;
    int64_t axis = in->attr->axis;
    if (in->type->dtype != DT_i32)
        FAIL("classes must be i32, are %s", dtype_info[in->type->dtype].name);
    if (axis < 0 || axis > s->rank || s->rank == MAX_RANK)
        FAIL("axis %lld is outside the result of %s", LL(axis),
             shape_str(in, s));
    memmove(s->dim + axis + 1, s->dim + axis,
            sizeof *s->dim * (size_t)(s->rank - (int)axis));
    s->dim[axis] = in->attr->depth;
    s->rank++;
    in->type->dtype = DT_f32;
    return true;
}

/* ---- moving elements ------------------------------------------------------
 */

bool infer_concat(Infer *in)
{
    Shape *s = &in->type->shape;
    int64_t axis = in->attr->axis;
    if (!need_axis(in, axis, s->rank))
        return false;
    for (int i = 1; i < in->nargs; i++) {
        const Shape *b = arg_shape(in, i);
        bool fits = b->rank == s->rank;
        for (int d = 0; fits && d < s->rank; d++)
            fits = d == axis || b->dim[d] == s->dim[d];
        if (!fits)
            FAIL("shapes %s and %s differ beside axis %lld",
                 shape_str(in, arg_shape(in, 0)), shape_str(in, b), LL(axis));
        if (!same_dtype(in, 0, i))
            return false;
        s->dim[axis] += b->dim[axis];
    }
    return true;
}

/* An index of a dimension: small enough for the sums below. */
static bool is_index(int64_t i)
{
    return i >= 0 && i <= INT32_MAX;
}

static bool slice_fits(int64_t dim, int64_t start, int64_t count, int64_t step)
{
    return is_index(start) && is_index(count) && is_index(step) && count >= 1 &&
           step >= 1 && start + (count - 1) * step < dim;
}

bool infer_slice(Infer *in)
{
    Shape *s = &in->type->shape;
    const Attrs *a = in->attr;
    if (a->start.n != s->rank || a->shape.n != s->rank)
        FAIL("start and shape need %d entries for %s, have %d and %d", s->rank,
             shape_str(in, s), a->start.n, a->shape.n);
    if (!need_entries(in, "step", &a->step, s->rank))
        return false;
    for (int d = 0; d < s->rank; d++)
        if (!slice_fits(s->dim[d], a->start.at[d], a->shape.at[d],
                        a->step.at[d]))
            FAIL("%lld elements from %lld in steps of %lld are outside "
                 "dimension %d "
                 "of %s",
                 LL(a->shape.at[d]), LL(a->start.at[d]), LL(a->step.at[d]), d,
                 shape_str(in, arg_shape(in, 0)));
    for (int d = 0; d < s->rank; d++)
        s->dim[d] = a->shape.at[d];
    return true;
}

/* Can an element of the type hold it? */
static bool holds(DType dtype, double value)
{
    switch (dtype) {
    case DT_i32: return value >= INT32_MIN && value <= INT32_MAX && value == floor(value);
    case DT_u8: return value >= 0 && value <= 255 && value == floor(value);
    case DT_bool: return value == 0 || value == 1;
    case DT_f32: case DT_f16: case DT_bf16: case DTYPE_COUNT: break;
    }
    return true;
}

bool infer_pad(Infer *in)
{
    Shape *s = &in->type->shape;
    const Ints *pad = &in->attr->pad;
    if (pad->n != 2 * s->rank)
        FAIL("pad needs %d entries for %s, has %d", 2 * s->rank,
             shape_str(in, s), pad->n);
    if (in->attr->mode != MODE_constant && in->attr->mode != MODE_reflect)
        FAIL("mode must be constant or reflect, is %s",
             mode_name[in->attr->mode]);
    if (!holds(in->type->dtype, in->attr->value))
        FAIL("value %g is no %s", in->attr->value, dtype_info[in->type->dtype].name);
    for (int d = 0; d < s->rank; d++) {
        int64_t before = pad->at[d], after = pad->at[d + s->rank];
        if (before < 0 || after < 0 || before > INT32_MAX || after > INT32_MAX)
            FAIL("padding must be at least 0 and below 2^31, is %lld + %lld in "
                 "dimension %d",
                 LL(before), LL(after), d);
        if (in->attr->mode == MODE_reflect &&
            (before >= s->dim[d] || after >= s->dim[d]))
            FAIL("reflection of %lld needs more than the %lld elements of "
                 "dimension "
                 "%d of %s",
                 LL(before > after ? before : after), LL(s->dim[d]), d,
                 shape_str(in, s));
    }
    for (int d = 0; d < s->rank; d++)
        s->dim[d] += pad->at[d] + pad->at[d + s->rank];
    return true;
}

/* The attribute `shape` as a Shape, its dimensions and count in range. */
static bool wished_shape(Infer *in, Shape *to)
{
    const Ints *shape = &in->attr->shape;
    if (shape->n > MAX_RANK)
        FAIL("a tensor has at most %d dimensions, shape has %d", MAX_RANK,
             shape->n);
    *to = shape_of(shape->n, shape->at);
    double count = 1;
    for (int d = 0; d < to->rank; d++) {
        if (to->dim[d] < 1)
            FAIL("shape %s has a dimension below 1", shape_str(in, to));
        count *= (double)to->dim[d];
    }
    if (count > INT32_MAX)
        FAIL("shape %s has %.0f elements, more than 2^31 - 1",
             shape_str(in, to), count);
    return true;
}

bool infer_reshape(Infer *in)
{
    const Shape *x = arg_shape(in, 0);
    Shape to;
    if (!wished_shape(in, &to))
        return false;
    if (shape_count(&to) != shape_count(x))
        FAIL("%s has %lld elements, %s has %lld", shape_str(in, x),
             LL(shape_count(x)), shape_str(in, &to), LL(shape_count(&to)));
    in->type->shape = to;
    return true;
}

bool infer_transpose(Infer *in)
{
    const Shape *x = arg_shape(in, 0);
    const Ints *perm = &in->attr->perm;
    unsigned seen = 0;
    if (perm->n != x->rank)
        FAIL("perm needs %d entries for %s, has %d", x->rank, shape_str(in, x),
             perm->n);
    for (int d = 0; d < perm->n; d++) {
        if (perm->at[d] < 0 || perm->at[d] >= x->rank ||
            seen >> perm->at[d] & 1)
            FAIL("perm must name each dimension of %s once", shape_str(in, x));
        seen |= 1u << perm->at[d];
        in->type->shape.dim[d] = x->dim[perm->at[d]];
    }
    return true;
}

bool infer_broadcast(Infer *in)
{
    Shape to, out;
    if (!wished_shape(in, &to) ||
        !broadcast_shapes(in, arg_shape(in, 0), &to, 0, &out))
        return false;
    if (!shape_equal(&out, &to))
        FAIL("%s does not broadcast to %s", shape_str(in, arg_shape(in, 0)),
             shape_str(in, &to));
    in->type->shape = to;
    return true;
}

bool infer_resize(Infer *in)
{
    const Shape *x = arg_shape(in, 0);
    const Attrs *a = in->attr;
    Shape to;
    if (!need_real(in) || !need_rank(in, 0, 4, "[N,C,H,W]") ||
        !wished_shape(in, &to))
        return false;
    if (to.rank != 4 || to.dim[0] != x->dim[0] || to.dim[1] != x->dim[1])
        FAIL("height and width alone can change, from %s to %s",
             shape_str(in, x), shape_str(in, &to));
    if (a->mode != MODE_nearest && a->mode != MODE_bilinear)
        FAIL("mode must be nearest or bilinear, is %s", mode_name[a->mode]);
    if (a->coords != MODE_half_pixel && a->coords != MODE_align_corners &&
        a->coords != MODE_asymmetric)
        FAIL("coords must be half_pixel, align_corners or asymmetric, is %s",
             mode_name[a->coords]);
    in->type->shape = to;
    return true;
}
