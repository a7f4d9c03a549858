/* Verifies graphs through every stage, for the script beside it:
 *
 *   vtc_verify_graph TARGET CASE...
 *
 * CASE is a folder as case_file.h reads it. Its operators go through the interpreter in
 * double, the passes, the loop interpreter, C by gcc and by clang, and LLVM. Prints what
 * `vtc verify` would. */
#include "backends/verify.h"
#include "tests/differential/case_file.h"

static bool run_case(const Target *target, const char *folder)
{
    static const char *const compilers[] = {"gcc", "clang", NULL};
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    const Tensor **inputs = NULL;
    Graph *graph = case_read(arena, folder, &inputs);
    VerifyOptions options = {.target = target, .inputs = inputs, .exact = true,
                             .compilers = compilers, .llvm = true};
    Text report = text_new(arena);
    bool good = graph && verify_graph(graph, &options, &report, diag);
    diag_print(diag, stderr, 0);
    printf("%s for %s\n%s", folder, target->name, text_str(&report));
    fflush(stdout);
    arena_free(arena);
    return good;
}

int main(int argc, char **argv)
{
    const Target *target = argc > 1 ? target_find(argv[1]) : NULL;
    int failures = 0;
    if (!target) {
        fprintf(stderr, "usage: vtc_verify_graph TARGET CASE...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++)
        failures += !run_case(target, argv[i]);
    return failures != 0;
}
