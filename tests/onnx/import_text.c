/* Each of ONNX's own test models that can be read, written as a text of the language,
 * read from that, and both evaluated on the same inputs:
 *
 *   onnx_import_text FOLDER...      FOLDER/<group>/<test>/model.onnx
 *
 * Prints how many are the same; fails when any is not, or when there are none. */
#include "frontend/frontend.h"
#include "frontend/onnx.h"
#include "frontend/vt_write.h"
#include "passes/graph_passes.h"
#include "support/file.h"
#include <glob.h>
#include <stdio.h>
#include <string.h>

typedef enum Outcome { SAME, DIFFERS, UNREAD } Outcome;

static Tensor *input_for(Arena *arena, const Value *v, uint64_t *state)
{
    Tensor *t = tensor_new(arena, v->type);
    for (int64_t i = 0; i < shape_count(&v->type.shape); i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        double x = (double)(*state >> 40) / 16777216.0;
        tensor_set(t, i, v->type.dtype == DT_f32 ? 0.1 + 1.9 * x : x > 0.5);
    }
    return t;
}

static Result *evaluate(Arena *arena, const Graph *graph, Diag *diag)
{
    const Tensor *inputs[64];
    uint64_t state = 7;
    int n = 0;
    FOR_VALUES(v, graph)
        if (v->op == OP_input && n < 64)
            inputs[n++] = input_for(arena, v, &state);
    return graph_eval(graph, EVAL_exact, inputs, arena, NULL, NULL, diag);
}

static void bind(Graph *graph, VtModel *model)
{
    FOR_VALUES(v, graph)
        for (int i = 0; i < model->tensors.n && v->op == OP_weight; i++)
            if (strcmp(model->tensors.at[i].name, v->attr.name) == 0)
                v->data = &model->tensors.at[i].tensor;
}

/* Factors are written as the shortest decimal of an f32: in double they are not quite
 * the same, and near a pole of tan that is seen. */
static bool same_result(const Result *a, const Result *b)
{
    int64_t n = shape_count(&a->type.shape);
    double range = 0;
    for (int64_t i = 0; i < n; i++)
        range = isfinite(a->exact[i]) ? fmax(range, fabs(a->exact[i])) : range;
    if (a->type.dtype != b->type.dtype || !shape_equal(&a->type.shape, &b->type.shape))
        return false;
    for (int64_t i = 0; i < n; i++) {
        double x = a->exact[i], y = b->exact[i];
        if (x != y && !(isnan(x) && isnan(y)) && !(fabs(x - y) <= 1e-5 * range))
            return false;
    }
    return true;
}

static Outcome compare(Arena *arena, Diag *diag, const char *path, const char **text)
{
    Graph *graph = onnx_load(arena, diag, path, NULL);
    if (!graph)
        return UNREAD;
    const Result *want = evaluate(arena, graph, diag);
    pass_fold_constants(graph, NULL);
    pass_dead_code(graph, NULL);
    VtModel *model = vt_write(graph, diag, "net", "net", "a test");
    if (!model)
        return DIFFERS;
    *text = model->text;
    Source source = {.path = "net.vt", .text = model->text, .length = strlen(model->text)};
    Graph *again = frontend_load_text(arena, diag, &source, 1, NULL);
    if (!again)
        return DIFFERS;
    bind(again, model);
    const Result *found = evaluate(arena, again, diag);
    bool same = found && again->outputs.n == graph->outputs.n;
    for (int i = 0; same && i < graph->outputs.n; i++)
        same = same_result(&want[i], &found[i]);
    return same ? SAME : DIFFERS;
}

static Outcome run(const char *path)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    const char *text = "";
    Outcome outcome = compare(arena, diag, path, &text);
    if (outcome == DIFFERS) {
        printf("%s:\n%s", path, text);
        diag_print(diag, stdout, 5);
    }
    arena_free(arena);
    return outcome;
}

int main(int argc, char **argv)
{
    int count[3] = {0};
    for (int i = 1; i < argc; i++) {
        char pattern[4096];
        glob_t found;
        snprintf(pattern, sizeof pattern, "%s/*/*/model.onnx", argv[i]);
        if (glob(pattern, 0, NULL, &found) != 0)
            continue;
        for (size_t k = 0; k < found.gl_pathc; k++)
            count[run(found.gl_pathv[k])]++;
        globfree(&found);
    }
    printf("%d the same as text, %d differ, %d cannot be read\n", count[SAME], count[DIFFERS],
           count[UNREAD]);
    return count[DIFFERS] || !count[SAME];
}
