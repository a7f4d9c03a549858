/* The rules every graph obeys, whatever pass made it. */
#include "ir/graph.h"
#include <stdlib.h>
#include <string.h>

static void complain(Text *errors, const Value *v, const char *rule)
{
    text_printf(errors, "%s: ", rule);
    value_print(v, (PrintStyle){.layouts = true}, errors);
    text_add(errors, "\n");
}

/* ---- one value --------------------------------------------------------- */

static void verify_inferred(const Value *v, Text *errors)
{
    Text why = text_new(errors->arena);
    Type type;
    if (!infer_type(v->op, &v->attr, v->nargs, v->args, &type, &why)) {
        complain(errors, v, text_str(&why));
        return;
    }
    if (type.dtype == v->type.dtype && shape_equal(&type.shape, &v->type.shape))
        return;
    text_add(&why, "the type is what inference says, ");
    text_type(&why, &type);
    complain(errors, v, text_str(&why));
}

static bool size_is_legal(const Shape *shape)
{
    double count = 1;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 1)
            return false;
        count *= (double)shape->dim[i];
    }
    return count <= INT32_MAX;
}

/* f32 may be stored narrower; nothing else may differ. */
static bool data_fits(const Value *v)
{
    const DTypeInfo *stored = &dtype_info[v->data->type.dtype];
    return (v->data->type.dtype == v->type.dtype ||
            (v->type.dtype == DT_f32 && stored->is_real)) &&
           shape_equal(&v->data->type.shape, &v->type.shape);
}

static void verify_source(const Value *v, Text *errors)
{
    if (v->nargs)
        complain(errors, v, "a source takes no arguments");
    if (v->op != OP_constant && !v->attr.name)
        complain(errors, v, "an input or weight has a name");
    if (!size_is_legal(&v->type.shape))
        complain(errors, v,
                 "dimensions are at least 1, elements at most 2^31 - 1");
    if (v->op == OP_input && v->data)
        complain(errors, v, "an input has no data");
    if (v->data && !data_fits(v))
        complain(errors, v, "data has the value's type");
}

static void verify_layout(const Value *v, Text *errors)
{
    unsigned seen = 0;
    int rank = v->type.shape.rank;
    if (v->layout.kind != LAYOUT_rows) {
        if (rank < 2 || v->layout.panel < 1 || v->layout.groups < 1 ||
            v->type.shape.dim[0] % v->layout.groups)
            complain(errors, v, "panels divide the outputs of each group");
        return;
    }
    for (int i = 0; i < rank; i++)
        if (v->layout.order[i] >= 0 && v->layout.order[i] < rank)
            seen |= 1u << v->layout.order[i];
    if (seen != (1u << rank) - 1)
        complain(errors, v, "a layout names every dimension once");
}

/* ---- the list ---------------------------------------------------------- */

static void verify_order(const Graph *graph, const Value *v, bool *seen,
                         Text *errors)
{
    for (int i = 0; i < v->nargs; i++) {
        int id = v->args[i]->id;
        if (id < 0 || id >= graph->next_id || !seen[id])
            complain(errors, v, "an argument comes before its use");
    }
    if (v->id < 0 || v->id >= graph->next_id || seen[v->id])
        complain(errors, v, "ids are unique and below next_id");
    else
        seen[v->id] = true;
    if (v->next ? v->next->prev != v : graph->last != v)
        complain(errors, v, "the list reads the same both ways");
}

static int compare_names(const void *a, const void *b)
{
    const Value *v = *(Value *const *)a, *w = *(Value *const *)b;
    return strcmp(v->name, w->name);
}

static void verify_names(const Graph *graph, Text *errors)
{
    VEC(const Value *) named = {0};
    FOR_VALUES(v, graph)
    if (v->name)
        VEC_PUSH(errors->arena, named, v);
    if (named.n)
        qsort(named.at, (size_t)named.n, sizeof *named.at, compare_names);
    for (int i = 1; i < named.n; i++)
        if (strcmp(named.at[i - 1]->name, named.at[i]->name) == 0)
            complain(errors, named.at[i], "names are unique");
}

/* ---- groups ------------------------------------------------------------ */

static bool group_exists(const Graph *graph, const Value *v)
{
    return v->group < graph->groups.n &&
           (v->group < 0 || graph->groups.at[v->group].members.n > 0);
}

static void verify_group(const Graph *graph, int index, Text *errors)
{
    const Group *group = &graph->groups.at[index];
    bool has_anchor = false;
    for (int i = 0; i < group->members.n; i++) {
        const Value *v = group->members.at[i];
        has_anchor = has_anchor || v == group->anchor;
        if (v->group != index)
            complain(errors, v, "a member knows its group");
        if (i + 1 < group->members.n && graph_is_output(graph, v))
            complain(errors, v, "only a group's last member leaves it");
    }
    if (!has_anchor && group->members.n)
        complain(errors, group->members.at[0],
                 "a group's anchor is one of its members");
}

static void verify_reads(const Graph *graph, const Value *v, Text *errors)
{
    if (!group_exists(graph, v)) {
        complain(errors, v, "a value's group exists");
        return;
    }
    for (int i = 0; i < v->nargs; i++) {
        const Value *arg = v->args[i];
        if (arg->group < 0 || arg->group == v->group ||
            !group_exists(graph, arg))
            continue;
        const Group *group = &graph->groups.at[arg->group];
        if (group->members.at[group->members.n - 1] != arg)
            complain(errors, v, "only a group's last member is read outside");
    }
}

static void verify_outputs(const Graph *graph, const bool *seen, Text *errors)
{
    for (int i = 0; i < graph->outputs.n; i++) {
        const Output *output = &graph->outputs.at[i];
        if (!output->name)
            complain(errors, output->value, "an output has a name");
        int id = output->value->id;
        if (id < 0 || id >= graph->next_id || !seen[id])
            complain(errors, output->value, "an output is in the graph");
    }
}

bool graph_verify(const Graph *graph, Text *errors)
{
    size_t before = errors->n;
    bool *seen = NEW(errors->arena, bool, graph->next_id + 1);
    FOR_VALUES(v, graph)
    {
        verify_order(graph, v, seen, errors);
        if (op_info[v->op].class == CLASS_source)
            verify_source(v, errors);
        else
            verify_inferred(v, errors);
        verify_layout(v, errors);
        verify_reads(graph, v, errors);
    }
    verify_names(graph, errors);
    for (int i = 0; i < graph->groups.n; i++)
        verify_group(graph, i, errors);
    verify_outputs(graph, seen, errors);
    return errors->n == before;
}
