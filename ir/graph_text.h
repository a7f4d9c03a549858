/* Tokens of the graph's text form, shared by graph_lex.c, graph_parse.c and
 * graph_parse_value.c; nobody else includes this.
 *
 * Every function that returns bool has said what is wrong when it returns
 * false; the statement is given up then and the next line is read. */
#ifndef VTC_IR_GRAPH_TEXT_H
#define VTC_IR_GRAPH_TEXT_H

#include "ir/graph.h"

enum { MOST_ID = 1 << 20 }; /* ids, groups and ports that text may name */

/* What a %name stands for; value NULL: its definition was wrong, and what uses
 * it is not complained about again. */
typedef struct Name {
    const char *key;
    Value *value;
} Name;

typedef struct Parser {
    Arena *arena;
    Diag *diag;
    const Source *source;
    size_t at;
    Graph *graph;
    Name *names; /* open addressing, `capacity` a power of two */
    int name_count, capacity;
    int64_t largest_id;
} Parser;

/* An error from `begin` to where the parser is; returns false. */
bool parse_fail(Parser *p, size_t begin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

char parse_peek(Parser *p);     /* next character after spaces and comments */
bool parse_at_end(Parser *p);   /* of the whole text */
bool parse_line_end(Parser *p); /* nothing but a comment is left on the line */
void parse_skip_line(Parser *p);
bool parse_accept(Parser *p, const char *punctuation);
bool parse_expect(Parser *p, const char *punctuation);
const char *parse_word(Parser *p); /* an identifier, or NULL and nothing said */
bool parse_keyword(Parser *p, const char *word); /* if it comes next */
bool parse_int(Parser *p, int64_t *value);
bool parse_int_in(Parser *p, int64_t low, int64_t high, int64_t *value);
bool parse_real(Parser *p, double *value);
bool parse_quoted(Parser *p, const char **value);
/* [1,2,3], at most `most` (<= MAX_INTS) entries. */
bool parse_ints(Parser *p, int most, Ints *ints);

/* %12 or %name or %"any name": `key` finds it; an id has `name` NULL. */
typedef struct Ref {
    const char *key, *name;
    int64_t id;
    size_t begin;
} Ref;
bool parse_ref(Parser *p, Ref *ref);
const Name *name_find(const Parser *p, const char *key); /* NULL: none */
void name_bind(Parser *p, const char *key, Value *value);

/* graph_parse_value.c: everything after "%x = " on a line; NULL when wrong, or
 * when an argument was. */
Value *parse_definition(Parser *p, const Ref *ref);

#endif
