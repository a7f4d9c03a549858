/* vtc report: what networks cost, one by one, together, side by side, or beside what
 * was published. */
#include "tools/report.h"
#include <stdio.h>
#include <string.h>

#ifndef VTC_MODELS_DIR
#define VTC_MODELS_DIR "models"
#endif

typedef enum Format { FORMAT_table, FORMAT_json, FORMAT_csv, FORMAT_html, FORMAT_svg } Format;
enum { FORMATS = FORMAT_svg + 1 };
static const char *const format_name[FORMATS] = {"table", "json", "csv", "html", "svg"};

static int format_of(const char *name)
{
    for (int i = 0; i < FORMATS; i++)
        if (strcmp(name, format_name[i]) == 0)
            return i;
    return -1;
}

/* ---- the forms --------------------------------------------------------- */

/* A sheet that stands alone, in the forms that need to know no more. */
static void print_sheet(const Sheet *sheet, Format format, Text *out)
{
    if (format == FORMAT_csv) {
        sheet_csv(sheet, true, out);
    } else if (format == FORMAT_html) {
        page_begin(sheet->title, out);
        sheet_html(sheet, out);
        page_end(out);
    } else {
        sheet_text(sheet, out);
    }
}

static void print_json(Report *const *reports, int n, Text *out)
{
    for (int i = 0; i < n; i++) {
        text_add(out, n == 1 ? "" : i ? ",\n" : "[\n");
        json_report(reports[i], out);
    }
    text_add(out, n == 1 ? "" : "]\n");
}

static void print_html(Arena *arena, Report *const *reports, int n, Text *out)
{
    page_begin(n == 1 ? reports[0]->model : arena_printf(arena, "%d networks", n), out);
    if (n > 1)
        sheet_html(sheet_of_networks(arena, reports, n), out);
    for (int i = 0; i < n; i++)
        sheet_html(sheet_of_model(arena, reports[i]), out);
    page_end(out);
}

static void print_networks(Arena *arena, Report *const *reports, int n, Format format, Text *out)
{
    switch (format) {
    case FORMAT_json: print_json(reports, n, out); break;
    case FORMAT_html: print_html(arena, reports, n, out); break;
    case FORMAT_csv:
        for (int i = 0; i < n; i++)
            sheet_csv(sheet_of_model(arena, reports[i]), i == 0, out);
        break;
    case FORMAT_table:
        sheet_text(n == 1 ? sheet_of_model(arena, reports[0])
                          : sheet_of_networks(arena, reports, n), out);
        break;
    case FORMAT_svg: bug("report: networks as a picture");
    }
}

static void print_comparison(Arena *arena, Report *const *reports, int n, Format format,
                             Text *out)
{
    const Comparison *comparison = report_compare(arena, reports, n);
    if (format == FORMAT_json)
        json_comparison(comparison, out);
    else
        print_sheet(sheet_of_comparison(arena, comparison), format, out);
}

static void print_paper(Arena *arena, const Paper *paper, Format format, Text *out)
{
    const Sheet *sheet = sheet_of_paper(arena, paper);
    if (format == FORMAT_json) {
        json_paper(paper, out);
    } else if (format == FORMAT_svg) {
        plot_paper(arena, paper, out);
    } else if (format == FORMAT_html) {
        page_begin(sheet->title, out);
        plot_paper(arena, paper, out);
        sheet_html(sheet, out);
        page_end(out);
    } else {
        print_sheet(sheet, format, out);
    }
}

/* ---- the command ------------------------------------------------------- */

static const char *wrong_call(const Context *c)
{
    const CommandOptions *o = &c->o;
    int format = format_of(o->format ? o->format : "table");
    if (format < 0)
        return "--format is none of: table json csv html svg";
    if (o->paper && o->compare)
        return "--paper and --compare exclude each other";
    if (o->paper && o->model_count > 0)
        return "--paper takes no model: it reports those of published.tsv";
    if (!o->paper && o->model_count == 0)
        return "a model is missing";
    if (!o->paper && o->models_dir)
        return "--models is for --paper";
    if (!o->paper && format == FORMAT_svg)
        return "--format=svg is for --paper";
    if (o->compare && (o->model_count < 2 || o->model_count > MAX_COMPARED))
        return "--compare takes two to four models";
    return NULL;
}

/* Standard output, or the file of -o: whole or not at all. */
static bool write_out(Context *c, const Text *text)
{
    OutFile *file = outfile_open(c->arena, c->o.out ? c->o.out : "-", c->diag);
    if (!file)
        return false;
    outfile_write(file, text_str(text), text->n);
    return outfile_close(file, c->diag);
}

static bool report_paper(Context *c, Format format, Text *out)
{
    const Paper *paper = paper_read(c, c->o.models_dir ? c->o.models_dir : VTC_MODELS_DIR);
    if (paper)
        print_paper(c->arena, paper, format, out);
    return paper;
}

/* Every network is tried, so that all that is wrong is said. */
static bool report_models(Context *c, Format format, Text *out)
{
    Report *reports[MAX_MODELS];
    int n = 0;
    for (int i = 0; i < c->o.model_count; i++) {
        reports[n] = report_collect(c, c->o.models[i], true);
        n += reports[n] != NULL;
    }
    if (n < c->o.model_count)
        return false;
    if (c->o.compare)
        print_comparison(c->arena, reports, n, format, out);
    else
        print_networks(c->arena, reports, n, format, out);
    return true;
}

int command_report(Context *c)
{
    const char *wrong = wrong_call(c);
    if (wrong) {
        fprintf(stderr, "vtc: report: %s\n", wrong);
        return EXIT_CALL;
    }
    Format format = (Format)format_of(c->o.format ? c->o.format : "table");
    Text out = text_new(c->arena);
    bool good = c->o.paper ? report_paper(c, format, &out) : report_models(c, format, &out);
    if (!good)
        return context_finish(c, EXIT_INPUT);
    return context_finish(c, write_out(c, &out) ? EXIT_OK : EXIT_ENVIRONMENT);
}
