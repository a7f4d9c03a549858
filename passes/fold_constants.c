/* fold_constants: what depends on no input is computed now.
 *
 *   %s = mul %w, %g   ->   %s = constant {..}
 *
 * Without bound weights the constant has a type and no elements, so that shapes,
 * costs and memory can still be told.
 *
 * needs: nothing   makes: constants_folded   breaks: nothing   leaves: dead values */
#include "passes/graph_passes.h"

static bool is_bound(const Value *v)
{
    for (int i = 0; i < v->nargs; i++) {
        const Value *arg = v->args[i];
        if (!arg->data && !(arg->op == OP_constant && !arg->mark))
            return false;
    }
    return true;
}

static void result_of_source(Graph *g, const Value *v, Result *out)
{
    int64_t n = shape_count(&v->type.shape);
    *out = (Result){.type = v->type, .exact = NEW(g->arena, double, n)};
    for (int64_t i = 0; i < n; i++)
        out->exact[i] = v->data ? tensor_get(v->data, i) : v->attr.value;
}

static Tensor *evaluate(Graph *g, const Value *v)
{
    Arena *ours = g->arena, *scratch = arena_new();
    Result *args = NEW(scratch, Result, v->nargs), out = {.type = v->type};
    g->arena = scratch;
    for (int i = 0; i < v->nargs; i++)
        result_of_source(g, v->args[i], &args[i]);
    g->arena = ours;
    out.exact = NEW(scratch, double, shape_count(&v->type.shape));
    value_eval(v, EVAL_exact, args, &out);
    Tensor *data = tensor_new(ours, v->type);
    for (int64_t i = 0; i < shape_count(&v->type.shape); i++)
        tensor_set(data, i, out.exact[i]);
    arena_free(scratch);
    return data;
}

static bool only_sources(const Value *v)
{
    for (int i = 0; i < v->nargs; i++)
        if (v->args[i]->op != OP_weight && v->args[i]->op != OP_constant)
            return false;
    return v->nargs > 0;
}

/* mark: a constant without elements */
void pass_fold_constants(Graph *graph, const Target *target)
{
    (void)target;
    FOR_VALUES(v, graph)
        v->mark = v->op == OP_weight && !v->data;
    for (Value *v = graph->first, *next; v; v = next) {
        next = v->next;
        if (!only_sources(v))
            continue;
        bool bound = is_bound(v);
        Tensor *data = bound ? evaluate(graph, v) : &(Tensor){.type = v->type};
        Value *constant = graph_constant(graph, v, v, data);
        constant->mark = !bound;
        graph_replace(graph, v, constant);
        graph_remove(graph, v);
    }
}
