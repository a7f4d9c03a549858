/* The tools that make machine code of text and one file of objects: C compilers,
 * archivers, linkers, of this machine or of another. */
#include "backends/job.h"
#include "backends/process.h"
#include "support/progress.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#ifndef VTC_RUNTIME_DIR
#define VTC_RUNTIME_DIR "runtime"
#endif
#ifndef VTC_RUNTIME_LIB
#define VTC_RUNTIME_LIB "libvtcrt.a"
#endif
#ifndef VTC_LINK_FLAGS
#define VTC_LINK_FLAGS ""
#endif

const char *build_runtime(Arena *arena)
{
    const char *dir = getenv("VTC_RUNTIME"), *header = NULL;
    if (!dir || !*dir)
        header = part_find(arena, "runtime/vtc_abi.h", VTC_RUNTIME_DIR "/vtc_abi.h");
    return header ? path_dir(arena, header) : arena_strdup(arena, dir ? dir : VTC_RUNTIME_DIR);
}

static const char *runtime_library(Arena *arena)
{
    const char *dir = getenv("VTC_RUNTIME"), *library = NULL;
    if (dir && *dir)
        return arena_printf(arena, "%s/libvtcrt.a", dir);
    library = part_find(arena, "libvtcrt.a", VTC_RUNTIME_LIB);
    return library ? library : arena_strdup(arena, VTC_RUNTIME_LIB);
}

/* ---- commands ---------------------------------------------------------- */

static void word(Job *job, const char *text)
{
    VEC_PUSH(job->arena, job->command, arena_strdup(job->arena, text));
}

static void words(Job *job, const char *text)
{
    char *copy = arena_strdup(job->arena, text), *rest = copy;
    for (char *at; (at = strtok_r(rest, " ", &rest)) != NULL;)
        word(job, at);
}

/* What the caller's environment adds to every call of the C compiler. */
static void users_words(Job *job)
{
    const char *flags = getenv("VTC_CFLAGS");
    words(job, flags ? flags : "");
}

static const char *wished_compiler(Job *job, const char *wish)
{
    if (process_starts(wish))
        return wish;
    diag_error(job->diag, (Span){0}, "the C compiler '%s' does not run", wish);
    return NULL;
}

/* Another machine's compiler: its row says which. */
static const char *cross_compiler(Job *job, const Target *target)
{
    char *command = arena_strdup(job->arena, target->cc);
    command[strcspn(command, " ")] = 0;
    if (process_starts(command))
        return target->cc;
    diag_error(job->diag, (Span){0}, "no C compiler for %s: '%s' does not run; install the "
                                     "packages '%s'", target->name, command, target->package);
    return NULL;
}

static const char *find_compiler(Job *job)
{
    const char *usual[] = {"cc", "gcc", "clang"}, *wish = getenv("CC");
    if (job->options->compiler)
        return wished_compiler(job, job->options->compiler);
    if (*job->program->target->cc)
        return cross_compiler(job, job->program->target);
    if (wish && *wish)
        return wished_compiler(job, wish);
    for (int i = 0; i < 3; i++)
        if (process_starts(usual[i]))
            return usual[i];
    diag_error(job->diag, (Span){0}, "no C compiler found: install the package 'gcc', or "
                                     "'clang', or set CC");
    return NULL;
}

bool job_find_compiler(Job *job)
{
    job->compiler = find_compiler(job);
    return job->compiler != NULL;
}

/* What LLVM compiles needs no compiler to be linked, only to know what a program of
 * the system begins with: without one its linker is called directly. */
bool job_find_linker(Job *job)
{
    const char *usual[] = {"ld", "ld.lld-19", "ld.lld"};
    Diag *own = job->diag;
    job->diag = diag_new(job->arena);
    bool found = job_find_compiler(job);
    job->diag = own;
    if (found || !*job->program->target->loader)
        return found || job_find_compiler(job);
    for (int i = 0; i < 3 && !job->linker; i++)
        if (process_starts(usual[i]))
            job->linker = usual[i];
    if (!job->linker)
        diag_error(job->diag, (Span){0}, "no linker found: install the package 'gcc', or "
                                         "'binutils' or 'lld-19' with 'libc6-dev'");
    return job->linker != NULL;
}

/* `packages` has the tool and what it rests on. */
static bool run_command(Job *job, const char *what, const char *packages)
{
    VEC_PUSH(job->arena, job->command, NULL);
    if (!job->options->verbose)
        progress("%s: %s for %s", job->program->name, what, job->program->target->name);
    int code = build_spawn(job->command.at, job->options->verbose);
    progress_end();
    job->command.n = 0;
    if (code == 0)
        return true;
    diag_error(job->diag, (Span){0}, code < 0 ? "cannot run %s: install the packages '%s'"
                                              : "%s failed (what it needs is in the packages '%s')",
               what, packages);
    return false;
}

/* Of compiling and linking for a target. */
static const char *packages_of(const Target *target)
{
    return *target->package ? target->package : "gcc libc6-dev";
}

bool job_compile(Job *job, const Target *target, const char *source, const char *object,
                 const char *more)
{
    words(job, job->compiler);
    words(job, "-std=c11 -O2 -ffp-contract=off -fno-math-errno -fno-trapping-math");
    words(job, target->freestanding ? "" : "-fPIC");
    words(job, target->cc_flags);
    word(job, "-I");
    word(job, build_runtime(job->arena));
    word(job, "-I");
    word(job, job->dir);
    words(job, more);
    users_words(job);
    if (job->options->debug) /* the same input gives the same bytes */
        words(job, arena_printf(job->arena, "-g -ffile-prefix-map=%s=.", job->dir));
    word(job, source);
    word(job, "-o");
    word(job, object);
    return run_command(job, "the C compiler", packages_of(target));
}

/* ---- linking ----------------------------------------------------------- */

const char *job_part_object(Job *job, const Part *part)
{
    return arena_printf(job->arena, "%s/%s.o", job->dir, part->abi.name);
}

static void object_words(Job *job)
{
    for (int i = 0; i < job->parts.n; i++)
        word(job, job_part_object(job, &job->parts.at[i]));
    if (job->abi.weights != WEIGHTS_file && job->options->backend == BACKEND_c)
        word(job, job_temp(job, "_weights.o"));
}

/* The name of the network for the runtime's main. */
static bool compile_main(Job *job)
{
    Text text = text_new(job->arena);
    text_printf(&text, "#include \"%s.h\"\nextern const VtcModel *const vtc_main_model;\n"
                       "const VtcModel *const vtc_main_model = &%s_model;\n", job->abi.name,
                job->abi.name);
    if (!job_write_text(job, job_temp(job, "_main.c"), &text))
        return false;
    return job_compile(job, job->program->target, job_temp(job, "_main.c"),
                       job_temp(job, "_main.o"), "-c");
}

static int is_source(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 2 && strcmp(entry->d_name + n - 2, ".c") == 0;
}

/* This machine's runtime is ready; for others it is compiled with the program. */
static void runtime_words(Job *job)
{
    const char *dir = build_runtime(job->arena);
    struct dirent **entry = NULL;
    if (!*job->program->target->cc) {
        word(job, runtime_library(job->arena));
        words(job, VTC_LINK_FLAGS);
        return;
    }
    words(job, "-std=c11 -O2 -w -ffp-contract=off -idirafter /usr/include -I");
    word(job, dir);
    words(job, job->program->target->cc_flags);
    int n = scandir(dir, &entry, is_source, alphasort);
    for (int i = 0; i < n; i++) {
        word(job, arena_printf(job->arena, "%s/%s", dir, entry[i]->d_name));
        free(entry[i]);
    }
    free(entry);
}

/* What a compiler would tell the linker about programs of this system. */
static bool link_exe_alone(Job *job, const char *out)
{
    const char *where = job->program->target->triple;
    const char *lib = arena_printf(job->arena, "/usr/lib/%s", where);
    words(job, job->linker);
    words(job, arena_printf(job->arena, "--dynamic-linker=%s -L%s -L/lib/%s -o",
                            job->program->target->loader, lib, where));
    word(job, out);
    words(job, arena_printf(job->arena, "%s/crt1.o %s/crti.o", lib, lib));
    object_words(job);
    word(job, runtime_library(job->arena));
    words(job, arena_printf(job->arena, "-lm -lc %s/crtn.o", lib));
    return run_command(job, "the linker", "binutils libc6-dev");
}

static bool link_exe(Job *job, const char *out)
{
    bool c = job->options->backend == BACKEND_c;
    if (job->linker)
        return link_exe_alone(job, out);
    if (c && !compile_main(job))
        return false;
    words(job, job->compiler);
    word(job, "-o");
    word(job, out);
    object_words(job);
    if (c)
        word(job, job_temp(job, "_main.o"));
    runtime_words(job);
    users_words(job);
    words(job, "-lpthread -lm");
    return run_command(job, "the linker", packages_of(job->program->target));
}

/* gcc-ar stands beside a cross gcc; LLVM's knows every format. Returns the package. */
static const char *archive_words(Job *job)
{
    const Target *target = job->program->target;
    size_t n = strlen(target->cc);
    if (!n) {
        words(job, "ar rcsD");
        return "binutils";
    }
    if (n > 4 && strcmp(target->cc + n - 4, "-gcc") == 0) {
        words(job, arena_printf(job->arena, "%s-ar rcsD", target->cc));
        return target->package;
    }
    words(job, "llvm-ar-19 rcsD");
    return "llvm-19";
}

static bool link_lib(Job *job, const char *out)
{
    const char *package = archive_words(job);
    word(job, out);
    object_words(job);
    return run_command(job, "the archiver", package);
}

bool job_link(Job *job, const char *out)
{
    switch (job->options->emit) {
    case EMIT_exe: return link_exe(job, out);
    case EMIT_so:
        words(job, job->linker ? job->linker : job->compiler);
        words(job, "-shared -o");
        word(job, out);
        object_words(job);
        if (!job->linker)
            users_words(job);
        word(job, job->linker ? "--as-needed" : "-lm");
        return run_command(job, "the linker", packages_of(job->program->target));
    case EMIT_lib: return link_lib(job, out);
    case EMIT_obj:
        words(job, job->linker ? job->linker : job->compiler);
        words(job, job->linker ? "" : job->program->target->cc_flags);
        words(job, job->linker ? "-r -o" : "-r -nostdlib -o");
        word(job, out);
        object_words(job);
        return run_command(job, "the linker", packages_of(job->program->target));
    case EMIT_c: case EMIT_asm: case EMIT_llvm: break;
    }
    return false;
}
