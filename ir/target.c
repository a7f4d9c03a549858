/* Target rows, and which of them this machine can run. */
#include "ir/target.h"
#include <stddef.h>
#include <string.h>

const Target targets[] = {
#define TARGET(id, ...)                                                        \
    {.name = id, __VA_ARGS__},
#include "ir/targets.def"
};
const int target_count = sizeof targets / sizeof *targets;

const Target *target_find(const char *name)
{
    for (int i = 0; i < target_count; i++)
        if (strcmp(targets[i].name, name) == 0)
            return &targets[i];
    return strcmp(name, "native") == 0 ? target_native() : NULL;
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

const Target *target_native(void)
{
    static Target native;
    native = *target_host();
    native.name = "native";
    native.doc = "this very processor";
    native.cpu = "native";
    native.cc_flags = native.lanes == 16 ? "-march=native -mprefer-vector-width=512"
                                         : "-march=native";
    return &native;
}

/* The levels of one machine differ in their lanes. */
bool target_runs_here(const Target *target)
{
    const Target *host = target_host();
    if (strcmp(target->name, "native") == 0 || !*target->triple)
        return true;
    return strcmp(host->triple, target->triple) == 0 && target->lanes <= host->lanes;
}

bool target_has_few_registers(const Target *target)
{
    return target->tile_rows * target->tile_vectors < 16;
}

int target_panel(const Target *target)
{
    return target->panel ? target->panel : target->lanes * target->tile_vectors;
}

/* A register tile's, or a vector less where that divides the channels and the tile does
 * not. A narrow last panel is a task like the others: of 64 channels by 24, the second of two
 * threads would have 40. Direct convolutions and Strassen's, whose tasks are rows for the most
 * part, are faster by whole tiles (of 6 rows by 2 vectors of AVX2 gcc 12 spills some sums of
 * Strassen's). Levels in one program have one width, which is given. */
int64_t target_panel_of(const Target *target, int64_t channels)
{
    int64_t width = target_panel(target), less = width - target->lanes;
    if (channels < width)
        return channels;
    bool even = !target->panel && channels % width != 0 && less > 0 && channels % less == 0;
    return even ? less : width;
}

/* Weights that are read for few rows come from memory, and as fast as it gives them only if
 * one tile has all rows: a second one reads from the cache what the first has just waited
 * for. Of the panels that leave so many rows a place in the registers the widest is taken
 * that divides the channels. One vector would load more often than it multiplies. */
int64_t target_panel_few(const Target *target, int64_t rows, int64_t channels)
{
    int64_t whole = target_panel(target), most = target->tile_rows * target->tile_vectors / rows;
    if (!target->panel && rows > target->tile_rows && rows <= MOST_TILE_ROWS && most > 1) {
        whole = most * target->lanes;
        for (int64_t vectors = most; vectors > 1 && channels % whole != 0; vectors--)
            if (channels % (vectors * target->lanes) == 0)
                whole = vectors * target->lanes;
    }
    return channels < whole ? channels : whole;
}

void targets_agree(Target *levels, int n)
{
    enum { REGISTERS = 12 }; /* for sums, of the 16 that the oldest levels have */
    int panel = target_panel(&levels[0]);
    for (int i = 0; i < n; i++)
        if (REGISTERS * levels[i].lanes < panel)
            panel = REGISTERS * levels[i].lanes;
    panel -= panel % levels[0].lanes;
    for (int i = 0; i < n; i++) {
        levels[i].panel = panel;
        levels[i].newest = &levels[0];
    }
}
