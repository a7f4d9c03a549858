/* Memory on huge pages, where the system has them: the processor translates fewer
 * addresses, and reads ahead further. */
#ifndef VTC_PAGES_H
#define VTC_PAGES_H

#include <stddef.h>
#include <stdint.h>

/* `bytes` aligned to `align` or better; NULL when there is not so much. free() it. */
void *vtc_pages_allocate(uint64_t bytes, int align);
/* Asks for huge pages where `bytes` at `data` lie. */
void vtc_pages_advise(const void *data, uint64_t bytes);
/* A copy on huge pages of data in a read-only mapping of a file, whose own pages are
 * given back piece by piece meanwhile (they come again when they are read); NULL where
 * that is no gain or cannot be: little data, no huge pages, no such mapping, no memory.
 * free() it. */
void *vtc_pages_copy(const void *data, uint64_t bytes);

#endif
