/* A case as the scripts write it: a folder with graph.txt (ir/graph.h) and NAME.npy for
 * each input and weight. */
#ifndef VTC_TESTS_CASE_FILE_H
#define VTC_TESTS_CASE_FILE_H

#include "support/file.h"
#include "tests/differential/npy_file.h"

static const Tensor **read_tensors(Arena *arena, const char *folder, Graph *graph)
{
    const Tensor **inputs = NEW(arena, const Tensor *, graph_input_count(graph) + 1);
    int n = 0;
    FOR_VALUES(v, graph) {
        const char *path = arena_printf(arena, "%s/%s.npy", folder, v->attr.name);
        if (v->op == OP_weight)
            v->data = npy_read(arena, path, v->type);
        if (v->op == OP_input)
            inputs[n++] = npy_read(arena, path, v->type);
    }
    return inputs;
}

/* The graph, its weights bound, and the inputs by port; NULL: it is said why. */
static Graph *case_read(Arena *arena, const char *folder, const Tensor ***inputs)
{
    Diag *diag = diag_new(arena);
    const char *path = arena_printf(arena, "%s/graph.txt", folder);
    const Source *source = source_read(arena, diag, (Span){0}, path);
    Graph *graph = source ? graph_parse(arena, source, diag) : NULL;
    Text errors = text_new(arena);
    if (!graph || !graph_verify(graph, &errors)) {
        diag_print(diag, stderr, 0);
        fputs(text_str(&errors), stderr);
        return NULL;
    }
    *inputs = read_tensors(arena, folder, graph);
    return graph;
}

#endif
