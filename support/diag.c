/* Diagnostics with a place and a caret. */
#include "support/diag.h"
#include "support/strmap.h"
#include "support/text.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

Diag *diag_new(Arena *arena)
{
    Diag *diag = NEW(arena, Diag, 1);
    diag->arena = arena;
    return diag;
}

static const char *format_text(Arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static const char *format_text(Arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *text = arena_alloc(arena, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

static bool span_equal(Span a, Span b)
{
    return a.source == b.source && a.begin == b.begin && a.end == b.end;
}

static size_t message_hash(const Message *m)
{
    size_t hash = (m->span.begin * 31 + m->span.end) * 31 + m->is_error;
    for (const char *c = m->text; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    return hash ^ hash >> 15;
}

/* Where an equal message is, or where it belongs. */
static Message **message_slot(const Diag *diag, const Message *m)
{
    size_t mask = (size_t)diag->index_size - 1, i = message_hash(m) & mask;
    for (Message *at; (at = diag->index[i]); i = (i + 1) & mask)
        if (at->is_error == m->is_error && span_equal(at->span, m->span) &&
            strcmp(at->text, m->text) == 0)
            break;
    return &diag->index[i];
}

static void index_grow(Diag *diag)
{
    diag->index_size = diag->index_size ? 2 * diag->index_size : 64;
    diag->index = NEW(diag->arena, Message *, diag->index_size);
    for (int i = 0; i < diag->messages.n; i++)
        *message_slot(diag, diag->messages.at[i]) = diag->messages.at[i];
}

/* An equal earlier message stays as it is; notes on this one go nowhere. */
static Message *add(Diag *diag, bool is_error, Span span, const char *text)
{
    Message *message = NEW(diag->arena, Message, 1);
    message->is_error = is_error;
    message->span = span;
    message->text = text;
    diag->raised += is_error;
    if (2 * diag->messages.n >= diag->index_size)
        index_grow(diag);
    Message **slot = message_slot(diag, message);
    if (*slot)
        return message;
    *slot = message;
    VEC_PUSH(diag->arena, diag->messages, message);
    diag->errors += is_error;
    return message;
}

Message *diag_error(Diag *diag, Span span, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = format_text(diag->arena, format, args);
    va_end(args);
    return add(diag, true, span, text);
}

Message *diag_warning(Diag *diag, Span span, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = format_text(diag->arena, format, args);
    va_end(args);
    return add(diag, false, span, text);
}

Message *diag_remark(Diag *diag, Span span, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = format_text(diag->arena, format, args);
    va_end(args);
    Message *message = add(diag, false, span, text);
    message->is_remark = true;
    return message;
}

static const char *kind_of(const Message *m)
{
    return m->is_error ? "error" : m->is_remark ? "note" : "warning";
}

void diag_note(Diag *diag, Message *message, Span span, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    Note note = {span, format_text(diag->arena, format, args)};
    va_end(args);
    VEC_PUSH(diag->arena, message->notes, note);
}

void span_position(Span span, int *line, int *column)
{
    *line = 1;
    *column = 1;
    for (size_t i = 0; i < span.begin && i < span.source->length; i++) {
        (*column)++;
        if (span.source->text[i] == '\n') {
            (*line)++;
            *column = 1;
        }
    }
}

Span span_join(Span a, Span b)
{
    if (!a.source || a.source != b.source)
        return a.source ? a : b;
    return (Span){a.source, a.begin < b.begin ? a.begin : b.begin,
                  a.end > b.end ? a.end : b.end};
}

/* ---- printing ---------------------------------------------------------- */

enum { LONGEST_LINE = 160 };

static void print_clean(FILE *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        fputc(c == '\t' ? ' ' : c < 32 || c == 127 ? '?' : c, out);
    }
}

static void print_line(FILE *out, Span span, int line, int column)
{
    const char *text = span.source->text;
    size_t begin = span.begin - (size_t)(column - 1), end = begin;
    while (end < span.source->length && text[end] != '\n')
        end++;
    size_t shown = begin;
    if (span.begin - begin > LONGEST_LINE / 2)
        shown = span.begin - LONGEST_LINE / 2;
    size_t stop = end - shown > LONGEST_LINE ? shown + LONGEST_LINE : end;
    fprintf(out, "%5d | ", line);
    print_clean(out, text + shown, stop - shown);
    fputs("\n      | ", out);
    for (size_t i = shown; i < span.begin; i++)
        fputc(' ', out);
    fputc('^', out);
    for (size_t i = span.begin + 1; i < span.end && i < stop; i++)
        fputc('~', out);
    fputc('\n', out);
}

static void print_one(FILE *out, Span span, const char *kind, const char *text)
{
    if (!span.source) {
        fprintf(out, "vtc: %s: %s\n", kind, text);
        return;
    }
    if (!span.source->text) {
        fprintf(out, "%s: %s: %s\n", span.source->path, kind, text);
        return;
    }
    int line, column;
    span_position(span, &line, &column);
    fprintf(out, "%s:%d:%d: %s: %s\n", span.source->path, line, column, kind, text);
    print_line(out, span, line, column);
}

/* A message's place in what is printed. */
typedef struct Place {
    int file; /* number of the first message about this file */
    size_t begin;
    int number;
} Place;

static int place_compare(const void *a, const void *b)
{
    const Place *x = a, *y = b;
    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/* The phases find their mistakes one after another, the user reads a file from its
 * begin. Messages without a file stay together like those of one. */
static const Place *places_in_order(const Diag *diag)
{
    int n = diag->messages.n;
    Place *places = NEW(diag->arena, Place, n);
    StrMap files = {.arena = diag->arena};
    for (int i = 0; i < n; i++) {
        Span span = diag->messages.at[i]->span;
        void **first = strmap_slot(&files, span.source ? span.source->path : "");
        if (!*first)
            *first = &places[i];
        places[i] = (Place){(int)((Place *)*first - places), span.begin, i};
    }
    qsort(places, (size_t)n, sizeof *places, place_compare);
    return places;
}

static void message_print(FILE *out, const Message *m)
{
    print_one(out, m->span, kind_of(m), m->text);
    for (int i = 0; i < m->notes.n; i++)
        print_one(out, m->notes.at[i].span, "note", m->notes.at[i].text);
}

void diag_print(const Diag *diag, FILE *out, int limit)
{
    const Place *places = places_in_order(diag);
    int shown = 0;
    for (int i = 0; i < diag->messages.n; i++) {
        const Message *m = diag->messages.at[places[i].number];
        if (!m->is_error || !limit || shown++ < limit)
            message_print(out, m);
    }
    if (limit && diag->errors > limit)
        fprintf(out, "vtc: %d more errors\n", diag->errors - limit);
}
