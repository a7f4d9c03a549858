/* Text: a growing string in an arena, for printers and emitters. */
#ifndef VTC_SUPPORT_TEXT_H
#define VTC_SUPPORT_TEXT_H

#include "support/arena.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct Text {
    Arena *arena;
    char *at; /* NUL-terminated once anything was added; else NULL */
    size_t n, cap;
} Text;

static inline Text text_new(Arena *arena)
{
    return (Text){.arena = arena};
}
void text_add(Text *text, const char *s);
void text_addn(Text *text, const char *s, size_t n);
void text_printf(Text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void text_indent(Text *text, int columns); /* so many spaces */
void text_integer(Text *text, int64_t n); /* what loops print most, without a format */
/* Shortest decimal form that reads back to the same double ("1", "0.1", "inf"). */
void text_double(Text *text, double value);
void text_quoted(Text *text, const char *s); /* "a\"b", C escapes */
const char *text_str(const Text *text);      /* never NULL */

/* Edit distance, for "did you mean" notes. */
int text_distance(const char *a, const char *b);

#endif
