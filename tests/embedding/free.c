/* A network without a system under it: compiled -ffreestanding, called without an
 * executor. Only this file's `main` needs a system, to say what came out. */
#include "colors.h"
#include "tokens.h"
#include <stdio.h>

static _Alignas(COLORS_ALIGN) unsigned char colors_space[COLORS_WORKSPACE_BYTES];
static _Alignas(TOKENS_ALIGN) unsigned char tokens_space[TOKENS_WORKSPACE_BYTES];
static float image[3 * 16 * 16], features[8 * 12 * 12], logits[5], attention[4 * 144],
    tokens[6 * 4];

static void print(const char *name, const float *values, int n)
{
    printf("%s", name);
    for (int i = 0; i < n; i++)
        printf(" %a", (double)values[i]);
    putchar('\n');
}

int main(void)
{
    for (int i = 0; i < 3 * 16 * 16; i++)
        image[i] = (float)(i * 37 % 101) / 50 - 1;
    for (int i = 0; i < 8 * 12 * 12; i++)
        features[i] = (float)(i * 37 % 101) / 50 - 1;
    if (colors_run(colors_weights, image, logits, colors_space, NULL) != VTC_OK ||
        tokens_run(tokens_weights, features, attention, tokens, tokens_space, NULL) != VTC_OK)
        return 1;
    print("logits", logits, 5);
    print("attention", attention, 4 * 144);
    print("tokens", tokens, 6 * 4);
    return 0;
}
