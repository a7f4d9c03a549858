/* Fuzz target: any bytes as an array of numbers: .npy and the format of MNIST. An array
 * that is read has exactly the elements of its shape. */
#include "runtime/array.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    VtcBytes file = {malloc(size > 0 ? size : 1), size};
    VtcArray array;
    unsigned sum = 0;
    if (size > 0)
        memcpy(file.at, data, size);
    if (vtc_array_parse(&array, &file, "x", NULL) != VTC_OK)
        return 0;
    int64_t count = 1;
    for (int i = 0; i < array.rank; i++)
        count *= array.dims[i];
    if (count != array.count || array.data.n != (size_t)count * vtc_dtype_bytes(array.dtype))
        abort();
    for (size_t i = 0; i < array.data.n; i++)
        sum += array.data.at[i];
    vtc_array_free(&array);
    return sum == 1 ? 1 : 0;
}
