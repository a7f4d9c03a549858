/* A compiled network as a command: everything but `main` itself. */
#ifndef VTC_PROGRAM_H
#define VTC_PROGRAM_H

#include "vtc_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Runs the command line; results on stdout, errors on stderr. Returns the exit
 * status: 0 done, 1 an input or the weights are wrong, 2 the call is wrong, 3
 * the environment failed. Changes the order of argv. */
int vtc_program(const VtcModel *model, int argc, char **argv);

/* Which network main.c runs. A standalone program defines it:
 *     const VtcModel *const vtc_main_model = &vt_resnet18_model; */
extern const VtcModel *const vtc_main_model;

#ifdef __cplusplus
}
#endif

#endif
