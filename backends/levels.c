/* Several levels of a processor in one network: their blobs become one, where equal
 * sections lie once, and a part without code of its own chooses the level.
 *
 *     NAME_x86_64_v4.o  NAME_x86_64_v3.o   kernels, each for its level
 *     NAME.o                               NAME_run, NAME_model: cpuid, then theirs
 *     NAME_weights                         read by all
 */
#include "backends/job.h"
#include <string.h>

typedef struct Piece {
    const unsigned char *at;
    int64_t bytes, offset; /* in the common blob */
    uint64_t hash;
} Piece;

typedef struct Merge {
    Arena *arena;
    VEC(Piece) pieces;
    int64_t bytes;
} Merge;

enum { SECTION_ALIGN = 64 };

static uint64_t hash_of(const unsigned char *at, int64_t bytes)
{
    uint64_t hash = 14695981039346656037u;
    for (int64_t i = 0; i < bytes; i++)
        hash = (hash ^ at[i]) * 1099511628211u;
    return hash;
}

/* Where these bytes lie in the common blob. */
static int64_t place_of(Merge *m, const unsigned char *at, int64_t bytes)
{
    uint64_t hash = hash_of(at, bytes);
    for (int i = 0; i < m->pieces.n; i++) {
        const Piece *p = &m->pieces.at[i];
        if (p->hash == hash && p->bytes == bytes && memcmp(p->at, at, (size_t)bytes) == 0)
            return p->offset;
    }
    Piece piece = {at, bytes, m->bytes, hash};
    VEC_PUSH(m->arena, m->pieces, piece);
    m->bytes += (bytes + SECTION_ALIGN - 1) / SECTION_ALIGN * SECTION_ALIGN;
    return piece.offset;
}

/* Moves what steps read of section s; arguments may point into it. */
static void move_section(const Program *p, const Section *s, int64_t bytes, int64_t to,
                         int64_t **moved)
{
    for (int i = 0; i < p->steps.n; i++)
        for (int k = 0; k < p->steps.at[i].args.n; k++) {
            const Arg *arg = &p->steps.at[i].args.at[k];
            int64_t inside = arg->offset - s->offset;
            if (arg->buffer == BUF_weights && inside >= 0 && inside < (bytes ? bytes : 1))
                moved[i][k] = to + inside;
        }
}

static void merge_program(Merge *m, const Program *p, const Blob *blob)
{
    int64_t **moved = NEW(m->arena, int64_t *, p->steps.n + 1);
    for (int i = 0; i < p->steps.n; i++) {
        moved[i] = NEW(m->arena, int64_t, p->steps.at[i].args.n + 1);
        for (int k = 0; k < p->steps.at[i].args.n; k++)
            moved[i][k] = p->steps.at[i].args.at[k].offset;
    }
    for (int i = 0; i < p->sections.n; i++) {
        const Section *s = &p->sections.at[i];
        int64_t bytes = s->count * dtype_info[s->dtype].bytes;
        move_section(p, s, bytes, place_of(m, blob->payload + s->offset, bytes), moved);
    }
    for (int i = 0; i < p->steps.n; i++)
        for (int k = 0; k < p->steps.at[i].args.n; k++)
            p->steps.at[i].args.at[k].offset = moved[i][k];
}

/* The payload of all: blob->bytes and header are those of a network of its size. */
static Blob merge_blobs(Job *job, const Program *const *levels, int n)
{
    Merge m = {.arena = job->arena};
    for (int i = 0; i < n; i++) {
        Blob blob = blob_pack(job->arena, levels[i]);
        merge_program(&m, levels[i], &blob);
    }
    unsigned char *payload = arena_alloc(job->arena, (size_t)m.bytes + 1);
    for (int i = 0; i < m.pieces.n; i++)
        memcpy(payload + m.pieces.at[i].offset, m.pieces.at[i].at, (size_t)m.pieces.at[i].bytes);
    return blob_of(payload, (size_t)m.bytes, levels[0]->name, levels[0]->target->big_endian);
}

static Program *copy_program(Job *job, const Program *from)
{
    Program *p = NEW(job->arena, Program, 1);
    *p = *from;
    p->weights_bytes = (int64_t)job->blob.bytes;
    return p;
}

/* What is common to the levels: the largest workspace, no steps, any processor. */
static void add_front(Job *job, const Program *const *levels, int n)
{
    Program *front = copy_program(job, levels[0]);
    Target *any = NEW(job->arena, Target, 1);
    *any = *levels[0]->target;
    any->cpu = "x86-64";
    any->cc_flags = any->features = "";
    any->name = arena_printf(job->arena, "%d levels of %s", n, any->triple);
    front->target = any;
    front->steps.n = 0;
    for (int i = 0; i < n; i++)
        if (levels[i]->workspace_bytes > front->workspace_bytes)
            front->workspace_bytes = levels[i]->workspace_bytes;
    job->program = front;
    VEC_PUSH(job->arena, job->parts, ((Part){front, job->abi}));
}

void job_levels(Job *job, const Program *const *levels, int n, WeightsAs weights)
{
    const char *name = job->options->name ? job->options->name : levels[0]->name;
    job->blob = merge_blobs(job, levels, n);
    job->abi = abi_of(job->arena, levels[0], name, weights, job->blob.hash);
    for (int i = 0; i < n; i++) {
        Program *p = copy_program(job, levels[i]);
        const char *own = arena_printf(job->arena, "%s_%s", name, p->target->name);
        Part part = {p, abi_of(job->arena, p, own, WEIGHTS_file, job->blob.hash)};
        VEC_PUSH(job->arena, job->parts, part);
        job->abi.level[job->abi.levels++] =
            (AbiLevel){cpu_level(p->target->name), part.abi.name};
    }
    add_front(job, levels, n);
}
