/* Errors of the runtime: a return code and a sentence for the user. */
#ifndef VTC_STATUS_H
#define VTC_STATUS_H

#include "vtc_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define VTC_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define VTC_PRINTF(text, first)
#endif

/* What went wrong last; filled only on failure. */
typedef struct VtcError {
    int status;     /* VtcStatus */
    char text[512]; /* one line, names the file; cut if longer */
} VtcError;

/* Fills *error (NULL: nobody wants to know) and returns status, so that a
 * function can end with `return vtc_fail(...)`. */
int vtc_fail(VtcError *error, int status, const char *format, ...)
    VTC_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif

#endif
