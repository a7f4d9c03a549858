/* NAME.weights: the packed weights of one compiled network in a file. Read by
 * the runtime (weights.c) and written by the compiler; both include this.
 *
 *     offset bytes
 *          0     8  "vtcblob\n"
 *          8     4  byte order mark 0x01020304, in the target's byte order;
 *                   all numbers below and the payload are in that order
 *         12     4  format version, 1
 *         16     8  payload bytes
 *         24     8  vtc_blob_hash of the payload
 *         32    32  the network's name, at most 31 bytes, zero-padded
 *         64        payload: weights as the network reads them
 *
 * The file ends where the payload ends. Mapped at a page, the payload is aligned
 * to 64 bytes. Embedded weights are the payload alone. */
#ifndef VTC_BLOB_H
#define VTC_BLOB_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VTC_BLOB_MAGIC "vtcblob\n" /* 8 bytes, the NUL is not written */

enum {
    VTC_BLOB_ORDER = 0x01020304,
    VTC_BLOB_VERSION = 1,
    VTC_BLOB_HEADER_BYTES = 64,
    VTC_BLOB_NAME_BYTES = 32
};

typedef struct VtcBlobHeader {
    char magic[8];
    uint32_t order;
    uint32_t version;
    uint64_t payload_bytes;
    uint64_t hash;
    char name[VTC_BLOB_NAME_BYTES];
} VtcBlobHeader;

/* XXH64 with seed 0 (Collet, "xxHash fast digest algorithm"), bytes read in
 * little-endian order on every host: chosen because it runs at memory speed, so
 * that checking 100 MB costs a few milliseconds of start-up. */
uint64_t vtc_blob_hash(const void *data, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
