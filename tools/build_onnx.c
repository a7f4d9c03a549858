/* vtc build --emit=onnx: the graph as the model says it, or after a pass. */
#include "backends/onnx/onnx.h"
#include "tools/command.h"
#include <stdio.h>

/* Which pass the graph is taken after; NULL: it is taken as written. */
static bool stop_is_graph(const char *name)
{
    int pass = pass_find(name);
    if (pass >= 0 && pass_table[pass].graph)
        return true;
    fprintf(stderr, "vtc: --stop-after=%s: --emit=onnx stops after a pass of the graph "
                    "(see: vtc passes)\n", name);
    return false;
}

int build_onnx(Context *c)
{
    Program *program = NULL;
    if (c->o.stop_after && !stop_is_graph(c->o.stop_after))
        return EXIT_CALL;
    if (!c->o.stop_after && (c->o.passes || c->o.skips || c->o.keep_norms)) {
        fputs("vtc: --emit=onnx runs no passes but with --stop-after=PASS\n", stderr);
        return EXIT_CALL;
    }
    Graph *graph = load_model(c, c->o.models[0], true);
    if (!graph)
        return context_finish(c, EXIT_INPUT);
    if (c->o.stop_after && !run_passes(c, graph, &program, NULL, NULL))
        return context_finish(c, EXIT_INPUT);
    const char *out = c->o.out ? c->o.out : arena_printf(c->arena, "%s.onnx", graph->name);
    bool good = onnx_export(graph, out, c->diag);
    return context_finish(c, good ? EXIT_OK : EXIT_ENVIRONMENT);
}
