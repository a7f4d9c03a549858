/* The tree of scopes: what stands in each, in an order in which each scope inside is
 * one step; scopes of which that is not true are dissolved. */
#include "frontend/vt_write.h"
#include <string.h>

enum { SMALL = 3 }; /* scopes of fewer values are no modules */

bool vt_inside(const VtWriter *w, const VtScope *s, const Value *v)
{
    if (op_info[v->op].class == CLASS_source)
        return false;
    const VtScope *at = w->scope[v->id];
    while (at && at != s)
        at = at->parent;
    return at == s;
}

/* The item of s that v stands in: a child, or (NULL) v itself. */
static VtScope *child_of(const VtWriter *w, const VtScope *s, const Value *v)
{
    VtScope *at = w->scope[v->id];
    if (at == s)
        return NULL;
    while (at->parent != s)
        at = at->parent;
    return at;
}

static void scope_move(VtWriter *w, VtScope *from, VtScope *to)
{
    FOR_VALUES(v, w->graph)
        if (w->scope[v->id] == from)
            w->scope[v->id] = to;
    for (int i = 0; i < from->children.n; i++) {
        from->children.at[i]->parent = to;
        VEC_PUSH(w->arena, to->children, from->children.at[i]);
    }
    from->dissolved = true;
}

static int values_inside(const VtWriter *w, const VtScope *s)
{
    int n = 0;
    FOR_VALUES(v, w->graph)
        n += vt_inside(w, s, v);
    return n;
}

/* ---- order ------------------------------------------------------------------------- */

/* Everything that is read in this item has been placed? */
static bool is_ready(const VtWriter *w, const VtScope *s, const VtItem *item, const bool *placed)
{
    FOR_VALUES(v, w->graph) {
        bool mine = item->child ? vt_inside(w, item->child, v) : v == item->value;
        for (int i = 0; i < v->nargs && mine; i++) {
            const Value *a = v->args[i];
            bool own = item->child && vt_inside(w, item->child, a);
            if (vt_inside(w, s, a) && !own && !placed[a->id])
                return false;
        }
        if (item->value == v)
            break;
    }
    return true;
}

static void place(const VtWriter *w, const VtItem *item, bool *placed)
{
    if (item->value)
        placed[item->value->id] = true;
    FOR_VALUES(v, w->graph)
        if (item->child && vt_inside(w, item->child, v))
            placed[v->id] = true;
}

typedef VEC(VtItem) Items;

/* The items of s at the first value of each. */
static Items items_of(const VtWriter *w, const VtScope *s)
{
    Items items = {0};
    FOR_VALUES(v, w->graph) {
        if (!vt_inside(w, s, v))
            continue;
        VtItem item = {NULL, child_of(w, s, v)};
        if (!item.child)
            item.value = v;
        bool seen = false;
        for (int i = 0; i < items.n && item.child; i++)
            seen = seen || items.at[i].child == item.child;
        if (!seen)
            VEC_PUSH(w->arena, items, item);
    }
    return items;
}

/* The scope that stands in the way is returned: it is no one step. */
static VtScope *order(VtWriter *w, VtScope *s)
{
    Items items = items_of(w, s);
    bool *placed = NEW(w->arena, bool, w->graph->next_id);
    bool *done = NEW(w->arena, bool, items.n + 1);
    s->items.n = 0;
    for (int left = items.n; left > 0; left--) {
        int i = 0;
        while (i < items.n && (done[i] || !is_ready(w, s, &items.at[i], placed)))
            i++;
        for (int k = 0; k < items.n && i == items.n; k++)
            if (!done[k] && items.at[k].child)
                return items.at[k].child;
        if (i == items.n)
            bug("vt_write: values without an order");
        done[i] = true;
        place(w, &items.at[i], placed);
        VEC_PUSH(w->arena, s->items, items.at[i]);
    }
    return NULL;
}

static void height_set(VtScope *s)
{
    s->height = 0;
    for (int i = 0; i < s->items.n; i++)
        if (s->items.at[i].child && s->items.at[i].child->height >= s->height)
            s->height = s->items.at[i].child->height + 1;
}

static void scope_order(VtWriter *w, VtScope *s)
{
    for (VtScope *wrong; (wrong = order(w, s)) != NULL;)
        scope_move(w, wrong, s);
    for (int i = 0; i < s->items.n; i++)
        if (s->items.at[i].child)
            scope_order(w, s->items.at[i].child);
    height_set(s);
}

void vt_scopes(VtWriter *w)
{
    for (int i = w->all.n - 1; i >= 0; i--) /* the inner ones first */
        if (w->all.at[i] != w->root && values_inside(w, w->all.at[i]) < SMALL)
            scope_move(w, w->all.at[i], w->all.at[i]->parent);
    scope_order(w, w->root);
}

void vt_dissolve(VtWriter *w, VtScope *s)
{
    VtScope *to = s->parent;
    Items items = {0};
    for (int i = 0; i < to->items.n; i++)
        if (to->items.at[i].child != s)
            VEC_PUSH(w->arena, items, to->items.at[i]);
        else
            for (int k = 0; k < s->items.n; k++)
                VEC_PUSH(w->arena, items, s->items.at[k]);
    scope_move(w, s, to);
    to->items.n = 0;
    for (int i = 0; i < items.n; i++)
        VEC_PUSH(w->arena, to->items, items.at[i]);
}

/* ---- ports ------------------------------------------------------------------------- */

static void input_note(VtWriter *w, VtScope *s, Value *v)
{
    if (v->op == OP_weight || v->op == OP_constant || vt_inside(w, s, v))
        return;
    for (int i = 0; i < s->inputs.n; i++)
        if (s->inputs.at[i] == v)
            return;
    VEC_PUSH(w->arena, s->inputs, v);
}

void vt_ports(VtWriter *w, VtScope *s)
{
    bool *read_outside = NEW(w->arena, bool, w->graph->next_id);
    s->inputs.n = s->outputs.n = 0;
    FOR_VALUES(v, w->graph)
        for (int i = 0; i < v->nargs; i++)
            if (vt_inside(w, s, v))
                input_note(w, s, v->args[i]);
            else
                read_outside[v->args[i]->id] = true;
    FOR_VALUES(v, w->graph)
        if (vt_inside(w, s, v) && (read_outside[v->id] || graph_is_output(w->graph, v)))
            VEC_PUSH(w->arena, s->outputs, v);
}
