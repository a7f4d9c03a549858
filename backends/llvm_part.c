/* The back end's interface in the compiler itself: finds the part that holds LLVM
 * (beside the executable, in ../lib/vtc, or where it was built; VTC_LLVM names it),
 * loads it once and passes every call on. */
#include "backends/llvm/plugin.h"
#include "support/file.h"
#include "support/progress.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#ifndef VTC_LLVM_BUILT
#define VTC_LLVM_BUILT ""
#endif

static const LlvmPlugin *open_file(const char *path, Diag *diag)
{
    static const size_t sizes[LLVM_PLUGIN_SIZE_COUNT] = LLVM_PLUGIN_SIZES;
    void *part = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const LlvmPlugin *plugin = part ? dlsym(part, LLVM_PLUGIN_SYMBOL) : NULL;
    if (!plugin)
        diag_error(diag, (Span){0}, "cannot load the LLVM back end: %s (package 'libllvm19')",
                   dlerror());
    else if (memcmp(plugin->sizes, sizes, sizeof sizes) == 0)
        return plugin;
    else
        diag_error(diag, (Span){0}, "'%s' belongs to another build of vtc", path);
    return NULL;
}

static const LlvmPlugin *plugin_of(Diag *diag)
{
    static const LlvmPlugin *plugin;
    Arena *arena = plugin ? NULL : arena_new();
    const char *wish = getenv("VTC_LLVM"), *path = NULL;
    if (!plugin)
        path = wish && *wish ? wish : part_find(arena, LLVM_PLUGIN_FILE, VTC_LLVM_BUILT);
    if (path)
        plugin = open_file(path, diag);
    else if (!plugin)
        diag_error(diag, (Span){0}, "this vtc has no LLVM back end ('" LLVM_PLUGIN_FILE "'): "
                                    "install the package 'llvm-19-dev' and build it again");
    if (arena)
        arena_free(arena);
    return plugin;
}

bool llvm_available(Diag *diag)
{
    return plugin_of(diag) != NULL;
}

static void put_file(void *to, const void *data, size_t n)
{
    outfile_write(to, data, n);
}

bool llvm_compile(const Program *program, const Abi *abi, const Blob *blob,
                  const LlvmOptions *options, const char *path, Diag *diag)
{
    const LlvmPlugin *plugin = plugin_of(diag);
    OutFile *out = plugin ? outfile_open(program->arena, path, diag) : NULL;
    LlvmRequest request = {program, abi, blob, options, put_file, out};
    if (!out)
        return false;
    progress("%s: LLVM for %s", program->name, program->target->name);
    bool good = plugin->make(&request, diag);
    progress_end();
    return good ? outfile_close(out, diag) : (outfile_drop(out), false);
}

static void put_text(void *to, const void *data, size_t n)
{
    text_addn(to, data, n);
}

bool llvm_print(const Program *program, const Abi *abi, const LlvmOptions *options, Text *out,
                Diag *diag)
{
    const LlvmPlugin *plugin = plugin_of(diag);
    const Blob none = {0};
    LlvmRequest request = {program, abi, &none, options, put_text, out};
    return plugin && plugin->make(&request, diag);
}

const VtcModel *llvm_load(const Program *program, const Blob *blob, Diag *diag)
{
    const LlvmPlugin *plugin = plugin_of(diag);
    progress("%s: LLVM", program->name);
    const VtcModel *model = plugin ? plugin->load(program, blob, diag) : NULL;
    progress_end();
    return model;
}
