/* Runs a program once: the time from its start to its end and the most memory that it
 * held. A small process does it, since a child counts the memory of who started it.
 * Prints JSON: ms, peak_kb; exits as the program does.
 *
 *     start PROGRAM ARGUMENT... */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void run_child(char **argv)
{
    int null = open("/dev/null", O_WRONLY);
    if (null >= 0)
        dup2(null, STDOUT_FILENO);
    execvp(argv[0], argv);
    perror(argv[0]);
    _exit(127);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    double start = now_ms();
    pid_t child = fork();
    if (child == 0)
        run_child(argv + 1);
    int status;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) != child)
        return 3;
    printf("{\"ms\": %.3f, \"peak_kb\": %ld}\n", now_ms() - start, usage.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
