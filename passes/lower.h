/* Lowering, shared by its files: from one group of the graph to one step.
 *
 * A group becomes a kernel whose parameters are its operands: 0 is the result,
 * the others are read. The anchor's file builds the loops; every file ends each
 * element (or vector) with chain_store, which applies the group's elementwise
 * chain and stores. */
#ifndef VTC_PASSES_LOWER_H
#define VTC_PASSES_LOWER_H

#include "ir/pack.h"
#include "passes/layout.h"
#include "passes/nest.h"
#include "passes/pass.h"
#include "passes/temporary.h"

typedef struct Operand {
    const Value *value;   /* NULL: a table or a constant section */
    int section;          /* when value is NULL */
    bool used_anywhere;   /* read at other elements than the one stored: it
                             cannot share storage with the result */
    bool is_temporary;    /* of the group: at `arg` */
    Arg arg;
} Operand;

typedef struct Lower {
    Arena *arena;
    Graph *graph;
    const Target *target;
    Program *program;
    /* the step being built */
    const Group *group;
    const Value *result; /* last member */
    Kernel *kernel;
    Build b;
    int operands;
    Operand operand[MAX_OPERANDS];
    int64_t *section_of; /* by value id: section index + 1 */
    Text text;           /* of the last kernel: room for the next one's */
} Lower;

/* Opens the kernel of the current group: operand 0 and one for every value that
 * the chain reads. `tasks` is set later by lower_tasks. */
void lower_open(Lower *l, const char *what);
/* A step before the last of a group: a kernel without operands yet. */
void lower_begin(Lower *l, const char *what);
/* f32 elements of the group's temporary, from a byte on: the running thread's own,
 * or what all its steps share. */
int lower_scratch(Lower *l, const char *name, int64_t offset, int64_t count);
int lower_shared(Lower *l, const char *name, int64_t offset, int64_t count,
                 Access access);
/* A place as of lower_scratch, but of the copy that the task has, not of the running thread
 * (ir/loop.h, Step.copied). The step that writes it is copied. */
int lower_copied(Lower *l, const char *name, int64_t offset, int64_t count, Access access);
/* The operand that reads a placed value; added when it is not there yet. */
int lower_operand(Lower *l, const Value *value, bool used_anywhere);
/* One of its own even where the value is an operand already: they move differently. */
int lower_operand_alone(Lower *l, const Value *value, bool used_anywhere);
/* A constant table (i32, or f32) in the weights blob; equal ones are shared. */
int lower_table(Lower *l, const char *name, const int32_t *data, int64_t n);
int lower_reals(Lower *l, const char *name, const float *data, int64_t n);
/* Extents, alignment, access and aliasing of the parameters; shares equal
 * kernels; appends the step. */
void lower_close(Lower *l);

/* Steps of an operand along the dimensions of the result: 0 where it is broadcast
 * and for what the anchor reads anywhere. */
void operand_steps(const Lower *l, int operand, int64_t *step);
/* The nest over the result's elements with the operands opened so far. */
Nest nest_of_result(const Lower *l);
/* An At at the origin of all operands. */
At at_origin(const Lower *l, int lanes, const Axis *vector);

/* Loads operand at the current element(s). */
const Expr *at_load(Lower *l, const At *at, int operand);
/* Lanes that the group's types allow: f32 and i32 only. */
int lower_lanes(const Lower *l);
/* The chain after the anchor applied to `anchor`, then stored. With anchor NULL
 * the first member is elementwise too. */
void chain_store(Lower *l, const At *at, const Expr *anchor);
/* A part of the chain: the members behind `from`, whose value is x, up to `to`; or all
 * of them, stored. */
const Expr *chain_between(Lower *l, const At *at, const Value *from, const Expr *x,
                          const Value *to);
void chain_store_after(Lower *l, const At *at, const Value *from, const Expr *x);
/* One elementwise operator on its arguments. */
const Expr *lower_elementwise(Lower *l, const Value *value, const Expr **arg,
                              int lanes);
/* Task axis: makes axis 0's loop (or a part of it) the kernel's tasks. */
Index lower_tasks(Lower *l, int64_t tasks);
/* The zero row behind a result that convolutions read with padding. */
void store_pad_pixel(Lower *l);

/* One per family, hung in lower.c's table by operator. */
void lower_map(Lower *l);
void lower_concat(Lower *l);
void lower_pad(Lower *l);
/* Within lower_pad: planes into channels last with a border, where it can be. */
bool pad_interleaves(const Lower *l, const Value *pad);
void lower_interleave(Lower *l);
/* Within lower_map: a copy that has neighbours of the source far apart, in tiles; `nest` is
 * settled, `at` its first element. */
bool nest_transposes(const Lower *l, const Nest *nest, int source);
void lower_transpose(Lower *l, const Nest *nest, At at, int source);
void lower_resize(Lower *l);
void lower_one_hot(Lower *l);
void lower_reduce(Lower *l);
void lower_argmax(Lower *l);
void lower_dot(Lower *l);
void lower_window(Lower *l);      /* pooling and depthwise convolution */
void lower_contraction(Lower *l); /* conv2d, conv1d, linear, matmul */
void lower_with_inputs(Lower *l);      /* 1x1, of inputs computed as they are read */
void lower_attention(Lower *l);        /* scores, softmax and what reads it */
void lower_winograd(Lower *l);
void lower_toom_cook(Lower *l);
void lower_strassen(Lower *l);
void lower_blas(Lower *l);

#endif
