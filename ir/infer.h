/* What the inference functions share (graph_infer.c, infer_contract.c,
 * infer_map.c); nobody else includes this. */
#ifndef VTC_IR_INFER_H
#define VTC_IR_INFER_H

#include "ir/graph.h"

typedef struct Infer {
    const Attrs *attr;
    int nargs;
    Value *const *args;
    Type *type; /* result; starts as the first argument's type */
    Text *why;  /* the rule and the values, when false is returned */
} Infer;

typedef bool InferFn(Infer *in);

#define FAIL(...) return text_printf(in->why, __VA_ARGS__), false
#define LL(x) ((long long)(x))

const Shape *arg_shape(const Infer *in, int i);
const char *shape_str(Infer *in, const Shape *shape);
bool need_real(Infer *in); /* all arguments are f32 */
bool need_rank(Infer *in, int i, int rank, const char *form);
bool need_vector(Infer *in, int i, int64_t n, const char *what);
bool need_axis(Infer *in, int64_t axis, int rank);
/* None, or one entry for each of n. */
bool need_entries(Infer *in, const char *name, const Ints *ints, int n);
bool same_dtype(Infer *in, int i, int j);
/* NumPy's rule on all but the last `skip` dimensions. */
bool broadcast_shapes(Infer *in, const Shape *a, const Shape *b, int skip,
                      Shape *out);

/* infer_contract.c */
InferFn infer_conv2d, infer_conv1d, infer_linear, infer_matmul,
    infer_attention, infer_unfold, infer_pool, infer_batch_norm, infer_layer_norm,
    infer_group_norm;
/* infer_map.c */
InferFn infer_real_unary, infer_number_unary, infer_clamp, infer_gelu,
    infer_not, infer_cast, infer_binary, infer_real_binary, infer_logic,
    infer_compare, infer_select, infer_one_hot, infer_softmax, infer_reduce, infer_vecdot,
    infer_argmax, infer_concat, infer_slice, infer_pad, infer_reshape,
    infer_transpose, infer_broadcast, infer_resize;

#endif
