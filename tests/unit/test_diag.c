/* Diagnostics as the user sees them, and files that are whole or not there. */
#include "support/file.h"
#include "tests/unit/unit.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static Source source_of(const char *text)
{
    return (Source){"a.vt", text, strlen(text)};
}

/* What diag_print writes; freed with the arena. */
static const char *printed(Arena *arena, const Diag *diag, int limit)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    diag_print(diag, out, limit);
    fclose(out);
    char *copy = arena_strdup(arena, text);
    free(text);
    return copy;
}

/* ---- messages ---------------------------------------------------------- */

static void test_caret(void)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    Source source = source_of("model m() {\n\tx = relux(y)\n}\n");
    Message *m = diag_error(diag, (Span){&source, 17, 22}, "no '%s'", "relux");
    diag_note(diag, m, (Span){&source, 6, 7}, "in model 'm'");
    CU_ASSERT_STRING_EQUAL(printed(arena, diag, 0),
                           "a.vt:2:6: error: no 'relux'\n"
                           "    2 |  x = relux(y)\n"
                           "      |      ^~~~~\n"
                           "a.vt:1:7: note: in model 'm'\n"
                           "    1 | model m() {\n"
                           "      |       ^\n");
    arena_free(arena);
}

static void test_places(void)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    Source file = {"w.safetensors", NULL, 0};
    diag_error(diag, (Span){0}, "no place");
    diag_warning(diag, (Span){&file, 0, 0}, "no text");
    CU_ASSERT_STRING_EQUAL(printed(arena, diag, 0),
                           "vtc: error: no place\n"
                           "w.safetensors: warning: no text\n");
    CU_ASSERT_EQUAL(diag->errors, 1);
    arena_free(arena);
}

static void test_position_at_edges(void)
{
    Source source = source_of("ab\n\ncd");
    int line, column;
    const int want[][3] = {
        {0, 1, 1},
        {2, 1, 3},
        {3, 2, 1},
        {4, 3, 1},
        {6, 3, 3}
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        span_position((Span){&source, (size_t)want[i][0], 0}, &line, &column);
        CU_ASSERT(line == want[i][1] && column == want[i][2]);
    }
}

/* At the end of the text, over several lines, in an empty text. */
static void test_odd_spans(void)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    Source source = source_of("ab\ncd"), empty = source_of("");
    empty.path = "b.vt";
    diag_error(diag, (Span){&source, 1, 5}, "lines");
    diag_error(diag, (Span){&source, 5, 6}, "end");
    diag_error(diag, (Span){&empty, 0, 0}, "empty");
    CU_ASSERT_STRING_EQUAL(printed(arena, diag, 0), "a.vt:1:2: error: lines\n"
                                                    "    1 | ab\n"
                                                    "      |  ^\n"
                                                    "a.vt:2:3: error: end\n"
                                                    "    2 | cd\n"
                                                    "      |   ^\n"
                                                    "b.vt:1:1: error: empty\n"
                                                    "    1 | \n"
                                                    "      | ^\n");
    arena_free(arena);
}

static void test_control_characters_are_not_shown(void)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    Source source = {"a.vt", "a\033[2J\0b", 7};
    diag_error(diag, (Span){&source, 6, 7}, "odd");
    CU_ASSERT_PTR_NOT_NULL(strstr(printed(arena, diag, 0), "| a?[2J?b\n"));
    arena_free(arena);
}

static void test_long_lines_are_cut(void)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    char *text = NEW(arena, char, 5001);
    memset(text, 'x', 5000);
    text[3000] = '!';
    Source source = source_of(text);
    diag_error(diag, (Span){&source, 3000, 4000}, "long");
    const char *out = printed(arena, diag, 0);
    const char *shown = strstr(out, "| "), *caret = strstr(out, "      | ");
    CU_ASSERT_FATAL(shown != NULL && caret != NULL);
    CU_ASSERT(strlen(out) < 500);
    CU_ASSERT(shown[strcspn(caret, "^") - strlen("      | ") + 2] == '!');
    arena_free(arena);
}

static void test_equal_errors_are_kept_once(void)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    Source source = source_of("abc");
    for (int i = 0; i < 5; i++) {
        Message *m = diag_error(diag, (Span){&source, 0, 1}, "same");
        diag_note(diag, m, (Span){0}, "note %d", i);
    }
    diag_error(diag, (Span){&source, 1, 2}, "same");
    CU_ASSERT(diag->errors == 2 && diag->messages.n == 2);
    CU_ASSERT_EQUAL(diag->raised, 6);
    CU_ASSERT_EQUAL(diag->messages.at[0]->notes.n, 1);
    arena_free(arena);
}

static void test_limit(void)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    for (int i = 0; i < 5; i++)
        diag_error(diag, (Span){0}, "number %d", i);
    diag_warning(diag, (Span){0}, "beware");
    CU_ASSERT_STRING_EQUAL(printed(arena, diag, 2), "vtc: error: number 0\n"
                                                    "vtc: error: number 1\n"
                                                    "vtc: warning: beware\n"
                                                    "vtc: 3 more errors\n");
    arena_free(arena);
}

/* However the phases find them; notes stay, and a limit keeps the first. */
static void test_order_of_places(void)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    Source a = source_of("a\nb\nc\nd\n"), again = a, b = a;
    b.path = "b.vt";
    diag_error(diag, (Span){&a, 4, 5}, "parsed, third");
    diag_note(diag, diag->messages.at[0], (Span){&a, 0, 1}, "its note");
    diag_error(diag, (Span){&b, 2, 3}, "other file");
    diag_error(diag, (Span){0}, "no file");
    diag_warning(diag, (Span){&again, 2, 3}, "checked, second");
    diag_error(diag, (Span){&a, 2, 5}, "same begin, found later");
    diag_error(diag, (Span){&b, 0, 1}, "other file, first");
    diag_error(diag, (Span){&a, 0, 1}, "checked, first");
    const char *const order[] = {
        "a.vt:1:1: error: checked, first", "a.vt:2:1: warning: checked, second",
        "a.vt:2:1: error: same begin, found later", "a.vt:3:1: error: parsed, third",
        "a.vt:1:1: note: its note", "b.vt:1:1: error: other file, first",
        "b.vt:2:1: error: other file\n", "vtc: error: no file"};
    const char *at = printed(arena, diag, 0);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        at = strstr(at, order[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    }
    const char *few = printed(arena, diag, 1);
    CU_ASSERT(strstr(few, "checked, first") && !strstr(few, "parsed, third"));
    arena_free(arena);
}

static void test_join(void)
{
    Source a = source_of("abc"), b = source_of("def");
    Span joined = span_join((Span){&a, 2, 3}, (Span){&a, 0, 1});
    CU_ASSERT(joined.source == &a && joined.begin == 0 && joined.end == 3);
    joined = span_join((Span){0}, (Span){&b, 1, 2});
    CU_ASSERT(joined.source == &b && joined.begin == 1);
    joined = span_join((Span){&a, 1, 2}, (Span){&b, 0, 3});
    CU_ASSERT(joined.source == &a && joined.end == 2);
}

/* ---- files ------------------------------------------------------------- */

typedef struct Folder {
    Arena *arena;
    Diag *diag;
    char *path;
} Folder;

static Folder folder_new(void)
{
    Folder f = {.arena = arena_new()};
    f.diag = diag_new(f.arena);
    f.path = arena_strdup(f.arena, "/tmp/vtc-unit-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f.path));
    return f;
}

static int folder_count(const Folder *f)
{
    int n = 0;
    DIR *dir = opendir(f->path);
    for (struct dirent *e; dir && (e = readdir(dir));)
        n += e->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n;
}

static void folder_free(Folder *f, const char *file)
{
    if (file)
        unlink(file);
    CU_ASSERT_EQUAL(rmdir(f->path), 0); /* nothing else was left behind */
    arena_free(f->arena);
}

static void test_file_is_whole(void)
{
    Folder f = folder_new();
    const char *path = path_join(f.arena, f.path, "out.txt");
    OutFile *out = outfile_open(f.arena, path, f.diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    outfile_write(out, "hello", 5);
    CU_ASSERT(access(path, F_OK) != 0); /* not before it is complete */
    outfile_write(out, " world", 6);
    CU_ASSERT(outfile_close(out, f.diag));
    const Source *read = source_read(f.arena, f.diag, (Span){0}, path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(read);
    CU_ASSERT(read->length == 11 && strcmp(read->text, "hello world") == 0);
    Bytes bytes;
    CU_ASSERT(bytes_map(&bytes, path, f.diag) && bytes.n == 11);
    CU_ASSERT(memcmp(bytes.at, "hello world", 11) == 0);
    CU_ASSERT(folder_count(&f) == 1 && f.diag->errors == 0);
    folder_free(&f, path);
}

static void test_failed_write_leaves_the_old_file(void)
{
    Folder f = folder_new();
    const char *path = path_join(f.arena, f.path, "taken");
    OutFile *out = outfile_open(f.arena, path, f.diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    outfile_write(out, "x", 1);
    CU_ASSERT_EQUAL(mkdir(path, 0777), 0); /* a folder cannot be replaced */
    CU_ASSERT_FALSE(outfile_close(out, f.diag));
    CU_ASSERT(folder_count(&f) == 1 && f.diag->errors == 1);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(f.diag->messages.at[0]->text, "cannot write"));
    CU_ASSERT_PTR_NULL(outfile_open(f.arena, path, f.diag)); /* said before the work */
    rmdir(path);
    folder_free(&f, NULL);
}

static void test_what_cannot_be_read(void)
{
    Folder f = folder_new();
    const char *missing = path_join(f.arena, f.path, "missing");
    Bytes bytes;
    CU_ASSERT_PTR_NULL(source_read(f.arena, f.diag, (Span){0}, missing));
    CU_ASSERT_PTR_NULL(source_read(f.arena, f.diag, (Span){0}, f.path));
    CU_ASSERT_FALSE(
        bytes_map(&bytes, path_join(f.arena, f.path, "no"), f.diag));
    const char *nowhere = path_join(f.arena, missing, "file");
    CU_ASSERT_PTR_NULL(outfile_open(f.arena, nowhere, f.diag));
    CU_ASSERT_EQUAL_FATAL(f.diag->errors, 4);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(f.diag->messages.at[i]->text, f.path));
    folder_free(&f, NULL);
}

static void test_empty_file(void)
{
    Folder f = folder_new();
    const char *path = path_join(f.arena, f.path, "empty");
    CU_ASSERT(outfile_close(outfile_open(f.arena, path, f.diag), f.diag));
    const Source *read = source_read(f.arena, f.diag, (Span){0}, path);
    CU_ASSERT(read && read->length == 0 && read->text[0] == 0);
    Bytes bytes;
    CU_ASSERT(bytes_map(&bytes, path, f.diag) && bytes.n == 0);
    folder_free(&f, path);
}

static void test_paths(void)
{
    Arena *a = arena_new();
    CU_ASSERT_STRING_EQUAL(path_dir(a, "a/b/c.vt"), "a/b");
    CU_ASSERT_STRING_EQUAL(path_dir(a, "c.vt"), ".");
    CU_ASSERT_STRING_EQUAL(path_dir(a, "/c.vt"), "/");
    CU_ASSERT_STRING_EQUAL(path_join(a, "a/b", "c"), "a/b/c");
    CU_ASSERT_STRING_EQUAL(path_join(a, "a/b", "/c"), "/c");
    CU_ASSERT_STRING_EQUAL(path_join(a, ".", "c"), "c");
    CU_ASSERT_STRING_EQUAL(path_stem(a, "a/b.d/c.vt"), "c");
    CU_ASSERT_STRING_EQUAL(path_stem(a, "a/.hidden"), ".hidden");
    CU_ASSERT_STRING_EQUAL(path_stem(a, "c.tar.gz"), "c.tar");
    arena_free(a);
}

static const UnitTest tests[] = {
    {"caret",                              test_caret                           },
    {"places",                             test_places                          },
    {"position at edges",                  test_position_at_edges               },
    {"odd spans",                          test_odd_spans                       },
    {"control characters are not shown",   test_control_characters_are_not_shown},
    {"long lines are cut",                 test_long_lines_are_cut              },
    {"equal errors are kept once",         test_equal_errors_are_kept_once      },
    {"limit",                              test_limit                           },
    {"order of places",                    test_order_of_places                 },
    {"join",                               test_join                            },
    {"a file is whole",                    test_file_is_whole                   },
    {"a failed write leaves the old file",
     test_failed_write_leaves_the_old_file                                      },
    {"what cannot be read",                test_what_cannot_be_read             },
    {"empty file",                         test_empty_file                      },
    {"paths",                              test_paths                           },
};

int main(void)
{
    return UNIT_RUN(tests);
}
