/* Target rows, and which of them this machine can run. */
#include "ir/target.h"
#include <stddef.h>
#include <string.h>

const Target targets[] = {
#define TARGET(id, width, fma, big, pointer, rows, vectors, k_unroll, l1, l2,  \
               ahead, fma_per_byte,                                             \
               flags, llvm_triple, llvm_cpu, llvm_features, text)              \
    {.name = id,                                                               \
     .doc = text,                                                              \
     .lanes = width,                                                           \
     .has_fma = fma,                                                           \
     .big_endian = big,                                                        \
     .pointer_bytes = pointer,                                                 \
     .tile_rows = rows,                                                        \
     .tile_vectors = vectors,                                                  \
     .unroll = k_unroll,                                                       \
     .l1_bytes = l1,                                                           \
     .l2_bytes = l2,                                                           \
     .prefetch = ahead,                                                        \
     .balance = fma_per_byte,                                                  \
     .cc_flags = flags,                                                        \
     .triple = llvm_triple,                                                    \
     .cpu = llvm_cpu,                                                          \
     .features = llvm_features},
#include "ir/targets.def"
};
const int target_count = sizeof targets / sizeof *targets;

const Target *target_find(const char *name)
{
    for (int i = 0; i < target_count; i++)
        if (strcmp(targets[i].name, name) == 0)
            return &targets[i];
    return NULL;
}

#ifdef __x86_64__
static const char *host_name(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return "x86-64-v4";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2"))
        return "x86-64-v3";
    return __builtin_cpu_supports("sse4.2") ? "x86-64-v2" : "c11";
}
#else
static const char *host_name(void)
{
    return "c11";
}
#endif

const Target *target_host(void)
{
    return target_find(host_name());
}
