/* What a file gives the network: tensors as they are, or images to preprocess. */
#include "inputs.h"

#include "preprocess.h"
#include <inttypes.h>
#include <string.h>

void vtc_shape_text(char *text, size_t size, int rank, const int64_t *dims)
{
    size_t n = 0;
    text[0] = '\0';
    for (int i = 0; i < rank && n < size; i++) {
        int wrote = snprintf(text + n, size - n, "%s%" PRId64, i > 0 ? "x" : "",
                             dims[i]);
        n += wrote > 0 ? (size_t)wrote : size;
    }
    if (rank == 0)
        snprintf(text, size, "scalar");
}

/* How many input tensors the array is; 0 if it is none. */
static int64_t tensors_in(const VtcArray *array, const VtcTensorInfo *input)
{
    if (array->dtype != input->dtype || array->rank != input->rank ||
        array->count == 0)
        return 0;
    for (int i = 0; i < input->rank; i++)
        if (array->dims[i] != input->dims[i] && (i > 0 || input->dims[0] != 1))
            return 0;
    return input->rank > 0 && input->dims[0] == 1 ? array->dims[0] : 1;
}

/* How many images the array is: H x W, H x W x C, N x H x W x C; 0 if none. */
static int64_t images_in(const VtcArray *array)
{
    if (array->dtype != VTC_u8 || array->rank < 2 || array->rank > 4 ||
        array->count == 0)
        return 0;
    int64_t channels = array->rank == 2 ? 1 : array->dims[array->rank - 1];
    if (channels != 1 && channels != 3)
        return 0;
    return array->rank == 4 ? array->dims[0] : 1;
}

static int array_items(VtcItems *items, const VtcTensorInfo *input,
                       VtcError *error)
{
    const VtcArray *array = &items->array;
    items->count = tensors_in(array, input);
    items->tensors = items->count > 0;
    if (!items->tensors && input->preprocess != NULL)
        items->count = images_in(array);
    if (items->count > 0)
        return VTC_OK;
    char have[128], want[128];
    vtc_shape_text(have, sizeof have, array->rank, array->dims);
    vtc_shape_text(want, sizeof want, input->rank, input->dims);
    return vtc_fail(error, VTC_ERR_MISMATCH,
                    "%s: %s %s is not input '%s', %s %s%s", items->path,
                    vtc_dtype_name(array->dtype), have, input->name,
                    vtc_dtype_name(input->dtype), want,
                    input->preprocess ? ", nor u8 images" : "");
}

int vtc_items_open(VtcItems *items, const VtcTensorInfo *input, const char *path,
                   VtcError *error)
{
    VtcBytes file;
    memset(items, 0, sizeof *items);
    items->path = path;
    int status = vtc_bytes_read(&file, path, SIZE_MAX / 2, error);
    if (status != VTC_OK)
        return status;
    if (vtc_array_known(&file)) {
        status = vtc_array_parse(&items->array, &file, path, error);
        if (status == VTC_OK)
            status = array_items(items, input, error);
    } else {
        items->count = 1;
        status = vtc_image_decode(&items->image, &file, path, error);
        vtc_bytes_free(&file);
    }
    if (status != VTC_OK)
        vtc_items_close(items);
    return status;
}

/* Image `index` of an array; the pixels stay the array's. */
static int array_image(VtcImage *image, const VtcItems *items, int64_t index,
                       VtcError *error)
{
    const VtcArray *array = &items->array;
    const int64_t *dims = array->dims + (array->rank == 4);
    int64_t channels = array->rank == 2 ? 1 : dims[2];
    if (dims[0] > VTC_MAX_PIXELS || dims[1] > VTC_MAX_PIXELS / dims[0])
        return vtc_fail(error, VTC_ERR_LIMIT,
                        "%s: images of more than %d pixels", items->path,
                        VTC_MAX_PIXELS);
    *image = (VtcImage){(int)dims[1], (int)dims[0], (int)channels,
                        array->data.at + index * dims[0] * dims[1] * channels};
    return VTC_OK;
}

int vtc_items_fill(const VtcItems *items, const VtcTensorInfo *input,
                   int64_t index, void *tensor, VtcError *error)
{
    size_t bytes = (size_t)input->bytes;
    if (items->tensors) {
        memcpy(tensor, items->array.data.at + (size_t)index * bytes, bytes);
        return VTC_OK;
    }
    VtcImage image = items->image;
    int status = VTC_OK;
    if (image.pixels == NULL)
        status = array_image(&image, items, index, error);
    VtcError why;
    if (status == VTC_OK) {
        status = vtc_preprocess(input, &image, tensor, &why);
        if (status != VTC_OK)
            vtc_fail(error, status, "%s: %s", items->path, why.text);
    }
    return status;
}

void vtc_items_close(VtcItems *items)
{
    vtc_array_free(&items->array);
    vtc_image_free(&items->image);
}
