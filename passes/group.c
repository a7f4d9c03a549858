/* group: operators under one loop. An elementwise operator joins the group of
 * the value it changes when nothing else reads that value.
 *
 *   %1 = conv2d ..  %2 = add %1, %x  %3 = relu %2   ->   group {conv2d, add, relu}
 *
 * needs: nothing   makes: grouped   breaks: nothing
 * leaves: views (and sources) without a group */
#include "passes/graph_passes.h"

enum { MOST_MEMBERS = 16, MOST_OPERANDS = 16 };

static bool can_anchor_chain(const Value *v)
{
    OpClass c = op_info[v->op].class;
    return op_is_elementwise(v->op) || c == CLASS_conv || c == CLASS_product || c == CLASS_dot ||
           c == CLASS_pool || c == CLASS_reduce || c == CLASS_attention;
}

static int group_operands(const Group *group)
{
    int n = 0;
    for (int i = 0; i < group->members.n; i++)
        n += group->members.at[i]->nargs;
    return n;
}

static bool can_join(const Graph *graph, const Value *v, const Value *arg)
{
    if (arg->group < 0 || arg->uses != 1 || !can_anchor_chain(arg) ||
        !shape_equal(&arg->type.shape, &v->type.shape))
        return false;
    const Group *group = &graph->groups.at[arg->group];
    return group->members.n < MOST_MEMBERS && group_operands(group) < MOST_OPERANDS;
}

static int64_t weight_of(const Graph *graph, const Value *v)
{
    return value_macs(graph->groups.at[v->group].anchor);
}

/* Of several arguments the one whose anchor works hardest takes the chain. */
static Value *chain_of(const Graph *graph, const Value *v)
{
    Value *best = NULL;
    for (int i = 0; i < v->nargs && op_is_elementwise(v->op); i++)
        if (can_join(graph, v, v->args[i]) &&
            (!best || weight_of(graph, v->args[i]) > weight_of(graph, best)))
            best = v->args[i];
    return best;
}

int group_new(Graph *graph, Value *v)
{
    Group group = {.anchor = v};
    VEC_PUSH(graph->arena, group.members, v);
    VEC_PUSH(graph->arena, graph->groups, group);
    return v->group = graph->groups.n - 1;
}

void groups_drop_empty(Graph *graph)
{
    int kept = 0;
    for (int i = 0; i < graph->groups.n; i++) {
        Group group = graph->groups.at[i];
        if (group.members.n == 0)
            continue;
        for (int k = 0; k < group.members.n; k++)
            group.members.at[k]->group = kept;
        graph->groups.at[kept++] = group;
    }
    graph->groups.n = kept;
}

void pass_group(Graph *graph, const Target *target)
{
    (void)target;
    graph_count_uses(graph);
    FOR_VALUES(v, graph) {
        OpClass c = op_info[v->op].class;
        if (c == CLASS_source || c == CLASS_view)
            continue;
        Value *into = chain_of(graph, v);
        if (!into) {
            group_new(graph, v);
            continue;
        }
        v->group = into->group;
        VEC_PUSH(graph->arena, graph->groups.at[v->group].members, v);
    }
}
