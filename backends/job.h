/* One build on its way: shared by build.c (what is written), levels.c (several
 * processor levels in one) and link.c (the tools). */
#ifndef VTC_BACKENDS_JOB_H
#define VTC_BACKENDS_JOB_H

#include "backends/blob.h"
#include "backends/build.h"

/* What becomes one object. */
typedef struct Part {
    const Program *program;
    Abi abi;
} Part;

typedef struct Job {
    Arena *arena;
    const Program *program; /* of several levels: what is common to them */
    const BuildOptions *options;
    Diag *diag;
    Abi abi;
    Blob blob;
    VEC(Part) parts;        /* all that is code; the last one is program and abi */
    const char *dir;        /* temporary */
    const char *compiler;
    const char *linker;     /* NULL: the compiler's own */
    const char *libraries;  /* the linker's words for a BLAS, "" where none is called */
    VEC(char *) command;
} Job;

/* build.c */
bool job_write_text(Job *job, const char *path, const Text *text);
/* A file in the temporary folder. */
const char *job_temp(Job *job, const char *suffix);

/* levels.c: one blob for all, and the part that chooses among them. */
void job_levels(Job *job, const Program *const *levels, int n, WeightsAs weights);

/* link.c */
bool job_find_compiler(Job *job); /* false with diag */
bool job_find_linker(Job *job);   /* a compiler that links, or a linker, or both */
bool job_find_libraries(Job *job); /* those that the code calls, where it is linked */
bool job_compile(Job *job, const Target *target, const char *source, const char *object,
                 const char *more);
bool job_link(Job *job, const char *out); /* the temporary objects to one file */
/* Objects of the parts, and of the weights where they are one of their own. */
const char *job_part_object(Job *job, const Part *part);

#endif
