/* vtc dump: the AST, the graph (after a pass, or what each pass changed), the
 * loops, the C. */
#include "backends/c/emit.h"
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

/* Lines that went, then lines that came, in order. */
static void print_changes(const char *pass, const Lines *was, const Lines *is)
{
    printf("--- after %s\n", pass);
    for (int i = 0; i < was->at.n; i++)
        if (!has(is, was->at.at[i]))
            printf("-%s\n", was->at.at[i]);
    for (int i = 0; i < is->at.n; i++)
        if (!has(was, is->at.at[i]))
            printf("+%s\n", is->at.at[i]);
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
    if (program && !all)
        program_print(program, &text);
    else if (!program)
        graph_print(graph, style, &text);
    if (!all) {
        fputs(text_str(&text), stdout);
        return;
    }
    if (program)
        return;
    Lines now = split(d->c->arena, &text);
    print_changes(pass->name, &d->before, &now);
    d->before = now;
}

static int dump_after(Context *c, Graph *graph)
{
    Dump d = {.c = c, .after = c->o.after};
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
    Ast *ast = frontend_parse(c->arena, c->diag, c->o.models[0]);
    ast_print(ast, &text);
    fputs(text_str(&text), stdout);
    return context_finish(c, EXIT_OK);
}

static int dump_program(Context *c, Graph *graph, bool as_c)
{
    Text text = text_new(c->arena);
    Program *program;
    if (!run_passes(c, graph, &program, NULL, NULL))
        return context_finish(c, EXIT_CALL);
    if (!program) {
        graph_print(graph, style, &text);
    } else if (as_c) {
        Abi abi = abi_of(c->arena, program, graph->name, WEIGHTS_file, 0);
        c_emit(program, &abi, &text);
    } else {
        program_print(program, &text);
    }
    fputs(text_str(&text), stdout);
    return context_finish(c, EXIT_OK);
}

int command_dump(Context *c)
{
    const char *stage = c->o.stage ? c->o.stage : c->o.stop_after ? "loops" : "graph";
    bool loops = strcmp(stage, "loops") == 0, as_c = strcmp(stage, "c") == 0;
    if (strcmp(stage, "ast") == 0)
        return dump_ast(c);
    if (!loops && !as_c && strcmp(stage, "graph") != 0) {
        fprintf(stderr, "vtc: '%s' is none of: ast graph loops c\n", stage);
        return EXIT_CALL;
    }
    Graph *graph = load_model(c, c->o.models[0], false);
    if (!graph)
        return context_finish(c, EXIT_INPUT);
    if (c->o.after)
        return dump_after(c, graph);
    if (loops || as_c)
        return dump_program(c, graph, as_c);
    Text text = text_new(c->arena);
    graph_print(graph, style, &text);
    fputs(text_str(&text), stdout);
    return context_finish(c, EXIT_OK);
}
