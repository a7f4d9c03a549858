/* The command line of a compiled program. */
#ifndef VTC_OPTIONS_H
#define VTC_OPTIONS_H

#include "status.h"
#include <stdbool.h>
#include <stdio.h>

typedef struct VtcOptions {
    const char *program; /* argv[0] without its folder */
    bool help, info, json, quiet, layers;
    int top;     /* classes to print */
    int threads; /* 0: as many as there are CPUs and the network can use */
    int bench;   /* timed runs; 0: none */
    const char *raw, *weights, *labels, *expect, *output, *overlay, *maps;
    char **inputs; /* argv, without options */
    int input_count;
} VtcOptions;

/* Reorders argv. VTC_ERR_FORMAT, with what is wrong, for a wrong call. */
int vtc_options_parse(VtcOptions *options, int argc, char **argv,
                      VtcError *error);

void vtc_options_help(FILE *out, const VtcOptions *options,
                      const VtcModel *model);

#endif
