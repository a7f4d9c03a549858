/* Shared by the tests of programs: one kernel as a program of one step. Parameters
 * that are read lie in the weights, those that are written in the workspace, one
 * behind the other, at multiples of 64. */
#ifndef VTC_TESTS_LOOP_BUILD_H
#define VTC_TESTS_LOOP_BUILD_H

#include "ir/loop.h"
#include <stdio.h>
#include <string.h>

static const Target wide_target = {.name = "wide", .lanes = 16, .has_fma = true};
static const Target split_target = {.name = "split", .lanes = 16, .has_fma = false};
static const Target scalar_target = {.name = "scalar", .lanes = 1, .no_floor = true};

static inline int param_add(Arena *arena, Kernel *kernel, const char *name, DType dtype,
                            int64_t extent, Access access)
{
    return kernel_param(arena, kernel,
                        (Param){.name = name, .dtype = dtype, .extent = extent,
                                .access = access, .noalias = true, .align = 64});
}

static inline Program *program_of(Arena *arena, const Target *target, Kernel *kernel)
{
    Program *p = NEW(arena, Program, 1);
    *p = (Program){.arena = arena, .name = "test", .target = target,
                   .graph = graph_new(arena, "test"), .max_threads = 1};
    Step step = {.kernel = kernel, .name = kernel->name};
    for (int i = 0; i < kernel->params.n; i++) {
        const Param *param = &kernel->params.at[i];
        bool reads = param->access == ACCESS_read;
        int64_t *end = reads ? &p->weights_bytes : &p->workspace_bytes;
        Arg arg = {.buffer = reads ? BUF_weights : BUF_workspace, .offset = *end};
        VEC_PUSH(arena, step.args, arg);
        *end += (param->extent * dtype_info[param->dtype].bytes + 63) & ~(int64_t)63;
    }
    VEC_PUSH(arena, p->kernels, kernel);
    VEC_PUSH(arena, p->steps, step);
    return p;
}

static inline void run_program(const Program *p, const void *weights, void *workspace)
{
    Memory memory = {.weights = weights, .workspace = workspace};
    program_eval(p, &memory, 0, p->steps.n);
}

static inline const char *errors_of(const Program *p)
{
    Text errors = text_new(p->arena);
    program_verify(p, &errors);
    return text_str(&errors);
}

static inline const char *emit_errors_of(const Program *p)
{
    Text errors = text_new(p->arena);
    program_emittable(p, &errors);
    return text_str(&errors);
}

static inline const char *body_of(const Program *p)
{
    Text text = text_new(p->arena);
    kernel_print(p->kernels.at[0], &text);
    return text_str(&text);
}

#endif
