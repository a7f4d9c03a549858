/* No network allocates: every way to memory is counted while two of them run, by the
 * calling thread, by the pool, and by an executor that takes its threads in reverse. */
#define _GNU_SOURCE
#include "colors.h"
#include "threads.h"
#include "tokens.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static atomic_int calls;

/* glibc's own names of what is replaced here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *old);

void *malloc(size_t size) { calls++; return __libc_malloc(size); }
void *calloc(size_t n, size_t size) { calls++; return __libc_calloc(n, size); }
void *realloc(void *old, size_t size) { calls++; return __libc_realloc(old, size); }
void *memalign(size_t align, size_t size) { calls++; return __libc_memalign(align, size); }
void *aligned_alloc(size_t align, size_t size) { calls++; return __libc_memalign(align, size); }
void free(void *old) { calls++; __libc_free(old); }

int posix_memalign(void **out, size_t align, size_t size)
{
    calls++;
    *out = __libc_memalign(align, size);
    return *out ? 0 : ENOMEM;
}

void *mmap(void *at, size_t n, int protection, int flags, int file, off_t offset)
{
    static void *(*own)(void *, size_t, int, int, int, off_t);
    calls++;
    if (!own)
        *(void **)&own = dlsym(RTLD_NEXT, "mmap");
    return own(at, n, protection, flags, file, offset);
}

static _Alignas(COLORS_ALIGN) unsigned char colors_space[COLORS_WORKSPACE_BYTES];
static _Alignas(TOKENS_ALIGN) unsigned char tokens_space[TOKENS_WORKSPACE_BYTES];
static float image[3 * 16 * 16], logits[5], first[5];
static float features[8 * 12 * 12], attention[4 * 144], tokens[6 * 4];

static void backwards(void *self, VtcTask *task, void *context, int tasks)
{
    const VtcExecutor *executor = *(const VtcExecutor **)self;
    for (int t = executor->threads - 1; t >= 0; t--)
        for (int i = tasks * t / executor->threads; i < tasks * (t + 1) / executor->threads; i++)
            task(context, i, t);
}

/* Calls of allocators in some runs; -1: a run failed or has other results. */
static int count(const VtcExecutor *executor)
{
    int before = calls, bad = 0;
    for (int i = 0; i < 3; i++) {
        memset(colors_space, i * 85, sizeof colors_space); /* contents do not matter */
        bad |= colors_run(colors_weights, image, logits, colors_space, executor);
        bad |= tokens_run(tokens_weights, features, attention, tokens, tokens_space, executor);
    }
    int made = calls - before;
    if (!executor)
        memcpy(first, logits, sizeof first);
    return bad || memcmp(first, logits, sizeof first) != 0 ? -1 : made;
}

int main(void)
{
    VtcPool *pool;
    VtcError error;
    VtcExecutor own = {3, NULL, backwards};
    const VtcExecutor *self = &own;
    own.self = &self;
    for (int i = 0; i < 3 * 16 * 16; i++)
        image[i] = (float)(i % 29) / 29;
    if (vtc_pool_create(&pool, 3, &error) != VTC_OK)
        return 3;
    int seen = calls; /* the pool's own: the counter works */
    int alone = count(NULL), pooled = count(vtc_pool_executor(pool)), reversed = count(self);
    vtc_pool_destroy(pool);
    printf("%d before; in runs: %d alone, %d by a pool, %d by another executor\n", seen, alone,
           pooled, reversed);
    return seen < 1 || alone || pooled || reversed;
}
