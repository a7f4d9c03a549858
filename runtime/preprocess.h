/* From an image to a network's input, as the network declares it. */
#ifndef VTC_PREPROCESS_H
#define VTC_PREPROCESS_H

#include "image.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fills `tensor` (input->bytes; f32 or u8, dims [1, C, H, W] or [C, H, W], C 3 or
 * 1) by input->preprocess, in this order:
 *   order      gray: (19595 r + 38470 g + 7471 b + 32768) / 65536; gray images
 *              are repeated for rgb and bgr
 *   resize     resize_short: the shorter side to it, the longer one to
 *              long * resize_short / short, rounded down; or resize_h x resize_w
 *   crop       centre; an odd rest is split so that the offset is even
 *   invert     v becomes 255 - v
 *   normalise  (v / range - mean) / std in f32; u8 inputs: not
 * All but the last give the samples that Pillow and torchvision give. The result
 * must be C x H x W: VTC_ERR_MISMATCH if not, or if the image is smaller than
 * the crop, or if the input takes no images. VTC_ERR_LIMIT, _MEMORY. */
int vtc_preprocess(const VtcTensorInfo *input, const VtcImage *image,
                   void *tensor, VtcError *error);

/* The two resizes, as Pillow does them; `out` is new. filter: VtcFilter.
 * VTC_ERR_LIMIT, _MEMORY. */
int vtc_resize(VtcImage *out, const VtcImage *in, int64_t width, int64_t height,
               int filter, VtcError *error);

#ifdef __cplusplus
}
#endif

#endif
