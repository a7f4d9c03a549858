/* PPM and PGM, the binary kinds: "P6 width height maxval\n" and samples, or "P5"
 * for gray. Comments run from # to the end of a line. */
#include "codecs.h"

typedef struct Cursor {
    const unsigned char *at, *end;
} Cursor;

static bool is_space(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_blank(Cursor *c)
{
    bool comment = false;
    for (; c->at < c->end; c->at++) {
        if (*c->at == '#')
            comment = true;
        if (!comment && !is_space(*c->at))
            return;
        if (*c->at == '\n' || *c->at == '\r')
            comment = false;
    }
}

/* Blank, then a number of 1 to 9 digits; -1 if there is none. */
static int64_t take_number(Cursor *c)
{
    skip_blank(c);
    const unsigned char *begin = c->at;
    int64_t value = 0;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9' &&
           c->at - begin < 10)
        value = value * 10 + (*c->at++ - '0');
    return c->at == begin || c->at - begin > 9 ? -1 : value;
}

static unsigned char to_255(unsigned sample, unsigned maxval)
{
    if (sample > maxval)
        sample = maxval;
    return (unsigned char)((sample * 255 + maxval / 2) / maxval);
}

static void copy_samples(VtcImage *image, const unsigned char *at, size_t n,
                         unsigned maxval)
{
    for (size_t i = 0; i < n; i++)
        image->pixels[i] = maxval == 255 ? at[i] : to_255(at[i], maxval);
}

int vtc_pnm_decode(VtcImage *image, const VtcBytes *file, const char *name,
                   VtcError *error)
{
    int channels = file->at[1] == '6' ? 3 : 1;
    Cursor c = {file->at + 2, file->at + file->n};
    int64_t width = take_number(&c), height = take_number(&c);
    int64_t maxval = take_number(&c);
    if (width < 1 || height < 1 || maxval < 1 || maxval > 65535 ||
        (c.at < c.end && !is_space(*c.at)))
        return vtc_fail(error, VTC_ERR_FORMAT, "%s: malformed %s header", name,
                        channels == 3 ? "PPM" : "PGM");
    if (maxval > 255)
        return vtc_fail(error, VTC_ERR_FORMAT,
                        "%s: samples of 16 bits (maximum %d) are not read", name,
                        (int)maxval);
    if (width > VTC_MAX_PIXELS / height)
        return vtc_fail(error, VTC_ERR_LIMIT,
                        "%s: %lld x %lld pixels are more than the %d accepted",
                        name, (long long)width, (long long)height,
                        VTC_MAX_PIXELS);
    size_t n = (size_t)(width * height * channels);
    if (c.at == c.end || (size_t)(c.end - c.at - 1) < n)
        return vtc_fail(error, VTC_ERR_SIZE, "%s: truncated %s: %zu bytes of "
                        "samples are needed",
                        name, channels == 3 ? "PPM" : "PGM", n);
    int status = vtc_image_new(image, width, height, channels, error);
    if (status == VTC_OK)
        copy_samples(image, c.at + 1, n, (unsigned)maxval);
    return status;
}
