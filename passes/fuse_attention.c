/* fuse_attention: scores, their softmax, and the product that reads it in one pass.
 *
 *   %s = conv2d %x, %w          [1,L,H,W]       or matmul
 *   %a = softmax of %s over HW                  as canonicalize spells it
 *   %t = matmul %x, %a transpose_b              [1,C,L]
 *   -> one group: for a chunk of pixels at a time scores, and sums that start from the
 *      largest score so far (online softmax, Milakov and Gimelshein 2018)
 *
 *   %s = matmul %x, %m transpose_a              [1,HW,L]
 *   %a = softmax of %s over L
 *   %y = matmul %v, %a transpose_b              [1,D,HW]     and its chain
 *   -> one group: for a chunk of pixels at a time; of [1,heads,HW,L] each head by itself
 *
 * The first is a visual transformer's tokenizer, the second its projector (Wu et al.
 * 2020). X is read once, and the HW x L scores are never whole in memory. Chunks depend
 * on the shape only (passes/attention.h).
 *
 * needs: grouped   makes: nothing   breaks: nothing   leaves: members before an anchor */
#include "passes/attention.h"
#include "passes/graph_passes.h"

enum { MOST_INSIDE = 12 };

/* What becomes members before the anchor: the softmax, its views of the scores, and them. */
typedef struct Inside {
    Value *at[MOST_INSIDE];
    int n;
} Inside;

static Inside inside_of(const Value *product, const Attention *a)
{
    Value *div = product->args[1], *e = div->args[0], *below = e->args[0];
    Value *sub = below->args[1], *s = sub->args[0];
    Inside in = {.at = {div, e, div->args[1], below, sub, sub->args[1], s}, .n = 7};
    for (; s != a->scores && in.n < MOST_INSIDE; s = s->args[0])
        in.at[in.n++] = s->args[0];
    return in;
}

/* None else is in their groups, and nothing before the product in its own. */
static bool takes_whole_groups(const Graph *graph, const Value *product, const Inside *in)
{
    if (graph->groups.at[product->group].members.at[0] != product)
        return false;
    for (int i = 0; i < in->n; i++) {
        const Group *group = in->at[i]->group >= 0 ? &graph->groups.at[in->at[i]->group] : NULL;
        for (int k = 0; group && k < group->members.n; k++) {
            bool taken = false;
            for (int m = 0; m < in->n; m++)
                taken = taken || in->at[m] == group->members.at[k];
            if (!taken)
                return false;
        }
    }
    return true;
}

static void fuse(Graph *graph, Value *product, const Attention *a)
{
    Inside in = inside_of(product, a);
    if (in.at[in.n - 1] != a->scores || !takes_whole_groups(graph, product, &in) ||
        a->scores->schedule.algorithm != ALGORITHM_direct)
        return;
    const Group *own = &graph->groups.at[product->group];
    Group joined = {.anchor = product};
    for (int i = 0; i < in.n; i++) {
        if (in.at[i]->group >= 0)
            graph->groups.at[in.at[i]->group].members.n = 0;
        in.at[i]->group = product->group;
    }
    FOR_VALUES(v, graph)
        for (int i = 0; i < in.n; i++)
            if (v == in.at[i])
                VEC_PUSH(graph->arena, joined.members, v);
    for (int i = 0; i < own->members.n; i++)
        VEC_PUSH(graph->arena, joined.members, own->members.at[i]);
    graph->groups.at[product->group] = joined;
}

void pass_fuse_attention(Graph *graph, const Target *target)
{
    (void)target;
    Attention a;
    graph_count_uses(graph);
    FOR_VALUES(v, graph)
        if (v->group >= 0 && graph->groups.at[v->group].anchor == v &&
            attention_match(graph, v, &a))
            fuse(graph, v, &a);
    groups_drop_empty(graph);
}
