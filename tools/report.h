/* vtc report, shared by its files: what a network costs (report_collect.c), tables of
 * it (report_sheets.c, report_paper.c), and the forms they are printed in
 * (sheet.c as text, CSV and HTML, report_json.c, report_plot.c). */
#ifndef VTC_TOOLS_REPORT_H
#define VTC_TOOLS_REPORT_H

#include "tools/command.h"

/* ---- what a network costs ---------------------------------------------- */

/* Sums over a layer, a stage or all. Counts of multiply-accumulates are exact. */
typedef struct Cost {
    int64_t macs;         /* as the network states them */
    int64_t macs_lowered; /* multiplications that the loops execute */
    int64_t params, norm_params;
    int64_t activation_bytes; /* of every value that is computed, before any pass */
} Cost;

typedef struct Row {
    const char *name;      /* label; what has none goes by its operator */
    const char *op, *stage; /* "" where there is none */
    const char *shape;     /* of the layer's product, or its first value */
    bool has_product;
    Cost cost;
} Row;

typedef struct Report {
    const char *model;
    VEC(Row) layers;
    VEC(Row) stages; /* what lies outside any stage is the stage "" */
    Row total;
    int64_t workspace, live, weights; /* bytes; live: see Graph.live_bytes */
} Report;

/* What is counted and what is left out, a sentence each, for every form. */
extern const char *const report_counted, *const report_left_out, *const report_lowered;

/* Everything in c->arena; the network itself is gone again. With `lower` false only
 * what the network states is counted: no pass runs. NULL: said on stderr. */
Report *report_collect(Context *c, const char *path, bool lower);
const Row *report_stage(const Report *report, const char *name); /* NULL: none */

/* The same in steps, where the network is needed afterwards: what it states, before
 * any pass; then the layer of each step (its index stays, the row may move); sums. */
Report *report_begin(Arena *arena, Graph *graph);
int report_layer_of_step(Arena *arena, Report *report, const Program *program,
                         const Step *step);
/* What a step works out: its group's anchor, with the chain behind it. */
const Value *step_product(const Program *program, const Step *step);

/* ---- networks side by side --------------------------------------------- */

enum { MAX_COMPARED = 4 };

typedef struct ComparedStage {
    const char *name;
    const Row *row[MAX_COMPARED]; /* NULL: that network has no such stage */
} ComparedStage;

/* Every stage by name: in the order of the first network, then what only others
 * have. Ratios say how many times the first is each of the others. */
typedef struct Comparison {
    Report *const *reports;
    int n;
    ComparedStage total;
    VEC(ComparedStage) stages;
} Comparison;

Comparison *report_compare(Arena *arena, Report *const *reports, int n);

typedef struct Measure {
    const char *key, *heading;
    size_t offset; /* of the int64_t in Cost */
    double scale;
    int decimals;
} Measure;
enum { MEASURES = 4 };
extern const Measure measures[MEASURES]; /* what is compared */
int64_t measure_of(const Row *row, const Measure *measure); /* row NULL: 0 */

/* ---- tables ------------------------------------------------------------ */

enum { MAX_COLUMNS = 32 };

/* `heading` NULL: in CSV only. Text and HTML show number / scale with so many
 * decimals, CSV the number. */
typedef struct Column {
    const char *key, *heading;
    bool is_text;
    double scale;
    int decimals;
} Column;

/* One of the two, as the column says; an unknown number is an empty cell. */
typedef struct Cell {
    const char *text;
    double number;
    bool known;
} Cell;

typedef struct SheetRow {
    Cell cell[MAX_COLUMNS];
    bool ruled; /* a line above: sums begin */
} SheetRow;

typedef struct Sheet {
    const char *title;
    Column column[MAX_COLUMNS];
    int columns;
    VEC(SheetRow) rows;
    VEC(const char *) notes; /* under the table */
} Sheet;

Cell cell_text(const char *text);
Cell cell_number(double number);

void sheet_text(const Sheet *sheet, Text *out);
void sheet_csv(const Sheet *sheet, bool headings, Text *out);
void sheet_html(const Sheet *sheet, Text *out);
/* A whole page around sheets and pictures. */
void page_begin(const char *title, Text *out);
void page_end(Text *out);
void text_escaped(Text *out, const char *text); /* for HTML and SVG */

Sheet *sheet_of_model(Arena *arena, const Report *report);
/* A row a network; with its stages below. */
Sheet *sheet_of_networks(Arena *arena, Report *const *reports, int n);
Sheet *sheet_of_comparison(Arena *arena, const Comparison *comparison);

void json_report(const Report *report, Text *out);
void json_comparison(const Comparison *comparison, Text *out);
/* One row of a table as an object: the columns' keys, and what CSV would say. */
void json_sheet_row(const Sheet *sheet, int row, Text *out);
void json_number(Text *out, bool known, double number);

/* ---- the table of published networks ----------------------------------- */

/* A row of models/published.tsv and what we count. NAN: not published. */
typedef struct Published {
    const char *name, *file, *family, *remark;
    double gmacs, mparams, top1;
    const Report *ours;
} Published;

typedef struct Paper {
    VEC(Published) rows;
} Paper;

/* The table with our counts. NULL with diag. `folder` is that of the models. */
Paper *paper_read(Context *c, const char *folder);
Sheet *sheet_of_paper(Arena *arena, const Paper *paper);
void json_paper(const Paper *paper, Text *out);
/* Published top-1 against our counts, as an SVG. */
void plot_paper(Arena *arena, const Paper *paper, Text *out);

#endif
