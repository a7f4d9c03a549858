/* The multiply-add rate: many independent chains in registers. Prints JSON: gflops.
 * Compile for the machine itself.
 *
 *     peak [THREADS] */
#define _GNU_SOURCE
#include "team.h"

#if defined(__AVX512F__) && !defined(ONLY_AVX2)
enum { LANES = 16, CHAINS = 24 };
#else
enum { LANES = 8, CHAINS = 12 };
#endif
enum { STEPS = 1000000, ROUNDS = 15 };
typedef float Vector __attribute__((vector_size(LANES * sizeof(float))));

static float chains(long steps)
{
    Vector x[CHAINS], a = {0}, b = {0};
    a += 0.999f;
    b += 0.001f;
    for (int i = 0; i < CHAINS; i++)
        x[i] = b * (float)i;
    for (long s = 0; s < steps; s++)
#pragma GCC unroll 32
        for (int i = 0; i < CHAINS; i++)
            x[i] = x[i] * a + b;
    float sum = 0;
    for (int i = 0; i < CHAINS; i++)
        sum += x[i][0];
    return sum;
}

static void work(void *context, int thread)
{
    volatile float *sinks = context;
    sinks[16 * thread] = chains(STEPS);
}

int main(int argc, char **argv)
{
    static float sinks[16 * MOST_THREADS];
    Team team = {.threads = team_threads(argc, argv), .work = work, .context = sinks,
                 .rounds = ROUNDS};
    double flops = 2.0 * LANES * CHAINS * STEPS * team.threads;
    printf("{\"gflops\": %.1f}\n", flops / team_time(&team) / 1e9);
    return 0;
}
