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
