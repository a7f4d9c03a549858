/* The arena: chunks of growing size, bump-allocated, released together. Large ones lie in
 * huge pages where the system has them: a third of the time that a network's loops took
 * went to pages met for the first time. */
#define _DEFAULT_SOURCE /* madvise */
#include "support/arena.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
enum { GAP = 16 }; /* after every block, where the sanitizer finds who steps over */
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
enum { GAP = 0 };
#endif

enum { FIRST_CHUNK = 64 * 1024, LARGE = 1024 * 1024, CHUNK_HEAD = 64 };
enum { MOST_CHUNK = 8 * 1024 * 1024, HUGE_PAGE = 2 * 1024 * 1024 };

typedef struct Chunk {
    struct Chunk *next;
    size_t used, size; /* of the payload behind the head */
} Chunk;

struct Arena {
    Chunk *chunks;
    size_t used;
};

static void out_of_memory(void)
{
    fputs("vtc: out of memory\n", stderr);
    exit(3);
}

static Chunk *chunk_new(size_t size)
{
    void *memory = NULL;
    if (size > SIZE_MAX - CHUNK_HEAD ||
        posix_memalign(&memory, size >= HUGE_PAGE ? HUGE_PAGE : 64, size + CHUNK_HEAD) != 0)
        out_of_memory();
#ifdef MADV_HUGEPAGE
    if (size >= HUGE_PAGE)
        madvise(memory, size + CHUNK_HEAD, MADV_HUGEPAGE); /* refused: small pages do */
#endif
    Chunk *chunk = memory;
    *chunk = (Chunk){.size = size};
    ASAN_POISON_MEMORY_REGION((char *)chunk + CHUNK_HEAD, size);
    return chunk;
}

Arena *arena_new(void)
{
    Arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        out_of_memory();
    return arena;
}

void arena_free(Arena *arena)
{
    for (Chunk *c = arena->chunks, *next; c; c = next) {
        next = c->next;
        ASAN_UNPOISON_MEMORY_REGION((char *)c + CHUNK_HEAD, c->size);
        free(c);
    }
    free(arena);
}

/* A large block gets a chunk of its own behind the current one, so that the
 * rest of the current one is still used. */
static void *alloc_large(Arena *arena, size_t size)
{
    Chunk *chunk = chunk_new(size);
    chunk->used = size;
    Chunk **at = arena->chunks ? &arena->chunks->next : &arena->chunks;
    chunk->next = *at;
    *at = chunk;
    return (char *)chunk + CHUNK_HEAD;
}

void *arena_alloc(Arena *arena, size_t size)
{
    size_t align = size >= 64 ? 64 : 16;
    arena->used += size;
    void *at;
    if (size >= LARGE) {
        at = alloc_large(arena, size);
    } else {
        Chunk *c = arena->chunks;
        size_t start = c ? (c->used + GAP + align - 1) & ~(align - 1) : 0;
        if (!c || start + size > c->size) {
            size_t wish = !c ? FIRST_CHUNK : c->size < MOST_CHUNK ? c->size * 2 : MOST_CHUNK;
            c = chunk_new(wish > 2 * size ? wish : 2 * size);
            c->next = arena->chunks;
            arena->chunks = c;
            start = 0;
        }
        at = (char *)c + CHUNK_HEAD + start;
        c->used = start + size;
    }
    ASAN_UNPOISON_MEMORY_REGION(at, size);
    memset(at, 0, size);
    return at;
}

char *arena_strndup(Arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    if (length) /* of nothing, text may be NULL */
        memcpy(copy, text, length);
    return copy;
}

char *arena_strdup(Arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

char *arena_printf(Arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = arena_alloc(arena, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

void *arena_grow(Arena *arena, const void *old, size_t count, size_t capacity,
                 size_t size)
{
    void *grown = arena_alloc(arena, capacity * size);
    if (count)
        memcpy(grown, old, count * size);
    return grown;
}

size_t arena_used(const Arena *arena)
{
    return arena->used;
}

void bug(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("vtc: internal error: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}
