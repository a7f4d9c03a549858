/* What the files of the ONNX exporter share; nobody else includes this.
 *
 * Note [Names in an ONNX file]
 * A node has the label of its value, made unique by _1, _2, ..; helper nodes of a
 * value come before its last node, which alone has the plain name. So a file that is
 * read, its helpers recognised, and written again gets the same names. */
#ifndef VTC_BACKENDS_ONNX_WRITER_H
#define VTC_BACKENDS_ONNX_WRITER_H

#include "backends/onnx/onnx.h"
#include "onnx.pb-c.h"
#include "support/strmap.h"

typedef Onnx__NodeProto Node;

typedef struct Writer {
    Arena *arena;
    const Graph *graph;
    VEC(Node *) nodes;
    VEC(Onnx__TensorProto *) initializers; /* in order of first use */
    VEC(Onnx__ValueInfoProto *) inputs;
    VEC(Onnx__ValueInfoProto *) outputs;
    VEC(Onnx__TensorProto *) constants; /* helpers, not yet named: see constant_add */
    StrMap node_names, tensor_names; /* those taken */
    const char **tensor;             /* by value id: its tensor's name, NULL: none yet */
    bool *live;                      /* by value id: does an output need it? */
    bool *written;                   /* by value id: is it an initializer? */
    int opset;                       /* the oldest that has all nodes */

    const Value *value; /* being written */
    const char *name;   /* of its last node */
} Writer;

typedef void ValueWriter(Writer *w, const char *operators);

/* ---- what writers say (writer.c) ----------------------------------------- */

const char *writer_arg(Writer *w, int i); /* tensor of argument i of the value */
/* The last node of the value, on all its arguments, or on these. */
Node *writer_plain(Writer *w, const char *operator);
Node *writer_last(Writer *w, const char *operator, int n, const char *const *inputs);
/* A helper node; the name of its result. "" is an input left out. */
const char *writer_node(Writer *w, const char *operator, int n, const char *const *inputs);
const char *writer_unary(Writer *w, const char *operator, const char *x);
const char *writer_binary(Writer *w, const char *operator, const char *a, const char *b);
Node *writer_node_of(Writer *w); /* the node made last, to give it attributes */
/* The reader makes the value at this helper, not at the last node: that has its name. */
void writer_core(Writer *w, Node *node);
void writer_name_constants(Writer *w); /* at the end */

const char *writer_ints(Writer *w, const Ints *ints); /* int64 initializers */
const char *writer_real(Writer *w, double value);     /* f32 scalar */
const char *writer_fill(Writer *w, Shape shape, double value); /* f32 */
const char *writer_constant(Writer *w, const Tensor *data);
const char *writer_shaped(Writer *w, const char *x, int rank, const int64_t *dims);
/* The inputs of a Slice of x: start, shape and step of `a`, whole axes left out. */
void writer_slice(Writer *w, const Value *x, const Attrs *a, const char **inputs);
const char *writer_turned(Writer *w, const char *x, int rank, const int64_t *perm);

void node_int(Writer *w, Node *node, const char *name, int64_t value);
void node_ints(Writer *w, Node *node, const char *name, const Ints *values);
void node_real(Writer *w, Node *node, const char *name, double value);
void node_text(Writer *w, Node *node, const char *name, const char *value);

/* ---- the file (export.c) ---------------------------------------------------- */

const char *writer_source(Writer *w, const Value *v); /* an initializer, once */
const char *writer_unique(Writer *w, StrMap *names, const char *wish);
/* Argument 0, or what it is cut from: slices of slices are one node. */
const Value *writer_cut(const Value *v);
Onnx__TensorProto *writer_tensor(Writer *w, const char *name, const Tensor *data, Type type);
int onnx_type_of(DType dtype);

/* ---- operators (operators.c, spellings.c) ------------------------------------ */

void write_value(Writer *w, const Value *v);
ValueWriter write_linear, write_matmul, write_attention, write_layer_norm, write_group_norm,
    write_gelu, write_silu, write_hard_swish, write_vecdot, write_unfold, write_rsqrt, write_ne, write_one_hot;

#endif
