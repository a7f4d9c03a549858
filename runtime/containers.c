/* PNG and JPEG as containers: is the file whole? stb_image makes pixels of what
 * it finds, and pads a cut JPEG with gray; a wrong answer without a word. */
#include "codecs.h"

#include <string.h>

static uint32_t big32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | at[3];
}

static int truncated(const char *name, const char *what, VtcError *error)
{
    return vtc_fail(error, VTC_ERR_SIZE, "%s: truncated %s", name, what);
}

/* ---- PNG: 8 bytes, then chunks of length, kind, data, CRC --------------- */

/* CRC-32 of ISO 3309, reflected; 16 entries are enough for a start-up check. */
static uint32_t crc32_of(const unsigned char *at, size_t n)
{
    static const uint32_t nibble[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        crc = nibble[(crc ^ at[i]) & 15] ^ crc >> 4;
        crc = nibble[(crc ^ (uint32_t)at[i] >> 4) & 15] ^ crc >> 4;
    }
    return ~crc;
}

enum { SIGNATURE = 8, CHUNK = 12, /* length, kind and CRC */ HEADER = 13 };

/* The first chunk says the size; the decoder has no words for too large. */
static int png_size_check(const VtcBytes *file, const char *name,
                          VtcError *error)
{
    const unsigned char *kind = file->at + SIGNATURE + 4;
    if (file->n < SIGNATURE + CHUNK + HEADER)
        return truncated(name, "PNG", error);
    uint32_t width = big32(kind + 4), height = big32(kind + 8);
    if (memcmp(kind - 4, "\0\0\0\x0dIHDR", 8) != 0 || width == 0 || height == 0)
        return vtc_fail(error, VTC_ERR_FORMAT, "%s: malformed PNG header", name);
    if (width > VTC_MAX_PIXELS / height)
        return vtc_fail(error, VTC_ERR_LIMIT,
                        "%s: %lu x %lu pixels are more than the %d accepted",
                        name, (unsigned long)width, (unsigned long)height,
                        VTC_MAX_PIXELS);
    return VTC_OK;
}

int vtc_png_check(const VtcBytes *file, const char *name, VtcError *error)
{
    int status = png_size_check(file, name, error);
    if (status != VTC_OK)
        return status;
    size_t at = SIGNATURE;
    for (;;) {
        if (file->n - at < CHUNK)
            return truncated(name, "PNG", error);
        size_t length = big32(file->at + at);
        if (file->n - at - CHUNK < length)
            return truncated(name, "PNG", error);
        const unsigned char *kind = file->at + at + 4;
        if (crc32_of(kind, length + 4) != big32(kind + 4 + length))
            return vtc_fail(error, VTC_ERR_FORMAT,
                            "%s: damaged PNG: CRC of the chunk at byte %zu",
                            name, at);
        if (memcmp(kind, "IEND", 4) == 0)
            return VTC_OK;
        at += CHUNK + length;
    }
}

/* ---- JPEG: segments FF kind [length data], entropy-coded data after SOS - */

enum { TEM = 0x01, RST0 = 0xd0, SOI = 0xd8, EOI = 0xd9, SOS = 0xda };

/* The next marker: FF and a byte that is neither stuffing nor a fill byte.
 * Restart markers belong to the entropy-coded data. */
static size_t next_marker(const VtcBytes *file, size_t at)
{
    for (; at + 1 < file->n; at++) {
        unsigned kind = file->at[at + 1];
        if (file->at[at] == 0xff && kind != 0x00 && kind != 0xff &&
            (kind & 0xf8) != RST0)
            return at;
    }
    return file->n;
}

int vtc_jpeg_check(const VtcBytes *file, const char *name, VtcError *error)
{
    bool has_scan = false;
    size_t at = next_marker(file, 2);
    while (at + 1 < file->n) {
        unsigned kind = file->at[at + 1];
        if (kind == EOI && has_scan)
            return VTC_OK;
        if (kind == EOI)
            return vtc_fail(error, VTC_ERR_FORMAT, "%s: JPEG without an image",
                            name);
        has_scan |= kind == SOS;
        at += 2;
        if (kind != TEM && kind != SOI) {
            if (file->n - at < 2)
                break;
            at += (size_t)file->at[at] << 8 | file->at[at + 1];
        }
        if (at >= file->n)
            break;
        at = next_marker(file, at);
    }
    return truncated(name, "JPEG", error);
}
