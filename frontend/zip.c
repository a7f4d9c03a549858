/* Zip: the directory at the file's end says where parts are (APPNOTE.TXT 4.3). */
#include "frontend/zip.h"
#include <stdint.h>
#include <string.h>

enum {
    LOCAL_BYTES = 30, ENTRY_BYTES = 46, END_BYTES = 22, LOCATOR_BYTES = 20, END64_BYTES = 56,
    LONGEST_COMMENT = 65535
};

typedef struct Reader {
    Arena *arena;
    Diag *diag;
    Span span;
    const unsigned char *data;
    uint64_t n;
    Zip *zip;
} Reader;

static bool fail(Reader *r, const char *why)
{
    diag_error(r->diag, r->span, "not a whole zip archive: %s", why);
    return false;
}

static uint64_t little(const unsigned char *at, int n)
{
    uint64_t x = 0;
    for (int i = n - 1; i >= 0; i--)
        x = x << 8 | at[i];
    return x;
}

/* n bytes at `at` that begin with a signature "PK.."; NULL: not there. */
static const unsigned char *record(const Reader *r, uint64_t at, uint64_t n,
                                   const char *signature)
{
    if (at > r->n || n > r->n - at || memcmp(r->data + at, signature, 4) != 0)
        return NULL;
    return r->data + at;
}

/* ---- the directory ------------------------------------------------------------ */

typedef struct Directory {
    uint64_t at, bytes, entries;
} Directory;

/* The 64-bit record, if a locator stands before the end record. */
static bool directory_wide(const Reader *r, uint64_t end, Directory *d)
{
    const unsigned char *locator =
        end < LOCATOR_BYTES ? NULL : record(r, end - LOCATOR_BYTES, LOCATOR_BYTES, "PK\6\7");
    const unsigned char *wide =
        locator ? record(r, little(locator + 8, 8), END64_BYTES, "PK\6\6") : NULL;
    if (wide)
        *d = (Directory){little(wide + 48, 8), little(wide + 40, 8), little(wide + 32, 8)};
    return wide != NULL;
}

static bool directory_find(Reader *r, Directory *d)
{
    for (uint64_t back = END_BYTES; back <= r->n && back <= END_BYTES + LONGEST_COMMENT; back++) {
        const unsigned char *end = record(r, r->n - back, END_BYTES, "PK\5\6");
        if (!end || little(end + 20, 2) != back - END_BYTES)
            continue;
        if (!directory_wide(r, r->n - back, d))
            *d = (Directory){little(end + 16, 4), little(end + 12, 4), little(end + 10, 2)};
        return true;
    }
    return fail(r, "its directory, at the end, is missing");
}

/* ---- entries -------------------------------------------------------------------- */

typedef struct Entry {
    uint64_t stored, size, at;
    const char *name;
} Entry;

/* Numbers that do not fit 32 bits are in a field of their own, in this order. */
static bool entry_widen(Entry *e, const unsigned char *extra, uint64_t n)
{
    uint64_t *const wide[] = {&e->size, &e->stored, &e->at};
    while (n >= 4) {
        uint64_t kind = little(extra, 2), bytes = little(extra + 2, 2);
        if (bytes > n - 4)
            return false;
        const unsigned char *at = extra + 4;
        for (int i = 0; kind == 1 && i < 3; i++)
            if (*wide[i] == UINT32_MAX && at + 8 <= extra + 4 + bytes) {
                *wide[i] = little(at, 8);
                at += 8;
            }
        extra += 4 + bytes;
        n -= 4 + bytes;
    }
    return true;
}

static bool part_add(Reader *r, const Entry *e)
{
    const unsigned char *local = record(r, e->at, LOCAL_BYTES, "PK\3\4");
    if (!local || strmap_get(&r->zip->by_name, e->name))
        return fail(r, arena_printf(r->arena, "part '%s' is %s", e->name,
                                    local ? "there twice" : "not where it should be"));
    uint64_t begin = e->at + LOCAL_BYTES + little(local + 26, 2) + little(local + 28, 2);
    if (begin > r->n || e->size > r->n - begin)
        return fail(r, arena_printf(r->arena, "part '%s' ends behind the file", e->name));
    ZipPart *part = NEW(r->arena, ZipPart, 1);
    *part = (ZipPart){e->name, r->data + begin, (size_t)e->size};
    VEC_PUSH(r->arena, r->zip->parts, *part);
    *strmap_slot(&r->zip->by_name, e->name) = part;
    return true;
}

/* The entry at *at of the directory; moves behind it. */
static bool entry_read(Reader *r, uint64_t *at, uint64_t end)
{
    const unsigned char *e = record(r, *at, ENTRY_BYTES, "PK\1\2");
    if (!e || *at + ENTRY_BYTES > end)
        return fail(r, "its directory is damaged");
    uint64_t name = little(e + 28, 2), extra = little(e + 30, 2), comment = little(e + 32, 2);
    if (name + extra + comment > end - *at - ENTRY_BYTES)
        return fail(r, "its directory is damaged");
    Entry entry = {little(e + 20, 4), little(e + 24, 4), little(e + 42, 4), NULL};
    entry.name = arena_strndup(r->arena, (const char *)e + ENTRY_BYTES, (size_t)name);
    if (!entry_widen(&entry, e + ENTRY_BYTES + name, extra))
        return fail(r, "its directory is damaged");
    *at += ENTRY_BYTES + name + extra + comment;
    if (little(e + 10, 2) != 0 || (little(e + 8, 2) & 1) || entry.stored != entry.size) {
        diag_error(r->diag, r->span, "part '%s' of the archive is compressed or encrypted: "
                                     "PyTorch stores parts as they are", entry.name);
        return false;
    }
    return part_add(r, &entry);
}

bool zip_begins(const unsigned char *data, size_t n)
{
    return n >= 4 && memcmp(data, "PK\3\4", 4) == 0;
}

Zip *zip_read(Arena *arena, Diag *diag, Span span, const unsigned char *data, size_t n)
{
    Reader r = {arena, diag, span, data, n, NEW(arena, Zip, 1)};
    Directory d = {0, 0, 0};
    r.zip->by_name.arena = arena;
    if (!directory_find(&r, &d))
        return NULL;
    if (d.at > n || d.bytes > n - d.at || d.entries > d.bytes / ENTRY_BYTES) {
        fail(&r, "its directory is outside the file");
        return NULL;
    }
    uint64_t at = d.at;
    for (uint64_t i = 0; i < d.entries; i++)
        if (!entry_read(&r, &at, d.at + d.bytes))
            return NULL;
    return r.zip;
}

const ZipPart *zip_find(const Zip *zip, const char *name)
{
    return strmap_get(&zip->by_name, name);
}
