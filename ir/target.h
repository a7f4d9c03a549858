/* Targets: rows of data (ir/targets.def). No pass or emitter tests a target's
 * name; they read what it can do. */
#ifndef VTC_IR_TARGET_H
#define VTC_IR_TARGET_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Target {
    const char *name;   /* x86-64-v4 */
    const char *doc;
    /* what loops are made for */
    int lanes;          /* f32 in one vector register; 1: no vectors */
    bool has_fma;       /* fast IEEE fma */
    bool no_floor;      /* no instruction rounds down: it would be a library's call */
    bool flushes;       /* vectors may take denormals for zero: bits may differ */
    bool big_endian;
    bool splits_vectors; /* its C compiler passes vectors to functions in halves */
    bool freestanding;  /* no C library, no programs: c, obj, lib, asm, llvm */
    bool wasm;          /* objects are WebAssembly's, not ELF */
    int pointer_bytes;
    int tile_rows;      /* output pixels in one register tile */
    int tile_vectors;   /* vectors of output channels in it */
    int panel;          /* columns of packed weights; 0: those of a tile */
    const struct Target *newest; /* of levels in one program: the one that chooses
                                  * algorithms for all of them; NULL: none other */
    int unroll;         /* of the reduction loop */
    int l1_bytes, l2_bytes;
    bool prefetch;      /* weights and far maps are asked for before they are read */
    /* Multiply-adds in the time that a byte takes from the last-level cache, and
     * from memory, which a network's weights come from when they outgrow it. */
    int balance, far_balance, llc_bytes;
    /* tools; empty: nothing special */
    const char *cc;       /* command of the C compiler; empty: this machine's */
    const char *package;  /* what to install when it is missing */
    const char *cc_flags; /* for gcc and clang */
    const char *triple, *cpu, *features, *abi; /* for LLVM */
    const char *loader;   /* what starts programs, for linking without a compiler */
    const char *run;      /* what runs its programs where the machine cannot */
} Target;

extern const Target targets[];
extern const int target_count;
const Target *target_find(const char *name); /* NULL: none; also "native" */
const Target *target_host(void);             /* by cpuid; portable fallback */
/* The host's row with everything this very processor has. */
const Target *target_native(void);
/* 16 vector registers, not 32, as its register tile tells. */
bool target_has_few_registers(const Target *target);
/* Columns of a panel of packed weights; of so many output channels, where an algorithm takes
 * panels that divide them. */
int target_panel(const Target *target);
int64_t target_panel_of(const Target *target, int64_t channels);
/* The same, of a product of so few rows that one tile may have them all. */
int64_t target_panel_few(const Target *target, int64_t rows, int64_t channels);
enum { MOST_TILE_ROWS = 9 }; /* of any register tile */
/* Changes levels of one processor, the newest first, so that their weights are packed
 * alike and one blob serves all: panels that the narrowest can hold in registers, and
 * the newest's algorithms. The array must live as long as what is compiled for it. */
void targets_agree(Target *levels, int n);
/* Can this machine run its code as it is? */
bool target_runs_here(const Target *target);
/* Widths that tails use: lanes, lanes/2, ... 4, then 1. */

#endif
