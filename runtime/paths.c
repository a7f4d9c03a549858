/* Folders and lists of files. */
#define _POSIX_C_SOURCE 200809L
#include "inputs.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MAX_LIST_BYTES = 256 << 20 };

static int push(VtcPaths *paths, const char *folder, size_t folder_length,
                const char *name, size_t length, VtcError *error)
{
    if (paths->n == paths->capacity) {
        size_t capacity = paths->capacity > 0 ? paths->capacity * 2 : 16;
        char **at = realloc(paths->at, capacity * sizeof *at);
        if (at == NULL)
            return vtc_fail(error, VTC_ERR_MEMORY, "out of memory for paths");
        paths->at = at;
        paths->capacity = capacity;
    }
    char *path = malloc(folder_length + length + 1);
    if (path == NULL)
        return vtc_fail(error, VTC_ERR_MEMORY, "out of memory for paths");
    memcpy(path, folder, folder_length);
    memcpy(path + folder_length, name, length);
    path[folder_length + length] = '\0';
    paths->at[paths->n++] = path;
    return VTC_OK;
}

static bool ends(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);
    return n > m && strcasecmp(name + n - m, suffix) == 0;
}

static bool is_readable_kind(const char *name)
{
    static const char *const kinds[] = {".png", ".jpg", ".jpeg",
                                        ".ppm", ".pgm", ".npy"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (name[0] != '.' && ends(name, kinds[i]))
            return true;
    return false;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_folder(VtcPaths *paths, const char *input, VtcError *error)
{
    DIR *dir = opendir(input);
    if (dir == NULL)
        return vtc_fail(error, VTC_ERR_OPEN, "%s: %s", input, strerror(errno));
    size_t first = paths->n, length = strlen(input);
    char *folder = malloc(length + 2);
    int status = folder == NULL ? vtc_fail(error, VTC_ERR_MEMORY,
                                           "out of memory for paths")
                                : VTC_OK;
    if (folder != NULL) {
        memcpy(folder, input, length);
        if (folder[length - 1] != '/')
            folder[length++] = '/';
    }
    for (struct dirent *e; status == VTC_OK && (e = readdir(dir)) != NULL;)
        if (is_readable_kind(e->d_name))
            status = push(paths, folder, length, e->d_name, strlen(e->d_name),
                          error);
    closedir(dir);
    free(folder);
    if (status == VTC_OK && paths->n == first)
        return vtc_fail(error, VTC_ERR_FORMAT,
                        "%s: no .png, .jpg, .jpeg, .ppm, .pgm or .npy in it",
                        input);
    if (paths->n > first)
        qsort(paths->at + first, paths->n - first, sizeof *paths->at,
              compare_paths);
    return status;
}

/* One line of a list, trimmed. */
static int add_line(VtcPaths *paths, const char *list, const char *line,
                    size_t n, VtcError *error)
{
    while (n > 0 && strchr(" \t\r", line[n - 1]) != NULL)
        n--;
    if (n == 0 || line[0] == '#')
        return VTC_OK;
    const char *slash = strrchr(list, '/');
    size_t folder = line[0] != '/' && slash ? (size_t)(slash - list) + 1 : 0;
    return push(paths, list, folder, line, n, error);
}

static int add_list(VtcPaths *paths, const char *input, VtcError *error)
{
    VtcBytes file;
    int status = vtc_bytes_read(&file, input, MAX_LIST_BYTES, error);
    size_t first = paths->n;
    if (status == VTC_OK && memchr(file.at, '\0', file.n) != NULL)
        status = vtc_fail(error, VTC_ERR_FORMAT, "%s: not a list of paths",
                          input);
    for (size_t at = 0; status == VTC_OK && at < file.n;) {
        const char *line = (const char *)file.at + at;
        const char *end = memchr(line, '\n', file.n - at);
        size_t n = end != NULL ? (size_t)(end - line) : file.n - at;
        status = add_line(paths, input, line, n, error);
        at += n + 1;
    }
    vtc_bytes_free(&file);
    if (status == VTC_OK && paths->n == first)
        return vtc_fail(error, VTC_ERR_FORMAT, "%s: an empty list", input);
    return status;
}

int vtc_paths_add(VtcPaths *paths, const char *input, VtcError *error)
{
    struct stat status;
    if (stat(input, &status) != 0)
        return vtc_fail(error, VTC_ERR_OPEN, "%s: %s", input, strerror(errno));
    if (S_ISDIR(status.st_mode))
        return add_folder(paths, input, error);
    if (ends(input, ".txt"))
        return add_list(paths, input, error);
    return push(paths, "", 0, input, strlen(input), error);
}

void vtc_paths_free(VtcPaths *paths)
{
    for (size_t i = 0; i < paths->n; i++)
        free(paths->at[i]);
    free(paths->at);
    *paths = (VtcPaths){NULL, 0, 0};
}
