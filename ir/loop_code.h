/* Flat code of the loop interpreter: loop_eval.c makes it, loop_run.c holds what
 * each operation does. */
#ifndef VTC_IR_LOOP_CODE_H
#define VTC_IR_LOOP_CODE_H

#include "ir/loop.h"
#include "support/ptrmap.h"

enum { BLOCK = 4 }; /* lanes; storage is padded to a multiple of it */

typedef union Lane {
    float f;
    int32_t i; /* u8 and bool too */
} Lane;

/* base + sum of factor * *var */
typedef struct Moving {
    const int64_t *var;
    int64_t factor;
} Moving;
typedef struct Where {
    int64_t base;
    int n;
    Moving *term;
} Where;

/* A product: where its matrices are. */
typedef struct Matrices {
    const Product *product;
    Where left, right;
    const unsigned char *left_base, *right_base;
} Matrices;

typedef struct Instr Instr;
typedef void Run(const Instr *op);
typedef VEC(Instr) Code;

struct Instr {
    Run *run;
    int lanes;
    Lane *out;
    const Lane *arg[3];
    Where at;            /* load, store, iload, pick, put, if */
    unsigned char *base; /* of the parameter */
    int64_t *var;        /* for, iload */
    const IVar *index_var; /* iload: the range it promised */
    int64_t count;       /* for: trips; if: limit; shifts: bits */
    Code *body, *other;
    const Matrices *matrices; /* product */
    const signed char *lane; /* shuffle */
    int width;               /* shuffle: lanes of an operand */
};

void code_run(const Code *code);
/* What computes an expression that is no constant, register or change of type. */
Run *run_of(const Expr *e);
Run run_copy, run_pick, run_put, run_store, run_store_bytes, run_product, run_for, run_if, run_iload,
    run_index;

#endif
