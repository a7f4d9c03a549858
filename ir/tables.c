/* The tables as arrays, and look-ups by name. */
#include "ir/graph.h"
#include "ir/loop.h"
#include <stddef.h>
#include <string.h>

const AttrInfo attr_info[ATTR_COUNT] = {
#define ATTR(id, attr_kind, def, text)                                         \
    [ATTR_##id] = {.name = #id,                                                \
                   .doc = text,                                                \
                   .kind = KIND_##attr_kind,                                   \
                   .offset = offsetof(Attrs, id)},
#include "ir/attrs.def"
};

#define ATTR(id, ...) static const uint64_t A_##id = 1ull << ATTR_##id;
#include "ir/attrs.def"

const OpInfo op_info[OP_COUNT] = {
#define OP(id, op_class, low, high, attributes, text)                          \
    [OP_##id] = {.name = #id,                                                  \
                 .doc = text,                                                  \
                 .class = CLASS_##op_class,                                    \
                 .min_args = low,                                              \
                 .max_args = high,                                             \
                 .attrs = attributes},
#include "ir/ops.def"
};

const DTypeInfo dtype_info[DTYPE_COUNT] = {
#define DTYPE(id, size, c_name, dtype_kind, st, text)                          \
    [DT_##id] = {.name = #id,                                                  \
                 .c_type = #c_name,                                            \
                 .safetensors = st,                                            \
                 .bytes = size,                                                \
                 .is_real = IS_real_##dtype_kind,                              \
                 .is_integer = IS_integer_##dtype_kind,                        \
                 .is_boolean = IS_boolean_##dtype_kind},
#define IS_real_real true
#define IS_real_integer false
#define IS_real_boolean false
#define IS_integer_real false
#define IS_integer_integer true
#define IS_integer_boolean false
#define IS_boolean_real false
#define IS_boolean_integer false
#define IS_boolean_boolean true
#include "ir/dtypes.def"
};

const char *const mode_name[MODE_COUNT] = {
#define MODE(id, text) [MODE_##id] = #id,
#include "ir/modes.def"
};

const char *const algorithm_name[ALGORITHM_COUNT] = {
#define ALGORITHM(id, text) [ALGORITHM_##id] = #id,
#include "ir/algorithms.def"
};

const ExprInfo expr_info[EXPR_COUNT] = {
#define EXPR(id, count, emit, text)                                            \
    [EX_##id] = {.name = #id, .doc = text, .args = count},
#include "ir/exprs.def"
};

const char *schedule_text(Arena *arena, Schedule schedule)
{
    const char *name = algorithm_name[schedule.algorithm];
    return schedule.tile ? arena_printf(arena, "%s(%d)", name, schedule.tile) : name;
}

bool op_has(Op op, AttrId attr)
{
    return (op_info[op].attrs >> attr) & 1;
}

bool op_is_elementwise(Op op)
{
    OpClass c = op_info[op].class;
    return c == CLASS_unary || c == CLASS_binary || c == CLASS_compare ||
           c == CLASS_select;
}

int op_find(const char *name)
{
    for (int i = 0; i < OP_COUNT; i++)
        if (strcmp(op_info[i].name, name) == 0)
            return i;
    return -1;
}

int mode_find(const char *name)
{
    for (int i = 0; i < MODE_COUNT; i++)
        if (strcmp(mode_name[i], name) == 0)
            return i;
    return -1;
}

int dtype_find(const char *name)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (strcmp(dtype_info[i].name, name) == 0)
            return i;
    return -1;
}
