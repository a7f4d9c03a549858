/* From an image to a network's input: each stage takes the image and replaces
 * it, then one pass writes the tensor through a table of 256 values. */
#include "preprocess.h"

#include <string.h>

static void replace(VtcImage *image, VtcImage *by)
{
    vtc_image_free(image);
    *image = *by;
}

/* ---- order ------------------------------------------------------------- */

static unsigned char luma(const unsigned char *rgb)
{
    return (unsigned char)((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] +
                            32768u) >>
                           16);
}

static int reorder(VtcImage *out, const VtcImage *in, int order, VtcError *error)
{
    int channels = order == VTC_GRAY ? 1 : 3;
    int status = vtc_image_new(out, in->width, in->height, channels, error);
    if (status != VTC_OK)
        return status;
    size_t n = (size_t)in->width * (size_t)in->height;
    const unsigned char *from = in->pixels;
    unsigned char *to = out->pixels;
    for (size_t i = 0; i < n; i++, from += in->channels, to += channels) {
        if (channels == 1)
            *to = in->channels == 1 ? *from : luma(from);
        for (int c = 0; channels == 3 && c < 3; c++)
            to[c] = from[in->channels == 1 ? 0 : order == VTC_BGR ? 2 - c : c];
    }
    return VTC_OK;
}

/* ---- size -------------------------------------------------------------- */

static int resize(VtcImage *image, const VtcPreprocess *how, VtcError *error)
{
    int64_t width = how->resize_w, height = how->resize_h;
    if (how->resize_short > 0) {
        int64_t size = how->resize_short;
        bool wide = image->width > image->height;
        width = wide ? size * image->width / image->height : size;
        height = wide ? size : size * image->height / image->width;
    }
    if (width == 0 || (width == image->width && height == image->height))
        return VTC_OK;
    VtcImage resized;
    int status = vtc_resize(&resized, image, width, height, how->filter, error);
    if (status == VTC_OK)
        replace(image, &resized);
    return status;
}

/* Half of an even rest; of an odd one the even neighbour, as rounding to even
 * gives. */
static int centre(int rest)
{
    return rest / 2 + (rest % 2 & rest / 2 % 2);
}

static int crop(VtcImage *image, const VtcPreprocess *how, VtcError *error)
{
    if (how->crop_h == 0)
        return VTC_OK;
    if (how->crop_h > image->height || how->crop_w > image->width)
        return vtc_fail(error, VTC_ERR_MISMATCH,
                        "the image, %d x %d here, is smaller than the crop of "
                        "%d x %d",
                        image->width, image->height, how->crop_w, how->crop_h);
    VtcImage cut;
    int status =
        vtc_image_new(&cut, how->crop_w, how->crop_h, image->channels, error);
    if (status != VTC_OK)
        return status;
    size_t pixel = (size_t)image->channels;
    size_t row = (size_t)how->crop_w * pixel;
    const unsigned char *from =
        image->pixels +
        ((size_t)centre(image->height - how->crop_h) * (size_t)image->width +
         (size_t)centre(image->width - how->crop_w)) *
            pixel;
    for (int y = 0; y < how->crop_h; y++)
        memcpy(cut.pixels + (size_t)y * row,
               from + (size_t)y * (size_t)image->width * pixel, row);
    replace(image, &cut);
    return VTC_OK;
}

/* ---- to the tensor ----------------------------------------------------- */

static int check_shape(const VtcTensorInfo *input, const VtcImage *image,
                       VtcError *error)
{
    int last = input->rank - 1;
    int64_t others = 1;
    for (int i = 0; i < input->rank - 3; i++)
        others *= input->dims[i];
    if (input->rank < 3 || others != 1 ||
        (input->dtype != VTC_f32 && input->dtype != VTC_u8))
        return vtc_fail(error, VTC_ERR_MISMATCH,
                        "input '%s' is not one f32 or u8 image", input->name);
    if (input->dims[last - 2] != image->channels ||
        input->dims[last - 1] != image->height ||
        input->dims[last] != image->width)
        return vtc_fail(error, VTC_ERR_MISMATCH,
                        "the image is %d x %d x %d (channels, height, width) "
                        "after preprocessing, input '%s' is %lld x %lld x %lld",
                        image->channels, image->height, image->width,
                        input->name, (long long)input->dims[last - 2],
                        (long long)input->dims[last - 1],
                        (long long)input->dims[last]);
    return VTC_OK;
}

static void write_f32(const VtcImage *image, const VtcPreprocess *how,
                      float *tensor)
{
    size_t n = (size_t)image->width * (size_t)image->height;
    for (int c = 0; c < image->channels; c++) {
        float table[256];
        for (int v = 0; v < 256; v++) {
            float sample = (float)(how->invert != 0 ? 255 - v : v);
            table[v] = (sample / how->range - how->mean[c]) / how->std[c];
        }
        const unsigned char *from = image->pixels + c;
        for (size_t i = 0; i < n; i++, from += image->channels)
            *tensor++ = table[*from];
    }
}

static void write_u8(const VtcImage *image, const VtcPreprocess *how,
                     unsigned char *tensor)
{
    size_t n = (size_t)image->width * (size_t)image->height;
    unsigned flip = how->invert != 0 ? 255 : 0;
    for (int c = 0; c < image->channels; c++) {
        const unsigned char *from = image->pixels + c;
        for (size_t i = 0; i < n; i++, from += image->channels)
            *tensor++ = (unsigned char)(*from ^ flip);
    }
}

static int shape_and_write(const VtcTensorInfo *input, VtcImage *image,
                           void *tensor, VtcError *error)
{
    const VtcPreprocess *how = input->preprocess;
    int status = resize(image, how, error);
    if (status == VTC_OK)
        status = crop(image, how, error);
    if (status == VTC_OK)
        status = check_shape(input, image, error);
    if (status != VTC_OK)
        return status;
    if (input->dtype == VTC_u8)
        write_u8(image, how, tensor);
    else
        write_f32(image, how, tensor);
    return VTC_OK;
}

int vtc_preprocess(const VtcTensorInfo *input, const VtcImage *image,
                   void *tensor, VtcError *error)
{
    if (input->preprocess == NULL)
        return vtc_fail(error, VTC_ERR_MISMATCH,
                        "input '%s' declares no preprocessing: give it as a "
                        ".npy tensor",
                        input->name);
    VtcImage work;
    int status = reorder(&work, image, input->preprocess->order, error);
    if (status != VTC_OK)
        return status;
    status = shape_and_write(input, &work, tensor, error);
    vtc_image_free(&work);
    return status;
}
