/* dead_code: what no output needs is dropped; inputs stay, they are the signature.
 *
 * needs: nothing   makes: nothing   breaks: nothing   leaves: every value used */
#include "passes/graph_passes.h"

void pass_dead_code(Graph *graph, const Target *target)
{
    (void)target;
    FOR_VALUES(v, graph)
        v->mark = v->op == OP_input || graph_is_output(graph, v);
    for (Value *v = graph->last; v; v = v->prev)
        for (int i = 0; v->mark && i < v->nargs; i++)
            v->args[i]->mark = 1;
    for (Value *v = graph->first, *next; v; v = next) {
        next = v->next;
        if (!v->mark)
            graph_remove(graph, v);
    }
}
