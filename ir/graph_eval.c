/* Evaluates a graph value by value: the definition of what a network means.
 * Layout, group and place are not looked at; shapes are logical. */
#include "ir/eval.h"

bool eval_exists(Op op)
{
    return exact_table[op] && quick_table[op];
}

void value_eval(const Value *value, EvalMode mode, const Result *args, Result *out)
{
    EvalFn *eval = (mode == EVAL_exact ? exact_table : quick_table)[value->op];
    if (!eval)
        bug("value_eval: nothing evaluates %s", op_info[value->op].name);
    out->type = value->type;
    eval(value, args, out);
}

/* ---- one evaluation ------------------------------------------------------ */

/* What is known of one value while it is needed. */
typedef struct Slot {
    Result result;
    Arena *arena;          /* holds the elements; NULL: borrowed, or an output */
    const Value *last_use; /* itself when nothing uses it */
} Slot;

typedef struct Eval {
    const Graph *graph;
    EvalMode mode;
    const Tensor *const *inputs;
    int input; /* the next one */
    Arena *arena;
    Slot *slots; /* by value id */
} Eval;

static bool has_data(const Value *v)
{
    return (v->op != OP_weight || v->data) && !v->unknown;
}

static bool weights_are_bound(const Graph *graph, Diag *diag)
{
    int errors = diag->errors;
    FOR_VALUES(v, graph)
        if (!has_data(v))
            diag_error(diag, v->span, "weight '%s' has no data",
                       v->attr.name ? v->attr.name : "(made of others)");
    return diag->errors == errors;
}

static void find_last_uses(Eval *e)
{
    FOR_VALUES(v, e->graph) {
        e->slots[v->id].last_use = v;
        for (int i = 0; i < v->nargs; i++)
            e->slots[v->args[i]->id].last_use = v;
    }
}

static void result_allocate(Result *result, EvalMode mode, Arena *arena)
{
    int64_t n = shape_count(&result->type.shape);
    if (mode == EVAL_exact)
        result->exact = NEW(arena, double, n);
    else
        result->quick = NEW(arena, float, n);
}

/* f32 elements are read where they are in quick mode. */
static bool result_borrow(Result *result, EvalMode mode, const Tensor *data)
{
    if (!data || mode != EVAL_quick || data->type.dtype != DT_f32)
        return false;
    result->quick = data->data;
    return true;
}

static const Tensor *input_take(Eval *e, const Value *v)
{
    const Tensor *input = e->inputs[e->input++];
    if (input->type.dtype != v->type.dtype ||
        !shape_equal(&input->type.shape, &v->type.shape))
        bug("graph_eval: input '%s' is given a tensor of another type", v->attr.name);
    return input;
}

static void evaluate(Eval *e, const Value *v, Slot *slot)
{
    Arena *scratch = arena_new();
    Result *args = NEW(scratch, Result, v->nargs ? v->nargs : 1);
    for (int i = 0; i < v->nargs; i++)
        args[i] = e->slots[v->args[i]->id].result;
    result_allocate(&slot->result, e->mode, slot->arena ? slot->arena : e->arena);
    value_eval(v, e->mode, args, &slot->result);
    arena_free(scratch);
}

static void value_compute(Eval *e, const Value *v)
{
    Slot *slot = &e->slots[v->id];
    Value source = *v;
    slot->result.type = v->type;
    if (!graph_is_output(e->graph, v))
        slot->arena = arena_new();
    if (v->op == OP_input) {
        /* evaluated as a source that holds the given tensor */
        Tensor held = *input_take(e, v);
        source.data = &held;
        if (!result_borrow(&slot->result, e->mode, &held))
            evaluate(e, &source, slot);
    } else if (!result_borrow(&slot->result, e->mode, v->data)) {
        evaluate(e, v, slot);
    }
}

static void slot_release(Slot *slot)
{
    if (slot->arena)
        arena_free(slot->arena);
    slot->arena = NULL;
}

static void release_after(Eval *e, const Value *v)
{
    if (e->slots[v->id].last_use == v)
        slot_release(&e->slots[v->id]);
    for (int i = 0; i < v->nargs; i++)
        if (e->slots[v->args[i]->id].last_use == v)
            slot_release(&e->slots[v->args[i]->id]);
}

Result *graph_eval(const Graph *graph, EvalMode mode, const Tensor *const *inputs,
                   Arena *arena, EvalVisit *visit, void *context, Diag *diag)
{
    if (!weights_are_bound(graph, diag))
        return NULL;
    Arena *scratch = arena_new();
    Eval e = {graph, mode, inputs, 0, arena, NEW(scratch, Slot, graph->next_id + 1)};
    find_last_uses(&e);
    FOR_VALUES(v, graph) {
        value_compute(&e, v);
        if (visit)
            visit(context, v, &e.slots[v->id].result);
        release_after(&e, v);
    }
    Result *outputs = NEW(arena, Result, graph->outputs.n);
    for (int i = 0; i < graph->outputs.n; i++)
        outputs[i] = e.slots[graph->outputs.at[i].value->id].result;
    arena_free(scratch);
    return outputs;
}
