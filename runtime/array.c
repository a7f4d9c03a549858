/* Arrays: which format a file is of; idx-ubyte; element types. */
#include "array.h"

#include "npy.h"
#include <stdlib.h>
#include <string.h>

typedef struct DtypeInfo {
    const char *name;
    size_t bytes;
} DtypeInfo;

static const DtypeInfo dtypes[] = {
    [VTC_f32] = {"f32", 4}, [VTC_f16] = {"f16", 2}, [VTC_bf16] = {"bf16", 2},
    [VTC_i32] = {"i32", 4}, [VTC_u8] = {"u8", 1},   [VTC_bool] = {"bool", 1},
};

size_t vtc_dtype_bytes(int dtype)
{
    return dtype < 0 || dtype > VTC_bool ? 0 : dtypes[dtype].bytes;
}

const char *vtc_dtype_name(int dtype)
{
    return dtype < 0 || dtype > VTC_bool ? "?" : dtypes[dtype].name;
}

/* ---- idx: 0 0 8 rank, rank big-endian 32-bit sizes, bytes --------------- */

static bool is_idx(const VtcBytes *file)
{
    return file->n >= 4 && file->at[0] == 0 && file->at[1] == 0 &&
           file->at[2] == 8 && file->at[3] >= 1 && file->at[3] <= 4;
}

static int64_t big32(const unsigned char *at)
{
    return (int64_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static int idx_parse(VtcArray *array, const VtcBytes *file, const char *name,
                     VtcError *error)
{
    int rank = file->at[3];
    size_t header = 4 + 4 * (size_t)rank;
    if (file->n < header)
        return vtc_fail(error, VTC_ERR_SIZE, "%s: truncated idx header", name);
    int64_t count = 1, bytes = (int64_t)(file->n - header);
    for (int i = 0; i < rank; i++) {
        array->dims[i] = big32(file->at + 4 + 4 * i);
        if (array->dims[i] > 0 && count > bytes / array->dims[i])
            return vtc_fail(error, VTC_ERR_SIZE, "%s: truncated: %lld bytes "
                            "of elements do not fill its shape",
                            name, (long long)bytes);
        count *= array->dims[i];
    }
    if (count != bytes)
        return vtc_fail(error, VTC_ERR_SIZE, "%s: wrong size: %lld bytes of "
                        "elements, its shape needs %lld",
                        name, (long long)bytes, (long long)count);
    if (rank == 3)
        array->dims[rank++] = 1;
    array->dtype = VTC_u8;
    array->rank = rank;
    array->count = count;
    memmove(file->at, file->at + header, (size_t)bytes);
    array->data = (VtcBytes){file->at, (size_t)bytes};
    return VTC_OK;
}

/* ---- either ------------------------------------------------------------ */

static bool is_npy(const VtcBytes *file)
{
    return file->n >= 6 && memcmp(file->at, "\x93NUMPY", 6) == 0;
}

bool vtc_array_known(const VtcBytes *file)
{
    return is_npy(file) || is_idx(file);
}

int vtc_array_parse(VtcArray *array, VtcBytes *file, const char *name,
                    VtcError *error)
{
    memset(array, 0, sizeof *array);
    int status =
        is_npy(file)   ? vtc_npy_parse(array, file, name, error)
        : is_idx(file) ? idx_parse(array, file, name, error)
                       : vtc_fail(error, VTC_ERR_FORMAT,
                                  "%s: neither a .npy nor an idx file", name);
    if (status == VTC_OK)
        *file = (VtcBytes){NULL, 0};
    else
        memset(array, 0, sizeof *array);
    vtc_bytes_free(file);
    return status;
}

int vtc_array_load(VtcArray *array, const char *path, VtcError *error)
{
    VtcBytes file;
    memset(array, 0, sizeof *array);
    int status = vtc_bytes_read(&file, path, SIZE_MAX / 2, error);
    return status == VTC_OK ? vtc_array_parse(array, &file, path, error) : status;
}

void vtc_array_free(VtcArray *array)
{
    vtc_bytes_free(&array->data);
    memset(array, 0, sizeof *array);
}
