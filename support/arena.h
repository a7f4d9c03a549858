/* Arena: all memory of one compilation comes from here and is released at once.
 * Nothing allocated in an arena is freed on its own. */
#ifndef VTC_SUPPORT_ARENA_H
#define VTC_SUPPORT_ARENA_H

#include <stddef.h>

typedef struct Arena Arena;

Arena *arena_new(void);
void arena_free(Arena *arena);

/* Zeroed, aligned to 64 bytes when size >= 64 and to 16 below.
 * Never returns NULL: out of memory ends the process with exit code 3. */
void *arena_alloc(Arena *arena, size_t size);
char *arena_strdup(Arena *arena, const char *text);
char *arena_strndup(Arena *arena, const char *text, size_t length);
char *arena_printf(Arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A larger copy of `old` (count elements of `size` bytes) with room for
 * `capacity`; the building block of growing arrays. */
void *arena_grow(Arena *arena, const void *old, size_t count, size_t capacity,
                 size_t size);

/* Bytes handed out so far, for the compile-memory bound. */
size_t arena_used(const Arena *arena);

#define NEW(arena, T, n) ((T *)arena_alloc((arena), sizeof(T) * (size_t)(n)))

/* Growing arrays: `T *v; int n_v, cap_v;` pushed with VEC_PUSH(arena, v, x). */
#define VEC(T)                                                                 \
    struct {                                                                   \
        T *at;                                                                 \
        int n, cap;                                                            \
    }
#define VEC_PUSH(arena, vec, ...)                                              \
    do {                                                                       \
        if ((vec).n == (vec).cap) {                                            \
            (vec).cap = (vec).cap ? (vec).cap * 2 : 8;                         \
            (vec).at = arena_grow((arena), (vec).at, (size_t)(vec).n,          \
                                  (size_t)(vec).cap, sizeof *(vec).at);        \
        }                                                                      \
        (vec).at[(vec).n++] = (__VA_ARGS__);                                   \
    } while (0)

/* Our own mistake, never the user's: prints and aborts. */
void bug(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
