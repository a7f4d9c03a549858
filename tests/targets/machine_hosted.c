/* A machine with a C library: standard input and output. */
#include "harness.h"
#include <stdio.h>
#include <stdlib.h>

void *machine_memory(size_t bytes)
{
    return aligned_alloc(64, (bytes + 127) / 64 * 64);
}

void machine_mark(void)
{
}

int machine_take(void *at, size_t bytes)
{
    return fread(at, 1, bytes, stdin) == bytes ? 0 : 1;
}

int machine_give(const void *at, size_t bytes)
{
    return fwrite(at, 1, bytes, stdout) == bytes ? 0 : 1;
}

int main(void)
{
    return harness();
}
