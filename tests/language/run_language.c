/* Runs the language's programs:
 *   run_language [--update] good DIR    each DIR/x.vt gives the graph in x.graph,
 *                                       and its printed AST parses to itself
 *   run_language [--update] bad DIR     each DIR/x.vt gives the messages that its
 *                                       lines announce, and no others
 *   run_language docs FILE.md DIR       each program in FILE.md is accepted
 * A line announces what stands on it with `// error: TEXT`, `// warning: TEXT`,
 * `// note: TEXT`, any number of them; a message without a place belongs to the
 * last line. --update writes what is found instead of comparing. */
#define _XOPEN_SOURCE 700
#include "frontend/ast.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool update;

static char *file_text(Arena *arena, const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    char *text = NEW(arena, char, *length + 1);
    *length = fread(text, 1, *length, file);
    fclose(file);
    return text;
}

static void file_write(const char *path, const char *text, size_t length)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(text, 1, length, file) != length || fclose(file) != 0) {
        fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
        exit(1);
    }
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t n = strlen(name), k = strlen(suffix);
    return n > k && strcmp(name + n - k, suffix) == 0;
}

static bool text_equals(Arena *arena, const char *path, const char *text)
{
    size_t length = 0;
    if (update) {
        file_write(path, text, strlen(text));
        return true;
    }
    const char *expected = file_text(arena, path, &length);
    if (expected && strcmp(expected, text) == 0)
        return true;
    printf("%s differs; found:\n%s\n", path, text);
    return false;
}

/* ---- good -------------------------------------------------------------- */

static const char *ast_text(Arena *arena, Diag *diag, const Source *source)
{
    Text out = text_new(arena);
    ast_print(frontend_parse_text(arena, diag, source, 1), &out);
    return text_str(&out);
}

/* The printed AST of a file is a program with the same printed AST. */
static bool ast_returns(Arena *arena, const char *path)
{
    Diag *diag = diag_new(arena);
    size_t length = 0;
    const char *text = file_text(arena, path, &length);
    Source first = {"a.vt", text, length};
    const char *once = ast_text(arena, diag, &first);
    Source second = {"a.vt", once, strlen(once)};
    if (strcmp(once, ast_text(arena, diag, &second)) == 0)
        return true;
    printf("%s: the printed AST does not parse to itself:\n%s\n", path, once);
    return false;
}

static bool good_run(Arena *arena, const char *path)
{
    Diag *diag = diag_new(arena);
    Graph *graph = frontend_load(arena, diag, path, NULL);
    if (!graph || diag->messages.n) {
        diag_print(diag, stdout, 0);
        return false;
    }
    Text text = text_new(arena), errors = text_new(arena);
    graph_print(graph, (PrintStyle){.locations = true}, &text);
    if (!graph_verify(graph, &errors)) {
        printf("%s: %s\n", path, text_str(&errors));
        return false;
    }
    const char *stem = arena_strndup(arena, path, strlen(path) - 3);
    return text_equals(arena, arena_printf(arena, "%s.graph", stem), text_str(&text)) &&
           ast_returns(arena, path);
}

/* ---- bad --------------------------------------------------------------- */

typedef struct Expected {
    const char *kind, *text, *path;
    int line;
    bool met;
} Expected;

typedef struct Run {
    Arena *arena;
    const Ast *ast;
    VEC(Expected) expected; /* what the files announce */
    VEC(Expected) found;    /* what was reported */
} Run;

static const char *const kinds[] = {"error", "warning", "note"};

/* Start of the next announcement in [at, end), or NULL. */
static const char *announcement(const char *at, const char *end, const char **kind)
{
    for (; at + 3 < end; at++)
        for (int k = 0; k < 3; k++) {
            size_t n = strlen(kinds[k]);
            bool here = strncmp(at, "// ", 3) == 0 &&
                        strncmp(at + 3, kinds[k], n) == 0 &&
                        strncmp(at + 3 + n, ": ", 2) == 0;
            if (here) {
                *kind = kinds[k];
                return at;
            }
        }
    return NULL;
}

static const char *line_end(const Source *source, const char *at)
{
    const char *stop = source->text + source->length;
    const char *end = memchr(at, '\n', (size_t)(stop - at));
    return end ? end : stop;
}

static void line_read(Run *run, const Source *source, const char *at, int line)
{
    const char *end = line_end(source, at), *kind;
    for (const char *start = announcement(at, end, &kind); start;) {
        const char *text = start + 3 + strlen(kind) + 2, *next_kind = kind;
        const char *next = announcement(text, end, &next_kind);
        const char *stop = next ? next : end;
        while (stop > text && stop[-1] == ' ')
            stop--;
        Expected e = {kind, arena_strndup(run->arena, text, (size_t)(stop - text)),
                      source->path, line, false};
        VEC_PUSH(run->arena, run->expected, e);
        start = next;
        kind = next_kind;
    }
}

static int line_count(const Source *source)
{
    int lines = 1;
    for (size_t i = 0; i + 1 < source->length; i++)
        lines += source->text[i] == '\n';
    return lines;
}

static void expected_read(Run *run)
{
    for (int i = 0; i < run->ast->files.n; i++) {
        const Source *source = run->ast->files.at[i]->source;
        const char *at = source->text, *stop = at + source->length;
        for (int line = 1; at < stop; line++) {
            line_read(run, source, at, line);
            at = line_end(source, at) + 1;
        }
    }
}

static void found_add(Run *run, const char *kind, Span span, const char *text)
{
    int line = 0, column = 0;
    const Source *source = span.source ? span.source : run->ast->files.at[0]->source;
    int last = line_count(source);
    if (span.source)
        span_position(span, &line, &column);
    Expected found = {kind, text, source->path,
                      !span.source || line > last ? last : line, false};
    VEC_PUSH(run->arena, run->found, found);
}

static void found_read(Run *run, const Diag *diag)
{
    for (int i = 0; i < diag->messages.n; i++) {
        const Message *message = diag->messages.at[i];
        found_add(run, message->is_error ? "error" : "warning", message->span,
                  message->text);
        for (int k = 0; k < message->notes.n; k++)
            found_add(run, "note", message->notes.at[k].span,
                      message->notes.at[k].text);
    }
}

static bool expected_meets(Expected *expected, const Expected *found)
{
    return !expected->met && expected->line == found->line &&
           strcmp(expected->kind, found->kind) == 0 &&
           strcmp(expected->path, found->path) == 0 &&
           strcmp(expected->text, found->text) == 0;
}

static bool found_compare(Run *run)
{
    bool ok = true;
    for (int i = 0; i < run->found.n; i++) {
        Expected *found = &run->found.at[i];
        for (int k = 0; k < run->expected.n && !found->met; k++)
            if (expected_meets(&run->expected.at[k], found))
                found->met = run->expected.at[k].met = true;
        if (!found->met)
            printf("%s:%d: not expected: %s: %s\n", found->path, found->line,
                   found->kind, found->text);
        ok &= found->met;
    }
    for (int i = 0; i < run->expected.n; i++) {
        const Expected *e = &run->expected.at[i];
        if (!e->met)
            printf("%s:%d: did not come: %s: %s\n", e->path, e->line, e->kind, e->text);
        ok &= e->met;
    }
    return ok;
}

static void file_update(Run *run, const Source *source)
{
    Text out = text_new(run->arena);
    const char *at = source->text, *stop = at + source->length, *kind;
    for (int line = 1; at < stop; line++) {
        const char *end = line_end(source, at);
        const char *first = announcement(at, end, &kind);
        const char *keep = first ? first : end;
        while (first && keep > at && keep[-1] == ' ')
            keep--;
        text_addn(&out, at, (size_t)(keep - at));
        for (int i = 0; i < run->found.n; i++) {
            const Expected *f = &run->found.at[i];
            if (f->line == line && strcmp(f->path, source->path) == 0)
                text_printf(&out, " // %s: %s", f->kind, f->text);
        }
        text_add(&out, end < stop ? "\n" : "");
        at = end + 1;
    }
    file_write(source->path, out.at, out.n);
}

/* Where NAME.txt stands beside NAME.vt, it has the whole print, carets too. */
static bool print_compare(Run *run, const Diag *diag, const char *path)
{
    const char *stem = arena_strndup(run->arena, path, strlen(path) - 3);
    const char *golden = arena_printf(run->arena, "%s.txt", stem);
    char *text = NULL;
    size_t length = 0;
    struct stat info;
    if (stat(golden, &info) != 0)
        return true;
    FILE *stream = open_memstream(&text, &length);
    diag_print(diag, stream, 0);
    fclose(stream);
    bool ok = text_equals(run->arena, golden, text);
    free(text);
    return ok;
}

static bool bad_run(Arena *arena, const char *path)
{
    Diag *diag = diag_new(arena);
    Run run = {.arena = arena, .ast = frontend_parse(arena, diag, path)};
    Graph *graph = frontend_elaborate(arena, diag, run.ast, NULL);
    if ((graph != NULL) != (diag->errors == 0)) {
        printf("%s: %d errors but %s graph\n", path, diag->errors, graph ? "a" : "no");
        return false;
    }
    if (diag->messages.n == 0) {
        printf("%s: nothing is wrong with it\n", path);
        return false;
    }
    found_read(&run, diag);
    for (int i = 0; update && i < run.ast->files.n; i++)
        file_update(&run, run.ast->files.at[i]->source);
    if (update) /* announcements are part of the lines that are printed */
        return print_compare(&run, diag, path);
    expected_read(&run);
    bool found = found_compare(&run), printed = print_compare(&run, diag, path);
    return found && printed;
}

/* ---- docs -------------------------------------------------------------- */

/* Blocks begin with ```vt NAME; NAME is a file beside the others, NAME.vt with a
 * model is a program of its own, the rest are what programs import or read. */
static void docs_extract(Arena *arena, const char *doc, const char *dir)
{
    const char *mark = "\n```vt ";
    for (const char *at = strstr(doc, mark); at; at = strstr(at, mark)) {
        const char *name = at + strlen(mark), *line = strchr(name, '\n');
        const char *end = line ? strstr(line, "\n```") : NULL;
        if (!end) {
            printf("a program in the document is not closed\n");
            exit(1);
        }
        const char *path = arena_printf(arena, "%s/%.*s", dir, (int)(line - name), name);
        const char *slash = strrchr(path, '/');
        mkdir(arena_strndup(arena, path, (size_t)(slash - path)), 0777);
        file_write(path, line + 1, (size_t)(end - line));
        at = end;
    }
}

static bool docs_accepted(Arena *arena, const char *path)
{
    Diag *diag = diag_new(arena);
    const Ast *ast = frontend_parse(arena, diag, path);
    bool model = false;
    for (int i = 0; ast->files.n && i < ast->files.at[0]->modules.n; i++)
        model |= ast->files.at[0]->modules.at[i]->is_model;
    if (model)
        frontend_elaborate(arena, diag, ast, NULL);
    diag_print(diag, stdout, 0);
    return diag->messages.n == 0;
}

/* ---- all of a folder --------------------------------------------------- */

typedef bool RunOne(Arena *arena, const char *path);

static int is_program(const struct dirent *entry)
{
    return has_suffix(entry->d_name, ".vt");
}

static int folder_run(const char *dir, RunOne *run, int at_least)
{
    struct dirent **entries;
    int n = scandir(dir, &entries, is_program, alphasort), failures = 0;
    for (int i = 0; i < n; i++) {
        Arena *arena = arena_new();
        if (!run(arena, arena_printf(arena, "%s/%s", dir, entries[i]->d_name)))
            failures++;
        arena_free(arena);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    printf("%s: %d programs, %d failures\n", dir, n, failures);
    return failures || n < at_least;
}

static int docs_run(const char *file, const char *dir)
{
    Arena *arena = arena_new();
    size_t length = 0;
    mkdir(dir, 0777);
    const char *doc = file_text(arena, file, &length);
    if (doc)
        docs_extract(arena, doc, dir);
    arena_free(arena);
    return !doc || folder_run(dir, docs_accepted, 9);
}

int main(int argc, char **argv)
{
    update = argc > 1 && strcmp(argv[1], "--update") == 0;
    argc -= update;
    argv += update;
    if (argc == 3 && strcmp(argv[1], "good") == 0)
        return folder_run(argv[2], good_run, 10);
    if (argc == 3 && strcmp(argv[1], "bad") == 0)
        return folder_run(argv[2], bad_run, 100);
    if (argc == 4 && strcmp(argv[1], "docs") == 0)
        return docs_run(argv[2], argv[3]);
    fprintf(stderr, "usage: run_language [--update] good|bad DIR\n"
                    "       run_language docs FILE.md DIR\n");
    return 2;
}
