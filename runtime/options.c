/* The command line: one table for the parser and the help. */
#include "options.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

typedef enum OptionKind { KIND_flag, KIND_count, KIND_text } OptionKind;

typedef struct Option {
    const char *name, *value; /* value: as shown in the help */
    OptionKind kind;
    size_t member; /* of VtcOptions */
    const char *help;
} Option;

#define MEMBER(name) offsetof(VtcOptions, name)

static const Option table[] = {
    {"--top",     "N",        KIND_count, MEMBER(top),     "print the N best classes (5)"                             },
    {"--json",    NULL,       KIND_flag,  MEMBER(json),    "one JSON object per input"                                },
    {"--quiet",   NULL,       KIND_flag,  MEMBER(quiet),   "do not print results of single inputs"                    },
    {"--threads", "N",        KIND_count, MEMBER(threads), "threads to use (CPUs, at most what the network allows)"   },
    {"--bench",   "RUNS",     KIND_count, MEMBER(bench),   "time RUNS runs, on the first input or on a pattern"       },
    {"--layers",  NULL,       KIND_flag,  MEMBER(layers),  "with --bench: also each step, if built in"                },
    {"--raw",     "FILE.npy", KIND_text,  MEMBER(raw),     "write an output of all inputs, stacked"                   },
    {"--overlay", "FILE.png", KIND_text,  MEMBER(overlay), "draw a map of classes over the input; * : its number"     },
    {"--maps",    "FILE.png", KIND_text,  MEMBER(maps),    "draw score maps (attention) over the input, a tile each"  },
    {"--output",  "NAME",     KIND_text,  MEMBER(output),  "which output these and --expect mean (the first that fits)"},
    {"--expect",  "FILE",     KIND_text,  MEMBER(expect),  "classes expected, .npy or idx: prints 'accuracy N/M'"     },
    {"--labels",  "FILE",     KIND_text,  MEMBER(labels),  "class names, one per line, instead of those built in"     },
    {"--weights", "FILE",     KIND_text,  MEMBER(weights), "weights file (built in, or NAME.weights beside the program)"},
    {"--info",    NULL,       KIND_flag,  MEMBER(info),    "print inputs, outputs and sizes"                          },
    {"--help",    NULL,       KIND_flag,  MEMBER(help),    "print this"                                               },
};
enum { OPTIONS = sizeof table / sizeof *table };

/* The row that `argument` names, up to its '='; NULL if none. */
static const Option *option_find(const char *argument)
{
    size_t n = strcspn(argument, "=");
    for (int i = 0; i < OPTIONS; i++)
        if (strlen(table[i].name) == n &&
            memcmp(table[i].name, argument, n) == 0)
            return &table[i];
    return NULL;
}

/* A whole decimal number, 1 to INT_MAX; 0 if it is not one. */
static int positive_number(const char *text)
{
    int value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (value > (INT_MAX - 9) / 10)
            return 0;
        value = value * 10 + (*text - '0');
    }
    return *text == '\0' ? value : 0;
}

static int option_set(VtcOptions *options, const Option *option,
                      const char *argument, VtcError *error)
{
    const char *value = strchr(argument, '=');
    void *member = (char *)options + option->member;
    if (option->kind == KIND_flag && value != NULL)
        return vtc_fail(error, VTC_ERR_FORMAT, "%s takes no value",
                        option->name);
    if (option->kind != KIND_flag && (value == NULL || value[1] == '\0'))
        return vtc_fail(error, VTC_ERR_FORMAT, "%s needs a value: %s=%s",
                        option->name, option->name, option->value);
    switch (option->kind) {
    case KIND_flag:
        *(bool *)member = true;
        break;
    case KIND_text:
        *(const char **)member = value + 1;
        break;
    case KIND_count:
        *(int *)member = positive_number(value + 1);
        if (*(int *)member == 0)
            return vtc_fail(error, VTC_ERR_FORMAT,
                            "%s: '%s' is not a number from 1", option->name,
                            value + 1);
        break;
    }
    return VTC_OK;
}

/* Options that contradict each other or lack their object. */
static int check_together(const VtcOptions *o, VtcError *error)
{
    if (o->help || o->info)
        return VTC_OK;
    if (o->layers && o->bench == 0)
        return vtc_fail(error, VTC_ERR_FORMAT, "--layers goes with --bench");
    bool collects = o->raw != NULL || o->expect != NULL || o->overlay != NULL ||
                    o->maps != NULL;
    if (o->bench > 0 && collects)
        return vtc_fail(error, VTC_ERR_FORMAT,
                        "--bench does not go with --raw, --expect, --overlay or "
                        "--maps");
    if (o->bench == 0 && o->input_count == 0)
        return vtc_fail(error, VTC_ERR_FORMAT, "no INPUT");
    return VTC_OK;
}

int vtc_options_parse(VtcOptions *options, int argc, char **argv,
                      VtcError *error)
{
    const char *program = argc > 0 ? argv[0] : "program";
    const char *slash = strrchr(program, '/');
    *options = (VtcOptions){.program = slash ? slash + 1 : program,
                            .top = 5,
                            .inputs = argv + (argc > 0)};
    bool only_inputs = false;
    for (int i = 1; i < argc; i++) {
        bool is_option = !only_inputs && argv[i][0] == '-' && argv[i][1] != '\0';
        if (is_option && strcmp(argv[i], "--") == 0) {
            only_inputs = true;
        } else if (is_option) {
            const Option *option = option_find(argv[i]);
            if (option == NULL)
                return vtc_fail(error, VTC_ERR_FORMAT, "unknown option '%s'",
                                argv[i]);
            int status = option_set(options, option, argv[i], error);
            if (status != VTC_OK)
                return status;
        } else {
            options->inputs[options->input_count++] = argv[i];
        }
    }
    return check_together(options, error);
}

void vtc_options_help(FILE *out, const VtcOptions *options,
                      const VtcModel *model)
{
    fprintf(out,
            "Usage: %s [OPTION]... INPUT...\n"
            "Runs the network '%s' on each INPUT:\n"
            "  an image (PNG, JPEG, PPM, PGM; .npy of bytes, H x W or H x W x 3),\n"
            "  several (.npy of bytes, N x H x W x 1 or 3; idx file of N x H x W),\n"
            "  a .npy that is the input tensor itself, or N of them stacked,\n"
            "  a folder of these, or a list of these in a .txt, one per line.\n"
            "A network of several inputs takes them in turn.\n\n",
            options->program, model->name);
    for (int i = 0; i < OPTIONS; i++) {
        char left[32];
        snprintf(left, sizeof left, "%s%s%s", table[i].name,
                 table[i].value ? "=" : "",
                 table[i].value ? table[i].value : "");
        fprintf(out, "  %-18s  %s\n", left, table[i].help);
    }
    fputs("\nExit status: 0 done, 1 an input or the weights are wrong, 2 the "
          "call is wrong,\n3 the environment failed.\n",
          out);
}
