/* The decoders behind image.h; only image.c calls them. */
#ifndef VTC_CODECS_H
#define VTC_CODECS_H

#include "image.h"

/* Whole and undamaged as far as the container tells, which the decoder does not
 * check: a PNG's size and every chunk's CRC up to IEND; a JPEG's segments, tables
 * and sampling factors up to the end of the image. VTC_ERR_SIZE, _FORMAT,
 * _LIMIT. */
int vtc_png_check(const VtcBytes *file, const char *name, VtcError *error);
int vtc_jpeg_check(const VtcBytes *file, const char *name, VtcError *error);

/* Both by stb_image, which tells them apart itself. */
int vtc_stb_decode(VtcImage *image, const VtcBytes *file, const char *name,
                   VtcError *error);

/* P5 and P6. */
int vtc_pnm_decode(VtcImage *image, const VtcBytes *file, const char *name,
                   VtcError *error);

#endif
