/* One format of array.h. */
#ifndef VTC_NPY_H
#define VTC_NPY_H

#include "array.h"

/* *file begins with the magic. On success its memory belongs to *array; on
 * failure it stays the caller's. */
int vtc_npy_parse(VtcArray *array, VtcBytes *file, const char *name,
                  VtcError *error);

#endif
