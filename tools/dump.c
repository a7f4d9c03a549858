/* vtc dump: the AST, the graph (after a pass, or what each pass changed), the
 * loops, what each back end makes of them. */
#include "backends/c/emit.h"
#include "backends/llvm/llvm.h"
#include "frontend/onnx.h"
#include "support/changes.h"
#include "tools/command.h"
#include <stdio.h>
#include <string.h>

typedef struct Lines {
    VEC(const char *) at;
} Lines;

typedef struct Dump {
    Context *c;
    const char *after; /* a pass's name or "all" */
    Lines before;      /* of the graph as it was, for "all" */
    const char *loops; /* the program as it was, for "all" */
    bool found;
} Dump;

static const PrintStyle style = {.locations = true, .layouts = true};

static Lines split(Arena *arena, const Text *text)
{
    Lines lines = {0};
    char *copy = arena_strdup(arena, text_str(text)), *rest = copy;
    for (char *line; (line = strtok_r(rest, "\n", &rest)) != NULL;)
        VEC_PUSH(arena, lines.at, (const char *)line);
    return lines;
}

static bool has(const Lines *lines, const char *line)
{
    for (int i = 0; i < lines->at.n; i++)
        if (strcmp(lines->at.at[i], line) == 0)
            return true;
    return false;
}

static void add_missing(Text *out, char sign, const Lines *lines, const Lines *other)
{
    for (int i = 0; i < lines->at.n; i++)
        if (!has(other, lines->at.at[i]))
            text_printf(out, "%c%s\n", sign, lines->at.at[i]);
}

static void print_changes(const char *pass, const Text *changes)
{
    if (*text_str(changes))
        printf("--- after %s\n%s", pass, text_str(changes));
}

/* Lines that went, then lines that came; values may stand in any order that is valid. */
static void print_graph_changes(Dump *d, const char *pass, const Text *text)
{
    Text changes = text_new(d->c->arena);
    Lines now = split(d->c->arena, text);
    add_missing(&changes, '-', &d->before, &now);
    add_missing(&changes, '+', &now, &d->before);
    print_changes(pass, &changes);
    d->before = now;
}

/* Lines that went and that came in their order, by kernel. */
static void print_loop_changes(Dump *d, const char *pass, const Text *text)
{
    Text changes = text_new(d->c->arena);
    text_changes(&changes, d->loops, text_str(text), "  kernel ");
    print_changes(pass, &changes);
    d->loops = text_str(text);
}

static void after_pass(void *context, const PassInfo *pass, const Graph *graph,
                       const Program *program)
{
    Dump *d = context;
    bool all = strcmp(d->after, "all") == 0;
    if (!all && strcmp(d->after, pass->name) != 0)
        return;
    d->found = true;
    Text text = text_new(d->c->arena);
    if (program)
        program_print(program, &text);
    else
        graph_print(graph, style, &text);
    if (!all)
        fputs(text_str(&text), stdout);
    else if (program)
        print_loop_changes(d, pass->name, &text);
    else
        print_graph_changes(d, pass->name, &text);
}

static int dump_after(Context *c, Graph *graph)
{
    Dump d = {.c = c, .after = c->o.after, .loops = ""};
    Text text = text_new(c->arena);
    Program *program;
    if (strcmp(d.after, "all") != 0 && pass_find(d.after) < 0) {
        fprintf(stderr, "vtc: --after: there is no pass '%s' (see: vtc passes)\n", d.after);
        return EXIT_CALL;
    }
    graph_print(graph, style, &text);
    d.before = split(c->arena, &text);
    if (!run_passes(c, graph, &program, after_pass, &d))
        return context_finish(c, EXIT_CALL);
    if (!d.found)
        diag_error(c->diag, (Span){0}, "pass '%s' did not run", d.after);
    return context_finish(c, EXIT_OK);
}

static int dump_ast(Context *c)
{
    Text text = text_new(c->arena);
    if (onnx_is_model(c->o.models[0])) {
        diag_error(c->diag, (Span){0}, "'%s' is an ONNX file and has no syntax tree: "
                                       "--stage=graph, or vtc import", c->o.models[0]);
        return context_finish(c, EXIT_INPUT);
    }
    Ast *ast = frontend_parse(c->arena, c->diag, c->o.models[0]);
    ast_print(ast, &text);
    fputs(text_str(&text), stdout);
    return context_finish(c, EXIT_OK);
}

typedef enum Stage { STAGE_ast, STAGE_graph, STAGE_loops, STAGE_c, STAGE_llvm, STAGE_asm } Stage;
static const char *const stage_name[] = {"ast", "graph", "loops", "c", "llvm", "asm"};
enum { STAGES = sizeof stage_name / sizeof *stage_name };

static bool print_program(Context *c, const Program *program, Stage stage, Text *text)
{
    Abi abi = abi_of(c->arena, program, program->name, WEIGHTS_file, 0);
    LlvmOptions options = {.output = stage == STAGE_asm ? LLVM_assembly : LLVM_text,
                           .as_emitted = stage == STAGE_llvm};
    if (stage == STAGE_llvm || stage == STAGE_asm)
        return llvm_print(program, &abi, &options, text, c->diag);
    if (stage == STAGE_c)
        c_emit(program, &abi, text);
    else
        program_print(program, text);
    return true;
}

static int dump_program(Context *c, Graph *graph, Stage stage)
{
    Text text = text_new(c->arena);
    Program *program;
    if (!run_passes(c, graph, &program, NULL, NULL))
        return context_finish(c, EXIT_CALL);
    if (!program)
        graph_print(graph, style, &text);
    else if (!print_program(c, program, stage, &text))
        return context_finish(c, EXIT_ENVIRONMENT);
    fputs(text_str(&text), stdout);
    return context_finish(c, EXIT_OK);
}

static int find_stage(const char *name)
{
    for (int i = 0; i < STAGES; i++)
        if (strcmp(stage_name[i], name) == 0)
            return i;
    fprintf(stderr, "vtc: '%s' is none of:", name);
    for (int i = 0; i < STAGES; i++)
        fprintf(stderr, " %s", stage_name[i]);
    fputc('\n', stderr);
    return -1;
}

int command_dump(Context *c)
{
    int stage = find_stage(c->o.stage ? c->o.stage : c->o.stop_after ? "loops" : "graph");
    if (stage < 0)
        return EXIT_CALL;
    if (stage == STAGE_ast)
        return dump_ast(c);
    Graph *graph = load_model(c, c->o.models[0], false);
    if (!graph)
        return context_finish(c, EXIT_INPUT);
    if (c->o.after)
        return dump_after(c, graph);
    if (stage != STAGE_graph)
        return dump_program(c, graph, (Stage)stage);
    Text text = text_new(c->arena);
    graph_print(graph, style, &text);
    fputs(text_str(&text), stdout);
    return context_finish(c, EXIT_OK);
}
