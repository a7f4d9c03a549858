/* Coverage-guided fuzzing of every file reader: images and arrays. Not part of
 * the suite; needs clang:
 *
 *   clang -g -O1 -std=c11 -fsanitize=fuzzer,address -Iruntime \
 *       tests/runtime/fuzz_file.c runtime/[!mp]*.c runtime/p[np]*.c -lm -o fuzz
 *   ./fuzz -max_len=4096 corpus tests/runtime/data
 *
 * PNG checksums are made right first, or nothing behind them would be reached. */
#include "array.h"
#include "image.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t crc_of(const unsigned char *at, size_t n)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

static void repair_png(VtcBytes *file)
{
    for (size_t at = 8; at < file->n && file->n - at >= 12;) {
        unsigned char *p = file->at + at;
        size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 |
                        (size_t)p[2] << 8 | p[3];
        if (length > file->n - at - 12)
            return;
        uint32_t crc = crc_of(p + 4, length + 4);
        for (int i = 0; i < 4; i++)
            p[8 + length + (size_t)i] = (unsigned char)(crc >> 8 * (3 - i));
        at += length + 12;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    VtcBytes file = {malloc(size > 0 ? size : 1), size};
    VtcArray array;
    VtcImage image;
    memcpy(file.at, data, size);
    if (vtc_array_known(&file)) {
        vtc_array_parse(&array, &file, "x", NULL);
        vtc_array_free(&array);
        return 0;
    }
    if (size > 8 && file.at[0] == 0x89)
        repair_png(&file);
    vtc_image_decode(&image, &file, "x", NULL);
    vtc_image_free(&image);
    vtc_bytes_free(&file);
    return 0;
}
