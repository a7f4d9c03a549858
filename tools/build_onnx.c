/* vtc build --emit=onnx: the graph as the model says it, or after a pass. */
#include "backends/onnx/onnx.h"
#include "frontend/onnx.h"
#include "passes/graph_passes.h"
#include "tools/command.h"
#include <stdio.h>

/* Note [Written as it is read]
 * Reading a file takes together what a text may spell: softmax(q k / s) v is attention,
 * reshapes behind one another are one; and `vtc import` computes what depends on no input.
 * A network is written as what reading its file gives, so that export, import, export
 * gives the same file. Not after a pass: that is to be seen as the pass left it. */
bool model_export(Context *c, const Graph *graph, const char *path)
{
    size_t n;
    Graph *known = graph_copy(c->arena, graph, NULL);
    pass_fold_constants(known, c->target);
    pass_dead_code(known, c->target);
    const uint8_t *file = onnx_export_bytes(known, &n, c->diag);
    if (!file)
        return false;
    /* what asks for more than reading allows is still a file for others */
    Graph *read = onnx_parse(c->arena, diag_new(c->arena), NULL, file, n, NULL);
    return onnx_export(read ? read : known, path, c->diag);
}

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
    bool good = c->o.stop_after ? onnx_export(graph, out, c->diag) : model_export(c, graph, out);
    return context_finish(c, good ? EXIT_OK : EXIT_ENVIRONMENT);
}
