/* What long work is at: one line of a terminal's stderr, which the next one replaces.
 * Nothing in a pipe or a file, and nothing of work that is done at once. */
#ifndef VTC_SUPPORT_PROGRESS_H
#define VTC_SUPPORT_PROGRESS_H

void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Takes the line away; called by who showed it, before anybody else writes. */
void progress_end(void);

#endif
