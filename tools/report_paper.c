/* The table of published networks: models/published.tsv beside what we count, with
 * the difference, and a remark where print cannot be met. */
#include "tools/report.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ----------------------------------------------------------- */

/* The columns of the file, in order. */
enum { F_name, F_file, F_gmacs, F_mparams, F_top1, F_family, F_remark, FIELDS };
static const char *const field_name[FIELDS] = {
    "name", "file", "published_gmacs", "published_mparams", "top1", "family", "remark"};

typedef struct Line {
    Span span[FIELDS];
    const char *text[FIELDS];
    int n;
} Line;

static Line split_line(Arena *arena, const Source *source, size_t begin, size_t end)
{
    Line line = {0};
    for (size_t at = begin; at <= end && line.n < FIELDS; line.n++) {
        const char *tab = memchr(source->text + at, '\t', end - at);
        size_t stop = tab ? (size_t)(tab - source->text) : end;
        line.span[line.n] = (Span){source, at, stop};
        line.text[line.n] = arena_strndup(arena, source->text + at, stop - at);
        at = stop + 1;
    }
    return line;
}

/* '-' is unknown. */
static double read_number(Diag *diag, const Line *line, int field)
{
    const char *text = line->text[field];
    char *end;
    if (strcmp(text, "-") == 0)
        return NAN;
    double number = strtod(text, &end);
    if (end == text || *end || !isfinite(number) || number < 0)
        diag_error(diag, line->span[field], "%s: '%s' is no number (unknown is '-')",
                   field_name[field], text);
    return number;
}

static const char *read_text(const Line *line, int field)
{
    return line->n > field && strcmp(line->text[field], "-") != 0 ? line->text[field] : "";
}

static void read_line(Context *c, Paper *paper, const Source *source, size_t begin, size_t end)
{
    Line line = split_line(c->arena, source, begin, end);
    if (strcmp(line.text[0], field_name[0]) == 0)
        return; /* the headings */
    if (line.n <= F_family) {
        diag_error(c->diag, (Span){source, begin, end},
                   "%d columns; %d are needed, with tabs between: name file published_gmacs "
                   "published_mparams top1 family remark", line.n, FIELDS);
        return;
    }
    Published row = {.name = line.text[F_name], .file = line.text[F_file],
                     .family = read_text(&line, F_family), .remark = read_text(&line, F_remark),
                     .gmacs = read_number(c->diag, &line, F_gmacs),
                     .mparams = read_number(c->diag, &line, F_mparams),
                     .top1 = read_number(c->diag, &line, F_top1)};
    VEC_PUSH(c->arena, paper->rows, row);
}

static void read_lines(Context *c, Paper *paper, const Source *source)
{
    for (size_t at = 0; at < source->length;) {
        size_t n = strcspn(source->text + at, "\r\n");
        if (n > 0 && source->text[at] != '#')
            read_line(c, paper, source, at, at + n);
        at += n + 1;
    }
    if (paper->rows.n == 0 && !c->diag->errors)
        diag_error(c->diag, (Span){source, 0, 0}, "no network is in this table");
}

/* ---- counting ---------------------------------------------------------- */

/* A network that stands in several tables of the paper is counted once. */
static const Report *counted_before(const Paper *paper, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(paper->rows.at[i].file, paper->rows.at[n].file) == 0)
            return paper->rows.at[i].ours;
    return NULL;
}

static bool count_all(Context *c, Paper *paper, const char *folder)
{
    bool good = true;
    for (int i = 0; i < paper->rows.n; i++) {
        Published *row = &paper->rows.at[i];
        row->ours = counted_before(paper, i);
        if (!row->ours)
            row->ours = report_collect(c, path_join(c->arena, folder, row->file), false);
        good = good && row->ours;
    }
    return good;
}

Paper *paper_read(Context *c, const char *folder)
{
    const char *path = path_join(c->arena, folder, "published.tsv");
    const Source *source = source_read(c->arena, c->diag, (Span){0}, path);
    if (!source)
        return NULL;
    Paper *paper = NEW(c->arena, Paper, 1);
    read_lines(c, paper, source);
    return !c->diag->errors && count_all(c, paper, folder) ? paper : NULL;
}

/* ---- the table --------------------------------------------------------- */

enum { P_name, P_family, P_file, P_macs, P_macs_print, P_macs_off, P_macs_percent, P_params,
       P_params_bare, P_params_print, P_params_off, P_params_percent, P_top1, P_remark,
       PAPER_COLUMNS };

static const Column paper_columns[PAPER_COLUMNS] = {
    [P_name] =           {"name",                  "network",      true,  1,   0},
    [P_family] =         {"family",                NULL,           true,  1,   0},
    [P_file] =           {"file",                  NULL,           true,  1,   0},
    [P_macs] =           {"macs",                  "MMAC",         false, 1e6, 1},
    [P_macs_print] =     {"published_macs",        "printed",      false, 1e6, 1},
    [P_macs_off] =       {"macs_difference",       "off",          false, 1e6, 1},
    [P_macs_percent] =   {"macs_difference_percent", "off %",      false, 1,   2},
    [P_params] =         {"params",                "M params",     false, 1e6, 2},
    [P_params_bare] =    {"params_without_norms",  NULL,           false, 1e6, 2},
    [P_params_print] =   {"published_params",      "printed",      false, 1e6, 2},
    [P_params_off] =     {"params_difference",     "off",          false, 1e6, 2},
    [P_params_percent] = {"params_difference_percent", "off %",    false, 1,   2},
    [P_top1] =           {"top1",                  "printed top-1", false, 1,  1},
    [P_remark] =         {"remark",                "remark",       true,  1,   0},
};

/* To a ten thousandth: the rest is print's rounding. */
static double percent_off(double ours, double print)
{
    return round(1e6 * (ours / print - 1)) / 1e4;
}

static SheetRow paper_row(const Published *p)
{
    const Cost *ours = &p->ours->total.cost;
    double macs = (double)ours->macs, params = (double)ours->params;
    double macs_print = round(p->gmacs * 1e9), params_print = round(p->mparams * 1e6);
    SheetRow row = {0};
    row.cell[P_name] = cell_text(p->name);
    row.cell[P_family] = cell_text(p->family);
    row.cell[P_file] = cell_text(p->file);
    row.cell[P_macs] = cell_number(macs);
    row.cell[P_macs_print] = cell_number(macs_print);
    row.cell[P_macs_off] = cell_number(macs - macs_print);
    row.cell[P_macs_percent] = cell_number(percent_off(macs, macs_print));
    row.cell[P_params] = cell_number(params);
    row.cell[P_params_bare] = cell_number((double)(ours->params - ours->norm_params));
    row.cell[P_params_print] = cell_number(params_print);
    row.cell[P_params_off] = cell_number(params - params_print);
    row.cell[P_params_percent] = cell_number(percent_off(params, params_print));
    row.cell[P_top1] = cell_number(p->top1);
    row.cell[P_remark] = cell_text(p->remark);
    return row;
}

Sheet *sheet_of_paper(Arena *arena, const Paper *paper)
{
    Sheet *sheet = NEW(arena, Sheet, 1);
    sheet->title = arena_printf(arena, "%d networks: ours beside print",
                                paper->rows.n);
    sheet->columns = PAPER_COLUMNS;
    memcpy(sheet->column, paper_columns, sizeof paper_columns);
    for (int i = 0; i < paper->rows.n; i++) {
        const Published *p = &paper->rows.at[i];
        SheetRow row = paper_row(p);
        row.ruled = i > 0 && strcmp(p->family, paper->rows.at[i - 1].family) != 0;
        VEC_PUSH(arena, sheet->rows, row);
    }
    VEC_PUSH(arena, sheet->notes, report_counted);
    VEC_PUSH(arena, sheet->notes, report_left_out);
    VEC_PUSH(arena, sheet->notes,
             "Counts are the networks' as written, before any pass. Printed: as published; an "
             "empty cell was not. Off: ours less print.");
    return sheet;
}
