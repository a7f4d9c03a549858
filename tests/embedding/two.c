/* Two networks in one C program, on one pool of threads. */
#include "colors.h"
#include "threads.h"
#include "tokens.h"
#include <stdio.h>

/* What a run needs: reserved once, used by one run at a time. */
static _Alignas(COLORS_ALIGN) unsigned char colors_space[COLORS_WORKSPACE_BYTES];
static _Alignas(TOKENS_ALIGN) unsigned char tokens_space[TOKENS_WORKSPACE_BYTES];

/* Tensors are dense, the last dimension fastest: NCHW. */
static float image[3 * 16 * 16], logits[5];
static float features[8 * 12 * 12], attention[4 * 144], tokens[6 * 4];

static void fill(float *values, int n)
{
    for (int i = 0; i < n; i++)
        values[i] = (float)(i * 37 % 101) / 50 - 1;
}

static void print(const char *name, const float *values, int n)
{
    printf("%s", name);
    for (int i = 0; i < n; i++)
        printf(" %a", (double)values[i]); /* exactly */
    putchar('\n');
}

/* Both networks once; executor NULL: on the calling thread alone. */
static int run(const VtcExecutor *executor)
{
    int status = colors_run(colors_model.weights, image, logits, colors_space, executor);
    if (status == VTC_OK)
        status = tokens_run(tokens_model.weights, features, attention, tokens, tokens_space,
                            executor);
    if (status != VTC_OK)
        fprintf(stderr, "two: %s\n", vtc_strerror(status));
    return status;
}

int main(void)
{
    VtcPool *pool;
    VtcError error;
    fill(image, 3 * 16 * 16);
    fill(features, 8 * 12 * 12);
    if (vtc_pool_create(&pool, 2, &error) != VTC_OK) {
        fprintf(stderr, "two: %s\n", error.text);
        return 3;
    }
    int status = run(vtc_pool_executor(pool));
    vtc_pool_destroy(pool);
    if (status != VTC_OK)
        return 1;
    print("logits", logits, 5);
    print("attention", attention, 4 * 144);
    print("tokens", tokens, 6 * 4);
    return 0;
}
