/* What is gathered over all inputs. */
#include "collect.h"

#include "results.h"
#include <string.h>

/* ---- raw --------------------------------------------------------------- */

int vtc_raw_open(VtcRaw *raw, const VtcTensorInfo *info, const char *path,
                 VtcError *error)
{
    static const char room[VTC_NPY_HEADER_BYTES];
    *raw = (VtcRaw){.info = info};
    if (info->dtype == VTC_f16 || info->dtype == VTC_bf16)
        return vtc_fail(error, VTC_ERR_MISMATCH,
                        "output '%s' is %s, which is not written", info->name,
                        vtc_dtype_name(info->dtype));
    int status = vtc_out_open(&raw->out, path, error);
    if (status == VTC_OK) /* the count is not known yet */
        fwrite(room, 1, sizeof room, raw->out.file);
    return status;
}

void vtc_raw_add(VtcRaw *raw, const void *data)
{
    if (raw->out.file == NULL)
        return;
    fwrite(data, 1, (size_t)raw->info->bytes, raw->out.file);
    raw->count++;
}

/* The rank of all together, or -1. */
static int stacked_dims(const VtcRaw *raw, int64_t dims[VTC_MAX_RANK])
{
    const VtcTensorInfo *info = raw->info;
    bool before = raw->count != 1 && (info->rank == 0 || info->dims[0] != 1);
    if (before && info->rank == VTC_MAX_RANK)
        return -1;
    for (int i = 0; i < info->rank; i++)
        dims[i + before] = info->dims[i];
    if (raw->count != 1)
        dims[0] = raw->count;
    return info->rank + before;
}

int vtc_raw_commit(VtcRaw *raw, VtcError *error)
{
    if (raw->out.file == NULL)
        return VTC_OK;
    char header[VTC_NPY_HEADER_BYTES];
    int64_t dims[VTC_MAX_RANK];
    int rank = stacked_dims(raw, dims);
    if (rank < 0) {
        vtc_raw_discard(raw);
        return vtc_fail(error, VTC_ERR_LIMIT,
                        "output '%s' has too many dimensions to be stacked",
                        raw->info->name);
    }
    vtc_npy_header(header, raw->info->dtype, rank, dims);
    if (fseek(raw->out.file, 0, SEEK_SET) == 0)
        fwrite(header, 1, sizeof header, raw->out.file);
    return vtc_out_commit(&raw->out, error);
}

void vtc_raw_discard(VtcRaw *raw)
{
    vtc_out_discard(&raw->out);
}

/* ---- expect ------------------------------------------------------------ */

int vtc_expect_open(VtcExpect *expect, const VtcTensorInfo *info,
                    const char *path, VtcError *error)
{
    *expect = (VtcExpect){.path = path};
    if (!vtc_is_vector(info))
        return vtc_fail(error, VTC_ERR_MISMATCH,
                        "output '%s' is no vector of classes", info->name);
    int status = vtc_array_load(&expect->classes, path, error);
    if (status != VTC_OK)
        return status;
    if (expect->classes.dtype != VTC_f32 && expect->classes.rank == 1)
        return VTC_OK;
    vtc_expect_close(expect);
    return vtc_fail(error, VTC_ERR_MISMATCH,
                    "%s: not a vector of integer classes", path);
}

static int64_t expected_class(const VtcArray *classes, int64_t i)
{
    if (classes->dtype == VTC_u8)
        return classes->data.at[i];
    int32_t value;
    memcpy(&value, classes->data.at + (size_t)i * sizeof value, sizeof value);
    return value;
}

void vtc_expect_add(VtcExpect *expect, const VtcTensorInfo *info,
                    const void *data)
{
    int64_t i = expect->seen++;
    if (expect->classes.data.at != NULL && i < expect->classes.count)
        expect->right += vtc_argmax(data, vtc_element_count(info)) ==
                         expected_class(&expect->classes, i);
}

int vtc_expect_check(const VtcExpect *expect, VtcError *error)
{
    if (expect->seen == expect->classes.count)
        return VTC_OK;
    return vtc_fail(error, VTC_ERR_MISMATCH,
                    "%s: %lld classes are expected of %lld inputs", expect->path,
                    (long long)expect->classes.count, (long long)expect->seen);
}

void vtc_expect_close(VtcExpect *expect)
{
    vtc_array_free(&expect->classes);
}
