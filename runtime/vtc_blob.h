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

/* The hash is XXH64 with seed 0 (Collet, "xxHash fast digest algorithm"), bytes
 * read in little-endian order on every host. Chosen because it runs at memory
 * speed: checking 100 MB costs milliseconds of start-up. Inline, so that the
 * compiler needs no library for it. */
#define VTC_HASH_1 UINT64_C(0x9E3779B185EBCA87)
#define VTC_HASH_2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define VTC_HASH_3 UINT64_C(0x165667B19E3779F9)
#define VTC_HASH_4 UINT64_C(0x85EBCA77C2B2AE63)
#define VTC_HASH_5 UINT64_C(0x27D4EB2F165667C5)

static inline uint64_t vtc_hash_rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

/* Spelled out: compilers make one load of it. */
static inline uint64_t vtc_hash_read4(const unsigned char *at)
{
    return (uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 |
           (uint64_t)at[3] << 24;
}

static inline uint64_t vtc_hash_read8(const unsigned char *at)
{
    return (uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 |
           (uint64_t)at[3] << 24 | (uint64_t)at[4] << 32 |
           (uint64_t)at[5] << 40 | (uint64_t)at[6] << 48 |
           (uint64_t)at[7] << 56;
}

static inline uint64_t vtc_hash_round(uint64_t lane, uint64_t input)
{
    return vtc_hash_rotate(lane + input * VTC_HASH_2, 31) * VTC_HASH_1;
}

/* Four lanes, over whole stripes of 32 bytes, in as many parts as one likes. */
typedef struct VtcHash {
    uint64_t lane[4];
} VtcHash;

static inline VtcHash vtc_hash_begin(void)
{
    VtcHash h = {{VTC_HASH_1 + VTC_HASH_2, VTC_HASH_2, 0, 0 - VTC_HASH_1}};
    return h;
}

static inline void vtc_hash_stripes(VtcHash *h, const unsigned char *at, size_t stripes)
{
    uint64_t a = h->lane[0], b = h->lane[1], c = h->lane[2], d = h->lane[3];
    for (size_t i = 0; i < stripes; i++, at += 32) {
        a = vtc_hash_round(a, vtc_hash_read8(at));
        b = vtc_hash_round(b, vtc_hash_read8(at + 8));
        c = vtc_hash_round(c, vtc_hash_read8(at + 16));
        d = vtc_hash_round(d, vtc_hash_read8(at + 24));
    }
    h->lane[0] = a;
    h->lane[1] = b;
    h->lane[2] = c;
    h->lane[3] = d;
}

static inline uint64_t vtc_hash_merge(const VtcHash *h)
{
    uint64_t hash = vtc_hash_rotate(h->lane[0], 1) + vtc_hash_rotate(h->lane[1], 7) +
                    vtc_hash_rotate(h->lane[2], 12) + vtc_hash_rotate(h->lane[3], 18);
    for (int i = 0; i < 4; i++)
        hash = (hash ^ vtc_hash_round(0, h->lane[i])) * VTC_HASH_1 + VTC_HASH_4;
    return hash;
}

/* The last bytes % 32 bytes. */
static inline uint64_t vtc_hash_tail(uint64_t hash, const unsigned char *at,
                                     size_t bytes)
{
    for (; bytes >= 8; at += 8, bytes -= 8) {
        hash ^= vtc_hash_round(0, vtc_hash_read8(at));
        hash = vtc_hash_rotate(hash, 27) * VTC_HASH_1 + VTC_HASH_4;
    }
    if (bytes >= 4) {
        hash ^= vtc_hash_read4(at) * VTC_HASH_1;
        hash = vtc_hash_rotate(hash, 23) * VTC_HASH_2 + VTC_HASH_3;
        at += 4;
        bytes -= 4;
    }
    for (; bytes > 0; at++, bytes--)
        hash = vtc_hash_rotate(hash ^ *at * VTC_HASH_5, 11) * VTC_HASH_1;
    return hash;
}

/* `h` has seen all whole stripes; `tail` is behind them. */
static inline uint64_t vtc_hash_end(const VtcHash *h, const unsigned char *tail, size_t bytes)
{
    uint64_t hash = bytes >= 32 ? vtc_hash_merge(h) : VTC_HASH_5;
    hash = vtc_hash_tail(hash + bytes, tail, bytes % 32);
    hash = (hash ^ hash >> 33) * VTC_HASH_2;
    hash = (hash ^ hash >> 29) * VTC_HASH_3;
    return hash ^ hash >> 32;
}

static inline uint64_t vtc_blob_hash(const void *data, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)data;
    VtcHash h = vtc_hash_begin();
    vtc_hash_stripes(&h, at, bytes / 32);
    return vtc_hash_end(&h, at + bytes / 32 * 32, bytes);
}

#ifdef __cplusplus
}
#endif

#endif
