/* Reading speed of cores together: from the second-level cache (256 KB each), the
 * last-level cache (16 MB together) and memory (512 MB, thrown out of all caches
 * before each round). Prints JSON: l2_gbps, llc_gbps, memory_gbps.
 *
 *     bandwidth [THREADS] */
#define _GNU_SOURCE
#include "flush.h"
#include "team.h"
#include <string.h>
#include <sys/mman.h>

enum { ROUNDS = 9, COLD_ROUNDS = 4 };
/* As wide as a register: gcc keeps sums of wider vectors in memory, and measures that. */
#ifdef __AVX512F__
typedef float Vector __attribute__((vector_size(64)));
#else
typedef float Vector __attribute__((vector_size(32)));
#endif

typedef struct Reading {
    const char *from;
    size_t bytes, share; /* all, and of a thread */
    int turns;           /* how often a round reads it */
    int threads;
    float sinks[16 * MOST_THREADS];
} Reading;

static float sum_of(const Vector *p, size_t n)
{
    Vector a = {0}, b = {0}, c = {0}, d = {0}, e = {0}, f = {0}, g = {0}, h = {0};
    for (size_t i = 0; i + 8 <= n; i += 8) {
        a += p[i];
        b += p[i + 1];
        c += p[i + 2];
        d += p[i + 3];
        e += p[i + 4];
        f += p[i + 5];
        g += p[i + 6];
        h += p[i + 7];
    }
    a += b + c + d + e + f + g + h;
    return a[0];
}

static void work(void *context, int thread)
{
    Reading *r = context;
    const Vector *share = (const void *)(r->from + (size_t)thread * r->share);
    float sum = 0;
    for (int i = 0; i < r->turns; i++) {
        sum += sum_of(share, r->share / sizeof *share);
        __asm__ volatile("" ::: "memory"); /* read it again */
    }
    r->sinks[16 * thread] = sum;
}

/* Read many times in a round it comes from a cache; once, from memory: then each round
 * is a team's only one, after the flush. */
static double gbps(const char *from, size_t bytes, int turns, int threads)
{
    static Reading r;
    r = (Reading){.from = from, .turns = turns, .threads = threads};
    r.share = bytes / (size_t)threads / 512 * 512;
    Team team = {.threads = threads, .work = work, .context = &r,
                 .rounds = turns > 1 ? ROUNDS : 1};
    double best = 0;
    for (int i = 0; i < (turns > 1 ? 1 : COLD_ROUNDS); i++) {
        if (turns == 1)
            flush_caches(from, bytes);
        double rate = (double)r.share * threads * turns / team_time(&team) / 1e9;
        best = rate > best ? rate : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    int threads = team_threads(argc, argv);
    const size_t l2 = ((size_t)256 << 10) * (size_t)threads;
    const size_t llc = (size_t)16 << 20, memory = (size_t)512 << 20;
    char *p = aligned_alloc((size_t)2 << 20, memory);
    if (!p)
        return 1;
    madvise(p, memory, MADV_HUGEPAGE);
    memset(p, 0, memory);
    double near = gbps(p, l2, 200, threads), middle = gbps(p, llc, 5, threads);
    double far = gbps(p, memory, 1, threads);
    printf("{\"l2_gbps\": %.1f, \"llc_gbps\": %.1f, \"memory_gbps\": %.1f}\n", near, middle,
           far);
    free(p);
    return 0;
}
