/* Tokens of the graph's text form: a text that may be anything is read without
 * ever leaving it. */
#include "ir/graph_text.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

bool parse_fail(Parser *p, size_t begin, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t end = p->at > begin ? p->at : begin + 1;
    diag_error(p->diag, (Span){p->source, begin, end}, "%s", text);
    return false;
}

static char char_at(const Parser *p, size_t at)
{
    return at < p->source->length ? p->source->text[at] : '\0';
}

/* strchr that does not find the end of its set. */
static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

char parse_peek(Parser *p)
{
    while (is_one_of(char_at(p, p->at), " \t\r"))
        p->at++;
    if (char_at(p, p->at) == '/' && char_at(p, p->at + 1) == '/')
        while (p->at < p->source->length && p->source->text[p->at] != '\n')
            p->at++;
    return char_at(p, p->at);
}

bool parse_at_end(Parser *p)
{
    while (parse_peek(p) == '\n')
        p->at++;
    return p->at >= p->source->length;
}

bool parse_line_end(Parser *p)
{
    return parse_peek(p) == '\n' || p->at >= p->source->length;
}

void parse_skip_line(Parser *p)
{
    while (p->at < p->source->length && p->source->text[p->at] != '\n')
        p->at++;
}

bool parse_accept(Parser *p, const char *punctuation)
{
    size_t n = strlen(punctuation);
    parse_peek(p);
    if (p->source->length - p->at < n ||
        memcmp(p->source->text + p->at, punctuation, n) != 0)
        return false;
    p->at += n;
    return true;
}

bool parse_expect(Parser *p, const char *punctuation)
{
    if (parse_accept(p, punctuation))
        return true;
    return parse_fail(p, p->at, "expected '%s' here", punctuation);
}

/* The longest run of characters of a set; moves behind it. */
static const char *take_run(Parser *p, const char *set)
{
    parse_peek(p);
    size_t begin = p->at;
    while (is_one_of(char_at(p, p->at), set))
        p->at++;
    return arena_strndup(p->arena, p->source->text + begin, p->at - begin);
}

const char *parse_word(Parser *p)
{
    if (!is_one_of(parse_peek(p), LETTERS))
        return NULL;
    return take_run(p, LETTERS DIGITS);
}

bool parse_keyword(Parser *p, const char *word)
{
    parse_peek(p);
    size_t begin = p->at;
    const char *next = parse_word(p);
    if (next && strcmp(next, word) == 0)
        return true;
    p->at = begin;
    return false;
}

/* ---- values ------------------------------------------------------------ */

bool parse_int(Parser *p, int64_t *value)
{
    parse_peek(p);
    size_t begin = p->at;
    const char *digits = take_run(p, "-" DIGITS);
    char *end;
    errno = 0;
    *value = strtoll(digits, &end, 10);
    if (digits[0] == '\0' || *end != '\0')
        return parse_fail(p, begin, "expected an integer here");
    if (errno == ERANGE)
        return parse_fail(p, begin, "%s does not fit into 64 bits", digits);
    return true;
}

bool parse_int_in(Parser *p, int64_t low, int64_t high, int64_t *value)
{
    parse_peek(p);
    size_t begin = p->at;
    if (!parse_int(p, value))
        return false;
    if (*value < low || *value > high)
        return parse_fail(p, begin, "%lld is outside %lld to %lld",
                          (long long)*value, (long long)low, (long long)high);
    return true;
}

bool parse_real(Parser *p, double *value)
{
    parse_peek(p);
    size_t begin = p->at;
    const char *digits = take_run(p, "+-.eEinfa" DIGITS);
    char *end;
    *value = strtod(digits, &end);
    if (digits[0] == '\0' || *end != '\0')
        return parse_fail(p, begin, "expected a number here");
    return true;
}

/* After a backslash: what text_quoted writes. */
static char read_escape(Parser *p)
{
    char c = char_at(p, p->at);
    if (c == '\0')
        return c;
    p->at++;
    if (c == 'n')
        return '\n';
    if (c == 't')
        return '\t';
    int octal = 0;
    for (int i = 0; i < 3; i++) {
        char d = char_at(p, p->at - 1 + (size_t)i);
        if (d < '0' || d > '7')
            return c;
        octal = octal * 8 + (d - '0');
    }
    p->at += 2;
    return (char)(unsigned char)octal;
}

bool parse_quoted(Parser *p, const char **value)
{
    parse_peek(p);
    size_t begin = p->at;
    if (!parse_accept(p, "\""))
        return parse_fail(p, begin, "expected a text in quotes here");
    Text text = text_new(p->arena);
    for (;;) {
        char c = char_at(p, p->at);
        if (c == '\0' || c == '\n')
            return parse_fail(p, begin, "the text has no closing quote");
        p->at++;
        if (c == '"')
            break;
        if (c == '\\')
            c = read_escape(p);
        if (c == '\0')
            return parse_fail(p, begin, "a text holds no NUL");
        text_addn(&text, &c, 1);
    }
    *value = text_str(&text);
    return true;
}

bool parse_ints(Parser *p, int most, Ints *ints)
{
    *ints = (Ints){0};
    parse_peek(p);
    size_t begin = p->at;
    if (!parse_expect(p, "["))
        return false;
    while (!parse_accept(p, "]")) {
        if (ints->n == most)
            return parse_fail(p, begin, "more than %d entries", most);
        if ((ints->n && !parse_expect(p, ",")) ||
            !parse_int(p, &ints->at[ints->n]))
            return false;
        ints->n++;
    }
    return true;
}

/* ---- names ------------------------------------------------------------- */

static bool ref_by_id(Parser *p, Ref *ref)
{
    ref->id = strtoll(ref->name, NULL, 10);
    if (strlen(ref->name) > 8 || ref->id > MOST_ID)
        return parse_fail(p, ref->begin, "ids are at most %d", MOST_ID);
    ref->key = arena_printf(p->arena, "%lld", (long long)ref->id);
    ref->name = NULL;
    return true;
}

bool parse_ref(Parser *p, Ref *ref)
{
    parse_peek(p);
    *ref = (Ref){.id = -1, .begin = p->at};
    if (!parse_accept(p, "%"))
        return parse_fail(p, ref->begin, "expected a value, %%name, here");
    bool quoted = char_at(p, p->at) == '"';
    if (quoted && !parse_quoted(p, &ref->name))
        return false;
    if (!quoted && is_one_of(char_at(p, p->at), "." LETTERS DIGITS))
        ref->name = take_run(p, "." LETTERS DIGITS);
    if (!ref->name || !ref->name[0])
        return parse_fail(p, ref->begin, "%% is followed by a name");
    if (!quoted && ref->name[strspn(ref->name, DIGITS)] == '\0')
        return ref_by_id(p, ref);
    /* A quoted "12" is a name and not the id 12. */
    ref->key = arena_printf(p->arena, "%%%s", ref->name);
    return true;
}

static int name_slot(const Name *names, int capacity, const char *key)
{
    uint32_t hash = 2166136261u;
    for (const char *c = key; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    uint32_t mask = (uint32_t)capacity - 1, i = hash & mask;
    while (names[i].key && strcmp(names[i].key, key) != 0)
        i = (i + 1) & mask;
    return (int)i;
}

const Name *name_find(const Parser *p, const char *key)
{
    if (p->capacity == 0)
        return NULL;
    const Name *name = &p->names[name_slot(p->names, p->capacity, key)];
    return name->key ? name : NULL;
}

static void names_grow(Parser *p)
{
    int capacity = p->capacity ? 2 * p->capacity : 64;
    Name *names = NEW(p->arena, Name, capacity);
    for (int i = 0; i < p->capacity; i++)
        if (p->names[i].key)
            names[name_slot(names, capacity, p->names[i].key)] = p->names[i];
    p->names = names;
    p->capacity = capacity;
}

void name_bind(Parser *p, const char *key, Value *value)
{
    if (2 * (p->name_count + 1) > p->capacity)
        names_grow(p);
    Name *name = &p->names[name_slot(p->names, p->capacity, key)];
    p->name_count += name->key == NULL;
    *name = (Name){key, value};
}
