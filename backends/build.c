/* Driving the C compiler, LLVM and the linker. */
#include "backends/build.h"
#include "backends/blob.h"
#include "backends/c/emit.h"
#include "backends/llvm/llvm.h"
#include "backends/process.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifndef VTC_RUNTIME_DIR
#define VTC_RUNTIME_DIR "runtime"
#endif
#ifndef VTC_RUNTIME_LIB
#define VTC_RUNTIME_LIB "libvtcrt.a"
#endif
#ifndef VTC_LINK_FLAGS
#define VTC_LINK_FLAGS ""
#endif

typedef struct Job {
    Arena *arena;
    const Program *program;
    const BuildOptions *options;
    Diag *diag;
    Abi abi;
    Blob blob;
    const char *dir;      /* temporary */
    const char *compiler;
    VEC(char *) command;
} Job;

const char *build_runtime(Arena *arena)
{
    const char *dir = getenv("VTC_RUNTIME");
    return arena_strdup(arena, dir && *dir ? dir : VTC_RUNTIME_DIR);
}

static const char *runtime_library(Arena *arena)
{
    const char *dir = getenv("VTC_RUNTIME");
    return dir && *dir ? arena_printf(arena, "%s/libvtcrt.a", dir)
                       : arena_strdup(arena, VTC_RUNTIME_LIB);
}

/* ---- the compiler's command -------------------------------------------- */

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

static bool run_command(Job *job, const char *what)
{
    VEC_PUSH(job->arena, job->command, NULL);
    int code = build_spawn(job->command.at, job->options->verbose);
    job->command.n = 0;
    if (code == 0)
        return true;
    diag_error(job->diag, (Span){0}, code < 0 ? "cannot run %s" : "%s failed", what);
    return false;
}

static void compile_words(Job *job, const char *source, const char *object)
{
    const Target *target = job->program->target;
    words(job, job->compiler);
    words(job, "-std=c11 -O2 -ffp-contract=off -fno-math-errno -c");
    words(job, target->freestanding ? "" : "-fPIC");
    words(job, target->cc_flags);
    word(job, "-I");
    word(job, build_runtime(job->arena));
    word(job, "-I");
    word(job, job->dir);
    word(job, source);
    word(job, "-o");
    word(job, object);
}

/* ---- files ------------------------------------------------------------- */

static bool write_text(Job *job, const char *path, const Text *text)
{
    OutFile *out = outfile_open(job->arena, path, job->diag);
    if (!out)
        return false;
    outfile_write(out, text_str(text), text->n);
    return outfile_close(out, job->diag);
}

static const char *temp(Job *job, const char *suffix)
{
    return arena_printf(job->arena, "%s/%s%s", job->dir, job->abi.name, suffix);
}

static void weights_c_array(const Job *job, Text *out)
{
    text_printf(out, "#include \"%s.h\"\n\n_Alignas(64) const unsigned char %s_weights[] = {",
                job->abi.name, job->abi.name);
    for (size_t i = 0; i < job->blob.bytes; i++)
        text_printf(out, "%s%d,", i % 20 ? "" : "\n    ", job->blob.payload[i]);
    text_add(out, job->blob.bytes ? "\n};\n" : "0};\n");
}

/* .incbin of the payload: data, never text. */
static void weights_assembly(const Job *job, const char *blob_path, Text *out)
{
    text_printf(out, "    .section .rodata\n    .balign 4096\n    .globl %s_weights\n"
                     "    .type %s_weights, %%object\n%s_weights:\n    .incbin ",
                job->abi.name, job->abi.name, job->abi.name);
    text_quoted(out, blob_path);
    text_printf(out, ", 64\n    .size %s_weights, . - %s_weights\n"
                     "    .section .note.GNU-stack,\"\",%%progbits\n", job->abi.name,
                job->abi.name);
}

/* The weights as a file, and what brings them into an object. */
static bool write_weights(Job *job, const char *dir, const char *stem)
{
    const char *base = arena_printf(job->arena, "%s/%s", dir, stem);
    if (job->abi.weights == WEIGHTS_c_array) {
        Text array = text_new(job->arena);
        weights_c_array(job, &array);
        return write_text(job, arena_printf(job->arena, "%s_weights.c", base), &array);
    }
    const char *blob = arena_printf(job->arena, "%s.weights", base);
    if (!blob_write(job->arena, &job->blob, blob, job->diag))
        return false;
    if (job->abi.weights == WEIGHTS_file)
        return true;
    Text assembly = text_new(job->arena);
    weights_assembly(job, dir == job->dir ? blob : arena_printf(job->arena, "%s.weights", stem),
                     &assembly);
    return write_text(job, arena_printf(job->arena, "%s_weights.S", base), &assembly);
}

static bool write_sources(Job *job, const char *dir, const char *stem)
{
    Text code = text_new(job->arena), header = text_new(job->arena);
    c_emit(job->program, &job->abi, &code);
    abi_header(job->program, &job->abi, &header);
    const char *base = arena_printf(job->arena, "%s/%s", dir, stem);
    return write_text(job, arena_printf(job->arena, "%s.h", base), &header) &&
           write_text(job, arena_printf(job->arena, "%s.c", base), &code) &&
           write_weights(job, dir, stem);
}

/* What the object, the program and so on are made of, by LLVM: weights and main
 * are in it. */
static bool compile_llvm(Job *job)
{
    LlvmOptions options = {.output = LLVM_object,
                           .with_weights = job->abi.weights != WEIGHTS_file,
                           .with_main = job->options->emit == EMIT_exe,
                           .debug = job->options->debug};
    return llvm_compile(job->program, &job->abi, &job->blob, &options, temp(job, ".o"),
                        job->diag);
}

static bool compile_c(Job *job)
{
    if (!write_sources(job, job->dir, job->abi.name))
        return false;
    compile_words(job, temp(job, ".c"), temp(job, ".o"));
    if (!run_command(job, "the C compiler"))
        return false;
    if (job->abi.weights == WEIGHTS_file)
        return true;
    compile_words(job, temp(job, job->abi.weights == WEIGHTS_embed ? "_weights.S"
                                                                   : "_weights.c"),
                  temp(job, "_weights.o"));
    return run_command(job, "the C compiler");
}

static void object_words(Job *job)
{
    word(job, temp(job, ".o"));
    if (job->abi.weights != WEIGHTS_file && job->options->backend == BACKEND_c)
        word(job, temp(job, "_weights.o"));
}

/* The name of the network for the runtime's main. */
static bool compile_main(Job *job)
{
    Text text = text_new(job->arena);
    text_printf(&text, "#include \"%s.h\"\nextern const VtcModel *const vtc_main_model;\n"
                       "const VtcModel *const vtc_main_model = &%s_model;\n", job->abi.name,
                job->abi.name);
    if (!write_text(job, temp(job, "_main.c"), &text))
        return false;
    compile_words(job, temp(job, "_main.c"), temp(job, "_main.o"));
    return run_command(job, "the C compiler");
}

/* This machine's runtime is ready; for others it is compiled with the program. */
static void runtime_words(Job *job)
{
    const char *dir = build_runtime(job->arena);
    DIR *sources = *job->program->target->cc ? opendir(dir) : NULL;
    if (!*job->program->target->cc) {
        word(job, runtime_library(job->arena));
        words(job, VTC_LINK_FLAGS);
        return;
    }
    words(job, "-std=c11 -O2 -w -ffp-contract=off -idirafter /usr/include -I");
    word(job, dir);
    words(job, job->program->target->cc_flags);
    for (struct dirent *entry; sources && (entry = readdir(sources)) != NULL;) {
        size_t n = strlen(entry->d_name);
        if (n > 2 && strcmp(entry->d_name + n - 2, ".c") == 0)
            word(job, arena_printf(job->arena, "%s/%s", dir, entry->d_name));
    }
    if (sources)
        closedir(sources);
}

static bool link_exe(Job *job, const char *out)
{
    bool c = job->options->backend == BACKEND_c;
    if (c && !compile_main(job))
        return false;
    words(job, job->compiler);
    word(job, "-o");
    word(job, out);
    object_words(job);
    if (c)
        word(job, temp(job, "_main.o"));
    runtime_words(job);
    words(job, "-lpthread -lm");
    return run_command(job, "the linker");
}

/* gcc-ar stands beside a cross gcc; LLVM's knows every format. */
static void archive_words(Job *job)
{
    const char *cc = job->program->target->cc;
    size_t n = strlen(cc);
    if (!*cc)
        words(job, "ar rcsD");
    else if (n > 4 && strcmp(cc + n - 4, "-gcc") == 0)
        words(job, arena_printf(job->arena, "%s-ar rcsD", cc));
    else
        words(job, "llvm-ar-19 rcsD");
}

static bool link_result(Job *job, const char *out)
{
    switch (job->options->emit) {
    case EMIT_exe: return link_exe(job, out);
    case EMIT_so:
        words(job, job->compiler);
        words(job, "-shared -o");
        word(job, out);
        object_words(job);
        word(job, "-lm");
        return run_command(job, "the linker");
    case EMIT_lib:
        archive_words(job);
        word(job, out);
        object_words(job);
        return run_command(job, "the archiver");
    case EMIT_obj:
        words(job, job->compiler);
        words(job, job->program->target->cc_flags);
        words(job, "-r -nostdlib -o");
        word(job, out);
        object_words(job);
        return run_command(job, "the linker");
    case EMIT_c: case EMIT_asm: case EMIT_llvm: break;
    }
    return false;
}

/* Linked in the temporary folder, then copied beside its target and renamed. */
static bool deliver(Job *job, const char *from, const char *to)
{
    Bytes bytes;
    if (!bytes_map(&bytes, from, job->diag))
        return false;
    OutFile *out = outfile_open(job->arena, to, job->diag);
    if (!out)
        return false;
    outfile_write(out, bytes.at, bytes.n);
    if (!outfile_close(out, job->diag))
        return false;
    if (job->options->emit == EMIT_exe || job->options->emit == EMIT_so) {
        mode_t mask = umask(0);
        umask(mask);
        chmod(to, 0777 & ~mask);
    }
    return true;
}

static bool deliver_beside(Job *job)
{
    const char *out = job->options->out;
    const char *dir = path_dir(job->arena, out);
    if (job->options->emit != EMIT_exe && !job->options->no_header) {
        Text header = text_new(job->arena);
        abi_header(job->program, &job->abi, &header);
        const char *path = arena_printf(job->arena, "%s/%s.h", dir, job->abi.name);
        if (!write_text(job, path, &header))
            return false;
    }
    if (job->abi.weights != WEIGHTS_file)
        return true;
    return blob_write(job->arena, &job->blob,
                      arena_printf(job->arena, "%s/%s.weights", dir, job->abi.name), job->diag);
}

static bool needs_compiler(const BuildOptions *o)
{
    return o->backend == BACKEND_c || o->emit == EMIT_exe || o->emit == EMIT_so;
}

static bool can_be_built(Job *job)
{
    bool hosted = job->options->emit == EMIT_exe || job->options->emit == EMIT_so;
    if (!job->program->target->freestanding || !hosted)
        return true;
    diag_error(job->diag, (Span){0}, "%s has no system to run programs: --emit=c, obj or lib",
               job->program->target->name);
    return false;
}

static enum BuildStatus build_binary(Job *job)
{
    if (!can_be_built(job))
        return BUILD_input;
    if (needs_compiler(job->options) && !(job->compiler = find_compiler(job)))
        return BUILD_environment;
    job->dir = build_tempdir(job->arena, job->diag);
    if (!job->dir)
        return BUILD_environment;
    const char *linked = temp(job, ".out");
    bool good = (job->options->backend == BACKEND_c ? compile_c(job) : compile_llvm(job)) &&
                link_result(job, linked) && deliver(job, linked, job->options->out) &&
                deliver_beside(job);
    process_tempdir_end();
    return good ? BUILD_ok : BUILD_environment;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static enum BuildStatus build_sources(Job *job)
{
    const char *out = job->options->out;
    const char *dir = is_folder(out) ? out : path_dir(job->arena, out);
    return write_sources(job, dir, job->abi.name) ? BUILD_ok : BUILD_environment;
}

/* One file that is text or an object, by LLVM alone; of texts the weights stay
 * beside. */
static enum BuildStatus build_llvm_file(Job *job)
{
    static const LlvmOutput output[] = {[EMIT_asm] = LLVM_assembly, [EMIT_llvm] = LLVM_text,
                                        [EMIT_obj] = LLVM_object};
    const BuildOptions *o = job->options;
    bool object = o->emit == EMIT_obj;
    LlvmOptions options = {.output = output[o->emit], .debug = o->debug,
                           .with_weights = object && job->abi.weights != WEIGHTS_file};
    bool good = llvm_compile(job->program, &job->abi, &job->blob, &options, o->out, job->diag) &&
                (object || write_weights(job, path_dir(job->arena, o->out), job->abi.name)) &&
                deliver_beside(job);
    return good ? BUILD_ok : BUILD_environment;
}

/* Assembly by the C compiler; the weights stay beside. */
static enum BuildStatus build_assembly(Job *job)
{
    job->compiler = find_compiler(job);
    job->dir = job->compiler ? build_tempdir(job->arena, job->diag) : NULL;
    if (!job->dir || !write_sources(job, job->dir, job->abi.name))
        return BUILD_environment;
    compile_words(job, temp(job, ".c"), temp(job, ".s"));
    word(job, "-S");
    bool good = run_command(job, "the C compiler") &&
                deliver(job, temp(job, ".s"), job->options->out) &&
                write_weights(job, path_dir(job->arena, job->options->out), job->abi.name) &&
                deliver_beside(job);
    process_tempdir_end();
    return good ? BUILD_ok : BUILD_environment;
}

static enum BuildStatus build_by_llvm(Job *job)
{
    if (!llvm_available(job->diag))
        return BUILD_environment;
    switch (job->options->emit) {
    case EMIT_asm: case EMIT_llvm: case EMIT_obj: return build_llvm_file(job);
    case EMIT_exe: case EMIT_lib: case EMIT_so: return build_binary(job);
    case EMIT_c: break;
    }
    return BUILD_input;
}

static enum BuildStatus build_by_c(Job *job)
{
    switch (job->options->emit) {
    case EMIT_c: return build_sources(job);
    case EMIT_asm: return build_assembly(job);
    case EMIT_exe: case EMIT_lib: case EMIT_so: case EMIT_obj: return build_binary(job);
    case EMIT_llvm: break;
    }
    return BUILD_input;
}

enum BuildStatus build_program(const Program *program, const BuildOptions *options,
                               Diag *diag)
{
    Job job = {.arena = program->arena, .program = program, .options = options, .diag = diag};
    WeightsAs weights = options->weights;
    if (weights == WEIGHTS_embed && program->target->freestanding)
        weights = WEIGHTS_c_array;
    job.blob = blob_pack(job.arena, program);
    job.abi = abi_of(job.arena, program, options->name ? options->name : program->name,
                     weights, job.blob.hash);
    return options->backend == BACKEND_c ? build_by_c(&job) : build_by_llvm(&job);
}
