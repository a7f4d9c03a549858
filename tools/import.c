/* vtc import: an ONNX file as a text of the language with its weights beside it. */
#include "frontend/onnx.h"
#include "frontend/vt_write.h"
#include "passes/graph_passes.h"
#include "tools/command.h"
#include <stdio.h>
#include <string.h>

static bool text_write(Context *c, const char *path, const char *text)
{
    OutFile *out = outfile_open(c->arena, path, c->diag);
    if (!out)
        return false;
    outfile_write(out, text, strlen(text));
    return outfile_close(out, c->diag);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool labels_write(Context *c, const VtModel *model, const char *out)
{
    bool good = true;
    for (int i = 0; i < model->labelled.n && good; i++) {
        const Output *o = model->labelled.at[i];
        Text text = text_new(c->arena);
        for (int k = 0; k < o->labels.n; k++)
            text_printf(&text, "%s\n", o->labels.at[k]);
        const char *file = vt_labels_file(c->arena, path_stem(c->arena, out), o);
        good = text_write(c, path_join(c->arena, path_dir(c->arena, out), file), text_str(&text));
    }
    return good;
}

int command_import(Context *c)
{
    const char *from = c->o.models[0];
    OnnxOptions options = {0};
    const char *out = c->o.out ? c->o.out : arena_printf(c->arena, "%s.vt", path_stem(c->arena, from));
    const char *weights = arena_printf(c->arena, "%s/%s.safetensors", path_dir(c->arena, out),
                                       path_stem(c->arena, out));
    read_dims(c, &options);
    Graph *graph = onnx_load(c->arena, c->diag, from, &options);
    if (!graph)
        return context_finish(c, EXIT_INPUT);
    pass_fold_constants(graph, c->target);
    pass_dead_code(graph, c->target);
    const char *comment = arena_printf(c->arena, "From %s by vtc import; its weights are in %s.",
                                       base_name(from), base_name(weights));
    VtModel *model = vt_write(graph, c->diag, graph->name, path_stem(c->arena, out), comment);
    if (!model)
        return context_finish(c, EXIT_INPUT);
    outfiles_hold();
    bool good = safetensors_write(c->arena, c->diag, weights, model->tensors.at,
                                  model->tensors.n) &&
                labels_write(c, model, out) &&
                text_write(c, out, model->text);
    good = outfiles_release(good, c->diag);
    return context_finish(c, good ? EXIT_OK : EXIT_ENVIRONMENT);
}
