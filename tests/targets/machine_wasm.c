/* WebAssembly without a library: the streams are the host's (run_wasm.mjs), memory
 * grows behind what the linker laid out. */
#include "harness.h"
#include <stdint.h>

extern unsigned char __heap_base;
__attribute__((import_name("take"))) int take(void *at, size_t bytes);
__attribute__((import_name("give"))) int give(const void *at, size_t bytes);
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);

void *machine_memory(size_t bytes)
{
    static uintptr_t end;
    uintptr_t at = ((end ? end : (uintptr_t)&__heap_base) + 63) & ~(uintptr_t)63;
    uintptr_t have = __builtin_wasm_memory_size(0) * 65536;
    end = at + bytes;
    if (end > have && __builtin_wasm_memory_grow(0, (end - have + 65535) / 65536) ==
                          (size_t)-1)
        return NULL;
    return (void *)at;
}

void machine_mark(void)
{
}

int machine_take(void *at, size_t bytes)
{
    return take(at, bytes);
}

int machine_give(const void *at, size_t bytes)
{
    return give(at, bytes);
}

__attribute__((export_name("harness_main"))) int harness_main(void)
{
    return harness();
}

/* What the compiler may call of a library that is not there. */
void *memcpy(void *to, const void *from, size_t n)
{
    unsigned char *t = to;
    for (const unsigned char *f = from; n > 0; n--)
        *t++ = *f++;
    return to;
}

void *memset(void *to, int value, size_t n)
{
    for (unsigned char *t = to; n > 0; n--)
        *t++ = (unsigned char)value;
    return to;
}
