/* StrMap: names to pointers, for scopes, weights and modules; in an arena. */
#ifndef VTC_SUPPORT_STRMAP_H
#define VTC_SUPPORT_STRMAP_H

#include "support/arena.h"

typedef struct StrEntry {
    const char *key; /* NULL: free */
    void *value;
} StrEntry;

typedef struct StrMap {
    Arena *arena;
    StrEntry *at;
    int n, cap; /* cap is 0 or a power of two */
} StrMap;

/* The place of a key's value, made (NULL) when there was none; valid until the
 * next strmap_slot. */
void **strmap_slot(StrMap *map, const char *key);
void *strmap_get(const StrMap *map, const char *key); /* NULL: none */

/* Spelling help: offers candidates to `best`, which keeps the nearest. */
typedef struct Nearest {
    const char *wanted;
    const char *best; /* NULL: nothing near enough */
    int distance, gap; /* in letters; in length */
    int tried; /* gives up after some thousand: help must not cost time */
} Nearest;
Nearest nearest_to(const char *wanted);
void nearest_offer(Nearest *nearest, const char *candidate);
void nearest_offer_map(Nearest *nearest, const StrMap *map);

#endif
