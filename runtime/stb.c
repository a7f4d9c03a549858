/* PNG and JPEG by stb_image, which is compiled here, privately: a program that
 * has its own stb_image meets no second one. Warnings are off for this file. Only
 * for files that passed containers.c: see Note [What the decoder does not check]. */
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_MAX_DIMENSIONS (1 << 20)
/* Not abort() on a file from anywhere; they guard only its own logic. */
#define STBI_ASSERT(x) ((void)0)
/* Zeroed: a table that a file uses and does not define is empty, not random. */
#include <stdlib.h>
#define STBI_MALLOC(size) calloc(1, size)
#define STBI_REALLOC(old, size) realloc(old, size)
#define STBI_FREE(old) free(old)
#include <stb/stb_image.h>

#include "codecs.h"

/* No PNG or JPEG can hold more pixels in a byte: deflate expands at most 1032
 * times, which are 8256 pixels of one bit; JPEG spends a bit per block. */
enum { PIXELS_PER_BYTE = 8256 };

static int decode_failed(const char *name, VtcError *error)
{
    const char *why = stbi_failure_reason();
    int status = why != NULL && strcmp(why, "outofmem") == 0 ? VTC_ERR_MEMORY
                                                             : VTC_ERR_FORMAT;
    return vtc_fail(error, status, "%s: damaged image: %s", name,
                    why != NULL ? why : "cannot be decoded");
}

int vtc_stb_decode(VtcImage *image, const VtcBytes *file, const char *name,
                   VtcError *error)
{
    int width = 0, height = 0, channels = 0;
    int n = (int)file->n; /* at most VTC_MAX_IMAGE_BYTES */
    if (!stbi_info_from_memory(file->at, n, &width, &height, &channels))
        return decode_failed(name, error);
    if (width < 1 || height < 1 || width > VTC_MAX_PIXELS / height)
        return vtc_fail(error, VTC_ERR_LIMIT,
                        "%s: %d x %d pixels are more than the %d accepted",
                        name, width, height, VTC_MAX_PIXELS);
    if ((int64_t)width * height / PIXELS_PER_BYTE > n)
        return vtc_fail(error, VTC_ERR_SIZE,
                        "%s: truncated: %d bytes cannot hold %d x %d pixels",
                        name, n, width, height);
    int keep = channels >= 3 ? 3 : 1;
    unsigned char *pixels =
        stbi_load_from_memory(file->at, n, &width, &height, &channels, keep);
    if (pixels == NULL)
        return decode_failed(name, error);
    *image = (VtcImage){width, height, keep, pixels};
    return VTC_OK;
}
