/* Shared by the unit tests that start from a graph as text. */
#ifndef VTC_TESTS_GRAPH_READ_H
#define VTC_TESTS_GRAPH_READ_H

#include "ir/graph.h"
#include <stdio.h>
#include <string.h>

static inline const Source *source_of(Arena *arena, const char *path,
                                      const char *text)
{
    Source *source = NEW(arena, Source, 1);
    *source = (Source){path, text, strlen(text)};
    return source;
}

/* What went wrong is on stderr when a text that should be right is not. */
static inline Graph *read_graph(Arena *arena, const char *text)
{
    Diag *diag = diag_new(arena);
    Graph *graph = graph_parse(arena, source_of(arena, "test", text), diag);
    diag_print(diag, stderr, 0);
    return graph;
}

static inline const char *print_graph(Arena *arena, const Graph *graph)
{
    Text text = text_new(arena);
    graph_print(graph, (PrintStyle){.layouts = true}, &text);
    return text_str(&text);
}

static inline Value *find_value(const Graph *graph, const char *name)
{
    FOR_VALUES(v, graph)
    if (v->name && strcmp(v->name, name) == 0)
        return v;
    return NULL;
}

#endif
