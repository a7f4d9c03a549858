/* fold_constants: what depends on no input is computed now.
 *
 *   %s = mul %w, %g   ->   %s = constant {..}
 *
 * Without bound weights the constant has a type and no elements, so that shapes,
 * costs and memory can still be told.
 *
 * needs: nothing   makes: constants_folded   breaks: nothing   leaves: dead values */
#include "passes/graph_passes.h"
#include "support/file.h"

static bool is_bound(const Value *v)
{
    for (int i = 0; i < v->nargs; i++) {
        const Value *arg = v->args[i];
        if (!arg->data && (arg->op == OP_weight || arg->unknown))
            return false;
    }
    return true;
}

/* f32 elements are read where they lie; other types are spread out to numbers. */
static Result result_of_source(Arena *scratch, const Value *v)
{
    Result result = {.type = v->type};
    if (v->data && v->data->type.dtype == DT_f32) {
        result.quick = v->data->data;
        return result;
    }
    int64_t n = shape_count(&v->type.shape);
    result.quick = NEW(scratch, float, n);
    for (int64_t i = 0; i < n; i++)
        result.quick[i] = (float)(v->data ? tensor_get(v->data, i) : v->attr.value);
    return result;
}

/* In f32, as the network would compute it; large weights are not copied. */
static Tensor *evaluate(Graph *g, const Value *v)
{
    Arena *scratch = arena_new();
    Tensor *data = tensor_new(g->arena, v->type);
    Result *args = NEW(scratch, Result, v->nargs), out = {.type = v->type};
    for (int i = 0; i < v->nargs; i++)
        args[i] = result_of_source(scratch, v->args[i]);
    int64_t n = shape_count(&v->type.shape);
    out.quick = v->type.dtype == DT_f32 ? data->data : NEW(scratch, float, n);
    value_eval(v, EVAL_quick, args, &out);
    for (int64_t i = 0; v->type.dtype != DT_f32 && i < n; i++)
        tensor_set(data, i, (double)out.quick[i]);
    for (int i = 0; i < v->nargs; i++) /* a file's elements need not stay in memory */
        if (v->args[i]->data)
            bytes_release(v->args[i]->data->data, (size_t)type_bytes(&v->args[i]->type));
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

void pass_fold_constants(Graph *graph, const Target *target)
{
    (void)target;
    for (Value *v = graph->first, *next; v; v = next) {
        next = v->next;
        if (!only_sources(v))
            continue;
        bool bound = is_bound(v);
        Tensor *data = bound ? evaluate(graph, v) : &(Tensor){.type = v->type};
        Value *constant = graph_constant(graph, v, v, data);
        constant->unknown = !bound;
        graph_replace(graph, v, constant);
        graph_remove(graph, v);
    }
}
