/* Values as expressions of the language. */
#include "frontend/operators.h"
#include "frontend/vt_write.h"
#include <float.h>
#include <stdlib.h>
#include <string.h>

void vt_number(Text *out, const char *name, int64_t value)
{
    text_printf(out, "\2%s:%lld\3", name, (long long)value);
}

/* The shortest decimal of the f32, not of the double that holds it. */
static void real_add(Text *out, double x)
{
    char text[40];
    for (int digits = 1; digits < 10; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if ((float)strtod(text, NULL) == (float)x)
            break;
    }
    text_add(out, text);
    if (!strpbrk(text, ".e"))
        text_add(out, ".0");
}

static void ints_add(Text *out, const char *name, const int64_t *at, int n)
{
    text_add(out, "[");
    for (int i = 0; i < n; i++) {
        text_add(out, i ? ", " : "");
        vt_number(out, name, at[i]);
    }
    text_add(out, "]");
}

static void ints_arg(Text *out, const char *name, const Ints *ints)
{
    text_printf(out, ", %s = ", name);
    ints_add(out, name, ints->at, ints->n);
}

static void int_arg(Text *out, const char *name, int64_t value)
{
    text_printf(out, ", %s = ", name);
    vt_number(out, name, value);
}

/* One number for all that are equal; left out where it is the default. */
static void size_arg(Text *out, const char *name, const Ints *ints, int64_t usual)
{
    bool same = true;
    for (int i = 1; i < ints->n; i++)
        same = same && ints->at[i] == ints->at[0];
    if (ints->n == 0 || (same && ints->at[0] == usual))
        return;
    if (same)
        int_arg(out, name, ints->at[0]);
    else
        ints_arg(out, name, ints);
}

static void pad_arg(Text *out, const Ints *pad)
{
    Ints half = {.n = pad->n / 2};
    bool even = true;
    for (int i = 0; i < half.n; i++) {
        half.at[i] = pad->at[i];
        even = even && pad->at[i] == pad->at[half.n + i];
    }
    if (even)
        size_arg(out, "pad", &half, 0);
    else
        ints_arg(out, "pad", pad);
}

/* ---- arguments ------------------------------------------------------------------- */

static double element(const Value *v, int64_t i)
{
    return v->data ? tensor_get(v->data, i) : v->attr.value;
}

static bool is_uniform(const Value *v)
{
    for (int64_t i = 1; i < shape_count(&v->type.shape); i++)
        if (element(v, i) != element(v, 0))
            return false;
    return isfinite(element(v, 0));
}

/* Its name in this scope: the state dict's there, if it has one. */
static const char *parameter_wish(const VtBody *b, const Value *v)
{
    Arena *arena = b->w->arena;
    const char *name = v->op == OP_weight ? v->attr.name : v->name, *path = b->scope->path;
    size_t n = strlen(path);
    if (!name || strchr(name, ':') || strchr(name, '/'))
        return "constant";
    if (n && strncmp(name, path, n) == 0 && name[n] == '.')
        name += n + 1;
    const char *dot = strrchr(name, '.');
    return vt_word(arena, n && dot ? dot + 1 : name);
}

/* A tensor becomes a parameter, in a statement of its own before: its variable. */
static const char *parameter(VtBody *b, const char *wish, Tensor *data)
{
    VtWriter *w = b->w;
    const char *name = wish, *scope = b->scope->path, *variable = vt_variable(b);
    const char *full = *scope ? arena_printf(w->arena, "%s.%s", scope, name) : name;
    for (int n = 2; strmap_get(&w->tensors, full); n++) {
        name = arena_printf(w->arena, "%s_%d", wish, n);
        full = *scope ? arena_printf(w->arena, "%s.%s", scope, name) : name;
    }
    *strmap_slot(&w->tensors, full) = w;
    VEC_PUSH(w->arena, b->scope->tensors, ((NamedTensor){full, *data, NULL}));
    VEC_PUSH(w->arena, b->parameters, variable);
    text_printf(&b->before, "%s: %s = parameter(shape = ", name, variable);
    ints_add(&b->before, "shape", data->type.shape.dim, data->type.shape.rank);
    text_add(&b->before, ")\n");
    return variable;
}

/* Parameters are f32, which has whole numbers up to 2^24: of larger ones the upper and
 * the lower 16 bits are kept apart. */
static bool is_exact(const Value *v)
{
    for (int64_t i = 0; i < shape_count(&v->type.shape) && v->type.dtype == DT_i32; i++)
        if (fabs(element(v, i)) > 1 << 24)
            return false;
    return true;
}

static const char *halves(VtBody *b, const Value *v, const char *wish)
{
    Type type = {DT_f32, v->type.shape};
    Tensor *high = tensor_new(b->w->arena, type), *low = tensor_new(b->w->arena, type);
    for (int64_t i = 0; i < shape_count(&type.shape); i++) {
        double upper = floor(element(v, i) / 65536);
        tensor_set(high, i, upper);
        tensor_set(low, i, element(v, i) - upper * 65536);
    }
    const char *x = parameter(b, arena_printf(b->w->arena, "%s_high", wish), high);
    const char *y = parameter(b, arena_printf(b->w->arena, "%s_low", wish), low);
    return arena_printf(b->w->arena, "(cast(%s, to = \"i32\") * 65536 + cast(%s, to = \"i32\"))",
                        x, y);
}

static const char *tensor_text(VtBody *b, const Value *v)
{
    const char *wish = parameter_wish(b, v);
    if (!is_exact(v))
        return halves(b, v, wish);
    Tensor *data = tensor_new(b->w->arena, (Type){DT_f32, v->type.shape});
    for (int64_t i = 0; i < shape_count(&v->type.shape); i++)
        tensor_set(data, i, element(v, i));
    const char *variable = parameter(b, wish, data);
    if (v->type.dtype == DT_f32)
        return variable;
    return arena_printf(b->w->arena, "cast(%s, to = \"%s\")", variable,
                        dtype_info[v->type.dtype].name);
}

const char *vt_source(VtBody *b, const Value *v)
{
    Text out = text_new(b->w->arena);
    if (v->type.dtype != DT_f32 || !is_uniform(v))
        return tensor_text(b, v);
    text_add(&out, "constant(");
    real_add(&out, element(v, 0));
    text_add(&out, ", shape = ");
    ints_add(&out, "shape", v->type.shape.dim, v->type.shape.rank);
    text_add(&out, ")");
    return text_str(&out);
}

static const char *part_text(VtBody *b, const Value *v, int i, const char **label)
{
    Value *a = v->args[i];
    if (a->op == OP_weight || a->op == OP_constant)
        return vt_source(b, a);
    return b->inlined[a->id] ? vt_expr(b, a, label) : b->variable[a->id];
}

/* In a call no brackets are needed around it. */
static const char *arg_text(VtBody *b, const Value *v, int i, const char **label)
{
    const char *text = part_text(b, v, i, label);
    return *text == '(' ? arena_strndup(b->w->arena, text + 1, strlen(text) - 2) : text;
}

/* A number beside a tensor, where that has the same shape without it. */
static const char *operand_text(VtBody *b, const Value *v, int i, const char **label)
{
    const Value *a = v->args[i], *other = v->args[v->nargs - 1 - (i - (v->nargs - 2))];
    Text out = text_new(b->w->arena);
    bool source = a->op == OP_weight || a->op == OP_constant;
    bool beside = other->op != OP_weight && other->op != OP_constant && other != a;
    if (!source || !beside || shape_count(&a->type.shape) != 1 || !is_uniform(a) ||
        a->type.shape.rank > other->type.shape.rank || a->type.dtype == DT_bool)
        return part_text(b, v, i, label);
    if (a->type.dtype == DT_f32)
        real_add(&out, element(a, 0));
    else
        text_printf(&out, "%lld", (long long)element(a, 0));
    return text_str(&out);
}

/* ---- operators ------------------------------------------------------------------- */

static const char *name_of(Op op)
{
    for (int i = 0; i < operator_count; i++)
        if (operator_table[i].op == op)
            return operator_table[i].name;
    return op_info[op].name;
}

static void call(VtBody *b, const Value *v, int nargs, Text *out, const char **label)
{
    text_printf(out, "%s(", name_of(v->op));
    for (int i = 0; i < nargs; i++)
        text_printf(out, "%s%s", i ? ", " : "", arg_text(b, v, i, label));
}

/* The sizes of weights, or the weights themselves where they are computed. */
static void weighted(VtBody *b, const Value *v, Text *out, const char **label)
{
    if (vt_holds_weights(v)) {
        *label = b->w->label[v->id];
        return;
    }
    text_printf(out, ", weight = %s", arg_text(b, v, 1, label));
    if (v->nargs > 2)
        text_printf(out, ", bias = %s", arg_text(b, v, 2, label));
}

static void conv(VtBody *b, const Value *v, Text *out, const char **label)
{
    const Shape *weight = &v->args[1]->type.shape;
    Ints kernel = {.n = weight->rank - 2};
    memcpy(kernel.at, weight->dim + 2, sizeof *kernel.at * (size_t)kernel.n);
    call(b, v, 1, out, label);
    if (vt_holds_weights(v)) {
        int_arg(out, "out", weight->dim[0]);
        size_arg(out, "kernel", &kernel, 0);
    }
    size_arg(out, "stride", &v->attr.stride, 1);
    pad_arg(out, &v->attr.pad);
    size_arg(out, "dilation", &v->attr.dilation, 1);
    if (v->attr.groups != 1)
        int_arg(out, "groups", v->attr.groups);
    if (v->nargs > 2 && vt_holds_weights(v))
        text_add(out, ", bias = true");
    weighted(b, v, out, label);
}

static void linear(VtBody *b, const Value *v, Text *out, const char **label)
{
    call(b, v, 1, out, label);
    if (vt_holds_weights(v)) {
        int_arg(out, "out", v->args[1]->type.shape.dim[0]);
        if (v->nargs == 2)
            text_add(out, ", bias = false");
    }
    weighted(b, v, out, label);
}

static void norm(VtBody *b, const Value *v, Text *out, const char **label)
{
    call(b, v, 1, out, label);
    if (v->op == OP_layer_norm && v->attr.axis != v->type.shape.rank - 1)
        int_arg(out, "axes", v->type.shape.rank - v->attr.axis);
    if (v->op == OP_group_norm)
        int_arg(out, "groups", v->attr.groups);
    if (v->attr.eps != 1e-5) {
        text_add(out, ", eps = ");
        real_add(out, v->attr.eps);
    }
    if (v->nargs == 1)
        text_add(out, ", affine = false");
    else if (vt_holds_weights(v))
        *label = b->w->label[v->id];
}

static void pool(VtBody *b, const Value *v, Text *out, const char **label)
{
    Ints stride = v->attr.stride;
    bool same = v->attr.kernel.n == stride.n;
    call(b, v, 1, out, label);
    for (int i = 0; i < stride.n && same; i++)
        same = stride.at[i] == v->attr.kernel.at[i];
    size_arg(out, "kernel", &v->attr.kernel, 0);
    if (!same && stride.n == 0)
        int_arg(out, "stride", 1);
    else if (!same)
        size_arg(out, "stride", &stride, 0);
    pad_arg(out, &v->attr.pad);
    if (v->attr.ceil_mode)
        text_add(out, ", ceil_mode = true");
    if (v->op == OP_avg_pool2d && !v->attr.count_pad)
        text_add(out, ", count_pad = false");
}

static void reduce(VtBody *b, const Value *v, Text *out, const char **label)
{
    const Ints *axes = &v->attr.axes;
    bool space = v->args[0]->type.shape.rank == 4 && axes->n == 2 && axes->at[0] == 2 &&
                 axes->at[1] == 3 && v->attr.keepdims;
    if (space && (v->op == OP_reduce_mean || v->op == OP_reduce_max)) {
        text_printf(out, "global_%s_pool(%s", v->op == OP_reduce_mean ? "avg" : "max",
                    arg_text(b, v, 0, label));
        return;
    }
    call(b, v, v->op == OP_vecdot ? 2 : 1, out, label);
    if (axes->n == 1)
        int_arg(out, "axis", axes->at[0]);
    else
        ints_arg(out, "axis", axes);
    if (v->attr.keepdims)
        text_add(out, ", keepdims = true");
}

/* One axis at a time */
static void slice(VtBody *b, const Value *v, Text *out, const char **label)
{
    const Shape *from = &v->args[0]->type.shape;
    const char *whole = arg_text(b, v, 0, label), *x = whole;
    for (int d = 0; d < from->rank; d++) {
        int64_t n = v->attr.shape.at[d], step = v->attr.step.n ? v->attr.step.at[d] : 1;
        int64_t start = v->attr.start.at[d], end = start + (n - 1) * step + 1;
        Text cut = text_new(b->w->arena);
        if (n == from->dim[d])
            continue;
        text_printf(&cut, "slice(%s", x);
        int_arg(&cut, "axis", d);
        if (start)
            int_arg(&cut, "start", start);
        int_arg(&cut, "end", end);
        if (step != 1)
            int_arg(&cut, "step", step);
        text_add(&cut, ")");
        x = text_str(&cut);
    }
    if (x == whole) { /* nothing is cut */
        text_printf(out, "slice(%s, axis = 0", x);
        return;
    }
    text_addn(out, x, strlen(x) - 1);
}

static void clamp(VtBody *b, const Value *v, Text *out, const char **label)
{
    call(b, v, 1, out, label);
    if (!isinf(v->attr.min)) {
        text_add(out, ", min = ");
        real_add(out, v->attr.min);
    }
    if (!isinf(v->attr.max)) {
        text_add(out, ", max = ");
        real_add(out, v->attr.max);
    }
}

static void reshape(VtBody *b, const Value *v, Text *out, const char **label)
{
    const Shape *from = &v->args[0]->type.shape, *to = &v->type.shape;
    if (to->rank == 2 && from->rank > 2 && to->dim[0] == from->dim[0]) {
        text_printf(out, "flatten(%s", arg_text(b, v, 0, label));
        return;
    }
    call(b, v, 1, out, label);
    ints_arg(out, "shape", &v->attr.shape);
}

/* Infinity has no words: what stands around a maximum may be the lowest f32 as well. */
static void fill_arg(Text *out, double value)
{
    double limit = isinf(value) ? copysign(FLT_MAX, value) : value;
    text_add(out, ", value = ");
    real_add(out, limit);
}

static void moved(VtBody *b, const Value *v, Text *out, const char **label)
{
    call(b, v, v->nargs, out, label);
    if (v->op == OP_transpose)
        ints_arg(out, "perm", &v->attr.perm);
    if (v->op == OP_broadcast)
        ints_arg(out, "shape", &v->attr.shape);
    if (v->op == OP_concat)
        int_arg(out, "axis", v->attr.axis);
    if (v->op == OP_pad) {
        ints_arg(out, "pad", &v->attr.pad);
        if (v->attr.mode == MODE_reflect)
            text_add(out, ", mode = \"reflect\"");
        else if (v->attr.value != 0)
            fill_arg(out, v->attr.value);
    }
    if (v->op == OP_resize) {
        text_add(out, ", size = ");
        ints_add(out, "size", v->attr.shape.at + 2, 2);
        text_printf(out, ", mode = \"%s\", coords = \"%s\"", mode_name[v->attr.mode],
                    mode_name[v->attr.coords]);
    }
    if (v->op == OP_unfold) {
        ints_arg(out, "kernel", &v->attr.kernel);
        size_arg(out, "stride", &v->attr.stride, 1);
        size_arg(out, "dilation", &v->attr.dilation, 1);
    }
}

static void product(VtBody *b, const Value *v, Text *out, const char **label)
{
    call(b, v, v->nargs, out, label);
    if (v->attr.transpose_a)
        text_add(out, ", transpose_a = true");
    if (v->attr.transpose_b)
        text_add(out, ", transpose_b = true");
    if (v->op == OP_attention) {
        int_arg(out, "heads", v->attr.heads);
        text_add(out, ", scale = ");
        real_add(out, v->attr.scale);
    }
}

static void mapped(VtBody *b, const Value *v, Text *out, const char **label)
{
    if (v->nargs == 2) {
        const char *x = operand_text(b, v, 0, label);
        text_printf(out, "%s(%s, %s", name_of(v->op), x, operand_text(b, v, 1, label));
        return;
    }
    if (v->op == OP_select) {
        const char *c = arg_text(b, v, 0, label), *x = operand_text(b, v, 1, label);
        text_printf(out, "select(%s, %s, %s", c, x, operand_text(b, v, 2, label));
        return;
    }
    if (v->op == OP_not) {
        text_printf(out, "(not %s", arg_text(b, v, 0, label));
        return;
    }
    call(b, v, 1, out, label);
    if (v->op == OP_gelu && v->attr.mode == MODE_tanh)
        text_add(out, ", approximate = \"tanh\"");
    if (v->op == OP_cast)
        text_printf(out, ", to = \"%s\"", dtype_info[v->attr.to].name);
    if (v->op == OP_softmax || v->op == OP_argmax)
        int_arg(out, "axis", v->attr.axis);
    if (v->op == OP_argmax && v->attr.keepdims)
        text_add(out, ", keepdims = true");
    if (v->op == OP_one_hot) {
        int_arg(out, "depth", v->attr.depth);
        int_arg(out, "axis", v->attr.axis);
    }
}

static const char *infix_of(Op op)
{
    switch ((int)op) {
    case OP_add: return "+";
    case OP_sub: return "-";
    case OP_mul: return "*";
    case OP_div: return "/";
    case OP_and: return "and";
    case OP_or: return "or";
    }
    return NULL;
}

typedef void Writer(VtBody *b, const Value *v, Text *out, const char **label);

static Writer *writer_of(const Value *v)
{
    switch (op_info[v->op].class) {
    case CLASS_conv: return v->op == OP_linear ? linear : conv;
    case CLASS_norm: return norm;
    case CLASS_product: case CLASS_attention: return product;
    case CLASS_pool: return pool;
    case CLASS_dot: return reduce;
    case CLASS_reduce: return v->op == OP_argmax ? mapped : reduce;
    case CLASS_unary: return v->op == OP_clamp ? clamp : mapped;
    case CLASS_binary: case CLASS_compare: case CLASS_select: case CLASS_softmax: return mapped;
    case CLASS_view:
    case CLASS_move:
        return v->op == OP_one_hot  ? mapped
               : v->op == OP_slice   ? slice
               : v->op == OP_reshape ? reshape
                                     : moved;
    case CLASS_source: break;
    }
    bug("vt_expr: %s is no expression", op_info[v->op].name);
}

/* A tensor by channel, [C], beside x: [C, 1, ..] */
static const char *by_channel(VtBody *b, const Value *v, int i, const char **label)
{
    Text out = text_new(b->w->arena);
    int64_t dims[MAX_RANK] = {v->type.shape.dim[1]};
    int rank = v->type.shape.rank - 1;
    for (int d = 1; d < rank; d++)
        dims[d] = 1;
    text_printf(&out, "reshape(%s, shape = ", arg_text(b, v, i, label));
    ints_add(&out, "shape", dims, rank);
    text_add(&out, ")");
    return text_str(&out);
}

/* Computed factors and shifts are no weights: the norm without them, then they. */
static const char *norm_spelled(VtBody *b, const Value *v, const char **label)
{
    Text out = text_new(b->w->arena);
    bool last = v->op == OP_layer_norm;
    if (v->op == OP_batch_norm) {
        const char *x = part_text(b, v, 0, label), *mean = by_channel(b, v, 3, label);
        text_printf(&out, "((%s - %s) / sqrt(%s + ", x, mean, by_channel(b, v, 4, label));
        real_add(&out, v->attr.eps);
        text_add(&out, "))");
    } else {
        Value plain = *v;
        plain.nargs = 1;
        norm(b, &plain, &out, label);
        text_add(&out, ")");
    }
    const char *scale = last ? arg_text(b, v, 1, label) : by_channel(b, v, 1, label);
    const char *shift = v->nargs < 3 ? NULL
                        : last       ? arg_text(b, v, 2, label)
                                     : by_channel(b, v, 2, label);
    return arena_printf(b->w->arena, "(%s * %s%s%s)", text_str(&out), scale, shift ? " + " : "",
                        shift ? shift : "");
}

const char *vt_expr(VtBody *b, Value *v, const char **label)
{
    Text out = text_new(b->w->arena);
    if (op_info[v->op].class == CLASS_norm && v->nargs > 1 && !vt_holds_weights(v))
        return norm_spelled(b, v, label);
    const char *infix = infix_of(v->op);
    if (infix) {
        const char *x = operand_text(b, v, 0, label);
        text_printf(&out, "(%s %s %s)", x, infix, operand_text(b, v, 1, label));
        return text_str(&out);
    }
    writer_of(v)(b, v, &out, label);
    text_add(&out, ")");
    return text_str(&out);
}
