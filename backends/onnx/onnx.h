/* ONNX files out: a Graph with its weights becomes a ModelProto.
 *
 * The file means what the graph means, before or after graph passes: layouts, groups
 * and places are not part of it, the members of a group are its nodes. What ONNX has
 * no operator for is spelled by several, which the importer reads back as one. The
 * same graph gives the same bytes, and so does the file of a graph that was read, read and
 * written again. */
#ifndef VTC_BACKENDS_ONNX_H
#define VTC_BACKENDS_ONNX_H

#include "ir/graph.h"

/* Every weight has its elements. Whole or not at all; false with diag. */
bool onnx_export(const Graph *graph, const char *path, Diag *diag);
/* The n bytes of that file; NULL with diag. */
const uint8_t *onnx_export_bytes(const Graph *graph, size_t *n, Diag *diag);
/* Is there a way to write it? For the test that names what is missing. */
bool onnx_exports(Op op);
/* The ONNX operators it becomes, as the docs say them: "Sqrt, Reciprocal". */
const char *onnx_spelling(Op op);

#endif
