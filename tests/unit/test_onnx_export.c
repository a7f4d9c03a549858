/* Every operator of the graph has a spelling in ONNX. */
#include "backends/onnx/onnx.h"
#include "unit.h"

static void test_every_operator(void)
{
    for (int op = 0; op < OP_COUNT; op++) {
        if (!onnx_exports((Op)op))
            printf("\nno ONNX spelling of %s (backends/onnx/operators.c)\n", op_info[op].name);
        CU_ASSERT(onnx_exports((Op)op));
        CU_ASSERT(onnx_spelling((Op)op) != NULL);
    }
}

static const UnitTest tests[] = {{"every operator", test_every_operator}};

int main(void)
{
    return UNIT_RUN(tests);
}
