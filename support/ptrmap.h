/* Pointers to numbers or to other pointers: where a pass remembers what it knows
 * of a register or an index variable without a field in it. */
#ifndef VTC_SUPPORT_PTRMAP_H
#define VTC_SUPPORT_PTRMAP_H

#include "support/arena.h"

typedef struct PtrEntry {
    const void *key; /* NULL: free */
    const void *to;
    int number;
} PtrEntry;

typedef struct PtrMap {
    Arena *arena;
    PtrEntry *at; /* open addressing, `size` a power of two */
    int n, size;
} PtrMap;

static inline PtrMap ptrmap_new(Arena *arena)
{
    return (PtrMap){.arena = arena};
}
/* The entry of a key; made, with to NULL and number 0, when there is none. It is
 * valid until the next ptrmap_entry. */
PtrEntry *ptrmap_entry(PtrMap *map, const void *key);
const PtrEntry *ptrmap_find(const PtrMap *map, const void *key); /* NULL: none */

#endif
