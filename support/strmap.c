/* Open addressing with linear probing: programs of a million names must stay
 * linear, and nothing is ever removed. */
#include "support/strmap.h"
#include "support/text.h"
#include <stdint.h>
#include <string.h>

static uint64_t key_hash(const char *key)
{
    uint64_t hash = 1469598103934665603u; /* FNV-1a */
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 1099511628211u;
    return hash ^ (hash >> 29);
}

static StrEntry *entry_find(const StrMap *map, const char *key)
{
    size_t mask = (size_t)map->cap - 1;
    size_t at = (size_t)key_hash(key) & mask;
    while (map->at[at].key && strcmp(map->at[at].key, key) != 0)
        at = (at + 1) & mask;
    return &map->at[at];
}

static void map_grow(StrMap *map)
{
    StrMap wider = {map->arena, NULL, map->n, map->cap ? map->cap * 2 : 16};
    wider.at = NEW(map->arena, StrEntry, wider.cap);
    for (int i = 0; i < map->cap; i++)
        if (map->at[i].key)
            *entry_find(&wider, map->at[i].key) = map->at[i];
    *map = wider;
}

void **strmap_slot(StrMap *map, const char *key)
{
    if (map->n * 2 >= map->cap)
        map_grow(map);
    StrEntry *entry = entry_find(map, key);
    if (!entry->key) {
        entry->key = key;
        map->n++;
    }
    return &entry->value;
}

void *strmap_get(const StrMap *map, const char *key)
{
    return map->cap ? entry_find(map, key)->value : NULL;
}

/* ---- spelling ---------------------------------------------------------- */

enum { NEAREST_TRIES = 2000 };

Nearest nearest_to(const char *wanted)
{
    int length = (int)strlen(wanted);
    int limit = length < 4 ? 1 : length < 6 ? 2 : 3;
    return (Nearest){wanted, NULL, limit + 1, 0, 0};
}

void nearest_offer(Nearest *nearest, const char *candidate)
{
    int wanted = (int)strlen(nearest->wanted), length = (int)strlen(candidate);
    int gap = wanted > length ? wanted - length : length - wanted;
    if (gap >= nearest->distance + 1 || nearest->tried++ > NEAREST_TRIES)
        return;
    int distance = text_distance(nearest->wanted, candidate);
    if (distance == 0 || distance >= wanted || distance > nearest->distance)
        return;
    /* As near: rather one of like length, then the first in the alphabet. */
    bool tie = nearest->best && distance == nearest->distance;
    bool better = tie && (gap < nearest->gap ||
                          (gap == nearest->gap &&
                           strcmp(candidate, nearest->best) < 0));
    if (distance < nearest->distance || better) {
        nearest->best = candidate;
        nearest->distance = distance;
        nearest->gap = gap;
    }
}

void nearest_offer_map(Nearest *nearest, const StrMap *map)
{
    for (int i = 0; i < map->cap; i++)
        if (map->at[i].key && map->at[i].value)
            nearest_offer(nearest, map->at[i].key);
}
