/* Starting other programs, and the folder where their files are. */
#define _DEFAULT_SOURCE /* mkdtemp */
#include "backends/process.h"
#include "backends/build.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static volatile pid_t running; /* a command and its children: a group of their own */
static char made[4096];        /* removed at exit, however the run ends */
static char result[4096];      /* a program for this run only */

/* Started in a group of its own, so that an interrupted run can end all of it; no
 * signal comes between its start and `running`. */
static int spawn_group(pid_t *pid, char *const argv[])
{
    posix_spawnattr_t group;
    sigset_t all, usual;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &usual);
    posix_spawnattr_init(&group);
    posix_spawnattr_setflags(&group, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&group, 0);
    posix_spawnattr_setsigmask(&group, &usual);
    int error = posix_spawnp(pid, argv[0], NULL, &group, argv, environ);
    running = error ? 0 : *pid;
    posix_spawnattr_destroy(&group);
    sigprocmask(SIG_SETMASK, &usual, NULL);
    return error;
}

int build_spawn(char *const argv[], bool verbose)
{
    pid_t pid;
    int status;
    for (int i = 0; verbose && argv[i]; i++)
        fprintf(stderr, "%s%s", argv[i], argv[i + 1] ? " " : "\n");
    if (spawn_group(&pid, argv) != 0)
        return -1;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    running = 0;
    if (!WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status) == 127 ? -1 : WEXITSTATUS(status);
}

void process_interrupted(void)
{
    if (running) {
        kill(-running, SIGTERM);
        waitpid(running, NULL, 0);
    }
    unlink(result); /* "" is no file */
    pid_t pid = made[0] ? fork() : -1;
    if (pid == 0) {
        execl("/bin/rm", "rm", "-rf", made, (char *)NULL);
        _exit(1);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

void process_remove_on_signal(const char *path)
{
    result[0] = 0;
    if (strlen(path) < sizeof result)
        strcpy(result, path);
}

void process_tempdir_end(void)
{
    if (made[0])
        build_tempdir_remove(made);
    made[0] = 0;
}

const char *build_tempdir(Arena *arena, Diag *diag)
{
    const char *base = getenv("TMPDIR");
    char *path = arena_printf(arena, "%s/vtc-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(path)) {
        diag_error(diag, (Span){0}, "cannot make a temporary folder '%s': %s", path,
                   strerror(errno));
        return NULL;
    }
    static bool registered;
    if (!registered)
        atexit(process_tempdir_end);
    registered = true;
    if (strlen(path) < sizeof made)
        strcpy(made, path);
    return path;
}

void build_tempdir_remove(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char file[8192];
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlink(file);
    }
    closedir(dir);
    rmdir(path);
}

const char *process_path(Arena *arena, const char *program)
{
    const char *dirs = getenv("PATH"), *path = strchr(program, '/') ? program : NULL;
    char here[4096], *rest = arena_strdup(arena, dirs ? dirs : "");
    for (char *dir; !path && (dir = strtok_r(rest, ":", &rest)) != NULL;) {
        path = arena_printf(arena, "%s/%s", dir, program);
        if (access(path, X_OK) != 0)
            path = NULL;
    }
    if (path && *path != '/')
        path = getcwd(here, sizeof here) ? arena_printf(arena, "%s/%s", here, path) : NULL;
    return path;
}

const char *process_line(Arena *arena, const char *const argv[])
{
    char line[1024] = "";
    int ends[2], status = -1;
    pid_t pid;
    if (pipe(ends) != 0)
        return NULL;
    posix_spawn_file_actions_t says;
    posix_spawn_file_actions_init(&says);
    posix_spawn_file_actions_addclose(&says, ends[0]);
    posix_spawn_file_actions_adddup2(&says, ends[1], 1);
    posix_spawn_file_actions_addopen(&says, 2, "/dev/null", 1, 0);
    bool started = posix_spawnp(&pid, argv[0], &says, NULL, (char *const *)(uintptr_t)argv,
                                environ) == 0;
    posix_spawn_file_actions_destroy(&says);
    close(ends[1]);
    ssize_t n = 0;
    for (size_t at = 0; started && at + 1 < sizeof line && n >= 0; at += (size_t)n)
        if ((n = read(ends[0], line + at, sizeof line - 1 - at)) == 0)
            break;
    close(ends[0]);
    if (started)
        waitpid(pid, &status, 0);
    line[strcspn(line, "\n")] = 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? arena_strdup(arena, line) : NULL;
}

bool process_starts(const char *program)
{
    char *const argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)"--version", NULL};
    posix_spawn_file_actions_t quiet;
    pid_t pid;
    int status = -1;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", 1, 0);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", 1, 0);
    if (posix_spawnp(&pid, program, &quiet, NULL, argv, environ) == 0)
        waitpid(pid, &status, 0);
    posix_spawn_file_actions_destroy(&quiet);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
