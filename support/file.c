/* Whole files in and out; what was begun and not finished is removed. */
#include "support/file.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGEST_SOURCE = 16 * 1024 * 1024, PATH_LIMIT = 4096 };

static FILE *open_regular(const char *path, struct stat *info)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    if (fstat(fileno(file), info) != 0 || S_ISDIR(info->st_mode)) {
        errno = EISDIR;
        fclose(file);
        return NULL;
    }
    return file;
}

const Source *source_read(Arena *arena, Diag *diag, Span span, const char *path)
{
    struct stat info;
    FILE *file = open_regular(path, &info);
    if (!file) {
        diag_error(diag, span, "cannot read '%s': %s", path, strerror(errno));
        return NULL;
    }
    char *text = arena_alloc(arena, LARGEST_SOURCE < info.st_size
                                        ? 1
                                        : (size_t)info.st_size + 1);
    size_t n = info.st_size > LARGEST_SOURCE
                   ? 0
                   : fread(text, 1, (size_t)info.st_size, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed || info.st_size > LARGEST_SOURCE) {
        diag_error(diag, span, "cannot read '%s': %s", path,
                   failed ? "input error" : "larger than 16 MB");
        return NULL;
    }
    Source *source = NEW(arena, Source, 1);
    *source = (Source){arena_strdup(arena, path), text, n};
    return source;
}

bool bytes_map(Bytes *bytes, const char *path, Diag *diag)
{
    struct stat info;
    *bytes = (Bytes){0};
    FILE *file = open_regular(path, &info);
    void *at = MAP_FAILED;
    if (file && info.st_size > 0)
        at = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fileno(file), 0);
    bool empty = file && info.st_size == 0;
    if (!empty && at == MAP_FAILED)
        diag_error(diag, (Span){0}, "cannot read '%s': %s", path, strerror(errno));
    else if (!empty)
        *bytes = (Bytes){at, (size_t)info.st_size};
    if (file)
        fclose(file);
    return empty || at != MAP_FAILED;
}

/* ---- output ------------------------------------------------------------ */

struct OutFile {
    const char *path;
    char *beside; /* NULL: standard output */
    FILE *file;
    int error;
};

enum { MAX_OPEN = 16 };
static char unfinished[MAX_OPEN][PATH_LIMIT]; /* for the signal handler */

static void remember(const char *path)
{
    for (int i = 0; i < MAX_OPEN; i++)
        if (!unfinished[i][0] && strlen(path) < PATH_LIMIT) {
            strcpy(unfinished[i], path);
            return;
        }
}

static void forget(const char *path)
{
    for (int i = 0; i < MAX_OPEN; i++)
        if (strcmp(unfinished[i], path) == 0)
            unfinished[i][0] = 0;
}

static void on_signal(int number)
{
    for (int i = 0; i < MAX_OPEN; i++)
        if (unfinished[i][0])
            unlink(unfinished[i]);
    signal(number, SIG_DFL);
    raise(number);
}

void file_cleanup_on_signals(void)
{
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signal(numbers[i], on_signal);
}

OutFile *outfile_open(Arena *arena, const char *path, Diag *diag)
{
    OutFile *out = NEW(arena, OutFile, 1);
    out->path = path;
    if (strcmp(path, "-") == 0) {
        out->file = stdout;
        return out;
    }
    out->beside = arena_printf(arena, "%s.XXXXXX", path);
    int fd = mkstemp(out->beside);
    if (fd >= 0) {
        remember(out->beside);
        mode_t mask = umask(0);
        umask(mask);
        fchmod(fd, 0666 & ~mask);
        out->file = fdopen(fd, "wb");
    }
    if (!out->file) {
        diag_error(diag, (Span){0}, "cannot write '%s': %s", path, strerror(errno));
        return NULL;
    }
    return out;
}

void outfile_write(OutFile *out, const void *data, size_t n)
{
    if (n && !out->error && fwrite(data, 1, n, out->file) != n)
        out->error = errno ? errno : EIO;
}

bool outfile_close(OutFile *out, Diag *diag)
{
    if (fflush(out->file) != 0 && !out->error)
        out->error = errno;
    if (out->beside) {
        if (fclose(out->file) != 0 && !out->error)
            out->error = errno;
        if (!out->error && rename(out->beside, out->path) != 0)
            out->error = errno;
        if (out->error)
            unlink(out->beside);
        forget(out->beside);
    }
    if (out->error)
        diag_error(diag, (Span){0}, "cannot write '%s': %s", out->path,
                   strerror(out->error));
    return !out->error;
}

/* ---- paths ------------------------------------------------------------- */

const char *path_dir(Arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    return slash == path ? "/" : arena_strndup(arena, path, (size_t)(slash - path));
}

const char *path_join(Arena *arena, const char *dir, const char *path)
{
    if (path[0] == '/' || strcmp(dir, ".") == 0)
        return arena_strdup(arena, path);
    return arena_printf(arena, "%s/%s", dir, path);
}

const char *path_stem(Arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    size_t n = dot && dot != name ? (size_t)(dot - name) : strlen(name);
    return arena_strndup(arena, name, n);
}
