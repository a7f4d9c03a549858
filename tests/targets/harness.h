/* What the harness needs of a machine: memory, a stream in and a stream out. */
#ifndef VTC_TESTS_HARNESS_H
#define VTC_TESTS_HARNESS_H

#include <stddef.h>

void *machine_memory(size_t bytes);            /* aligned to 64; NULL: no more */
int machine_take(void *at, size_t bytes);      /* 0: all were there */
int machine_give(const void *at, size_t bytes);
void machine_mark(void); /* before and after the run: some measure the stack */
int harness(void); /* the whole test; 0: done, else what failed */

#endif
