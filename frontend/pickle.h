/* Python's pickle language, read as data. A pickle is a program for a stack machine that
 * may call any function by its name; here nothing is ever called or made: names stay
 * names, and a call is a node that holds what would be called and with what. The reader
 * of a format says which names it knows; any other, and any opcode that is not needed
 * for data, is refused by its name. */
#ifndef VTC_FRONTEND_PICKLE_H
#define VTC_FRONTEND_PICKLE_H

#include "support/diag.h"
#include <stdint.h>

typedef enum PickleKind {
    PICKLE_none,
    PICKLE_bool,       /* number */
    PICKLE_int,        /* number */
    PICKLE_real,       /* real */
    PICKLE_text,       /* text: strings and bytes */
    PICKLE_tuple,      /* items */
    PICKLE_list,       /* items */
    PICKLE_dict,       /* items: key, value, key, value, ... */
    PICKLE_global,     /* text: "module.name" */
    PICKLE_call,       /* callee, args; items as of a dict, set afterwards */
    PICKLE_persistent, /* args: what the format keeps elsewhere */
    PICKLE_mark
} PickleKind;

typedef struct PickleValue PickleValue;
struct PickleValue {
    PickleKind kind;
    int64_t number;
    double real;
    const char *text;
    PickleValue *callee, *args;
    VEC(PickleValue *) items;
};

typedef bool PickleKnown(const char *global); /* "module.name" */

/* The value of a pickle; NULL and an error at `span` when it is damaged or refused.
 * Values may contain themselves. Memory is proportional to n. */
PickleValue *pickle_read(Arena *arena, Diag *diag, Span span, const unsigned char *data,
                         size_t n, PickleKnown *known);

#endif
