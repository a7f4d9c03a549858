/* Frontend: text and files in, Graph out. This header is the language's side:
 * a .vt file with all it imports becomes an AST, then a Graph whose weights are
 * OP_weight values with names and types and no data (weights.h binds them). */
#ifndef VTC_FRONTEND_FRONTEND_H
#define VTC_FRONTEND_FRONTEND_H

#include "ir/graph.h"

typedef struct Ast Ast;

/* The model of a .vt file as a graph. `model` chooses one by name; NULL takes
 * the only one (several are an error that lists them). NULL, and the reasons in
 * diag, when there is any error; warnings alone do not stop it. */
Graph *frontend_load(Arena *arena, Diag *diag, const char *path,
                     const char *model);

/* The same with more outputs: the values that statements of these full labels made
 * ("layer4.vt1.attention", several joined by commas), each an output of its label's
 * name. NULL: none. */
Graph *frontend_load_outputs(Arena *arena, Diag *diag, const char *path,
                             const char *model, const char *labels);

/* The same from memory: files[0] is the main file; imports and label files are
 * looked for among `files` by path, the disk is not touched. */
Graph *frontend_load_text(Arena *arena, Diag *diag, const Source *files, int n,
                          const char *model);

/* Parsed, not elaborated: a file and its imports, in order of first mention.
 * Never NULL; with syntax errors in diag it holds what could be read. */
Ast *frontend_parse(Arena *arena, Diag *diag, const char *path);
Ast *frontend_parse_text(Arena *arena, Diag *diag, const Source *files, int n);
Graph *frontend_elaborate(Arena *arena, Diag *diag, const Ast *ast,
                          const char *model);
Graph *frontend_elaborate_outputs(Arena *arena, Diag *diag, const Ast *ast,
                                  const char *model, const char *labels);

/* ast_print.c: canonical text of every file (`dump --stage=ast`); parsing it
 * again gives the same text. */
void ast_print(const Ast *ast, Text *out);

#endif
