/* Blocks of a network whose file has no names that tell anything: what lies between two
 * places where a single value is all that goes on (a residual block, a branching one),
 * with the elementwise operators behind it. Equal blocks become one module as scopes of
 * a name do. */
#include "frontend/vt_write.h"

enum { BLOCK = 3 }; /* values of the smallest */

/* How many values go on behind each place, by position. */
static int *crossings(const VtWriter *w, int n)
{
    int *change = NEW(w->arena, int, n + 1), *last = NEW(w->arena, int, w->graph->next_id);
    FOR_VALUES(v, w->graph)
        for (int i = 0; i < v->nargs; i++)
            last[v->args[i]->id] = v->mark;
    FOR_VALUES(v, w->graph)
        if (v->op != OP_weight && v->op != OP_constant && last[v->id] > v->mark) {
            change[v->op == OP_input ? 0 : v->mark]++;
            change[last[v->id]]--;
        }
    for (int i = 1; i <= n; i++)
        change[i] += change[i - 1];
    return change;
}

static bool follows(const Value *v)
{
    return op_info[v->op].class == CLASS_unary;
}

typedef struct Blocks {
    VtWriter *w;
    const int *crossing;
    int count;       /* of blocks so far */
    Value *first;    /* of what is gathered */
    int gathered;
} Blocks;

/* The gathered values are a block, or too few for one: then they stay where they are. */
static void block_end(Blocks *b, const Value *end)
{
    if (b->gathered >= BLOCK) {
        const char *path = arena_printf(b->w->arena, "block.%d", b->count++);
        for (Value *v = b->first; v != end; v = v->next)
            if (op_info[v->op].class != CLASS_source)
                b->w->block[v->id] = path;
    }
    b->gathered = 0;
    b->first = NULL;
}

void vt_blocks(VtWriter *w)
{
    int n = 0;
    bool open = false; /* a block ended here may go on with what follows it */
    FOR_VALUES(v, w->graph)
        n++;
    Blocks b = {.w = w, .crossing = crossings(w, n)};
    FOR_VALUES(v, w->graph) {
        if (op_info[v->op].class == CLASS_source)
            continue;
        if (open && (!follows(v) || b.gathered < BLOCK)) {
            block_end(&b, v);
            open = false;
        }
        b.first = b.first ? b.first : v;
        b.gathered++;
        open = b.crossing[v->mark] <= 1;
    }
    block_end(&b, NULL);
}
