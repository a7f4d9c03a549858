/* What build.c and its siblings share about processes and temporary folders; the
 * rest of it is in build.h. */
#ifndef VTC_BACKENDS_PROCESS_H
#define VTC_BACKENDS_PROCESS_H

#include "support/arena.h"
#include <stdbool.h>

/* Does `program --version` run? Quietly. */
bool process_starts(const char *program);
/* Where it is, as an absolute path; NULL: nowhere. */
const char *process_path(Arena *arena, const char *program);
/* What a command says on standard output, one line; NULL: it did not run or failed. */
const char *process_line(Arena *arena, const char *const argv[]);
/* Removes the folder of the last build_tempdir. */
void process_tempdir_end(void);
/* For file_cleanup_on_signals: ends the running command, removes the folder. */
void process_interrupted(void);
/* And this file: a program or library that is built for this run only. */
void process_remove_on_signal(const char *path);

#endif
