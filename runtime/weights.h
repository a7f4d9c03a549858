/* Weights: embedded in the program, or a NAME.weights file mapped read-only and
 * checked against the network (vtc_blob.h has the format). */
#ifndef VTC_WEIGHTS_H
#define VTC_WEIGHTS_H

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct VtcWeights {
    const void *data; /* what run takes; NULL when the network has none */
    void *map;        /* the mapped file, or NULL */
    size_t map_bytes;
    void *copy;       /* on huge pages, or NULL */
} VtcWeights;

/* The weights of `model`: from the file at `path`, or the embedded ones when
 * path is NULL (VTC_ERR_OPEN if there are none). On failure nothing is held:
 * VTC_ERR_OPEN, _FORMAT, _ORDER, _VERSION, _SIZE; _MISMATCH when the file
 * belongs to another network or to other weights; _HASH when it is damaged. */
int vtc_weights_open(VtcWeights *weights, const VtcModel *model,
                     const char *path, VtcError *error);

/* Copies large weights to huge pages where the system has them: some 20 ms for 50 MB,
 * which reading them faster in every run after it gives back (measured: 5 to 12 % of a
 * run). Their file's pages are given back, so memory stays what it was; it is no
 * longer shared with other processes. Where it cannot be, nothing changes. */
void vtc_weights_settle(VtcWeights *weights, const VtcModel *model);

/* Unmaps. Twice, or on all zeroes: nothing. */
void vtc_weights_close(VtcWeights *weights);

#ifdef __cplusplus
}
#endif

#endif
