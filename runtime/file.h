/* Files: whole in, whole out. */
#ifndef VTC_FILE_H
#define VTC_FILE_H

#include "status.h"
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Memory from malloc; released by vtc_bytes_free. */
typedef struct VtcBytes {
    unsigned char *at;
    size_t n;
} VtcBytes;

/* Reads a regular file of at most `limit` bytes. VTC_ERR_OPEN, _LIMIT, _MEMORY;
 * on failure nothing is held. */
int vtc_bytes_read(VtcBytes *bytes, const char *path, uint64_t limit,
                   VtcError *error);
void vtc_bytes_free(VtcBytes *bytes);

/* A file written beside its place and renamed when it is complete. */
typedef struct VtcOut {
    FILE *file;
    const char *path; /* the caller's, must outlive this */
    char *temporary;
} VtcOut;

/* VTC_ERR_SYSTEM, _MEMORY. */
int vtc_out_open(VtcOut *out, const char *path, VtcError *error);
/* Renames; if that or anything written before failed: VTC_ERR_SYSTEM, and
 * nothing is left behind. */
int vtc_out_commit(VtcOut *out, VtcError *error);
/* Leaves nothing behind. After a commit, or on all zeroes: nothing. */
void vtc_out_discard(VtcOut *out);

#ifdef __cplusplus
}
#endif

#endif
