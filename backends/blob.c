/* Packing the sections of a program into one payload. */
#define _DEFAULT_SOURCE /* madvise */
#include "backends/blob.h"
#include "ir/pack.h"
#include "runtime/vtc_blob.h"
#include "support/file.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* Note [Weights are not kept in memory]: a large payload is a mapping of a temporary
 * file. What is done with is let go at once (drop), so that compiling takes the
 * memory of a piece, not of a network; a later read finds the file's pages. The same
 * goes for the weights file that it is packed from. */
enum { PIECE = 1 << 20, LARGE = 4 * PIECE };

static void payload_new(Arena *arena, Blob *blob)
{
    size_t bytes = blob->bytes;
    FILE *file = bytes < LARGE ? NULL : tmpfile();
    void *at = MAP_FAILED;
    if (file && posix_fallocate(fileno(file), 0, (off_t)bytes) == 0)
        at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    if (file)
        fclose(file);
    blob->mapped = at != MAP_FAILED;
    blob->payload = blob->mapped ? at : arena_alloc(arena, bytes + 64);
}

/* Whole pages between two bytes of a mapped payload. */
static void drop(const Blob *blob, size_t begin, size_t end)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    begin = (begin + page - 1) / page * page;
    end = end / page * page;
    if (blob->mapped && begin < end)
        madvise(blob->payload + begin, end - begin, MADV_DONTNEED);
}

static uint64_t hash_of(const Blob *blob)
{
    VtcHash hash = vtc_hash_begin();
    size_t whole = blob->bytes / 32 * 32;
    for (size_t at = 0; at < whole; at += PIECE) {
        size_t n = whole - at < PIECE ? whole - at : PIECE;
        vtc_hash_stripes(&hash, blob->payload + at, n / 32);
        drop(blob, at, at + n);
    }
    return vtc_hash_end(&hash, blob->payload + whole, blob->bytes);
}

Blob blob_of(unsigned char *payload, size_t bytes, const char *name, bool big_endian)
{
    Blob blob = {.payload = payload, .bytes = bytes};
    blob.hash = hash_of(&blob);
    write_header(&blob, name, big_endian);
    return blob;
}

static void pack_section(const Section *s, unsigned char *at, bool swapped)
{
    int bytes = dtype_info[s->dtype].bytes;
    if (s->weight)
        pack_value(s->weight, at);
    else
        memcpy(at, s->data, (size_t)(s->count * bytes));
    if (swapped)
        swap_elements(at, s->count, bytes);
}

static Blob pack(Arena *arena, const Program *program, bool big)
{
    Blob blob = {.bytes = (size_t)program->weights_bytes};
    payload_new(arena, &blob);
    for (int i = 0; i < program->sections.n; i++) {
        const Section *s = &program->sections.at[i];
        pack_section(s, blob.payload + s->offset, big != host_is_big());
        if (s->weight && s->weight->data) /* of a file: what was read of it is done with */
            bytes_release(s->weight->data->data, (size_t)type_bytes(&s->weight->data->type));
        drop(&blob, (size_t)s->offset,
             (size_t)(s->offset + s->count * dtype_info[s->dtype].bytes));
    }
    blob.hash = hash_of(&blob);
    write_header(&blob, program->name, big);
    return blob;
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
    for (size_t at = 0; at < blob->bytes; at += PIECE) {
        size_t n = blob->bytes - at < PIECE ? blob->bytes - at : PIECE;
        outfile_write(out, blob->payload + at, n);
        drop(blob, at, at + n);
    }
    return outfile_close(out, diag);
}
