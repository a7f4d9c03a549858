/* The command line, shared by the files of `vtc`. */
#ifndef VTC_TOOLS_COMMAND_H
#define VTC_TOOLS_COMMAND_H

#include "backends/build.h"
#include "frontend/frontend.h"
#include "frontend/weights.h"
#include "passes/pass.h"
#include "support/file.h"

enum { EXIT_OK = 0, EXIT_INPUT = 1, EXIT_CALL = 2, EXIT_ENVIRONMENT = 3 };

enum { MAX_MODELS = 256 }; /* in one call */

/* Every option of every command; main.c's table says which command takes which. */
typedef struct CommandOptions {
    const char *models[MAX_MODELS];
    int model_count;
    const char *model_name, *out, *emit, *backend, *target, *cpu, *weights, *weights_as;
    const char *format, *stage, *after, *passes, *stop_after, *input, *vectors, *profile;
    const char *models_dir, *outputs, *engine, *tuned, *linker;
    const char *skip[16], *dim[16];
    int skips, dims;
    int max_threads, threads, runs, time;
    uint64_t seed;
    bool exact, whole, plain, small, blas, keep_norms, o0, time_passes, layers, verbose, debug, help;
    bool compare, paper, nodes;
} CommandOptions;

typedef struct Context Context;

typedef struct Command {
    const char *name, *usage, *doc;
    int (*run)(Context *context);
} Command;

struct Context {
    Arena *arena;
    Diag *diag;
    CommandOptions o;
    const Target *target;
    Backend backend;
    const Command *command;
    Text *weights_report; /* not NULL: what of the weights file was used is written there */
};

/* Prints what diag holds; the exit code that it means (`failed`: when nothing is
 * an error and yet it failed). */
int context_finish(Context *c, int code);

/* The model with its weights as --weights says: bound, or (init) by seed, or
 * unbound. NULL with diag. */
Graph *load_model(Context *c, const char *path, bool need_weights);
/* What --dim says, for files whose dimensions are free. */
struct OnnxOptions;
void read_dims(Context *c, struct OnnxOptions *options);
/* Has every weight its elements? */
bool is_bound(const Graph *graph);
/* The pipeline as the options say. */
PipelineOptions pipeline_options(const Context *c);
bool run_passes(Context *c, Graph *graph, Program **program,
                void (*after)(void *, const PassInfo *, const Graph *, const Program *),
                void *context);

int command_build(Context *c);
int build_onnx(Context *c); /* --emit=onnx of it */
/* The graph that no pass has changed as an ONNX file: see Note [Written as it is read]. */
bool model_export(Context *c, const Graph *graph, const char *path);
int command_check(Context *c);
int command_import(Context *c);
int command_report(Context *c);
int command_dump(Context *c);
int command_verify(Context *c);
int command_init(Context *c);
int command_run(Context *c);
int command_bench(Context *c);
int command_tune(Context *c);
int command_ops(Context *c);
int command_targets(Context *c);
int command_passes(Context *c);

#endif
