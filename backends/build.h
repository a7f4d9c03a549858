/* From a Program to files: generated C, and objects, libraries and programs through
 * the C compiler or LLVM. */
#ifndef VTC_BACKENDS_BUILD_H
#define VTC_BACKENDS_BUILD_H

#include "backends/abi.h"

typedef enum Emit {
    EMIT_exe, EMIT_c, EMIT_obj, EMIT_lib, EMIT_so,
    EMIT_asm, /* by either back end; the weights stay beside it */
    EMIT_llvm /* LLVM's text; the weights stay beside it */
} Emit;

typedef enum Backend { BACKEND_c, BACKEND_llvm } Backend;

typedef struct BuildOptions {
    Emit emit;
    Backend backend;  /* llvm: needs no C compiler but to link */
    const char *out;  /* the file; of c: a folder (made if need be), or NAME.c in one */
    const char *name; /* symbols; NULL: from the model */
    WeightsAs weights;
    bool no_header;   /* obj, lib, so: do not write NAME.h beside them */
    bool embedded;    /* bounds in the header, loop bounds as comments; C only */
    bool debug;       /* debug information: lines are the model's */
    bool verbose;     /* show the compiler's command */
    const char *compiler; /* NULL: $CC, cc, gcc, clang, whichever is there */
    const char *linker;   /* a command, or "lld"; NULL: the system's, or lld without one */
} BuildOptions;

enum BuildStatus { BUILD_ok, BUILD_input = 1, BUILD_environment = 3 };

/* Why what the options say cannot be had of a target (or of `levels` of one); NULL: it
 * can. */
const char *build_refusal(Arena *arena, const BuildOptions *options, const Target *target,
                          int levels);

/* Every file appears whole or not at all; options that are refused are BUILD_input. */
enum BuildStatus build_program(const Program *program, const BuildOptions *options,
                               Diag *diag);

/* One network for several levels of a processor (levels[0] the newest), chosen when
 * it runs; they share one blob. The programs' places in it are changed. */
enum BuildStatus build_levels(const Program *const *levels, int n, const BuildOptions *options,
                              Diag *diag);

/* A temporary folder, removed with all in it; NULL and diag when there is none. */
const char *build_tempdir(Arena *arena, Diag *diag);
void build_tempdir_remove(const char *path);
/* Where vtc_abi.h and the runtime's sources are. */
const char *build_runtime(Arena *arena);
/* Runs a command to its end; its exit code, -1 when it cannot be started. */
int build_spawn(char *const argv[], bool verbose);

#endif
