/* vtc run and vtc bench. A run is compiled into this process by LLVM; without LLVM,
 * or with --backend=c, and for bench, a program is built in a temporary place and
 * started; bench --layers times steps in this process. */
#include "backends/llvm/llvm.h"
#include "backends/process.h"
#include "runtime/program.h"
#include "tools/bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static Program *make_program(Context *c, bool random_weights)
{
    Graph *graph = load_model(c, c->o.models[0], !random_weights);
    Program *program;
    if (!graph)
        return NULL;
    if (!is_bound(graph))
        weights_init(graph, c->o.seed);
    return run_passes(c, graph, &program, NULL, NULL) ? program : NULL;
}

/* A program that the caller unlinks. */
static enum BuildStatus build_temporary(Context *c, const Program *program, const char **path)
{
    const char *base = getenv("TMPDIR");
    BuildOptions options = {.emit = EMIT_exe, .backend = c->backend,
                            .verbose = c->o.verbose};
    options.out = arena_printf(c->arena, "%s/vtc-run-%d", base && *base ? base : "/tmp",
                               (int)getpid());
    *path = options.out;
    process_remove_on_signal(options.out);
    return build_program(program, &options, c->diag);
}

typedef struct Words {
    char *at[16];
    int n;
} Words;

static void word(Context *c, Words *words, const char *format, const char *text)
{
    if (text)
        words->at[words->n++] = arena_printf(c->arena, "%s%s", format, text);
}

static void last_words(Context *c, Words *words)
{
    if (c->o.threads)
        word(c, words, "--threads=", arena_printf(c->arena, "%d", c->o.threads));
    words->at[words->n] = NULL;
    diag_print(c->diag, stderr, 50);
}

static int start(Context *c, Words *words)
{
    last_words(c, words);
    int code = build_spawn(words->at, false);
    unlink(words->at[0]);
    return code < 0 ? EXIT_ENVIRONMENT : code;
}

static int run_here(Context *c, const Program *program)
{
    Words words = {0};
    Blob blob = blob_pack(c->arena, program);
    const VtcModel *model = llvm_load(program, &blob, c->diag);
    if (!model)
        return context_finish(c, EXIT_ENVIRONMENT);
    word(c, &words, "", program->name);
    word(c, &words, "", c->o.input);
    last_words(c, &words);
    return vtc_program(model, words.n, words.at);
}

static int run_built(Context *c, const Program *program)
{
    Words words = {0};
    const char *path;
    enum BuildStatus status = build_temporary(c, program, &path);
    if (status != BUILD_ok)
        return context_finish(c, (int)status);
    word(c, &words, "", path);
    word(c, &words, "", c->o.input);
    return start(c, &words);
}

int command_run(Context *c)
{
    if (!c->o.input) {
        fputs("vtc: run: --input=FILE is missing\n", stderr);
        return EXIT_CALL;
    }
    if (access(c->o.input, R_OK) != 0) {
        diag_error(c->diag, (Span){0}, "cannot read '%s'", c->o.input);
        return context_finish(c, EXIT_INPUT);
    }
    bool built_in = llvm_available(diag_new(c->arena));
    bool here = c->o.backend ? c->backend == BACKEND_llvm : built_in;
    const Program *program = make_program(c, false);
    if (!program)
        return context_finish(c, EXIT_INPUT);
    return here ? run_here(c, program) : run_built(c, program);
}

/* Layers are timed in this process, against what the machine can do. */
static int bench_here(Context *c, bool json)
{
    if (!target_runs_here(c->target)) {
        fprintf(stderr, "vtc: bench: --layers: code for %s does not run here\n", c->target->name);
        return EXIT_CALL;
    }
    const Bench *bench = bench_layers(c);
    Text out = text_new(c->arena);
    if (!bench)
        return context_finish(c, EXIT_INPUT);
    if (json)
        json_bench(bench, &out);
    else
        sheet_text(sheet_of_bench(c->arena, bench), &out);
    fputs(text_str(&out), stdout);
    return context_finish(c, EXIT_OK);
}

int command_bench(Context *c)
{
    Words words = {0};
    const char *format = c->o.format ? c->o.format : "table";
    bool json = strcmp(format, "json") == 0;
    if (!json && strcmp(format, "table") != 0) {
        fprintf(stderr, "vtc: '%s' is none of: table json\n", format);
        return EXIT_CALL;
    }
    if (c->o.threads > c->o.max_threads) {
        fprintf(stderr, "vtc: bench: --threads=%d is more than --max-threads=%d\n",
                c->o.threads, c->o.max_threads);
        return EXIT_CALL;
    }
    if (c->o.layers)
        return bench_here(c, json);
    const Program *program = make_program(c, true);
    const char *path;
    if (!program)
        return context_finish(c, EXIT_INPUT);
    enum BuildStatus status = build_temporary(c, program, &path);
    if (status != BUILD_ok)
        return context_finish(c, (int)status);
    word(c, &words, "", path);
    word(c, &words, "--bench=", arena_printf(c->arena, "%d", c->o.runs));
    word(c, &words, "--json", json ? "" : NULL);
    return start(c, &words);
}
