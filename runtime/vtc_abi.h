/* What a compiled network and its caller agree on. Generated code includes this
 * header and nothing else; it needs only a freestanding C11 or C++11 compiler.
 *
 *     caller --inputs, outputs, workspace, weights--> NAME_run
 *                                                        |  one run() per step
 *                                                        v
 *     VtcExecutor: thread t of T takes tasks [n*t/T, n*(t+1)/T)
 *
 * A network never allocates, keeps no state between runs and may run in several
 * threads at once when each run has its own workspace, outputs and executor.
 * Records are made of fixed-width integers and pointers in an order without
 * inner padding on 64-bit targets, so that a generator which does not write C
 * can lay them out too. */
#ifndef VTC_ABI_H
#define VTC_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    VTC_ABI_VERSION = 1, /* of this header; VtcModel carries it */
    VTC_MAX_RANK = 8     /* dimensions of a tensor */
};

/* What NAME_run and the runtime's functions return. */
typedef enum VtcStatus {
    VTC_OK = 0,
    VTC_ERR_NULL = 1,     /* a pointer that must be given is NULL */
    VTC_ERR_ALIGN = 2,    /* weights or workspace not aligned to model->align */
    VTC_ERR_THREADS = 3,  /* executor->threads < 1 or > model->max_threads */
    VTC_ERR_RANGE = 4,    /* run_steps: not 0 <= first <= last <= step_count */
    VTC_ERR_ABI = 5,      /* the model was built for another abi version */
    VTC_ERR_OPEN = 6,     /* a file cannot be opened or read */
    VTC_ERR_FORMAT = 7,   /* a file is malformed or of an unknown kind */
    VTC_ERR_VERSION = 8,  /* weights file of another format version */
    VTC_ERR_ORDER = 9,    /* weights file of the other byte order */
    VTC_ERR_SIZE = 10,    /* a file is shorter or longer than it says */
    VTC_ERR_HASH = 11,    /* the content does not match its hash */
    VTC_ERR_MISMATCH = 12, /* well formed, but not what this model takes */
    VTC_ERR_LIMIT = 13,   /* larger than the runtime accepts */
    VTC_ERR_MEMORY = 14,  /* out of memory */
    VTC_ERR_SYSTEM = 15   /* the system refused: thread, disk */
} VtcStatus;

/* A sentence for a status, never NULL. In the runtime library, not needed by
 * generated code. */
const char *vtc_strerror(int status);

/* ---- threads ----------------------------------------------------------- */

/* Does task `task` of a step. `thread` < executor->threads: which slice of the
 * workspace's per-thread scratch is free for it. */
typedef void VtcTask(void *context, int task, int thread);

/* Runs tasks 0..tasks-1, each once, and returns when all are done and their writes
 * can be seen by the caller. Tasks that run at the same time have different
 * `thread`s below T; which of them has which task decides no bit, but is faster
 * where a task has the same in every step: [tasks*t/T, tasks*(t+1)/T) are best
 * done by thread t, in order. threads.h has one that does so while all threads
 * get on alike; users may give their own. A run of a network must be the only
 * user of its executor at that time. */
typedef struct VtcExecutor {
    int threads; /* T, at least 1 */
    void *self;  /* passed back to run */
    void (*run)(void *self, VtcTask *task, void *context, int tasks);
} VtcExecutor;

/* One step. With one task, one thread or no executor the caller does it all. */
static inline void vtc_dispatch(const VtcExecutor *executor, VtcTask *task,
                                void *context, int tasks)
{
    if (executor != NULL && executor->threads > 1 && tasks > 1) {
        executor->run(executor->self, task, context, tasks);
        return;
    }
    for (int i = 0; i < tasks; i++)
        task(context, i, 0);
}

/* ---- reflection -------------------------------------------------------- */

/* Element types, in the order of the compiler's table. */
typedef enum VtcDtype {
    VTC_f32 = 0,  /* float */
    VTC_f16 = 1,  /* IEEE binary16 in uint16_t */
    VTC_bf16 = 2, /* bfloat16 in uint16_t */
    VTC_i32 = 3,  /* int32_t */
    VTC_u8 = 4,   /* uint8_t */
    VTC_bool = 5  /* uint8_t, 0 or 1 */
} VtcDtype;

typedef enum VtcFilter {
    VTC_BILINEAR = 0, /* triangle, widened when shrinking (antialiased) */
    VTC_NEAREST = 1
} VtcFilter;

typedef enum VtcOrder { VTC_RGB = 0, VTC_BGR = 1, VTC_GRAY = 2 } VtcOrder;

/* How an image becomes an input tensor [1, C, H, W], in this order: to `order`,
 * resize, centre crop, invert, normalise. An input of type u8 gets the samples
 * themselves and is not normalised. */
typedef struct VtcPreprocess {
    int32_t resize_short;       /* shorter side to this many pixels; 0: no */
    int32_t resize_h, resize_w; /* to exactly this; 0: no */
    int32_t filter;             /* VtcFilter */
    int32_t crop_h, crop_w;     /* centre crop; 0: no */
    int32_t order;              /* VtcOrder */
    int32_t invert;             /* 1: v becomes 255 - v */
    float range;                /* element = (v / range - mean) / std; 255 */
    float mean[4], std[4];      /* by channel in `order` */
} VtcPreprocess;

/* An input or output as the caller sees it: dense, last dimension fastest
 * (images NCHW). */
typedef struct VtcTensorInfo {
    const char *name;
    int32_t dtype; /* VtcDtype */
    int32_t rank;  /* 0..VTC_MAX_RANK */
    int64_t dims[VTC_MAX_RANK];
    uint64_t bytes;
    const VtcPreprocess *preprocess; /* inputs that take images, else NULL */
    const char *const *labels;       /* outputs with class names, else NULL */
    int64_t label_count;
} VtcTensorInfo;

/* inputs[i], outputs[i]: as model->inputs[i], outputs[i]; elements must be
 * aligned as their type. workspace: workspace_bytes, aligned; contents do not
 * matter. Returns VTC_OK, VTC_ERR_NULL, VTC_ERR_ALIGN or VTC_ERR_THREADS. */
typedef int VtcRun(const void *weights, const void *const *inputs,
                   void *const *outputs, void *workspace,
                   const VtcExecutor *executor);

/* Only steps first..last-1, on a workspace where the earlier ones ran, with as many
 * threads; also VTC_ERR_RANGE. */
typedef int VtcRunSteps(const void *weights, const void *const *inputs,
                        void *const *outputs, void *workspace,
                        const VtcExecutor *executor, int first, int last);

typedef struct VtcModel {
    uint32_t abi_version; /* VTC_ABI_VERSION */
    int32_t align;        /* of weights and workspace, bytes; a power of two */
    const char *name;
    const VtcTensorInfo *inputs;
    const VtcTensorInfo *outputs;
    int32_t input_count, output_count;
    int32_t max_threads; /* scratch in the workspace is for so many */
    int32_t step_count;
    const char *const *step_names; /* step_count of them, or NULL */
    uint64_t workspace_bytes;
    uint64_t weights_bytes; /* of the packed weights */
    uint64_t weights_hash;  /* vtc_blob_hash of them (vtc_blob.h) */
    const void *weights;    /* embedded, aligned to align; NULL: in a file */
    VtcRun *run;
    VtcRunSteps *run_steps; /* NULL when not built in */
} VtcModel;

/* The checks every NAME_run begins with. workspace may be NULL when the model
 * needs none, weights when it has none; inputs and outputs are checked by
 * the caller, who knows how many there are. */
static inline int vtc_check_call(const VtcModel *model, const void *weights,
                                 const void *workspace,
                                 const VtcExecutor *executor)
{
    uintptr_t mask = (uintptr_t)model->align - 1;
    if ((weights == NULL && model->weights_bytes > 0) ||
        (workspace == NULL && model->workspace_bytes > 0))
        return VTC_ERR_NULL;
    if (((uintptr_t)weights & mask) != 0 || ((uintptr_t)workspace & mask) != 0)
        return VTC_ERR_ALIGN;
    if (executor != NULL &&
        (executor->threads < 1 || executor->threads > model->max_threads))
        return VTC_ERR_THREADS;
    return VTC_OK;
}

#ifdef __cplusplus
}
#endif

#endif
