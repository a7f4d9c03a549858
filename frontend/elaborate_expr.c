/* Expressions: names, properties of values, operators. On compile-time values
 * they are computed here and now; on tensors they become graph values. */
#include "frontend/operators.h"
#include <string.h>

/* ---- names and literals ------------------------------------------------ */

static Val name_eval(Elab *e, const Expr *expr)
{
    const Binding *binding = strmap_get(&e->scope->names, expr->text);
    if (binding) {
        if (binding->target)
            binding->target->used = true;
        return binding->value;
    }
    const Module *module = e->scope->module;
    const Name *assigned =
        module->assigned ? strmap_get(module->assigned, expr->text) : NULL;
    if (assigned) { /* else check.c has said that it is unknown */
        Message *message = elab_error(e, expr->span, "'%s' has no value here",
                                      expr->text);
        elab_note(e, message, assigned->span,
                  "what gives it one was not run before");
    }
    return val_poison();
}

static Val list_eval(Elab *e, const Expr *expr)
{
    Val *items = NEW(e->arena, Val, expr->items.n);
    for (int i = 0; i < expr->items.n; i++)
        items[i] = elab_value(e, expr->items.at[i]);
    return elab_list(e, expr->span, items, expr->items.n);
}

/* ---- properties and elements ------------------------------------------- */

static Val shape_list(Elab *e, const Shape *shape, Span span)
{
    Val *items = NEW(e->arena, Val, shape->rank);
    for (int i = 0; i < shape->rank; i++)
        items[i] = val_int(shape->dim[i]);
    return elab_list(e, span, items, shape->rank);
}

/* channels is dimension 1; height and width the last two of rank 4. */
static Val dim_property(Elab *e, const Expr *expr, const Value *tensor, int dim,
                        int min_rank, int max_rank)
{
    const Shape *shape = &tensor->type.shape;
    if (shape->rank >= min_rank && shape->rank <= max_rank)
        return val_int(shape->dim[dim]);
    Message *message =
        elab_error(e, expr->name_span, "'.%s' needs %s %d dimensions, not %d",
                   expr->text, min_rank == max_rank ? "a tensor of" : "at least",
                   min_rank, shape->rank);
    elab_note_tensor(e, message, "tensor", tensor);
    return val_poison();
}

static Val property_eval(Elab *e, const Expr *expr)
{
    static const char *const names[] = {"channels", "height", "width", "shape",
                                        "rank"};
    Val v = elab_value(e, expr->a);
    if (v.kind == VAL_poison)
        return v;
    if (v.kind != VAL_tensor) {
        elab_error(e, expr->name_span, "only tensors have properties; this is %s",
                   val_describe(e, v));
        return val_poison();
    }
    if (strcmp(expr->text, "channels") == 0)
        return dim_property(e, expr, v.tensor, 1, 2, MAX_RANK);
    if (strcmp(expr->text, "height") == 0)
        return dim_property(e, expr, v.tensor, 2, 4, 4);
    if (strcmp(expr->text, "width") == 0)
        return dim_property(e, expr, v.tensor, 3, 4, 4);
    if (strcmp(expr->text, "shape") == 0)
        return shape_list(e, &v.tensor->type.shape, expr->span);
    if (strcmp(expr->text, "rank") == 0)
        return val_int(v.tensor->type.shape.rank);
    Message *message = elab_error(e, expr->name_span,
                                  "a tensor has no property '%s'", expr->text);
    Nearest nearest = nearest_to(expr->text);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        nearest_offer(&nearest, names[i]);
    elab_suggest(e, message, expr->name_span, &nearest);
    return val_poison();
}

static Val index_eval(Elab *e, const Expr *expr)
{
    Val list = elab_value(e, expr->a), at = elab_value(e, expr->b);
    if (list.kind == VAL_poison || at.kind == VAL_poison)
        return val_poison();
    if (list.kind == VAL_tensor)
        elab_error(e, expr->span, "a tensor is not indexed: use slice(x, axis = "
                                  "..., start = ..., end = ...)");
    else if (list.kind != VAL_list)
        elab_error(e, expr->a->span, "only lists are indexed; this is %s",
                   val_describe(e, list));
    else if (at.kind != VAL_int)
        elab_error(e, expr->b->span, "an index is an integer, not %s",
                   val_describe(e, at));
    else if (at.integer >= list.n || at.integer < -list.n)
        elab_error(e, expr->b->span, "index %lld is outside a list of %d",
                   (long long)at.integer, list.n);
    else
        return list.items[at.integer < 0 ? at.integer + list.n : at.integer];
    return val_poison();
}

/* ---- operators --------------------------------------------------------- */

static Val tensor_operator(Elab *e, const Expr *expr, const Val *operands, int n)
{
    const SignInfo *sign = &sign_info[expr->sign];
    const Expr *const exprs[] = {expr->a, expr->b};
    if (sign->op != OP_COUNT)
        return operator_apply(e, expr, sign->op, operands, exprs, n);
    elab_error(e, expr->span, "'%s' is for compile-time values, not tensors",
               sign->text);
    return val_poison();
}

static Val unary_eval(Elab *e, const Expr *expr)
{
    Val a = elab_value(e, expr->a);
    if (a.kind == VAL_poison)
        return a;
    if (a.kind == VAL_tensor)
        return tensor_operator(e, expr, &a, 1);
    return number_unary(e, expr, expr->sign, a);
}

static Val binary_eval(Elab *e, const Expr *expr)
{
    bool lazy = expr->sign == SIGN_and || expr->sign == SIGN_or;
    Val a = elab_value(e, expr->a);
    if (lazy && a.kind == VAL_bool && a.truth == (expr->sign == SIGN_or))
        return a;
    Val b = elab_value(e, expr->b);
    if (a.kind == VAL_poison || b.kind == VAL_poison)
        return val_poison();
    bool any_none = a.kind == VAL_none || b.kind == VAL_none;
    if (!any_none && (a.kind == VAL_tensor || b.kind == VAL_tensor))
        return tensor_operator(e, expr, (Val[]){a, b}, 2);
    return number_binary(e, expr, expr->sign, a, b);
}

static Val choice_eval(Elab *e, const Expr *expr)
{
    Val condition = elab_value(e, expr->b);
    if (condition.kind == VAL_bool)
        return elab_value(e, condition.truth ? expr->a : expr->c);
    if (condition.kind == VAL_tensor)
        elab_error(e, expr->b->span, "'if' chooses when the network is compiled; "
                                     "between tensors use select(c, a, b)");
    else if (condition.kind != VAL_poison)
        elab_error(e, expr->b->span, "a condition is true or false, not %s",
                   val_describe(e, condition));
    return val_poison();
}

static Val kind_eval(Elab *e, const Expr *expr)
{
    switch (expr->kind) {
    case EXPR_error:
        return val_poison();
    case EXPR_int:
        return val_int(expr->integer);
    case EXPR_real:
        return val_real(expr->real);
    case EXPR_bool:
        return val_bool(expr->truth);
    case EXPR_string:
        return val_text(expr->text);
    case EXPR_none:
        return val_none();
    case EXPR_name:
        return name_eval(e, expr);
    case EXPR_list:
        return list_eval(e, expr);
    case EXPR_unary:
        return unary_eval(e, expr);
    case EXPR_binary:
        return binary_eval(e, expr);
    case EXPR_choice:
        return choice_eval(e, expr);
    case EXPR_property:
        return property_eval(e, expr);
    case EXPR_index:
        return index_eval(e, expr);
    case EXPR_call:
        return elab_call(e, expr);
    }
    bug("expression kind %d", (int)expr->kind);
}

Val elab_expr(Elab *e, const Expr *expr)
{
    if (!elab_enter(e, expr->span))
        return val_poison();
    Val v = kind_eval(e, expr);
    elab_leave(e);
    return e->gave_up ? val_poison() : v;
}

Val elab_value(Elab *e, const Expr *expr)
{
    Val v = elab_expr(e, expr);
    if (v.kind != VAL_results)
        return v;
    elab_error(e, expr->span, "%d results where one value is wanted", v.n);
    return val_poison();
}

/* ---- labels ------------------------------------------------------------ */

static bool label_text_ok(const char *text)
{
    for (const char *c = text; *c; c++) {
        bool word = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                    (*c >= '0' && *c <= '9') || *c == '_';
        bool dot = *c == '.' && c != text && c[1] && c[1] != '.';
        if (!word && !dot)
            return false;
    }
    return *text;
}

static const char *part_eval(Elab *e, const LabelPart *part)
{
    if (part->text)
        return part->text;
    Val v = elab_value(e, part->value);
    if (v.kind == VAL_int && v.integer >= 0)
        return arena_printf(e->arena, "%lld", (long long)v.integer);
    if (v.kind == VAL_string && label_text_ok(v.text))
        return v.text;
    if (v.kind == VAL_string)
        elab_error(e, part->span, "a label holds letters, digits, '_' and '.'");
    else if (v.kind != VAL_poison)
        elab_error(e, part->span,
                   "a label is made of strings and integers of at least 0, not %s",
                   val_describe(e, v));
    return NULL;
}

const char *elab_label(Elab *e, const Label *label)
{
    Text text = text_new(e->arena);
    bool ok = true;
    for (int i = 0; i < label->parts.n; i++) {
        const char *part = part_eval(e, &label->parts.at[i]);
        ok &= part != NULL;
        text_printf(&text, "%s%s", i ? "." : "", part ? part : "");
    }
    if (ok && text.n > LIMIT_LABEL) {
        elab_error(e, label->span, "this label is longer than %d bytes", LIMIT_LABEL);
        ok = false;
    }
    return ok ? text_str(&text) : NULL;
}
