/* What exporters spell by many nodes, recognised after reading.
 *
 * A rule looks at one value and returns what computes the same, or NULL. It may make
 * new values before it; what nobody reads any longer is removed at the end. Rules are
 * exact up to rounding: they never look at data but at constants. */
#ifndef VTC_FRONTEND_ONNX_PATTERNS_H
#define VTC_FRONTEND_ONNX_PATTERNS_H

#include "ir/graph.h"

typedef Value *OnnxRule(Graph *graph, Value *v);

void onnx_recognise(Graph *graph);

/* ---- matching (onnx_patterns.c) ------------------------------------------- */

bool match_number(const Value *v, double *number); /* one element, known */
double match_decimal(double x); /* the shortest decimal that is that f32: 1e-5 was meant */
bool match_is(const Value *v, double number);      /* that one, as f32 has it */
bool match_all(const Value *v, double number);     /* every element known and that */
/* v = op(rest, number) in any order of the two */
bool match_with(const Value *v, Op op, double number, Value **rest);
bool match_scaled(const Value *v, double factor, Value **rest); /* times or divided */
bool match_source(const Value *v); /* a weight or constant with its elements */

Value *rule_add(Graph *graph, Value *at, Op op, const Attrs *attrs, int n, Value *const *args);
Value *rule_reshaped(Graph *graph, Value *at, Value *x, Shape shape);
Value *rule_transposed(Graph *graph, Value *at, Value *x, const int *perm);
/* A source of the same elements in another shape; the same name where `at` alone
 * reads it. `turned`: a matrix transposed. NULL when x is none. */
Value *rule_source(Graph *graph, Value *at, Value *x, Shape shape, bool turned);

/* ---- rules (onnx_patterns_norm.c, onnx_patterns_product.c) ------------------ */

OnnxRule rule_softmax, rule_layer_norm, rule_layer_norm_affine, rule_group_norm,
    rule_group_norm_affine, rule_batch_norm;
OnnxRule rule_matmul_transposed, rule_linear, rule_linear_bias, rule_attention;

#endif
