/* The packed weights of a program: payload bytes as kernels read them, and the
 * file NAME.weights (runtime/vtc_blob.h). */
#ifndef VTC_BACKENDS_BLOB_H
#define VTC_BACKENDS_BLOB_H

#include "ir/loop.h"
#include "support/file.h"

typedef struct Blob {
    unsigned char *payload; /* in the byte order asked for */
    size_t bytes;
    uint64_t hash;
    unsigned char header[64];
    bool mapped;            /* of a temporary file, not in memory */
} Blob;

/* Packs every section in the target's byte order. Weights must be bound. */
Blob blob_pack(Arena *arena, const Program *program);
/* The same in this machine's order, for the loop interpreter. */
Blob blob_pack_here(Arena *arena, const Program *program);
/* Around a payload that is there already. */
Blob blob_of(unsigned char *payload, size_t bytes, const char *name, bool big_endian);
/* Header and payload to a file, whole or not at all. */
bool blob_write(Arena *arena, const Blob *blob, const char *path, Diag *diag);

#endif
