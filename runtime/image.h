/* Images from files: PNG, JPEG (stb_image), PPM and PGM. The input is not
 * trusted: a damaged file gives an error, and what is allocated is bounded by
 * VTC_MAX_PIXELS and by what a file of its size could hold. */
#ifndef VTC_IMAGE_H
#define VTC_IMAGE_H

#include "file.h"
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { VTC_MAX_PIXELS = 64 << 20, VTC_MAX_IMAGE_BYTES = 512 << 20 };

/* Samples 0..255, rows from the top, without padding, channels interleaved. */
typedef struct VtcImage {
    int width, height;
    int channels; /* 1 gray, 3 red green blue */
    unsigned char *pixels; /* height * width * channels, from malloc */
} VtcImage;

/* From a file's content; its kind is read from its first bytes, `name` is for
 * messages. Transparency is dropped, 16-bit samples keep their high byte.
 * VTC_ERR_FORMAT, _SIZE when truncated, _LIMIT, _MEMORY. */
int vtc_image_decode(VtcImage *image, const VtcBytes *file, const char *name,
                     VtcError *error);
int vtc_image_load(VtcImage *image, const char *path, VtcError *error);

/* width x height x channels, uninitialised. VTC_ERR_LIMIT, _MEMORY. */
int vtc_image_new(VtcImage *image, int64_t width, int64_t height, int channels,
                  VtcError *error);
void vtc_image_free(VtcImage *image);

#ifdef __cplusplus
}
#endif

#endif
