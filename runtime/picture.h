/* Pictures of outputs over the photograph that made them. */
#ifndef VTC_PICTURE_H
#define VTC_PICTURE_H

#include "image.h"

enum { VTC_MAX_MAPS = 256 }; /* in one picture */

/* What the network saw: an input that takes images, [1, C, H, W] or [C, H, W] of
 * 1 or 3 channels, and its elements, f32 (its preprocessing is undone) or u8. */
typedef struct VtcPhoto {
    const VtcTensorInfo *input;
    const void *tensor;
} VtcPhoto;

typedef struct VtcColour {
    unsigned char r, g, b;
} VtcColour;

/* The colour of a class, that of PASCAL VOC: bits 0, 3, 6 of the class are the
 * high bits of red, 1, 4, 7 of green, 2, 5 of blue. Class 0 is black. */
VtcColour vtc_class_colour(int64_t class_index);

/* Whether it is a map of classes: integers [1, .., H, W]. */
bool vtc_is_class_map(const VtcTensorInfo *info);
/* Whether it is f32 maps over the input, see vtc_maps_draw. */
bool vtc_is_score_maps(const VtcTensorInfo *info, const VtcTensorInfo *input);

/* The photograph, dim and grey, in the colours of its classes; as large as the
 * input, or the smallest whole multiple of 384 pixels on the shorter side or more.
 * `picture` is new. VTC_ERR_MISMATCH if `info` is no class map or the input no
 * photograph; _LIMIT, _MEMORY. */
int vtc_overlay_draw(VtcImage *picture, const VtcPhoto *photo,
                     const VtcTensorInfo *info, const void *data,
                     VtcError *error);

/* The photograph, then a tile for each map, in rows: blue where the map is lowest,
 * red where it is highest, each map by itself. Maps are [.., H, W] where H : W is
 * the input's shape to within a cell, else [.., H*W] with the H and W nearest to
 * that shape. VTC_ERR_MISMATCH, _LIMIT for more than VTC_MAX_MAPS, _MEMORY. */
int vtc_maps_draw(VtcImage *picture, const VtcPhoto *photo,
                  const VtcTensorInfo *info, const void *data, VtcError *error);

/* A whole PNG or none. VTC_ERR_SYSTEM, _MEMORY. */
int vtc_png_write(const VtcImage *picture, const char *path, VtcError *error);

#endif
