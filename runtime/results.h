/* Outputs for people and for programs. */
#ifndef VTC_RESULTS_H
#define VTC_RESULTS_H

#include "vtc_abi.h"
#include <stdbool.h>
#include <stdio.h>

/* How to print one output. */
typedef struct VtcStyle {
    bool json;
    int top; /* classes to name, at least 1 */
    const char *const *labels;
    int64_t label_count;
} VtcStyle;

/* One output, without line end:
 *   f32 vector       the best classes and their probabilities: softmax, unless
 *                    the values are probabilities already (0..1, of sum 1)
 *   integer tensor   the most frequent values (classes) and their share
 *   other            shape, smallest, largest, mean
 * A vector has at most one dimension that is not 1. f16 and bf16: shape only. */
void vtc_result_print(FILE *out, const VtcTensorInfo *info, const void *data,
                      const VtcStyle *style);

/* Whether it is an f32 vector of 2 or more. */
bool vtc_is_vector(const VtcTensorInfo *info);
/* The place of the largest element of an f32 vector, the first if several; not a
 * number counts as less than any. */
int64_t vtc_argmax(const float *at, int64_t n);
int64_t vtc_element_count(const VtcTensorInfo *info);

#endif
