/* Bounds of a compiled network: bytes of code from the object's sections, bytes of
 * stack from what the compiler says of each function (-fstack-usage) along the one
 * chain of calls there is: NAME_run, run_all, run_steps, a step, its kernel. */
#include "backends/embedded.h"
#include <stdlib.h>
#include <string.h>

/* ---- stack ------------------------------------------------------------- */

/* "file:line:column:function\tbytes\tstatic" */
static bool read_line(Job *job, char *line, AbiBounds *bounds)
{
    char *rest = line, *place = strtok_r(rest, "\t", &rest);
    char *bytes = strtok_r(rest, "\t", &rest), *kind = strtok_r(rest, "\t", &rest);
    if (!place || !bytes || !kind)
        return true;
    const char *colon = strrchr(place, ':');
    AbiStack stack = {arena_strdup(job->arena, colon ? colon + 1 : place),
                      strtol(bytes, NULL, 10)};
    /* "dynamic,bounded": arguments that are pushed, at most so many */
    if (strcmp(kind, "static") != 0 && strcmp(kind, "dynamic,bounded") != 0) {
        diag_error(job->diag, (Span){0}, "the stack of '%s' is %s, not bounded", stack.function,
                   kind);
        return false;
    }
    VEC_PUSH(job->arena, bounds->stacks, stack);
    return true;
}

static bool read_stacks(Job *job, const char *path, AbiBounds *bounds)
{
    Bytes file;
    if (!bytes_map(&file, path, job->diag))
        return false;
    char *rest = arena_printf(job->arena, "%.*s", (int)file.n, (const char *)file.at);
    for (char *line; (line = strtok_r(rest, "\n", &rest)) != NULL;)
        if (!read_line(job, line, bounds))
            return false;
    return true;
}

/* 0: the compiler inlined it. Clones end with .constprop.0 and the like. */
static int64_t stack_of(const AbiBounds *bounds, const char *function)
{
    size_t n = strlen(function);
    int64_t most = 0;
    for (int i = 0; i < bounds->stacks.n; i++) {
        const AbiStack *s = &bounds->stacks.at[i];
        bool named = strncmp(s->function, function, n) == 0 &&
                     (s->function[n] == 0 || s->function[n] == '.');
        most = named && s->bytes > most ? s->bytes : most;
    }
    return most;
}

/* The helpers of the prelude call nothing; where one is no part of its caller the
 * largest counts. */
static int64_t helper_stack(const Part *part, const AbiBounds *bounds)
{
    const char *own = part->abi.name;
    int64_t most = 0;
    for (int i = 0; i < bounds->stacks.n; i++) {
        const char *f = bounds->stacks.at[i].function;
        bool chain = strncmp(f, "run_", 4) == 0 || strncmp(f, "step_", 5) == 0 ||
                     strncmp(f, own, strlen(own)) == 0;
        for (int k = 0; k < part->program->kernels.n && !chain; k++) {
            const char *kernel = part->program->kernels.at[k]->name;
            chain = strncmp(f, kernel, strlen(kernel)) == 0;
        }
        if (!chain && bounds->stacks.at[i].bytes > most)
            most = bounds->stacks.at[i].bytes;
    }
    return most;
}

static int64_t chain_stack(Job *job, const Part *part, const AbiBounds *bounds)
{
    int64_t most = 0;
    for (int i = 0; i < part->program->steps.n; i++) {
        const Step *step = &part->program->steps.at[i];
        int64_t own = stack_of(bounds, abi_step_symbol(job->arena, step, i)) +
                      stack_of(bounds, step->kernel->name);
        most = own > most ? own : most;
    }
    const char *run = arena_printf(job->arena, "%s_run", part->abi.name);
    return most + stack_of(bounds, run) + stack_of(bounds, "run_all") +
           stack_of(bounds, "run_steps") + stack_of(bounds, "vtc_dispatch") +
           helper_stack(part, bounds);
}

/* ---- code -------------------------------------------------------------- */

/* Fields of ELF files (System V ABI, chapter 4), by class and byte order. */
typedef struct Elf {
    const unsigned char *at;
    size_t n;
    bool wide, big;
} Elf;

static uint64_t field(const Elf *elf, size_t offset, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes && offset + (size_t)bytes <= elf->n; i++)
        value |= (uint64_t)elf->at[offset + (size_t)i] << 8 * (elf->big ? bytes - 1 - i : i);
    return value;
}

/* Bytes of the sections with instructions, and of those with constants. */
static void section_sizes(const Elf *elf, AbiBounds *bounds)
{
    enum { ALLOC = 2, EXEC = 4, NOBITS = 8 };
    int word = elf->wide ? 8 : 4;
    size_t table = (size_t)field(elf, elf->wide ? 0x28 : 0x20, word);
    size_t size = (size_t)field(elf, elf->wide ? 0x3a : 0x2e, 2);
    size_t n = (size_t)field(elf, elf->wide ? 0x3c : 0x30, 2);
    for (size_t i = 0; i < n; i++) {
        size_t at = table + i * size;
        uint64_t flags = field(elf, at + 8, word);
        int64_t bytes = (int64_t)field(elf, at + (elf->wide ? 0x20 : 0x14), word);
        if (!(flags & ALLOC) || field(elf, at + 4, 4) == NOBITS)
            continue;
        *(flags & EXEC ? &bounds->code : &bounds->constants) += bytes;
    }
}

static bool read_object(Job *job, const Part *part, AbiBounds *bounds)
{
    Bytes file;
    if (!bytes_map(&file, job_part_object(job, part), job->diag))
        return false;
    Elf elf = {(const unsigned char *)file.at, file.n, false, false};
    if (elf.n < 64 || memcmp(elf.at, "\177ELF", 4) != 0) {
        diag_error(job->diag, (Span){0}, "--profile=embedded measures ELF objects, which those "
                                         "of %s are not", part->program->target->name);
        return false;
    }
    elf.wide = elf.at[4] == 2;
    elf.big = elf.at[5] == 2;
    section_sizes(&elf, bounds);
    return true;
}

bool embedded_measure(Job *job, const Part *part, AbiBounds *bounds)
{
    const char *base = arena_printf(job->arena, "%s/%s", job->dir, part->abi.name);
    const char *object = job_part_object(job, part);
    if (!job_compile(job, part->program->target, arena_printf(job->arena, "%s.c", base), object,
                     "-c -fstack-usage") ||
        !read_stacks(job, arena_printf(job->arena, "%s.su", base), bounds) ||
        !read_object(job, part, bounds))
        return false;
    bounds->stack = chain_stack(job, part, bounds);
    return true;
}
