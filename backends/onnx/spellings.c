/* Operators that ONNX (at the opsets written) spells by several nodes. */
#include "backends/onnx/writer.h"
#include <string.h>

enum { OPSET_LAYER_NORM = 17 };

static int rank_of(const Value *v)
{
    return v->type.shape.rank;
}

/* ---- products ------------------------------------------------------------------- */

/* The last two dimensions exchanged. */
static const char *last_turned(Writer *w, const char *x, int rank)
{
    int64_t perm[MAX_RANK];
    for (int i = 0; i < rank; i++)
        perm[i] = i;
    perm[rank - 2] = rank - 1;
    perm[rank - 1] = rank - 2;
    return writer_turned(w, x, rank, perm);
}

/* A vector is a matrix of one row. */
static void write_linear_vector(Writer *w)
{
    const Value *v = w->value;
    int64_t row[] = {1, v->args[0]->type.shape.dim[0]};
    const char *inputs[] = {writer_shaped(w, writer_arg(w, 0), 2, row), writer_arg(w, 1),
                            v->nargs == 3 ? writer_arg(w, 2) : ""};
    const char *y = writer_node(w, "Gemm", v->nargs, inputs);
    node_int(w, writer_node_of(w), "transB", 1);
    const char *shape = writer_ints(w, &(Ints){1, {v->type.shape.dim[0]}});
    writer_last(w, "Reshape", 2, (const char *[]){y, shape});
}

/* Gemm is for matrices; with more dimensions it is x W^T + b. */
void write_linear(Writer *w, const char *operators)
{
    (void)operators;
    const Value *v = w->value;
    if (rank_of(v->args[0]) == 2) {
        node_int(w, writer_plain(w, "Gemm"), "transB", 1);
        return;
    }
    if (rank_of(v->args[0]) == 1) {
        write_linear_vector(w);
        return;
    }
    const char *inputs[] = {writer_arg(w, 0), last_turned(w, writer_arg(w, 1), 2)};
    if (v->nargs == 2) {
        writer_last(w, "MatMul", 2, inputs);
        return;
    }
    const char *product = writer_node(w, "MatMul", 2, inputs);
    writer_last(w, "Add", 2, (const char *[]){product, writer_arg(w, 2)});
}

void write_matmul(Writer *w, const char *operators)
{
    (void)operators;
    const Value *v = w->value;
    const char *a = writer_arg(w, 0), *b = writer_arg(w, 1);
    a = v->attr.transpose_a ? last_turned(w, a, rank_of(v->args[0])) : a;
    b = v->attr.transpose_b ? last_turned(w, b, rank_of(v->args[1])) : b;
    writer_last(w, "MatMul", 2, (const char *[]){a, b});
}

/* sum over axes of a b */
void write_vecdot(Writer *w, const char *operators)
{
    (void)operators;
    const Attrs *a = &w->value->attr;
    const char *product = writer_binary(w, "Mul", writer_arg(w, 0), writer_arg(w, 1));
    const char *inputs[] = {product, writer_ints(w, &a->axes)};
    node_int(w, writer_last(w, "ReduceSum", 2, inputs), "keepdims", a->keepdims);
}

/* [N, P, heads x D] as [N, heads, P, D], or [N, heads, D, P]. */
static const char *heads_split(Writer *w, int i, bool turned)
{
    const int64_t *d = w->value->args[i]->type.shape.dim, heads = w->value->attr.heads;
    int64_t split[] = {d[0], d[1], heads, d[2] / heads};
    const char *x = writer_shaped(w, writer_arg(w, i), 4, split);
    return writer_turned(w, x, 4, turned ? (int64_t[]){0, 2, 3, 1} : (int64_t[]){0, 2, 1, 3});
}

/* Softmax over the last dimension of (scale q k). */
static const char *attention_weights(Writer *w, const char *q, const char *k, int rank)
{
    double scale = w->value->attr.scale;
    const char *s = writer_binary(w, "MatMul", q, k);
    s = scale == 1 ? s : writer_binary(w, "Mul", s, writer_real(w, scale));
    s = writer_unary(w, "Softmax", s);
    node_int(w, writer_node_of(w), "axis", rank - 1);
    return s;
}

/* One head is the tokens as they are: as people write it, and as it is read again (not
 * where it looks for what is stored: that is no attention to the reader). */
static bool is_one_head(const Value *v)
{
    bool stored = false;
    for (int i = 0; i < 2; i++)
        stored = stored || v->args[i]->op == OP_constant || v->args[i]->op == OP_weight;
    return v->attr.heads == 1 && !stored;
}

static void write_one_head(Writer *w)
{
    const char *k = last_turned(w, writer_arg(w, 1), 3);
    const char *s = attention_weights(w, writer_arg(w, 0), k, 3);
    writer_last(w, "MatMul", 2, (const char *[]){s, writer_arg(w, 2)});
}

void write_attention(Writer *w, const char *operators)
{
    (void)operators;
    const Value *v = w->value;
    if (is_one_head(v)) {
        write_one_head(w);
        return;
    }
    const char *q = heads_split(w, 0, false), *k = heads_split(w, 1, true);
    const char *s = attention_weights(w, q, k, 4);
    const char *y = writer_binary(w, "MatMul", s, heads_split(w, 2, false));
    Node *core = writer_node_of(w);
    y = writer_turned(w, y, 4, (int64_t[]){0, 2, 1, 3});
    Ints shape = {.n = 3};
    memcpy(shape.at, v->type.shape.dim, 3 * sizeof *shape.at);
    writer_last(w, "Reshape", 2, (const char *[]){y, writer_ints(w, &shape)});
    writer_core(w, core);
}

/* ---- normalisations ------------------------------------------------------------- */

void write_layer_norm(Writer *w, const char *operators)
{
    (void)operators;
    const Value *v = w->value;
    const char *inputs[3] = {writer_arg(w, 0)};
    Shape part = {.rank = rank_of(v) - (int)v->attr.axis};
    for (int i = 0; i < part.rank; i++)
        part.dim[i] = v->type.shape.dim[v->attr.axis + i];
    for (int i = 1; i < v->nargs; i++)
        inputs[i] = writer_arg(w, i);
    if (v->nargs == 1)
        inputs[1] = writer_fill(w, part, 1);
    Node *node = writer_last(w, "LayerNormalization", v->nargs == 3 ? 3 : 2, inputs);
    node_int(w, node, "axis", v->attr.axis);
    node_real(w, node, "epsilon", v->attr.eps);
    w->opset = w->opset < OPSET_LAYER_NORM ? OPSET_LAYER_NORM : w->opset;
}

/* A factor or a shift by channel, [C], along dimension 1. */
static const char *by_channel(Writer *w, int i)
{
    int64_t dims[MAX_RANK];
    int rank = rank_of(w->value) - 1;
    dims[0] = w->value->type.shape.dim[1];
    for (int d = 1; d < rank; d++)
        dims[d] = 1;
    return writer_shaped(w, writer_arg(w, i), rank, dims);
}

/* A group is an instance of one channel: [N, G, C/G x space]. */
void write_group_norm(Writer *w, const char *operators)
{
    (void)operators;
    const Value *v = w->value;
    const Shape *s = &v->type.shape;
    Ints shape = {.n = s->rank};
    memcpy(shape.at, s->dim, (size_t)s->rank * sizeof *s->dim);
    int64_t groups = v->attr.groups;
    int64_t rows[] = {s->dim[0], groups, shape_count(s) / (s->dim[0] * groups)};
    const char *x = writer_shaped(w, writer_arg(w, 0), 3, rows);
    const char *inputs[] = {x, writer_fill(w, shape_of(1, &groups), 1),
                            writer_fill(w, shape_of(1, &groups), 0)};
    const char *y = writer_node(w, "InstanceNormalization", 3, inputs);
    node_real(w, writer_node_of(w), "epsilon", v->attr.eps);
    const char *back[] = {y, writer_ints(w, &shape)};
    if (v->nargs == 1) {
        writer_last(w, "Reshape", 2, back);
        return;
    }
    const char *scaled[] = {writer_node(w, "Reshape", 2, back), by_channel(w, 1)};
    if (v->nargs == 2) {
        writer_last(w, "Mul", 2, scaled);
        return;
    }
    const char *product = writer_node(w, "Mul", 2, scaled);
    writer_last(w, "Add", 2, (const char *[]){product, by_channel(w, 2)});
}

/* ---- elements ------------------------------------------------------------------- */

/* x / 2 (1 + erf(x / sqrt 2)), or with tanh(sqrt(2 / pi) (x + 0.044715 x^3)) */
void write_gelu(Writer *w, const char *operators)
{
    (void)operators;
    const char *x = writer_arg(w, 0), *inner;
    bool erf_form = w->value->attr.mode == MODE_erf;
    if (erf_form) {
        inner = writer_binary(w, "Mul", x, writer_real(w, 0.70710678118654752440));
    } else {
        const char *cube = writer_binary(w, "Mul", writer_binary(w, "Mul", x, x), x);
        cube = writer_binary(w, "Mul", cube, writer_real(w, 0.044715));
        inner = writer_binary(w, "Mul", writer_binary(w, "Add", x, cube),
                              writer_real(w, 0.79788456080286535588));
    }
    const char *bell = writer_unary(w, erf_form ? "Erf" : "Tanh", inner);
    bell = writer_binary(w, "Add", bell, writer_real(w, 1));
    const char *y = writer_binary(w, "Mul", x, bell);
    writer_last(w, "Mul", 2, (const char *[]){y, writer_real(w, 0.5)});
}

void write_silu(Writer *w, const char *operators)
{
    (void)operators;
    const char *x = writer_arg(w, 0);
    writer_last(w, "Mul", 2, (const char *[]){x, writer_unary(w, "Sigmoid", x)});
}

void write_hard_swish(Writer *w, const char *operators)
{
    (void)operators;
    const char *x = writer_arg(w, 0), *gate = writer_unary(w, "HardSigmoid", x);
    node_real(w, writer_node_of(w), "alpha", 1.0 / 6);
    node_real(w, writer_node_of(w), "beta", 0.5);
    writer_last(w, "Mul", 2, (const char *[]){x, gate});
}

void write_rsqrt(Writer *w, const char *operators)
{
    (void)operators;
    writer_last(w, "Reciprocal", 1,
                (const char *[]){writer_unary(w, "Sqrt", writer_arg(w, 0))});
}

void write_ne(Writer *w, const char *operators)
{
    (void)operators;
    const char *a = writer_arg(w, 0), *b = writer_arg(w, 1);
    writer_last(w, "Not", 1, (const char *[]){writer_binary(w, "Equal", a, b)});
}

/* ONNX's OneHot counts negative classes from the end; ours have none. */
void write_one_hot(Writer *w, const char *operators)
{
    (void)operators;
    const Value *v = w->value;
    const Shape *s = &v->type.shape;
    int axis = (int)v->attr.axis;
    int64_t wide[MAX_RANK];
    Shape side = {.rank = s->rank};
    for (int d = 0; d < s->rank; d++) {
        wide[d] = d == axis ? 1 : s->dim[d];
        side.dim[d] = d == axis ? s->dim[d] : 1;
    }
    Tensor *classes = tensor_new(w->arena, (Type){DT_i32, side});
    for (int64_t i = 0; i < v->attr.depth; i++)
        tensor_set(classes, i, (double)i);
    const char *x = writer_shaped(w, writer_arg(w, 0), s->rank, wide);
    const char *hot = writer_binary(w, "Equal", x, writer_constant(w, classes));
    node_int(w, writer_last(w, "Cast", 1, &hot), "to", onnx_type_of(DT_f32));
}

/* ---- windows -------------------------------------------------------------------- */

/* The slice of x that element (kh, kw) of every window reads: [.., H', W'] */
static const char *window_element(Writer *w, int64_t kh, int64_t kw)
{
    const Attrs *a = &w->value->attr;
    const Shape *from = &w->value->args[0]->type.shape, *to = &w->value->type.shape;
    Attrs cut = attrs_default();
    cut.start.n = cut.shape.n = cut.step.n = from->rank;
    for (int d = 0; d < from->rank; d++) {
        int i = d - (from->rank - 2);
        int64_t at = i == 0 ? kh : kw;
        cut.shape.at[d] = i < 0 ? from->dim[d] : to->dim[to->rank - 2 + i];
        cut.start.at[d] = i < 0 ? 0 : at * (a->dilation.n ? a->dilation.at[i] : 1);
        cut.step.at[d] = i < 0 || !a->stride.n ? 1 : a->stride.at[i];
    }
    const char *inputs[5];
    if (memcmp(cut.shape.at, from->dim, sizeof *from->dim * (size_t)from->rank) == 0)
        return writer_arg(w, 0);
    writer_slice(w, w->value->args[0], &cut, inputs);
    return writer_node(w, "Slice", 5, inputs);
}

/* The elements of the window joined as a dimension, which is then split in two. */
void write_unfold(Writer *w, const char *operators)
{
    (void)operators;
    const Shape *to = &w->value->type.shape;
    int rank = to->rank - 2;
    int64_t n = to->dim[rank - 2] * to->dim[rank - 1], width = to->dim[rank - 1], dims[MAX_RANK + 1];
    Ints shape = {.n = to->rank};
    memcpy(shape.at, to->dim, (size_t)to->rank * sizeof *to->dim);
    memcpy(dims, to->dim, (size_t)(rank - 2) * sizeof *dims);
    dims[rank - 2] = 1;
    dims[rank - 1] = to->dim[rank];
    dims[rank] = to->dim[rank + 1];
    const char **parts = NEW(w->arena, const char *, n), *all = NULL;
    for (int64_t i = 0; i < n; i++) {
        all = window_element(w, i / width, i % width);
        parts[i] = n == 1 ? all : writer_shaped(w, all, rank + 1, dims);
    }
    if (n > 1) {
        all = writer_node(w, "Concat", (int)n, parts);
        node_int(w, writer_node_of(w), "axis", rank - 2);
    }
    writer_last(w, "Reshape", 2, (const char *[]){all, writer_ints(w, &shape)});
}
