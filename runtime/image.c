/* Images: which decoder a file needs. */
#include "codecs.h"

#include <stdlib.h>
#include <string.h>

int vtc_image_new(VtcImage *image, int64_t width, int64_t height, int channels,
                  VtcError *error)
{
    memset(image, 0, sizeof *image);
    if (width < 1 || height < 1 || width > VTC_MAX_PIXELS / height)
        return vtc_fail(error, VTC_ERR_LIMIT,
                        "an image of %lld x %lld pixels: 1 to %d are accepted",
                        (long long)width, (long long)height, VTC_MAX_PIXELS);
    image->pixels = malloc((size_t)(width * height) * (size_t)channels);
    if (image->pixels == NULL)
        return vtc_fail(error, VTC_ERR_MEMORY,
                        "out of memory for an image of %lld x %lld pixels",
                        (long long)width, (long long)height);
    image->width = (int)width;
    image->height = (int)height;
    image->channels = channels;
    return VTC_OK;
}

void vtc_image_free(VtcImage *image)
{
    free(image->pixels);
    memset(image, 0, sizeof *image);
}

static bool begins(const VtcBytes *file, const char *magic, size_t n)
{
    return file->n >= n && memcmp(file->at, magic, n) == 0;
}

static int check_then_decode(VtcImage *image, const VtcBytes *file,
                             const char *name, int checked, VtcError *error)
{
    return checked == VTC_OK ? vtc_stb_decode(image, file, name, error) : checked;
}

int vtc_image_decode(VtcImage *image, const VtcBytes *file, const char *name,
                     VtcError *error)
{
    memset(image, 0, sizeof *image);
    if (file->n > VTC_MAX_IMAGE_BYTES)
        return vtc_fail(error, VTC_ERR_LIMIT,
                        "%s: %zu bytes are more than the %d accepted of an "
                        "image",
                        name, file->n, VTC_MAX_IMAGE_BYTES);
    if (begins(file, "\x89PNG\r\n\x1a\n", 8))
        return check_then_decode(image, file, name,
                                 vtc_png_check(file, name, error), error);
    if (begins(file, "\xff\xd8\xff", 3))
        return check_then_decode(image, file, name,
                                 vtc_jpeg_check(file, name, error), error);
    if (begins(file, "P5", 2) || begins(file, "P6", 2))
        return vtc_pnm_decode(image, file, name, error);
    if (file->n == 0)
        return vtc_fail(error, VTC_ERR_SIZE, "%s: empty", name);
    return vtc_fail(error, VTC_ERR_FORMAT,
                    "%s: not an image that is read: PNG, JPEG, PPM (P6), PGM "
                    "(P5)",
                    name);
}

int vtc_image_load(VtcImage *image, const char *path, VtcError *error)
{
    VtcBytes file;
    memset(image, 0, sizeof *image);
    int status = vtc_bytes_read(&file, path, VTC_MAX_IMAGE_BYTES, error);
    if (status == VTC_OK)
        status = vtc_image_decode(image, &file, path, error);
    vtc_bytes_free(&file);
    return status;
}
