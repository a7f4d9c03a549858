/* vtc: the command. */
#include "tools/command.h"
#include "backends/llvm/llvm.h"
#include "backends/process.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Command commands[] = {
    {"build", "MODEL [-o OUT]", "compile to a program, C, an object or a library",
     command_build},
    {"run", "MODEL --input=IMAGE|TENSOR.npy", "compile in this process and run",
     command_run},
    {"check", "MODEL...", "diagnostics only", command_check},
    {"report", "[MODEL...]", "multiply-accumulates, parameters and memory by layer",
     command_report},
    {"dump", "MODEL", "the program at a stage, or after passes", command_dump},
    {"verify", "MODEL", "every stage against the reference", command_verify},
    {"import", "MODEL.onnx [-o NET.vt]", "an ONNX file as a text, NET.safetensors beside it",
     command_import},
    {"init", "MODEL -o W.safetensors", "random weights by seed", command_init},
    {"bench", "MODEL", "build and time", command_bench},
    {"tune", "MODEL --time=SECONDS -o FILE", "schedules by measurement, for --tuned",
     command_tune},
    {"ops", "", "the operators of the graph IR", command_ops},
    {"targets", "", "the targets", command_targets},
    {"passes", "", "the passes, in order", command_passes},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* ---- options: one row each --------------------------------------------- */

typedef enum Kind { K_text, K_int, K_flag, K_skip, K_dim, K_seed } Kind;

typedef struct OptionRow {
    const char *name, *value, *commands, *doc;
    Kind kind;
    size_t offset;
} OptionRow;

#define ROW(name, value, commands, kind, field, doc)                           \
    {name, value, commands, doc, kind, offsetof(CommandOptions, field)}
#define COMPILES "build run dump verify bench report"

static const OptionRow options[] = {
    ROW("--model", "NAME", "build run check report dump verify init bench tune", K_text, model_name,
        "which model of a file that has several"),
    ROW("--emit", "exe|c|obj|lib|so|asm|llvm|onnx", "build", K_text, emit, "what to write (exe)"),
    ROW("--backend", "c|llvm", "build run verify bench tune", K_text, backend,
        "who writes the code (c; verify: both; run: llvm)"),
    ROW("--profile", "embedded", "build", K_text, profile,
        "stack, code and loop bounds told: see docs/embedded.md"),
    ROW("--linker", "lld|COMMAND", "build", K_text, linker,
        "who links (the system's linker; lld where there is none)"),
    ROW("-g", NULL, "build", K_flag, debug, "debug information: lines are the model's"),
    ROW("--target", "NAME", COMPILES, K_text, target, "see: vtc targets (this machine)"),
    ROW("--cpu", "LEVEL[,LEVEL..]", "build", K_text, cpu,
        "x86-64: v2, v3, v4 in one, chosen by the processor when it runs"),
    ROW("--output", "LABEL[,LABEL..]", COMPILES, K_text, outputs,
        "also these labelled values as outputs: layer4.vt1.tokenizer.attention"),
    ROW("--weights", "FILE", COMPILES " check tune", K_text, weights,
        "safetensors, or a state dict of torch.save (beside the model: NAME.safetensors, "
        "NAME.pth, NAME.pt); check lists what is used"),
    ROW("--weights-as", "embed|file|c-array", "build", K_text, weights_as,
        "where packed weights go (embed)"),
    ROW("--max-threads", "N", COMPILES " tune", K_int, max_threads, "most threads of a run (8; embedded: 1)"),
    ROW("--plain", NULL, COMPILES, K_flag, plain, "no algorithm that changes rounding"),
    ROW("--small", NULL, COMPILES " tune", K_flag, small, "no algorithm that enlarges weights"),
    ROW("--blas", NULL, COMPILES " tune", K_flag, blas,
        "large products by OpenBLAS: for machines that there are no tiles for"),
    ROW("--tuned", "FILE", COMPILES, K_text, tuned, "schedules of layers as vtc tune measured them"),
    ROW("-O0", NULL, COMPILES, K_flag, o0, "only the passes that must run"),
    ROW("--passes", "LIST", COMPILES, K_text, passes, "of the optional passes only these"),
    ROW("--skip", "PASS", COMPILES, K_skip, skip, "not this optional pass"),
    ROW("--dim", "NAME=N", COMPILES " check import tune", K_dim, dim,
        "a free dimension of an ONNX file"),
    ROW("--stop-after", "PASS", "build dump", K_text, stop_after,
        "no pass behind this one (build: with --emit=onnx, which else runs none)"),
    ROW("--keep-norms", NULL, "build", K_flag, keep_norms,
        "with --emit=onnx and --stop-after: softmax and norms stay one operator each"),
    ROW("--time-passes", NULL, COMPILES, K_flag, time_passes, "time of each pass on stderr"),
    ROW("--format", "table|json|csv|html|svg", "report bench targets", K_text, format,
        "how to print (table; html and svg: report)"),
    ROW("--compare", NULL, "report", K_flag, compare, "models side by side, with ratios by stage"),
    ROW("--paper", NULL, "report", K_flag, paper, "all published networks: ours beside print"),
    ROW("--models", "DIR", "report", K_text, models_dir,
        "where published.tsv and its networks are (those of the sources)"),
    ROW("--stage", "ast|graph|loops|c|llvm|asm", "dump", K_text, stage, "what to print (graph)"),
    ROW("--after", "PASS|all", "dump", K_text, after, "the graph after a pass, or every change"),
    ROW("--exact", NULL, "verify", K_flag, exact, "the reference in double, however long it takes"),
    ROW("--whole", NULL, "verify", K_flag, whole,
        "only outputs, of compiled code (gcc, LLVM): for large networks"),
    ROW("--vectors", "FOLDER", "verify", K_text, vectors,
        "keep inputs and outputs there, to compare other machines with"),
    ROW("--with", "onnxruntime", "verify", K_text, engine,
        "only against this engine (of an ONNX file: beside all stages, where installed)"),
    ROW("--nodes", NULL, "verify", K_flag, nodes,
        "against the engine node by node: names the first of an ONNX file that differs"),
    ROW("--input", "FILE", "run verify", K_text, input, "an image, or the input as .npy"),
    ROW("--seed", "N", "init report dump verify bench tune", K_seed, seed,
        "of random weights (verify, bench, tune: used when there is no weights file)"),
    ROW("--threads", "N", "run bench tune", K_int, threads, "threads of the run"),
    ROW("--runs", "N", "bench", K_int, runs, "timed runs (50)"),
    ROW("--time", "SECONDS", "tune", K_int, time, "how long to compile and measure (60)"),
    ROW("--layers", NULL, "bench", K_flag, layers,
        "time of each layer, against the machine's measured limits"),
    ROW("--verbose", NULL, "build run verify bench tune", K_flag, verbose, "show the commands run; tune: and all that was measured"),
    ROW("-o", "FILE", "build init report import tune", K_text, out, "the result"),
};
enum { OPTIONS = sizeof options / sizeof *options };

static bool takes(const OptionRow *row, const Command *command)
{
    const char *at = strstr(row->commands, command->name);
    size_t n = strlen(command->name);
    return at && (at == row->commands || at[-1] == ' ') && (at[n] == 0 || at[n] == ' ');
}

static void print_command(const Command *command, FILE *out)
{
    fprintf(out, "vtc %s %s\n    %s\n\n", command->name, command->usage, command->doc);
    for (int i = 0; i < OPTIONS; i++) {
        const OptionRow *row = &options[i];
        char text[80];
        if (!takes(row, command))
            continue;
        snprintf(text, sizeof text, "%s%s%s", row->name,
                 row->value ? strcmp(row->name, "-o") == 0 ? " " : "=" : "",
                 row->value ? row->value : "");
        fprintf(out, "  %-30s %s\n", text, row->doc);
    }
}

static int print_help(FILE *out, int code)
{
    fputs("vtc: compiles vision networks ahead of time\n\n", out);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].doc);
    fputs("\nvtc COMMAND --help tells the options. Exit codes: 0 done, 1 the input is wrong,\n"
          "2 the call is wrong, 3 the environment failed.\n", out);
    return code;
}

/* ---- parsing ----------------------------------------------------------- */

static int call_error(const char *text, const char *what)
{
    fprintf(stderr, "vtc: %s '%s' (see: vtc --help)\n", text, what);
    return EXIT_CALL;
}

static bool set_number(const OptionRow *row, void *field, const char *value)
{
    char *end;
    unsigned long long n = strtoull(value, &end, 10);
    if (!*value || *end || value[0] == '-' || (row->kind == K_int && (n < 1 || n > 4096)))
        return false;
    if (row->kind == K_seed)
        *(uint64_t *)field = n;
    else
        *(int *)field = (int)n;
    return true;
}

/* NAME=NUMBER, each name once */
static int add_dim(CommandOptions *o, const char *value)
{
    const char *equals = strrchr(value, '=');
    char *end = NULL;
    long long n = equals ? strtoll(equals + 1, &end, 10) : 0;
    if (!equals || equals == value || n < 1 || n > INT32_MAX || *end)
        return call_error("not NAME=NUMBER:", value);
    size_t name = (size_t)(equals - value);
    for (int i = 0; i < o->dims; i++)
        if (strrchr(o->dim[i], '=') == o->dim[i] + name && memcmp(o->dim[i], value, name) == 0)
            return call_error("said twice:", value);
    if (o->dims == 16)
        return call_error("too many", "--dim");
    o->dim[o->dims++] = value;
    return EXIT_OK;
}

static int set_option(CommandOptions *o, const OptionRow *row, const char *value)
{
    void *field = (char *)o + row->offset;
    switch (row->kind) {
    case K_text: *(const char **)field = value; return EXIT_OK;
    case K_flag: *(bool *)field = true; return EXIT_OK;
    case K_skip:
        if (o->skips == 16)
            return call_error("too many", row->name);
        o->skip[o->skips++] = value;
        return EXIT_OK;
    case K_dim: return add_dim(o, value);
    case K_int:
    case K_seed:
        return set_number(row, field, value) ? EXIT_OK
                                             : call_error("not a number in range:", value);
    }
    return EXIT_OK;
}

static const OptionRow *find_option(const char *text, size_t n)
{
    for (int i = 0; i < OPTIONS; i++)
        if (strlen(options[i].name) == n && strncmp(options[i].name, text, n) == 0)
            return &options[i];
    return NULL;
}

static int parse_option(Context *c, int argc, char **argv, int *at)
{
    const char *text = argv[*at], *equals = strchr(text, '=');
    size_t n = equals ? (size_t)(equals - text) : strlen(text);
    const OptionRow *row = find_option(text, n);
    if (!row)
        return call_error("unknown option", text);
    if (!takes(row, c->command))
        return call_error("not an option of this command:", text);
    const char *value = equals ? equals + 1 : NULL;
    if (!row->value && value)
        return call_error("takes no value:", text);
    if (row->value && !value) {
        if (*at + 1 >= argc)
            return call_error("a value is missing after", text);
        value = argv[++*at];
    }
    return set_option(&c->o, row, value);
}

static int parse(Context *c, int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            c->o.help = true;
        } else if (argv[i][0] == '-' && argv[i][1]) {
            int code = parse_option(c, argc, argv, &i);
            if (code != EXIT_OK)
                return code;
        } else if (c->o.model_count == MAX_MODELS) {
            return call_error("too many models, first", argv[2]);
        } else {
            c->o.models[c->o.model_count++] = argv[i];
        }
    }
    return EXIT_OK;
}

static int check_call(Context *c)
{
    bool wants = strncmp(c->command->usage, "MODEL", 5) == 0;
    bool many = strstr(c->command->usage, "MODEL...") != NULL;
    if (wants && c->o.model_count == 0)
        return call_error("a model is missing for", c->command->name);
    if (c->o.model_count > (many ? MAX_MODELS : wants))
        return call_error("one argument too many:", c->o.models[c->o.model_count - 1]);
    if (!c->o.max_threads)
        c->o.max_threads = c->o.profile ? 1 : 8;
    c->target = c->o.target ? target_find(c->o.target) : target_host();
    if (!c->target)
        return call_error("there is no target", c->o.target);
    c->backend = c->o.backend && strcmp(c->o.backend, "llvm") == 0 ? BACKEND_llvm : BACKEND_c;
    if (c->o.backend && c->backend == BACKEND_c && strcmp(c->o.backend, "c") != 0)
        return call_error("there is no back end", c->o.backend);
    if (c->o.blas && c->o.profile)
        return call_error("a profile without libraries takes no", "--blas");
    if (c->o.blas && (*c->target->cc || c->target->freestanding))
        return call_error("there is no OpenBLAS for --blas for", c->target->name);
    PipelineOptions pipeline = pipeline_options(c);
    if (!pipeline_accepts(&pipeline, c->arena, c->diag))
        return context_finish(c, EXIT_CALL);
    if (c->backend == BACKEND_llvm && !llvm_available(c->diag))
        return context_finish(c, EXIT_ENVIRONMENT);
    return EXIT_OK;
}

/* What was printed must have arrived, as files must. */
static int flush_output(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "vtc: cannot write standard output: %s\n", strerror(errno));
    return EXIT_ENVIRONMENT;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0)
        return print_help(argc > 1 ? stdout : stderr, argc > 1 ? EXIT_OK : EXIT_CALL);
    Context c = {.arena = arena_new()};
    c.diag = diag_new(c.arena);
    c.o.runs = 50;
    c.o.time = 60;
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            c.command = &commands[i];
    if (!c.command) {
        arena_free(c.arena);
        return call_error("there is no command", name);
    }
    int code = parse(&c, argc, argv);
    if (code == EXIT_OK && c.o.help) {
        print_command(c.command, stdout);
    } else {
        file_cleanup_on_signals(process_interrupted);
        code = code == EXIT_OK ? check_call(&c) : code;
        if (code == EXIT_OK)
            code = c.command->run(&c);
    }
    arena_free(c.arena);
    return flush_output(code);
}
