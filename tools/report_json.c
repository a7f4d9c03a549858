/* The report as JSON, for programs: counts are whole numbers, unknown is null. */
#include "tools/report.h"
#include <math.h>

/* Whole numbers without an exponent; 15 digits else. */
void json_number(Text *out, bool known, double number)
{
    if (!known || !isfinite(number))
        text_add(out, "null");
    else if (number == floor(number) && fabs(number) < 0x1p53)
        text_printf(out, "%.0f", number);
    else
        text_printf(out, "%.15g", number);
}

/* Texts are UTF-8; control characters, quotes and backslashes are escaped. */
static void json_string(Text *out, const char *text)
{
    text_add(out, "\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20)
            text_printf(out, "\\u%04x", c);
        else
            text_printf(out, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    text_add(out, "\"");
}

static void json_key(Text *out, const char *key)
{
    text_printf(out, "\"%s\": ", key);
}

void json_sheet_row(const Sheet *sheet, int row, Text *out)
{
    text_add(out, "{");
    for (int k = 0; k < sheet->columns; k++) {
        const Cell *cell = &sheet->rows.at[row].cell[k];
        text_add(out, k ? ", " : "");
        json_key(out, sheet->column[k].key);
        if (sheet->column[k].is_text)
            json_string(out, cell->text ? cell->text : "");
        else
            json_number(out, cell->known, cell->number);
    }
    text_add(out, "}");
}

static void json_text_field(Text *out, const char *key, const char *text)
{
    json_key(out, key);
    json_string(out, text);
}

static void json_statement(Text *out)
{
    text_add(out, "  ");
    json_text_field(out, "counted", report_counted);
    text_add(out, ",\n  ");
    json_text_field(out, "left_out", report_left_out);
    text_add(out, ",\n  ");
    json_text_field(out, "lowered", report_lowered);
    text_add(out, ",\n");
}

/* ---- networks ---------------------------------------------------------- */

static void json_cost(const Row *row, Text *out)
{
    const Cost *c = &row->cost;
    text_add(out, "{");
    json_text_field(out, "name", row->name);
    text_printf(out,
                ", \"macs\": %lld, \"macs_lowered\": %lld, \"params\": %lld, "
                "\"params_without_norms\": %lld, \"activation_bytes\": %lld",
                (long long)c->macs, (long long)c->macs_lowered, (long long)c->params,
                (long long)(c->params - c->norm_params), (long long)c->activation_bytes);
}

static void json_rows(const char *key, const Row *rows, int n, Text *out)
{
    text_printf(out, "  \"%s\": [", key);
    for (int i = 0; i < n; i++) {
        text_add(out, i ? ",\n    " : "\n    ");
        json_cost(&rows[i], out);
        if (rows[i].op[0]) {
            text_add(out, ", ");
            json_text_field(out, "operator", rows[i].op);
            text_add(out, ", ");
            json_text_field(out, "stage", rows[i].stage);
            text_printf(out, ", \"shape\": %s", rows[i].shape[0] ? rows[i].shape : "null");
        }
        text_add(out, "}");
    }
    text_add(out, "\n  ]");
}

void json_report(const Report *r, Text *out)
{
    text_add(out, "{\n  ");
    json_text_field(out, "model", r->model);
    text_add(out, ",\n");
    json_statement(out);
    text_add(out, "  \"total\": ");
    json_cost(&r->total, out);
    text_printf(out,
                ", \"workspace_bytes\": %lld, \"live_bytes\": %lld, \"weights_bytes\": %lld},\n",
                (long long)r->workspace, (long long)r->live, (long long)r->weights);
    json_rows("stages", r->stages.at, r->stages.n, out);
    text_add(out, ",\n");
    json_rows("layers", r->layers.at, r->layers.n, out);
    text_add(out, "\n}\n");
}

/* ---- side by side ------------------------------------------------------ */

/* One list of counts, and how many times the first is each of the others. */
static void json_side(const ComparedStage *stage, int n, const Measure *measure, Text *out)
{
    double first = (double)measure_of(stage->row[0], measure);
    text_printf(out, ", \"%s\": [", measure->key);
    for (int i = 0; i < n; i++)
        text_printf(out, "%s%lld", i ? ", " : "", (long long)measure_of(stage->row[i], measure));
    text_printf(out, "], \"%s_ratio\": [", measure->key);
    for (int i = 1; i < n; i++) {
        double other = (double)measure_of(stage->row[i], measure);
        text_add(out, i > 1 ? ", " : "");
        json_number(out, other != 0, first / other);
    }
    text_add(out, "]");
}

static void json_sides(const ComparedStage *stage, int n, Text *out)
{
    text_add(out, "{");
    json_text_field(out, "name", stage->name);
    for (int i = 0; i < MEASURES; i++)
        json_side(stage, n, &measures[i], out);
    text_add(out, "}");
}

void json_comparison(const Comparison *comparison, Text *out)
{
    text_add(out, "{\n");
    json_statement(out);
    text_add(out, "  \"models\": [");
    for (int i = 0; i < comparison->n; i++) {
        text_add(out, i ? ", " : "");
        json_string(out, comparison->reports[i]->model);
    }
    text_add(out, "],\n  \"total\": ");
    json_sides(&comparison->total, comparison->n, out);
    text_add(out, ",\n  \"stages\": [");
    for (int i = 0; i < comparison->stages.n; i++) {
        text_add(out, i ? ",\n    " : "\n    ");
        json_sides(&comparison->stages.at[i], comparison->n, out);
    }
    text_add(out, "\n  ]\n}\n");
}

/* ---- published networks ------------------------------------------------ */

static void json_real(const char *key, double number, Text *out)
{
    text_printf(out, ", \"%s\": ", key);
    json_number(out, !isnan(number), number);
}

static void json_published(const Published *row, Text *out)
{
    const Cost *ours = &row->ours->total.cost;
    text_add(out, "{");
    json_text_field(out, "name", row->name);
    text_add(out, ", ");
    json_text_field(out, "file", row->file);
    text_add(out, ", ");
    json_text_field(out, "family", row->family);
    text_printf(out, ", \"macs\": %lld, \"params\": %lld, \"params_without_norms\": %lld",
                (long long)ours->macs, (long long)ours->params,
                (long long)(ours->params - ours->norm_params));
    json_real("published_gmacs", row->gmacs, out);
    json_real("published_mparams", row->mparams, out);
    json_real("gmacs_difference", (double)ours->macs / 1e9 - row->gmacs, out);
    json_real("mparams_difference", (double)ours->params / 1e6 - row->mparams, out);
    json_real("top1", row->top1, out);
    text_add(out, ", ");
    json_text_field(out, "remark", row->remark);
    text_add(out, "}");
}

void json_paper(const Paper *paper, Text *out)
{
    text_add(out, "{\n");
    json_statement(out);
    text_add(out, "  \"networks\": [");
    for (int i = 0; i < paper->rows.n; i++) {
        text_add(out, i ? ",\n    " : "\n    ");
        json_published(&paper->rows.at[i], out);
    }
    text_add(out, "\n  ]\n}\n");
}
