/* The program passes; their rows, in order, are in passes.def. */
#ifndef VTC_PASSES_PROGRAM_PASSES_H
#define VTC_PASSES_PROGRAM_PASSES_H

#include "ir/loop.h"

void pass_contract(Program *program);
void pass_simplify(Program *program);
void pass_unroll(Program *program);
void pass_scalarize(Program *program);
void pass_legalize(Program *program);

#endif
