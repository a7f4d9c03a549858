/* Tuning files: what `vtc tune` measured and `--tuned` takes.
 *
 *     # any remark
 *     layer1.0.conv1 winograd(4)
 *     layer4.1.conv2 direct
 *
 * A line a layer: its label and its schedule, as dumps print it after `by`. */
#ifndef VTC_FRONTEND_TUNING_H
#define VTC_FRONTEND_TUNING_H

#include "ir/graph.h"
#include "support/text.h"

/* NULL with diag; lines that say nothing, name no algorithm or come twice are errors. */
Tuning *tuning_read(Arena *arena, Diag *diag, const char *path);
void tuning_write(const Tuning *tuning, Text *out);

#endif
