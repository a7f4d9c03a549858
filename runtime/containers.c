/* PNG and JPEG as containers: is the file whole, and are the tables in it sane?
 *
 * Note [What the decoder does not check]. stb_image makes pixels of what it finds:
 * it pads a cut JPEG with gray and ignores checksums, a wrong answer without a
 * word. And version 2.27, the one of Debian 12, writes beyond its tables when a
 * JPEG's Huffman table has more than 256 codes, confuses the code of index 255
 * with "none", and reads beyond a row when a sampling factor does not divide the
 * largest one. So files are walked here first, segment by segment as the decoder
 * walks them; what passes cannot reach those places. */
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

enum { TEM = 0x01, SOF0 = 0xc0, SOF2 = 0xc2, DHT = 0xc4, RST0 = 0xd0 };
enum { SOI = 0xd8, EOI = 0xd9, SOS = 0xda };

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

/* Huffman tables: a byte, 16 counts of codes by length, their symbols. */
static bool huffman_sane(const unsigned char *at, size_t n)
{
    while (n >= 17) {
        size_t codes = 0;
        for (int i = 1; i <= 16; i++)
            codes += at[i];
        if (codes > 255 || n - 17 < codes)
            return false;
        at += 17 + codes;
        n -= 17 + codes;
    }
    return n == 0;
}

/* Frame: precision, height, width, count; per component an id, sampling factors
 * (across in the high half) and a table. */
static bool frame_sane(const unsigned char *at, size_t n)
{
    unsigned most_h = 0, most_v = 0;
    if (n < 6 || n != 6 + 3 * (size_t)at[5])
        return false;
    for (unsigned i = 0; i < at[5]; i++) {
        unsigned h = at[7 + 3 * i] >> 4, v = at[7 + 3 * i] & 15;
        most_h = h > most_h ? h : most_h;
        most_v = v > most_v ? v : most_v;
    }
    for (unsigned i = 0; i < at[5]; i++) {
        unsigned h = at[7 + 3 * i] >> 4, v = at[7 + 3 * i] & 15;
        if (h == 0 || v == 0 || most_h % h != 0 || most_v % v != 0)
            return false;
    }
    return true;
}

static bool segment_sane(unsigned kind, const unsigned char *at, size_t n)
{
    if (kind == DHT)
        return huffman_sane(at, n);
    return kind < SOF0 || kind > SOF2 || frame_sane(at, n);
}

/* The length and data of the segment of `kind` at `at`; moves behind it. */
static int jpeg_segment(const VtcBytes *file, size_t *at, unsigned kind,
                        const char *name, VtcError *error)
{
    if (file->n - *at < 2)
        return truncated(name, "JPEG", error);
    const unsigned char *data = file->at + *at;
    size_t length = (size_t)data[0] << 8 | data[1]; /* counts itself */
    if (file->n - *at < length)
        return truncated(name, "JPEG", error);
    if (length < 2 || !segment_sane(kind, data + 2, length - 2))
        return vtc_fail(error, VTC_ERR_FORMAT,
                        "%s: damaged JPEG: segment %02X at byte %zu", name, kind,
                        *at - 2);
    *at += length;
    return VTC_OK;
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
        int status = kind == TEM || kind == SOI
                         ? VTC_OK
                         : jpeg_segment(file, &at, kind, name, error);
        if (status != VTC_OK)
            return status;
        at = next_marker(file, at);
    }
    return truncated(name, "JPEG", error);
}
