/* Every operator in float; large products by OpenBLAS. */
#include "ir/eval.h"
#include "ir/resize.h"
#include <string.h>
#include <tgmath.h>

#define REAL float
#define ELEMENTS(result) ((result)->quick)
#define MODE_NAME(name) quick_##name

#include "ir/eval_move.inc"
#include "ir/eval_map.inc"
#include "ir/eval_reduce.inc"
#include "ir/eval_table.inc"
