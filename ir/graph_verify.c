/* The rules every graph obeys, whatever pass made it. */
#include "ir/graph.h"
#include <string.h>

static void complain(Text *errors, const Value *v, const char *rule)
{
    text_printf(errors, "%s: ", rule);
    value_print(v, (PrintStyle){0}, errors);
    text_add(errors, "\n");
}

static void verify_type(const Value *v, Text *errors)
{
    Text why = text_new(errors->arena);
    Type type;
    if (op_info[v->op].class == CLASS_source)
        return;
    if (!infer_type(v->op, &v->attr, v->nargs, v->args, &type, &why))
        complain(errors, v, text_str(&why));
    else if (type.dtype != v->type.dtype || !shape_equal(&type.shape, &v->type.shape))
        complain(errors, v, "type differs from the inferred one");
}

static void verify_source(const Value *v, Text *errors)
{
    if ((v->op == OP_input || v->op == OP_weight) && !v->attr.name)
        complain(errors, v, "a source has a name");
    if (v->data && (v->data->type.dtype != v->type.dtype && v->op == OP_constant))
        complain(errors, v, "a constant's data has its type");
    if (v->data && !shape_equal(&v->data->type.shape, &v->type.shape))
        complain(errors, v, "data has the value's shape");
}

static void verify_groups(const Graph *graph, Text *errors)
{
    for (int i = 0; i < graph->groups.n; i++) {
        const Group *group = &graph->groups.at[i];
        for (int k = 0; k < group->members.n; k++) {
            const Value *v = group->members.at[k];
            if (v->group != i)
                complain(errors, v, "a member knows its group");
            if (k + 1 < group->members.n && graph_is_output(graph, v))
                complain(errors, v, "only a group's last member leaves it");
        }
    }
    FOR_VALUES(v, graph)
        for (int i = 0; i < v->nargs; i++) {
            const Value *arg = v->args[i];
            if (arg->group < 0 || arg->group == v->group)
                continue;
            const Group *group = &graph->groups.at[arg->group];
            if (group->members.at[group->members.n - 1] != arg)
                complain(errors, v, "only a group's last member is read outside");
        }
}

bool graph_verify(const Graph *graph, Text *errors)
{
    size_t before = errors->n;
    bool *seen = NEW(errors->arena, bool, graph->next_id + 1);
    FOR_VALUES(v, graph) {
        if (v->id >= graph->next_id || seen[v->id])
            complain(errors, v, "ids are unique and below next_id");
        for (int i = 0; i < v->nargs; i++)
            if (!seen[v->args[i]->id])
                complain(errors, v, "an argument comes before its use");
        verify_type(v, errors);
        if (op_info[v->op].class == CLASS_source)
            verify_source(v, errors);
        seen[v->id] = true;
    }
    for (int i = 0; i < graph->outputs.n; i++)
        if (!seen[graph->outputs.at[i].value->id])
            complain(errors, graph->outputs.at[i].value, "an output is in the graph");
    verify_groups(graph, errors);
    return errors->n == before;
}
