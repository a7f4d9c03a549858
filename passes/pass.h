/* Passes: rows of one table (passes.def), run by pipeline.c.
 *
 * Graph passes rewrite the graph in place; then `lower` makes a Program, which
 * the program passes rewrite in place. */
#ifndef VTC_PASSES_PASS_H
#define VTC_PASSES_PASS_H

#include "ir/graph.h"
#include "ir/loop.h"
#include "ir/target.h"

typedef void GraphPass(Graph *graph, const Target *target);
typedef void ProgramPass(Program *program);

/* What passes may rely on and bring about; bits of the table's columns. */
#define FACTS                                                                  \
    FACT(canonical, "softmax and norms are spelled by reductions")             \
    FACT(norms_folded, "no batch_norm is left")                                \
    FACT(constants_folded, "what depends on no input is a weight or constant") \
    FACT(grouped, "every computing value is in one group")                     \
    FACT(scheduled, "every convolution has its algorithm")                      \
    FACT(laid_out, "every value has its final layout")                         \
    FACT(packed, "every contraction's weight has panels")                      \
    FACT(placed, "every value that is stored has a place")                     \
    FACT(lowered, "the program exists")                                        \
    FACT(unrolled, "no loop is marked unroll")                                 \
    FACT(legal, "only what the target's emitters can spell")
enum {
#define FACT(name, doc) FACT_BIT_##name,
    FACTS
#undef FACT
};
enum {
#define FACT(name, doc) FACT_##name = 1 << FACT_BIT_##name,
    FACTS
#undef FACT
};

typedef struct PassInfo {
    const char *name, *doc;
    GraphPass *graph;     /* one of the two */
    ProgramPass *program;
    int needs, makes, breaks; /* FACT_ bits */
    bool required;            /* -O0 runs only these */
} PassInfo;
extern const PassInfo pass_table[];
extern const int pass_count;
extern const char *const fact_name[]; /* by bit */
int pass_find(const char *name); /* -1: none */

typedef struct PipelineOptions {
    bool o0;
    const char *only;       /* --passes: comma list, required ones always run */
    const char *skip[16];
    int skips;
    const char *stop_after;
    bool time;              /* table to stderr */
    bool check;             /* verify after and shuffle before every pass */
    /* called after each pass with what it left (program NULL before lower) */
    void (*after)(void *context, const PassInfo *pass, const Graph *graph,
                  const Program *program);
    void *context;
} PipelineOptions;

/* Do the options name passes, and skip only optional ones? false with diag. */
bool pipeline_accepts(const PipelineOptions *options, Arena *arena, Diag *diag);
/* false: the call was wrong (diag) or a required order is broken. *program is
 * NULL when stopped before `lower`. */
bool pipeline_run(Graph *graph, const Target *target,
                  const PipelineOptions *options, Program **program, Diag *diag);
/* Does every row find its needs made by rows before it? */
bool pipeline_check(const PassInfo *rows, int n, Text *errors);

/* lower.c */
Program *lower(Graph *graph, const Target *target);

#endif
