/* Building a shared library in a temporary folder and loading it. */
#include "backends/jit.h"
#include "backends/process.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

const VtcModel *jit_load(const Program *program, const char *compiler, bool verbose,
                         Diag *diag)
{
    static int serial;
    Arena *arena = program->arena;
    const char *base = getenv("TMPDIR");
    base = base && *base ? base : "/tmp";
    char *path = arena_printf(arena, "%s/vtc-%d-%d.so", base, (int)getpid(), serial++);
    BuildOptions options = {.emit = EMIT_so, .out = path, .name = "network",
                            .weights = WEIGHTS_embed, .verbose = verbose,
                            .compiler = compiler, .no_header = true};
    process_remove_on_signal(path);
    if (build_program(program, &options, diag) != BUILD_ok)
        return NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    unlink(path);
    if (!library) {
        diag_error(diag, (Span){0}, "cannot load the compiled network: %s", dlerror());
        return NULL;
    }
    return dlsym(library, "network_model");
}
