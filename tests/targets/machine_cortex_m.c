/* A Cortex-M without a system: vectors, start, and files through semihosting
 * (inputs.bin, outputs.bin in the folder of the emulator). */
#include "harness.h"
#include <stdint.h>

extern unsigned char stack_top, data_load, data_begin, data_end, bss_begin, bss_end;
void start(void);
void fault(void);
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
void __aeabi_memcpy(void *to, const void *from, size_t n);
void __aeabi_memcpy4(void *to, const void *from, size_t n);
void __aeabi_memcpy8(void *to, const void *from, size_t n);
void __aeabi_memclr(void *to, size_t n);
void __aeabi_memclr4(void *to, size_t n);
void __aeabi_memclr8(void *to, size_t n);

/* Arm's semihosting operations (document 100863). */
enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_WRITE = 5, SYS_READ = 6, SYS_EXIT_EXTENDED = 0x20 };
enum { MODE_RB = 1, MODE_WB = 5, ADP_STOPPED = 0x20026 };

static int semihost(int operation, const void *block)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static int open_file(const char *name, int mode, int length)
{
    const uintptr_t block[] = {(uintptr_t)name, (uintptr_t)mode, (uintptr_t)length};
    return semihost(SYS_OPEN, block);
}

/* The board's large RAM: MPS2's AN386 (a Cortex-M4) has it elsewhere than AN500. */
static uintptr_t large_memory(void)
{
    enum { PART = 0xfff0, CORTEX_M4 = 0xc240 };
    uint32_t cpuid = *(volatile uint32_t *)0xe000ed00;
    return (cpuid & PART) == CORTEX_M4 ? 0x21000000 : 0x60000000;
}

void *machine_memory(size_t bytes)
{
    enum { LARGE = 16 << 20, ALIGN = 64 };
    static size_t used;
    size_t at = used;
    if (bytes > LARGE - at)
        return NULL;
    used = at + (bytes + ALIGN - 1) / ALIGN * ALIGN;
    return (void *)(large_memory() + at);
}

int machine_take(void *at, size_t bytes)
{
    static int file = -1;
    if (file < 0)
        file = open_file("inputs.bin", MODE_RB, 10);
    const uintptr_t block[] = {(uintptr_t)file, (uintptr_t)at, bytes};
    return semihost(SYS_READ, block); /* how much is missing */
}

static int output = -1;

int machine_give(const void *at, size_t bytes)
{
    if (output < 0)
        output = open_file("outputs.bin", MODE_WB, 11);
    const uintptr_t block[] = {(uintptr_t)output, (uintptr_t)at, bytes};
    return semihost(SYS_WRITE, block);
}

/* Paints what lies under the stack, then finds how far it was written. */
static uint32_t stack_used;

void machine_mark(void)
{
    enum { DEPTH = 65536, OWN = 64, PAINT = 0xa5 };
    static volatile unsigned char *top;
    volatile unsigned char *own = __builtin_frame_address(0);
    if (top == NULL) {
        top = own;
        for (int i = OWN; i < DEPTH; i++)
            own[-i] = PAINT;
        return;
    }
    uint32_t depth = DEPTH;
    while (depth > OWN && top[-(int)depth + 1] == PAINT)
        depth--;
    stack_used = depth;
}

static void finish(int status)
{
    const uintptr_t file[] = {(uintptr_t)output};
    const uintptr_t block[] = {ADP_STOPPED, (uintptr_t)status};
    if (output >= 0) {
        machine_give(&stack_used, sizeof stack_used); /* behind the outputs */
        semihost(SYS_CLOSE, file);
    }
    semihost(SYS_EXIT_EXTENDED, block);
    for (;;)
        ;
}

void start(void)
{
    *(volatile uint32_t *)0xe000ed88 |= 0xf00000; /* CPACR: the floating-point unit */
    __asm__ volatile("dsb\n isb");
    memcpy(&data_begin, &data_load, (size_t)(&data_end - &data_begin));
    memset(&bss_begin, 0, (size_t)(&bss_end - &bss_begin));
    finish(harness());
}

void fault(void)
{
    finish(104);
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    &stack_top, (void *)start, (void *)fault, (void *)fault, (void *)fault, (void *)fault,
    (void *)fault};

/* What the compiler may call of a library that is not there. */
__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *memcpy(void *to,
                                                                           const void *from,
                                                                           size_t n)
{
    unsigned char *t = to;
    for (const unsigned char *f = from; n > 0; n--)
        *t++ = *f++;
    return to;
}

__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *memset(void *to, int value,
                                                                           size_t n)
{
    for (unsigned char *t = to; n > 0; n--)
        *t++ = (unsigned char)value;
    return to;
}

/* The same by the names of the run-time ABI for Arm, which LLVM calls. */
void __aeabi_memcpy(void *to, const void *from, size_t n) { memcpy(to, from, n); }
void __aeabi_memcpy4(void *to, const void *from, size_t n) { memcpy(to, from, n); }
void __aeabi_memcpy8(void *to, const void *from, size_t n) { memcpy(to, from, n); }
void __aeabi_memclr(void *to, size_t n) { memset(to, 0, n); }
void __aeabi_memclr4(void *to, size_t n) { memset(to, 0, n); }
void __aeabi_memclr8(void *to, size_t n) { memset(to, 0, n); }
