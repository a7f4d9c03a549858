/* fuse_pool: the max pooling of a network's stem in one pass with its convolution.
 *
 *   %1 = conv2d %x, %w by toom_cook(4)  %2 = relu %1     %3 = max_pool2d %2
 *   -> one group; only %3 is stored
 *
 * The stem's map is the largest of a network: four times what is pooled of it, more than
 * the second-level cache holds. A task computes the rows that its pooled rows need, some
 * of them a second time (lower_stem_pool.c).
 *
 * needs: grouped (of stems that schedule found)   makes: nothing   breaks: nothing
 * leaves: a pooling as member behind its anchor's chain */
#include "passes/graph_passes.h"
#include "passes/toom_cook.h"

/* Nothing but what it changes, and numbers. */
static bool reads_itself_only(const Group *group, const Value *v)
{
    for (int i = 0; i < v->nargs; i++) {
        const Value *x = v->args[i];
        bool number = x->op == OP_constant && shape_count(&x->type.shape) == 1;
        if (!number && (x->group < 0 || x->group != group->anchor->group))
            return false;
    }
    return true;
}

static bool takes_pool(const Graph *graph, const Value *pool, const Target *target)
{
    const Value *x = pool->args[0];
    if (x->group < 0 || x->uses != 1 || graph_is_output(graph, x))
        return false;
    const Group *group = &graph->groups.at[x->group];
    if (group->anchor->schedule.algorithm != ALGORITHM_toom_cook ||
        group->members.at[group->members.n - 1] != x || group->members.at[0] != group->anchor ||
        !stem_takes_pool(group->anchor, pool, target))
        return false;
    for (int i = 1; i < group->members.n; i++)
        if (!reads_itself_only(group, group->members.at[i]))
            return false;
    return true;
}

void pass_fuse_pool(Graph *graph, const Target *target)
{
    graph_count_uses(graph);
    FOR_VALUES(v, graph) {
        if (v->op != OP_max_pool2d || v->group < 0 || graph->groups.at[v->group].anchor != v ||
            !takes_pool(graph, v, target))
            continue;
        Group *from = &graph->groups.at[v->group], *to = &graph->groups.at[v->args[0]->group];
        int joined = v->args[0]->group;
        for (int i = 0; i < from->members.n; i++) {
            from->members.at[i]->group = joined;
            VEC_PUSH(graph->arena, to->members, from->members.at[i]);
        }
        from->members.n = 0;
    }
    groups_drop_empty(graph);
}
