/* A hash table by address. The order of entries is never read, so that nothing
 * printed depends on where memory lies. */
#include "support/ptrmap.h"
#include <stdint.h>

static PtrEntry *probe(const PtrMap *map, const void *key)
{
    uint64_t hash = ((uint64_t)(uintptr_t)key >> 4) * 0x9e3779b97f4a7c15u;
    for (uint64_t h = hash >> 32;; h++) {
        PtrEntry *entry = &map->at[h & (uint64_t)(map->size - 1)];
        if (!entry->key || entry->key == key)
            return entry;
    }
}

static void grow(PtrMap *map)
{
    PtrMap wide = {.arena = map->arena, .n = map->n, .size = map->size ? 2 * map->size : 32};
    wide.at = NEW(map->arena, PtrEntry, wide.size);
    for (int i = 0; i < map->size; i++)
        if (map->at[i].key)
            *probe(&wide, map->at[i].key) = map->at[i];
    *map = wide;
}

PtrEntry *ptrmap_entry(PtrMap *map, const void *key)
{
    if (2 * map->n >= map->size)
        grow(map);
    PtrEntry *entry = probe(map, key);
    if (!entry->key) {
        entry->key = key;
        map->n++;
    }
    return entry;
}

const PtrEntry *ptrmap_find(const PtrMap *map, const void *key)
{
    if (!map->size)
        return NULL;
    const PtrEntry *entry = probe(map, key);
    return entry->key ? entry : NULL;
}
