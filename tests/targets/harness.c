/* Runs one network on any machine: takes its inputs, gives its outputs. The network
 * is known by its record alone (-DMODEL=NAME_model). */
#include "harness.h"
#include "vtc_abi.h"

extern const VtcModel MODEL;

enum { MOST = 64, NO_MEMORY = 101, NO_INPUT = 102, NO_OUTPUT = 103 };

static int ports(const VtcTensorInfo *info, int n, void **at)
{
    for (int i = 0; i < n; i++)
        if ((at[i] = machine_memory((size_t)info[i].bytes)) == NULL)
            return NO_MEMORY;
    return 0;
}

int harness(void)
{
    void *inputs[MOST], *outputs[MOST];
    const void *given[MOST];
    if (ports(MODEL.inputs, MODEL.input_count, inputs) != 0 ||
        ports(MODEL.outputs, MODEL.output_count, outputs) != 0)
        return NO_MEMORY;
    void *workspace = machine_memory((size_t)MODEL.workspace_bytes);
    if (workspace == NULL)
        return NO_MEMORY;
    for (int i = 0; i < MODEL.input_count; i++) {
        given[i] = inputs[i];
        if (machine_take(inputs[i], (size_t)MODEL.inputs[i].bytes) != 0)
            return NO_INPUT;
    }
    machine_mark();
    int status = MODEL.run(MODEL.weights, given, outputs, workspace, NULL);
    machine_mark();
    for (int i = 0; status == VTC_OK && i < MODEL.output_count; i++)
        if (machine_give(outputs[i], (size_t)MODEL.outputs[i].bytes) != 0)
            return NO_OUTPUT;
    return status;
}
