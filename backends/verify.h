/* Verification of a network: every stage against the reference.
 *
 *   graph as written           = graph after each pass
 *   graph after all passes     = loop interpreter, step by step
 *                              = C by each compiler, step by step
 *                              = LLVM in this process, step by step
 *                              = both with each executor, whole runs
 *
 * The reference is the graph interpreter, exact (double) where the network is
 * small or when asked, else quick. Loop interpreter, C and LLVM must give the same
 * bits. */
#ifndef VTC_BACKENDS_VERIFY_H
#define VTC_BACKENDS_VERIFY_H

#include "backends/jit.h"
#include "passes/pass.h"

/* Called after each pass, before it is judged; tests plant bugs here. */
typedef void VerifyHook(void *context, const PassInfo *pass, Graph *graph,
                        Program *program);

typedef struct VerifyOptions {
    const Target *target;
    PipelineOptions pipeline;       /* its `after` is the verifier's */
    const Tensor *const *inputs;    /* by port */
    bool exact;                     /* the reference in double, however long */
    bool whole;                     /* only outputs of compiled code: for networks too
                                       large for the loop interpreter */
    bool by_size;                   /* outputs, too, are judged by their largest element:
                                       for drawn graphs, whose outputs may be all one
                                       but for rounding */
    bool verbose;                   /* show the compilers' commands */
    const char *const *compilers;   /* NULL-terminated; those that do not run are
                                       counted and said */
    bool llvm;                      /* also the LLVM back end, where it is built in */
    const VtcExecutor *const *executors; /* NULL-terminated; whole runs must give
                                            the same bits */
    const char *vectors;            /* folder for inputs and the loop interpreter's
                                       outputs, to compare other machines with */
    VerifyHook *hook;
    void *context;
} VerifyOptions;

/* Largest differences allowed: of an output in parts of its range (highest less lowest
 * element), of a value on the way in parts of its largest element. */
extern const double verify_output_tolerance;  /* of f32 code, outputs */
extern const double verify_value_tolerance;   /* of f32 code, values on the way */
extern const double verify_class_tolerance;   /* of integers: part that may differ, as
                                                 argmax decides between near equals */

/* What agreed and the first value that did not, in words, in *report. False when
 * anything differed or (diag) could not be run. */
bool verify_graph(Graph *graph, const VerifyOptions *options, Text *report, Diag *diag);

#endif
