/* --profile=embedded: bounds known before the network runs, measured from its
 * object, for a machine with little memory and no one to ask for more. */
#ifndef VTC_BACKENDS_EMBEDDED_H
#define VTC_BACKENDS_EMBEDDED_H

#include "backends/job.h"

/* Compiles the part for its target and measures code and stack; false with diag,
 * also when a function's stack is not static. */
bool embedded_measure(Job *job, const Part *part, AbiBounds *bounds);

#endif
