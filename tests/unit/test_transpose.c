/* Copies between layouts in tiles of registers: sizes that divide and that do not, either
 * direction, an axis beside, and those too small for it, against the elements' places. */
#include "tests/unit/program_error.h"

static bool in_tiles; /* does a copy of the last run shuffle? */

static bool any_shuffle(const Block *block)
{
    for (const Stmt *s = block->first; s; s = s->next)
        if ((s->expr && s->expr->op == EX_shuffle) || any_shuffle(&s->body) ||
            any_shuffle(&s->other))
            return true;
    return false;
}

static void look(void *context, const PassInfo *pass, const Graph *graph, const Program *program)
{
    (void)context;
    (void)graph;
    if (strcmp(pass->name, "lower") != 0)
        return;
    in_tiles = false;
    for (int i = 0; i < program->steps.n; i++)
        in_tiles = in_tiles || any_shuffle(&program->steps.at[i].kernel->body);
}

static void check(const char *text, const char *target, bool tiles)
{
    double error = program_error(text, target, look, NULL);
    CU_ASSERT(error == 0);
    CU_ASSERT(in_tiles == tiles);
    if (error != 0 || in_tiles != tiles)
        fprintf(stderr, "%s: error %g, in tiles: %d\n%s", target, error, in_tiles, text);
}

typedef struct Case {
    int images, rows, columns;
} Case;

/* [N,R,C] to [N,C,R]. */
static void check_case(const Case *c, const char *target, int lanes)
{
    char text[512];
    snprintf(text, sizeof text,
             "graph \"g\" {\n"
             "  %%x = input name=\"x\" : f32[%d,%d,%d]\n"
             "  %%y = transpose %%x perm=[0,2,1] : f32[%d,%d,%d]\n"
             "  output \"y\" %%y\n}\n",
             c->images, c->rows, c->columns, c->images, c->columns, c->rows);
    check(text, target, lanes >= 4 && c->rows >= lanes && c->columns >= lanes);
}

static void test_sizes(void)
{
    static const Case cases[] = {
        {1, 16, 16},  {1, 17, 31},   {1, 49, 160}, {1, 160, 49},  {2, 33, 64}, {3, 20, 21},
        {1, 9, 4099}, {1, 4099, 9},  {1, 257, 8},  {1, 7, 4},     {1, 3, 500}, {1, 4, 4},
        {1, 1027, 1026},
    };
    static const struct {
        const char *target;
        int lanes;
    } levels[] = {{"x86-64-v4", 16}, {"x86-64-v3", 8}, {"x86-64-v2", 4}, {"c11", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t k = 0; k < sizeof levels / sizeof *levels; k++)
            check_case(&cases[i], levels[k].target, levels[k].lanes);
}

int main(void)
{
    static const UnitTest tests[] = {{"transposed in tiles", test_sizes}};
    return UNIT_RUN(tests);
}
