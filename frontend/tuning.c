/* The text form of tuning files. */
#include "frontend/tuning.h"
#include "support/file.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct Reader {
    Arena *arena;
    Diag *diag;
    const Source *source;
    Tuning *tuning;
} Reader;

/* "winograd(4)", "direct". */
static bool read_schedule(const char *text, Schedule *schedule)
{
    size_t name = strcspn(text, "(");
    for (int i = 0; i < ALGORITHM_COUNT; i++) {
        if (strlen(algorithm_name[i]) != name || strncmp(text, algorithm_name[i], name) != 0)
            continue;
        char *end = (char *)(uintptr_t)text + name;
        long tile = *end == '(' ? strtol(end + 1, &end, 10) : 0;
        *schedule = (Schedule){(Algorithm)i, tile > 0 && tile < 100 ? (int)tile : 0};
        bool closed = *end == ')' && end[1] == '\0' && schedule->tile > 0;
        return i == ALGORITHM_direct || i == ALGORITHM_blas ? text[name] == '\0' : closed;
    }
    return false;
}

/* The next word of [*at, end); its span. */
static Span next_word(const Source *source, size_t *at, size_t end)
{
    while (*at < end && isspace((unsigned char)source->text[*at]))
        (*at)++;
    Span word = {source, *at, *at};
    while (word.end < end && !isspace((unsigned char)source->text[word.end]))
        word.end++;
    *at = word.end;
    return word;
}

static const char *word_text(Reader *r, Span word)
{
    return arena_strndup(r->arena, r->source->text + word.begin, word.end - word.begin);
}

static void read_line(Reader *r, size_t begin, size_t end)
{
    size_t at = begin;
    Span label = next_word(r->source, &at, end), by = next_word(r->source, &at, end);
    Span more = next_word(r->source, &at, end);
    if (label.begin == label.end || r->source->text[label.begin] == '#')
        return;
    Tuned t = {.label = word_text(r, label), .span = {r->source, label.begin, by.end}};
    if (by.begin == by.end || more.begin != more.end) {
        diag_error(r->diag, t.span, "a line is a layer's label and its schedule");
        return;
    }
    if (!read_schedule(word_text(r, by), &t.schedule)) {
        diag_error(r->diag, by, "there is no schedule '%s': direct, or an algorithm with its "
                                "tile, such as winograd(4)", word_text(r, by));
        return;
    }
    for (int i = 0; i < r->tuning->layers.n; i++)
        if (strcmp(r->tuning->layers.at[i].label, t.label) == 0) {
            Message *m = diag_error(r->diag, label, "layer '%s' has two schedules", t.label);
            diag_note(r->diag, m, r->tuning->layers.at[i].span, "the first");
            return;
        }
    VEC_PUSH(r->arena, r->tuning->layers, t);
}

Tuning *tuning_read(Arena *arena, Diag *diag, const char *path)
{
    int raised = diag->raised;
    Reader r = {arena, diag, source_read(arena, diag, (Span){0}, path), NEW(arena, Tuning, 1)};
    if (!r.source)
        return NULL;
    for (size_t at = 0; at < r.source->length;) {
        size_t n = strcspn(r.source->text + at, "\n");
        read_line(&r, at, at + n);
        at += n + 1;
    }
    return diag->raised == raised ? r.tuning : NULL;
}

void tuning_write(const Tuning *tuning, Text *out)
{
    for (int i = 0; i < tuning->layers.n; i++) {
        const Tuned *t = &tuning->layers.at[i];
        text_printf(out, "%s %s\n", t->label, schedule_text(out->arena, t->schedule));
    }
}
