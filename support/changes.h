/* What changed between two texts, line by line. */
#ifndef VTC_SUPPORT_CHANGES_H
#define VTC_SUPPORT_CHANGES_H

#include "support/text.h"

/* Lines that went behind '-', lines that came behind '+', in order; nothing where the
 * texts are alike. How far a line is indented does not count: a loop around it may have
 * gone. Before the changes of a section, which a line that begins with `head` opens, that
 * line behind a blank. */
void text_changes(Text *out, const char *was, const char *is, const char *head);

#endif
