/* vtc build, init, check; the lists. */
#include "frontend/onnx.h"
#include "tools/command.h"
#include <stdio.h>
#include <string.h>

static int choice(const char *text, const char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    fprintf(stderr, "vtc: '%s' is none of:", text);
    for (int i = 0; i < n; i++)
        fprintf(stderr, " %s", names[i]);
    fputc('\n', stderr);
    return -1;
}

static const char *usual_output(Context *c, Emit emit, const char *name)
{
    switch (emit) {
    case EMIT_exe: return name;
    case EMIT_c: return ".";
    case EMIT_obj: return arena_printf(c->arena, "%s.o", name);
    case EMIT_lib: return arena_printf(c->arena, "lib%s.a", name);
    case EMIT_so: return arena_printf(c->arena, "lib%s.so", name);
    case EMIT_asm: return arena_printf(c->arena, "%s.s", name);
    case EMIT_llvm: return arena_printf(c->arena, "%s.ll", name);
    }
    return name;
}

/* ---- processor levels -------------------------------------------------- */

typedef struct Levels {
    Target target[MOST_LEVELS]; /* the newest first */
    Program *program[MOST_LEVELS];
    int n;
} Levels;

static bool add_level(Context *c, Levels *levels, const char *name)
{
    const char *full = strncmp(name, "x86-64-", 7) == 0 ? name
                                                        : arena_printf(c->arena, "x86-64-%s", name);
    const Target *target = target_find(full);
    int at = levels->n;
    if (!target || !cpu_level(full)) {
        fprintf(stderr, "vtc: '%s' is no level: v2, v3, v4\n", name);
        return false;
    }
    for (int i = 0; i < levels->n; i++)
        if (strcmp(levels->target[i].name, full) == 0)
            return true;
    for (; at > 0 && levels->target[at - 1].lanes < target->lanes; at--)
        levels->target[at] = levels->target[at - 1];
    levels->target[at] = *target;
    levels->n++;
    return true;
}

static bool parse_levels(Context *c, Levels *levels)
{
    char *rest = arena_strdup(c->arena, c->o.cpu);
    levels->n = 0;
    for (char *name; (name = strtok_r(rest, ",", &rest)) != NULL;)
        if (!add_level(c, levels, name))
            return false;
    if (levels->n > 1)
        targets_agree(levels->target, levels->n);
    if (levels->n == 0)
        fprintf(stderr, "vtc: --cpu names no level\n");
    return levels->n > 0;
}

/* Passes change a graph in place: each level starts from the model again. */
static bool compile_levels(Context *c, Levels *levels)
{
    for (int i = 0; i < levels->n; i++) {
        Graph *graph = load_model(c, c->o.models[0], true);
        c->target = &levels->target[i];
        if (!graph || !run_passes(c, graph, &levels->program[i], NULL, NULL))
            return false;
    }
    return true;
}

/* Which options go together is known before any pass runs. */
static bool check_options(Context *c, const BuildOptions *options, Levels *levels)
{
    const char *wrong = NULL;
    if (c->o.profile && strcmp(c->o.profile, "embedded") != 0)
        wrong = arena_printf(c->arena, "'%s' is no profile: embedded", c->o.profile);
    else if (c->o.cpu && c->o.target)
        wrong = "--cpu tells levels of x86-64 and takes no --target";
    else if (c->o.cpu && !parse_levels(c, levels))
        return false;
    else
        wrong = build_refusal(c->arena, options, &levels->target[0], levels->n);
    if (wrong)
        fprintf(stderr, "vtc: %s\n", wrong);
    return !wrong;
}

int command_build(Context *c)
{
    static const char *const emits[] = {"exe", "c", "obj", "lib", "so", "asm", "llvm", "onnx"};
    static const char *const homes[] = {"embed", "file", "c-array"};
    int emit = c->o.emit ? choice(c->o.emit, emits, 8) : EMIT_exe;
    int home = c->o.weights_as ? choice(c->o.weights_as, homes, 3) : WEIGHTS_embed;
    if (emit < 0 || home < 0)
        return EXIT_CALL;
    if (emit == 7) /* the graph itself: no program is made */
        return build_onnx(c);
    if (c->o.stop_after || c->o.keep_norms) {
        fprintf(stderr, "vtc: --%s leaves nothing to build but --emit=onnx\n",
                c->o.stop_after ? "stop-after" : "keep-norms");
        return EXIT_CALL;
    }
    Levels levels = {.target = {*c->target}, .n = 1};
    BuildOptions options = {.emit = (Emit)emit, .weights = (WeightsAs)home, .debug = c->o.debug,
                            .embedded = c->o.profile != NULL, .verbose = c->o.verbose,
                            .linker = c->o.linker};
    options.backend = emit == EMIT_llvm && !c->o.backend ? BACKEND_llvm : c->backend;
    if (!check_options(c, &options, &levels))
        return EXIT_CALL;
    if (!compile_levels(c, &levels))
        return context_finish(c, EXIT_INPUT);
    options.out = c->o.out ? c->o.out
                           : usual_output(c, options.emit, levels.program[0]->name);
    enum BuildStatus status = build_levels((const Program *const *)levels.program, levels.n,
                                           &options, c->diag);
    diag_print(c->diag, stderr, 50);
    return (int)status;
}

int command_init(Context *c)
{
    if (onnx_is_model(c->o.models[0])) {
        diag_error(c->diag, (Span){0}, "'%s' is an ONNX file: it brings its weights",
                   c->o.models[0]);
        return context_finish(c, EXIT_INPUT);
    }
    Graph *graph = frontend_load(c->arena, c->diag, c->o.models[0], c->o.model_name);
    if (!graph)
        return context_finish(c, EXIT_INPUT);
    weights_init(graph, c->o.seed);
    const char *out = c->o.out ? c->o.out
                               : arena_printf(c->arena, "%s.safetensors", graph->name);
    if (!weights_write(graph, c->diag, out))
        return context_finish(c, EXIT_ENVIRONMENT);
    return context_finish(c, EXIT_OK);
}

/* Every model is checked, in an arena of its own: of many only one is in memory. */
int command_check(Context *c)
{
    int code = EXIT_OK;
    for (int i = 0; i < c->o.model_count; i++) {
        Context work = *c;
        work.arena = arena_new();
        work.diag = diag_new(work.arena);
        Text report = text_new(work.arena);
        work.weights_report = c->o.weights ? &report : NULL;
        Graph *graph = load_model(&work, c->o.models[i], false);
        fputs(text_str(&report), stdout);
        if (context_finish(&work, graph ? EXIT_OK : EXIT_INPUT) != EXIT_OK)
            code = EXIT_INPUT;
        arena_free(work.arena);
    }
    return code;
}

int command_ops(Context *c)
{
    (void)c;
    for (int i = 0; i < OP_COUNT; i++) {
        printf("%-14s %s\n", op_info[i].name, op_info[i].doc);
        for (int a = 0; a < ATTR_COUNT; a++)
            if (op_has((Op)i, (AttrId)a))
                printf("    %-12s %s\n", attr_info[a].name, attr_info[a].doc);
    }
    return EXIT_OK;
}

int command_passes(Context *c)
{
    (void)c;
    for (int i = 0; i < pass_count; i++)
        printf("%-22s %-9s %s\n", pass_table[i].name,
               pass_table[i].required ? "required" : "optional", pass_table[i].doc);
    return EXIT_OK;
}
