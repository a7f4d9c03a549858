/* Weights file: map, check, use in place. Nothing is re-packed, so the first result
 * waits only for the hash, and programs of one run share the pages. Before many runs
 * they can be copied to huge pages (vtc_weights_settle). */
#define _POSIX_C_SOURCE 200809L
#include "weights.h"

#include "pages.h"
#include "vtc_blob.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens and sizes the file; -1 when that failed. */
static int open_sized(const char *path, size_t *bytes, VtcError *error)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        vtc_fail(error, VTC_ERR_OPEN, "%s: cannot read weights: %s", path,
                 strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        vtc_fail(error, VTC_ERR_OPEN, "%s: not a weights file", path);
    } else if (status.st_size < VTC_BLOB_HEADER_BYTES) {
        vtc_fail(error, VTC_ERR_SIZE,
                 "%s: truncated: %lld bytes are less than a weights file's "
                 "header of %d",
                 path, (long long)status.st_size, VTC_BLOB_HEADER_BYTES);
    } else {
        *bytes = (size_t)status.st_size;
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

static int map_file(VtcWeights *weights, const char *path, VtcError *error)
{
    VtcError ignored;
    size_t bytes = 0;
    error = error != NULL ? error : &ignored;
    int fd = open_sized(path, &bytes, error);
    if (fd < 0)
        return error->status;
    void *map = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    int reason = errno;
    close(fd);
    if (map == MAP_FAILED)
        return vtc_fail(error, VTC_ERR_OPEN, "%s: cannot map weights: %s", path,
                        strerror(reason));
    vtc_pages_advise(map, bytes);
    weights->map = map;
    weights->map_bytes = bytes;
    return VTC_OK;
}

/* That it is a weights file of this machine and as long as it says. */
static int check_format(const VtcBlobHeader *header, size_t file_bytes,
                        const char *path, VtcError *error)
{
    if (memcmp(header->magic, VTC_BLOB_MAGIC, sizeof header->magic) != 0)
        return vtc_fail(error, VTC_ERR_FORMAT,
                        "%s: not a weights file: it does not begin with "
                        "'vtcblob'",
                        path);
    if (header->order == UINT32_C(0x04030201))
        return vtc_fail(error, VTC_ERR_ORDER,
                        "%s: the weights are in the other byte order", path);
    if (header->order != VTC_BLOB_ORDER)
        return vtc_fail(error, VTC_ERR_FORMAT, "%s: byte order mark damaged",
                        path);
    if (header->version != VTC_BLOB_VERSION)
        return vtc_fail(error, VTC_ERR_VERSION,
                        "%s: format version %lu, this program reads %d", path,
                        (unsigned long)header->version, VTC_BLOB_VERSION);
    uint64_t follow = file_bytes - VTC_BLOB_HEADER_BYTES;
    if (header->payload_bytes != follow)
        return vtc_fail(error, VTC_ERR_SIZE,
                        "%s: %s: the header says %llu bytes of weights, %llu "
                        "follow it",
                        path,
                        header->payload_bytes > follow ? "truncated"
                                                       : "wrong size",
                        (unsigned long long)header->payload_bytes,
                        (unsigned long long)follow);
    return VTC_OK;
}

/* The header's name, fit for a terminal whatever the file holds. */
static void header_name(char out[VTC_BLOB_NAME_BYTES],
                        const VtcBlobHeader *header)
{
    memcpy(out, header->name, VTC_BLOB_NAME_BYTES);
    out[VTC_BLOB_NAME_BYTES - 1] = '\0';
    for (char *c = out; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

/* That it is the file that was made for this network, undamaged. */
static int check_model(const VtcBlobHeader *header, const void *payload,
                       const VtcModel *model, const char *path, VtcError *error)
{
    char name[VTC_BLOB_NAME_BYTES];
    header_name(name, header);
    if (header->payload_bytes != model->weights_bytes ||
        header->hash != model->weights_hash)
        return vtc_fail(error, VTC_ERR_MISMATCH,
                        "%s: weights of another build of '%s' (%llu bytes, hash"
                        " %016llx), this program needs those of '%s' (%llu "
                        "bytes, hash %016llx)",
                        path, name,
                        (unsigned long long)header->payload_bytes,
                        (unsigned long long)header->hash, model->name,
                        (unsigned long long)model->weights_bytes,
                        (unsigned long long)model->weights_hash);
    uint64_t hash = vtc_blob_hash(payload, (size_t)header->payload_bytes);
    if (hash != header->hash)
        return vtc_fail(error, VTC_ERR_HASH,
                        "%s: damaged: the weights' hash is %016llx, the header "
                        "says %016llx",
                        path, (unsigned long long)hash,
                        (unsigned long long)header->hash);
    return VTC_OK;
}

static int weights_embedded(VtcWeights *weights, const VtcModel *model,
                            VtcError *error)
{
    if (model->weights == NULL && model->weights_bytes > 0)
        return vtc_fail(error, VTC_ERR_OPEN,
                        "'%s' has no weights in the program: give their file",
                        model->name);
    weights->data = model->weights;
    vtc_pages_advise(model->weights, model->weights_bytes);
    return VTC_OK;
}

int vtc_weights_open(VtcWeights *weights, const VtcModel *model,
                     const char *path, VtcError *error)
{
    memset(weights, 0, sizeof *weights);
    if (path == NULL)
        return weights_embedded(weights, model, error);
    int status = map_file(weights, path, error);
    if (status != VTC_OK)
        return status;
    VtcBlobHeader header;
    memcpy(&header, weights->map, sizeof header);
    weights->data = (const char *)weights->map + VTC_BLOB_HEADER_BYTES;
    status = check_format(&header, weights->map_bytes, path, error);
    if (status == VTC_OK)
        status = check_model(&header, weights->data, model, path, error);
    if (status != VTC_OK)
        vtc_weights_close(weights);
    return status;
}

void vtc_weights_settle(VtcWeights *weights, const VtcModel *model)
{
    void *copy = vtc_pages_copy(weights->data, model->weights_bytes);
    if (copy == NULL)
        return;
    weights->copy = copy;
    weights->data = copy;
}

void vtc_weights_close(VtcWeights *weights)
{
    if (weights->map != NULL)
        munmap(weights->map, weights->map_bytes);
    free(weights->copy);
    memset(weights, 0, sizeof *weights);
}
