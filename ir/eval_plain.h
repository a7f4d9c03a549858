/* The graph interpreter, shared by its files: one function per operator. */
#ifndef VTC_IR_EVAL_PLAIN_H
#define VTC_IR_EVAL_PLAIN_H

#include "ir/graph.h"

typedef struct Eval {
    const Value *v;
    EvalMode mode;
    const Result *arg; /* of the arguments, in order */
    Result *out;       /* type set, elements to be written */
} Eval;

typedef void EvalFn(const Eval *e);

/* Walks the elements of a shape in row-major order: index[] counts up. */
bool next_element(const Shape *shape, int64_t *index);
/* Row-major strides; 0 for dimensions of length 1 when broadcast is asked. */
void row_strides(const Shape *shape, int64_t *stride);
/* Strides of an argument along the dimensions of a broadcast result. */
void broadcast_strides(const Shape *arg, const Shape *result, int64_t *stride);

EvalFn eval_conv, eval_linear, eval_matmul, eval_attention;
EvalFn eval_max_pool2d, eval_avg_pool2d;
EvalFn eval_batch_norm, eval_layer_norm, eval_group_norm, eval_softmax;
EvalFn eval_unary, eval_binary, eval_select, eval_cast;
EvalFn eval_reduce, eval_argmax, eval_one_hot;
EvalFn eval_concat, eval_slice, eval_pad, eval_reshape, eval_transpose;
EvalFn eval_broadcast, eval_resize;

/* Is there one? For the test that names what is missing. */
bool eval_exists(Op op);

#endif
