/* A network of several processor levels: asks the processor and runs the newest level
 * that it and the system have. */
#include "backends/c/emit.h"

static void offer(Text *out)
{
    text_add(out,
             "/* Leaves 1 (ecx), 7 (ebx) and 0x80000001 (ecx) of cpuid; xcr0: the registers\n"
             " * that the system keeps. */\n"
             "typedef struct Offer {\n    unsigned leaf1, leaf7, leaf81, xcr0;\n} Offer;\n\n"
             "static Offer offer(void)\n{\n    Offer o = {0, 0, 0, 0};\n"
             "    unsigned eax, ebx, ecx, edx;\n"
             "    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx))\n        o.leaf1 = ecx;\n"
             "    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))\n        o.leaf7 = ebx;\n"
             "    if (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx))\n        o.leaf81 = ecx;\n"
             "    if (o.leaf1 & 1u << 27)\n"
             "        __asm__ volatile(\"xgetbv\" : \"=a\"(o.xcr0), \"=d\"(edx) : \"c\"(0));\n"
             "    return o;\n}\n\n"
             "static int has(Offer o, unsigned leaf1, unsigned leaf7, unsigned leaf81,\n"
             "               unsigned xcr0)\n{\n"
             "    return (o.leaf1 & leaf1) == leaf1 && (o.leaf7 & leaf7) == leaf7 &&\n"
             "           (o.leaf81 & leaf81) == leaf81 && (o.xcr0 & xcr0) == xcr0;\n}\n\n");
}

static void chosen(const Abi *abi, Text *out)
{
    for (int i = 0; i < abi->levels; i++)
        text_printf(out, "extern const VtcModel %s_model;\n", abi->level[i].name);
    text_add(out, "\nstatic const VtcModel *chosen(void)\n{\n    Offer o = offer();\n");
    for (int i = 0; i < abi->levels; i++) {
        const CpuLevel *n = abi->level[i].needs;
        text_printf(out, "    if (has(o, 0x%xu, 0x%xu, 0x%xu, 0x%xu))\n"
                         "        return &%s_model;\n",
                    n->leaf1, n->leaf7, n->leaf81, n->xcr0, abi->level[i].name);
    }
    text_add(out, "    return NULL;\n}\n\n");
}

void c_levels(const Abi *abi, Text *out)
{
    text_add(out, "#include <cpuid.h>\n#include <stddef.h>\n\n");
    offer(out);
    chosen(abi, out);
    text_add(out,
             "/* VTC_ERR_SYSTEM: the processor is older than every level. */\n"
             "static int run_all(const void *weights, const void *const *inputs,\n"
             "    void *const *outputs, void *workspace, const VtcExecutor *executor)\n{\n"
             "    const VtcModel *model = chosen();\n"
             "    return model == NULL ? VTC_ERR_SYSTEM\n"
             "                         : model->run(weights, inputs, outputs, workspace, executor);\n"
             "}\n\n");
}
