/* A network ready to run. */
#define _POSIX_C_SOURCE 200809L
#include "session.h"

#include "pages.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PATH_BYTES = 4096 };

/* ---- memory ------------------------------------------------------------ */

static void **allocate_tensors(const VtcTensorInfo *info, int count)
{
    void **tensors = calloc((size_t)count + 1, sizeof *tensors);
    for (int i = 0; tensors != NULL && i < count; i++) {
        tensors[i] = vtc_pages_allocate(info[i].bytes, 0);
        if (tensors[i] == NULL)
            return tensors; /* the caller looks for the hole */
        memset(tensors[i], 0, (size_t)info[i].bytes);
    }
    return tensors;
}

static bool all_there(void **tensors, int count)
{
    return tensors != NULL && (count == 0 || tensors[count - 1] != NULL);
}

static void free_tensors(void **tensors, int count)
{
    for (int i = 0; tensors != NULL && i < count; i++)
        free(tensors[i]);
    free(tensors);
}

static int allocate_all(VtcSession *session, VtcError *error)
{
    const VtcModel *model = session->model;
    session->inputs = allocate_tensors(model->inputs, model->input_count);
    session->outputs = allocate_tensors(model->outputs, model->output_count);
    session->workspace = vtc_pages_allocate(model->workspace_bytes, model->align);
    if (session->workspace == NULL ||
        !all_there(session->inputs, model->input_count) ||
        !all_there(session->outputs, model->output_count))
        return vtc_fail(error, VTC_ERR_MEMORY,
                        "out of memory: '%s' works in %llu bytes", model->name,
                        (unsigned long long)model->workspace_bytes);
    return VTC_OK;
}

/* ---- weights, threads -------------------------------------------------- */

/* NAME.weights in the folder of the running program; false if that cannot be
 * told. */
static bool default_weights(char path[MAX_PATH_BYTES], const VtcModel *model)
{
    ssize_t n = readlink("/proc/self/exe", path, MAX_PATH_BYTES - 1);
    if (n <= 0)
        return false;
    path[n] = '\0';
    const char *slash = strrchr(path, '/');
    size_t folder = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    int wrote = snprintf(path + folder, MAX_PATH_BYTES - folder, "%s.weights",
                         model->name);
    return wrote > 0 && (size_t)wrote < MAX_PATH_BYTES - folder;
}

static int open_weights(VtcSession *session, const char *path, VtcError *error)
{
    char beside[MAX_PATH_BYTES];
    const VtcModel *model = session->model;
    if (path == NULL && model->weights == NULL && model->weights_bytes > 0 &&
        default_weights(beside, model))
        path = beside;
    return vtc_weights_open(&session->weights, model, path, error);
}

static int start_threads(VtcSession *session, int threads, VtcError *error)
{
    int most = session->model->max_threads;
    if (threads > most)
        return vtc_fail(error, VTC_ERR_THREADS,
                        "'%s' was built for at most %d threads",
                        session->model->name, most);
    if (threads == 0)
        threads = vtc_online_cpus();
    session->threads = threads < most ? threads : most;
    if (session->threads <= 1) {
        session->threads = 1;
        return VTC_OK;
    }
    int status = vtc_pool_create(&session->pool, session->threads, error);
    if (status == VTC_OK)
        session->executor = vtc_pool_executor(session->pool);
    return status;
}

/* ---- the session ------------------------------------------------------- */

int vtc_session_open(VtcSession *session, const VtcModel *model,
                     const char *weights, int threads, VtcError *error)
{
    *session = (VtcSession){.model = model};
    if (model->abi_version != VTC_ABI_VERSION)
        return vtc_fail(error, VTC_ERR_ABI,
                        "'%s' was built for version %lu of the runtime, this "
                        "is %d",
                        model->name, (unsigned long)model->abi_version,
                        VTC_ABI_VERSION);
    int status = start_threads(session, threads, error);
    if (status == VTC_OK)
        status = open_weights(session, weights, error);
    if (status == VTC_OK)
        status = allocate_all(session, error);
    if (status != VTC_OK)
        vtc_session_close(session);
    return status;
}

/* The constants that C's conversion rules do not add by themselves. */
static const void *const *as_inputs(const VtcSession *session)
{
    return (const void *const *)session->inputs;
}

static int check_run(const VtcSession *session, int status, VtcError *error)
{
    if (status == VTC_OK)
        return VTC_OK;
    return vtc_fail(error, status, "'%s' did not run: %s", session->model->name,
                    vtc_strerror(status));
}

int vtc_session_run(const VtcSession *session, VtcError *error)
{
    int status = session->model->run(session->weights.data, as_inputs(session),
                                     session->outputs, session->workspace,
                                     session->executor);
    return check_run(session, status, error);
}

void vtc_session_settle(VtcSession *session)
{
    if (!session->settled)
        vtc_weights_settle(&session->weights, session->model);
    session->settled = 1;
}

int vtc_session_run_steps(const VtcSession *session, int first, int last,
                          VtcError *error)
{
    int status = VTC_ERR_RANGE;
    if (session->model->run_steps != NULL)
        status = session->model->run_steps(
            session->weights.data, as_inputs(session), session->outputs,
            session->workspace, session->executor, first, last);
    return check_run(session, status, error);
}

void vtc_session_close(VtcSession *session)
{
    if (session->model == NULL)
        return;
    free_tensors(session->inputs, session->model->input_count);
    free_tensors(session->outputs, session->model->output_count);
    free(session->workspace);
    vtc_pool_destroy(session->pool);
    vtc_weights_close(&session->weights);
    memset(session, 0, sizeof *session);
}
