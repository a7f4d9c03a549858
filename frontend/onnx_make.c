/* Values made by the importer. What depends on no input is computed at once: that is
 * how shape arithmetic vanishes. Large weights are left to the pass fold_constants. */
#include "frontend/onnx_import.h"
#include <string.h>

enum { FOLDED_ELEMENTS = 1 << 16 };

static bool is_small_constant(const Value *v)
{
    return v->op == OP_constant && shape_count(&v->type.shape) <= FOLDED_ELEMENTS;
}

static bool is_foldable(const Value *v)
{
    if (shape_count(&v->type.shape) > FOLDED_ELEMENTS)
        return false;
    for (int i = 0; i < v->nargs; i++)
        if (!is_small_constant(v->args[i]))
            return false;
    OpClass class = op_info[v->op].class;
    return v->nargs > 0 && class != CLASS_conv && class != CLASS_pool;
}

void onnx_reserve(Importer *in, double bytes)
{
    if ((double)arena_used(in->arena) + bytes > (double)in->memory_most)
        onnx_fail(in, "what it computes from constants takes more memory than a file of this "
                      "size may ask for");
}

Tensor *onnx_tensor_new(Importer *in, Type type)
{
    onnx_reserve(in, (double)type_bytes(&type));
    return tensor_new(in->arena, type);
}

static Result result_of(Arena *arena, const Value *v)
{
    int64_t n = shape_count(&v->type.shape);
    Result r = {v->type, NEW(arena, double, n), NULL};
    for (int64_t i = 0; i < n; i++)
        r.exact[i] = v->data ? tensor_get(v->data, i) : v->attr.value;
    return r;
}

/* The constant that v is; v itself is taken out. */
static Value *value_folded(Importer *in, Value *v)
{
    Result args[64], out;
    for (int i = 0; i < v->nargs; i++)
        args[i] = result_of(in->arena, v->args[i]);
    int64_t n = shape_count(&v->type.shape);
    out = (Result){v->type, NEW(in->arena, double, n), NULL};
    value_eval(v, EVAL_exact, args, &out);
    Tensor *data = onnx_tensor_new(in, v->type);
    for (int64_t i = 0; i < n; i++)
        tensor_set(data, i, out.exact[i]);
    graph_remove(in->graph, v);
    return onnx_constant(in, data);
}

Value *onnx_op(Importer *in, Op op, const Attrs *attrs, int nargs, Value *const *args)
{
    Value proto = {.op = op, .stage = -1, .group = -1};
    onnx_reserve(in, 0);
    Text why = text_new(in->arena);
    proto.attr = attrs ? *attrs : attrs_default();
    proto.label = in->node && in->node->name && *in->node->name ? in->node->name : NULL;
    Value *v = graph_insert(in->graph, NULL, &proto, nargs, args, &why);
    if (!v)
        onnx_fail(in, "%s", text_str(&why));
    return is_foldable(v) ? value_folded(in, v) : v;
}

Value *onnx_1(Importer *in, Op op, Value *a)
{
    return onnx_op(in, op, NULL, 1, &a);
}

Value *onnx_2(Importer *in, Op op, Value *a, Value *b)
{
    return onnx_op(in, op, NULL, 2, (Value *[]){a, b});
}

Value *onnx_constant(Importer *in, Tensor *data)
{
    Value proto = {.op = OP_constant, .stage = -1, .group = -1};
    proto.attr = attrs_default();
    Value *v = graph_constant(in->graph, NULL, &proto, data);
    v->label = NULL;
    return v;
}

Value *onnx_scalar(Importer *in, DType dtype, double value)
{
    Tensor *t = onnx_tensor_new(in, (Type){dtype, {0}});
    tensor_set(t, 0, value);
    return onnx_constant(in, t);
}

Value *onnx_real(Importer *in, double value)
{
    return onnx_scalar(in, DT_f32, value);
}

Value *onnx_cast(Importer *in, Value *x, DType to)
{
    Attrs a = attrs_default();
    a.to = to;
    return x->type.dtype == to ? x : onnx_op(in, OP_cast, &a, 1, &x);
}

Value *onnx_select(Importer *in, Value *condition, Value *a, Value *b)
{
    return onnx_op(in, OP_select, NULL, 3, (Value *[]){condition, a, b});
}

/* ---- shapes ------------------------------------------------------------------- */

static Ints ints_of(Shape shape)
{
    Ints ints = {.n = shape.rank};
    for (int i = 0; i < shape.rank; i++)
        ints.at[i] = shape.dim[i];
    return ints;
}

Value *onnx_reshape(Importer *in, Value *x, Shape shape)
{
    Attrs a = attrs_default();
    a.shape = ints_of(shape);
    return shape_equal(&x->type.shape, &shape) ? x : onnx_op(in, OP_reshape, &a, 1, &x);
}

Value *onnx_transpose(Importer *in, Value *x, const int *perm)
{
    Attrs a = attrs_default();
    bool same = true;
    a.perm.n = x->type.shape.rank;
    for (int i = 0; i < a.perm.n; i++) {
        a.perm.at[i] = perm[i];
        same = same && perm[i] == i;
    }
    return same ? x : onnx_op(in, OP_transpose, &a, 1, &x);
}

Value *onnx_broadcast(Importer *in, Value *x, Shape shape)
{
    Attrs a = attrs_default();
    a.shape = ints_of(shape);
    return shape_equal(&x->type.shape, &shape) ? x : onnx_op(in, OP_broadcast, &a, 1, &x);
}

Value *onnx_slice(Importer *in, Value *x, int axis, Ints s)
{
    Attrs a = attrs_default();
    a.shape = ints_of(x->type.shape);
    a.start.n = a.step.n = a.shape.n;
    for (int d = 0; d < a.shape.n; d++) {
        a.start.at[d] = 0;
        a.step.at[d] = 1;
    }
    if (s.at[0] == 0 && s.at[1] == a.shape.at[axis] && s.at[2] == 1)
        return x;
    a.start.at[axis] = s.at[0];
    a.shape.at[axis] = s.at[1];
    a.step.at[axis] = s.at[2];
    return onnx_op(in, OP_slice, &a, 1, &x);
}

/* concat takes 64 at once */
Value *onnx_concat(Importer *in, int axis, int n, Value *const *parts)
{
    Attrs a = attrs_default();
    a.axis = axis;
    if (n <= 64)
        return n == 1 ? parts[0] : onnx_op(in, OP_concat, &a, n, parts);
    int pieces = (n + 63) / 64;
    Value **joined = NEW(in->arena, Value *, pieces);
    for (int i = 0; i < pieces; i++)
        joined[i] = onnx_concat(in, axis, n - 64 * i < 64 ? n - 64 * i : 64, parts + 64 * i);
    return onnx_concat(in, axis, pieces, joined);
}

Value *onnx_reverse(Importer *in, Value *x, int axis)
{
    int n = (int)x->type.shape.dim[axis];
    if (n > 4096)
        onnx_fail(in, "reversing %d elements is more than the 4096 supported", n);
    Value **parts = NEW(in->arena, Value *, n);
    for (int i = 0; i < n; i++)
        parts[i] = onnx_slice(in, x, axis, (Ints){3, {n - 1 - i, 1, 1}});
    return onnx_concat(in, axis, n, parts);
}

/* Entries may be negative: these crop. */
Value *onnx_pad(Importer *in, Value *x, const Ints *pad, Mode mode, double value)
{
    Attrs a = attrs_default();
    int rank = x->type.shape.rank;
    bool any = false;
    a.pad.n = 2 * rank;
    a.mode = mode;
    a.value = value;
    for (int d = 0; d < rank; d++) {
        int64_t before = pad->at[d], after = pad->at[rank + d];
        int64_t cut = before < 0 ? -before : 0, cut_after = after < 0 ? -after : 0;
        int64_t left = x->type.shape.dim[d] - cut - cut_after;
        if (left < 1)
            onnx_fail(in, "padding leaves nothing of dimension %d", d);
        x = onnx_slice(in, x, d, (Ints){3, {cut, left, 1}});
        a.pad.at[d] = before > 0 ? before : 0;
        a.pad.at[rank + d] = after > 0 ? after : 0;
        any = any || before > 0 || after > 0;
    }
    return any ? onnx_op(in, OP_pad, &a, 1, &x) : x;
}

/* ---- sums --------------------------------------------------------------------- */

Ints onnx_axes(int first, int last)
{
    Ints axes = {.n = last > first ? last - first : 0};
    for (int i = 0; i < axes.n; i++)
        axes.at[i] = first + i;
    return axes;
}

Value *onnx_reduce(Importer *in, Op op, Value *x, Ints axes, bool keep)
{
    Attrs a = attrs_default();
    a.axes = axes;
    a.keepdims = keep;
    return axes.n ? onnx_op(in, op, &a, 1, &x) : x;
}

Value *onnx_matmul(Importer *in, Value *a, Value *b, bool transpose_b)
{
    Attrs attrs = attrs_default();
    attrs.transpose_b = transpose_b;
    return onnx_op(in, OP_matmul, &attrs, 2, (Value *[]){a, b});
}

Value *onnx_along(Importer *in, Value *x, int axis, Tensor *matrix)
{
    int rank = x->type.shape.rank, perm[MAX_RANK];
    for (int i = 0; i < rank; i++)
        perm[i] = i;
    perm[axis] = rank - 1;
    perm[rank - 1] = axis;
    Shape moved = x->type.shape;
    Value *y = onnx_transpose(in, x, perm);
    moved = y->type.shape;
    int64_t k = moved.dim[rank - 1], rows = shape_count(&moved) / k;
    y = onnx_reshape(in, y, shape_of(2, (int64_t[]){rows, k}));
    y = onnx_matmul(in, y, onnx_constant(in, matrix), true);
    moved.dim[rank - 1] = matrix->type.shape.dim[0];
    return onnx_transpose(in, onnx_reshape(in, y, moved), perm);
}
