/* A network ready to run: weights, threads and all memory it needs. */
#ifndef VTC_SESSION_H
#define VTC_SESSION_H

#include "threads.h"
#include "weights.h"

typedef struct VtcSession {
    const VtcModel *model;
    VtcWeights weights;
    VtcPool *pool;               /* NULL: one thread */
    const VtcExecutor *executor; /* of pool, or NULL */
    int threads;
    void **inputs, **outputs; /* model->input_count, output_count tensors */
    void *workspace;
    int settled;
} VtcSession;

/* weights: a path, or NULL for the embedded ones or, if there are none,
 * NAME.weights in the program's folder. threads: 0 for as many as there are
 * CPUs, at most max_threads. VTC_ERR_ABI; VTC_ERR_THREADS for more than
 * max_threads; errors of weights.h and threads.h; _MEMORY. On failure nothing is
 * held. */
int vtc_session_open(VtcSession *session, const VtcModel *model,
                     const char *weights, int threads, VtcError *error);
/* One run from inputs to outputs. Does not allocate. */
int vtc_session_run(const VtcSession *session, VtcError *error);
/* Many runs follow: moves large weights to huge pages, once (weights.h). The first run
 * is sooner there without. */
void vtc_session_settle(VtcSession *session);
/* Steps first..last-1; VTC_ERR_RANGE also if the network has no such entry. */
int vtc_session_run_steps(const VtcSession *session, int first, int last,
                          VtcError *error);
/* On all zeroes: nothing. */
void vtc_session_close(VtcSession *session);

#endif
