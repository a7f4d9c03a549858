/* The tools that make machine code of text and one file of objects: C compilers,
 * archivers, linkers, of this machine or of another. */
#define _DEFAULT_SOURCE /* symlink */
#include "backends/job.h"
#include "backends/process.h"
#include "support/progress.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Does the first word of a command run? The rest are its options: `ccache gcc`. */
static bool command_starts(Job *job, const char *command)
{
    return process_starts(arena_printf(job->arena, "%.*s", (int)strcspn(command, " "), command));
}

static const char *wished_compiler(Job *job, const char *wish)
{
    if (command_starts(job, wish))
        return wish;
    diag_error(job->diag, (Span){0}, "the C compiler '%s' does not run (the packages 'gcc' and "
                                     "'clang' have one)", wish);
    return NULL;
}

/* Another machine's compiler: its row says which. */
static const char *cross_compiler(Job *job, const Target *target)
{
    if (command_starts(job, target->cc))
        return target->cc;
    diag_error(job->diag, (Span){0}, "no C compiler for %s: '%.*s' does not run; install the "
                                     "packages '%s'", target->name,
               (int)strcspn(target->cc, " "), target->cc, target->package);
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

/* NULL: none of them is there. */
static const char *first_that_starts(const char *const *programs)
{
    while (*programs && !process_starts(*programs))
        programs++;
    return *programs;
}

static const char *const lld[] = {"ld.lld-19", "ld.lld", NULL};

static bool wished_linker(Job *job, const char *wish)
{
    bool any = strcmp(wish, "lld") == 0;
    job->linker = any ? first_that_starts(lld) : process_starts(wish) ? wish : NULL;
    if (!job->linker)
        diag_error(job->diag, (Span){0}, "the linker '%s' does not run%s", wish,
                   any ? ": install the package 'lld-19'" : " (the package 'lld-19' has one)");
    return job->linker != NULL;
}

static bool no_linker(Job *job, const Target *target)
{
    if (job->options->emit == EMIT_exe && *target->cc)
        return job_find_compiler(job);
    diag_error(job->diag, (Span){0}, "no linker found: install the packages '%s', or %s'lld-19'%s",
               *target->package ? target->package : "gcc", *target->cc ? "" : "'binutils' or ",
               *target->cc ? "" : " with 'libc6-dev'");
    return false;
}

/* The system's linker is the one that the C compiler calls. What LLVM compiles needs no
 * compiler to be linked, only programs to know what those of the system begin with:
 * without one a linker is called directly, of other machines' objects lld. */
bool job_find_linker(Job *job)
{
    const Target *target = job->program->target;
    bool foreign = *target->cc != 0, needs_compiler = job->options->emit == EMIT_exe && foreign;
    Diag *own = job->diag;
    job->diag = diag_new(job->arena);
    bool found = job->compiler || job_find_compiler(job);
    job->diag = own;
    if (job->options->linker && !wished_linker(job, job->options->linker))
        return false;
    if (!found && needs_compiler)
        return no_linker(job, target);
    if (job->linker || (found && (foreign || process_starts("ld"))))
        return true;
    job->linker = foreign || !process_starts("ld") ? first_that_starts(lld) : "ld";
    return found || job->linker || no_linker(job, target);
}

static bool job_calls_library(const Job *job)
{
    for (int i = 0; i < job->parts.n; i++)
        if (program_has_products(job->parts.at[i].program))
            return true;
    return false;
}

bool job_find_libraries(Job *job)
{
    static const char *const ask[] = {"pkg-config", "--libs", "openblas", NULL};
    bool linked = job->options->emit == EMIT_exe || job->options->emit == EMIT_so;
    job->libraries = "";
    if (!linked || !job_calls_library(job))
        return true;
    job->libraries = process_line(job->arena, ask);
    if (!job->libraries)
        diag_error(job->diag, (Span){0}, "OpenBLAS is not found (pkg-config openblas): install "
                                         "the packages 'pkg-config' and 'libopenblas-dev'");
    return job->libraries != NULL;
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

/* The compiler's driver takes another linker where that is `ld` in a folder that it is
 * told to search first. Every gcc and clang does, of every target, unlike -fuse-ld. */
static bool driver_words(Job *job)
{
    const char *ld = arena_printf(job->arena, "%s/ld", job->dir);
    words(job, job->compiler);
    if (!job->linker)
        return true;
    const char *path = process_path(job->arena, job->linker);
    if (!path || symlink(path, ld) != 0) {
        diag_error(job->diag, (Span){0}, "cannot make '%s': %s", ld, strerror(errno));
        return false;
    }
    words(job, arena_printf(job->arena, "-B %s/", job->dir));
    return true;
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
    words(job, job->libraries);
    words(job, arena_printf(job->arena, "-lm -lc %s/crtn.o", lib));
    return run_command(job, "the linker", "binutils libc6-dev");
}

static bool link_exe(Job *job, const char *out)
{
    bool c = job->options->backend == BACKEND_c;
    if (!job->compiler)
        return link_exe_alone(job, out);
    if ((c && !compile_main(job)) || !driver_words(job))
        return false;
    word(job, "-o");
    word(job, out);
    object_words(job);
    if (c)
        word(job, job_temp(job, "_main.o"));
    runtime_words(job);
    users_words(job);
    words(job, job->libraries);
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

/* The objects as one file that is no program: a shared library or an object. */
static bool link_objects(Job *job, const char *out, bool shared)
{
    if (!job->compiler) {
        words(job, job->linker);
        words(job, shared ? "-shared -o" : "-r -o");
    } else if (driver_words(job)) {
        words(job, shared ? "" : job->program->target->cc_flags);
        words(job, shared ? "-shared -o" : "-r -nostdlib -o");
    } else {
        return false;
    }
    word(job, out);
    object_words(job);
    if (shared)
        words(job, job->libraries);
    if (job->compiler && shared) {
        users_words(job);
        word(job, "-lm");
    }
    return run_command(job, "the linker", packages_of(job->program->target));
}

bool job_link(Job *job, const char *out)
{
    switch (job->options->emit) {
    case EMIT_exe: return link_exe(job, out);
    case EMIT_so: return link_objects(job, out, true);
    case EMIT_lib: return link_lib(job, out);
    case EMIT_obj: return link_objects(job, out, false);
    case EMIT_c: case EMIT_asm: case EMIT_llvm: break;
    }
    return false;
}
