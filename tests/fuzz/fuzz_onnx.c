/* Fuzz target: any bytes as an ONNX file, its protobuf included. Nothing may crash,
 * hang or take memory without bound; a graph that is read is valid, has all its
 * weights, and prints. */
#include "frontend/onnx.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check_graph(Graph *graph)
{
    Text errors = text_new(graph->arena), text = text_new(graph->arena);
    if (!graph_verify(graph, &errors)) {
        fprintf(stderr, "the graph is not valid\n%s\n", text_str(&errors));
        abort();
    }
    FOR_VALUES(v, graph)
        if (v->op == OP_weight && !v->data)
            abort();
    graph_print(graph, (PrintStyle){.locations = true}, &text);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    enum { PRINTED_VALUES = 20000 }; /* verifying and printing cost more */
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    unsigned char *copy = malloc(size ? size : 1); /* its end is watched */
    if (size)
        memcpy(copy, data, size);
    OnnxOptions options = {.every_node = size % 2 == 1};
    Graph *graph = onnx_parse(arena, diag, NULL, copy, size, &options);
    free(copy); /* nothing may point into it afterwards */
    if ((graph != NULL) != (diag->errors == 0))
        abort();
    if (graph && graph->next_id < PRINTED_VALUES)
        check_graph(graph);
    arena_free(arena);
    return 0;
}
