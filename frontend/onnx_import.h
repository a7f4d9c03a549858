/* What the files of the ONNX importer share; nobody else includes this.
 *
 * Note [Why builders jump out on an error]
 * A builder makes ten values from one node; an error in any of them ends the node.
 * onnx_fail reports it and returns to the loop over nodes with longjmp: everything
 * lives in the arena, so nothing is left behind, and builders read as formulas.
 *
 * Note [What a file may cost]
 * A few bytes can ask for much: a range, a matrix for a resize, a mask, a constant
 * computed from constants. What reading takes is bounded by what the file and its
 * external data hold, times a factor that copies need, plus an allowance for what
 * networks do compute; a file that asks for more is refused. Time follows: every
 * element that is computed lies in memory, and what costs more than its elements
 * (windows, convolutions) is not computed here. */
#ifndef VTC_FRONTEND_ONNX_IMPORT_H
#define VTC_FRONTEND_ONNX_IMPORT_H

#include "frontend/onnx.h"
#include "support/strmap.h"
#include "onnx.pb-c.h"
#include <setjmp.h>

/* A name of the file: a value, or what has no elements, or what an error left. */
typedef struct OnnxSlot {
    Value *value; /* NULL: empty or failed */
    bool empty;
} OnnxSlot;

typedef struct Importer {
    Arena *arena;
    Diag *diag;
    Graph *graph;
    OnnxOptions *options;
    const Onnx__ModelProto *model;
    const char *dir;
    int64_t opset;
    StrMap slots; /* value name -> OnnxSlot */
    Text free_dims; /* "batch, x:2" */
    const Onnx__NodeProto *node;
    bool *inputs_read, *attributes_read; /* of the node: Note [Nothing of a node is passed over] */
    size_t memory_most; /* of the arena: Note [What a file may cost] */
    jmp_buf failed;
} Importer;

typedef void OnnxBuilder(Importer *in);

typedef struct OnnxOperator {
    const char *name;
    OnnxBuilder *build;
    const char *doc;
} OnnxOperator;
const OnnxOperator *onnx_operator_find(const char *name);

/* ---- the file (onnx_file.c, onnx_tensor.c) ------------------------------- */

Onnx__ModelProto *onnx_unpack(Arena *arena, Diag *diag, const void *data, size_t n);
/* Elements of a tensor; *empty when it has none (then NULL). NULL with diag. */
Tensor *onnx_tensor(Arena *arena, Diag *diag, const char *dir, const Onnx__TensorProto *from,
                    bool *empty);
/* The file a tensor's elements lie in (NULL: in this one), and its size. */
const char *onnx_external_path(const Onnx__TensorProto *from);
size_t onnx_external_size(Arena *arena, const char *dir, const char *path);
/* false when the language has nothing for the ONNX type */
bool onnx_dtype(int type, DType *to);
void *onnx_arena_alloc(void *arena, size_t n);

void onnx_read_metadata(Importer *in); /* onnx_metadata.c */

/* ---- names (onnx_import.c) ------------------------------------------------ */

enum { ONNX_MOST_ERRORS = 100 }; /* no more are told */

OnnxSlot *onnx_slot(const Importer *in, const char *name); /* NULL: nothing makes it */
void onnx_slot_set(Importer *in, const char *name, OnnxSlot slot);

/* ---- nodes (onnx_node.c) -------------------------------------------------- */

void onnx_node_begin(Importer *in, const Onnx__NodeProto *node);
/* Has it only what its operator has in the file's opset? Else everything that is too
 * much is told. */
bool onnx_node_acceptable(Importer *in);
void onnx_node_end(Importer *in); /* behind its builder: was everything read and made? */
/* The opsets that changed what an operator has: "1, 7, 9" */
void onnx_print_versions(Text *out, const char *operator);

void onnx_fail(Importer *in, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));

int onnx_inputs(const Importer *in);
/* An input that these return counts as read. */
Value *onnx_arg(Importer *in, int i);   /* must be there */
Value *onnx_maybe(Importer *in, int i); /* NULL: left out, or no elements */
bool onnx_has(const Importer *in, int i); /* given, perhaps without elements */
const Tensor *onnx_known(Importer *in, Value *v); /* its elements, or onnx_fail */
int64_t onnx_whole(double x); /* without its fraction, within +-2^53; NaN is 0 */
Ints onnx_known_ints(Importer *in, int i); /* of input i, at most MAX_INTS */
void onnx_result(Importer *in, int i, Value *v);
bool onnx_wants(const Importer *in, int i); /* is output i named? */
void onnx_result_empty(Importer *in, int i);

const Onnx__AttributeProto *onnx_attr(Importer *in, const char *name); /* NULL: default */
int64_t onnx_attr_int(Importer *in, const char *name, int64_t fallback);
double onnx_attr_real(Importer *in, const char *name, double fallback);
const char *onnx_attr_text(Importer *in, const char *name, const char *fallback);
/* One of some words, which stand in `choices` with a blank between */
const char *onnx_attr_choice(Importer *in, const char *name, const char *fallback,
                             const char *choices);
bool onnx_attr_ints(Importer *in, const char *name, Ints *out);
int64_t onnx_axis(Importer *in, int64_t axis, int rank); /* in range and counted from 0 */

/* ---- making values (onnx_make.c): folded when every argument is known ------ */

/* Fails when so many bytes more are too many: Note [What a file may cost] */
void onnx_reserve(Importer *in, double bytes);
Tensor *onnx_tensor_new(Importer *in, Type type);
Value *onnx_op(Importer *in, Op op, const Attrs *attrs, int nargs, Value *const *args);
Value *onnx_1(Importer *in, Op op, Value *a);
Value *onnx_2(Importer *in, Op op, Value *a, Value *b);
Value *onnx_real(Importer *in, double value); /* f32 scalar */
Value *onnx_scalar(Importer *in, DType dtype, double value);
Value *onnx_constant(Importer *in, Tensor *data);
Value *onnx_cast(Importer *in, Value *x, DType to);
Value *onnx_select(Importer *in, Value *condition, Value *a, Value *b);
Value *onnx_reshape(Importer *in, Value *x, Shape shape);
Value *onnx_transpose(Importer *in, Value *x, const int *perm);
Value *onnx_broadcast(Importer *in, Value *x, Shape shape);
Value *onnx_slice(Importer *in, Value *x, int axis, Ints begin_count_step);
Value *onnx_reverse(Importer *in, Value *x, int axis);
Value *onnx_concat(Importer *in, int axis, int n, Value *const *parts);
Value *onnx_pad(Importer *in, Value *x, const Ints *pad, Mode mode, double value);
Value *onnx_reduce(Importer *in, Op op, Value *x, Ints axes, bool keep);
Value *onnx_matmul(Importer *in, Value *a, Value *b, bool transpose_b);
/* x times matrix [out, in] along an axis */
Value *onnx_along(Importer *in, Value *x, int axis, Tensor *matrix);
Ints onnx_axes(int first, int last); /* first .. last - 1 */

#define ONNX_OPERATOR(name, builder, doc) OnnxBuilder onnx_build_##builder;
#include "frontend/onnx_operators.def"

#endif
