/* ONNX files in: a ModelProto becomes a Graph whose weights are bound.
 *
 * int64, uint32 and the other integers become i32 and saturate there (what they
 * hold in vision networks are shapes and classes); double becomes f32. Values that
 * can be known (shape arithmetic, constants) are folded while reading. */
#ifndef VTC_FRONTEND_ONNX_H
#define VTC_FRONTEND_ONNX_H

#include "ir/graph.h"

typedef struct OnnxDim {
    const char *name; /* dim_param, or "input:axis" for one without a name */
    int64_t value;
    bool used; /* out: a free dimension has that name */
} OnnxDim;

/* A graph input whose value is known when compiling. */
typedef struct OnnxKnown {
    const char *name;
    Tensor *tensor;
    int empty; /* the tensor has no elements and is NULL */
} OnnxKnown;

/* What a node makes. */
typedef struct OnnxMade {
    const char *what; /* "Conv 'name'" */
    int output;       /* of the graph */
} OnnxMade;

typedef struct OnnxOptions {
    VEC(OnnxDim) dims;
    VEC(OnnxKnown) known;
    VEC(const char *) inputs; /* out: all inputs in the file's order, less initialisers */
    VEC(const char *) wanted; /* out: inputs whose value had to be known */
    bool every_node;          /* make each node's results outputs, behind the file's */
    VEC(OnnxMade) nodes;      /* out: those results, in the file's order */
    int file_outputs;         /* out: so many outputs are the file's, the rest are nodes' */
} OnnxOptions;

/* The file with the last `n` outputs of the graph, read with every_node, added to its
 * own; whole or not at all. */
bool onnx_add_outputs(const Graph *graph, const char *path, int n, const char *to, Diag *diag);
bool onnx_is_model(const char *path); /* by its name, .onnx, or what is in it */
/* The network of a file; NULL with everything that stands in the way in diag. */
Graph *onnx_load(Arena *arena, Diag *diag, const char *path, OnnxOptions *options);
/* The same from memory; external data is looked for in `dir` (NULL: refused). */
Graph *onnx_parse(Arena *arena, Diag *diag, const char *dir, const void *data, size_t n,
                  OnnxOptions *options);
/* One TensorProto, as test data holds them. *tensor is NULL when it has no elements. */
bool onnx_read_tensor(Arena *arena, Diag *diag, const void *data, size_t n, OnnxKnown *known);
/* Newest opset that was tested. */
enum { ONNX_OPSET_OLDEST = 7, ONNX_OPSET_NEWEST = 17 };
bool onnx_is_operator(const char *name); /* one that is read: "Conv" */
/* The operators, one row each: name, opsets that changed what it takes, how it is
 * read, with tabs between; for `docs/onnx.md`. */
void onnx_print_operators(Text *out);

#endif
