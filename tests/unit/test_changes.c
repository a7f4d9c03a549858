/* Differences of texts: told where there are any, and one text is the other with them. */
#include "support/changes.h"
#include "tests/unit/unit.h"
#include <string.h>

static void expect(const char *was, const char *is, const char *told)
{
    Arena *arena = arena_new();
    Text out = text_new(arena);
    text_changes(&out, was, is, "kernel ");
    CU_ASSERT_STRING_EQUAL(text_str(&out), told);
    arena_free(arena);
}

static void test_nothing(void)
{
    expect("", "", "");
    expect("a\nb\n", "a\nb\n", "");
    expect("  a\n    b\n", "a\n  b\n", "");
}

static void test_in_order(void)
{
    expect("", "a\nb\n", "+a\n+b\n");
    expect("a\nb\n", "", "-a\n-b\n");
    expect("a\nb\nc\n", "a\nB\nc\n", "-b\n+B\n");
    expect("for i {\n  x\n  y\n}\nz\n", "x\ny\nz\n", "-for i {\n-}\n");
    expect("x\nx\nx\n", "x\nx\n", "-x\n");
    expect("a\nb\nc\n", "c\na\nb\n", "+c\n-c\n");
}

static void test_sections(void)
{
    expect("kernel one\na\nkernel two\nb\nkernel three\nc\n",
           "kernel one\na\nkernel two\nB\nd\nkernel three\nC\n",
           " kernel two\n-b\n+B\n+d\n kernel three\n-c\n+C\n");
    expect("kernel one\na\n", "kernel one\na\nkernel two\nb\nc\n", "+kernel two\n+b\n+c\n");
}

/* ---- random texts ------------------------------------------------------ */

enum { LINES = 120, ROOM = 8 * LINES };

static unsigned draw(unsigned *state, unsigned n)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % n;
}

static void random_text(unsigned *state, char *text)
{
    text[0] = 0;
    for (unsigned i = draw(state, LINES), kinds = 1 + draw(state, 40); i > 0; i--)
        sprintf(text + strlen(text), "%u\n", draw(state, kinds));
}

static int lines_of(const char *text, const char **line)
{
    int n = 0;
    for (; *text; text += strcspn(text, "\n") + 1)
        line[n++] = text;
    return n;
}

static bool same(const char *a, const char *b)
{
    size_t n = strcspn(a, "\n") + 1;
    return strncmp(a, b, n) == 0;
}

/* Is one text the other with these changes? What is not told is in both; whether a line
 * was kept or is told next is open: every way is followed. */
static bool explains(const char *told, const char *was, const char *is)
{
    const char *t[2 * LINES], *a[LINES], *b[LINES];
    int nt = lines_of(told, t), na = lines_of(was, a), nb = lines_of(is, b), shift = 0;
    bool now[LINES + 1] = {true}; /* by the place in `was` */
    for (int i = 0;; i++) {
        for (int w = 0; w < na; w++) /* kept */
            now[w + 1] |= now[w] && w + shift < nb && same(a[w], b[w + shift]);
        if (i == nt)
            return now[na] && na + shift == nb;
        bool went = *t[i] == '-';
        for (int w = na; w >= 0; w--)
            now[w] = went ? w > 0 && now[w - 1] && same(t[i] + 1, a[w - 1])
                          : now[w] && w + shift < nb && same(t[i] + 1, b[w + shift]);
        shift += went ? -1 : 1;
    }
}

static void test_random(void)
{
    unsigned state = 1;
    for (int i = 0; i < 500; i++) {
        char was[ROOM], is[ROOM];
        random_text(&state, was);
        random_text(&state, is);
        Arena *arena = arena_new();
        Text out = text_new(arena);
        text_changes(&out, was, is, "kernel ");
        CU_ASSERT(explains(text_str(&out), was, is));
        arena_free(arena);
    }
}

static const UnitTest tests[] = {
    {"equal texts say nothing", test_nothing },
    {"lines in order",          test_in_order},
    {"sections",                test_sections},
    {"random texts",            test_random  },
};

int main(void)
{
    return UNIT_RUN(tests);
}
