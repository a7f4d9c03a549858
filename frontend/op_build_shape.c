/* Builders of the elementwise operators, reductions, and those that move
 * elements: axes from the end, the open dimension of reshape, ranges of slices. */
#include "frontend/operators.h"
#include <string.h>

/* ---- elementwise ------------------------------------------------------- */

Val build_unary(OpCall *call)
{
    Attrs attr = attrs_default();
    Value *x = call->values[0].kind == VAL_tensor ? call->values[0].tensor : NULL;
    return op_emit(call, call->op->op, &attr, 1, &x);
}

/* A word among the modes it may be; MODE_none and an error when it is not. */
static Mode word_read(OpCall *call, const char *name, const Mode *modes, int n)
{
    const char *word = arg_word(call, name);
    Text all = text_new(call->e->arena);
    for (int i = 0; i < n; i++) {
        if (strcmp(mode_name[modes[i]], word) == 0)
            return modes[i];
        text_printf(&all, "%s\"%s\"", i ? ", " : "", mode_name[modes[i]]);
    }
    op_error(call, arg_span(call, name), "'%s' is one of %s", name, text_str(&all));
    return MODE_none;
}

Val build_gelu(OpCall *call)
{
    const Mode modes[] = {MODE_none, MODE_tanh};
    Value *x = arg_tensor(call, "x");
    Attrs attr = attrs_default();
    attr.mode = word_read(call, "approximate", modes, 2);
    if (attr.mode == MODE_none)
        attr.mode = MODE_erf; /* "none": the definition itself */
    return op_emit(call, OP_gelu, &attr, 1, &x);
}

Val build_clamp(OpCall *call)
{
    Value *x = arg_tensor(call, "x");
    Attrs attr = attrs_default();
    if (arg_given(call, "min"))
        attr.min = arg_real(call, "min");
    if (arg_given(call, "max"))
        attr.max = arg_real(call, "max");
    if (!arg_given(call, "min") && !arg_given(call, "max"))
        op_error(call, call->expr->span, "needs 'min' or 'max'");
    return op_emit(call, OP_clamp, &attr, 1, &x);
}

Val build_cast(OpCall *call)
{
    Value *x = arg_tensor(call, "x");
    Attrs attr = attrs_default();
    int to = dtype_find(arg_word(call, "to"));
    if (to < 0) {
        op_error(call, arg_span(call, "to"), "unknown element type '%.60s'",
                 arg_word(call, "to"));
        return val_poison();
    }
    attr.to = (DType)to;
    return op_emit(call, OP_cast, &attr, 1, &x);
}

/* Numbers take the element type of the tensor beside them. */
static Value *operand_tensor(OpCall *call, Val v, DType dtype)
{
    return v.kind == VAL_tensor ? v.tensor : op_number(call, val_number(v), dtype);
}

Val build_binary(OpCall *call)
{
    Val a = call->values[0], b = call->values[1];
    Attrs attr = attrs_default();
    if (a.kind != VAL_tensor && b.kind != VAL_tensor) {
        op_error(call, call->expr->span, "needs a tensor; both are numbers");
        return val_poison();
    }
    DType dtype = (a.kind == VAL_tensor ? a : b).tensor->type.dtype;
    Value *args[2];
    args[0] = operand_tensor(call, a, dtype);
    args[1] = args[0] ? operand_tensor(call, b, dtype) : NULL;
    return args[1] ? op_emit(call, call->op->op, &attr, 2, args) : val_poison();
}

Val build_select(OpCall *call)
{
    Val a = arg_val(call, "a"), b = arg_val(call, "b");
    Attrs attr = attrs_default();
    DType dtype = a.kind == VAL_tensor   ? a.tensor->type.dtype
                  : b.kind == VAL_tensor ? b.tensor->type.dtype
                                         : DT_f32;
    Value *args[3] = {arg_tensor(call, "c")};
    args[1] = operand_tensor(call, a, dtype);
    args[2] = args[1] ? operand_tensor(call, b, dtype) : NULL;
    return args[2] ? op_emit(call, OP_select, &attr, 3, args) : val_poison();
}

Val build_attention(OpCall *call)
{
    Value *args[3] = {arg_tensor(call, "q"), arg_tensor(call, "k"), arg_tensor(call, "v")};
    Attrs attr = attrs_default();
    attr.heads = arg_int(call, "heads");
    attr.scale = arg_real(call, "scale");
    return op_emit(call, OP_attention, &attr, 3, args);
}

/* ---- along axes -------------------------------------------------------- */

Val build_softmax(OpCall *call)
{
    Value *x = arg_tensor(call, "x");
    Attrs attr = attrs_default();
    attr.axis = arg_axis(call, "axis", x->type.shape.rank);
    return op_emit(call, OP_softmax, &attr, 1, &x);
}

/* Ascending dimensions; all of them when none are named. */
static Ints axes_read(OpCall *call, int rank)
{
    Ints axes = {0};
    bool taken[MAX_RANK] = {false};
    if (arg_given(call, "axis")) {
        Ints given = arg_ints(call, "axis", 0);
        for (int i = 0; i < given.n && !call->failed; i++) {
            int axis = axis_resolve(call, "axis", given.at[i], rank);
            if (axis >= 0 && taken[axis])
                op_error(call, arg_span(call, "axis"), "axis %d is named twice", axis);
            if (axis >= 0)
                taken[axis] = true;
        }
    }
    for (int i = 0; i < rank; i++)
        if (taken[i] || !arg_given(call, "axis"))
            axes.at[axes.n++] = i;
    return axes;
}

Val build_reduce(OpCall *call)
{
    Value *x = arg_tensor(call, "x");
    Attrs attr = attrs_default();
    attr.axes = axes_read(call, x->type.shape.rank);
    attr.keepdims = arg_bool(call, "keepdims");
    return op_emit(call, call->op->op, &attr, 1, &x);
}

Val build_vecdot(OpCall *call)
{
    Value *args[2] = {arg_tensor(call, "a"), arg_tensor(call, "b")};
    int ra = args[0]->type.shape.rank, rb = args[1]->type.shape.rank;
    Attrs attr = attrs_default();
    attr.axes = axes_read(call, ra > rb ? ra : rb);
    attr.keepdims = arg_bool(call, "keepdims");
    return op_emit(call, OP_vecdot, &attr, 2, args);
}

Val build_argmax(OpCall *call)
{
    Value *x = arg_tensor(call, "x");
    Attrs attr = attrs_default();
    attr.axis = arg_axis(call, "axis", x->type.shape.rank);
    attr.keepdims = arg_bool(call, "keepdims");
    return op_emit(call, OP_argmax, &attr, 1, &x);
}

Val build_one_hot(OpCall *call)
{
    Value *x = arg_tensor(call, "x");
    Attrs attr = attrs_default();
    attr.depth = arg_int(call, "depth");
    attr.axis = arg_axis(call, "axis", x->type.shape.rank + 1);
    if (attr.depth < 1)
        op_error(call, arg_span(call, "depth"), "'depth' must be at least 1");
    return op_emit(call, OP_one_hot, &attr, 1, &x);
}

/* ---- joining and cutting ----------------------------------------------- */

Val build_concat(OpCall *call)
{
    enum { MOST = 64 };
    Val list = arg_val(call, "x");
    Value *args[MOST];
    Attrs attr = attrs_default();
    if (list.n < 1 || list.n > MOST) {
        op_error(call, call->expr->span, "joins 1 to %d tensors, not %d", MOST, list.n);
        return val_poison();
    }
    for (int i = 0; i < list.n; i++)
        args[i] = list.items[i].tensor;
    attr.axis = arg_axis(call, "axis", args[0]->type.shape.rank);
    return op_emit(call, OP_concat, &attr, list.n, args);
}

/* Elements [start, start + count * step) of one axis, all of the others. */
typedef struct Cut {
    int axis;
    int64_t start, count, step;
} Cut;

static Val cut_emit(OpCall *call, Cut cut)
{
    Value *x = arg_tensor(call, "x");
    const Shape *shape = &x->type.shape;
    Attrs attr = attrs_default();
    attr.start.n = attr.shape.n = attr.step.n = shape->rank;
    for (int i = 0; i < shape->rank; i++) {
        attr.start.at[i] = i == cut.axis ? cut.start : 0;
        attr.shape.at[i] = i == cut.axis ? cut.count : shape->dim[i];
        attr.step.at[i] = i == cut.axis ? cut.step : 1;
    }
    return op_emit(call, OP_slice, &attr, 1, &x);
}

/* An index of an axis, negative from its end, between low and length. */
static int64_t index_read(OpCall *call, const char *name, int64_t length)
{
    int64_t given = arg_int(call, name);
    int64_t index = given < 0 ? given + length : given;
    if (index < 0 || index > length)
        op_error(call, arg_span(call, name), "'%s' %lld is outside a dimension of %lld",
                 name, (long long)given, (long long)length);
    return index;
}

Val build_slice(OpCall *call)
{
    const Shape *shape = &arg_tensor(call, "x")->type.shape;
    Cut cut = {.axis = arg_axis(call, "axis", shape->rank)};
    if (call->failed)
        return val_poison();
    int64_t length = shape->dim[cut.axis];
    cut.start = index_read(call, "start", length);
    int64_t end = arg_given(call, "end") ? index_read(call, "end", length) : length;
    cut.step = arg_int(call, "step");
    if (cut.step < 1)
        op_error(call, arg_span(call, "step"), "'step' must be at least 1");
    else if (!call->failed && end <= cut.start)
        op_error(call, call->expr->span, "nothing between start %lld and end %lld",
                 (long long)cut.start, (long long)end);
    if (call->failed)
        return val_poison();
    cut.count = (end - cut.start + cut.step - 1) / cut.step;
    return cut_emit(call, cut);
}

/* Sizes of the parts, which together are the dimension; n == 0 after an error. */
static Val sizes_read(OpCall *call, int64_t length)
{
    Val sizes = arg_val(call, "sizes");
    int64_t total = 0;
    if (sizes.kind != VAL_list) {
        op_error(call, arg_span(call, "sizes"), "'sizes' is a list of integers");
        return val_poison();
    }
    for (int i = 0; i < sizes.n; i++) {
        total += sizes.items[i].integer;
        if (sizes.items[i].integer < 1)
            op_error(call, arg_span(call, "sizes"), "a part of %lld elements",
                     (long long)sizes.items[i].integer);
    }
    if (!call->failed && total != length)
        op_error(call, arg_span(call, "sizes"),
                 "the parts have %lld elements together, the dimension %lld",
                 (long long)total, (long long)length);
    return call->failed ? val_poison() : sizes;
}

static Val parts_read(OpCall *call, int64_t length)
{
    int64_t parts = arg_int(call, "parts");
    if (parts < 1 || length % parts != 0) {
        op_error(call, arg_span(call, "parts"),
                 "a dimension of %lld does not divide into %lld parts",
                 (long long)length, (long long)parts);
        return val_poison();
    }
    if (!elab_step(call->e, call->expr->span, parts))
        return val_poison();
    Val *items = NEW(call->e->arena, Val, parts);
    for (int64_t i = 0; i < parts; i++)
        items[i] = val_int(length / parts);
    return elab_list(call->e, call->expr->span, items, (int)parts);
}

Val build_split(OpCall *call)
{
    const Shape *shape = &arg_tensor(call, "x")->type.shape;
    Cut cut = {.axis = arg_axis(call, "axis", shape->rank), .step = 1};
    if (arg_given(call, "parts") == arg_given(call, "sizes"))
        op_error(call, call->expr->span, "needs either 'parts' or 'sizes'");
    if (call->failed)
        return val_poison();
    int64_t length = shape->dim[cut.axis];
    Val sizes = arg_given(call, "parts") ? parts_read(call, length)
                                         : sizes_read(call, length);
    if (sizes.kind == VAL_poison)
        return sizes;
    Val *results = NEW(call->e->arena, Val, sizes.n);
    for (int i = 0; i < sizes.n && !call->e->gave_up; i++) {
        cut.count = sizes.items[i].integer;
        results[i] = cut_emit(call, cut);
        cut.start += cut.count;
    }
    if (sizes.n == 1)
        return results[0];
    return (Val){.kind = VAL_results, .n = sizes.n, .items = results};
}

/* ---- other shapes ------------------------------------------------------ */

/* The -1 of a shape, from the number of elements; others stay. */
static void dims_close(OpCall *call, Ints *dims, int64_t count)
{
    int64_t known = 1;
    int open = -1;
    for (int i = 0; i < dims->n && !call->failed; i++) {
        int64_t d = dims->at[i];
        if (d == -1 && open >= 0)
            op_error(call, arg_span(call, "shape"), "only one dimension may be -1");
        else if (d == -1)
            open = i;
        else if (d < 1 || known > INT32_MAX / d)
            op_error(call, arg_span(call, "shape"), "dimension %lld is not possible",
                     (long long)d);
        else
            known *= d;
    }
    if (open < 0 || call->failed)
        return;
    if (count % known != 0)
        op_error(call, call->expr->span,
                 "%lld elements do not divide into rows of %lld", (long long)count,
                 (long long)known);
    dims->at[open] = count / known;
}

Val build_reshape(OpCall *call)
{
    Value *x = arg_tensor(call, "x");
    Attrs attr = attrs_default();
    attr.shape = arg_ints(call, "shape", 0);
    if (attr.shape.n > MAX_RANK)
        op_error(call, arg_span(call, "shape"), "a tensor has at most %d dimensions",
                 MAX_RANK);
    dims_close(call, &attr.shape, shape_count(&x->type.shape));
    return op_emit(call, OP_reshape, &attr, 1, &x);
}

Val build_flatten(OpCall *call)
{
    Value *x = arg_tensor(call, "x");
    const Shape *shape = &x->type.shape;
    Attrs attr = attrs_default();
    int axis = arg_axis(call, "axis", shape->rank);
    if (call->failed)
        return val_poison();
    attr.shape.n = axis + 1;
    attr.shape.at[axis] = 1;
    for (int i = 0; i < shape->rank; i++)
        attr.shape.at[i < axis ? i : axis] =
            i < axis ? shape->dim[i] : attr.shape.at[axis] * shape->dim[i];
    return op_emit(call, OP_reshape, &attr, 1, &x);
}

Val build_transpose(OpCall *call)
{
    Value *x = arg_tensor(call, "x");
    int rank = x->type.shape.rank;
    Attrs attr = attrs_default();
    attr.perm = arg_ints(call, "perm", 0);
    for (int i = 0; i < attr.perm.n && !call->failed; i++)
        attr.perm.at[i] = axis_resolve(call, "perm", attr.perm.at[i], rank);
    return op_emit(call, OP_transpose, &attr, 1, &x);
}

Val build_broadcast(OpCall *call)
{
    Value *x = arg_tensor(call, "x");
    Attrs attr = attrs_default();
    Shape shape;
    if (!arg_read_shape(call, "shape", &shape))
        return val_poison();
    attr.shape = arg_ints(call, "shape", 0);
    return op_emit(call, OP_broadcast, &attr, 1, &x);
}

/* All befores then all afters, or a pair (or one number) per dimension. */
static Ints pad_read(OpCall *call, int rank)
{
    Val list = arg_val(call, "pad");
    Ints pad = {.n = 2 * rank};
    bool whole = list.kind == VAL_list && list.n == 2 * rank && rank > 0;
    if (list.kind != VAL_list || (!whole && list.n != rank)) {
        op_error(call, arg_span(call, "pad"),
                 "'pad' has %d entries, all befores then all afters, or one per "
                 "dimension", 2 * rank);
        return pad;
    }
    for (int i = 0; i < list.n; i++) {
        Val v = list.items[i];
        bool pair = v.kind == VAL_list;
        if (pair && (whole || v.n != 2)) {
            op_error(call, arg_span(call, "pad"), "an entry per dimension is an "
                                                  "integer or [before, after]");
            return pad;
        }
        pad.at[i] = pair ? v.items[0].integer : v.integer;
        if (!whole)
            pad.at[i + rank] = pair ? v.items[1].integer : v.integer;
    }
    return pad;
}

Val build_pad(OpCall *call)
{
    const Mode modes[] = {MODE_constant, MODE_reflect};
    Value *x = arg_tensor(call, "x");
    Attrs attr = attrs_default();
    attr.pad = pad_read(call, x->type.shape.rank);
    attr.mode = word_read(call, "mode", modes, 2);
    attr.value = arg_real(call, "value");
    return op_emit(call, OP_pad, &attr, 1, &x);
}

/* ---- resize ------------------------------------------------------------ */

static void size_read(OpCall *call, const Shape *x, Ints *shape)
{
    *shape = (Ints){4, {x->dim[0], x->dim[1], x->dim[2], x->dim[3]}};
    if (arg_given(call, "size") == arg_given(call, "scale")) {
        op_error(call, call->expr->span, "needs either 'size' or 'scale'");
    } else if (arg_given(call, "size")) {
        Ints size = arg_ints(call, "size", 2);
        shape->at[2] = size.at[0];
        shape->at[3] = size.at[1];
    } else {
        double scale = arg_real(call, "scale");
        bool ok = scale > 0 && scale < 65536;
        if (!ok)
            op_error(call, arg_span(call, "scale"), "'scale' must be above 0");
        for (int i = 2; i < 4 && ok; i++)
            shape->at[i] = (int64_t)floor((double)x->dim[i] * scale);
    }
    if (shape->at[2] > INT32_MAX || shape->at[3] > INT32_MAX)
        op_error(call, call->expr->span, "the result is too large");
}

Val build_resize(OpCall *call)
{
    const Mode modes[] = {MODE_nearest, MODE_bilinear};
    const Mode coords[] = {MODE_none, MODE_half_pixel, MODE_align_corners,
                           MODE_asymmetric};
    Value *x = arg_tensor(call, "x");
    Attrs attr = attrs_default();
    if (!arg_need_rank(call, "x", 4, "[N,C,H,W]"))
        return val_poison();
    size_read(call, &x->type.shape, &attr.shape);
    attr.mode = word_read(call, "mode", modes, 2);
    attr.coords = word_read(call, "coords", coords, 4);
    if (attr.coords == MODE_none) /* as PyTorch's interpolate */
        attr.coords = attr.mode == MODE_nearest ? MODE_asymmetric : MODE_half_pixel;
    return op_emit(call, OP_resize, &attr, 1, &x);
}
