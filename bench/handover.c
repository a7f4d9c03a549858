/* How long a number takes from one core to another, as two threads hand it to and fro:
 * whether they share a last-level cache. Virtual processors may be moved, so it is asked
 * again and again. Prints JSON: handover_ns, one way, the fastest of some rounds.
 *
 *     handover */
#define _GNU_SOURCE
#include "team.h"
#include <stdatomic.h>

enum { TIMES = 2000, ROUNDS = 50 };

static _Alignas(64) atomic_int turn;

/* Each waits for its numbers, even or odd, and hands on the next. */
static void hand_over(void *context, int thread)
{
    (void)context;
    for (int i = thread; i < 2 * TIMES; i += 2) {
        while (atomic_load_explicit(&turn, memory_order_acquire) != i)
            ;
        atomic_store_explicit(&turn, i + 1, memory_order_release);
    }
    if (thread == 1)
        atomic_store_explicit(&turn, 0, memory_order_release);
}

int main(void)
{
    Team team = {.threads = 2, .work = hand_over, .rounds = ROUNDS};
    printf("{\"handover_ns\": %.0f}\n", 1e9 * team_time(&team) / (2 * TIMES));
    return 0;
}
