/* Fuzz target: any bytes as a program. Several files in one input are divided by
 * lines `//// NAME`; the first is main.vt. Nothing may crash, hang or leak a
 * graph beside errors, and what was read prints to itself. */
#include "frontend/frontend.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_FILES = 8 };

static const char mark[] = "\n//// ";

static const char *find_mark(const char *at, const char *end)
{
    size_t n = sizeof mark - 1;
    for (; at + n <= end; at++)
        if (memcmp(at, mark, n) == 0)
            return at;
    return NULL;
}

/* Copies, so that reading beyond the terminator is seen. */
static Source source_copy(Arena *arena, const char *path, const char *at,
                          const char *end)
{
    char *text = arena_strndup(arena, at, (size_t)(end - at));
    memcpy(text, at, (size_t)(end - at));
    return (Source){path, text, (size_t)(end - at)};
}

static int sources_split(Arena *arena, const char *at, const char *end,
                         Source *sources)
{
    const char *path = "main.vt";
    int n = 0;
    while (n < MOST_FILES) {
        const char *next = find_mark(at, end);
        sources[n++] = source_copy(arena, path, at, next ? next + 1 : end);
        if (!next)
            break;
        const char *name = next + sizeof mark - 1;
        const char *line = memchr(name, '\n', (size_t)(end - name));
        if (!line)
            break;
        path = arena_strndup(arena, name, (size_t)(line - name));
        at = line + 1;
    }
    return n;
}

static void fail(const char *what, const char *a, const char *b)
{
    fprintf(stderr, "%s\n--- first\n%s\n--- then\n%s\n", what, a, b);
    abort();
}

static const char *ast_of(Arena *arena, Diag *diag, const char *text, size_t length)
{
    Source source = {"main.vt", text, length};
    Text out = text_new(arena);
    ast_print(frontend_parse_text(arena, diag, &source, 1), &out);
    return text_str(&out);
}

static void check_ast(Arena *arena, const Source *source)
{
    Diag *diag = diag_new(arena), *again = diag_new(arena);
    const char *once = ast_of(arena, diag, source->text, source->length);
    if (diag->errors)
        return;
    const char *twice = ast_of(arena, again, once, strlen(once));
    if (strcmp(once, twice) != 0)
        fail("the printed AST does not parse to itself", once, twice);
}

static void check_graph(Arena *arena, const Graph *graph)
{
    Text errors = text_new(arena), text = text_new(arena);
    if (!graph_verify(graph, &errors))
        fail("the graph is not valid", text_str(&errors), "");
    graph_print(graph, (PrintStyle){.locations = true}, &text);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    enum { PRINTED_VALUES = 20000 }; /* verifying and printing cost more */
    Arena *arena = arena_new();
    Source sources[MOST_FILES];
    const char *at = (const char *)data;
    int n = sources_split(arena, at, at + size, sources);
    Diag *diag = diag_new(arena);
    Graph *graph = frontend_load_text(arena, diag, sources, n, NULL);
    if ((graph != NULL) != (diag->errors == 0))
        fail("a graph beside errors, or neither", "", "");
    if (graph && graph->next_id < PRINTED_VALUES)
        check_graph(arena, graph);
    check_ast(arena, &sources[0]);
    char *printed = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&printed, &length);
    diag_print(diag, stream, 50);
    fclose(stream);
    free(printed);
    arena_free(arena);
    return 0;
}
