/* Files of a program: the main file and, each read once, what it imports. Files
 * come from disk or, for tests and the fuzzer, from a list in memory. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "frontend/parse.h"
#include "support/file.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LIMIT_IMPORT_DEPTH = 100 };

typedef struct Loader {
    Arena *arena;
    Diag *diag;
    Ast *ast;
    StrMap by_path; /* canonical path -> File */
    int depth;
} Loader;

/* ---- reading ----------------------------------------------------------- */

static const Source *memory_find(const Ast *ast, const char *path)
{
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    for (int i = 0; i < ast->memory_files; i++)
        if (strcmp(ast->memory[i].path, path) == 0)
            return &ast->memory[i];
    return NULL;
}

static const Source *memory_read(const Ast *ast, Diag *diag, Span span,
                                 const char *path)
{
    const Source *source = memory_find(ast, path);
    if (!source)
        diag_error(diag, span, "there is no file '%s'", path);
    return source;
}

/* A device or a pipe may never end: only regular files of bounded size. */
static bool file_acceptable(Diag *diag, Span span, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return true; /* source_read says why */
    if (!S_ISREG(info.st_mode))
        diag_error(diag, span, "'%s' is not a regular file", path);
    else if (info.st_size > LIMIT_FILE_BYTES)
        diag_error(diag, span, "'%s' is larger than %d MB", path,
                   LIMIT_FILE_BYTES >> 20);
    else
        return true;
    return false;
}

const Source *ast_read(const Ast *ast, Arena *arena, Diag *diag, Span span,
                       const char *path)
{
    if (ast->memory)
        return memory_read(ast, diag, span, path);
    if (!file_acceptable(diag, span, path))
        return NULL;
    return source_read(arena, diag, span, path);
}

/* One name for one file, however it is spelled. */
static const char *path_canonical(const Ast *ast, Arena *arena, const char *path)
{
    if (ast->memory) {
        const Source *source = memory_find(ast, path);
        return source ? source->path : path;
    }
    char *real = realpath(path, NULL);
    const char *canonical = arena_strdup(arena, real ? real : path);
    free(real);
    return canonical;
}

/* ---- imports ----------------------------------------------------------- */

static File *file_load(Loader *loader, const char *path, const File *importer,
                       Span span);

static void cycle_report(Loader *loader, const File *from, const File *to,
                         Span span)
{
    Text chain = text_new(loader->arena);
    text_add(&chain, to->source->path);
    for (const File *file = from; file && file != to; file = file->importer)
        text_printf(&chain, " <- %s", file->source->path);
    text_printf(&chain, " <- %s", to->source->path);
    Message *message =
        diag_error(loader->diag, span, "import cycle: %s", text_str(&chain));
    file_note_imports(loader->diag, message, from);
}

static void import_load(Loader *loader, File *file, Import *import)
{
    if (import->path[0] == '\0') {
        diag_error(loader->diag, import->span, "the path of this import is empty");
        return;
    }
    const char *dir = path_dir(loader->arena, file->source->path);
    const char *path = strcmp(dir, ".") == 0
                           ? import->path
                           : path_join(loader->arena, dir, import->path);
    import->file = file_load(loader, path, file, import->span);
}

static void file_load_imports(Loader *loader, File *file)
{
    file->loading = true;
    loader->depth++;
    for (int i = 0; i < file->imports.n; i++)
        import_load(loader, file, &file->imports.at[i]);
    loader->depth--;
    file->loading = false;
}

static void file_read(Loader *loader, File *file)
{
    const Source *source = file->source;
    if (source->length > LIMIT_FILE_BYTES) {
        diag_error(loader->diag, (Span){NULL, 0, 0}, "'%s' is larger than %d MB",
                   source->path, LIMIT_FILE_BYTES >> 20);
        return;
    }
    Parser *parser = NEW(loader->arena, Parser, 1);
    parser->arena = loader->arena;
    parser->diag = loader->diag;
    parser->file = file;
    file_parse(parser);
    file_load_imports(loader, file);
}

/* The file, read now or before; NULL when it cannot be had. */
static File *file_load(Loader *loader, const char *path, const File *importer,
                       Span span)
{
    const char *key = path_canonical(loader->ast, loader->arena, path);
    File *known = strmap_get(&loader->by_path, key);
    if (known) {
        if (known->loading)
            cycle_report(loader, importer, known, span);
        return known->loading ? NULL : known;
    }
    if (loader->depth >= LIMIT_IMPORT_DEPTH || loader->ast->files.n >= LIMIT_FILES) {
        diag_error(loader->diag, span, "too many imports (%d files, %d deep)",
                   LIMIT_FILES, LIMIT_IMPORT_DEPTH);
        return NULL;
    }
    const Source *source =
        ast_read(loader->ast, loader->arena, loader->diag, span, path);
    if (!source)
        return NULL;
    File *file = NEW(loader->arena, File, 1);
    file->source = source;
    file->importer = importer;
    file->import_span = span;
    *strmap_slot(&loader->by_path, key) = file;
    VEC_PUSH(loader->arena, loader->ast->files, file);
    file_read(loader, file);
    return file;
}

/* ---- entries ----------------------------------------------------------- */

static Ast *program_parse(Arena *arena, Diag *diag, Ast *ast, const char *path)
{
    Loader loader = {arena, diag, ast, {.arena = arena}, 0};
    file_load(&loader, path, NULL, (Span){NULL, 0, 0});
    return ast;
}

Ast *frontend_parse(Arena *arena, Diag *diag, const char *path)
{
    return program_parse(arena, diag, NEW(arena, Ast, 1), path);
}

Ast *frontend_parse_text(Arena *arena, Diag *diag, const Source *files, int n)
{
    Ast *ast = NEW(arena, Ast, 1);
    ast->memory = files;
    ast->memory_files = n;
    return program_parse(arena, diag, ast, files[0].path);
}

Graph *frontend_load(Arena *arena, Diag *diag, const char *path, const char *model)
{
    const Ast *ast = frontend_parse(arena, diag, path);
    return frontend_elaborate(arena, diag, ast, model);
}

Graph *frontend_load_outputs(Arena *arena, Diag *diag, const char *path,
                             const char *model, const char *labels)
{
    const Ast *ast = frontend_parse(arena, diag, path);
    return frontend_elaborate_outputs(arena, diag, ast, model, labels);
}

Graph *frontend_load_text(Arena *arena, Diag *diag, const Source *files, int n,
                          const char *model)
{
    const Ast *ast = frontend_parse_text(arena, diag, files, n);
    return frontend_elaborate(arena, diag, ast, model);
}
