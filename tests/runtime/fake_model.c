/* A network written by hand, as the compiler would: the mean colour of an 8 x 8
 * image, then a product with weights [4][3] and a bias [4].
 *
 *     step 0 "mean"    3 tasks  image [1,3,8,8] -> workspace [3]
 *     step 1 "linear"  4 tasks  workspace [3]   -> logits [1,4]
 *
 * FAKE_FILE: the weights are in fake_file.weights, and there is no entry for
 * single steps. */
#include "program.h"

#include <string.h>

enum { PIXELS = 64, CHANNELS = 3, CLASSES = 4 };

#ifdef FAKE_FILE
#define NAME "fake_file"
#define EMBEDDED NULL
#define STEPS NULL
#else
#define NAME "fake"
#define EMBEDDED weights_data
#define STEPS fake_run_steps
static const _Alignas(64) float weights_data[CLASSES * CHANNELS + CLASSES] = {
    4,  -2, -2, /* red */
    -2, 4,  -2, /* green */
    -2, -2, 4,  /* blue */
    0,  0,  0,  /* gray */
    0,  0,  0,  0.5f};
#endif

typedef struct Context {
    const float *weights, *image;
    float *logits, *mean;
} Context;

static void mean_task(void *context, int task, int thread)
{
    const Context *c = context;
    float sum = 0;
    (void)thread;
    for (int i = 0; i < PIXELS; i++)
        sum += c->image[task * PIXELS + i];
    c->mean[task] = sum / PIXELS;
}

static void linear_task(void *context, int task, int thread)
{
    const Context *c = context;
    float sum = c->weights[CLASSES * CHANNELS + task];
    (void)thread;
    for (int i = 0; i < CHANNELS; i++)
        sum += c->weights[task * CHANNELS + i] * c->mean[i];
    c->logits[task] = sum;
}

static const VtcModel fake_model;

static int fake_run_steps(const void *weights, const void *const *inputs,
                          void *const *outputs, void *workspace,
                          const VtcExecutor *executor, int first, int last)
{
    int status = vtc_check_call(&fake_model, weights, workspace, executor);
    if (status != VTC_OK)
        return status;
    if (first < 0 || first > last || last > 2)
        return VTC_ERR_RANGE;
    Context context = {weights, inputs[0], outputs[0], workspace};
    if (first <= 0 && last > 0)
        vtc_dispatch(executor, mean_task, &context, CHANNELS);
    if (first <= 1 && last > 1)
        vtc_dispatch(executor, linear_task, &context, CLASSES);
    return VTC_OK;
}

static int fake_run(const void *weights, const void *const *inputs,
                    void *const *outputs, void *workspace,
                    const VtcExecutor *executor)
{
    return fake_run_steps(weights, inputs, outputs, workspace, executor, 0, 2);
}

static const VtcPreprocess preprocess = {
    .resize_short = 8, .crop_h = 8, .crop_w = 8, .order = VTC_RGB,
    .range = 255, .mean = {0.5f, 0.5f, 0.5f}, .std = {0.25f, 0.25f, 0.25f}};
static const char *const labels[CLASSES] = {"red", "green", "blue", "gray"};
static const char *const step_names[] = {"mean", "linear"};
static const VtcTensorInfo inputs[] = {
    {.name = "image", .dtype = VTC_f32, .rank = 4, .dims = {1, 3, 8, 8},
     .bytes = 768, .preprocess = &preprocess}};
static const VtcTensorInfo outputs[] = {
    {.name = "logits", .dtype = VTC_f32, .rank = 2, .dims = {1, 4},
     .bytes = 16, .labels = labels, .label_count = CLASSES}};

static const VtcModel fake_model = {
    .abi_version = VTC_ABI_VERSION, .align = 64, .name = NAME,
    .inputs = inputs, .outputs = outputs, .input_count = 1, .output_count = 1,
    .max_threads = 4, .step_count = 2, .step_names = step_names,
    .workspace_bytes = 64, .weights_bytes = 64,
    .weights_hash = UINT64_C(0x9d32441acee3e06d), /* of weights_data */
    .weights = EMBEDDED, .run = fake_run, .run_steps = STEPS};

const VtcModel *const vtc_main_model = &fake_model;
