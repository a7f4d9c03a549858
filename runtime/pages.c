/* Huge pages: asked for by madvise, never needed. */
#define _GNU_SOURCE /* madvise */
#include "pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CACHE_LINE = 64, HUGE_PAGE = 2 << 20 };

void vtc_pages_advise(const void *data, uint64_t bytes)
{
#ifdef MADV_HUGEPAGE
    uintptr_t from = (uintptr_t)data & ~(uintptr_t)(HUGE_PAGE - 1);
    if (bytes >= HUGE_PAGE)
        (void)madvise((void *)from, (size_t)((uintptr_t)data - from + bytes),
                      MADV_HUGEPAGE);
#else
    (void)data;
    (void)bytes;
#endif
}

void *vtc_pages_allocate(uint64_t bytes, int align)
{
    void *memory = NULL;
    size_t alignment = align > CACHE_LINE ? (size_t)align : CACHE_LINE;
    if (bytes >= HUGE_PAGE && alignment < HUGE_PAGE)
        alignment = HUGE_PAGE;
    if (bytes > SIZE_MAX / 2 ||
        posix_memalign(&memory, alignment, bytes > 0 ? (size_t)bytes : 1) != 0)
        return NULL;
    vtc_pages_advise(memory, bytes);
    return memory;
}

/* "always [madvise] never": what is in brackets is in force. */
static int system_has_huge_pages(void)
{
    char text[64] = "";
    FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
    if (file == NULL)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    return n > 0 && strstr(text, "[never]") == NULL;
}

/* Does all of it lie in one read-only mapping of a file? Only then do its pages come
 * again after they were given back. */
static int is_of_a_file(const void *data, uint64_t bytes)
{
    char line[512], mode[5];
    unsigned long from, to, offset, major, minor, inode;
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && !found && fgets(line, sizeof line, maps) != NULL)
        if (sscanf(line, "%lx-%lx %4s %lx %lx:%lx %lu", &from, &to, mode, &offset, &major,
                   &minor, &inode) == 7)
            found = inode != 0 && mode[0] == 'r' && mode[1] == '-' &&
                    from <= (uintptr_t)data && (uintptr_t)data + bytes <= to;
    if (maps != NULL)
        fclose(maps);
    return found;
}

/* The whole pages in a piece are forgotten; the file still has them. */
static void give_back(const void *data, size_t bytes)
{
#ifdef MADV_DONTNEED
    enum { PAGE = 4096 };
    uintptr_t from = ((uintptr_t)data + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    uintptr_t to = ((uintptr_t)data + bytes) & ~(uintptr_t)(PAGE - 1);
    if (to > from)
        (void)madvise((void *)from, (size_t)(to - from), MADV_DONTNEED);
#else
    (void)data;
    (void)bytes;
#endif
}

void *vtc_pages_copy(const void *data, uint64_t bytes)
{
    enum { WORTH = 2 * HUGE_PAGE };
    if (data == NULL || bytes < WORTH || !system_has_huge_pages() ||
        !is_of_a_file(data, bytes))
        return NULL;
    char *copy = vtc_pages_allocate(bytes, HUGE_PAGE);
    for (uint64_t at = 0; copy != NULL && at < bytes; at += HUGE_PAGE) {
        size_t n = bytes - at < HUGE_PAGE ? (size_t)(bytes - at) : HUGE_PAGE;
        memcpy(copy + at, (const char *)data + at, n);
        give_back((const char *)data + at, n);
    }
    return copy;
}
