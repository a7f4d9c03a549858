/* A compiled network as a command.
 *
 *     options -> session -> for each file, for each item in it:
 *                               fill inputs, run, print, collect, draw
 *                        -> accuracy, raw file
 *
 * A wrong input is reported and the others are still run; what needs all of
 * them (accuracy, raw file) then does not appear. */
#include "program.h"

#include "bench.h"
#include "collect.h"
#include "draw.h"
#include "inputs.h"
#include "json.h"
#include "options.h"
#include "results.h"
#include "session.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_done = 0, EXIT_input = 1, EXIT_call = 2, EXIT_environment = 3 };

typedef struct Program {
    const VtcModel *model;
    VtcOptions options;
    VtcSession session;
    VtcPaths paths;
    VtcItems *items;           /* model->input_count, those that are open */
    const VtcTensorInfo *info; /* the output that --raw and --expect mean */
    int output;                /* its index */
    VtcRaw raw;
    VtcExpect expect;
    VtcDraw overlay, maps;
    VtcBytes label_text;
    const char **labels; /* lines of label_text, or NULL */
    int64_t label_count;
    int exit; /* the worst so far */
} Program;

static int exit_of(int status)
{
    switch ((VtcStatus)status) {
    case VTC_OK: return EXIT_done;
    case VTC_ERR_THREADS:
    case VTC_ERR_RANGE: return EXIT_call;
    case VTC_ERR_ABI:
    case VTC_ERR_MEMORY:
    case VTC_ERR_SYSTEM:
    case VTC_ERR_NULL:
    case VTC_ERR_ALIGN: return EXIT_environment;
    case VTC_ERR_OPEN:
    case VTC_ERR_FORMAT:
    case VTC_ERR_VERSION:
    case VTC_ERR_ORDER:
    case VTC_ERR_SIZE:
    case VTC_ERR_HASH:
    case VTC_ERR_MISMATCH:
    case VTC_ERR_LIMIT: return EXIT_input;
    }
    return EXIT_environment;
}

/* Says what failed; whether it succeeded. */
static bool succeeded(Program *p, int status, const VtcError *error)
{
    if (status == VTC_OK)
        return true;
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", p->options.program, error->text);
    if (exit_of(status) > p->exit)
        p->exit = exit_of(status);
    return false;
}

/* ---- preparing --------------------------------------------------------- */

static int find_output(Program *p, VtcError *error)
{
    const VtcModel *model = p->model;
    for (int i = 0; i < model->output_count; i++)
        if (p->options.output == NULL ||
            strcmp(model->outputs[i].name, p->options.output) == 0) {
            p->output = i;
            p->info = &model->outputs[i];
            return VTC_OK;
        }
    return vtc_fail(error, VTC_ERR_RANGE, "no output '%s'",
                    p->options.output ? p->options.output : "");
}

/* Ends each line of label_text and points at it; NULL lines: only counts. */
static int64_t split_lines(const VtcBytes *text, const char **lines)
{
    int64_t n = 0;
    for (size_t at = 0; at + 1 < text->n; n++) {
        char *line = (char *)text->at + at;
        size_t length = strcspn(line, "\n");
        at += length + 1;
        if (lines == NULL)
            continue;
        lines[n] = line;
        line[length] = '\0';
        if (length > 0 && line[length - 1] == '\r')
            line[length - 1] = '\0';
    }
    return n;
}

static int load_labels(Program *p, VtcError *error)
{
    enum { MAX_LABEL_BYTES = 64 << 20 };
    const char *path = p->options.labels;
    VtcBytes *text = &p->label_text;
    if (path == NULL)
        return VTC_OK;
    int status = vtc_bytes_read(text, path, MAX_LABEL_BYTES, error);
    if (status != VTC_OK)
        return status;
    if (memchr(text->at, '\0', text->n) != NULL)
        return vtc_fail(error, VTC_ERR_FORMAT, "%s: not a text", path);
    unsigned char *longer = realloc(text->at, text->n + 1);
    if (longer == NULL)
        return vtc_fail(error, VTC_ERR_MEMORY, "%s: out of memory", path);
    longer[text->n] = '\0';
    *text = (VtcBytes){longer, text->n + 1};
    p->label_count = split_lines(text, NULL);
    p->labels = calloc((size_t)p->label_count + 1, sizeof *p->labels);
    if (p->labels == NULL)
        return vtc_fail(error, VTC_ERR_MEMORY, "%s: out of memory", path);
    split_lines(text, p->labels);
    return VTC_OK;
}

static int find_paths(Program *p, VtcError *error)
{
    int status = VTC_OK;
    for (int i = 0; i < p->options.input_count && status == VTC_OK; i++)
        status = vtc_paths_add(&p->paths, p->options.inputs[i], error);
    size_t each = (size_t)p->model->input_count;
    bool whole = each > 0 ? p->paths.n % each == 0 : p->paths.n == 0;
    if (status == VTC_OK && !whole)
        return vtc_fail(error, VTC_ERR_MISMATCH,
                        "%zu inputs are no multiple of the %zu that '%s' takes",
                        p->paths.n, each, p->model->name);
    return status;
}

static int prepare(Program *p, VtcError *error)
{
    const VtcOptions *o = &p->options;
    int status = find_output(p, error);
    if (status == VTC_OK)
        status = find_paths(p, error);
    if (status == VTC_OK)
        status = load_labels(p, error);
    if (status == VTC_OK && o->expect != NULL)
        status = vtc_expect_open(&p->expect, p->info, o->expect, error);
    if (status == VTC_OK)
        status = vtc_draw_open(&p->overlay, p->model, o->overlay, o->output, error);
    p->maps.drawing = VTC_DRAW_MAPS;
    if (status == VTC_OK)
        status = vtc_draw_open(&p->maps, p->model, o->maps, o->output, error);
    p->items = calloc((size_t)p->model->input_count + 1, sizeof *p->items);
    if (status == VTC_OK && p->items == NULL)
        status = vtc_fail(error, VTC_ERR_MEMORY, "out of memory");
    if (status == VTC_OK)
        status = vtc_session_open(&p->session, p->model, o->weights, o->threads,
                                  error);
    if (status == VTC_OK && o->raw != NULL)
        status = vtc_raw_open(&p->raw, p->info, o->raw, error);
    return status;
}

/* ---- running ----------------------------------------------------------- */

static VtcStyle style_of(const Program *p, const VtcTensorInfo *info)
{
    bool own = p->labels != NULL && info == p->info;
    return (VtcStyle){.json = p->options.json,
                      .top = p->options.top,
                      .labels = own ? p->labels : info->labels,
                      .label_count = own ? p->label_count : info->label_count};
}

static void print_item_json(const Program *p, const VtcItems *items,
                            int64_t index)
{
    fputs("{\"file\": ", stdout);
    vtc_json_string(stdout, items->path);
    if (items->count > 1)
        printf(", \"index\": %" PRId64, index);
    fputs(", \"outputs\": [", stdout);
    for (int i = 0; i < p->model->output_count; i++) {
        const VtcTensorInfo *info = &p->model->outputs[i];
        VtcStyle style = style_of(p, info);
        fputs(i > 0 ? ", " : "", stdout);
        vtc_result_print(stdout, info, p->session.outputs[i], &style);
    }
    fputs("]}\n", stdout);
}

static void print_item_text(const Program *p, const VtcItems *items,
                            int64_t index)
{
    for (int i = 0; i < p->model->output_count; i++) {
        const VtcTensorInfo *info = &p->model->outputs[i];
        VtcStyle style = style_of(p, info);
        fputs(items->path, stdout);
        if (items->count > 1)
            printf("[%" PRId64 "]", index);
        fputs(": ", stdout);
        if (p->model->output_count > 1)
            printf("%s: ", info->name);
        vtc_result_print(stdout, info, p->session.outputs[i], &style);
        fputc('\n', stdout);
    }
}

/* The pictures that are asked for; in text, what the colours mean. */
static int draw_item(Program *p, VtcError *error)
{
    const VtcDraw *overlay = &p->overlay;
    int status = vtc_draw_add(&p->overlay, &p->session, error);
    if (status == VTC_OK)
        status = vtc_draw_add(&p->maps, &p->session, error);
    if (status == VTC_OK && overlay->path != NULL && !p->options.json &&
        !p->options.quiet) {
        const VtcTensorInfo *info = &p->model->outputs[overlay->output];
        VtcStyle style = style_of(p, info);
        printf("%s: ", overlay->path);
        vtc_legend_print(stdout, info, p->session.outputs[overlay->output],
                         &style);
        fputc('\n', stdout);
    }
    return status;
}

static int fill_inputs(Program *p, int64_t index, VtcError *error)
{
    int status = VTC_OK;
    for (int i = 0; i < p->model->input_count && status == VTC_OK; i++)
        status = vtc_items_fill(&p->items[i], &p->model->inputs[i], index,
                                p->session.inputs[i], error);
    return status;
}

static int run_item(Program *p, int64_t index, VtcError *error)
{
    int status = fill_inputs(p, index, error);
    if (index == 1)
        vtc_session_settle(&p->session);
    if (status == VTC_OK)
        status = vtc_session_run(&p->session, error);
    if (status != VTC_OK)
        return status;
    if (p->options.json && !p->options.quiet)
        print_item_json(p, &p->items[0], index);
    else if (!p->options.quiet)
        print_item_text(p, &p->items[0], index);
    vtc_raw_add(&p->raw, p->session.outputs[p->output]);
    vtc_expect_add(&p->expect, p->info, p->session.outputs[p->output]);
    return draw_item(p, error);
}

/* One file per network input, each with as many items. */
static int open_items(Program *p, char **paths, VtcError *error)
{
    int status = VTC_OK;
    for (int i = 0; i < p->model->input_count && status == VTC_OK; i++) {
        status = vtc_items_open(&p->items[i], &p->model->inputs[i], paths[i],
                                error);
        if (status == VTC_OK && p->items[i].count != p->items[0].count)
            status = vtc_fail(error, VTC_ERR_MISMATCH,
                              "%s has %lld items, %s has %lld", paths[0],
                              (long long)p->items[0].count, paths[i],
                              (long long)p->items[i].count);
    }
    return status;
}

static void close_items(Program *p)
{
    for (int i = 0; i < p->model->input_count; i++)
        vtc_items_close(&p->items[i]);
}

static void run_files(Program *p)
{
    VtcError error;
    size_t each = (size_t)p->model->input_count;
    for (size_t i = 0; i < p->paths.n && p->exit != EXIT_environment;
         i += each) {
        int status = open_items(p, p->paths.at + i, &error);
        bool good = succeeded(p, status, &error);
        for (int64_t k = 0; good && k < p->items[0].count; k++)
            good = succeeded(p, run_item(p, k, &error), &error);
        close_items(p);
    }
}

static void print_accuracy(Program *p)
{
    VtcError error;
    if (p->expect.classes.data.at == NULL ||
        !succeeded(p, vtc_expect_check(&p->expect, &error), &error))
        return;
    printf(p->options.json ? "{\"right\": %" PRId64 ", \"of\": %" PRId64 "}\n"
                           : "accuracy %" PRId64 "/%" PRId64 "\n",
           p->expect.right, p->expect.seen);
}

static void run_all(Program *p)
{
    VtcError error;
    run_files(p);
    if (p->exit == EXIT_done)
        print_accuracy(p);
    if (p->exit == EXIT_done)
        succeeded(p, vtc_raw_commit(&p->raw, &error), &error);
}

static void run_bench(Program *p)
{
    VtcError error;
    VtcBench bench = {p->options.bench, p->options.layers, p->options.json};
    int status = VTC_OK;
    if (p->paths.n == 0) {
        vtc_bench_pattern(&p->session);
    } else {
        status = open_items(p, p->paths.at, &error);
        if (status == VTC_OK)
            status = fill_inputs(p, 0, &error);
    }
    if (status == VTC_OK)
        status = vtc_bench_run(&p->session, &bench, stdout, &error);
    succeeded(p, status, &error);
    close_items(p);
}

/* ---- the rest ---------------------------------------------------------- */

static void print_tensors(const char *what, const VtcTensorInfo *info, int n)
{
    for (int i = 0; i < n; i++) {
        char shape[128];
        vtc_shape_text(shape, sizeof shape, info[i].rank, info[i].dims);
        printf("%s %s %s %s%s\n", what, info[i].name,
               vtc_dtype_name(info[i].dtype), shape,
               info[i].preprocess != NULL ? " image" : "");
    }
}

static void print_info(const VtcModel *model)
{
    printf("network %s\n", model->name);
    print_tensors("input", model->inputs, model->input_count);
    print_tensors("output", model->outputs, model->output_count);
    printf("weights %" PRIu64 " bytes, hash %016" PRIx64 ", %s\n",
           model->weights_bytes, model->weights_hash,
           model->weights != NULL ? "built in" : "in a file");
    printf("workspace %" PRIu64 " bytes, at most %d threads, %d steps\n",
           model->workspace_bytes, (int)model->max_threads,
           (int)model->step_count);
}

static void release(Program *p)
{
    vtc_raw_discard(&p->raw);
    vtc_expect_close(&p->expect);
    vtc_session_close(&p->session);
    vtc_paths_free(&p->paths);
    vtc_bytes_free(&p->label_text);
    free(p->labels);
    free(p->items);
}

static void prepare_and_run(Program *p)
{
    VtcError error;
    if (!succeeded(p, prepare(p, &error), &error))
        return;
    if (p->options.bench > 0)
        run_bench(p);
    else
        run_all(p);
}

int vtc_program(const VtcModel *model, int argc, char **argv)
{
    VtcError error;
    Program p = {.model = model};
    if (vtc_options_parse(&p.options, argc, argv, &error) != VTC_OK) {
        fprintf(stderr, "%s: %s\nTry '%s --help'.\n", p.options.program,
                error.text, p.options.program);
        return EXIT_call;
    }
    if (p.options.help)
        vtc_options_help(stdout, &p.options, model);
    else if (p.options.info)
        print_info(model);
    else
        prepare_and_run(&p);
    release(&p);
    if ((fflush(stdout) != 0 || ferror(stdout)) && p.exit == EXIT_done) {
        fprintf(stderr, "%s: cannot write the results\n", p.options.program);
        return EXIT_environment;
    }
    return p.exit;
}
