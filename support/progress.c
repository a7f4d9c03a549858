/* The line of progress. */
#include "support/progress.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 300, WIDTH = 79 };

static bool shown; /* is there a line? */

/* Since the first call. */
static double waited_ms(void)
{
    static struct timespec first;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!first.tv_sec && !first.tv_nsec)
        first = now;
    return 1e3 * (double)(now.tv_sec - first.tv_sec) + 1e-6 * (double)(now.tv_nsec - first.tv_nsec);
}

void progress(const char *format, ...)
{
    char line[WIDTH + 1]; /* a longer one would not be taken away whole */
    if (waited_ms() < PATIENCE_MS || !isatty(STDERR_FILENO))
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    fprintf(stderr, "\r\033[K%s", line);
    shown = true;
}

void progress_end(void)
{
    if (shown)
        fputs("\r\033[K", stderr);
    shown = false;
}
