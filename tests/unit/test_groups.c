/* Convolutions in groups whose map is larger than the second-level cache: a task is some rows
 * of all groups. Rows that divide into tiles and tasks and that do not, against plain sums. */
#include "tests/unit/program_error.h"

static int64_t tasks; /* of the last run's first step */

static void look(void *context, const PassInfo *pass, const Graph *graph, const Program *program)
{
    (void)context;
    (void)graph;
    if (strcmp(pass->name, "lower") == 0 && program->steps.n > 0)
        for (int i = 0; i < program->steps.n; i++)
            if (strstr(program->steps.at[i].kernel->name, "conv2d"))
                tasks = program->steps.at[i].kernel->tasks;
}

typedef struct Case {
    int channels, groups, height, width, kernel, stride;
    bool shared; /* with AVX2's cache of 512 KB */
} Case;

static void check_case(const Case *c, const char *target)
{
    char text[1024];
    int pad = c->kernel / 2, group = c->channels / c->groups;
    int height = (c->height - 1) / c->stride + 1, width = (c->width - 1) / c->stride + 1;
    snprintf(text, sizeof text,
             "graph \"g\" {\n"
             "  %%x = input name=\"x\" : f32[1,%d,%d,%d]\n"
             "  %%t = relu %%x : f32[1,%d,%d,%d]\n"
             "  %%w = weight name=\"w\" : f32[%d,%d,%d,%d]\n"
             "  %%c = conv2d %%t, %%w groups=%d pad=[%d,%d,%d,%d] stride=[%d,%d] : "
             "f32[1,%d,%d,%d]\n"
             "  %%y = relu %%c : f32[1,%d,%d,%d]\n"
             "  output \"y\" %%y\n}\n",
             c->channels, c->height, c->width, c->channels, c->height, c->width, c->channels,
             group, c->kernel, c->kernel, c->groups, pad, pad, pad, pad, c->stride, c->stride,
             c->channels, height, width, c->channels, height, width);
    double error = program_error(text, target, look, NULL);
    bool shared = tasks != c->groups;
    bool right = error < 1e-5 && (strcmp(target, "x86-64-v3") != 0 || shared == c->shared);
    CU_ASSERT(right);
    if (!right)
        fprintf(stderr, "%s: error %g, %lld tasks\n%s", target, error, (long long)tasks, text);
}

static void test_rows_of_all_groups(void)
{
    static const Case cases[] = {
        {64, 4, 67, 41, 1, 1, true},  {64, 8, 96, 48, 1, 1, true},  {80, 5, 53, 47, 1, 2, true},
        {64, 4, 53, 47, 3, 2, true},  {144, 6, 61, 17, 3, 2, true}, {64, 4, 12, 12, 1, 1, false},
    };
    static const char *const levels[] = {"x86-64-v4", "x86-64-v3", "c11"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t k = 0; k < sizeof levels / sizeof *levels; k++)
            check_case(&cases[i], levels[k]);
}

int main(void)
{
    static const UnitTest tests[] = {{"rows of all groups", test_rows_of_all_groups}};
    return UNIT_RUN(tests);
}
