/* What stands between a call in the text and an operator's builder: arguments
 * are bound, given the kinds that the table says, or their fallbacks. */
#include "frontend/operators.h"
#include <stdlib.h>
#include <string.h>

/* ---- kinds ------------------------------------------------------------- */

static bool is_ints(Val v, int nesting)
{
    if (v.kind == VAL_int)
        return v.integer >= -INT32_MAX && v.integer <= INT32_MAX;
    if (v.kind != VAL_list || nesting == 0)
        return false;
    for (int i = 0; i < v.n; i++)
        if (!is_ints(v.items[i], nesting - 1))
            return false;
    return true;
}

static bool is_tensors(Val v)
{
    for (int i = 0; v.kind == VAL_list && i < v.n; i++)
        if (v.items[i].kind != VAL_tensor)
            return false;
    return v.kind == VAL_list;
}

static bool kind_fits(ParamKind kind, Val v)
{
    switch (kind) {
    case PARAM_tensor:
        return v.kind == VAL_tensor;
    case PARAM_tensors:
        return is_tensors(v);
    case PARAM_operand:
        return v.kind == VAL_tensor || val_is_number(v);
    case PARAM_int:
        return is_ints(v, 0);
    case PARAM_ints:
        return is_ints(v, 1);
    case PARAM_lists:
        return is_ints(v, 2);
    case PARAM_real:
        return val_is_number(v);
    case PARAM_bool:
        return v.kind == VAL_bool;
    case PARAM_word:
        return v.kind == VAL_string;
    case PARAM_bias:
        return v.kind == VAL_bool || v.kind == VAL_tensor || v.kind == VAL_none;
    }
    bug("parameter kind %d", (int)kind);
}

static const char *const kind_noun[] = {
    [PARAM_tensor] = "a tensor",
    [PARAM_tensors] = "tensors",
    [PARAM_operand] = "a tensor or a number",
    [PARAM_int] = "an integer of 32 bits",
    [PARAM_ints] = "an integer of 32 bits or a list of them",
    [PARAM_lists] = "a list of integers or of lists of integers",
    [PARAM_real] = "a number",
    [PARAM_bool] = "true or false",
    [PARAM_word] = "a string",
    [PARAM_bias] = "true, false or a tensor",
};

static Val fallback_val(const OpParam *param)
{
    const char *text = param->fallback;
    if (strcmp(text, "none") == 0 && param->kind != PARAM_word)
        return val_none();
    switch (param->kind) {
    case PARAM_int:
    case PARAM_ints:
    case PARAM_lists:
        return val_int(strtoll(text, NULL, 10));
    case PARAM_real:
        return val_real(strtod(text, NULL));
    case PARAM_bool:
    case PARAM_bias:
        return val_bool(strcmp(text, "true") == 0);
    case PARAM_word:
        return val_text(text);
    case PARAM_tensor:
    case PARAM_tensors:
    case PARAM_operand:
        break;
    }
    bug("no fallback for %s", param->name);
}

/* concat([a, b], [c]) is concat(a, b, c): one level of lists is opened. */
static Val tensors_flatten(Elab *e, const Expr *expr, Val list)
{
    int n = 0;
    for (int i = 0; i < list.n; i++)
        n += list.items[i].kind == VAL_list ? list.items[i].n : 1;
    if (!elab_step(e, expr->span, n))
        return val_poison();
    Val *items = NEW(e->arena, Val, n);
    n = 0;
    for (int i = 0; i < list.n; i++) {
        Val v = list.items[i];
        for (int k = 0; k < (v.kind == VAL_list ? v.n : 1); k++)
            items[n++] = v.kind == VAL_list ? v.items[k] : v;
    }
    return elab_list(e, expr->span, items, n);
}

static bool arg_check(OpCall *call, int i)
{
    const OpParam *param = &call->op->params[i];
    Val *v = &call->values[i];
    if (!call->args[i]) {
        *v = fallback_val(param);
        return true;
    }
    if (v->kind == VAL_poison)
        return false;
    if (v->kind == VAL_none && param->fallback && strcmp(param->fallback, "none") == 0)
        return true;
    if (param->kind == PARAM_tensors && v->kind == VAL_list)
        *v = tensors_flatten(call->e, call->expr, *v);
    if (kind_fits(param->kind, *v))
        return true;
    op_error(call, call->args[i]->span, "'%s' must be %s, not %s", param->name,
             kind_noun[param->kind], val_describe(call->e, *v));
    return false;
}

/* ---- calls ------------------------------------------------------------- */

static Slots operator_slots(const Operator *op, const char **names, bool *required)
{
    int n = 0;
    for (; n < OP_PARAMS && op->params[n].name; n++) {
        names[n] = op->params[n].name;
        required[n] = !op->params[n].fallback;
    }
    return (Slots){n, names, required, op->params[0].kind == PARAM_tensors, op->name};
}

Val operator_call(Elab *e, const Expr *expr, const Operator *op)
{
    OpCall call = {.e = e, .op = op, .expr = expr};
    const char *names[OP_PARAMS];
    bool required[OP_PARAMS];
    Slots slots = operator_slots(op, names, required);
    if (!args_bind(e, expr, &slots, call.values, call.args))
        return val_poison();
    if (function_exists(op->name) && val_is_number(call.values[0]))
        return elab_function(e, expr, call.values, 1);
    bool ok = true;
    for (int i = 0; i < slots.n; i++)
        ok &= arg_check(&call, i);
    Val result = ok && !e->gave_up ? op->build(&call) : val_poison();
    return call.failed ? val_poison() : result;
}

static const Operator *operator_of(Op op)
{
    for (int i = 0; i < operator_count; i++)
        if (operator_table[i].op == op)
            return &operator_table[i];
    bug("operator %s has no name in the language", op_info[op].name);
}

Val operator_apply(Elab *e, const Expr *expr, Op op, const Val *operands,
                   const Expr *const *exprs, int n)
{
    OpCall call = {.e = e, .op = operator_of(op), .expr = expr};
    for (int i = 0; i < n; i++) {
        call.values[i] = operands[i];
        call.args[i] = exprs[i];
        if (kind_fits(PARAM_operand, operands[i]))
            continue;
        elab_error(e, exprs[i]->span, "'%s' takes tensors and numbers, not %s",
                   sign_info[expr->sign].text, val_describe(e, operands[i]));
        return val_poison();
    }
    Val result = call.op->build(&call);
    return call.failed ? val_poison() : result;
}
