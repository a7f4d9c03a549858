/* Binding weights to a graph. */
#include "frontend/weights.h"
#include <string.h>

static const char *nearest(const Safetensors *file, const char *name)
{
    const char *best = NULL;
    int least = (int)strlen(name) / 2 + 1;
    for (int i = 0; i < file->tensors.n; i++) {
        int d = text_distance(file->tensors.at[i].name, name);
        if (d < least) {
            least = d;
            best = file->tensors.at[i].name;
        }
    }
    return best;
}

static void bind_one(Graph *graph, Diag *diag, const Safetensors *file, Value *v)
{
    const Tensor *t = safetensors_find(file, v->attr.name);
    if (!t) {
        const char *near_name = nearest(file, v->attr.name);
        Message *m = diag_error(diag, v->span, "weight '%s' is not in '%s'", v->attr.name,
                                file->path);
        if (near_name)
            diag_note(diag, m, (Span){0}, "the nearest name there is '%s'", near_name);
        return;
    }
    bool real = dtype_info[t->type.dtype].is_real;
    if (!shape_equal(&t->type.shape, &v->type.shape) || !real) {
        Text here = text_new(graph->arena), there = text_new(graph->arena);
        text_type(&here, &v->type);
        text_type(&there, &t->type);
        diag_error(diag, v->span, "weight '%s' is %s here and %s in '%s'", v->attr.name,
                   text_str(&here), text_str(&there), file->path);
        return;
    }
    v->data = NEW(graph->arena, Tensor, 1);
    *v->data = *t;
}

static bool is_needed(const Graph *graph, const char *name)
{
    FOR_VALUES(v, graph)
        if (v->op == OP_weight && strcmp(v->attr.name, name) == 0)
            return true;
    return false;
}

bool weights_bind(Graph *graph, Diag *diag, const char *path)
{
    int errors = diag->errors;
    Safetensors *file = safetensors_read(graph->arena, diag, path);
    if (!file)
        return false;
    FOR_VALUES(v, graph)
        if (v->op == OP_weight)
            bind_one(graph, diag, file, v);
    for (int i = 0; i < file->tensors.n; i++)
        if (!is_needed(graph, file->tensors.at[i].name))
            diag_warning(diag, (Span){0}, "'%s' has a tensor '%s' that no weight asks for",
                         path, file->tensors.at[i].name);
    return diag->errors == errors;
}

bool weights_write(const Graph *graph, Diag *diag, const char *path)
{
    VEC(NamedTensor) tensors = {0};
    FOR_VALUES(v, graph)
        if (v->op == OP_weight)
            VEC_PUSH(graph->arena, tensors, (NamedTensor){v->attr.name, *v->data});
    return safetensors_write(graph->arena, diag, path, tensors.at, tensors.n);
}
