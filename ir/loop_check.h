/* What the verifier (loop_verify.c) asks of a single expression (loop_types.c) and
 * of a step (loop_steps.c). */
#ifndef VTC_IR_LOOP_CHECK_H
#define VTC_IR_LOOP_CHECK_H

#include "ir/loop.h"

/* Is the type of an expression right for its operands' types? Looks one level
 * deep; operands must be there. */
bool expr_types_fit(const Expr *e);
/* The rule that keeps an emitter from spelling this expression, or NULL. */
const char *expr_unspellable(const Expr *e, const Target *target);
void step_check(const Program *program, const Step *step, Text *errors);

#endif
