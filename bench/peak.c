/* The multiply-add rate of one core: many independent chains in registers. Prints
 * JSON: gflops. Compile for the machine itself. */
#include <stdio.h>
#include <time.h>

#if defined(__AVX512F__)
enum { LANES = 16, CHAINS = 24 };
#else
enum { LANES = 8, CHAINS = 12 };
#endif
typedef float Vector __attribute__((vector_size(LANES * sizeof(float))));

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

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

int main(void)
{
    enum { STEPS = 2000000 };
    double best = 1e9;
    volatile float sink;
    for (int round = 0; round < 7; round++) {
        double start = now();
        sink = chains(STEPS);
        double time = now() - start;
        best = time < best ? time : best;
    }
    (void)sink;
    printf("{\"gflops\": %.1f}\n", 2.0 * LANES * CHAINS * STEPS / best / 1e9);
    return 0;
}
