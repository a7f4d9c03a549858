/* What build.c and its siblings share about processes and temporary folders; the
 * rest of it is in build.h. */
#ifndef VTC_BACKENDS_PROCESS_H
#define VTC_BACKENDS_PROCESS_H

#include <stdbool.h>

/* Does `program --version` run? Quietly. */
bool process_starts(const char *program);
/* Removes the folder of the last build_tempdir. */
void process_tempdir_end(void);

#endif
