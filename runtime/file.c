/* Files: whole in, whole out. */
#define _POSIX_C_SOURCE 200809L
#include "file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of an open file: a regular one, within the limit. */
static int sized(FILE *file, size_t *n, const char *path, uint64_t limit,
                 VtcError *error)
{
    struct stat status;
    if (fstat(fileno(file), &status) != 0)
        return vtc_fail(error, VTC_ERR_OPEN, "%s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return vtc_fail(error, VTC_ERR_OPEN, "%s: not a file", path);
    if ((uint64_t)status.st_size > limit)
        return vtc_fail(error, VTC_ERR_LIMIT,
                        "%s: %lld bytes are more than the %llu accepted", path,
                        (long long)status.st_size, (unsigned long long)limit);
    *n = (size_t)status.st_size;
    return VTC_OK;
}

static int read_open(VtcBytes *bytes, FILE *file, const char *path,
                     uint64_t limit, VtcError *error)
{
    size_t n = 0;
    int status = sized(file, &n, path, limit, error);
    if (status != VTC_OK)
        return status;
    unsigned char *at = malloc(n > 0 ? n : 1);
    if (at == NULL)
        return vtc_fail(error, VTC_ERR_MEMORY, "%s: out of memory", path);
    if (fread(at, 1, n, file) != n) {
        free(at);
        return vtc_fail(error, VTC_ERR_OPEN, "%s: cannot read all of it", path);
    }
    *bytes = (VtcBytes){at, n};
    return VTC_OK;
}

int vtc_bytes_read(VtcBytes *bytes, const char *path, uint64_t limit,
                   VtcError *error)
{
    *bytes = (VtcBytes){NULL, 0};
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return vtc_fail(error, VTC_ERR_OPEN, "%s: %s", path, strerror(errno));
    int status = read_open(bytes, file, path, limit, error);
    fclose(file);
    return status;
}

void vtc_bytes_free(VtcBytes *bytes)
{
    free(bytes->at);
    *bytes = (VtcBytes){NULL, 0};
}

/* ---- out --------------------------------------------------------------- */

int vtc_out_open(VtcOut *out, const char *path, VtcError *error)
{
    static const char suffix[] = ".XXXXXX";
    *out = (VtcOut){.path = path};
    size_t length = strlen(path);
    out->temporary = malloc(length + sizeof suffix);
    if (out->temporary == NULL)
        return vtc_fail(error, VTC_ERR_MEMORY, "%s: out of memory", path);
    memcpy(out->temporary, path, length);
    memcpy(out->temporary + length, suffix, sizeof suffix);
    int fd = mkstemp(out->temporary);
    if (fd >= 0)
        out->file = fdopen(fd, "wb");
    if (out->file != NULL)
        return VTC_OK;
    int reason = errno;
    if (fd >= 0) {
        close(fd);
        unlink(out->temporary);
    }
    free(out->temporary);
    *out = (VtcOut){.path = path};
    return vtc_fail(error, VTC_ERR_SYSTEM, "%s: cannot write: %s", path,
                    strerror(reason));
}

/* mkstemp makes files only their owner can read; give what open would have. */
static int publish(const VtcOut *out)
{
    mode_t mask = umask(0);
    umask(mask);
    if (chmod(out->temporary, 0666 & ~mask) != 0)
        return -1;
    return rename(out->temporary, out->path);
}

int vtc_out_commit(VtcOut *out, VtcError *error)
{
    int failed = ferror(out->file);
    failed |= fclose(out->file);
    out->file = NULL;
    if (failed != 0 || publish(out) != 0) {
        int reason = errno;
        vtc_out_discard(out);
        return vtc_fail(error, VTC_ERR_SYSTEM, "%s: cannot write: %s", out->path,
                        strerror(reason));
    }
    free(out->temporary);
    out->temporary = NULL;
    return VTC_OK;
}

void vtc_out_discard(VtcOut *out)
{
    if (out->file != NULL)
        fclose(out->file);
    out->file = NULL;
    if (out->temporary != NULL)
        unlink(out->temporary);
    free(out->temporary);
    out->temporary = NULL;
}
