/* Targets: rows of data (ir/targets.def). No pass or emitter tests a target's
 * name; they read what it can do. */
#ifndef VTC_IR_TARGET_H
#define VTC_IR_TARGET_H

#include <stdbool.h>

typedef struct Target {
    const char *name;   /* x86-64-v4 */
    const char *doc;
    int lanes;          /* f32 in one vector register; 1: no vectors */
    bool has_fma;       /* fast IEEE fma */
    bool big_endian;
    int pointer_bytes;
    int tile_rows;      /* output pixels in one register tile */
    int tile_vectors;   /* vectors of output channels in it */
    int unroll;         /* of the reduction loop */
    int l1_bytes, l2_bytes;
    int prefetch;       /* f32 that weights are asked for ahead; 0: never */
    int balance;        /* multiply-adds in the time that memory gives a byte */
    const char *cc_flags; /* for gcc and clang */
    const char *triple, *cpu, *features; /* for LLVM */
} Target;

extern const Target targets[];
extern const int target_count;
const Target *target_find(const char *name); /* NULL: none */
const Target *target_host(void);             /* by cpuid; portable fallback */
/* Widths that tails use: lanes, lanes/2, ... 4, then 1. */

#endif
