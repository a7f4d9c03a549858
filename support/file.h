/* Files: whole in, whole out. */
#ifndef VTC_SUPPORT_FILE_H
#define VTC_SUPPORT_FILE_H

#include "support/diag.h"

/* Reads a whole file; NULL and an error in diag (naming the path, at `span` if
 * it has a source) when it cannot. The text is NUL-terminated. */
const Source *source_read(Arena *arena, Diag *diag, Span span, const char *path);

/* A read-only mapping that lives until the process ends. */
typedef struct Bytes {
    const unsigned char *at;
    size_t n;
} Bytes;
bool bytes_map(Bytes *bytes, const char *path, Diag *diag);
/* Lets go of memory that a mapping's elements take, which are likely done with: a later
 * look reads them from the file again. Memory that is no mapping is left alone. */
void bytes_release(const void *at, size_t n);

/* Written beside the target, then renamed: whole or not at all. A failure is an
 * error in diag (environment), and nothing is left behind. An interrupted run
 * (SIGINT, SIGTERM) removes what was begun once file_cleanup_on_signals was
 * called. "-" is standard output; a device or a pipe is written as it is. */
typedef struct OutFile OutFile;
OutFile *outfile_open(Arena *arena, const char *path, Diag *diag);
void outfile_write(OutFile *out, const void *data, size_t n);
void outfile_executable(OutFile *out);
bool outfile_close(OutFile *out, Diag *diag); /* rename, false on any failure */
void outfile_drop(OutFile *out);              /* as if it had not been opened */

/* Several files, all or none: from hold to release those that are closed wait for
 * their names. release gives them (good) or removes them; false on any failure. */
void outfiles_hold(void);
bool outfiles_release(bool good, Diag *diag);

/* `also` (may be NULL) removes what else an interrupted run would leave; it may call
 * what POSIX lists as safe in signal handlers. */
void file_cleanup_on_signals(void (*also)(void));

/* A part of vtc that is a file of its own: beside the executable, in ../lib/vtc (as it
 * is installed), or where it was built; NULL when it is nowhere. */
const char *part_find(Arena *arena, const char *name, const char *built);

/* "a/b/c.vt" -> "a/b" ("." if there is no slash); join unless b is absolute. */
const char *path_dir(Arena *arena, const char *path);
const char *path_join(Arena *arena, const char *dir, const char *path);
/* "a/b/c.vt" -> "c" */
const char *path_stem(Arena *arena, const char *path);

#endif
