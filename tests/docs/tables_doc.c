/* docs/operators.md and the table of docs/passes.md, made from the tables, and
 * compared with what is in the tree.
 *
 *     tables_doc DOCS_FOLDER [--update] */
#include "backends/onnx/onnx.h"
#include "passes/pass.h"
#include "support/file.h"
#include "support/text.h"
#include <stdlib.h>
#include <string.h>

static const char begin_mark[] = "<!-- made from the table -->\n";
static const char end_mark[] = "<!-- end -->\n";

static void add_cell(Text *out, const char *text)
{
    for (; *text; text++)
        text_printf(out, *text == '|' ? "\\%c" : "%c", *text);
}

static void add_attributes(Text *out, Op op)
{
    const char *between = "";
    for (int id = 0; id < ATTR_COUNT; id++)
        if (op_has(op, (AttrId)id)) {
            text_printf(out, "%s`%s`", between, attr_info[id].name);
            between = " ";
        }
}

static void add_operators(Text *out)
{
    text_add(out, "| operator | arguments | attributes | what it computes | in ONNX |\n|---|---|---|---|---|\n");
    for (int op = 0; op < OP_COUNT; op++) {
        const OpInfo *info = &op_info[op];
        text_printf(out, "| `%s` | %d", info->name, info->min_args);
        if (info->max_args != info->min_args)
            text_printf(out, " to %d", info->max_args);
        text_add(out, " | ");
        add_attributes(out, (Op)op);
        text_add(out, " | ");
        add_cell(out, info->doc);
        text_printf(out, " | %s |\n", onnx_spelling((Op)op));
    }
    text_add(out, "\n## Attributes\n\n| attribute | what it says |\n|---|---|\n");
    for (int id = 0; id < ATTR_COUNT; id++) {
        text_printf(out, "| `%s` | ", attr_info[id].name);
        add_cell(out, attr_info[id].doc);
        text_add(out, " |\n");
    }
}

static void add_facts(Text *out, int facts)
{
    const char *between = "";
    for (int i = 0; facts >> i; i++)
        if (facts >> i & 1) {
            text_printf(out, "%s%s", between, fact_name[i]);
            between = ", ";
        }
}

static void add_passes(Text *out)
{
    text_add(out, "| pass | over | what it does | needs | makes |\n|---|---|---|---|---|\n");
    for (int i = 0; i < pass_count; i++) {
        const PassInfo *p = &pass_table[i];
        text_printf(out, "| `%s`%s | %s | ", p->name, p->required ? "" : " (optional)",
                    p->graph ? "graph" : p->program ? "program" : "graph to program");
        add_cell(out, p->doc);
        text_add(out, " | ");
        add_facts(out, p->needs);
        text_add(out, " | ");
        add_facts(out, p->makes);
        text_add(out, " |\n");
    }
}

static char *file_text(Arena *arena, const char *path)
{
    const Source *source = source_read(arena, diag_new(arena), (Span){0}, path);
    return source ? arena_strdup(arena, source->text) : NULL;
}

/* Between the marks of the file: what `add` says. */
static bool check(const char *folder, const char *name, void (*add)(Text *), bool update)
{
    Arena *arena = arena_new();
    const char *path = arena_printf(arena, "%s/%s", folder, name);
    char *text = file_text(arena, path);
    char *first = text ? strstr(text, begin_mark) : NULL;
    char *last = first ? strstr(first, end_mark) : NULL;
    if (!last) {
        fprintf(stderr, "%s: no table between its marks\n", path);
        return false;
    }
    Text made = text_new(arena);
    text_printf(&made, "%.*s%s", (int)(first - text), text, begin_mark);
    add(&made);
    text_add(&made, last);
    bool same = strcmp(text_str(&made), text) == 0;
    if (!same && update) {
        FILE *file = fopen(path, "wb");
        same = file && fputs(text_str(&made), file) >= 0 && fclose(file) == 0;
    } else if (!same) {
        fprintf(stderr, "%s: its table is not what the tables say; run with --update\n", path);
    }
    arena_free(arena);
    return same;
}

int main(int argc, char **argv)
{
    bool update = argc > 2 && strcmp(argv[2], "--update") == 0;
    if (argc < 2)
        return 2;
    bool operators = check(argv[1], "operators.md", add_operators, update);
    bool passes = check(argv[1], "passes.md", add_passes, update);
    return operators && passes ? 0 : 1;
}
