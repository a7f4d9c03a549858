/* Fuzz target: any bytes as a checkpoint of PyTorch (zip archive and pickle). */
#include "frontend/pth.h"
#include "tests/fuzz/tensor_file.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    return tensor_file_try(pth_parse, data, size);
}
