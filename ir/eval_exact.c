/* Every operator in double, by plain loops: the meaning of the language. */
#include "ir/eval.h"
#include "ir/resize.h"
#include <string.h>
#include <tgmath.h>

#define REAL double
#define ELEMENTS(result) ((result)->exact)
#define MODE_NAME(name) exact_##name

#include "ir/eval_move.inc"
#include "ir/eval_map.inc"
#include "ir/eval_reduce.inc"
#include "ir/eval_table.inc"
