/* Whole files in and out; what was begun and not finished is removed. */
#define _DEFAULT_SOURCE /* madvise */
#include "support/file.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
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

static Bytes mapped[16]; /* the first files; of others the pages stay */

static void mapped_add(Bytes bytes)
{
    for (size_t i = 0; i < sizeof mapped / sizeof *mapped; i++)
        if (!mapped[i].at) {
            mapped[i] = bytes;
            return;
        }
}

void bytes_release(const void *at, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < sizeof mapped / sizeof *mapped; i++) {
        uintptr_t base = (uintptr_t)mapped[i].at, from = (uintptr_t)at;
        if (!base || from < base || from - base >= mapped[i].n)
            continue;
        size_t begin = (from - base + page - 1) / page * page, end = (from - base + n) / page * page;
        if (begin < end)
            madvise((void *)(base + begin), end - begin, MADV_DONTNEED);
        return;
    }
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
        mapped_add(*bytes = (Bytes){at, (size_t)info.st_size});
    if (file)
        fclose(file);
    return empty || at != MAP_FAILED;
}

/* ---- output ------------------------------------------------------------ */

struct OutFile {
    const char *path;
    char *beside; /* NULL: written as it is */
    FILE *file;
    char *buffer; /* of the file */
    int error;
};

/* Note [Large writes]: file systems keep what is written at once in pieces as large as
 * the write allows, up to huge pages, and map them so into every program that reads
 * the file: weights written in small pieces are read up to a fifth slower, run after
 * run. So a file is written in large pieces that start at multiples of their size. */
enum { BUFFER_BYTES = 4 << 20 };

enum { MAX_OPEN = 32 };

/* A file that has no name yet; static, since a signal handler removes it. */
typedef struct Unfinished {
    char beside[PATH_LIMIT], path[PATH_LIMIT];
    bool closed; /* waits for outfiles_release */
} Unfinished;
static Unfinished unfinished[MAX_OPEN];
static bool held;
static void (*clean_also)(void);
static pthread_t writer;

static Unfinished *find_unfinished(const char *beside)
{
    for (int i = 0; i < MAX_OPEN; i++)
        if (strcmp(unfinished[i].beside, beside) == 0)
            return &unfinished[i];
    return NULL;
}

static bool remember(const char *beside, const char *path)
{
    Unfinished *slot = find_unfinished("");
    if (!slot || strlen(beside) >= PATH_LIMIT)
        return false;
    slot->closed = false;
    strcpy(slot->path, path);
    strcpy(slot->beside, beside);
    return true;
}

/* Libraries have threads of their own (OpenBLAS), and any of them may be interrupted:
 * the one that writes files and starts commands does the work. */
static void on_signal(int number)
{
    if (!pthread_equal(pthread_self(), writer)) {
        pthread_kill(writer, number);
        return;
    }
    for (int i = 0; i < MAX_OPEN; i++)
        if (unfinished[i].beside[0])
            unlink(unfinished[i].beside);
    if (clean_also)
        clean_also();
    signal(number, SIG_DFL);
    raise(number);
}

void file_cleanup_on_signals(void (*also)(void))
{
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    clean_also = also;
    writer = pthread_self();
    struct sigaction action = {.sa_handler = on_signal};
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
}

/* A file that is there but not yet remembered would outlive an interruption. */
static int make_remembered(char *beside, const char *path)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int fd = mkstemp(beside), error = errno;
    if (fd >= 0 && !remember(beside, path)) {
        unlink(beside);
        close(fd);
        fd = -1;
        error = ENFILE;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return fd;
}

/* A new file beside `path`, remembered until it has its name. */
static FILE *open_beside(OutFile *out, const char *path)
{
    int fd = make_remembered(out->beside, path);
    if (fd < 0)
        return NULL;
    mode_t mask = umask(0);
    umask(mask);
    fchmod(fd, 0666 & ~mask);
    return fdopen(fd, "wb");
}

OutFile *outfile_open(Arena *arena, const char *path, Diag *diag)
{
    struct stat info;
    OutFile *out = NEW(arena, OutFile, 1);
    bool there = stat(path, &info) == 0;
    out->path = path;
    if (strcmp(path, "-") == 0) {
        out->file = stdout;
    } else if (there && S_ISDIR(info.st_mode)) {
        errno = EISDIR;
    } else if (there && !S_ISREG(info.st_mode)) {
        out->file = fopen(path, "wb");
    } else {
        out->beside = arena_printf(arena, "%s.XXXXXX", path);
        out->file = open_beside(out, path);
        out->buffer = out->file ? malloc(BUFFER_BYTES) : NULL;
        if (out->buffer)
            setvbuf(out->file, out->buffer, _IOFBF, BUFFER_BYTES);
    }
    if (out->file)
        return out;
    diag_error(diag, (Span){0}, "cannot write '%s': %s", path, strerror(errno));
    return NULL;
}

void outfile_write(OutFile *out, const void *data, size_t n)
{
    if (n && !out->error && fwrite(data, 1, n, out->file) != n)
        out->error = errno ? errno : EIO;
}

void outfile_executable(OutFile *out)
{
    mode_t mask = umask(0);
    umask(mask);
    fchmod(fileno(out->file), 0777 & ~mask);
}

/* The name, or the end, of a file that is complete; errno or 0. */
static int finish(Unfinished *slot, bool good)
{
    int error = good && rename(slot->beside, slot->path) != 0 ? errno : 0;
    if (!good || error)
        unlink(slot->beside);
    slot->beside[0] = 0;
    return error;
}

bool outfile_close(OutFile *out, Diag *diag)
{
    if (fflush(out->file) != 0 && !out->error)
        out->error = errno;
    if (out->file != stdout && fclose(out->file) != 0 && !out->error)
        out->error = errno;
    free(out->buffer);
    Unfinished *slot = out->beside ? find_unfinished(out->beside) : NULL;
    if (slot && held && !out->error) {
        slot->closed = true;
    } else if (slot) {
        int error = finish(slot, !out->error);
        out->error = out->error ? out->error : error;
    }
    if (out->error)
        diag_error(diag, (Span){0}, "cannot write '%s': %s", out->path,
                   strerror(out->error));
    return !out->error;
}

void outfile_drop(OutFile *out)
{
    Unfinished *slot = out->beside ? find_unfinished(out->beside) : NULL;
    if (out->file != stdout)
        fclose(out->file);
    free(out->buffer);
    if (slot)
        finish(slot, false);
}

void outfiles_hold(void)
{
    held = true;
}

bool outfiles_release(bool good, Diag *diag)
{
    held = false;
    for (int i = 0; i < MAX_OPEN; i++) {
        Unfinished *slot = &unfinished[i];
        int error = slot->beside[0] && slot->closed ? finish(slot, good) : 0;
        if (error)
            diag_error(diag, (Span){0}, "cannot write '%s': %s", slot->path, strerror(error));
        good = good && !error;
    }
    return good;
}

/* ---- paths ------------------------------------------------------------- */

/* The folder of this executable, however it was called; "" when the system does not tell. */
static const char *own_folder(Arena *arena)
{
    char *path = arena_alloc(arena, PATH_LIMIT);
    ssize_t n = readlink("/proc/self/exe", path, PATH_LIMIT - 1);
    path[n < 0 ? 0 : n] = 0;
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = 0;
    return slash ? path : "";
}

const char *part_find(Arena *arena, const char *name, const char *built)
{
    const char *own = own_folder(arena);
    const char *places[] = {arena_printf(arena, "%s/%s", own, name),
                            arena_printf(arena, "%s/../lib/vtc/%s", own, name), built};
    for (int i = 0; i < 3; i++)
        if (access(places[i], R_OK) == 0)
            return places[i];
    return NULL;
}

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
