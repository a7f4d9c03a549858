/* Symbols, header text and reflection record of a compiled network. */
#include "backends/abi.h"
#include <ctype.h>
#include <string.h>

int weights_align(const Target *target, size_t bytes)
{
    enum { LINE = 64, PAGE = 4096, HUGE_PAGE = 2 << 20, WORTH = 4 * HUGE_PAGE };
    if (target->freestanding || bytes < PAGE)
        return LINE;
    return bytes < WORTH ? PAGE : HUGE_PAGE;
}

const char *abi_identifier(Arena *arena, const char *name)
{
    char *id = arena_printf(arena, "%s%s", isdigit((unsigned char)name[0]) ? "n" : "", name);
    for (char *at = id; *at; at++)
        if (!isalnum((unsigned char)*at))
            *at = '_';
    return id;
}

void abi_check_emittable(const Program *program)
{
    Text errors = text_new(program->arena);
    if (!program_emittable(program, &errors))
        bug("a program that cannot be emitted: %s", text_str(&errors));
}

const char *abi_step_symbol(Arena *arena, const Step *step, int i)
{
    return arena_printf(arena, "step_%d_%s", i, abi_identifier(arena, step->name));
}

const Step *abi_first_step(const Program *program, const Kernel *kernel)
{
    for (int i = 0; i < program->steps.n; i++)
        if (program->steps.at[i].kernel == kernel)
            return &program->steps.at[i];
    return NULL;
}

/* Comments leave it out: the code is the same wherever the model's files lie. */
static int shared_folder(const Program *program)
{
    const char *first = NULL;
    size_t n = 0;
    for (int i = 0; i < program->steps.n; i++) {
        const Value *v = program->steps.at[i].value;
        const char *path = v && v->span.source ? v->span.source->path : NULL;
        if (path && !first) {
            first = path;
            n = strlen(path);
        }
        for (size_t k = 0; path && k < n; k++)
            if (path[k] != first[k])
                n = k;
    }
    while (n && first[n - 1] != '/')
        n--;
    return (int)n;
}

Abi abi_of(Arena *arena, const Program *program, const char *name, WeightsAs weights,
           uint64_t weights_hash)
{
    Abi abi = {.name = abi_identifier(arena, name), .weights = weights,
               .weights_hash = weights_hash, .outputs = program->graph->outputs.n,
               .inputs = graph_input_count(program->graph),
               .input = graph_inputs(program->graph, arena), .folder = shared_folder(program)};
    char *upper = arena_strdup(arena, abi.name);
    for (char *at = upper; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    abi.upper = upper;
    return abi;
}

const CpuLevel *cpu_level(const char *target)
{
    /* As gcc, clang and the System V ABI define the levels; xcr0: bits of the
     * registers that the system saves. */
    enum { V2 = 0x00982201, V3 = V2 | 0x38401000, V3_LEAF7 = 0x00000128 };
    static const CpuLevel levels[] = {
        {"x86-64-v2", V2, 0, 0x01, 0},
        {"x86-64-v3", V3, V3_LEAF7, 0x21, 0x06},
        {"x86-64-v4", V3, V3_LEAF7 | 0xd0030000u, 0x21, 0xe6},
    };
    for (int i = 0; i < 3; i++)
        if (strcmp(levels[i].target, target) == 0)
            return &levels[i];
    return NULL;
}

static const char *parameter(const Program *p, const char *name)
{
    return abi_identifier(p->arena, name);
}

void abi_prototype(const Program *p, const Abi *abi, Text *out)
{
    text_printf(out, "int %s_run(const void *weights", abi->name);
    for (int i = 0; i < abi->inputs; i++)
        text_printf(out, ", const %s *in_%s",
                    dtype_info[abi->input[i]->type.dtype].c_type,
                    parameter(p, abi->input[i]->attr.name));
    for (int i = 0; i < abi->outputs; i++) {
        const Output *o = &p->graph->outputs.at[i];
        text_printf(out, ", %s *out_%s", dtype_info[o->value->type.dtype].c_type,
                    parameter(p, o->name));
    }
    text_add(out, ",\n    void *workspace, const VtcExecutor *executor)");
}

static void describe(const char *kind, const char *name, const Type *type, Text *out)
{
    text_printf(out, " *   %s %s: ", kind, name);
    text_type(out, type);
    text_printf(out, ", %lld bytes, dense, last dimension fastest\n",
                (long long)type_bytes(type));
}

/* Everything is known before the network runs: what the compiler measured. */
static void bounds(const Program *p, const Abi *abi, Text *out)
{
    const AbiBounds *b = abi->bounds;
    text_printf(out, "\n/* Bounds, measured with the flags of %s:\n"
                     " *   workspace %10lld bytes\n *   weights   %10lld\n"
                     " *   constants %10lld\n *   code      %10lld\n"
                     " *   stack     %10lld, of the longest chain of calls; by function:\n",
                p->target->name, (long long)p->workspace_bytes, (long long)p->weights_bytes,
                (long long)b->constants, (long long)b->code, (long long)b->stack);
    for (int i = 0; i < b->stacks.n; i++)
        text_printf(out, " *     %6lld %s\n", (long long)b->stacks.at[i].bytes,
                    b->stacks.at[i].function);
    text_add(out, " * No recursion, no arrays of variable length, no library but memcpy and\n"
                  " * memset where the compiler calls them. Loops have constant bounds. */\n");
}

void abi_header(const Program *p, const Abi *abi, Text *out)
{
    text_printf(out, "/* %s: a compiled network for %s.\n *\n", p->name, p->target->name);
    for (int i = 0; i < abi->inputs; i++)
        describe("input", abi->input[i]->attr.name, &abi->input[i]->type, out);
    for (int i = 0; i < abi->outputs; i++)
        describe("output", p->graph->outputs.at[i].name,
                 &p->graph->outputs.at[i].value->type, out);
    text_printf(out,
                " *\n * workspace: %s_WORKSPACE_BYTES bytes, contents do not matter; weights:\n"
                " * %s_WEIGHTS_BYTES bytes as packed by the compiler; both aligned to\n"
                " * %s_ALIGN. executor NULL: the calling thread does everything; else at\n"
                " * most %s_MAX_THREADS threads. Re-entrant, allocates nothing.\n%s"
                " * Returns VTC_OK or a VtcStatus. */\n",
                abi->upper, abi->upper, abi->upper, abi->upper,
                program_has_products(p)
                    ? " *\n * Large products call cblas_sgemm: link with OpenBLAS (pkg-config --libs\n"
                      " * openblas) or another BLAS. It has memory of its own; a run tells OpenBLAS\n"
                      " * to use one thread, for the whole process.\n *\n"
                    : "");
    if (abi->bounds)
        bounds(p, abi, out);
    text_printf(out, "#ifndef VTC_NETWORK_%s_H\n#define VTC_NETWORK_%s_H\n\n", abi->upper,
                abi->upper);
    text_add(out, "#include \"vtc_abi.h\"\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    text_printf(out, "enum {\n    %s_WORKSPACE_BYTES = %lld,\n    %s_WEIGHTS_BYTES = %lld,\n",
                abi->upper, (long long)p->workspace_bytes, abi->upper,
                (long long)p->weights_bytes);
    if (abi->bounds)
        text_printf(out, "    %s_STACK_BYTES = %lld,\n    %s_CODE_BYTES = %lld,\n"
                         "    %s_CONSTANT_BYTES = %lld,\n",
                    abi->upper, (long long)abi->bounds->stack, abi->upper,
                    (long long)abi->bounds->code, abi->upper, (long long)abi->bounds->constants);
    text_printf(out, "    %s_ALIGN = 64,\n    %s_MAX_THREADS = %d\n};\n\n", abi->upper,
                abi->upper, p->max_threads);
    abi_prototype(p, abi, out);
    text_printf(out, ";\n\n/* Names, shapes, sizes, preprocessing, labels. */\n"
                     "extern const VtcModel %s_model;\n", abi->name);
    if (abi->weights != WEIGHTS_file)
        text_printf(out, "\n/* The packed weights, linked in. */\n"
                         "extern const unsigned char %s_weights[];\n", abi->name);
    text_add(out, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

/* ---- reflection -------------------------------------------------------- */

static void reals(const double *at, int n, Text *out)
{
    text_add(out, "{");
    for (int i = 0; i < n; i++)
        text_printf(out, "%s%.9gf", i ? ", " : "",
                    at[i] == (double)(int)at[i] ? at[i] + 0.0 : at[i]);
    text_add(out, "}");
}

static void float_list(const double *at, int n, Text *out)
{
    Text raw = text_new(out->arena);
    reals(at, n, &raw);
    /* 1f is no C number: write 1.0f */
    for (const char *c = text_str(&raw); *c; c++) {
        if (*c == 'f' && c[-1] != '}') {
            const char *begin = c;
            while (begin > text_str(&raw) && begin[-1] != ' ' && begin[-1] != '{')
                begin--;
            bool whole = true;
            for (const char *d = begin; d < c; d++)
                whole = whole && *d != '.' && *d != 'e';
            text_add(out, whole ? ".0f" : "f");
        } else {
            text_addn(out, c, 1);
        }
    }
}

static void preprocess(const Program *p, const Abi *abi, Text *out)
{
    for (int i = 0; i < p->graph->preprocess.n; i++) {
        const Preprocess *q = &p->graph->preprocess.at[i];
        int port = 0;
        for (int k = 0; k < abi->inputs; k++)
            if (abi->input[k] == q->input)
                port = k;
        text_printf(out, "static const VtcPreprocess %s_preprocess_%d = {\n", abi->name, port);
        text_printf(out, "    .resize_short = %d, .resize_h = %d, .resize_w = %d,\n",
                    q->resize_short, q->resize_h, q->resize_w);
        text_printf(out, "    .filter = %s, .crop_h = %d, .crop_w = %d,\n",
                    q->filter == MODE_nearest ? "VTC_NEAREST" : "VTC_BILINEAR", q->crop_h,
                    q->crop_w);
        text_printf(out, "    .order = %s, .range = 255.0f,\n    .mean = ",
                    q->order == ORDER_rgb ? "VTC_RGB" : q->order == ORDER_bgr ? "VTC_BGR"
                                                                              : "VTC_GRAY");
        float_list(q->mean, 4, out);
        text_add(out, ", .std = ");
        float_list(q->std, 4, out);
        text_add(out, "};\n");
    }
}

static void labels(const Program *p, const Abi *abi, Text *out)
{
    for (int i = 0; i < abi->outputs; i++) {
        const Output *o = &p->graph->outputs.at[i];
        if (!o->labels.n)
            continue;
        text_printf(out, "static const char *const %s_labels_%d[] = {\n", abi->name, i);
        for (int k = 0; k < o->labels.n; k++) {
            text_add(out, "    ");
            text_quoted(out, o->labels.at[k]);
            text_add(out, ",\n");
        }
        text_add(out, "};\n");
    }
}

static void tensor_info(const char *name, const Type *type, Text *out)
{
    text_add(out, "    {.name = ");
    text_quoted(out, name);
    text_printf(out, ", .dtype = VTC_%s, .rank = %d, .dims = {", dtype_info[type->dtype].name,
                type->shape.rank);
    for (int d = 0; d < type->shape.rank; d++)
        text_printf(out, "%s%lld", d ? ", " : "", (long long)type->shape.dim[d]);
    text_printf(out, "%s}, .bytes = %lld", type->shape.rank ? "" : "0",
                (long long)type_bytes(type));
}

static bool has_preprocess(const Program *p, const Value *input)
{
    for (int i = 0; i < p->graph->preprocess.n; i++)
        if (p->graph->preprocess.at[i].input == input)
            return true;
    return false;
}

static void tensor_infos(const Program *p, const Abi *abi, Text *out)
{
    text_printf(out, "static const VtcTensorInfo %s_inputs[] = {\n", abi->name);
    for (int i = 0; i < abi->inputs; i++) {
        tensor_info(abi->input[i]->attr.name, &abi->input[i]->type, out);
        if (has_preprocess(p, abi->input[i]))
            text_printf(out, ", .preprocess = &%s_preprocess_%d", abi->name, i);
        text_add(out, "},\n");
    }
    if (abi->inputs == 0) /* C has no array of nothing */
        text_add(out, "    {.name = \"\"},\n");
    text_printf(out, "};\nstatic const VtcTensorInfo %s_outputs[] = {\n", abi->name);
    for (int i = 0; i < abi->outputs; i++) {
        const Output *o = &p->graph->outputs.at[i];
        tensor_info(o->name, &o->value->type, out);
        if (o->labels.n)
            text_printf(out, ", .labels = %s_labels_%d, .label_count = %d", abi->name, i,
                        o->labels.n);
        text_add(out, "},\n");
    }
    text_add(out, "};\n");
}

/* The levels have different steps: together they show none. */
static void step_names(const Program *p, const Abi *abi, Text *out)
{
    if (abi->levels)
        return;
    text_printf(out, "static const char *const %s_step_names[] = {\n", abi->name);
    for (int i = 0; i < p->steps.n; i++) {
        text_add(out, "    ");
        text_quoted(out, p->steps.at[i].name);
        text_add(out, ",\n");
    }
    text_add(out, "};\n\n");
}

void abi_reflection(const Program *p, const Abi *abi, Text *out)
{
    preprocess(p, abi, out);
    labels(p, abi, out);
    tensor_infos(p, abi, out);
    step_names(p, abi, out);
    text_printf(out, "const VtcModel %s_model = {\n    .abi_version = VTC_ABI_VERSION,\n"
                     "    .align = 64,\n    .name = ", abi->name);
    text_quoted(out, p->name);
    text_printf(out, ",\n    .inputs = %s_inputs,\n    .outputs = %s_outputs,\n"
                     "    .input_count = %d,\n    .output_count = %d,\n"
                     "    .max_threads = %d,\n",
                abi->name, abi->name, abi->inputs, abi->outputs, p->max_threads);
    if (!abi->levels)
        text_printf(out, "    .step_count = %d,\n    .step_names = %s_step_names,\n"
                         "    .run_steps = run_steps,\n", p->steps.n, abi->name);
    text_printf(out, "    .workspace_bytes = %lldu,\n    .weights_bytes = %lldu,\n"
                     "    .weights_hash = UINT64_C(0x%016llx),\n",
                (long long)p->workspace_bytes, (long long)p->weights_bytes,
                (unsigned long long)abi->weights_hash);
    if (abi->weights == WEIGHTS_file)
        text_add(out, "    .weights = NULL,\n");
    else
        text_printf(out, "    .weights = %s_weights,\n", abi->name);
    text_printf(out, "    .run = run_all,\n};\n");
}
