/* Packing the sections of a program into one payload. */
#include "backends/blob.h"
#include "ir/pack.h"
#include "runtime/vtc_blob.h"
#include <string.h>

static bool host_is_big(void)
{
    const uint16_t one = 1;
    return *(const unsigned char *)&one == 0;
}

static void swap_elements(unsigned char *at, int64_t count, int bytes)
{
    for (int64_t i = 0; i < count; i++, at += bytes)
        for (int k = 0; k < bytes / 2; k++) {
            unsigned char t = at[k];
            at[k] = at[bytes - 1 - k];
            at[bytes - 1 - k] = t;
        }
}

static void put(unsigned char *at, uint64_t value, int bytes, bool big)
{
    for (int i = 0; i < bytes; i++)
        at[big ? bytes - 1 - i : i] = (unsigned char)(value >> (8 * i));
}

static void write_header(Blob *blob, const char *name, bool big)
{
    size_t n = strlen(name);
    memcpy(blob->header, VTC_BLOB_MAGIC, 8);
    put(blob->header + 8, VTC_BLOB_ORDER, 4, big);
    put(blob->header + 12, VTC_BLOB_VERSION, 4, big);
    put(blob->header + 16, blob->bytes, 8, big);
    put(blob->header + 24, blob->hash, 8, big);
    memcpy(blob->header + 32, name, n < 31 ? n : 31);
}

Blob blob_of(unsigned char *payload, size_t bytes, const char *name, bool big_endian)
{
    Blob blob = {.payload = payload, .bytes = bytes, .hash = vtc_blob_hash(payload, bytes)};
    write_header(&blob, name, big_endian);
    return blob;
}

static Blob pack(Arena *arena, const Program *program, bool big)
{
    Blob blob = {.bytes = (size_t)program->weights_bytes};
    /* Aligned, of a network without weights too: what is small is not. */
    blob.payload = arena_alloc(arena, blob.bytes + 64);
    for (int i = 0; i < program->sections.n; i++) {
        const Section *s = &program->sections.at[i];
        unsigned char *at = blob.payload + s->offset;
        int bytes = dtype_info[s->dtype].bytes;
        if (s->weight)
            pack_value(s->weight, at);
        else
            memcpy(at, s->data, (size_t)(s->count * bytes));
        if (big != host_is_big())
            swap_elements(at, s->count, bytes);
    }
    return blob_of(blob.payload, blob.bytes, program->name, big);
}

Blob blob_pack(Arena *arena, const Program *program)
{
    return pack(arena, program, program->target->big_endian);
}

Blob blob_pack_here(Arena *arena, const Program *program)
{
    return pack(arena, program, host_is_big());
}

bool blob_write(Arena *arena, const Blob *blob, const char *path, Diag *diag)
{
    OutFile *out = outfile_open(arena, path, diag);
    if (!out)
        return false;
    outfile_write(out, blob->header, sizeof blob->header);
    outfile_write(out, blob->payload, blob->bytes);
    return outfile_close(out, diag);
}
