/* Pictures of class maps and score maps: every colour by hand. */
#include "draw.h"

#include "../unit/unit.h"
#include <math.h>
#include <string.h>

/* 2 x 4 pixels: black, then white. mean 0.5, std 0.25. */
static const VtcPreprocess half = {
    .range = 255, .mean = {0.5f, 0.5f, 0.5f}, .std = {0.25f, 0.25f, 0.25f}};
static const VtcTensorInfo gray_input = {.name = "image", .dtype = VTC_f32,
                                         .rank = 4, .dims = {1, 1, 2, 4},
                                         .preprocess = &half};
static const float gray_pixels[8] = {-2, -2, -2, -2, 2, 2, 2, 2};
static const VtcPhoto gray_photo = {&gray_input, gray_pixels};

static VtcTensorInfo output_of(int dtype, int rank, const int64_t *dims)
{
    VtcTensorInfo info = {.name = "y", .dtype = dtype, .rank = rank};
    memcpy(info.dims, dims, (size_t)rank * sizeof *dims);
    return info;
}

static bool is_colour(const VtcImage *image, int y, int x, VtcColour c)
{
    const unsigned char *at = image->pixels + (y * image->width + x) * 3;
    return at[0] == c.r && at[1] == c.g && at[2] == c.b;
}

/* ---- classes ----------------------------------------------------------- */

static void test_colours_are_those_of_voc(void)
{
    static const VtcColour voc[] = {{0, 0, 0},     {128, 0, 0},   {0, 128, 0},
                                    {128, 128, 0}, {0, 0, 128},   {128, 0, 128},
                                    {0, 128, 128}, {128, 128, 128}, {64, 0, 0}};
    for (int i = 0; i < 9; i++) {
        VtcColour c = vtc_class_colour(i);
        CU_ASSERT(memcmp(&c, &voc[i], sizeof c) == 0);
    }
    for (int i = 0; i < 256; i++)
        for (int k = 0; k < i; k++) {
            VtcColour a = vtc_class_colour(i), b = vtc_class_colour(k);
            CU_ASSERT(memcmp(&a, &b, sizeof a) != 0);
        }
}

static void test_overlay(void)
{
    static const int32_t classes[2] = {0, 1}; /* left and right half */
    VtcTensorInfo info = output_of(VTC_i32, 3, (int64_t[]){1, 1, 2});
    VtcImage p;
    CU_ASSERT_EQUAL_FATAL(vtc_overlay_draw(&p, &gray_photo, &info, classes, NULL),
                          VTC_OK);
    CU_ASSERT(p.width == 4 * 192 && p.height == 2 * 192); /* 384 on the short side */
    /* 0.45 of the photograph, 0.55 of the class's colour */
    CU_ASSERT(is_colour(&p, 0, 0, (VtcColour){0, 0, 0}));
    CU_ASSERT(is_colour(&p, 0, 383, (VtcColour){0, 0, 0}));
    CU_ASSERT(is_colour(&p, 0, 384, (VtcColour){70, 0, 0}));
    CU_ASSERT(is_colour(&p, 191, 767, (VtcColour){70, 0, 0}));
    CU_ASSERT(is_colour(&p, 192, 0, (VtcColour){115, 115, 115}));
    CU_ASSERT(is_colour(&p, 383, 767, (VtcColour){185, 115, 115}));
    vtc_image_free(&p);
}

static void test_order_of_channels(void)
{
    static const VtcPreprocess bgr = {.order = VTC_BGR};
    static const unsigned char pixels[3] = {200, 100, 50}; /* blue first */
    VtcTensorInfo input = {.name = "a", .dtype = VTC_u8, .rank = 3,
                           .dims = {3, 1, 1}, .preprocess = &bgr};
    VtcTensorInfo info = output_of(VTC_f32, 4, (int64_t[]){1, 1, 2, 2});
    static const float scores[4] = {0, 0, 0, 0};
    VtcPhoto photo = {&input, pixels};
    VtcImage p;
    CU_ASSERT_EQUAL_FATAL(vtc_maps_draw(&p, &photo, &info, scores, NULL), VTC_OK);
    CU_ASSERT(is_colour(&p, 0, 0, (VtcColour){50, 100, 200}));
    vtc_image_free(&p);
}

static void test_what_is_no_overlay(void)
{
    static const float scores[8] = {0};
    VtcTensorInfo floats = output_of(VTC_f32, 3, (int64_t[]){1, 2, 4});
    VtcTensorInfo two = output_of(VTC_i32, 3, (int64_t[]){2, 2, 4});
    VtcTensorInfo flat = output_of(VTC_i32, 1, (int64_t[]){8});
    VtcTensorInfo map = output_of(VTC_bool, 2, (int64_t[]){2, 4});
    VtcTensorInfo five = {.name = "v", .dtype = VTC_f32, .rank = 4,
                          .dims = {1, 5, 2, 4}};
    VtcPhoto photo = {&five, scores};
    VtcImage p;
    CU_ASSERT_FALSE(vtc_is_class_map(&floats));
    CU_ASSERT_FALSE(vtc_is_class_map(&two));
    CU_ASSERT_FALSE(vtc_is_class_map(&flat));
    CU_ASSERT_TRUE(vtc_is_class_map(&map));
    CU_ASSERT_EQUAL(vtc_overlay_draw(&p, &gray_photo, &two, scores, NULL),
                    VTC_ERR_MISMATCH);
    CU_ASSERT_EQUAL(vtc_overlay_draw(&p, &photo, &map, scores, NULL),
                    VTC_ERR_MISMATCH);
}

/* ---- scores ------------------------------------------------------------ */

static bool fits(int rank, const int64_t *dims, int64_t height, int64_t width)
{
    VtcTensorInfo info = output_of(VTC_f32, rank, dims);
    VtcTensorInfo input = {.name = "x", .dtype = VTC_f32, .rank = 4,
                           .dims = {1, 3, height, width}};
    return vtc_is_score_maps(&info, &input);
}

static void test_which_outputs_are_maps(void)
{
    CU_ASSERT_TRUE(fits(3, (int64_t[]){1, 8, 196}, 224, 224));
    CU_ASSERT_TRUE(fits(4, (int64_t[]){1, 16, 4, 196}, 224, 224));
    CU_ASSERT_TRUE(fits(4, (int64_t[]){1, 8, 14, 14}, 224, 224));
    CU_ASSERT_TRUE(fits(3, (int64_t[]){1, 8, 60800}, 800, 1216)); /* 200 x 304 */
    CU_ASSERT_TRUE(fits(3, (int64_t[]){1, 8, 950}, 800, 1216));   /* 25 x 38 */
    CU_ASSERT_TRUE(fits(3, (int64_t[]){1, 8, 225}, 473, 473));    /* 15 x 15 */
    CU_ASSERT_FALSE(fits(2, (int64_t[]){1, 1000}, 224, 224));
    CU_ASSERT_FALSE(fits(3, (int64_t[]){1, 8, 197}, 224, 224)); /* a prime */
    CU_ASSERT_FALSE(fits(1, (int64_t[]){196}, 224, 224));
}

/* Two maps over 2 x 4 pixels as 2 x 4 cells; the second is all the same. */
static void test_maps(void)
{
    static const float scores[16] = {-1, 3, 3, 3, 3, 3, 3, 3,
                                     7,  7, 7, 7, 7, 7, 7, 7};
    VtcTensorInfo info = output_of(VTC_f32, 3, (int64_t[]){1, 2, 8});
    VtcImage p;
    CU_ASSERT_EQUAL_FATAL(vtc_maps_draw(&p, &gray_photo, &info, scores, NULL),
                          VTC_OK);
    /* tiles of 192 x 384: photograph and map, below them the other map */
    CU_ASSERT(p.width == 2 * 384 + 4 && p.height == 2 * 192 + 4);
    CU_ASSERT(is_colour(&p, 0, 0, (VtcColour){0, 0, 0}));
    CU_ASSERT(is_colour(&p, 191, 383, (VtcColour){255, 255, 255}));
    CU_ASSERT(is_colour(&p, 0, 385, (VtcColour){255, 255, 255})); /* the gap */
    CU_ASSERT(is_colour(&p, 0, 388, (VtcColour){0, 0, 128}));     /* lowest */
    CU_ASSERT(is_colour(&p, 0, 771, (VtcColour){128, 0, 0}));     /* highest */
    CU_ASSERT(is_colour(&p, 191, 771, (VtcColour){255, 128, 128}));
    CU_ASSERT(is_colour(&p, 196, 0, (VtcColour){0, 0, 128})); /* without range */
    CU_ASSERT(is_colour(&p, 387, 400, (VtcColour){255, 255, 255})); /* no tile */
    vtc_image_free(&p);
}

static void test_maps_are_not_trusted(void)
{
    static const float odd[8] = {NAN, INFINITY, -INFINITY, 1, 2, 3, 4, NAN};
    VtcTensorInfo info = output_of(VTC_f32, 3, (int64_t[]){1, 1, 8});
    VtcTensorInfo many = output_of(VTC_f32, 3, (int64_t[]){1, VTC_MAX_MAPS + 1, 8});
    VtcImage p;
    CU_ASSERT_EQUAL_FATAL(vtc_maps_draw(&p, &gray_photo, &info, odd, NULL), VTC_OK);
    CU_ASSERT(is_colour(&p, 0, 388, (VtcColour){0, 0, 128}));
    vtc_image_free(&p);
    CU_ASSERT_EQUAL(vtc_maps_draw(&p, &gray_photo, &many, odd, NULL), VTC_ERR_LIMIT);
}

/* ---- files ------------------------------------------------------------- */

static void test_file(void)
{
    static unsigned char pixels[5 * 3 * 3];
    const char *path = "picture_test.png";
    for (int i = 0; i < 45; i++)
        pixels[i] = (unsigned char)(i * 37);
    VtcImage out = {5, 3, 3, pixels}, in;
    CU_ASSERT_EQUAL(vtc_png_write(&out, path, NULL), VTC_OK);
    CU_ASSERT_EQUAL_FATAL(vtc_image_load(&in, path, NULL), VTC_OK);
    CU_ASSERT(in.width == 5 && in.height == 3 && in.channels == 3);
    CU_ASSERT(memcmp(in.pixels, pixels, sizeof pixels) == 0);
    vtc_image_free(&in);
    remove(path);
    CU_ASSERT_EQUAL(vtc_png_write(&out, "/no/such/folder/x.png", NULL),
                    VTC_ERR_SYSTEM);
}

int main(void)
{
    static const UnitTest tests[] = {
        {"colours of classes",           test_colours_are_those_of_voc},
        {"overlay, pixel by pixel",      test_overlay                 },
        {"order of channels",            test_order_of_channels       },
        {"what cannot be an overlay",    test_what_is_no_overlay      },
        {"which outputs are maps",       test_which_outputs_are_maps  },
        {"maps, pixel by pixel",         test_maps                    },
        {"infinite and too many scores", test_maps_are_not_trusted    },
        {"PNG files",                    test_file                    },
    };
    return UNIT_RUN(tests);
}
