/* ONNX's own backend tests against the graph interpreter and, --compiled, then
 * against the code that LLVM makes after all passes:
 *
 *     conformance [--compiled] TEST-FOLDER... | --operators
 *
 * prints a line for each: "pass", "fail" or "refused", the folder, and why. A test
 * passes when every data set's outputs agree within the tolerance of onnx's runner
 * (1e-3 relative, 1e-7 absolute). Inputs that decide shapes are read as constants
 * from the data, as the import asks for them. */
#include "frontend/onnx.h"
#include "support/file.h"
#include "tests/onnx/run_compiled.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PORTS = 64 };
static bool is_compiled; /* --compiled */

typedef struct DataSet {
    OnnxKnown in[MAX_PORTS], out[MAX_PORTS];
    int ins, outs;
} DataSet;

static int tensors_read(Arena *arena, Diag *diag, const char *pattern, OnnxKnown *to)
{
    int n = 0;
    for (; n < MAX_PORTS; n++) {
        char *path = arena_printf(arena, "%s_%d.pb", pattern, n);
        Bytes bytes;
        if (access(path, R_OK) != 0 || !bytes_map(&bytes, path, diag) ||
            !onnx_read_tensor(arena, diag, bytes.at, bytes.n, &to[n]))
            break;
    }
    return n;
}

static const char *first_error(const Diag *diag)
{
    for (int i = 0; i < diag->messages.n; i++)
        if (diag->messages.at[i]->is_error)
            return diag->messages.at[i]->text;
    return "no reason told";
}

static const OnnxKnown *data_of(const DataSet *data, const char *name)
{
    for (int i = 0; i < data->ins; i++)
        if (strcmp(data->in[i].name, name) == 0)
            return &data->in[i];
    return NULL;
}

/* Data are in the order of the model's inputs, which some leave unnamed. */
static void data_name(DataSet *data, const OnnxOptions *options)
{
    for (int i = 0; i < data->ins && i < options->inputs.n; i++)
        data->in[i].name = options->inputs.at[i];
}

/* Again with those inputs known that the first reading asked for. */
static Graph *model_read(Arena *arena, const char *path, DataSet *data, Diag **diag)
{
    OnnxOptions options = {0};
    onnx_load(arena, diag_new(arena), path, &options); /* for the names */
    data_name(data, &options);
    for (int i = 0; i < data->ins; i++)
        if (data->in[i].empty)
            VEC_PUSH(arena, options.known, data->in[i]);
    for (int round = 0; round < 8; round++) {
        *diag = diag_new(arena);
        options.wanted.n = options.inputs.n = 0;
        Graph *graph = onnx_load(arena, *diag, path, &options);
        if (graph || options.wanted.n == 0)
            return graph;
        for (int i = 0; i < options.wanted.n; i++) {
            const OnnxKnown *known = data_of(data, options.wanted.at[i]);
            if (known)
                VEC_PUSH(arena, options.known, *known);
        }
    }
    return NULL;
}

static bool agrees(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return a == b || fabs(a - b) <= 1e-7 + 1e-3 * fabs(b);
}

static const char *compare(Arena *arena, const Result *got, const OnnxKnown *want)
{
    const Tensor *t = want->tensor;
    if (!t || !shape_equal(&t->type.shape, &got->type.shape)) {
        Text text = text_new(arena);
        text_add(&text, "an output is ");
        text_type(&text, &got->type);
        text_add(&text, ", expected ");
        if (t)
            text_type(&text, &t->type);
        return text_str(&text);
    }
    if (t->type.dtype != got->type.dtype)
        return "an output has another type";
    for (int64_t i = 0; i < shape_count(&t->type.shape); i++)
        if (!agrees(got->exact[i], tensor_get(t, i)))
            return arena_printf(arena, "element %lld is %g, expected %g", (long long)i,
                                got->exact[i], tensor_get(t, i));
    return NULL;
}

static const char *compare_all(Arena *arena, const Result *got, const DataSet *data)
{
    const char *why = NULL;
    for (int i = 0; i < data->outs && !why; i++)
        why = compare(arena, &got[i], &data->out[i]);
    return why;
}

/* NULL: agrees */
static const char *run(Arena *arena, Graph *graph, const DataSet *data, Diag *diag)
{
    const Tensor *inputs[MAX_PORTS];
    int n = 0;
    FOR_VALUES(v, graph)
    {
        const OnnxKnown *known = v->op == OP_input ? data_of(data, v->attr.name) : NULL;
        if (v->op != OP_input)
            continue;
        if (!known || !known->tensor || n == MAX_PORTS ||
            known->tensor->type.dtype != v->type.dtype ||
            !shape_equal(&known->tensor->type.shape, &v->type.shape))
            return arena_printf(arena, "the data of input '%s' do not fit", v->attr.name);
        inputs[n++] = known->tensor;
    }
    if (graph->outputs.n != data->outs)
        return "the number of outputs differs";
    Result *got = graph_eval(graph, EVAL_exact, inputs, arena, NULL, NULL, diag);
    const char *why = got ? compare_all(arena, got, data) : first_error(diag);
    if (why || !is_compiled)
        return why;
    got = run_compiled(arena, graph, inputs, diag);
    why = got ? compare_all(arena, got, data) : first_error(diag);
    return why ? arena_printf(arena, "compiled: %s", why) : NULL;
}

static bool has_data(Arena *arena, const char *folder, int set)
{
    return access(arena_printf(arena, "%s/test_data_set_%d/output_0.pb", folder, set), R_OK) == 0;
}

static bool test(const char *folder)
{
    Arena *arena = arena_new();
    const char *why = NULL, *kind = "fail";
    int set = 0;
    for (; !why && has_data(arena, folder, set); set++) {
        DataSet data = {.ins = 0};
        Diag *diag = diag_new(arena);
        const char *at = arena_printf(arena, "%s/test_data_set_%d", folder, set);
        data.ins = tensors_read(arena, diag, arena_printf(arena, "%s/input", at), data.in);
        data.outs = tensors_read(arena, diag, arena_printf(arena, "%s/output", at), data.out);
        if (diag->errors) {
            kind = "refused";
            why = first_error(diag);
            break;
        }
        Graph *graph = model_read(arena, arena_printf(arena, "%s/model.onnx", folder), &data, &diag);
        kind = graph ? "fail" : "refused";
        why = graph ? run(arena, graph, &data, diag) : first_error(diag);
    }
    if (set == 0)
        why = "there are no test data";
    printf("%s\t%s\t%s\n", why ? kind : "pass", folder, why ? why : "");
    fflush(stdout);
    arena_free(arena);
    return !why;
}

static int print_operators(void)
{
    Arena *arena = arena_new();
    Text text = text_new(arena);
    onnx_print_operators(&text);
    fputs(text_str(&text), stdout);
    arena_free(arena);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0;
    if (argc == 2 && strcmp(argv[1], "--operators") == 0)
        return print_operators();
    for (int i = 1; i < argc; i++)
        is_compiled = is_compiled || strcmp(argv[i], "--compiled") == 0;
    for (int i = 1 + is_compiled; i < argc; i++)
        failed += !test(argv[i]);
    return failed != 0;
}
