/* What is gathered over all inputs: --raw stacks an output in a .npy file,
 * --expect counts the right classes. */
#ifndef VTC_COLLECT_H
#define VTC_COLLECT_H

#include "array.h"

typedef struct VtcRaw {
    VtcOut out; /* out.file NULL: not wanted */
    const VtcTensorInfo *info;
    int64_t count;
} VtcRaw;

/* VTC_ERR_SYSTEM, _MEMORY. */
int vtc_raw_open(VtcRaw *raw, const VtcTensorInfo *info, const char *path,
                 VtcError *error);
void vtc_raw_add(VtcRaw *raw, const void *data);
/* The file appears. One tensor: as the output is. N: N for a leading dimension
 * of 1, or N before the others. VTC_ERR_SYSTEM; VTC_ERR_LIMIT when those are
 * more dimensions than VTC_MAX_RANK. */
int vtc_raw_commit(VtcRaw *raw, VtcError *error);
void vtc_raw_discard(VtcRaw *raw);

typedef struct VtcExpect {
    VtcArray classes; /* data.at NULL: not wanted */
    const char *path;
    int64_t seen, right;
} VtcExpect;

/* A vector of i32 (i8 in the file) or u8 classes. VTC_ERR_MISMATCH if `info` is
 * not a vector or the file none of integers; errors of array.h. */
int vtc_expect_open(VtcExpect *expect, const VtcTensorInfo *info,
                    const char *path, VtcError *error);
void vtc_expect_add(VtcExpect *expect, const VtcTensorInfo *info,
                    const void *data);
/* VTC_ERR_MISMATCH unless there was one class per input. */
int vtc_expect_check(const VtcExpect *expect, VtcError *error);
void vtc_expect_close(VtcExpect *expect);

#endif
