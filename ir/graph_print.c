/* Graphs as text; graph_parse.c reads it back. */
#include "ir/graph.h"
#include <string.h>

static void print_ref(const Value *v, Text *out)
{
    if (v->name)
        text_printf(out, "%%%s", v->name);
    else
        text_printf(out, "%%%d", v->id);
}

static void print_ints(const Ints *ints, Text *out)
{
    text_add(out, "[");
    for (int i = 0; i < ints->n; i++)
        text_printf(out, "%s%lld", i ? "," : "", (long long)ints->at[i]);
    text_add(out, "]");
}

static void print_attr(const AttrInfo *info, const void *field, Text *out)
{
    text_printf(out, " %s=", info->name);
    switch (info->kind) {
    case KIND_int: text_printf(out, "%lld", (long long)*(const int64_t *)field); break;
    case KIND_ints: print_ints(field, out); break;
    case KIND_real: text_double(out, *(const double *)field); break;
    case KIND_bool: text_add(out, *(const bool *)field ? "true" : "false"); break;
    case KIND_mode: text_add(out, mode_name[*(const Mode *)field]); break;
    case KIND_dtype: text_add(out, dtype_info[*(const DType *)field].name); break;
    case KIND_name: text_quoted(out, *(const char *const *)field); break;
    }
}

static bool attr_is_default(const AttrInfo *info, const void *field, const void *usual)
{
    switch (info->kind) {
    case KIND_int: return *(const int64_t *)field == *(const int64_t *)usual;
    case KIND_ints: return ((const Ints *)field)->n == 0;
    case KIND_real: return *(const double *)field == *(const double *)usual;
    case KIND_bool: return *(const bool *)field == *(const bool *)usual;
    case KIND_mode: return *(const Mode *)field == *(const Mode *)usual;
    case KIND_dtype: return false;
    case KIND_name: return *(const char *const *)field == NULL;
    }
    return false;
}

static void print_attrs(const Value *v, Text *out)
{
    Attrs usual = attrs_default();
    for (int i = 0; i < ATTR_COUNT; i++) {
        const AttrInfo *info = &attr_info[i];
        const char *field = (const char *)&v->attr + info->offset;
        if (op_has(v->op, (AttrId)i) &&
            !attr_is_default(info, field, (const char *)&usual + info->offset))
            print_attr(info, field, out);
    }
}

static void print_layout(const Value *v, Text *out)
{
    bool plain = v->layout.kind == LAYOUT_rows && !v->layout.pad_pixel;
    for (int i = 0; i < v->type.shape.rank; i++)
        plain = plain && v->layout.order[i] == i;
    if (v->layout.kind == LAYOUT_panels) {
        text_printf(out, " layout panels(%d)", v->layout.panel);
    } else if (!plain) {
        text_add(out, " layout ");
        for (int i = 0; i < v->type.shape.rank; i++)
            text_printf(out, "%d", v->layout.order[i]);
        if (v->layout.pad_pixel)
            text_add(out, "+pad");
    }
    if (v->group >= 0)
        text_printf(out, " group %d", v->group);
    if (v->place.home == HOME_workspace)
        text_printf(out, " at workspace+%lld", (long long)v->place.offset);
    if (v->place.home == HOME_weights)
        text_printf(out, " at weights+%lld", (long long)v->place.offset);
}

static uint64_t data_hash(const Tensor *data)
{
    uint64_t hash = 14695981039346656037u;
    const unsigned char *bytes = data->data;
    for (int64_t i = 0; i < type_bytes(&data->type); i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

static void print_data(const Value *v, Text *out)
{
    enum { FEW = 64 };
    int64_t n = shape_count(&v->type.shape);
    if (v->op != OP_constant || !v->data)
        return;
    if (n > FEW) {
        text_printf(out, " hash %016llx", (unsigned long long)data_hash(v->data));
        return;
    }
    text_add(out, " data {");
    for (int64_t i = 0; i < n; i++) {
        text_add(out, i ? ", " : "");
        text_double(out, tensor_get(v->data, i));
    }
    text_add(out, "}");
}

void value_print(const Value *v, PrintStyle style, Text *out)
{
    print_ref(v, out);
    text_printf(out, " = %s", op_info[v->op].name);
    for (int i = 0; i < v->nargs; i++) {
        text_add(out, i ? ", " : " ");
        print_ref(v->args[i], out);
    }
    print_attrs(v, out);
    text_add(out, " : ");
    text_type(out, &v->type);
    print_data(v, out);
    if (v->label) {
        text_add(out, " label ");
        text_quoted(out, v->label);
    }
    if (style.layouts)
        print_layout(v, out);
    if (style.locations && v->span.source && v->span.source->text) {
        int line, column;
        span_position(v->span, &line, &column);
        text_printf(out, " // %s:%d", v->span.source->path, line);
    }
}

void graph_print(const Graph *graph, PrintStyle style, Text *out)
{
    text_add(out, "graph ");
    text_quoted(out, graph->name);
    text_add(out, " {\n");
    FOR_VALUES(v, graph) {
        text_add(out, "  ");
        value_print(v, style, out);
        text_add(out, "\n");
    }
    for (int i = 0; i < graph->outputs.n; i++) {
        text_add(out, "  output ");
        text_quoted(out, graph->outputs.at[i].name);
        text_add(out, " ");
        print_ref(graph->outputs.at[i].value, out);
        text_add(out, "\n");
    }
    text_add(out, "}\n");
}
