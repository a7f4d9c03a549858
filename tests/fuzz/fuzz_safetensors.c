/* Fuzz target: any bytes as a safetensors file. */
#include "frontend/safetensors.h"
#include "tests/fuzz/tensor_file.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    return tensor_file_try(safetensors_parse, data, size);
}
