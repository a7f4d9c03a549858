/* The thread pool: who runs what, that it can be used again and again, and that
 * it sleeps when there is nothing to do. */
#include "threads.h"

#include "../unit/unit.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { MOST_TASKS = 1000 };

typedef struct Record {
    atomic_int runs[MOST_TASKS]; /* how often each task ran */
    int thread[MOST_TASKS];      /* on which thread, as it was told */
    pthread_t self[MOST_TASKS];  /* on which thread, really */
} Record;

static Record record;

static void note(void *context, int task, int thread)
{
    Record *r = context;
    atomic_fetch_add(&r->runs[task], 1);
    r->thread[task] = thread;
    r->self[task] = pthread_self();
}

static void run(const VtcExecutor *executor, int tasks)
{
    memset(&record, 0, sizeof record);
    executor->run(executor->self, note, &record, tasks);
}

/* Thread t takes [n*t/T, n*(t+1)/T); a single task stays with the caller. */
static bool partition_holds(int tasks, int threads)
{
    for (int t = 0; t < threads; t++)
        for (int i = tasks * t / threads; i < tasks * (t + 1) / threads; i++)
            if (record.thread[i] != (tasks == 1 ? 0 : t) ||
                atomic_load(&record.runs[i]) != 1)
                return false;
    return true;
}

static VtcPool *pool_of(int threads)
{
    VtcPool *pool = NULL;
    VtcError error;
    CU_ASSERT_EQUAL_FATAL(vtc_pool_create(&pool, threads, &error), VTC_OK);
    CU_ASSERT_EQUAL(vtc_pool_executor(pool)->threads, threads);
    return pool;
}

static void test_partition(void)
{
    static const int counts[] = {0, 1, 2, 3, 5, 7, 8, 9, 16, 31, 100, 997};
    for (int threads = 1; threads <= 8; threads++) {
        VtcPool *pool = pool_of(threads);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            run(vtc_pool_executor(pool), counts[i]);
            CU_ASSERT_TRUE(partition_holds(counts[i], threads));
            CU_ASSERT_EQUAL(atomic_load(&record.runs[counts[i]]), 0);
        }
        vtc_pool_destroy(pool);
    }
}

static void test_caller_is_thread_0(void)
{
    VtcPool *pool = pool_of(4);
    run(vtc_pool_executor(pool), 8);
    for (int i = 0; i < 8; i++) {
        bool mine = pthread_equal(record.self[i], pthread_self()) != 0;
        CU_ASSERT_EQUAL(mine, record.thread[i] == 0);
        CU_ASSERT_EQUAL(pthread_equal(record.self[i], record.self[i / 2 * 2]), 1);
    }
    vtc_pool_destroy(pool);
}

/* Each step reads what all tasks of the step before wrote: only right if run
 * returns after all of them and their writes are seen. No atomics here, so that
 * the thread sanitizer would speak. */
typedef struct Chain {
    long from[16], to[16];
} Chain;

static void sum_all(void *context, int task, int thread)
{
    Chain *c = context;
    (void)thread;
    c->to[task] = 1;
    for (int i = 0; i < 16; i++)
        c->to[task] += c->from[i] % 1000;
}

static void test_steps_see_each_other(void)
{
    for (int threads = 2; threads <= 4; threads++) {
        VtcPool *pool = pool_of(threads);
        const VtcExecutor *executor = vtc_pool_executor(pool);
        Chain chain = {{0}, {0}}, alone = {{0}, {0}};
        for (int i = 0; i < 3000; i++) {
            executor->run(executor->self, sum_all, &chain, 16);
            vtc_dispatch(NULL, sum_all, &alone, 16);
            memcpy(chain.from, chain.to, sizeof chain.to);
            memcpy(alone.from, alone.to, sizeof alone.to);
        }
        CU_ASSERT_EQUAL(memcmp(&chain, &alone, sizeof chain), 0);
        vtc_pool_destroy(pool);
    }
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* Sleeping workers must also wake: runs with pauses between. Two threads spin
 * before they sleep where there are two CPUs, five do not on few. */
static void test_sleeps_and_wakes(void)
{
    for (int threads = 2; threads <= 5; threads += 3) {
        VtcPool *pool = pool_of(threads);
        run(vtc_pool_executor(pool), 9);
        double before = seconds(CLOCK_PROCESS_CPUTIME_ID);
        sleep_ms(300);
        double idle = seconds(CLOCK_PROCESS_CPUTIME_ID) - before;
        CU_ASSERT_TRUE(idle < 0.02);
        for (int i = 0; i < 50; i++) {
            sleep_ms(i % 5 == 0 ? 2 : 0);
            run(vtc_pool_executor(pool), 9);
            CU_ASSERT_TRUE(partition_holds(9, threads));
        }
        vtc_pool_destroy(pool);
    }
}

static void nothing(void *context, int task, int thread)
{
    (void)context;
    (void)task;
    (void)thread;
}

static void test_barrier_is_short(void)
{
    VtcPool *pool = pool_of(2);
    const VtcExecutor *executor = vtc_pool_executor(pool);
    double best = 1;
    for (int round = 0; round < 20; round++) {
        double before = seconds(CLOCK_MONOTONIC);
        for (int i = 0; i < 200; i++)
            executor->run(executor->self, nothing, NULL, 2);
        double taken = (seconds(CLOCK_MONOTONIC) - before) / 200;
        best = taken < best ? taken : best;
    }
    printf("(%.2f us) ", best * 1e6); /* a limit would fail on busy machines */
    vtc_pool_destroy(pool);
}

static void test_create_and_destroy(void)
{
    VtcError error = {0, ""};
    VtcPool *pool = NULL;
    CU_ASSERT_EQUAL(vtc_pool_create(&pool, 0, &error), VTC_ERR_THREADS);
    CU_ASSERT_PTR_NULL(pool);
    CU_ASSERT_EQUAL(error.status, VTC_ERR_THREADS);
    CU_ASSERT_EQUAL(vtc_pool_create(&pool, VTC_MAX_THREADS + 1, NULL),
                    VTC_ERR_THREADS);
    for (int i = 0; i < 100; i++)
        vtc_pool_destroy(pool_of(1 + i % 4)); /* also without any run */
    vtc_pool_destroy(NULL);
    CU_ASSERT_TRUE(vtc_online_cpus() >= 1);
}

static void signal_mask_of(void *context, int task, int thread)
{
    sigset_t *masks = context;
    (void)task;
    pthread_sigmask(SIG_BLOCK, NULL, &masks[thread]);
}

static void test_signals_stay_with_caller(void)
{
    sigset_t masks[2];
    sigemptyset(&masks[0]);
    sigemptyset(&masks[1]);
    VtcPool *pool = pool_of(2);
    const VtcExecutor *executor = vtc_pool_executor(pool);
    executor->run(executor->self, signal_mask_of, masks, 2);
    CU_ASSERT_EQUAL(sigismember(&masks[0], SIGINT), 0);
    CU_ASSERT_EQUAL(sigismember(&masks[1], SIGINT), 1);
    vtc_pool_destroy(pool);
}

static void test_strerror(void)
{
    for (int i = VTC_OK; i <= VTC_ERR_SYSTEM; i++)
        for (int j = 0; j < i; j++)
            CU_ASSERT_STRING_NOT_EQUAL(vtc_strerror(i), vtc_strerror(j));
    CU_ASSERT_STRING_EQUAL(vtc_strerror(-1), "unknown status");
}

int main(void)
{
    static const UnitTest tests[] = {
        {"static partition, 1 to 8 threads",       test_partition             },
        {"the caller is thread 0",                 test_caller_is_thread_0    },
        {"a step sees all writes of the last one", test_steps_see_each_other  },
        {"idle pools sleep, and wake",             test_sleeps_and_wakes      },
        {"barrier",                                test_barrier_is_short      },
        {"create and destroy",                     test_create_and_destroy    },
        {"signals stay with the caller",           test_signals_stay_with_caller},
        {"every status has its sentence",          test_strerror              },
    };
    return UNIT_RUN(tests);
}
