/* A graph compiled by LLVM and run: what a user's program does, without its files. */
#include "tests/onnx/run_compiled.h"
#include "backends/llvm/llvm.h"
#include "ir/target.h"
#include "passes/pass.h"
#include <string.h>

static Tensor **outputs_new(Arena *arena, const VtcModel *model)
{
    Tensor **outputs = NEW(arena, Tensor *, model->output_count + 1);
    for (int i = 0; i < model->output_count; i++) {
        const VtcTensorInfo *info = &model->outputs[i];
        outputs[i] = tensor_new(arena, (Type){(DType)info->dtype, shape_of(info->rank, info->dims)});
    }
    return outputs;
}

static Result *results_of(Arena *arena, Tensor *const *outputs, int n)
{
    Result *results = NEW(arena, Result, n + 1);
    for (int i = 0; i < n; i++) {
        int64_t count = shape_count(&outputs[i]->type.shape);
        results[i] = (Result){outputs[i]->type, NEW(arena, double, count), NULL};
        for (int64_t k = 0; k < count; k++)
            results[i].exact[k] = tensor_get(outputs[i], k);
    }
    return results;
}

static const VtcModel *compile(Arena *arena, Graph *graph, Blob *blob, Diag *diag)
{
    PipelineOptions options = {0};
    Program *program = NULL;
    graph->options = (Options){.max_threads = 1};
    if (!pipeline_run(graph, target_native(), &options, &program, diag))
        return NULL;
    *blob = blob_pack(arena, program);
    return llvm_load(program, blob, diag);
}

Result *run_compiled(Arena *arena, Graph *graph, const Tensor *const *inputs, Diag *diag)
{
    Blob blob;
    const VtcModel *model = compile(arena, graph, &blob, diag);
    if (!model)
        return NULL;
    Tensor **outputs = outputs_new(arena, model);
    const void **from = NEW(arena, const void *, model->input_count + 1);
    void **to = NEW(arena, void *, model->output_count + 1);
    unsigned char *workspace = arena_alloc(arena, (size_t)model->workspace_bytes + 64);
    memset(workspace, 0xff, (size_t)model->workspace_bytes); /* nothing may rest on zeros */
    for (int i = 0; i < model->input_count; i++)
        from[i] = inputs[i]->data;
    for (int i = 0; i < model->output_count; i++)
        to[i] = outputs[i]->data;
    int status = model->run(blob.payload, from, to, workspace, NULL);
    if (status != VTC_OK)
        diag_error(diag, (Span){0}, "the compiled network ends with status %d", status);
    return status == VTC_OK ? results_of(arena, outputs, model->output_count) : NULL;
}
