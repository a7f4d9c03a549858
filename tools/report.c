/* vtc report: what a network costs, by layer, by stage and in all. One
 * multiply-accumulate is one MAC; products of convolutions, linear layers,
 * matmuls and attention count, norms, bias, softmax, adds and pooling do not. */
#include "tools/command.h"
#include <stdio.h>
#include <string.h>

typedef struct Row {
    const char *name, *op, *stage;
    Type type;
    bool typed;
    int64_t macs, macs_lowered, params, norm_params, bytes;
} Row;

typedef struct Report {
    const char *model;
    VEC(Row) layers;
    VEC(Row) stages;
    Row total;
    int64_t workspace, live, weights;
} Report;

static const char *stage_name(const Graph *graph, const Value *v)
{
    return v->stage >= 0 && v->stage < graph->stages.n ? graph->stages.at[v->stage] : "";
}

/* Layers go by label and stage; what has no label goes by its operator. */
static Row *layer_of(Arena *arena, Report *r, const Graph *graph, const Value *v)
{
    const char *name = v->label ? v->label : op_info[v->op].name;
    const char *stage = stage_name(graph, v);
    for (int i = r->layers.n - 1; i >= 0; i--)
        if (strcmp(r->layers.at[i].name, name) == 0 &&
            strcmp(r->layers.at[i].stage, stage) == 0)
            return &r->layers.at[i];
    Row row = {.name = name, .op = op_info[v->op].name, .stage = stage};
    VEC_PUSH(arena, r->layers, row);
    return &r->layers.at[r->layers.n - 1];
}

static const Value *reader_of(const Value *weight)
{
    for (const Value *v = weight->next; v; v = v->next)
        for (int i = 0; i < v->nargs; i++)
            if (v->args[i] == weight)
                return v;
    return NULL;
}

static void add_weight(Arena *arena, Report *r, const Graph *graph, const Value *v)
{
    const Value *reader = reader_of(v);
    if (!reader)
        return;
    bool statistics = reader->op == OP_batch_norm &&
                      (reader->args[3] == v || reader->args[4] == v);
    Row *row = layer_of(arena, r, graph, reader);
    if (!statistics)
        row->params += shape_count(&v->type.shape);
    if (!statistics && op_info[reader->op].class == CLASS_norm)
        row->norm_params += shape_count(&v->type.shape);
}

static void collect_before(Arena *arena, Report *r, const Graph *graph)
{
    FOR_VALUES(v, graph) {
        if (op_info[v->op].class == CLASS_source)
            continue;
        Row *row = layer_of(arena, r, graph, v);
        row->macs += value_macs(v);
        row->bytes += op_info[v->op].class == CLASS_view ? 0 : type_bytes(&v->type);
        if (!row->typed || value_macs(v) > 0) {
            row->type = v->type;
            row->op = op_info[v->op].name;
            row->typed = true;
        }
    }
    FOR_VALUES(v, graph)
        if (v->op == OP_weight)
            add_weight(arena, r, graph, v);
}

static void collect_lowered(Arena *arena, Report *r, const Program *program)
{
    for (int i = 0; i < program->steps.n; i++) {
        const Step *step = &program->steps.at[i];
        layer_of(arena, r, program->graph, step->value)->macs_lowered += step_macs(step);
    }
    r->workspace = program->workspace_bytes;
    r->live = program->graph->live_bytes;
    r->weights = program->weights_bytes;
}

static void add_row(Row *sum, const Row *row)
{
    sum->macs += row->macs;
    sum->macs_lowered += row->macs_lowered;
    sum->params += row->params;
    sum->norm_params += row->norm_params;
    sum->bytes += row->bytes;
}

static void sum_up(Arena *arena, Report *r)
{
    r->total = (Row){.name = r->model, .op = "", .stage = ""};
    for (int i = 0; i < r->layers.n; i++) {
        const Row *row = &r->layers.at[i];
        Row *stage = NULL;
        for (int k = 0; k < r->stages.n; k++)
            if (strcmp(r->stages.at[k].name, row->stage) == 0)
                stage = &r->stages.at[k];
        if (!stage) {
            VEC_PUSH(arena, r->stages, (Row){.name = row->stage, .op = "", .stage = ""});
            stage = &r->stages.at[r->stages.n - 1];
        }
        add_row(stage, row);
        add_row(&r->total, row);
    }
}

static Report *report_model(Context *c, const char *path)
{
    Graph *graph = load_model(c, path, false);
    if (!graph)
        return NULL;
    Report *r = NEW(c->arena, Report, 1);
    r->model = graph->name;
    collect_before(c->arena, r, graph);
    Program *program;
    if (!run_passes(c, graph, &program, NULL, NULL))
        return NULL;
    if (program)
        collect_lowered(c->arena, r, program);
    sum_up(c->arena, r);
    return r;
}

/* ---- printing ---------------------------------------------------------- */

static const char *shape_text(Arena *arena, const Row *row)
{
    Text text = text_new(arena);
    if (row->typed)
        text_shape(&text, &row->type.shape);
    return text_str(&text);
}

static void table_row(Arena *arena, const char *name, const Row *row)
{
    printf("%-40s %-12s %-18s %12.3f %12.3f %12lld %14lld\n", name, row->op,
           shape_text(arena, row), (double)row->macs / 1e6, (double)row->macs_lowered / 1e6,
           (long long)row->params, (long long)row->bytes);
}

static void print_table(Arena *arena, const Report *r)
{
    printf("%s: one multiply-accumulate is one MAC; convolutions and products count,\n"
           "norms, bias, softmax, adds and pooling do not. Lowered: what the loops execute.\n\n",
           r->model);
    printf("%-40s %-12s %-18s %12s %12s %12s %14s\n", "layer", "operator", "shape", "MMAC",
           "lowered", "params", "activation B");
    for (int i = 0; i < r->layers.n; i++)
        table_row(arena, r->layers.at[i].name, &r->layers.at[i]);
    printf("\n");
    for (int i = 0; i < r->stages.n; i++)
        table_row(arena, arena_printf(arena, "stage %s", r->stages.at[i].name[0]
                                                             ? r->stages.at[i].name
                                                             : "(none)"),
                  &r->stages.at[i]);
    table_row(arena, "total", &r->total);
    printf("\nparameters %lld (%lld without norms), weights %lld bytes, workspace %lld bytes, "
           "live %lld bytes\n", (long long)r->total.params,
           (long long)(r->total.params - r->total.norm_params), (long long)r->weights,
           (long long)r->workspace, (long long)r->live);
}

static void json_row(Arena *arena, const Row *row, bool total, const Report *r)
{
    Text text = text_new(arena);
    text_add(&text, "{\"name\": ");
    text_quoted(&text, row->name);
    text_printf(&text, ", \"macs\": %lld, \"macs_lowered\": %lld, \"params\": %lld, "
                       "\"params_without_norms\": %lld, \"activation_bytes\": %lld",
                (long long)row->macs, (long long)row->macs_lowered, (long long)row->params,
                (long long)(row->params - row->norm_params), (long long)row->bytes);
    if (row->typed)
        text_printf(&text, ", \"operator\": \"%s\", \"stage\": \"%s\", \"shape\": %s", row->op,
                    row->stage, shape_text(arena, row));
    if (total)
        text_printf(&text, ", \"workspace_bytes\": %lld, \"live_bytes\": %lld, "
                           "\"weights_bytes\": %lld", (long long)r->workspace,
                    (long long)r->live, (long long)r->weights);
    printf("%s}", text_str(&text));
}

static void json_rows(Arena *arena, const char *name, const Row *rows, int n)
{
    printf("  \"%s\": [\n", name);
    for (int i = 0; i < n; i++) {
        printf("    ");
        json_row(arena, &rows[i], false, NULL);
        printf(i + 1 < n ? ",\n" : "\n");
    }
    printf("  ]");
}

static void print_json(Arena *arena, const Report *r)
{
    printf("{\n  \"model\": \"%s\",\n  \"total\": ", r->model);
    json_row(arena, &r->total, true, r);
    printf(",\n");
    json_rows(arena, "stages", r->stages.at, r->stages.n);
    printf(",\n");
    json_rows(arena, "layers", r->layers.at, r->layers.n);
    printf("\n}");
}

static void csv_row(Arena *arena, const char *model, const char *kind, const Row *row)
{
    printf("%s,%s,\"%s\",\"%s\",%s,\"%s\",%lld,%lld,%lld,%lld\n", model, kind, row->name,
           row->stage, row->op, shape_text(arena, row), (long long)row->macs,
           (long long)row->macs_lowered, (long long)row->params, (long long)row->bytes);
}

static void print_csv(Arena *arena, const Report *r)
{
    for (int i = 0; i < r->layers.n; i++)
        csv_row(arena, r->model, "layer", &r->layers.at[i]);
    for (int i = 0; i < r->stages.n; i++)
        csv_row(arena, r->model, "stage", &r->stages.at[i]);
    csv_row(arena, r->model, "total", &r->total);
}

static void print_reports(Context *c, Report *const *reports, int n, const char *format)
{
    bool json = strcmp(format, "json") == 0, csv = strcmp(format, "csv") == 0;
    if (csv)
        printf("model,kind,name,stage,operator,shape,macs,macs_lowered,params,"
               "activation_bytes\n");
    if (json && n > 1)
        printf("[\n");
    for (int i = 0; i < n; i++) {
        if (json)
            print_json(c->arena, reports[i]);
        else if (csv)
            print_csv(c->arena, reports[i]);
        else
            print_table(c->arena, reports[i]);
        printf(json && i + 1 < n ? ",\n" : "\n");
    }
    if (json && n > 1)
        printf("]\n");
}

int command_report(Context *c)
{
    const char *format = c->o.format ? c->o.format : "table";
    if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0 &&
        strcmp(format, "csv") != 0) {
        fprintf(stderr, "vtc: '%s' is none of: table json csv\n", format);
        return EXIT_CALL;
    }
    Report *reports[64];
    int n = 0;
    for (int i = 0; i < c->o.model_count; i++) {
        Report *r = report_model(c, c->o.models[i]);
        if (r)
            reports[n++] = r;
    }
    bool all = n == c->o.model_count;
    if (all)
        print_reports(c, reports, n, format);
    return context_finish(c, all ? EXIT_OK : EXIT_INPUT);
}
