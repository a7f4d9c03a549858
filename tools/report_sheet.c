/* A table as text, CSV (RFC 4180) and HTML: one content, so that forms agree. */
#include "tools/report.h"
#include <math.h>
#include <string.h>

Cell cell_text(const char *text)
{
    return (Cell){.text = text, .known = true};
}

Cell cell_number(double number)
{
    return (Cell){.number = number, .known = !isnan(number)};
}

/* As people read it. */
static const char *cell_shown(Arena *arena, const Column *column, const Cell *cell)
{
    if (column->is_text)
        return cell->text ? cell->text : "";
    if (!cell->known)
        return "";
    double shift = pow(10, column->decimals);
    double rounded = round(cell->number / column->scale * shift) / shift;
    return arena_printf(arena, "%.*f", column->decimals, rounded + 0.0); /* no -0 */
}

/* Characters, not bytes, of UTF-8. */
static int width_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += (*text & 0xc0) != 0x80;
    return n;
}

/* ---- text -------------------------------------------------------------- */

static int column_width(const Sheet *sheet, int column, Arena *arena)
{
    int widest = width_of(sheet->column[column].heading);
    for (int i = 0; i < sheet->rows.n; i++) {
        const Cell *cell = &sheet->rows.at[i].cell[column];
        int width = width_of(cell_shown(arena, &sheet->column[column], cell));
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void text_padded(Text *out, const char *text, int width, bool right)
{
    int pad = width - width_of(text);
    text_printf(out, "%*s%s%*s", right ? pad : 0, "", text, right ? 0 : pad, "");
}

static void end_line(Text *out)
{
    while (out->n > 0 && out->at[out->n - 1] == ' ')
        out->n--;
    text_add(out, "\n");
}

/* A line of cells, or (row NULL) of headings. */
static void text_line(const Sheet *sheet, const SheetRow *row, const int *widths, Text *out)
{
    bool first = true;
    for (int k = 0; k < sheet->columns; k++) {
        const Column *column = &sheet->column[k];
        if (!column->heading)
            continue;
        text_add(out, first ? "" : "  ");
        text_padded(out, row ? cell_shown(out->arena, column, &row->cell[k]) : column->heading,
                    widths[k], !column->is_text);
        first = false;
    }
    end_line(out);
}

static void text_rule(const int *widths, int n, Text *out)
{
    int length = -2;
    for (int k = 0; k < n; k++)
        length += widths[k] ? widths[k] + 2 : 0;
    for (int i = 0; i < length; i++)
        text_add(out, "-");
    text_add(out, "\n");
}

/* Lines of at most 96 characters. */
static void text_wrapped(const char *text, Text *out)
{
    int column = 0;
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column > 0 && column + 1 + n > 96) {
            text_add(out, "\n");
            column = 0;
        }
        text_add(out, column > 0 ? " " : "");
        text_addn(out, text, (size_t)n);
        column += n + (column > 0);
        text += n + (text[n] == ' ');
    }
    text_add(out, "\n");
}

void sheet_text(const Sheet *sheet, Text *out)
{
    int widths[MAX_COLUMNS] = {0};
    for (int k = 0; k < sheet->columns; k++)
        if (sheet->column[k].heading)
            widths[k] = column_width(sheet, k, out->arena);
    text_printf(out, "%s\n\n", sheet->title);
    text_line(sheet, NULL, widths, out);
    for (int i = 0; i < sheet->rows.n; i++) {
        if (sheet->rows.at[i].ruled || i == 0)
            text_rule(widths, sheet->columns, out);
        text_line(sheet, &sheet->rows.at[i], widths, out);
    }
    text_add(out, "\n");
    for (int i = 0; i < sheet->notes.n; i++)
        text_wrapped(sheet->notes.at[i], out);
}

/* ---- CSV --------------------------------------------------------------- */

static void csv_field(Text *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        text_add(out, text);
        return;
    }
    text_add(out, "\"");
    for (; *text; text++)
        text_addn(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    text_add(out, "\"");
}

static void csv_cell(const Column *column, const Cell *cell, Text *out)
{
    if (column->is_text)
        csv_field(out, cell->text ? cell->text : "");
    else
        json_number(out, cell->known, cell->number);
}

void sheet_csv(const Sheet *sheet, bool headings, Text *out)
{
    for (int k = 0; headings && k < sheet->columns; k++) {
        text_add(out, k ? "," : "");
        csv_field(out, sheet->column[k].key);
    }
    text_add(out, headings ? "\n" : "");
    for (int i = 0; i < sheet->rows.n; i++) {
        for (int k = 0; k < sheet->columns; k++) {
            text_add(out, k ? "," : "");
            const Cell *cell = &sheet->rows.at[i].cell[k];
            if (cell->known)
                csv_cell(&sheet->column[k], cell, out);
        }
        text_add(out, "\n");
    }
}

/* ---- HTML -------------------------------------------------------------- */

void text_escaped(Text *out, const char *text)
{
    static const char *const entity[256] = {
        ['<'] = "&lt;", ['>'] = "&gt;", ['&'] = "&amp;", ['"'] = "&quot;"};
    for (; *text; text++) {
        const char *as = entity[(unsigned char)*text];
        text_addn(out, as ? as : text, as ? strlen(as) : 1);
    }
}

static void html_element(Text *out, const char *name, const char *text)
{
    text_printf(out, "<%s>", name);
    text_escaped(out, text);
    text_printf(out, "</%s>", name);
}

static void html_row(const Sheet *sheet, const SheetRow *row, Text *out)
{
    text_add(out, !row || !row->ruled ? "<tr>" : "<tr class=\"sum\">");
    for (int k = 0; k < sheet->columns; k++) {
        const Column *column = &sheet->column[k];
        if (!column->heading)
            continue;
        const char *element = row ? "td" : "th";
        text_printf(out, "<%s%s>", element, column->is_text ? " class=\"text\"" : "");
        text_escaped(out, row ? cell_shown(out->arena, column, &row->cell[k]) : column->heading);
        text_printf(out, "</%s>", element);
    }
    text_add(out, "</tr>\n");
}

void sheet_html(const Sheet *sheet, Text *out)
{
    html_element(out, "h2", sheet->title);
    text_add(out, "\n<table>\n<thead>\n");
    html_row(sheet, NULL, out);
    text_add(out, "</thead>\n<tbody>\n");
    for (int i = 0; i < sheet->rows.n; i++)
        html_row(sheet, &sheet->rows.at[i], out);
    text_add(out, "</tbody>\n</table>\n");
    for (int i = 0; i < sheet->notes.n; i++) {
        html_element(out, "p", sheet->notes.at[i]);
        text_add(out, "\n");
    }
}

void page_begin(const char *title, Text *out)
{
    text_add(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    html_element(out, "title", title);
    text_add(out,
             "\n<style>\n"
             "body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 82em;\n"
             "       padding: 0 1em; color: #1c2430; background: #fff }\n"
             "h1 { font-size: 1.6em } h2 { font-size: 1.2em; margin-top: 2em }\n"
             "p { max-width: 60em; margin: 0.5em 0; color: #46505e }\n"
             "table { border-collapse: collapse; font-variant-numeric: tabular-nums }\n"
             "th, td { padding: 0.15em 0.8em; text-align: right; white-space: nowrap }\n"
             "th { border-bottom: 2px solid #1c2430; position: sticky; top: 0;\n"
             "     background: #fff }\n"
             "td { border-bottom: 1px solid #e2e6ec } tr:hover td { background: #f3f6fa }\n"
             "tr.sum td { border-top: 2px solid #1c2430 }\n"
             ".text { text-align: left } svg { max-width: 100%; height: auto }\n"
             "</style>\n</head>\n<body>\n");
    html_element(out, "h1", title);
    text_add(out, "\n");
}

void page_end(Text *out)
{
    text_add(out, "</body>\n</html>\n");
}
