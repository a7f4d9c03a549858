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

/* Written beside the target, then renamed: whole or not at all. A failure is an
 * error in diag (environment), and nothing is left behind. An interrupted run
 * (SIGINT, SIGTERM) removes what was begun once file_cleanup_on_signals was
 * called. "-" is standard output. */
typedef struct OutFile OutFile;
OutFile *outfile_open(Arena *arena, const char *path, Diag *diag);
void outfile_write(OutFile *file, const void *data, size_t n);
bool outfile_close(OutFile *file, Diag *diag); /* rename, false on any failure */
void file_cleanup_on_signals(void);

/* "a/b/c.vt" -> "a/b" ("." if there is no slash); join unless b is absolute. */
const char *path_dir(Arena *arena, const char *path);
const char *path_join(Arena *arena, const char *dir, const char *path);
/* "a/b/c.vt" -> "c" */
const char *path_stem(Arena *arena, const char *path);

#endif
