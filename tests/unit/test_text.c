/* The arena, growing text and ranks: what everything else is written with. */
#include "support/rank.h"
#include "support/text.h"
#include "tests/unit/unit.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_arena_aligns_and_clears(void)
{
    Arena *arena = arena_new();
    size_t used = 0;
    for (size_t size = 1; size < 300000; size = size * 3 / 2 + 1) {
        unsigned char *at = arena_alloc(arena, size);
        CU_ASSERT_EQUAL((uintptr_t)at % (size >= 64 ? 64 : 16), 0);
        for (size_t i = 0; i < size; i += 61)
            CU_ASSERT_EQUAL(at[i], 0);
        memset(at, 0xff, size); /* the next one is cleared all the same */
        used += size;
    }
    CU_ASSERT_EQUAL(arena_used(arena), used);
    arena_free(arena);
}

static void test_arena_keeps_large_and_small(void)
{
    Arena *arena = arena_new();
    char *small = arena_strdup(arena, "before");
    char *large = arena_alloc(arena, 3 << 20);
    memset(large, 7, 3 << 20);
    char *after = arena_printf(arena, "%s-%d", small, 42);
    CU_ASSERT_STRING_EQUAL(small, "before");
    CU_ASSERT_STRING_EQUAL(after, "before-42");
    CU_ASSERT_STRING_EQUAL(arena_strndup(arena, "abcdef", 3), "abc");
    arena_free(arena);
}

static void test_vectors_grow(void)
{
    Arena *arena = arena_new();
    VEC(int) numbers = {0};
    for (int i = 0; i < 1000; i++)
        VEC_PUSH(arena, numbers, i * i);
    CU_ASSERT_EQUAL(numbers.n, 1000);
    for (int i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(numbers.at[i], i * i);
    arena_free(arena);
}

static void test_text_grows(void)
{
    Arena *arena = arena_new();
    Text text = text_new(arena);
    CU_ASSERT_STRING_EQUAL(text_str(&text), "");
    for (int i = 0; i < 1000; i++)
        text_printf(&text, "%03d,", i);
    text_add(&text, "end");
    text_addn(&text, "!?", 1);
    CU_ASSERT_EQUAL(text.n, 4004);
    CU_ASSERT_EQUAL(strlen(text_str(&text)), 4004);
    CU_ASSERT_STRING_EQUAL(text.at + 3996, "999,end!");
    arena_free(arena);
}

static const char *double_text(Arena *arena, double value)
{
    Text text = text_new(arena);
    text_double(&text, value);
    return text_str(&text);
}

static void test_plain_pieces(void)
{
    Arena *arena = arena_new();
    Text text = text_new(arena);
    const int64_t n[] = {0, -1, 10, 9007199254740993, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "%lld", (long long)n[i]);
        text.n = 0;
        text_integer(&text, n[i]);
        CU_ASSERT_STRING_EQUAL(text_str(&text), expected);
    }
    text.n = 0;
    text_indent(&text, 3);
    text_indent(&text, 0);
    CU_ASSERT_STRING_EQUAL(text_str(&text), "   ");
    /* As long as there is room for, one less, one more: of every length around it. */
    for (int length = 0; length < 300; length++) {
        Text whole = text_new(arena);
        text_printf(&whole, "%*d", length, 7);
        text_printf(&whole, "%d", 8);
        CU_ASSERT_EQUAL(whole.n, strlen(text_str(&whole)));
        CU_ASSERT_EQUAL(whole.n, (size_t)(length > 1 ? length : 1) + 1);
    }
    arena_free(arena);
}

static void test_doubles_are_short(void)
{
    Arena *arena = arena_new();
    CU_ASSERT_STRING_EQUAL(double_text(arena, 1), "1");
    CU_ASSERT_STRING_EQUAL(double_text(arena, 0.1), "0.1");
    CU_ASSERT_STRING_EQUAL(double_text(arena, -0.0), "-0");
    CU_ASSERT_STRING_EQUAL(double_text(arena, 1e-5), "1e-05");
    CU_ASSERT_STRING_EQUAL(double_text(arena, 16777217), "16777217");
    CU_ASSERT_STRING_EQUAL(double_text(arena, INFINITY), "inf");
    CU_ASSERT_STRING_EQUAL(double_text(arena, -INFINITY), "-inf");
    CU_ASSERT_STRING_EQUAL(double_text(arena, NAN), "nan");
    arena_free(arena);
}

static void test_doubles_read_back(void)
{
    Arena *arena = arena_new();
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 5000; i++) {
        double value;
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        memcpy(&value, &bits, sizeof value);
        bool ok =
            isnan(value) || strtod(double_text(arena, value), NULL) == value;
        CU_ASSERT(ok);
    }
    arena_free(arena);
}

static void test_quoting(void)
{
    Arena *arena = arena_new();
    Text text = text_new(arena);
    text_quoted(&text, "a\"b\\c\n\t\001\177\xc3\xa9");
    CU_ASSERT_STRING_EQUAL(text_str(&text),
                           "\"a\\\"b\\\\c\\n\\t\\001\\177\xc3\xa9\"");
    arena_free(arena);
}

static void test_distance(void)
{
    CU_ASSERT_EQUAL(text_distance("", ""), 0);
    CU_ASSERT_EQUAL(text_distance("conv2d", "conv2d"), 0);
    CU_ASSERT_EQUAL(text_distance("conv2d", "conv1d"), 1);
    CU_ASSERT_EQUAL(text_distance("kitten", "sitting"), 3);
    CU_ASSERT_EQUAL(text_distance("", "abc"), 3);
    CU_ASSERT_EQUAL(text_distance("abc", ""), 3);
    char far[400];
    memset(far, 'x', sizeof far);
    far[sizeof far - 1] = 0;
    CU_ASSERT(text_distance("abc", far) >= 100);
}

static void test_ranks(void)
{
    Arena *arena = arena_new();
    const double up[] = {1, 2, 30, 400}, down[] = {9, 8, 7, -6}, tied[] = {1, 2, 2, 3};
    const double one[] = {5, 5, 5, 5}, swapped[] = {2, 1, 3, 4};
    CU_ASSERT_DOUBLE_EQUAL(rank_correlation(arena, up, up, 4), 1, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(rank_correlation(arena, up, down, 4), -1, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(rank_correlation(arena, up, swapped, 4), 0.8, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(rank_correlation(arena, up, tied, 4), 0.9486832980505138, 1e-12);
    CU_ASSERT_EQUAL(rank_correlation(arena, up, one, 4), 0);
    CU_ASSERT_EQUAL(rank_correlation(arena, up, down, 1), 0);
    CU_ASSERT_EQUAL(rank_correlation(arena, up, down, 0), 0);
    arena_free(arena);
}

static const UnitTest tests[] = {
    {"arena aligns and clears",     test_arena_aligns_and_clears    },
    {"arena keeps large and small", test_arena_keeps_large_and_small},
    {"vectors grow",                test_vectors_grow               },
    {"text grows",                  test_text_grows                 },
    {"numbers, spaces, long formats", test_plain_pieces             },
    {"doubles are short",           test_doubles_are_short          },
    {"doubles read back",           test_doubles_read_back          },
    {"quoting",                     test_quoting                    },
    {"distance",                    test_distance                   },
    {"ranks",                       test_ranks                      },
};

int main(void)
{
    return UNIT_RUN(tests);
}
