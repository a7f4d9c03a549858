/* The table of builtin operators, and what their builders use: arguments by
 * name, and graph values made with their label, stage and place. */
#include "frontend/operators.h"
#include <stdarg.h>
#include <string.h>

const Operator operator_table[] = {
#define P(name, kind, fallback) {#name, PARAM_##kind, fallback},
#define OPERATOR(name, op, builder, doc, ...)                                  \
    {#name, op, build_##builder, doc, {__VA_ARGS__}},
#include "frontend/operators.def"
};
const int operator_count = sizeof operator_table / sizeof *operator_table;

const Operator *operator_find(const char *name)
{
    for (int i = 0; i < operator_count; i++)
        if (operator_table[i].name[0] == name[0] &&
            strcmp(operator_table[i].name, name) == 0)
            return &operator_table[i];
    return NULL;
}

/* ---- arguments as builders see them ------------------------------------ */

static int param_index(const OpCall *call, const char *name)
{
    const OpParam *params = call->op->params;
    for (int i = 0; i < OP_PARAMS && params[i].name; i++)
        if (strcmp(params[i].name, name) == 0)
            return i;
    bug("%s has no parameter %s", call->op->name, name);
}

Val arg_val(const OpCall *call, const char *name)
{
    return call->values[param_index(call, name)];
}

bool arg_given(const OpCall *call, const char *name)
{
    return arg_val(call, name).kind != VAL_none;
}

bool arg_written(const OpCall *call, const char *name)
{
    return call->args[param_index(call, name)] && arg_given(call, name);
}

Value *arg_tensor(const OpCall *call, const char *name)
{
    Val v = arg_val(call, name);
    return v.kind == VAL_tensor ? v.tensor : NULL;
}

int64_t arg_int(const OpCall *call, const char *name)
{
    return arg_val(call, name).integer;
}

double arg_real(const OpCall *call, const char *name)
{
    return val_number(arg_val(call, name));
}

bool arg_bool(const OpCall *call, const char *name)
{
    return arg_val(call, name).truth;
}

const char *arg_word(const OpCall *call, const char *name)
{
    return arg_val(call, name).text;
}

Span arg_span(const OpCall *call, const char *name)
{
    const Expr *expr = call->args[param_index(call, name)];
    return expr ? expr->span : call->expr->span;
}

Ints arg_ints(OpCall *call, const char *name, int n)
{
    Val v = arg_val(call, name);
    Ints ints = {0};
    int count = v.kind == VAL_list ? v.n : n > 0 ? n : 1;
    if (count > MAX_INTS || (n > 0 && count != n)) {
        op_error(call, arg_span(call, name), "'%s' has %d %s, not %s%d", name, count,
                 count == 1 ? "entry" : "entries", n > 0 ? "" : "at most ",
                 n > 0 ? n : MAX_INTS);
        return (Ints){.n = n > 0 ? n : 0};
    }
    ints.n = count;
    for (int i = 0; i < count; i++)
        ints.at[i] = v.kind == VAL_list ? v.items[i].integer : v.integer;
    return ints;
}

Message *op_error(OpCall *call, Span span, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    Text text = text_new(call->e->arena);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *rest = NEW(call->e->arena, char, n + 1);
    va_start(args, format);
    vsnprintf(rest, (size_t)n + 1, format, args);
    va_end(args);
    text_printf(&text, "%s: %s", call->op->name, rest);
    call->failed = true;
    return elab_error_text(call->e, span, format, text_str(&text));
}

int axis_resolve(OpCall *call, const char *name, int64_t axis, int rank)
{
    if (axis >= -rank && axis < rank)
        return (int)(axis < 0 ? axis + rank : axis);
    op_error(call, arg_span(call, name), "axis %lld is outside a tensor of %d %s",
             (long long)axis, rank, rank == 1 ? "dimension" : "dimensions");
    return -1;
}

int arg_axis(OpCall *call, const char *name, int rank)
{
    return axis_resolve(call, name, arg_int(call, name), rank);
}

/* "x" as the user wrote it when it is a name, else the parameter's name. */
static void note_tensors(OpCall *call, Message *message)
{
    for (int i = 0; i < OP_PARAMS && call->op->params[i].name; i++) {
        const Expr *arg = call->args[i];
        const char *name = arg && arg->kind == EXPR_name ? arg->text
                                                         : call->op->params[i].name;
        Val v = call->values[i];
        if (v.kind == VAL_tensor)
            elab_note_tensor(call->e, message, name, v.tensor);
        for (int k = 0; v.kind == VAL_list && k < v.n && k < 64; k++)
            if (v.items[k].kind == VAL_tensor)
                elab_note_tensor(call->e, message,
                                 arena_printf(call->e->arena, "argument %d", k + 1),
                                 v.items[k].tensor);
    }
}

bool arg_need_rank(OpCall *call, const char *name, int rank, const char *form)
{
    const Value *tensor = arg_tensor(call, name);
    if (tensor->type.shape.rank == rank)
        return true;
    Text shape = text_new(call->e->arena);
    text_shape(&shape, &tensor->type.shape);
    Message *message = op_error(call, call->expr->span, "%s must be %s, is %s", name,
                                form, text_str(&shape));
    note_tensors(call, message);
    return false;
}

bool arg_read_shape(OpCall *call, const char *name, Shape *shape)
{
    Ints dims = arg_ints(call, name, 0);
    double count = 1;
    if (dims.n > MAX_RANK)
        op_error(call, arg_span(call, name), "a tensor has at most %d dimensions",
                 MAX_RANK);
    for (int i = 0; i < dims.n && !call->failed; i++) {
        count *= (double)dims.at[i];
        if (dims.at[i] < 1)
            op_error(call, arg_span(call, name), "dimension %lld is below 1",
                     (long long)dims.at[i]);
    }
    if (count > INT32_MAX)
        op_error(call, arg_span(call, name), "a tensor has at most %d elements",
                 INT32_MAX);
    if (call->failed)
        return false;
    *shape = shape_of(dims.n, dims.at);
    return true;
}

/* ---- values ------------------------------------------------------------ */

static bool value_count(OpCall *call)
{
    Elab *e = call->e;
    if (e->values++ >= LIMIT_VALUES)
        elab_give_up(e, call->expr->span, "this network has more than %d values",
                     LIMIT_VALUES);
    return !e->gave_up;
}

static void value_place(OpCall *call, Value *value)
{
    Elab *e = call->e;
    value->span = call->expr->span;
    value->site = e->scope->site;
    value->stage = e->stage;
    value->label = e->line->label ? e->line->label : e->scope->path;
}

Val op_emit(OpCall *call, Op op, const Attrs *attr, int nargs, Value *const *args)
{
    Elab *e = call->e;
    Text why = text_new(e->arena);
    if (call->failed || !value_count(call))
        return val_poison();
    Value proto = {.op = op, .attr = *attr};
    value_place(call, &proto);
    Value *value = graph_insert(e->graph, NULL, &proto, nargs, args, &why);
    if (!value)
        note_tensors(call, elab_error_text(e, call->expr->span, operator_table,
                                           text_str(&why)));
    return val_tensor(value);
}

Value *op_constant(OpCall *call, double number, Type type)
{
    if (!value_count(call))
        return NULL;
    Value *value = graph_constant(call->e->graph, NULL, NULL, &(Tensor){type, NULL});
    value->attr.value = number;
    value_place(call, value);
    return value;
}

Value *op_number(OpCall *call, double number, DType dtype)
{
    bool integer = dtype_info[dtype].is_integer;
    if (dtype_info[dtype].is_boolean)
        op_error(call, call->expr->span, "a number beside a bool tensor");
    else if (integer && (number != floor(number) || fabs(number) > INT32_MAX))
        op_error(call, call->expr->span, "a number beside a tensor of %s must be "
                                         "an integer of its range",
                 dtype_info[dtype].name);
    else
        return op_constant(call, number, (Type){dtype, {0}});
    return NULL;
}

/* ---- weights ----------------------------------------------------------- */

/* A label names the weights of one operator; a second one would take the same
 * names. */
static bool label_take(OpCall *call)
{
    Line *line = call->e->line;
    Span here = call->expr->span;
    if (!line->label) {
        op_error(call, here, "it holds weights, so its statement needs a label");
        return false;
    }
    bool mine = line->holder.begin == here.begin && line->holder.end == here.end;
    if (line->holder.source && !mine) {
        Message *message = op_error(call, here, "a second operator with weights "
                                                "under the label '%s'", line->label);
        elab_note(call->e, message, line->holder, "the first is here");
        return false;
    }
    line->holder = here;
    return true;
}

/* Registers a name; false when another statement has it. */
static bool weight_claim(OpCall *call, const char *name)
{
    const Value *other = strmap_get(&call->e->weights, name);
    if (!other)
        return true;
    Message *message = op_error(call, call->e->line->label_span,
                                "weight '%s' exists already", name);
    elab_note(call->e, message, other->span, "it was first made here");
    return false;
}

static bool weight_size_ok(OpCall *call, const Type *type)
{
    double count = 1;
    for (int i = 0; i < type->shape.rank; i++) {
        count *= (double)type->shape.dim[i];
        if (type->shape.dim[i] < 1)
            count = INFINITY;
    }
    if (count > INT32_MAX)
        op_error(call, call->expr->span, "its weights have no acceptable size");
    return count <= INT32_MAX;
}

static bool is_input_name(const Graph *graph, const char *name)
{
    for (const Value *v = graph->first; v && v->op == OP_input; v = v->next)
        if (strcmp(v->name, name) == 0)
            return true;
    return false;
}

/* graph_source looks through all values for a free name; weights' names are
 * unique already, and a network may have very many. */
static Value *weight_new(Graph *graph, const char *name, Type type, Span span)
{
    if (is_input_name(graph, name))
        return graph_source(graph, OP_weight, name, type, span);
    Value *value = graph_constant(graph, NULL, NULL, &(Tensor){type, NULL});
    value->op = OP_weight;
    value->name = value->attr.name = name;
    return value;
}

/* After an error the weight is made all the same, so that shapes are checked;
 * the graph is given to nobody then. */
Value *op_weight(OpCall *call, const char *suffix, Type type)
{
    Elab *e = call->e;
    if (!weight_size_ok(call, &type) || !value_count(call))
        return NULL;
    bool labelled = label_take(call);
    const char *name = "?";
    if (labelled)
        name = *suffix ? arena_printf(e->arena, "%s.%s", e->line->label, suffix)
                       : e->line->label;
    labelled = labelled && weight_claim(call, name);
    call->failed = false; /* go on to check shapes */
    Value *value = weight_new(e->graph, name, type, call->expr->span);
    value_place(call, value);
    if (labelled)
        *strmap_slot(&e->weights, name) = value;
    return value;
}
