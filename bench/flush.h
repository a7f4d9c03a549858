/* Throws memory out of all caches of the machine. */
#ifndef BENCH_FLUSH_H
#define BENCH_FLUSH_H

#include <stddef.h>

static inline void flush_caches(const void *memory, size_t bytes)
{
#if defined(__x86_64__)
    const char *at = memory;
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_ia32_clflush(at + i);
    __builtin_ia32_mfence();
#else
#error "bench: no way is known here to empty the caches"
#endif
}

#endif
