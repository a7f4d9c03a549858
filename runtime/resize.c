/* Resizing 8-bit images sample for sample as Pillow does, because networks were
 * trained on what it gives.
 *
 *   bilinear  a triangle of the width of an output pixel (at least of an input
 *             pixel), so that shrinking averages; first along rows, then along
 *             columns, weights in fixed point of 22 bits, rounded to 8 bits
 *             after each pass
 *   nearest   the sample at the output pixel's centre, which is stepped by
 *             addition */
#include "preprocess.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FRACTION_BITS = 22 };

/* Along one axis: output i is the sum of input first[i] + j times
 * weight[i * stride + j], j < count[i]. */
typedef struct Taps {
    int *first, *count;
    int32_t *weight;
    int stride;
} Taps;

static void taps_free(Taps *taps)
{
    free(taps->first);
    free(taps->count);
    free(taps->weight);
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static int32_t to_fixed(double weight)
{
    return (int32_t)(weight * (1 << FRACTION_BITS) + 0.5);
}

/* The taps of output i: the triangle around its centre, of sum 1. */
static void fill_tap(Taps *taps, int i, int in, double scale, double *scratch)
{
    double support = scale > 1 ? scale : 1;
    double centre = (i + 0.5) * scale;
    int first = (int)(centre - support + 0.5);
    int last = (int)(centre + support + 0.5);
    first = first < 0 ? 0 : first;
    last = last > in ? in : last;
    double sum = 0, step = 1 / support;
    for (int j = 0; j < last - first; j++) {
        scratch[j] = triangle((j + first - centre + 0.5) * step);
        sum += scratch[j];
    }
    for (int j = 0; j < last - first; j++)
        taps->weight[(size_t)i * (size_t)taps->stride + (size_t)j] =
            to_fixed(sum > 0 ? scratch[j] / sum : scratch[j]);
    taps->first[i] = first;
    taps->count[i] = last - first;
}

static bool taps_new(Taps *taps, int in, int out)
{
    double scale = (double)in / out;
    double support = scale > 1 ? scale : 1;
    int stride = (int)ceil(support) * 2 + 1;
    size_t n = (size_t)out;
    double *scratch = malloc((size_t)stride * sizeof *scratch);
    *taps = (Taps){malloc(n * sizeof(int)), malloc(n * sizeof(int)),
                   calloc(n, (size_t)stride * sizeof(int32_t)), stride};
    bool ok = scratch && taps->first && taps->count && taps->weight;
    for (int i = 0; ok && i < out; i++)
        fill_tap(taps, i, in, scale, scratch);
    free(scratch);
    if (!ok)
        taps_free(taps);
    return ok;
}

static unsigned char to_sample(int32_t sum)
{
    int32_t v = sum >> FRACTION_BITS; /* sum is never negative */
    return (unsigned char)(v > 255 ? 255 : v);
}

/* `count` samples that are `step` apart. */
static unsigned char weighted(const unsigned char *at, size_t step,
                              const int32_t *weight, int count)
{
    int32_t sum = 1 << (FRACTION_BITS - 1);
    for (int j = 0; j < count; j++)
        sum += at[(size_t)j * step] * weight[j];
    return to_sample(sum);
}

static void resize_rows(VtcImage *out, const VtcImage *in, const Taps *taps)
{
    size_t channels = (size_t)in->channels;
    unsigned char *to = out->pixels;
    for (int y = 0; y < out->height; y++) {
        const unsigned char *row =
            in->pixels + (size_t)y * (size_t)in->width * channels;
        for (int x = 0; x < out->width; x++) {
            const unsigned char *from = row + (size_t)taps->first[x] * channels;
            const int32_t *weight =
                taps->weight + (size_t)x * (size_t)taps->stride;
            for (size_t c = 0; c < channels; c++)
                *to++ = weighted(from + c, channels, weight, taps->count[x]);
        }
    }
}

static void resize_columns(VtcImage *out, const VtcImage *in, const Taps *taps)
{
    size_t row = (size_t)in->width * (size_t)in->channels;
    unsigned char *to = out->pixels;
    for (int y = 0; y < out->height; y++) {
        const unsigned char *from = in->pixels + (size_t)taps->first[y] * row;
        const int32_t *weight = taps->weight + (size_t)y * (size_t)taps->stride;
        for (size_t i = 0; i < row; i++)
            *to++ = weighted(from + i, row, weight, taps->count[y]);
    }
}

/* One pass, along rows or columns. */
static int resize_axis(VtcImage *out, const VtcImage *in, int64_t size,
                       bool rows, VtcError *error)
{
    Taps taps;
    int status = vtc_image_new(out, rows ? size : in->width,
                               rows ? in->height : size, in->channels, error);
    if (status != VTC_OK)
        return status;
    if (!taps_new(&taps, rows ? in->width : in->height, (int)size)) {
        vtc_image_free(out);
        return vtc_fail(error, VTC_ERR_MEMORY, "out of memory for a resize");
    }
    if (rows)
        resize_rows(out, in, &taps);
    else
        resize_columns(out, in, &taps);
    taps_free(&taps);
    return VTC_OK;
}

static int resize_bilinear(VtcImage *out, const VtcImage *in, int64_t width,
                           int64_t height, VtcError *error)
{
    VtcImage wide;
    int status = resize_axis(&wide, in, width, true, error);
    if (status != VTC_OK)
        return status;
    status = resize_axis(out, &wide, height, false, error);
    vtc_image_free(&wide);
    return status;
}

static int resize_nearest(VtcImage *out, const VtcImage *in, int64_t width,
                          int64_t height, VtcError *error)
{
    int status = vtc_image_new(out, width, height, in->channels, error);
    if (status != VTC_OK)
        return status;
    size_t channels = (size_t)in->channels;
    double step_x = (double)in->width / (double)width;
    double step_y = (double)in->height / (double)height;
    unsigned char *to = out->pixels;
    double at_y = step_y * 0.5;
    for (int64_t y = 0; y < height; y++, at_y += step_y) {
        int from_y = (int)at_y < in->height ? (int)at_y : in->height - 1;
        double at_x = step_x * 0.5;
        for (int64_t x = 0; x < width; x++, at_x += step_x, to += channels) {
            int from_x = (int)at_x < in->width ? (int)at_x : in->width - 1;
            size_t pixel = (size_t)from_y * (size_t)in->width + (size_t)from_x;
            memcpy(to, in->pixels + pixel * channels, channels);
        }
    }
    return VTC_OK;
}

int vtc_resize(VtcImage *out, const VtcImage *in, int64_t width, int64_t height,
               int filter, VtcError *error)
{
    if (filter == VTC_NEAREST)
        return resize_nearest(out, in, width, height, error);
    return resize_bilinear(out, in, width, height, error);
}
