/* A network of two inputs and three outputs of other kinds, without weights:
 *     a u8 [1,3,2,4] (an image, bgr, nearest), b f32 [2,3] (only as a tensor)
 *     sums f32 [2,3] = b + b    map i32 [1,2,4] = a's first channel / 64
 *     logits f32 [2] = {a[0], b[0]} */
#include "program.h"

#include <string.h>

static int two_run(const void *weights, const void *const *inputs,
                   void *const *outputs, void *workspace,
                   const VtcExecutor *executor)
{
    const unsigned char *a = inputs[0];
    const float *b = inputs[1];
    float *sums = outputs[0], *logits = outputs[2];
    int32_t *map = outputs[1];
    (void)weights;
    (void)workspace;
    (void)executor;
    for (int i = 0; i < 6; i++)
        sums[i] = b[i] + b[i];
    for (int i = 0; i < 8; i++)
        map[i] = a[i] / 64;
    logits[0] = a[0];
    logits[1] = b[0];
    return VTC_OK;
}

static const VtcPreprocess preprocess = {.resize_h = 2, .resize_w = 4,
                                         .filter = VTC_NEAREST,
                                         .order = VTC_BGR, .range = 255};
static const VtcTensorInfo inputs[] = {
    {.name = "a", .dtype = VTC_u8, .rank = 4, .dims = {1, 3, 2, 4},
     .bytes = 24, .preprocess = &preprocess},
    {.name = "b", .dtype = VTC_f32, .rank = 2, .dims = {2, 3}, .bytes = 24}};
static const VtcTensorInfo outputs[] = {
    {.name = "sums", .dtype = VTC_f32, .rank = 2, .dims = {2, 3}, .bytes = 24},
    {.name = "map", .dtype = VTC_i32, .rank = 3, .dims = {1, 2, 4},
     .bytes = 32},
    {.name = "logits", .dtype = VTC_f32, .rank = 1, .dims = {2}, .bytes = 8}};

static const VtcModel two_model = {
    .abi_version = VTC_ABI_VERSION, .align = 64, .name = "fake_two",
    .inputs = inputs, .outputs = outputs, .input_count = 2, .output_count = 3,
    .max_threads = 1, .run = two_run};

const VtcModel *const vtc_main_model = &two_model;
