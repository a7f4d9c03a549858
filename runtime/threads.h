/* Thread pool: an executor that spins while a network runs and sleeps between
 * runs. */
#ifndef VTC_THREADS_H
#define VTC_THREADS_H

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { VTC_MAX_THREADS = 1024 };

typedef struct VtcPool VtcPool;

/* CPUs this process may run on, at least 1. */
int vtc_online_cpus(void);

/* Starts threads - 1 threads (the caller of run is the first), with all signals
 * blocked. VTC_ERR_THREADS unless 1 <= threads <= VTC_MAX_THREADS;
 * VTC_ERR_MEMORY; VTC_ERR_SYSTEM when a thread cannot be started, and then none
 * is left. On failure *pool is NULL. */
int vtc_pool_create(VtcPool **pool, int threads, VtcError *error);

/* Ends and joins the threads. No run may be in progress. NULL: nothing. */
void vtc_pool_destroy(VtcPool *pool);

/* Valid until the pool is destroyed. Its run must not be called from a task of
 * the same pool, nor by two threads at once. */
const VtcExecutor *vtc_pool_executor(const VtcPool *pool);

#ifdef __cplusplus
}
#endif

#endif
