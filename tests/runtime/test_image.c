/* Images: good ones of every kind, and damaged ones, none of which may do more
 * than give an error. data/ is made by make_data.py. */
#include "codecs.h"

#include "../unit/unit.h"
#include <stdlib.h>
#include <string.h>

typedef struct Good {
    const char *path;
    int channels;
} Good;

static const Good good[] = {
    {DATA_DIR "/rgb.png",         3},
    {DATA_DIR "/gray.png",        1},
    {DATA_DIR "/alpha.png",       3},
    {DATA_DIR "/palette.png",     3},
    {DATA_DIR "/one_bit.png",     1},
    {DATA_DIR "/sixteen_bit.png", 1},
    {DATA_DIR "/rgb.jpg",         3},
    {DATA_DIR "/full_chroma.jpg", 3},
    {DATA_DIR "/progressive.jpg", 3},
    {DATA_DIR "/gray.jpg",        1},
    {DATA_DIR "/rgb.ppm",         3},
    {DATA_DIR "/gray.pgm",        1},
};
enum { GOOD = sizeof good / sizeof *good, WIDTH = 13, HEIGHT = 9 };

/* Decodes a copy in memory of exactly n bytes, so that the address sanitizer
 * sees any read beyond them; releases what comes out. */
static int decode(const unsigned char *at, size_t n, VtcError *error)
{
    VtcBytes file = {malloc(n > 0 ? n : 1), n};
    VtcImage image;
    memcpy(file.at, at, n);
    int status = vtc_image_decode(&image, &file, "x", error);
    CU_ASSERT_EQUAL(status == VTC_OK, image.pixels != NULL);
    if (status == VTC_OK)
        CU_ASSERT_TRUE((int64_t)image.width * image.height <= VTC_MAX_PIXELS);
    vtc_image_free(&image);
    vtc_bytes_free(&file);
    return status;
}

static VtcBytes read_file(const char *path)
{
    VtcBytes file;
    CU_ASSERT_EQUAL_FATAL(vtc_bytes_read(&file, path, 1 << 20, NULL), VTC_OK);
    return file;
}

static bool is_png(const VtcBytes *file)
{
    return file->at[0] == 0x89;
}

static void test_good(void)
{
    for (int i = 0; i < GOOD; i++) {
        VtcImage image;
        CU_ASSERT_EQUAL_FATAL(vtc_image_load(&image, good[i].path, NULL), VTC_OK);
        CU_ASSERT_TRUE(image.width == WIDTH && image.height == HEIGHT &&
                       image.channels == good[i].channels);
        vtc_image_free(&image);
    }
}

/* Lossless kinds of the same picture have the same samples. */
static void test_same_samples(void)
{
    static const char *const pairs[][2] = {
        {DATA_DIR "/rgb.ppm",  DATA_DIR "/rgb.png"  },
        {DATA_DIR "/rgb.ppm",  DATA_DIR "/alpha.png"},
        {DATA_DIR "/gray.pgm", DATA_DIR "/gray.png" },
        {DATA_DIR "/gray.pgm", DATA_DIR "/sixteen_bit.png"},
    };
    for (int i = 0; i < 4; i++) {
        VtcImage a, b;
        CU_ASSERT_EQUAL_FATAL(vtc_image_load(&a, pairs[i][0], NULL), VTC_OK);
        CU_ASSERT_EQUAL_FATAL(vtc_image_load(&b, pairs[i][1], NULL), VTC_OK);
        CU_ASSERT_EQUAL(a.channels, b.channels);
        CU_ASSERT_EQUAL(memcmp(a.pixels, b.pixels,
                               (size_t)(WIDTH * HEIGHT * a.channels)),
                        0);
        vtc_image_free(&a);
        vtc_image_free(&b);
    }
}

static void test_every_truncation(void)
{
    for (int i = 0; i < GOOD; i++) {
        VtcBytes file = read_file(good[i].path);
        for (size_t n = 0; n < file.n; n++) {
            VtcError error = {0, ""};
            int status = decode(file.at, n, &error);
            CU_ASSERT_TRUE(status == VTC_ERR_SIZE || status == VTC_ERR_FORMAT);
            CU_ASSERT_TRUE(n < 10 || strstr(error.text, "truncated") ||
                           strstr(error.text, "malformed"));
        }
        vtc_bytes_free(&file);
    }
}

/* A changed PNG is always noticed; others may decode to other pixels. */
static void test_every_byte_changed(void)
{
    static const unsigned char flips[] = {0x01, 0x80, 0xff, 0x10};
    for (int i = 0; i < GOOD; i++) {
        VtcBytes file = read_file(good[i].path);
        for (size_t k = 0; k < file.n * sizeof flips; k++) {
            unsigned char flip = flips[k % sizeof flips];
            file.at[k / sizeof flips] ^= flip;
            int status = decode(file.at, file.n, NULL);
            CU_ASSERT_TRUE(!is_png(&file) || status != VTC_OK);
            file.at[k / sizeof flips] ^= flip;
        }
        vtc_bytes_free(&file);
    }
}

/* ---- PNG with right checksums, so that the decoder meets the damage ----- */

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

static void put_big32(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> 8 * (3 - i));
}

static uint32_t get_big32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | at[3];
}

static void repair_png(VtcBytes *file)
{
    for (size_t at = 8; file->n - at >= 12;) {
        size_t length = get_big32(file->at + at);
        if (length > file->n - at - 12)
            return;
        put_big32(file->at + at + 8 + length,
                  crc_of(file->at + at + 4, length + 4));
        at += length + 12;
    }
}

static void test_random_damage(void)
{
    uint32_t random = 12345;
    for (int i = 0; i < GOOD; i++)
        for (int round = 0; round < 1500; round++) {
            VtcBytes file = read_file(good[i].path);
            for (int k = 0; k <= round % 3; k++) {
                random = random * 1664525u + 1013904223u;
                size_t at = (random >> 8) % file.n;
                random = random * 1664525u + 1013904223u;
                file.at[at] = (unsigned char)(random >> 24);
            }
            if (is_png(&file))
                repair_png(&file);
            /* sizes that only cost time here */
            if (!is_png(&file) || get_big32(file.at + 16) < 9999)
                decode(file.at, file.n, NULL);
            vtc_bytes_free(&file);
        }
}

static void test_png_sizes(void)
{
    static const uint32_t sizes[][3] = {
        {0,          9,          VTC_ERR_FORMAT},
        {13,         0,          VTC_ERR_FORMAT},
        {0xffffffff, 9,          VTC_ERR_LIMIT },
        {0x7fffffff, 0x7fffffff, VTC_ERR_LIMIT },
        {1000000,    1000000,    VTC_ERR_LIMIT },
        {8193,       8192,       VTC_ERR_LIMIT },
        {8192,       8192,       VTC_ERR_SIZE  }, /* 64 Mpixel of 85 bytes */
        {1400,       900,        VTC_ERR_SIZE  },
        {14,         9,          VTC_ERR_FORMAT},
        {13,         10,         VTC_ERR_FORMAT},
    };
    VtcBytes file = read_file(DATA_DIR "/rgb.png");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        VtcError error = {0, ""};
        put_big32(file.at + 16, sizes[i][0]);
        put_big32(file.at + 20, sizes[i][1]);
        repair_png(&file);
        int status = decode(file.at, file.n, &error);
        if (status != (int)sizes[i][2])
            printf("\n%u x %u: %d %s", sizes[i][0], sizes[i][1], status,
                   error.text);
        CU_ASSERT_EQUAL(status, (int)sizes[i][2]);
    }
    vtc_bytes_free(&file);
}

/* ---- JPEG: tables that the decoder would trust -------------------------- */

/* Where the data of the first segment of `kind` begins. */
static unsigned char *segment(VtcBytes *file, unsigned kind)
{
    for (size_t at = 2; at + 4 < file->n;) {
        if (file->at[at + 1] == kind)
            return file->at + at + 4;
        at += 2 + ((size_t)file->at[at + 2] << 8 | file->at[at + 3]);
    }
    CU_FAIL_FATAL("no such segment");
    return NULL;
}

static void expect_refused(const VtcBytes *file, const char *message)
{
    VtcError error = {0, ""};
    CU_ASSERT_EQUAL(decode(file->at, file->n, &error), VTC_ERR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, message));
}

static void test_jpeg_sampling(void)
{
    static const unsigned char factors[] = {0x33, 0x23, 0x01, 0x10, 0x43};
    for (size_t i = 0; i < sizeof factors; i++) {
        VtcBytes file = read_file(DATA_DIR "/rgb.jpg");
        unsigned char *frame = segment(&file, 0xc0);
        frame[7] = 0x34; /* of the first component; more than the others' */
        frame[10] = factors[i];
        expect_refused(&file, "segment C0");
        vtc_bytes_free(&file);
    }
    VtcBytes file = read_file(DATA_DIR "/rgb.jpg");
    segment(&file, 0xc0)[5] = 4; /* more components than the segment holds */
    expect_refused(&file, "segment C0");
    vtc_bytes_free(&file);
}

/* Before the first segment of Huffman tables one more, of `codes` codes. */
static void test_jpeg_huffman(void)
{
    for (int codes = 254; codes <= 510; codes += codes == 254 ? 2 : 127) {
        VtcBytes file = read_file(DATA_DIR "/gray.jpg");
        unsigned char *table = segment(&file, 0xc4);
        size_t before = (size_t)(table - file.at);
        size_t file_bytes = file.n, length = 2 + 17 + (size_t)codes;
        unsigned char *longer = calloc(1, file.n + length + 2);
        memcpy(longer, file.at, before);
        longer[before - 2] = (unsigned char)(length >> 8);
        longer[before - 1] = (unsigned char)length;
        longer[before + 15] = (unsigned char)(codes / 2);
        longer[before + 16] = (unsigned char)(codes - codes / 2);
        memcpy(longer + before + 17 + codes, table - 4,
               file.n - before + 4); /* the old tables follow */
        vtc_bytes_free(&file);
        file = (VtcBytes){longer, file_bytes + length + 2};
        if (codes > 255)
            expect_refused(&file, "segment C4");
        else
            CU_ASSERT_EQUAL(decode(file.at, file.n, NULL), VTC_OK);
        vtc_bytes_free(&file);
    }
}

/* ---- PPM, PGM, others --------------------------------------------------- */

typedef struct Text {
    const char *bytes;
    int status;
    const char *message;
} Text;

static const Text texts[] = {
    {"P5 2 2 255\nabcd",             VTC_OK,         ""                   },
    {"P5 2 2 255\nabcdefg",          VTC_OK,         ""                   },
    {"P5\n# a comment\n2 #x\n2 255 abcd", VTC_OK,    ""                   },
    {"P6 1 1 1 ab\1",                VTC_OK,         ""                   },
    {"P5 2 2 255\nabc",              VTC_ERR_SIZE,   "truncated PGM"      },
    {"P6 2 2 255\nabcd",             VTC_ERR_SIZE,   "truncated PPM"      },
    {"P5 2 2 255",                   VTC_ERR_SIZE,   "truncated PGM"      },
    {"P5 2 2 65535\nabcdabcd",       VTC_ERR_FORMAT, "16 bits"            },
    {"P5 2 2 0\nabcd",               VTC_ERR_FORMAT, "malformed PGM"      },
    {"P5 2 2 99999\nabcd",           VTC_ERR_FORMAT, "malformed PGM"      },
    {"P5 0 2 255\nabcd",             VTC_ERR_FORMAT, "malformed PGM"      },
    {"P5 -2 2 255\nabcd",            VTC_ERR_FORMAT, "malformed PGM"      },
    {"P5 2 2x255\nabcd",             VTC_ERR_FORMAT, "malformed PGM"      },
    {"P6 2 2 255#abcd",              VTC_ERR_FORMAT, "malformed PPM"      },
    {"P6 2 2",                       VTC_ERR_FORMAT, "malformed PPM"      },
    {"P6",                           VTC_ERR_FORMAT, "malformed PPM"      },
    {"P6 # comment without end",     VTC_ERR_FORMAT, "malformed PPM"      },
    {"P5 999999999 999999999 255\n", VTC_ERR_LIMIT,  "are more than"      },
    {"P5 9999999999 1 255\n",        VTC_ERR_FORMAT, "malformed PGM"      },
    {"P5 8192 8192 255\nabc",        VTC_ERR_SIZE,   "67108864 bytes"     },
    {"P2 2 2 255\n1 2 3 4",          VTC_ERR_FORMAT, "not an image"       },
    {"GIF89a",                       VTC_ERR_FORMAT, "not an image"       },
    {"",                             VTC_ERR_SIZE,   "empty"              },
    {"\xff\xd8\xff",                 VTC_ERR_SIZE,   "truncated JPEG"     },
    {"\xff\xd8\xff\xd9",             VTC_ERR_FORMAT, "without an image"   },
    {"\xff\xd8\xff\xda\x01\x02",     VTC_ERR_SIZE,   "truncated JPEG"     },
    {"\xff\xd8\xff\xda\x01\x02" "abcdefg\xff\xd9", VTC_ERR_SIZE, "truncated JPEG"},
    {"\x89PNG\r\n\x1a\n",            VTC_ERR_SIZE,   "truncated PNG"      },
};

static void test_texts(void)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        VtcError error = {0, ""};
        int status = decode((const unsigned char *)texts[i].bytes,
                            strlen(texts[i].bytes), &error);
        bool as_expected = status == texts[i].status &&
                           strstr(error.text, texts[i].message) != NULL;
        if (!as_expected)
            printf("\n%s: %d %s", texts[i].bytes, status, error.text);
        CU_ASSERT_TRUE(as_expected);
    }
}

static void test_pnm_scale(void)
{
    unsigned char bytes[] = "P5 4 1 3 \0\1\3\7";
    VtcBytes file = {bytes, sizeof bytes - 1};
    VtcImage image;
    CU_ASSERT_EQUAL_FATAL(vtc_image_decode(&image, &file, "x", NULL), VTC_OK);
    CU_ASSERT_EQUAL(memcmp(image.pixels, "\x00\x55\xff\xff", 4), 0);
    vtc_image_free(&image);
}

static void test_limits(void)
{
    VtcImage image;
    CU_ASSERT_EQUAL(vtc_image_new(&image, 0, 1, 3, NULL), VTC_ERR_LIMIT);
    CU_ASSERT_EQUAL(vtc_image_new(&image, 1, -1, 3, NULL), VTC_ERR_LIMIT);
    CU_ASSERT_EQUAL(vtc_image_new(&image, INT64_MAX, INT64_MAX, 3, NULL),
                    VTC_ERR_LIMIT);
    CU_ASSERT_EQUAL(vtc_image_load(&image, "/no/such", NULL), VTC_ERR_OPEN);
}

int main(void)
{
    static const UnitTest tests[] = {
        {"every kind is read",                 test_good              },
        {"lossless kinds agree",               test_same_samples      },
        {"truncated at every byte",            test_every_truncation  },
        {"every byte changed",                 test_every_byte_changed},
        {"random damage behind right checksums", test_random_damage   },
        {"PNG sizes that are not true",        test_png_sizes         },
        {"JPEG sampling factors",              test_jpeg_sampling     },
        {"JPEG tables of too many codes",      test_jpeg_huffman      },
        {"PPM, PGM and others",                test_texts             },
        {"PGM of few levels",                  test_pnm_scale         },
        {"limits",                             test_limits            },
    };
    return UNIT_RUN(tests);
}
