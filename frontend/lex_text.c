/* The text of tokens, checked and turned into values, and the parser's errors:
 * what lexer.l and parser.y need in plain C. */
#include "frontend/parse.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

Message *parse_error(Parser *parser, Span span, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *text = NEW(parser->arena, char, n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);

    int before = parser->diag->messages.n;
    Message *message = diag_error(parser->diag, span, "%s", text);
    if (parser->diag->messages.n > before)
        file_note_imports(parser->diag, message, parser->file);
    if (parser->diag->errors >= LIMIT_ERRORS)
        parser_give_up(parser, span, "too many errors: the rest is not read");
    return message;
}

void parser_give_up(Parser *parser, Span span, const char *why)
{
    if (!parser->gave_up)
        diag_error(parser->diag, span, "%s", why);
    parser->gave_up = true;
    parser->file->damaged = true;
}

/* ---- brackets ---------------------------------------------------------- */

void parser_open(Parser *parser, char open, Span span)
{
    if (parser->depth == LIMIT_NESTING)
        parser_give_up(parser, span,
                       "brackets and blocks are nested more than 200 deep");
    else
        parser->brackets[parser->depth++] = (Bracket){open, span};
}

void parser_close(Parser *parser, char close)
{
    char open = close == ')' ? '(' : close == ']' ? '[' : '{';
    if (open == '{') /* a block's end closes what was forgotten inside */
        parser_drop_parens(parser);
    if (parser->depth && parser->brackets[parser->depth - 1].open == open)
        parser->depth--;
}

void parser_drop_parens(Parser *parser)
{
    while (parser->depth && parser->brackets[parser->depth - 1].open != '{')
        parser->depth--;
}

/* ---- values of tokens -------------------------------------------------- */

static char *span_text(Arena *arena, Span span)
{
    return arena_strndup(arena, span.source->text + span.begin,
                         span.end - span.begin);
}

bool lex_integer(Parser *parser, Span span, int64_t *value)
{
    errno = 0;
    *value = strtoll(span_text(parser->arena, span), NULL, 10);
    if (errno == ERANGE)
        parse_error(parser, span, "this integer is out of range (64 bits)");
    return errno != ERANGE;
}

bool lex_real(Parser *parser, Span span, double *value)
{
    *value = strtod(span_text(parser->arena, span), NULL);
    if (!isfinite(*value))
        parse_error(parser, span, "this number is out of range");
    return isfinite(*value);
}

Name lex_name(Parser *parser, Span span)
{
    size_t length = span.end - span.begin;
    if (length > LIMIT_NAME) {
        parse_error(parser, span, "this name is longer than %d characters",
                    LIMIT_NAME);
        length = LIMIT_NAME;
    }
    const char *text = span.source->text + span.begin;
    return (Name){arena_strndup(parser->arena, text, length), span};
}

/* Bytes between the quotes; false and an error when they cannot be a C string
 * of acceptable length. */
static bool content_ok(Parser *parser, Span span, size_t quotes)
{
    const char *text = span.source->text + span.begin;
    size_t length = span.end - span.begin;
    if (memchr(text, '\0', length))
        parse_error(parser, span, "NUL byte in a string");
    else if (length > LIMIT_STRING + 2 * quotes)
        parse_error(parser, span, "this string is longer than %d bytes",
                    LIMIT_STRING);
    else
        return true;
    return false;
}

/* What stands for \c; '\0' and an error when nothing does. */
static char escape_value(Parser *parser, Span span, char c)
{
    switch (c) {
    case 'n': return '\n';
    case 't': return '\t';
    case '"': return '"';
    case '\\': return '\\';
    }
    parse_error(parser, span, "unknown escape: only \\n \\t \\\" \\\\ are there");
    return '\0';
}

const char *lex_string(Parser *parser, Span span)
{
    if (!content_ok(parser, span, 1))
        return NULL;
    bool ok = true;
    char *out = NEW(parser->arena, char, span.end - span.begin), *to = out;
    for (size_t i = span.begin + 1; i + 1 < span.end; i++) {
        char c = span.source->text[i];
        if (c == '\\') {
            Span escape = {span.source, i, i + 2};
            c = escape_value(parser, escape, span.source->text[++i]);
            ok &= c != '\0';
        }
        *to++ = c;
    }
    return ok ? out : NULL;
}

const char *lex_docstring(Parser *parser, Span span)
{
    if (!content_ok(parser, span, 3))
        return "";
    span.begin += 3;
    span.end -= 3;
    return span_text(parser->arena, span);
}
