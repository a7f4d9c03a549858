/* The tables of networks: one by layer and stage, several together, some side by
 * side. */
#include "tools/report.h"
#include <stddef.h>
#include <string.h>

const Measure measures[MEASURES] = {
    {"macs",             "MMAC",    offsetof(Cost, macs),             1e6, 3},
    {"macs_lowered",     "lowered", offsetof(Cost, macs_lowered),     1e6, 3},
    {"params",           "params",  offsetof(Cost, params),           1,   0},
    {"activation_bytes", "act. kB", offsetof(Cost, activation_bytes), 1e3, 0},
};

int64_t measure_of(const Row *row, const Measure *measure)
{
    return row ? *(const int64_t *)((const char *)&row->cost + measure->offset) : 0;
}

static void add_column(Sheet *sheet, Column column)
{
    if (sheet->columns == MAX_COLUMNS)
        bug("a table of more than %d columns", MAX_COLUMNS);
    sheet->column[sheet->columns++] = column;
}

static Sheet *sheet_new(Arena *arena, const char *title, const Column *columns, int n)
{
    Sheet *sheet = NEW(arena, Sheet, 1);
    sheet->title = title;
    for (int i = 0; i < n; i++)
        add_column(sheet, columns[i]);
    return sheet;
}

static void add_statement(Arena *arena, Sheet *sheet, bool lowered)
{
    VEC_PUSH(arena, sheet->notes, report_counted);
    VEC_PUSH(arena, sheet->notes, report_left_out);
    if (lowered)
        VEC_PUSH(arena, sheet->notes, report_lowered);
}

/* ---- one network, several networks ------------------------------------- */

enum { C_model, C_kind, C_name, C_stage, C_operator, C_shape, C_macs, C_lowered, C_params,
       C_params_bare, C_activations, C_weights, C_workspace, C_live, MODEL_COLUMNS };

static const Column model_columns[MODEL_COLUMNS] = {
    [C_model] =       {"model",                NULL,           true,  1,   0},
    [C_kind] =        {"kind",                 NULL,           true,  1,   0},
    [C_name] =        {"name",                 "layer",        true,  1,   0},
    [C_stage] =       {"stage",                NULL,           true,  1,   0},
    [C_operator] =    {"operator",             "operator",     true,  1,   0},
    [C_shape] =       {"shape",                "shape",        true,  1,   0},
    [C_macs] =        {"macs",                 "MMAC",         false, 1e6, 3},
    [C_lowered] =     {"macs_lowered",         "lowered",      false, 1e6, 3},
    [C_params] =      {"params",               "params",       false, 1,   0},
    [C_params_bare] = {"params_without_norms", "without norms", false, 1,  0},
    [C_activations] = {"activation_bytes",     "act. kB",      false, 1e3, 0},
    [C_weights] =     {"weights_bytes",        NULL,           false, 1e6, 2},
    [C_workspace] =   {"workspace_bytes",      NULL,           false, 1e6, 2},
    [C_live] =        {"live_bytes",           NULL,           false, 1e6, 2},
};

static SheetRow *add_row(Arena *arena, Sheet *sheet, const Report *r, const char *kind,
                         const Row *row)
{
    const Cost *c = &row->cost;
    SheetRow out = {0};
    out.cell[C_model] = cell_text(r->model);
    out.cell[C_kind] = cell_text(kind);
    out.cell[C_name] = cell_text(row->name);
    out.cell[C_stage] = cell_text(row->stage);
    out.cell[C_operator] = cell_text(row->op);
    out.cell[C_shape] = cell_text(row->shape);
    out.cell[C_macs] = cell_number((double)c->macs);
    out.cell[C_lowered] = cell_number((double)c->macs_lowered);
    out.cell[C_params] = cell_number((double)c->params);
    out.cell[C_params_bare] = cell_number((double)(c->params - c->norm_params));
    out.cell[C_activations] = cell_number((double)c->activation_bytes);
    VEC_PUSH(arena, sheet->rows, out);
    return &sheet->rows.at[sheet->rows.n - 1];
}

static SheetRow *add_total(Arena *arena, Sheet *sheet, const Report *r)
{
    SheetRow *row = add_row(arena, sheet, r, "total", &r->total);
    row->cell[C_weights] = cell_number((double)r->weights);
    row->cell[C_workspace] = cell_number((double)r->workspace);
    row->cell[C_live] = cell_number((double)r->live);
    return row;
}

Sheet *sheet_of_model(Arena *arena, const Report *r)
{
    Sheet *sheet = sheet_new(arena, r->model, model_columns, MODEL_COLUMNS);
    for (int i = 0; i < r->layers.n; i++)
        add_row(arena, sheet, r, "layer", &r->layers.at[i]);
    for (int i = 0; i < r->stages.n; i++) {
        const Row *stage = &r->stages.at[i];
        SheetRow *row = add_row(arena, sheet, r, "stage", stage);
        row->cell[C_name] = cell_text(stage->name[0] ? stage->name : "(none)");
        row->cell[C_stage] = cell_text(stage->name);
        row->cell[C_operator] = cell_text("stage");
        row->ruled = i == 0;
    }
    add_total(arena, sheet, r)->ruled = true;
    const char *bytes = arena_printf(
        arena, "Weights %lld bytes, workspace %lld bytes, of which live at once %lld.",
        (long long)r->weights, (long long)r->workspace, (long long)r->live);
    VEC_PUSH(arena, sheet->notes, bytes);
    add_statement(arena, sheet, true);
    return sheet;
}

static void show(Sheet *sheet, int column, const char *heading)
{
    sheet->column[column].heading = heading;
}

Sheet *sheet_of_networks(Arena *arena, Report *const *reports, int n)
{
    Sheet *sheet = sheet_new(arena, arena_printf(arena, "%d networks", n), model_columns,
                             MODEL_COLUMNS);
    show(sheet, C_model, "network");
    show(sheet, C_name, NULL);
    show(sheet, C_stage, "stage");
    show(sheet, C_operator, NULL);
    show(sheet, C_shape, NULL);
    show(sheet, C_weights, "weights MB");
    show(sheet, C_workspace, "workspace MB");
    show(sheet, C_live, "live MB");
    for (int i = 0; i < n; i++) {
        add_total(arena, sheet, reports[i])->ruled = true;
        for (int k = 0; k < reports[i]->stages.n && reports[i]->stages.n > 1; k++) {
            const Row *stage = &reports[i]->stages.at[k];
            SheetRow *row = add_row(arena, sheet, reports[i], "stage", stage);
            row->cell[C_model] = cell_text("");
            row->cell[C_stage] = cell_text(stage->name[0] ? stage->name : "(none)");
        }
    }
    add_statement(arena, sheet, true);
    return sheet;
}

/* ---- side by side ------------------------------------------------------ */

static ComparedStage *find_stage(Comparison *comparison, const char *name)
{
    for (int i = 0; i < comparison->stages.n; i++)
        if (strcmp(comparison->stages.at[i].name, name) == 0)
            return &comparison->stages.at[i];
    return NULL;
}

Comparison *report_compare(Arena *arena, Report *const *reports, int n)
{
    Comparison *comparison = NEW(arena, Comparison, 1);
    *comparison = (Comparison){.reports = reports, .n = n, .total.name = "total"};
    for (int i = 0; i < n; i++) {
        comparison->total.row[i] = &reports[i]->total;
        for (int k = 0; k < reports[i]->stages.n; k++) {
            const Row *row = &reports[i]->stages.at[k];
            if (!find_stage(comparison, row->name))
                VEC_PUSH(arena, comparison->stages, (ComparedStage){.name = row->name});
            find_stage(comparison, row->name)->row[i] = row;
        }
    }
    return comparison;
}

static void comparison_columns(Arena *arena, Sheet *sheet, const Comparison *comparison)
{
    for (int m = 0; m < MEASURES; m++) {
        const Measure *measure = &measures[m];
        for (int i = 0; i < comparison->n; i++)
            add_column(sheet, (Column){arena_printf(arena, "%s_%d", measure->key, i + 1),
                                       arena_printf(arena, "%s %c", measure->heading, 'A' + i),
                                       false, measure->scale, measure->decimals});
        for (int i = 1; i < comparison->n; i++)
            add_column(sheet, (Column){arena_printf(arena, "%s_ratio_%d", measure->key, i + 1),
                                       arena_printf(arena, "A/%c", 'A' + i), false, 1, 3});
    }
}

static void comparison_row(Arena *arena, Sheet *sheet, int n, const ComparedStage *stage)
{
    SheetRow row = {.ruled = false};
    int k = 0;
    row.cell[k++] = cell_text(stage->name[0] ? stage->name : "(none)");
    for (int m = 0; m < MEASURES; m++) {
        double first = (double)measure_of(stage->row[0], &measures[m]);
        for (int i = 0; i < n; i++, k++)
            if (stage->row[i])
                row.cell[k] = cell_number((double)measure_of(stage->row[i], &measures[m]));
        for (int i = 1; i < n; i++, k++) {
            double other = (double)measure_of(stage->row[i], &measures[m]);
            if (stage->row[0] && other != 0)
                row.cell[k] = cell_number(first / other);
        }
    }
    VEC_PUSH(arena, sheet->rows, row);
}

Sheet *sheet_of_comparison(Arena *arena, const Comparison *comparison)
{
    static const Column stage = {"stage", "stage", true, 1, 0};
    Text title = text_new(arena);
    for (int i = 0; i < comparison->n; i++)
        text_printf(&title, "%s%c = %s", i ? ", " : "", 'A' + i, comparison->reports[i]->model);
    Sheet *sheet = sheet_new(arena, text_str(&title), &stage, 1);
    comparison_columns(arena, sheet, comparison);
    for (int i = 0; i < comparison->stages.n; i++)
        comparison_row(arena, sheet, comparison->n, &comparison->stages.at[i]);
    comparison_row(arena, sheet, comparison->n, &comparison->total);
    sheet->rows.at[sheet->rows.n - 1].ruled = true;
    for (int i = 0; i < comparison->n; i++) {
        const Report *r = comparison->reports[i];
        VEC_PUSH(arena, sheet->notes,
                 arena_printf(arena, "%s: weights %lld bytes, workspace %lld, live %lld.",
                              r->model, (long long)r->weights, (long long)r->workspace,
                              (long long)r->live));
    }
    VEC_PUSH(arena, sheet->notes, "A/B: how many times B the count of A is.");
    add_statement(arena, sheet, true);
    return sheet;
}
