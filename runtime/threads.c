/* Thread pool: each thread has a part of the tasks, and helps others when it is done.
 *
 *     caller                         worker t
 *     job = ...; generation++  --->  sees the generation change
 *     its own part                   its part [n*t/T, n*(t+1)/T)
 *     what others have not begun     what others have not begun
 *     sees pending == 0        <---  pending--
 *
 * A thread takes its own tasks in order, and meets in its caches what it left there in
 * the step before. Where tasks are not equal, or the system or a neighbour on the machine
 * takes a processor away, the others do not wait for more than a task. Which thread does
 * a task decides no bit.
 *
 * Both sides wait by wait_until: first spinning, so that steps that follow each
 * other within SPIN_NANOSECONDS cost two cache-line transfers and no system call;
 * then asleep on a condition variable.
 *
 * Note [No wakeup is lost]. A sleeper raises `sleepers`, then looks at its
 * variable again; a waker changes the variable, then looks at `sleepers`. All
 * four accesses are sequentially consistent, so at least one of the two sees the
 * other; and a sleeper looks while it holds the mutex that the waker takes, so
 * it is either waiting already or has yet to look. */
#define _GNU_SOURCE /* sched_getaffinity; not needed elsewhere than on Linux */
#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CACHE_LINE = 64, SPIN_NANOSECONDS = 200000, SPINS_PER_LOOK = 64 };

/* A thread's part of the tasks. */
typedef struct Part {
    _Alignas(CACHE_LINE) atomic_int next; /* not begun */
    int end;
} Part;

typedef struct Worker {
    VtcPool *pool;
    int thread;
    pthread_t handle;
} Worker;

struct VtcPool {
    VtcExecutor executor;
    Worker *workers; /* threads - 1 of them */
    Part *parts;     /* one a thread */
    int started;
    bool spins; /* false when there are more threads than CPUs */
    pthread_mutex_t mutex;
    pthread_cond_t changed;

    /* The job; written by the caller before generation changes. */
    VtcTask *task;
    void *context;
    bool stop;

    /* Each on its own cache line. */
    _Alignas(CACHE_LINE) atomic_uint generation; /* of the job */
    _Alignas(CACHE_LINE) atomic_uint pending;    /* workers not done with it */
    _Alignas(CACHE_LINE) atomic_uint sleepers;
};

int vtc_online_cpus(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > VTC_MAX_THREADS ? VTC_MAX_THREADS : (int)n;
}

/* ---- waiting ----------------------------------------------------------- */

static void cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7)
    __asm__ volatile("yield");
#endif
}

static int64_t now_nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Whether *value became (equal) or stopped being (not equal) `to`. */
static bool reached(atomic_uint *value, unsigned to, bool equal)
{
    return (atomic_load(value) == to) == equal;
}

static bool spin_until(atomic_uint *value, unsigned to, bool equal)
{
    int64_t end = now_nanoseconds() + SPIN_NANOSECONDS;
    do {
        for (int i = 0; i < SPINS_PER_LOOK; i++) {
            if (reached(value, to, equal))
                return true;
            cpu_pause();
        }
    } while (now_nanoseconds() < end);
    return false;
}

static void wait_until(VtcPool *pool, atomic_uint *value, unsigned to,
                       bool equal)
{
    if (reached(value, to, equal) ||
        (pool->spins && spin_until(value, to, equal)))
        return;
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1); /* Note [No wakeup is lost] */
    while (!reached(value, to, equal))
        pthread_cond_wait(&pool->changed, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
}

/* After a change of a variable that somebody may wait for. */
static void wake_sleepers(VtcPool *pool)
{
    if (atomic_load(&pool->sleepers) == 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
}

/* ---- running ----------------------------------------------------------- */

static void run_part(const VtcPool *pool, Part *part, int thread)
{
    if (atomic_load_explicit(&part->next, memory_order_relaxed) >= part->end)
        return;
    for (;;) {
        int i = atomic_fetch_add_explicit(&part->next, 1, memory_order_relaxed);
        if (i >= part->end)
            return;
        pool->task(pool->context, i, thread);
    }
}

/* Its own part, then those of the threads after it. */
static void run_parts(const VtcPool *pool, int thread)
{
    int threads = pool->executor.threads;
    for (int i = 0; i < threads; i++)
        run_part(pool, &pool->parts[(thread + i) % threads], thread);
}

static void *worker_main(void *argument)
{
    Worker *worker = argument;
    VtcPool *pool = worker->pool;
    for (unsigned seen = 0;; seen++) {
        wait_until(pool, &pool->generation, seen, false);
        if (pool->stop)
            return NULL;
        run_parts(pool, worker->thread);
        if (atomic_fetch_sub(&pool->pending, 1) == 1)
            wake_sleepers(pool);
    }
}

static void set_parts(VtcPool *pool, int64_t tasks)
{
    int threads = pool->executor.threads;
    for (int t = 0; t < threads; t++) {
        atomic_store_explicit(&pool->parts[t].next, (int)(tasks * t / threads),
                              memory_order_relaxed);
        pool->parts[t].end = (int)(tasks * (t + 1) / threads);
    }
}

static void pool_run(void *self, VtcTask *task, void *context, int tasks)
{
    VtcPool *pool = self;
    if (tasks <= 1 || pool->started == 0) { /* waking others costs more */
        for (int i = 0; i < tasks; i++)
            task(context, i, 0);
        return;
    }
    pool->task = task;
    pool->context = context;
    set_parts(pool, tasks);
    atomic_store(&pool->pending, (unsigned)pool->started);
    atomic_fetch_add(&pool->generation, 1);
    wake_sleepers(pool);
    run_parts(pool, 0);
    wait_until(pool, &pool->pending, 0, true);
}

/* ---- starting and ending ----------------------------------------------- */

/* Signals stay with the threads of the program the network is linked into. */
static int workers_start(VtcPool *pool)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failure = 0;
    while (pool->started < pool->executor.threads - 1 && failure == 0) {
        Worker *worker = &pool->workers[pool->started];
        *worker = (Worker){.pool = pool, .thread = pool->started + 1};
        failure = pthread_create(&worker->handle, NULL, worker_main, worker);
        pool->started += failure == 0;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failure;
}

static void pool_free(VtcPool *pool)
{
    free(pool->workers);
    free(pool->parts);
    free(pool);
}

/* Whole cache lines, zeros; NULL: out of memory. */
static void *lines_allocate(size_t bytes)
{
    void *memory = NULL;
    if (posix_memalign(&memory, CACHE_LINE, bytes) != 0)
        return NULL;
    return memset(memory, 0, bytes);
}

static VtcPool *pool_allocate(int threads)
{
    VtcPool *pool = lines_allocate(sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->workers = calloc((size_t)threads, sizeof *pool->workers);
    pool->parts = lines_allocate((size_t)threads * sizeof *pool->parts);
    if (pool->workers == NULL || pool->parts == NULL) {
        pool_free(pool);
        return NULL;
    }
    pool->executor = (VtcExecutor){threads, pool, pool_run};
    pool->spins = threads <= vtc_online_cpus();
    atomic_init(&pool->generation, 0);
    atomic_init(&pool->pending, 0);
    atomic_init(&pool->sleepers, 0);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->changed, NULL);
    return pool;
}

int vtc_pool_create(VtcPool **pool, int threads, VtcError *error)
{
    *pool = NULL;
    if (threads < 1 || threads > VTC_MAX_THREADS)
        return vtc_fail(error, VTC_ERR_THREADS, "cannot use %d threads: 1 to %d",
                        threads, VTC_MAX_THREADS);
    VtcPool *new_pool = pool_allocate(threads);
    if (new_pool == NULL)
        return vtc_fail(error, VTC_ERR_MEMORY, "out of memory for threads");
    int failure = workers_start(new_pool);
    if (failure != 0) {
        vtc_pool_destroy(new_pool);
        return vtc_fail(error, VTC_ERR_SYSTEM, "cannot start thread %d: %s",
                        threads, strerror(failure));
    }
    *pool = new_pool;
    return VTC_OK;
}

void vtc_pool_destroy(VtcPool *pool)
{
    if (pool == NULL)
        return;
    pool->stop = true;
    atomic_fetch_add(&pool->generation, 1);
    wake_sleepers(pool);
    for (int i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i].handle, NULL);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->mutex);
    pool_free(pool);
}

const VtcExecutor *vtc_pool_executor(const VtcPool *pool)
{
    return &pool->executor;
}
