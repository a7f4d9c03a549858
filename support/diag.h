/* Diagnostics: the user's mistakes, with their place. All that can be found in
 * one run are collected; the command prints them to stderr and exits 1.
 *
 *   models/a.vt:12:9: error: conv2d: 64 input channels do not divide into 3 groups
 *      12 |     x = conv2d(x, out = 9, groups = 3)
 *         |         ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
 *   models/a.vt:4:5: note: in module call 'block' from here
 */
#ifndef VTC_SUPPORT_DIAG_H
#define VTC_SUPPORT_DIAG_H

#include "support/arena.h"
#include <stdbool.h>
#include <stdio.h>

/* A text that spans point into: a .vt file, a graph dump, ... */
typedef struct Source {
    const char *path; /* as shown to the user */
    const char *text; /* NUL-terminated */
    size_t length;
} Source;

/* Half-open byte range [begin, end) of a source; source NULL = no place. */
typedef struct Span {
    const Source *source;
    size_t begin, end;
} Span;

typedef struct Note {
    Span span;
    const char *text;
} Note;

typedef struct Message {
    bool is_error, is_remark; /* neither: a warning */
    Span span;
    const char *text;
    VEC(Note) notes;
} Message;

typedef struct Diag {
    Arena *arena;
    VEC(Message *) messages;
    int errors; /* different ones, as they are printed */
    int raised; /* equal ones too: whether more were since shows whether something failed */
    Message **index; /* by place and text, to keep equal ones once */
    int index_size;  /* a power of two */
} Diag;

Diag *diag_new(Arena *arena);

/* Both return the message so that notes can be added to it. An error equal to
 * an earlier one (same place, same text) is kept once. */
Message *diag_error(Diag *diag, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
Message *diag_warning(Diag *diag, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What was done, for the user to know: nothing is wrong. */
Message *diag_remark(Diag *diag, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void diag_note(Diag *diag, Message *message, Span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* All messages, those of a file from its begin on, files in the order of their first
 * message, notes behind what they belong to; at most `limit` errors (0: all), then a
 * count. */
void diag_print(const Diag *diag, FILE *out, int limit);

/* 1-based line and column (columns count bytes) of a span's begin. */
void span_position(Span span, int *line, int *column);
Span span_join(Span a, Span b);

#endif
