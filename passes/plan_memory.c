/* plan_memory: where every stored value lies.
 *
 * A value lives from the step that makes it to the last step that reads it or a
 * view of it. An elementwise result takes over the storage of an operand that
 * dies there (read at the very element that is written). Blocks are placed
 * largest first at the lowest offset free during their life (greedy by size,
 * Pisarchyk and Lee 2020). Where that needs more than the values alive in some
 * step, other orders are tried: what came to lie highest is placed first.
 *
 *   %3 = add %1, %2 : ..   ->   %3 .. at workspace+0   (in place of %1)
 *
 * needs: grouped laid_out packed   makes: placed   breaks: nothing */
#include "ir/pack.h"
#include "passes/graph_passes.h"
#include "passes/inputs.h"
#include "passes/temporary.h"
#include <stdlib.h>

enum { ALIGN = 64, MOST_ORDERS = 400, MOST_MEETINGS = 20000000 };

typedef struct BlockOf {
    int order;         /* value id of the first of those that share it; a
                          group's temporary: next_id + group */
    int first, last;   /* steps */
    int64_t bytes, live, offset;
} BlockOf;

typedef struct Planner {
    Graph *graph;
    int steps;
    int *step_of;      /* by group */
    int *last_use;     /* by value id */
    int *block_of;     /* by value id, -1 none */
    int *temporary_of; /* by group: block + 1, 0 none */
    BlockOf *blocks;
    int n;
} Planner;

static Value *group_result(const Group *group)
{
    return group->members.at[group->members.n - 1];
}

static void number_steps(Planner *p)
{
    Graph *graph = p->graph;
    FOR_VALUES(v, graph) {
        v->view = view_root(v);
        if (v->group >= 0 && group_result(&graph->groups.at[v->group]) == v)
            p->step_of[v->group] = p->steps++;
    }
    FOR_VALUES(v, graph) {
        if (v->group < 0)
            continue;
        for (int i = 0; i < v->nargs; i++) {
            int *last = &p->last_use[v->args[i]->view->id];
            int step = p->step_of[v->group];
            *last = step > *last ? step : *last;
        }
    }
}

static int64_t align_up(int64_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- in place ---------------------------------------------------------- */

static bool same_strides(const Value *a, const Value *b)
{
    if (!shape_equal(&a->type.shape, &b->type.shape))
        return false;
    for (int d = 0; d < a->type.shape.rank; d++)
        if (a->type.shape.dim[d] > 1 && a->place.stride[d] != b->place.stride[d])
            return false;
    return true;
}

/* Read only element by element in this group's chain, never by its anchor at large
 * or by what that computes as it reads. */
static bool read_in_step(const Group *group, const Value *root, const Value *result,
                         Value **operand)
{
    bool found = false;
    for (int i = 0; i < group->members.n; i++) {
        const Value *v = group->members.at[i];
        for (int k = 0; k < v->nargs; k++) {
            if (v->args[k]->view != root || v->args[k]->group == v->group)
                continue;
            if (!op_is_elementwise(v->op) || v->args[k] != root || group_is_input(group, v) ||
                !same_strides(root, result))
                return false;
            found = true;
            *operand = v->args[k];
        }
    }
    return found;
}

static int block_to_share(const Planner *p, const Group *group, const Value *result)
{
    for (int i = 0; i < group->members.n; i++) {
        const Value *v = group->members.at[i];
        for (int k = 0; k < v->nargs; k++) {
            Value *root = v->args[k]->view, *operand;
            int block = p->block_of[root->id];
            if (block < 0 || p->last_use[root->id] != p->step_of[group->anchor->group])
                continue;
            if (root->type.dtype == result->type.dtype &&
                root->layout.pad_pixel == result->layout.pad_pixel &&
                read_in_step(group, root, result, &operand))
                return block;
        }
    }
    return -1;
}

/* Written into an output: it is one, or what an output shows whole. */
static bool goes_out(const Graph *graph, const Value *v)
{
    for (int i = 0; i < graph->outputs.n; i++)
        if (graph->outputs.at[i].value->view == v)
            return true;
    return false;
}

static void make_blocks(Planner *p)
{
    Graph *graph = p->graph;
    FOR_VALUES(v, graph) {
        if (v->group < 0 || group_result(&graph->groups.at[v->group]) != v ||
            goes_out(graph, v))
            continue;
        const Group *group = &graph->groups.at[v->group];
        int step = p->step_of[v->group];
        int last = p->last_use[v->id] > step ? p->last_use[v->id] : step;
        int share = block_to_share(p, group, v);
        if (share >= 0) {
            p->blocks[share].last = last;
            p->block_of[v->id] = share;
            continue;
        }
        int64_t bytes = storage_count(v) * dtype_info[v->type.dtype].bytes;
        p->blocks[p->n] = (BlockOf){v->id, step, last, align_up(bytes), type_bytes(&v->type), 0};
        p->block_of[v->id] = p->n++;
    }
}

/* What a group's steps use for themselves lives during its step only. */
static void make_temporaries(Planner *p, const Target *target)
{
    Graph *graph = p->graph;
    for (int i = 0; i < graph->groups.n; i++) {
        Group *group = &graph->groups.at[i];
        if (group->members.n == 0)
            continue;
        group->temp = group_temporary(group, target, graph->options.max_threads);
        int64_t bytes = group->temp.shared +
                        group->temp.per_thread * graph->options.max_threads;
        if (bytes) {
            int step = p->step_of[i];
            p->blocks[p->n++] = (BlockOf){graph->next_id + i, step, step, bytes, bytes, 0};
            p->temporary_of[i] = p->n;
        }
    }
}

/* ---- offsets ----------------------------------------------------------- */

static int larger_first(const void *a, const void *b)
{
    const BlockOf *x = *(const BlockOf *const *)a, *y = *(const BlockOf *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->first != y->first ? x->first - y->first : x->order - y->order;
}

static bool meet(const BlockOf *a, const BlockOf *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset at which no placed block that meets it is in the way. */
static int64_t lowest_offset(BlockOf *const *placed, int n, const BlockOf *block)
{
    int64_t offset = 0;
    bool moved = true;
    while (moved) {
        moved = false;
        for (int i = 0; i < n; i++) {
            const BlockOf *o = placed[i];
            if (meet(o, block) && o->offset < offset + block->bytes &&
                offset < o->offset + o->bytes) {
                offset = o->offset + o->bytes;
                moved = true;
            }
        }
    }
    return offset;
}

/* Places all in this order; the last of those that lie highest is *top. */
static int64_t place_in_order(BlockOf *const *order, int n, int *top)
{
    int64_t end = 0;
    for (int i = 0; i < n; i++) {
        order[i]->offset = lowest_offset(order, i, order[i]);
        if (order[i]->offset + order[i]->bytes >= end) {
            end = order[i]->offset + order[i]->bytes;
            *top = i;
        }
    }
    return end;
}

static void move(BlockOf **order, int from, int to)
{
    BlockOf *block = order[from];
    for (; from > to; from--)
        order[from] = order[from - 1];
    order[to] = block;
}

/* The largest sum of a step; with padding no plan is smaller. */
static int64_t alive(const Planner *p, bool padding)
{
    int64_t most = 0;
    for (int s = 0; s < p->steps; s++) {
        int64_t sum = 0;
        for (int i = 0; i < p->n; i++)
            if (p->blocks[i].first <= s && s <= p->blocks[i].last)
                sum += padding ? p->blocks[i].bytes : p->blocks[i].live;
        most = sum > most ? sum : most;
    }
    return most;
}

/* From the greedy plan on: the block on top goes to the front, or, every fourth time,
 * to any place before its own (the same places in every run). */
static int64_t place_blocks(Planner *p)
{
    BlockOf **order = NEW(p->graph->arena, BlockOf *, p->n + 1);
    int64_t *best = NEW(p->graph->arena, int64_t, p->n + 1);
    int64_t least = INT64_MAX, bound = alive(p, true);
    int top = 0, tries = 1 + MOST_MEETINGS / (1 + p->n * p->n);
    uint32_t random = 1;
    for (int i = 0; i < p->n; i++)
        order[i] = &p->blocks[i];
    qsort(order, (size_t)p->n, sizeof *order, larger_first);
    for (int k = 0; k < tries && k < MOST_ORDERS && least > bound; k++) {
        random = random * 1664525u + 1013904223u; /* Numerical Recipes */
        if (k > 0)
            move(order, top, k % 4 ? 0 : (int)((random >> 8) % (uint32_t)(top + 1)));
        int64_t end = place_in_order(order, p->n, &top);
        for (int i = 0; end < least && i < p->n; i++)
            best[i] = p->blocks[i].offset;
        least = end < least ? end : least;
    }
    for (int i = 0; i < p->n; i++)
        p->blocks[i].offset = best[i];
    return p->n ? least : 0;
}

/* ---- homes ------------------------------------------------------------- */

static bool is_inlined(const Value *v, const Value *reader)
{
    return v->op == OP_constant && shape_count(&v->type.shape) == 1 &&
           op_is_elementwise(reader->op);
}

static void place_weights(Graph *graph)
{
    int64_t offset = 0;
    FOR_VALUES(v, graph)
        v->mark = 0;
    FOR_VALUES(v, graph)
        for (int i = 0; i < v->nargs; i++)
            if (v->group >= 0 && !is_inlined(v->args[i], v))
                v->args[i]->view->mark = 1;
    FOR_VALUES(v, graph) {
        if ((v->op != OP_weight && v->op != OP_constant) || !v->mark)
            continue;
        DType stored = v->type.dtype == DT_f16 || v->type.dtype == DT_bf16
                           ? DT_f32
                           : v->type.dtype;
        v->place.home = HOME_weights;
        v->place.offset = offset;
        v->place.bytes = packed_count(v) * dtype_info[stored].bytes;
        offset = align_up(offset + v->place.bytes);
    }
}

static void place_roots(Planner *p)
{
    Graph *graph = p->graph;
    int input = 0;
    for (int i = 0; i < graph->groups.n; i++)
        if (p->temporary_of[i])
            graph->groups.at[i].temp.offset = p->blocks[p->temporary_of[i] - 1].offset;
    FOR_VALUES(v, graph) {
        int64_t bytes = storage_count(v) * dtype_info[v->type.dtype].bytes;
        if (v->op == OP_input) {
            v->place.home = HOME_input;
            v->place.port = input++;
            v->place.bytes = bytes;
        } else if (p->block_of[v->id] >= 0) {
            v->place.home = HOME_workspace;
            v->place.offset = p->blocks[p->block_of[v->id]].offset;
            v->place.bytes = bytes;
        }
    }
    for (int i = 0; i < graph->outputs.n; i++) {
        Value *v = graph->outputs.at[i].value->view;
        v->place.home = HOME_output;
        v->place.port = i;
        v->place.offset = 0;
        v->place.bytes = type_bytes(&v->type);
    }
}

/* A view's offset so far is in elements of its argument. */
static void place_views(Graph *graph)
{
    FOR_VALUES(v, graph) {
        if (!value_is_view(v))
            continue;
        const Value *x = v->args[0];
        v->place.home = x->place.home;
        v->place.port = x->place.port;
        v->place.offset = x->place.offset +
                          v->place.offset * dtype_info[v->type.dtype].bytes;
    }
}

void pass_plan_memory(Graph *graph, const Target *target)
{
    Arena *a = graph->arena;
    Planner p = {.graph = graph};
    p.step_of = NEW(a, int, graph->groups.n + 1);
    p.last_use = NEW(a, int, graph->next_id + 1);
    p.block_of = NEW(a, int, graph->next_id + 1);
    p.temporary_of = NEW(a, int, graph->groups.n + 1);
    p.blocks = NEW(a, BlockOf, graph->next_id + graph->groups.n + 1);
    for (int i = 0; i < graph->next_id; i++)
        p.block_of[i] = -1;
    number_steps(&p);
    make_blocks(&p);
    make_temporaries(&p, target);
    graph->workspace_bytes = place_blocks(&p);
    graph->live_bytes = alive(&p, false);
    place_weights(graph);
    place_roots(&p);
    place_views(graph);
}
