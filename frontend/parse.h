/* What the lexer and the parser share while one file is read. */
#ifndef VTC_FRONTEND_PARSE_H
#define VTC_FRONTEND_PARSE_H

#include "frontend/ast.h"

typedef struct Bracket {
    char open; /* ( [ { */
    Span span;
} Bracket;

typedef struct Parser {
    Arena *arena;
    Diag *diag;
    File *file;
    size_t offset; /* of the next token */
    Bracket brackets[LIMIT_NESTING];
    int depth;
    size_t mute_until; /* syntax errors before are follow-ups of a broken token */
    bool line_ended; /* the last token ended a statement */
    bool damaged;    /* in this module, a statement was lost to an error */
    bool gave_up;    /* too many errors or too deep: the rest is not read */
} Parser;

/* parser.y; fills parser->file from its source. */
void file_parse(Parser *parser);

/* An error with the import chain as notes. */
Message *parse_error(Parser *parser, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void parser_give_up(Parser *parser, Span span, const char *why);

/* Brackets, for newlines inside them and for "opened here". */
void parser_open(Parser *parser, char open, Span span);
void parser_close(Parser *parser, char close);
/* Forgets open ( and [ back to the innermost block: after a syntax error the
 * next line starts a statement. */
void parser_drop_parens(Parser *parser);

/* Text of tokens, checked; the lexer's actions (lex_text.c). */
bool lex_integer(Parser *parser, Span span, int64_t *value);
bool lex_real(Parser *parser, Span span, double *value);
Name lex_name(Parser *parser, Span span);
/* The span holds the quotes; NULL after an error. */
const char *lex_string(Parser *parser, Span span);
const char *lex_docstring(Parser *parser, Span span);

#endif
