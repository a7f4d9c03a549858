/* Arrays in files: .npy (numpy's format) and idx-ubyte (that of MNIST). */
#ifndef VTC_ARRAY_H
#define VTC_ARRAY_H

#include "file.h"
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Dense, last dimension fastest, in this machine's byte order. */
typedef struct VtcArray {
    int dtype; /* VTC_f32, VTC_u8 or VTC_i32 */
    int rank;  /* 0..VTC_MAX_RANK */
    int64_t dims[VTC_MAX_RANK];
    int64_t count; /* elements */
    VtcBytes data; /* aligned for any element */
} VtcArray;

/* Whether the file begins as one of the two formats does. */
bool vtc_array_known(const VtcBytes *file);

/* Takes over *file (released also on failure). `name` is for messages.
 *   .npy  versions 1 and 2, C order, f4, i4, i8 (must fit 32 bits) or u1
 *   idx   of unsigned bytes; [N, H, W] becomes [N, H, W, 1]: N gray images
 * VTC_ERR_FORMAT, _SIZE when the elements are not exactly those the header
 * promises, _LIMIT for more than VTC_MAX_RANK dimensions. */
int vtc_array_parse(VtcArray *array, VtcBytes *file, const char *name,
                    VtcError *error);
int vtc_array_load(VtcArray *array, const char *path, VtcError *error);
void vtc_array_free(VtcArray *array);

/* Bytes of one element; 0 for no VtcDtype. */
size_t vtc_dtype_bytes(int dtype);
/* "f32", ... ; "?" for no VtcDtype. */
const char *vtc_dtype_name(int dtype);

/* The header of a .npy file in this machine's byte order; always
 * VTC_NPY_HEADER_BYTES, so that it can be written again when the leading
 * dimension is known. dtype: f32, i32, u8 or bool. */
enum { VTC_NPY_HEADER_BYTES = 256 };
void vtc_npy_header(char header[VTC_NPY_HEADER_BYTES], int dtype, int rank,
                    const int64_t *dims);

#ifdef __cplusplus
}
#endif

#endif
