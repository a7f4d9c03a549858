/* Driving the C compiler, LLVM and the linker. */
#define _GNU_SOURCE /* memmem */
#include "backends/build.h"
#include "backends/c/emit.h"
#include "backends/embedded.h"
#include "backends/job.h"
#include "backends/llvm/llvm.h"
#include "backends/process.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of every emit: is it one text, does it need a system, does a linker make it? */
static const struct {
    bool is_text, is_hosted, is_linked;
} kinds[] = {
    [EMIT_exe] = {.is_hosted = true, .is_linked = true},
    [EMIT_so] = {.is_hosted = true, .is_linked = true},
    [EMIT_obj] = {.is_linked = true},
    [EMIT_asm] = {.is_text = true},
    [EMIT_llvm] = {.is_text = true},
    [EMIT_c] = {0},
    [EMIT_lib] = {0},
};

/* ---- files ------------------------------------------------------------- */

bool job_write_text(Job *job, const char *path, const Text *text)
{
    OutFile *out = outfile_open(job->arena, path, job->diag);
    if (!out)
        return false;
    outfile_write(out, text_str(text), text->n);
    return outfile_close(out, job->diag);
}

const char *job_temp(Job *job, const char *suffix)
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
    const Target *target = job->program->target;
    const char *name = job->abi.name;
    text_printf(out, "    .section .rodata.%s_weights,%s\n    .balign %d\n"
                     "    .globl %s_weights\n    .type %s_weights, %sobject\n%s_weights:\n"
                     "    .incbin ",
                name, target->wasm ? "\"\",@" : "\"a\",%progbits",
                weights_align(target, job->blob.bytes), name, name, target->wasm ? "@" : "%", name);
    text_quoted(out, blob_path);
    text_printf(out, ", 64\n    .size %s_weights, %lld\n", name, (long long)job->blob.bytes);
    if (!target->wasm)
        text_add(out, "    .section .note.GNU-stack,\"\",%progbits\n");
}

/* The weights as a file, and what brings them into an object. */
static bool write_weights(Job *job, const char *dir, const char *stem)
{
    const char *base = arena_printf(job->arena, "%s/%s", dir, stem);
    if (job->abi.weights == WEIGHTS_c_array) {
        Text array = text_new(job->arena);
        weights_c_array(job, &array);
        return job_write_text(job, arena_printf(job->arena, "%s_weights.c", base), &array);
    }
    const char *blob = arena_printf(job->arena, "%s.weights", base);
    if (!blob_write(job->arena, &job->blob, blob, job->diag))
        return false;
    if (job->abi.weights == WEIGHTS_file)
        return true;
    Text assembly = text_new(job->arena);
    weights_assembly(job, dir == job->dir ? blob : arena_printf(job->arena, "%s.weights", stem),
                     &assembly);
    return job_write_text(job, arena_printf(job->arena, "%s_weights.S", base), &assembly);
}

static bool write_source(Job *job, const char *dir, const Part *part)
{
    Text code = text_new(job->arena), header = text_new(job->arena);
    const char *base = arena_printf(job->arena, "%s/%s", dir, part->abi.name);
    c_emit(part->program, &part->abi, &code);
    abi_header(part->program, &part->abi, &header);
    return job_write_text(job, arena_printf(job->arena, "%s.h", base), &header) &&
           job_write_text(job, arena_printf(job->arena, "%s.c", base), &code);
}

static bool write_sources(Job *job, const char *dir)
{
    for (int i = 0; i < job->parts.n; i++)
        if (!write_source(job, dir, &job->parts.at[i]))
            return false;
    return write_weights(job, dir, job->abi.name);
}

/* ---- objects ----------------------------------------------------------- */

/* By LLVM weights and main are in the object of the last part. */
static bool compile_llvm(Job *job)
{
    for (int i = 0; i < job->parts.n; i++) {
        const Part *part = &job->parts.at[i];
        bool last = i == job->parts.n - 1;
        LlvmOptions options = {.output = LLVM_object, .debug = job->options->debug,
                               .with_weights = last && job->abi.weights != WEIGHTS_file,
                               .with_main = last && job->options->emit == EMIT_exe};
        if (!llvm_compile(part->program, &part->abi, &job->blob, &options,
                          job_part_object(job, part), job->diag))
            return false;
    }
    return true;
}

/* The header of a measured network tells more, its code is the same. */
static bool measure(Job *job)
{
    AbiBounds *bounds = NEW(job->arena, AbiBounds, 1);
    Part *part = &job->parts.at[0];
    if (!write_source(job, job->dir, part) || !embedded_measure(job, part, bounds))
        return false;
    part->abi.bounds = job->abi.bounds = bounds;
    return true;
}

static bool compile_c(Job *job)
{
    if (job->options->embedded && !measure(job))
        return false;
    if (!write_sources(job, job->dir))
        return false;
    for (int i = 0; i < job->parts.n; i++) {
        const Part *part = &job->parts.at[i];
        const char *source = arena_printf(job->arena, "%s/%s.c", job->dir, part->abi.name);
        if (!job_compile(job, part->program->target, source, job_part_object(job, part), "-c"))
            return false;
    }
    if (job->abi.weights == WEIGHTS_file)
        return true;
    const char *suffix = job->abi.weights == WEIGHTS_embed ? "_weights.S" : "_weights.c";
    return job_compile(job, job->program->target, job_temp(job, suffix),
                       job_temp(job, "_weights.o"), "-c");
}

/* gcc tells where an asm statement stands in which file; the same input is to give the same
 * bytes, whatever the temporary folder is called. */
static void write_assembly(Job *job, OutFile *out, const Bytes *text)
{
    const char *dir = arena_printf(job->arena, "%s/", job->dir);
    const unsigned char *at = text->at, *end = at + text->n, *found;
    while ((found = memmem(at, (size_t)(end - at), dir, strlen(dir)))) {
        outfile_write(out, at, (size_t)(found - at));
        at = found + strlen(dir);
    }
    outfile_write(out, at, (size_t)(end - at));
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
    if (job->options->emit == EMIT_asm)
        write_assembly(job, out, &bytes);
    else
        outfile_write(out, bytes.at, bytes.n);
    if (job->options->emit == EMIT_exe || job->options->emit == EMIT_so)
        outfile_executable(out);
    return outfile_close(out, job->diag);
}

static bool deliver_beside(Job *job)
{
    const char *out = job->options->out;
    const char *dir = path_dir(job->arena, out);
    if (job->options->emit != EMIT_exe && !job->options->no_header) {
        Text header = text_new(job->arena);
        abi_header(job->program, &job->abi, &header);
        const char *path = arena_printf(job->arena, "%s/%s.h", dir, job->abi.name);
        if (!job_write_text(job, path, &header))
            return false;
    }
    if (job->abi.weights != WEIGHTS_file)
        return true;
    return blob_write(job->arena, &job->blob,
                      arena_printf(job->arena, "%s/%s.weights", dir, job->abi.name), job->diag);
}

static bool find_tools(Job *job)
{
    bool links = kinds[job->options->emit].is_linked;
    if (job->options->backend == BACKEND_c)
        return job_find_compiler(job) && (!links || job_find_linker(job));
    return !links || job_find_linker(job);
}

static enum BuildStatus build_binary(Job *job)
{
    if (!find_tools(job) || !job_find_libraries(job))
        return BUILD_environment;
    job->dir = build_tempdir(job->arena, job->diag);
    if (!job->dir)
        return BUILD_environment;
    const char *linked = job_temp(job, ".out");
    bool good = (job->options->backend == BACKEND_c ? compile_c(job) : compile_llvm(job)) &&
                job_link(job, linked);
    outfiles_hold();
    good = good && deliver(job, linked, job->options->out) && deliver_beside(job);
    good = outfiles_release(good, job->diag);
    process_tempdir_end();
    return good ? BUILD_ok : BUILD_environment;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Of `-o OUT`: a folder, made if it is not there, or the one of NAME.c. */
static enum BuildStatus source_folder(Job *job, const char **dir, bool *made)
{
    const char *out = job->options->out, *own = arena_printf(job->arena, "%s.c", job->abi.name);
    size_t n = strlen(out), k = strlen(own);
    *dir = out;
    if (n >= k && strcmp(out + n - k, own) == 0 && (n == k || out[n - k - 1] == '/')) {
        *dir = path_dir(job->arena, out);
    } else if (n > 2 && strcmp(out + n - 2, ".c") == 0) {
        diag_error(job->diag, (Span){0}, "'%s': the sources are %s and what belongs to it: -o "
                                         "takes a folder", out, own);
        return BUILD_input;
    } else if (!is_folder(out)) {
        *made = mkdir(out, 0777) == 0;
        if (*made)
            return BUILD_ok;
        diag_error(job->diag, (Span){0}, "cannot write '%s': %s", out, strerror(errno));
        return BUILD_environment;
    }
    return BUILD_ok;
}

static enum BuildStatus build_sources(Job *job)
{
    const char *dir;
    bool good = true, made = false;
    enum BuildStatus status = source_folder(job, &dir, &made);
    if (status != BUILD_ok)
        return status;
    if (job->options->embedded) {
        good = job_find_compiler(job) && (job->dir = build_tempdir(job->arena, job->diag)) &&
               measure(job);
        process_tempdir_end();
    }
    outfiles_hold();
    good = outfiles_release(good && write_sources(job, dir), job->diag);
    if (!good && made)
        rmdir(dir);
    return good ? BUILD_ok : BUILD_environment;
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
    outfiles_hold();
    bool good = llvm_compile(job->program, &job->abi, &job->blob, &options, o->out, job->diag) &&
                (object || write_weights(job, path_dir(job->arena, o->out), job->abi.name)) &&
                deliver_beside(job);
    return outfiles_release(good, job->diag) ? BUILD_ok : BUILD_environment;
}

/* Assembly by the C compiler; the weights stay beside. */
static enum BuildStatus build_assembly(Job *job)
{
    if (!job_find_compiler(job) || !(job->dir = build_tempdir(job->arena, job->diag)))
        return BUILD_environment;
    const char *assembly = job_temp(job, ".s");
    bool good = write_sources(job, job->dir) &&
                job_compile(job, job->program->target, job_temp(job, ".c"), assembly, "-S");
    outfiles_hold();
    good = good && deliver(job, assembly, job->options->out) &&
           write_weights(job, path_dir(job->arena, job->options->out), job->abi.name) &&
           deliver_beside(job);
    good = outfiles_release(good, job->diag);
    process_tempdir_end();
    return good ? BUILD_ok : BUILD_environment;
}

static enum BuildStatus build_by_llvm(Job *job)
{
    if (!llvm_available(job->diag))
        return BUILD_environment;
    switch (job->options->emit) {
    case EMIT_asm: case EMIT_llvm: return build_llvm_file(job);
    case EMIT_obj: return job->parts.n > 1 ? build_binary(job) : build_llvm_file(job);
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

/* One object by LLVM is what LLVM writes. */
static bool is_linked(const BuildOptions *o, int levels)
{
    bool alone = o->emit == EMIT_obj && o->backend == BACKEND_llvm && levels == 1;
    return kinds[o->emit].is_linked && !alone;
}

const char *build_refusal(Arena *arena, const BuildOptions *o, const Target *target, int levels)
{
    if (o->emit == (o->backend == BACKEND_c ? EMIT_llvm : EMIT_c))
        return arena_printf(arena, "--backend=%s does not write --emit=%s",
                            o->backend == BACKEND_c ? "c" : "llvm",
                            o->emit == EMIT_c ? "c" : "llvm");
    if (target->freestanding && kinds[o->emit].is_hosted)
        return arena_printf(arena, "%s has no system to run programs: --emit=c, obj, lib, asm "
                                   "or llvm", target->name);
    if (levels > 1 && kinds[o->emit].is_text)
        return "several processor levels are no single text: --emit=exe, c, obj, lib or so";
    if (o->linker && !is_linked(o, levels))
        return "--linker: here nothing is linked";
    if (o->linker && target->wasm)
        return arena_printf(arena, "--linker: %s has but one linker", target->name);
    if (o->embedded && o->backend != BACKEND_c)
        return "--profile=embedded takes the C back end, whose stack it measures";
    if (o->embedded && levels > 1)
        return "--profile=embedded takes one level of a processor";
    if (o->embedded && target->wasm)
        return arena_printf(arena, "--profile=embedded measures ELF objects, which those of %s "
                                   "are not", target->name);
    return NULL;
}

enum BuildStatus build_levels(const Program *const *levels, int n, const BuildOptions *options,
                              Diag *diag)
{
    const Program *program = levels[0];
    Job job = {.arena = program->arena, .program = program, .options = options, .diag = diag};
    const char *refusal = build_refusal(job.arena, options, program->target, n);
    if (refusal) {
        diag_error(diag, (Span){0}, "%s", refusal);
        return BUILD_input;
    }
    if (n > 1) {
        job_levels(&job, levels, n, options->weights);
    } else {
        job.blob = blob_pack(job.arena, program);
        job.abi = abi_of(job.arena, program, options->name ? options->name : program->name,
                         options->weights, job.blob.hash);
        VEC_PUSH(job.arena, job.parts, ((Part){program, job.abi}));
    }
    for (int i = 0; i < job.parts.n; i++)
        job.parts.at[i].abi.lines = options->debug,
        job.parts.at[i].abi.embedded = options->embedded;
    return options->backend == BACKEND_c ? build_by_c(&job) : build_by_llvm(&job);
}

enum BuildStatus build_program(const Program *program, const BuildOptions *options,
                               Diag *diag)
{
    return build_levels(&program, 1, options, diag);
}
