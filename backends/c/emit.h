/* The C back end: spells an emittable Program. No decisions are made here but what gcc has to
 * be told to keep in registers. */
#ifndef VTC_BACKENDS_C_EMIT_H
#define VTC_BACKENDS_C_EMIT_H

#include "backends/abi.h"

/* NAME.c; it includes "NAME.h" and "vtc_abi.h". */
void c_emit(const Program *program, const Abi *abi, Text *out);

/* shared by its files */
void c_levels(const Abi *abi, Text *out);
void c_prelude(const Program *program, Text *out);
void c_expr(const Kernel *kernel, const Expr *expr, Text *out);
void c_index(const Index *index, Text *out);
void c_type(LType type, Text *out);

#endif
