/* What the machine can do, measured with our own loops through the same back end. */
#ifndef VTC_TOOLS_PEAK_H
#define VTC_TOOLS_PEAK_H

#include "ir/loop.h"

/* Steps of the program that peak_program makes. */
enum { PEAK_write, PEAK_read, PEAK_multiply, PEAK_STEPS };

/* Legal for the target. `bytes` are written and read: as many as the network that is
 * compared touches, so that the same caches hold them or do not. */
Program *peak_program(Arena *arena, const Target *target, int64_t bytes, int max_threads);
int64_t peak_bytes(const Program *program); /* moved by a run of PEAK_write or _read */
int64_t peak_macs(const Program *program);  /* of a run of PEAK_multiply */

#endif
