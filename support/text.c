/* Growing text for printers and emitters. */
#include "support/text.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void text_reserve(Text *text, size_t more)
{
    size_t need = text->n + more + 1;
    if (need <= text->cap)
        return;
    size_t cap = text->cap ? text->cap * 2 : 256;
    cap = cap > need ? cap : need;
    text->at = arena_grow(text->arena, text->at, text->n, cap, 1);
    text->cap = cap;
}

void text_addn(Text *text, const char *s, size_t n)
{
    text_reserve(text, n);
    memcpy(text->at + text->n, s, n);
    text->n += n;
    text->at[text->n] = 0;
}

void text_add(Text *text, const char *s)
{
    text_addn(text, s, strlen(s));
}

void text_printf(Text *text, const char *format, ...)
{
    enum { MOSTLY = 80 }; /* formatted once where that is enough */
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    text_reserve(text, MOSTLY);
    size_t room = text->cap - text->n;
    int n = vsnprintf(text->at + text->n, room, format, args);
    va_end(args);
    if ((size_t)n >= room) {
        text_reserve(text, (size_t)n);
        vsnprintf(text->at + text->n, (size_t)n + 1, format, again);
    }
    va_end(again);
    text->n += (size_t)n;
}

void text_indent(Text *text, int columns)
{
    for (int i = 0; i < columns; i++)
        text_addn(text, " ", 1);
}

void text_integer(Text *text, int64_t n)
{
    char digits[24], *at = digits + sizeof digits;
    uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (n < 0)
        *--at = '-';
    text_addn(text, at, (size_t)(digits + sizeof digits - at));
}

void text_double(Text *text, double value)
{
    if (isnan(value)) {
        text_add(text, "nan");
        return;
    }
    if (isinf(value)) {
        text_add(text, value < 0 ? "-inf" : "inf");
        return;
    }
    char buffer[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(buffer, sizeof buffer, "%.*g", digits, value);
        if (strtod(buffer, NULL) == value)
            break;
    }
    text_add(text, buffer);
}

void text_quoted(Text *text, const char *s)
{
    text_add(text, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            text_printf(text, "\\%c", c);
        else if (c == '\n')
            text_add(text, "\\n");
        else if (c == '\t')
            text_add(text, "\\t");
        else if (c < 32 || c == 127)
            text_printf(text, "\\%03o", c);
        else
            text_addn(text, s, 1);
    }
    text_add(text, "\"");
}

const char *text_str(const Text *text)
{
    return text->at ? text->at : "";
}

/* Levenshtein distance by one row; words longer than a row are "far". */
int text_distance(const char *a, const char *b)
{
    enum { LONGEST = 128 };
    int row[LONGEST + 1];
    size_t n = strlen(b);
    if (n > LONGEST || strlen(a) > LONGEST)
        return LONGEST;
    for (int j = 0; j <= (int)n; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= (int)n; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[n];
}
