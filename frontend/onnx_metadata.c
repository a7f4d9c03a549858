/* What our own exports say beside the graph: how images become inputs, and the names
 * of classes. Entries of strangers that look like them are judged as if they stood in
 * a file of the language. */
#include "frontend/frontend.h"
#include "frontend/onnx_import.h"
#include <string.h>

enum { LONGEST = 1000, MOST_LABELS = 1 << 20 };

/* The rest of the key behind a prefix; NULL: it is another key. */
static const char *key_rest(const char *key, const char *prefix)
{
    size_t n = strlen(prefix);
    return key && strncmp(key, prefix, n) == 0 ? key + n : NULL;
}

/* The block alone in a model whose input has the type: the language checks it. */
static Graph *block_read(Importer *in, const Value *input, const char *block)
{
    Text text = text_new(in->arena);
    text_add(&text, "model m(image: ");
    text_type(&text, &input->type);
    text_printf(&text, ") { preprocess image { %s }\n output image }\n", block);
    Source source = {.path = "metadata", .text = text_str(&text), .length = text.n};
    bool plain = strlen(block) < LONGEST && !strpbrk(block, "{}\"/");
    return plain ? frontend_load_text(in->arena, diag_new(in->arena), &source, 1, NULL) : NULL;
}

static bool preprocess_read(Importer *in, const char *name, const char *block)
{
    FOR_VALUES(v, in->graph) {
        if (v->op != OP_input || strcmp(v->attr.name, name) != 0)
            continue;
        const Graph *read = block_read(in, v, block);
        if (!read || read->preprocess.n != 1)
            return false;
        Preprocess p = read->preprocess.at[0];
        p.input = v;
        p.span = (Span){0};
        for (int i = 0; i < in->graph->preprocess.n; i++)
            if (in->graph->preprocess.at[i].input == v)
                return false;
        VEC_PUSH(in->arena, in->graph->preprocess, p);
        return true;
    }
    return false;
}

static int64_t classes_of(const Output *o)
{
    const Shape *s = &o->value->type.shape;
    return s->rank == 1 ? s->dim[0] : s->rank > 1 ? s->dim[1] : 0;
}

static bool labels_read(Importer *in, const char *name, const char *text)
{
    for (int i = 0; i < in->graph->outputs.n; i++) {
        Output *o = &in->graph->outputs.at[i];
        if (strcmp(o->name, name) != 0 || o->labels.n)
            continue;
        for (const char *at = text; *at && o->labels.n < MOST_LABELS;) {
            size_t n = strcspn(at, "\n");
            VEC_PUSH(in->arena, o->labels, arena_strndup(in->arena, at, n));
            at += n + (at[n] == '\n');
        }
        if (o->value->type.dtype != DT_f32 || o->labels.n == classes_of(o))
            return true;
        o->labels.n = 0;
    }
    return false;
}

void onnx_read_metadata(Importer *in)
{
    for (size_t i = 0; i < in->model->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *entry = in->model->metadata_props[i];
        const char *input = key_rest(entry->key, ONNX_KEY_PREPROCESS);
        const char *output = key_rest(entry->key, ONNX_KEY_LABELS);
        const char *value = entry->value ? entry->value : "";
        bool good = input    ? preprocess_read(in, input, value)
                    : output ? labels_read(in, output, value)
                             : true;
        if (!good)
            diag_warning(in->diag, (Span){0}, "metadata '%.100s' does not fit this network: left out",
                         entry->key);
    }
}
