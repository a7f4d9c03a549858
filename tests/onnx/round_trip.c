/* Graphs written as ONNX files, read, and written again:
 *
 *   onnx_round_trip CASE...
 *
 * CASE is a folder as case_file.h reads it. Into it: 1.onnx, the graph; 2.onnx, what was
 * read of that, written again, which must be the same bytes; OUTPUT.exact.npy, the values
 * of the graph read; OUTPUT.text.npy, those of the graph written as a text of the language
 * and read. */
#include "backends/onnx/onnx.h"
#include "frontend/frontend.h"
#include "frontend/onnx.h"
#include "frontend/vt_write.h"
#include "tests/differential/case_file.h"

static bool same_files(const char *a, const char *b, Diag *diag)
{
    Bytes x, y;
    return bytes_map(&x, a, diag) && bytes_map(&y, b, diag) && x.n == y.n &&
           memcmp(x.at, y.at, x.n) == 0;
}

static bool evaluate(Arena *arena, const char *folder, const Graph *graph,
                     const Tensor *const *inputs, const char *kind, Diag *diag)
{
    const Result *r = graph_eval(graph, EVAL_exact, inputs, arena, NULL, NULL, diag);
    for (int i = 0; r && i < graph->outputs.n; i++)
        npy_write(arena_printf(arena, "%s/%s.%s.npy", folder, graph->outputs.at[i].name, kind),
                  "<f8", &r[i].type.shape, r[i].exact, sizeof *r[i].exact);
    return r != NULL;
}

static Graph *as_text(Arena *arena, const Graph *graph, Diag *diag)
{
    Graph *copy = graph_copy(arena, graph, NULL);
    VtModel *model = vt_write(copy, diag, "net", "net", "a case");
    Source source = {.path = "net.vt", .text = model ? model->text : ""};
    if (!model)
        return NULL;
    source.length = strlen(source.text);
    Graph *read = frontend_load_text(arena, diag, &source, 1, NULL);
    for (int i = 0; read && i < model->tensors.n; i++)
        FOR_VALUES(v, read)
            if (v->op == OP_weight && strcmp(v->attr.name, model->tensors.at[i].name) == 0)
                v->data = &model->tensors.at[i].tensor;
    if (!read)
        printf("%s: not read as text:\n%s", graph->name, model->text);
    return read;
}

static bool run_case(Arena *arena, const char *folder)
{
    Diag *diag = diag_new(arena);
    const char *first = arena_printf(arena, "%s/1.onnx", folder);
    const char *second = arena_printf(arena, "%s/2.onnx", folder);
    const Tensor **inputs = NULL;
    Graph *graph = case_read(arena, folder, &inputs);
    Graph *read = graph && onnx_export(graph, first, diag) ? onnx_load(arena, diag, first, NULL)
                                                           : NULL;
    bool good = read && onnx_export(read, second, diag) &&
                evaluate(arena, folder, read, inputs, "exact", diag);
    Graph *spelled = good ? as_text(arena, graph, diag) : NULL;
    good = spelled && evaluate(arena, folder, spelled, inputs, "text", diag);
    diag_print(diag, stderr, 0);
    if (good && !same_files(first, second, diag)) {
        Text text = text_new(arena);
        graph_print(read, (PrintStyle){0}, &text);
        printf("%s: read and written again it is another file; what was read:\n%s", folder,
               text_str(&text));
        return false;
    }
    return good;
}

int main(int argc, char **argv)
{
    int failures = 0;
    for (int i = 1; i < argc; i++) {
        Arena *arena = arena_new();
        failures += !run_case(arena, argv[i]);
        arena_free(arena);
    }
    return failures != 0;
}
