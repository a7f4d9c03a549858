/* fuse_inputs: what a 1x1 convolution reads of windows is computed as it reads.
 *
 *   %d = sub %q, %windows   %n = mul %d, %s   %r = relu %n   %y = conv2d %r, %w
 *   -> one group; %d, %n and %r exist for a few pixels at a time
 *
 * Windows are a view, K * K times as large as the map: an elementwise operator or a
 * concat would make it real. They join the group of the convolution that alone reads
 * them, before its anchor (passes/inputs.h), when one of their operands is windows.
 *
 * needs: grouped   makes: nothing   breaks: nothing   leaves: members before an anchor */
#include "passes/graph_passes.h"
#include "passes/inputs.h"

enum { MOST_MEMBERS = 24 };

/* The members that would join, marked with the convolution's id + 1. */
typedef struct Fusion {
    Graph *graph;
    Value *conv;
    int members;
    bool windows;
} Fusion;

static bool reads_point(const Value *v)
{
    if (v->op != OP_conv2d || v->attr.groups != 1 || !value_is_static(v->args[1]))
        return false;
    Window w = window_of(v);
    return w.kernel_h * w.kernel_w == 1 && w.stride_h == 1 && w.stride_w == 1 &&
           !window_leaves_map(&w);
}

static bool is_windows(const Value *v)
{
    while (v->op != OP_unfold && v->op != OP_weight && v->op != OP_constant &&
           op_info[v->op].class == CLASS_view)
        v = v->args[0];
    return v->op == OP_unfold && !value_is_static(v);
}

/* May its elements be worked out one by one, and does nothing else read it? */
static bool can_join(const Fusion *f, const Value *v)
{
    if (v->uses != 1 || graph_is_output(f->graph, v) || v->type.dtype != DT_f32)
        return false;
    if (v->op == OP_reshape)
        return v->group < 0;
    if (!op_is_elementwise(v->op) && v->op != OP_concat)
        return false;
    const Value *anchor = f->graph->groups.at[v->group].anchor;
    return op_is_elementwise(anchor->op) || anchor == v;
}

static void mark(Fusion *f, Value *v)
{
    v->mark = f->conv->id + 1;
    f->members++;
    for (int i = 0; i < v->nargs; i++) {
        Value *x = v->args[i];
        f->windows = f->windows || is_windows(x);
        bool view = x->op == OP_reshape;
        bool real = view && !is_windows(x) && !can_join(f, x->args[0]);
        if (can_join(f, x) && !real)
            mark(f, x);
    }
}

/* All marked values as members before those of the convolution's group. */
static void join(Fusion *f, Group *joined)
{
    Graph *graph = f->graph;
    const Group *own = &graph->groups.at[f->conv->group];
    *joined = (Group){.anchor = own->anchor};
    FOR_VALUES(v, graph)
        if (v->mark == f->conv->id + 1)
            VEC_PUSH(graph->arena, joined->members, v);
    for (int i = 0; i < own->members.n; i++)
        VEC_PUSH(graph->arena, joined->members, own->members.at[i]);
}

/* A group is taken whole or not at all: all its members are marked. */
static bool takes_whole_groups(const Fusion *f, const Group *joined)
{
    for (int i = 0; joined->members.at[i] != joined->anchor; i++) {
        const Value *v = joined->members.at[i];
        if (v->group < 0)
            continue;
        const Group *group = &f->graph->groups.at[v->group];
        for (int k = 0; k < group->members.n; k++)
            if (group->members.at[k]->mark != f->conv->id + 1)
                return false;
    }
    return true;
}

static void fuse(Graph *graph, Value *conv)
{
    Fusion f = {.graph = graph, .conv = conv};
    InputPart parts[MAX_PARTS];
    Group joined;
    if (!can_join(&f, conv->args[0]))
        return;
    mark(&f, conv->args[0]);
    join(&f, &joined);
    if (!f.windows || f.members > MOST_MEMBERS || !takes_whole_groups(&f, &joined) ||
        inputs_describe(&joined, parts) == 0)
        return;
    for (int i = 0; joined.members.at[i] != joined.anchor; i++) {
        Value *v = joined.members.at[i];
        if (v->group >= 0)
            graph->groups.at[v->group].members.n = 0;
        v->group = conv->group;
    }
    graph->groups.at[conv->group] = joined;
    conv->schedule = (Schedule){.algorithm = ALGORITHM_direct};
}

void pass_fuse_inputs(Graph *graph, const Target *target)
{
    (void)target;
    graph_count_uses(graph);
    FOR_VALUES(v, graph)
        v->mark = 0;
    FOR_VALUES(v, graph)
        if (v->group >= 0 && reads_point(v))
            fuse(graph, v);
    groups_drop_empty(graph);
}
