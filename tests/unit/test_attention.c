/* Scores, softmax and the product that reads it in one pass: sizes that divide and that
 * do not, several chunks of a task, both layouts, against plain sums in double. */
#include "tests/unit/program_error.h"
#include "passes/attention.h"

static int fused; /* of the last run: what fuse_attention made one */

static void count_fused(void *context, const PassInfo *pass, const Graph *graph,
                        const Program *program)
{
    (void)context;
    (void)program;
    Attention a;
    if (strcmp(pass->name, "fuse_attention") != 0)
        return;
    fused = 0;
    for (int i = 0; i < graph->groups.n; i++)
        fused += attention_of(&graph->groups.at[i], &a);
}

typedef struct Case {
    int channels, height, width, tokens;
    int fused;
} Case;

static void check(const char *text, const char *target, int expected)
{
    double error = program_error(text, target, count_fused, NULL);
    CU_ASSERT(fused == expected);
    CU_ASSERT(error < 1e-5);
    if (!(error < 1e-5) || fused != expected)
        fprintf(stderr, "%s: error %g, %d fused\n%s", target, error, fused, text);
}

static const char *const levels[] = {"x86-64-v4", "x86-64-v3", "c11"};
enum { LEVELS = sizeof levels / sizeof *levels };

/* With either order of the map's elements in memory. */
static void check_cases(const Case *cases, size_t n, void (*one)(const Case *, bool channels_last))
{
    for (size_t i = 0; i < n; i++) {
        one(&cases[i], false);
        one(&cases[i], true);
    }
}

/* %map, of so many channels, made channels last by a convolution of %x. */
enum { CONV = 256 };
static void write_conv(char conv[CONV], int channels, const Case *c)
{
    snprintf(conv, CONV,
             "  %%u = weight name=\"u\" : f32[%d,%d,1,1]\n"
             "  %%conv = conv2d %%x, %%u : f32[1,%d,%d,%d]\n"
             "  %%map = tanh %%conv : f32[1,%d,%d,%d]\n",
             channels, channels, channels, c->height, c->width, channels, c->height, c->width);
}

/* Tokens of a map as it comes in, or made channels last by a convolution before. */
static void check_tokenizer(const Case *c, bool channels_last)
{
    int hw = c->height * c->width;
    char conv[CONV] = "", text[2048];
    if (channels_last)
        write_conv(conv, c->channels, c);
    const char *map = channels_last ? "map" : "x";
    snprintf(text, sizeof text,
             "graph \"g\" {\n"
             "  %%x = input name=\"x\" : f32[1,%d,%d,%d]\n%s"
             "  %%w = weight name=\"w\" : f32[%d,%d,1,1]\n"
             "  %%b = weight name=\"b\" : f32[%d]\n"
             "  %%s = conv2d %%%s, %%w, %%b : f32[1,%d,%d,%d]\n"
             "  %%r = reshape %%s shape=[1,%d,%d] : f32[1,%d,%d]\n"
             "  %%a = softmax %%r axis=2 : f32[1,%d,%d]\n"
             "  %%f = reshape %%%s shape=[1,%d,%d] : f32[1,%d,%d]\n"
             "  %%t = matmul %%f, %%a transpose_b=true : f32[1,%d,%d]\n"
             "  %%y = tanh %%t : f32[1,%d,%d]\n"
             "  output \"y\" %%y\n}\n",
             c->channels, c->height, c->width, conv, c->tokens, c->channels, c->tokens, map,
             c->tokens, c->height, c->width, c->tokens, hw, c->tokens, hw, c->tokens, hw, map,
             c->channels, hw, c->channels, hw, c->channels, c->tokens, c->channels, c->tokens);
    for (int i = 0; i < LEVELS; i++)
        check(text, levels[i], c->fused);
}

static void test_tokenizers(void)
{
    const Case cases[] = {
        {16, 14, 14, 16, 1}, {70, 7, 7, 8, 1},   {5, 5, 7, 3, 1},    {8, 37, 29, 5, 1},
        {3, 41, 60, 9, 1},   {32, 4, 4, 8, 1},   {33, 13, 1, 2, 0}, /* too few pixels */
        {8, 6, 6, 33, 0},    {8, 4, 5, 12, 0},   {8, 6, 6, 1, 0},
    };
    check_cases(cases, sizeof cases / sizeof *cases, check_tokenizer);
}

static void check_projector(const Case *c, bool channels_last)
{
    int hw = c->height * c->width;
    char conv[256] = "", text[2048];
    if (channels_last)
        snprintf(conv, sizeof conv,
                 "  %%v = weight name=\"v\" : f32[%d,%d,3,3]\n"
                 "  %%y = conv2d %%spread, %%v pad=[1,1,1,1] : f32[1,%d,%d,%d]\n",
                 c->channels, c->channels, c->channels, c->height, c->width);
    snprintf(text, sizeof text,
             "graph \"g\" {\n"
             "  %%x = input name=\"x\" : f32[1,%d,%d,%d]\n"
             "  %%k = weight name=\"keys\" : f32[1,%d,%d]\n"
             "  %%t = weight name=\"values\" : f32[1,%d,%d]\n"
             "  %%f = reshape %%x shape=[1,%d,%d] : f32[1,%d,%d]\n"
             "  %%s = matmul %%f, %%k transpose_a=true : f32[1,%d,%d]\n"
             "  %%a = softmax %%s axis=2 : f32[1,%d,%d]\n"
             "  %%m = matmul %%t, %%a transpose_b=true : f32[1,%d,%d]\n"
             "  %%sum = add %%f, %%m : f32[1,%d,%d]\n"
             "  %%relu = relu %%sum : f32[1,%d,%d]\n"
             "  %%spread = reshape %%relu shape=[1,%d,%d,%d] : f32[1,%d,%d,%d]\n%s"
             "  output \"y\" %%%s\n}\n",
             c->channels, c->height, c->width, c->channels, c->tokens, c->channels, c->tokens,
             c->channels, hw, c->channels, hw, hw, c->tokens, hw, c->tokens, c->channels, hw,
             c->channels, hw, c->channels, hw, c->channels, c->height, c->width, c->channels,
             c->height, c->width, conv, channels_last ? "y" : "spread");
    for (int i = 0; i < LEVELS; i++)
        check(text, levels[i], c->fused);
}

static void test_projectors(void)
{
    const Case cases[] = {
        {16, 14, 14, 16, 1}, {70, 7, 7, 8, 1},  {5, 5, 7, 3, 1},    {8, 37, 29, 5, 1},
        {32, 8, 8, 8, 1},    {17, 23, 3, 31, 1}, {16, 3, 5, 4, 0}, /* too few pixels */
        {8, 6, 6, 33, 0},    {8, 4, 5, 12, 0},
    };
    check_cases(cases, sizeof cases / sizeof *cases, check_projector);
}

/* Of several heads, each its own scores, whose scale the keys take. */
static void check_heads(const Case *c, bool channels_last)
{
    enum { HEADS = 3 };
    int hw = c->height * c->width, all = HEADS * c->channels;
    char conv[CONV] = "", text[2560];
    if (channels_last)
        write_conv(conv, all, c);
    snprintf(text, sizeof text,
             "graph \"g\" {\n"
             "  %%x = input name=\"x\" : f32[1,%d,%d,%d]\n%s"
             "  %%k = weight name=\"keys\" : f32[1,%d,%d,%d]\n"
             "  %%t = weight name=\"values\" : f32[1,%d,%d,%d]\n"
             "  %%f = reshape %%%s shape=[1,%d,%d,%d] : f32[1,%d,%d,%d]\n"
             "  %%p = matmul %%f, %%k transpose_a=true : f32[1,%d,%d,%d]\n"
             "  %%c = constant value=4 : f32[]\n"
             "  %%s = div %%p, %%c : f32[1,%d,%d,%d]\n"
             "  %%a = softmax %%s axis=3 : f32[1,%d,%d,%d]\n"
             "  %%m = matmul %%t, %%a transpose_b=true : f32[1,%d,%d,%d]\n"
             "  %%sum = add %%f, %%m : f32[1,%d,%d,%d]\n"
             "  %%y = reshape %%sum shape=[1,%d,%d,%d] : f32[1,%d,%d,%d]\n"
             "  output \"y\" %%y\n}\n",
             all, c->height, c->width, conv, HEADS, c->channels, c->tokens, HEADS, c->channels,
             c->tokens, channels_last ? "map" : "x", HEADS, c->channels, hw, HEADS, c->channels,
             hw, HEADS, hw, c->tokens, HEADS, hw, c->tokens, HEADS, hw, c->tokens, HEADS,
             c->channels, hw, HEADS, c->channels, hw, all, c->height, c->width, all, c->height,
             c->width);
    for (int i = 0; i < LEVELS; i++)
        check(text, levels[i], c->fused);
}

static void test_heads(void)
{
    const Case cases[] = {
        {16, 14, 14, 16, 1}, {16, 9, 17, 32, 1}, {5, 5, 7, 3, 1}, {8, 37, 29, 12, 1},
        {24, 3, 5, 4, 0}, /* too few pixels */
        {8, 6, 6, 33, 0},
    };
    check_cases(cases, sizeof cases / sizeof *cases, check_heads);
}

int main(void)
{
    static const UnitTest tests[] = {
        {"tokenizers in one pass", test_tokenizers},
        {"projectors in one pass", test_projectors},
        {"projectors of several heads", test_heads},
    };
    return UNIT_RUN(tests);
}
