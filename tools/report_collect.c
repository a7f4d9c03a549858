/* What a network costs: its values counted as they are stated, then the steps that
 * the passes made of them, added up by layer and by stage. */
#include "tools/report.h"
#include "support/progress.h"
#include <stdio.h>
#include <string.h>

const char *const report_counted =
    "One multiply-accumulate is one MAC. Counted are convolutions (with groups), linear "
    "layers, matrix products and the products of attention.";
const char *const report_left_out =
    "Left out are additions of bias and residuals, norms, activations, softmax, pooling, "
    "resizing and all other arithmetic element by element.";
const char *const report_lowered =
    "Lowered is what the compiled loops execute: every multiplication, fused or not, with "
    "those of transforms (Winograd), softmax and scales, after batch norm was folded and "
    "products were re-associated; padded channels and edges are in it.";

/* ---- layers ------------------------------------------------------------ */

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
    Row row = {.name = arena_strdup(arena, name), .stage = arena_strdup(arena, stage),
               .op = op_info[v->op].name, .shape = ""};
    VEC_PUSH(arena, r->layers, row);
    return &r->layers.at[r->layers.n - 1];
}

/* A layer is described by its first product, or else by its first value. */
static void describe(Arena *arena, Row *row, const Value *v)
{
    bool product = value_macs(v) > 0;
    if (row->shape[0] && (row->has_product || !product))
        return;
    Text shape = text_new(arena);
    text_shape(&shape, &v->type.shape);
    row->shape = text_str(&shape);
    row->op = op_info[v->op].name;
    row->has_product = product;
}

static void collect_values(Arena *arena, Report *r, const Graph *graph)
{
    FOR_VALUES(v, graph) {
        if (op_info[v->op].class == CLASS_source)
            continue;
        Row *row = layer_of(arena, r, graph, v);
        describe(arena, row, v);
        row->cost.macs += value_macs(v);
        if (op_info[v->op].class != CLASS_view)
            row->cost.activation_bytes += type_bytes(&v->type);
    }
}

/* ---- parameters -------------------------------------------------------- */

/* A weight belongs to its first reader. The mean and variance of a batch norm are
 * statistics, no parameters. */
static void add_weight(Arena *arena, Report *r, const Graph *graph, const Value *reader,
                       int argument)
{
    const Value *weight = reader->args[argument];
    int64_t count = shape_count(&weight->type.shape);
    Row *row = layer_of(arena, r, graph, reader);
    if (reader->op == OP_batch_norm && argument >= 3)
        return;
    row->cost.params += count;
    if (op_info[reader->op].class == CLASS_norm)
        row->cost.norm_params += count;
}

static void collect_weights(Arena *arena, Report *r, Graph *graph)
{
    FOR_VALUES(v, graph)
        v->mark = 0;
    FOR_VALUES(v, graph)
        for (int i = 0; i < v->nargs; i++)
            if (v->args[i]->op == OP_weight && !v->args[i]->mark) {
                v->args[i]->mark = 1;
                add_weight(arena, r, graph, v, i);
            }
}

/* ---- after lowering ---------------------------------------------------- */

const Value *step_product(const Program *program, const Step *step)
{
    int group = step->value->group;
    const Value *anchor = group >= 0 ? program->graph->groups.at[group].anchor : NULL;
    return anchor ? anchor : step->value;
}

int report_layer_of_step(Arena *arena, Report *r, const Program *program, const Step *step)
{
    const Row *row = layer_of(arena, r, program->graph, step_product(program, step));
    return (int)(row - r->layers.at);
}

static void collect_steps(Arena *arena, Report *r, const Program *program)
{
    for (int i = 0; i < program->steps.n; i++) {
        const Step *step = &program->steps.at[i];
        int layer = report_layer_of_step(arena, r, program, step);
        r->layers.at[layer].cost.macs_lowered += step_macs(step);
    }
    r->workspace = program->workspace_bytes;
    r->live = program->graph->live_bytes;
    r->weights = program->weights_bytes;
}

/* ---- sums -------------------------------------------------------------- */

static void add_cost(Cost *sum, const Cost *cost)
{
    sum->macs += cost->macs;
    sum->macs_lowered += cost->macs_lowered;
    sum->params += cost->params;
    sum->norm_params += cost->norm_params;
    sum->activation_bytes += cost->activation_bytes;
}

const Row *report_stage(const Report *report, const char *name)
{
    for (int i = 0; i < report->stages.n; i++)
        if (strcmp(report->stages.at[i].name, name) == 0)
            return &report->stages.at[i];
    return NULL;
}

static Row *stage_of(Arena *arena, Report *r, const char *name)
{
    const Row *found = report_stage(r, name);
    if (found)
        return &r->stages.at[found - r->stages.at];
    VEC_PUSH(arena, r->stages, (Row){.name = name, .op = "", .stage = "", .shape = ""});
    return &r->stages.at[r->stages.n - 1];
}

static void sum_up(Arena *arena, Report *r)
{
    r->total = (Row){.name = "total", .op = "", .stage = "", .shape = ""};
    for (int i = 0; i < r->layers.n; i++) {
        const Row *row = &r->layers.at[i];
        add_cost(&stage_of(arena, r, row->stage)->cost, &row->cost);
        add_cost(&r->total.cost, &row->cost);
    }
}

/* ---- one network ------------------------------------------------------- */

Report *report_begin(Arena *arena, Graph *graph)
{
    Report *r = NEW(arena, Report, 1);
    r->model = arena_strdup(arena, graph->name);
    collect_values(arena, r, graph);
    collect_weights(arena, r, graph);
    return r;
}

static Report *collect(Context *work, Arena *arena, const char *path, bool lower)
{
    Graph *graph = load_model(work, path, false);
    if (!graph)
        return NULL;
    Report *r = report_begin(arena, graph);
    Program *program = NULL;
    if (lower && !run_passes(work, graph, &program, NULL, NULL))
        return NULL;
    if (program)
        collect_steps(arena, r, program);
    sum_up(arena, r);
    return r;
}

/* Each network is loaded and lowered in an arena of its own: of sixty only one is
 * in memory. */
Report *report_collect(Context *c, const char *path, bool lower)
{
    Context work = *c;
    work.arena = arena_new();
    work.diag = diag_new(work.arena);
    progress("report: %s", path);
    Report *r = collect(&work, c->arena, path, lower);
    bool good = r && !work.diag->errors;
    progress_end();
    diag_print(work.diag, stderr, 50);
    arena_free(work.arena);
    return good ? r : NULL;
}
