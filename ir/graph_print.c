/* Graphs as text; graph_parse.c reads it back and prints the same. */
#include "ir/graph.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bare where the lexer of graph_parse.c takes it whole and it is no id. */
static bool name_is_plain(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    size_t plain = strspn(name, "0123456789_.abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return name[0] && !name[plain] && name[digits];
}

static void print_ref(const Value *v, Text *out)
{
    text_add(out, "%");
    if (!v->name)
        text_printf(out, "%d", v->id);
    else if (name_is_plain(v->name))
        text_add(out, v->name);
    else
        text_quoted(out, v->name);
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
    case KIND_int:
        text_printf(out, "%lld", (long long)*(const int64_t *)field);
        break;
    case KIND_ints: print_ints(field, out); break;
    case KIND_real: text_double(out, *(const double *)field); break;
    case KIND_bool:
        text_add(out, *(const bool *)field ? "true" : "false");
        break;
    case KIND_mode: text_add(out, mode_name[*(const Mode *)field]); break;
    case KIND_dtype:
        text_add(out, dtype_info[*(const DType *)field].name);
        break;
    case KIND_name: text_quoted(out, *(const char *const *)field); break;
    }
}

static bool attr_is_default(const AttrInfo *info, const void *field,
                            const void *usual)
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

static void print_order(const Value *v, Text *out)
{
    text_add(out, " layout ");
    for (int i = 0; i < v->type.shape.rank; i++)
        text_printf(out, "%d", v->layout.order[i]);
    text_add(out, v->layout.pad_pixel ? "+pad" : "");
}

static bool order_is_logical(const Value *v)
{
    for (int i = 0; i < v->type.shape.rank; i++)
        if (v->layout.order[i] != i)
            return false;
    return !v->layout.pad_pixel;
}

/* Strides that a dense layout implies are not printed. */
static void print_strides(const Value *v, Text *out)
{
    const Shape *s = &v->type.shape;
    Ints strides = {.n = s->rank};
    bool is_set = false, is_dense = true;
    int64_t step = 1;
    for (int i = s->rank - 1; i >= 0; i--) {
        int d = v->layout.order[i];
        strides.at[d] = v->place.stride[d];
        is_set = is_set || v->place.stride[d] != 0;
        is_dense = is_dense && v->place.stride[d] == step;
        step *= s->dim[d];
    }
    if (!order_is_logical(v) || (is_set && is_dense))
        print_order(v, out);
    if (is_set && !is_dense) {
        text_add(out, " strides ");
        print_ints(&strides, out);
    }
}

static void print_place(const Place *place, Text *out)
{
    switch (place->home) {
    case HOME_none:
        if (place->offset)
            text_printf(out, " at +%lld", (long long)place->offset);
        return;
    case HOME_workspace: text_add(out, " at workspace"); break;
    case HOME_weights: text_add(out, " at weights"); break;
    case HOME_input: text_printf(out, " at input%d", place->port); break;
    case HOME_output: text_printf(out, " at output%d", place->port); break;
    }
    text_printf(out, "+%lld", (long long)place->offset);
    if (place->bytes)
        text_printf(out, " size %lld", (long long)place->bytes);
}

static void print_layout(const Value *v, Text *out)
{
    if (v->layout.kind == LAYOUT_rows)
        print_strides(v, out);
    else if (v->layout.kind == LAYOUT_panels)
        text_printf(out, " layout panels(%d,%d)", v->layout.panel,
                    v->layout.groups);
    else if (v->layout.kind == LAYOUT_windows)
        text_printf(out, " layout windows(%d)", v->layout.panel);
    else if (v->layout.kind == LAYOUT_strassen)
        text_printf(out, " layout strassen(%d)", v->layout.panel);
    else
        text_printf(out, " layout %s(%d,%d,%d)",
                    v->layout.kind == LAYOUT_winograd ? "winograd" : "toom_cook",
                    v->layout.panel, v->layout.tile, v->layout.stride);
    if (v->group >= 0)
        text_printf(out, " group %d", v->group);
    print_place(&v->place, out);
}

static uint64_t data_hash(const Tensor *data)
{
    uint64_t hash = 14695981039346656037u;
    const unsigned char *bytes = data->data;
    for (int64_t i = 0; i < type_bytes(&data->type); i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

/* Fewest digits that read back as the same f32 (0.1, not 0.100000001490116). */
static void print_element(const Tensor *data, int64_t i, Text *out)
{
    double x = tensor_get(data, i);
    char digits[32];
    for (int n = 1; data->type.dtype == DT_f32 && n <= 9; n++) {
        snprintf(digits, sizeof digits, "%.*g", n, x);
        if (isfinite(x) && (float)strtod(digits, NULL) == (float)x) {
            text_add(out, digits);
            return;
        }
    }
    text_double(out, x);
}

static void print_data(const Value *v, Text *out)
{
    int64_t n = shape_count(&v->type.shape);
    if (v->unknown)
        text_add(out, " unknown");
    if (v->op != OP_constant || !v->data)
        return;
    if (n > PRINTED_ELEMENTS) {
        text_printf(out, " hash %016llx",
                    (unsigned long long)data_hash(v->data));
        return;
    }
    text_add(out, " data {");
    for (int64_t i = 0; i < n; i++) {
        text_add(out, i ? ", " : "");
        print_element(v->data, i, out);
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
    if (v->schedule.algorithm != ALGORITHM_direct)
        text_printf(out, " by %s", schedule_text(out->arena, v->schedule));
    if (style.layouts)
        print_layout(v, out);
    if (style.locations && v->span.source && v->span.source->text) {
        int line, column;
        span_position(v->span, &line, &column);
        text_printf(out, " // %s:%d", v->span.source->path, line);
    }
}

static void print_memory(const Graph *graph, Text *out)
{
    text_printf(out, "  memory workspace=%lld live=%lld\n",
                (long long)graph->workspace_bytes, (long long)graph->live_bytes);
    for (int i = 0; i < graph->groups.n; i++) {
        const Temporary *t = &graph->groups.at[i].temp;
        if (t->shared || t->per_thread)
            text_printf(out, "  temporary %d [%lld,%lld,%lld]\n", i,
                        (long long)t->shared, (long long)t->per_thread,
                        (long long)t->offset);
    }
}

void graph_print(const Graph *graph, PrintStyle style, Text *out)
{
    text_add(out, "graph ");
    text_quoted(out, graph->name ? graph->name : "");
    text_add(out, " {\n");
    FOR_VALUES(v, graph)
    {
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
    if (style.layouts && graph->workspace_bytes)
        print_memory(graph, out);
    text_add(out, "}\n");
}
