/* What the outside sees of a compiled network, whatever back end made it: symbol
 * names, the header NAME.h, the reflection record. */
#ifndef VTC_BACKENDS_ABI_H
#define VTC_BACKENDS_ABI_H

#include "ir/loop.h"

typedef enum WeightsAs { WEIGHTS_embed, WEIGHTS_file, WEIGHTS_c_array } WeightsAs;

/* What a processor level needs of cpuid leaves 1 (ecx), 7 (ebx), 0x80000001 (ecx)
 * and of what the system keeps (xcr0). */
typedef struct CpuLevel {
    const char *target;
    uint32_t leaf1, leaf7, leaf81, xcr0;
} CpuLevel;
const CpuLevel *cpu_level(const char *target); /* NULL: it is no level */

/* A level of a network that has several, newest first. */
typedef struct AbiLevel {
    const CpuLevel *needs;
    const char *name; /* its prefix; NAME_model is its record */
} AbiLevel;

enum { MOST_LEVELS = 4 };

/* What --profile=embedded measured; functions that are inlined have no stack. */
typedef struct AbiStack {
    const char *function;
    int64_t bytes;
} AbiStack;

typedef struct AbiBounds {
    int64_t stack, code, constants; /* bytes; constants: without the weights */
    VEC(AbiStack) stacks;
} AbiBounds;

typedef struct Abi {
    const char *name;   /* C identifier: prefix of all symbols */
    const char *upper;  /* the same in capitals */
    WeightsAs weights;
    uint64_t weights_hash;
    int inputs, outputs;
    const Value **input;
    const AbiBounds *bounds; /* NULL: not measured */
    bool embedded; /* C: loop bounds as comments */
    int folder; /* characters of a source's path that name the folder they all share */
    bool lines; /* C: each line is said to be the model's (#line) */
    int levels; /* > 0: no code of its own, only the choice of a level */
    AbiLevel level[MOST_LEVELS];
} Abi;

/* `name` is made an identifier. */
Abi abi_of(Arena *arena, const Program *program, const char *name, WeightsAs weights,
           uint64_t weights_hash);
/* "const float *image, float *logits" */
void abi_prototype(const Program *program, const Abi *abi, Text *out);
void abi_header(const Program *program, const Abi *abi, Text *out); /* NAME.h */
/* The VtcModel and what it points to, as C. */
void abi_reflection(const Program *program, const Abi *abi, Text *out);
/* Emitters only spell: a program that is not ready for them is a bug(). */
void abi_check_emittable(const Program *program);
/* The function of step i: its number, layer and operators. */
const char *abi_step_symbol(Arena *arena, const Step *step, int i);
/* The first step that a kernel is for; NULL: none. */
const Step *abi_first_step(const Program *program, const Kernel *kernel);
/* Alignment of embedded weights: large ones to huge pages, by which systems then map
 * them (support/file.c, [Large writes]). */
int weights_align(const Target *target, size_t bytes);
/* A C identifier from any name. */
const char *abi_identifier(Arena *arena, const char *name);

#endif
