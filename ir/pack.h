/* Weights in the layout that kernels read. */
#ifndef VTC_IR_PACK_H
#define VTC_IR_PACK_H

#include "ir/graph.h"

/* LAYOUT_panels of a weight [O, I/g, K..] (conv2d, conv1d) or [O, I] (linear):
 *
 *     [group][panel][k][panel width]
 *
 * where panel p of a group holds its outputs p * width .. and k runs over the
 * window positions (kh, kw), within each over the input channels of the group.
 * The last panel is filled up with zeros. */
typedef struct Panels {
    int64_t groups, outputs; /* outputs of one group */
    int64_t panels, width;
    int64_t taps, inputs;    /* k = taps * inputs */
} Panels;

Panels panels_of(const Value *weight, int64_t groups, int width);
int64_t panels_count(const Panels *panels); /* elements */

/* LAYOUT_windows: one group, [panel][input][window position][panel width]: what is
 * transformed online is read in one stream.
 *
 * LAYOUT_winograd of a weight [O, I, 3, 3]: G w G^T (ir/bilinear.h) as
 *
 *     [panel][point][input][panel width]
 *
 * worked out in double and rounded once. */

/* LAYOUT_strassen of 1x1 weights [O, I..]: with B11 of the first half of inputs and of
 * outputs, B12 of the second half of outputs,
 *
 *     [panel of O/2][B11, B21, T2, T3, -T4, T1, B22][input of I/2][panel width]
 *
 * where T1 = B12 - B11, T2 = B22 - T1, T3 = B22 - B12, T4 = T2 - B21
 * (passes/lower_strassen.c). */
enum { STRASSEN_PRODUCTS = 7 };

/* LAYOUT_toom_cook of a weight [O, I, kh, kw]: for stride s,
 *
 *     [panel][point][kh][remainder by s][input][panel width]
 *
 * where tap s * k + remainder of a row is tap k of that remainder's correlation
 * (bilinear_shared). */

/* Of panels in either layout, with `taps` the points of a transformed weight.
 * Elements in memory, in the weight's layout, as f32 (i32, u8 and bool stay). */
int64_t packed_count(const Value *weight);
void pack_value(const Value *weight, void *out);

#endif
