/* Program: how a network runs. Buffers, kernels, steps.
 *
 *   program "tiny" target "x86-64-v4" {
 *     buffer weights : bytes[4096]     buffer workspace : bytes[8192] ...
 *     kernel k0(x: f32[300] read, w: f32[108] read, y: f32[64] write) tasks 4 {
 *       for i < 4 unroll { ... }
 *     }
 *     step 0 "conv1" k0(input 0 + 0, weights + 0, workspace + 256) // tiny.vt:5
 *   }
 *
 * A kernel is run `tasks` times (in any order, on any threads); the built-in
 * index `task` says which. Parameters are views of buffers with a known extent in
 * elements; every Load and Store is proven in bounds by loop_verify.c. Indices
 * are element offsets: affine in index variables. An index variable is a loop
 * variable, `task`, or a Let read from a constant i32 table (whose smallest and
 * largest entry are known). Expressions have no effects. loop_eval.c is the
 * definition.
 */
#ifndef VTC_IR_LOOP_H
#define VTC_IR_LOOP_H

#include "ir/graph.h"
#include "ir/target.h"

/* ---- types ------------------------------------------------------------- */

/* Scalars and vectors: lanes 1 is a scalar. Predicates (results of compare)
 * are i32 of the same lanes: all bits set or none. */
typedef struct LType {
    DType dtype; /* f32, i32, u8, bool(u8: only loaded, stored, cast) */
    int lanes;
} LType;

typedef enum ExprOp {
#define EXPR(name, ...) EX_##name,
#include "ir/exprs.def"
    EXPR_COUNT
} ExprOp;

typedef struct ExprInfo {
    const char *name, *doc;
    int args;
} ExprInfo;
extern const ExprInfo expr_info[EXPR_COUNT];

/* ---- indices ----------------------------------------------------------- */

typedef struct Index Index;

/* An index variable. */
typedef struct IVar {
    const char *name; /* unique in its kernel, among registers too */
    int64_t min, max; /* values it can take, inclusive */
    const Index *is;  /* made by ST_index: what it stands for; else NULL */
} IVar;

typedef struct Term {
    const IVar *var;
    int64_t factor;
} Term;

enum { MAX_TERMS = 12, MAX_LANES = 64 };

/* base + sum of factor * var; terms have distinct variables, factor != 0. */
struct Index {
    int64_t base;
    int n;
    Term term[MAX_TERMS];
};

Index index_const(int64_t base);
Index index_var(const IVar *var);
Index index_add(Index a, Index b);
Index index_plus(Index a, int64_t b);
Index index_mul(Index a, int64_t factor);
int64_t index_min(const Index *index); /* over the variables' ranges */
int64_t index_max(const Index *index);

/* ---- expressions ------------------------------------------------------- */

/* A register: assigned by Let (once) or Var/Set. `count` > 1: a register array,
 * indexed only by unrolled variables; `scalarize` names each element. */
typedef struct Reg {
    const char *name;
    LType type;
    int count;
    bool once; /* made by Let: never set again */
    int id;    /* set by passes */
} Reg;

typedef struct Expr Expr;
struct Expr {
    ExprOp op;
    LType type;
    const Expr *arg[3];
    double real;         /* EX_const of f32 (the value is rounded to f32) */
    int64_t integer;     /* EX_const of i32; EX_shl/EX_shr count is arg */
    const Reg *reg;      /* EX_reg */
    int param;           /* EX_load: kernel parameter */
    Index index;         /* EX_load element; EX_reg element of an array; EX_index */
    const signed char *lane; /* EX_shuffle: source lanes (second operand: + lanes) */
};

/* ---- statements -------------------------------------------------------- */

typedef enum StmtKind {
    ST_for,     /* for var < count (serial, or unrolled) body */
    ST_iload,   /* index variable `var` = table parameter[index] (i32) */
    ST_index,   /* index variable `var` = index: what inner loops would work out
                   again and again */
    ST_let,     /* reg = expr, once */
    ST_var,     /* reg (or each of an array) = expr; may be set again */
    ST_set,     /* reg[index] = expr */
    ST_store,   /* parameter[index ..] = expr (lanes elements) */
    ST_product, /* parameter[index ..] = product of two matrices, by a library */
    ST_if,      /* if lhs < rhs (indices) body else other */
    ST_prefetch, /* a hint: parameter[index] is read soon; may lie outside */
    ST_comment
} StmtKind;

/* A matrix within a parameter of f32: element (r, c) at `at` + r * step + c, transposed
 * at `at` + c * step + r. */
typedef struct MatrixAt {
    int param;
    Index at;
    int64_t step;
    bool transposed;
} MatrixAt;

/* A call of cblas_sgemm: rows x columns = left (rows x depth) times right. The result's
 * rows are `step` elements apart. In which order products are added is the library's
 * choice: other than all else here, its bits are those of one library on one machine. */
typedef struct Product {
    int64_t rows, columns, depth, step;
    MatrixAt left, right;
} Product;
int64_t matrix_reach(const MatrixAt *m, int64_t rows, int64_t columns); /* elements spanned */

/* How near a prefetch brings its line: into the second-level cache, or the first, which has
 * room for what is read at once. */
typedef enum Near { NEAR_l2, NEAR_l1 } Near;

typedef struct Stmt Stmt;
typedef struct Block {
    Stmt *first, *last;
} Block;

struct Stmt {
    StmtKind kind;
    Stmt *next;
    IVar *var;      /* for, iload, index */
    int64_t count;  /* for: trip count, starts at 0, step 1 */
    bool unroll;    /* for: every iteration spelled out */
    const Reg *reg; /* let, var, set */
    const Expr *expr;
    Product *product; /* product; else NULL */
    int param;      /* store, product, iload, prefetch */
    Index index;    /* store, product, iload, index, set, prefetch; if: lhs */
    int64_t limit;  /* if: index < limit */
    Near near;      /* prefetch */
    Block body, other;
    const char *text; /* comment */
};

/* ---- kernels, steps, programs ------------------------------------------ */

typedef enum Access { ACCESS_read, ACCESS_write, ACCESS_both } Access;

typedef struct Param {
    const char *name;
    DType dtype;     /* of an element as loaded */
    int64_t extent;  /* elements that may be touched, from 0 */
    Access access;
    bool noalias;    /* the memory plan proves it: other parameters never
                        overlap what is accessed through this one */
    bool per_thread; /* scratch: the base moves with the running thread, or the copy */
    int align;       /* bytes the base is known to be aligned to */
} Param;

typedef struct Kernel {
    const char *name; /* from the operator and shape: conv3x3_64_56x56 */
    VEC(Param) params;
    int64_t tasks;
    IVar *task;
    Block body;
    const char *about; /* one comment line: operator, shapes, algorithm */
    int index;
    const char *text; /* as printed, to find equal ones */
} Kernel;

typedef enum BufferKind {
    BUF_weights,   /* the blob, read-only */
    BUF_workspace,
    BUF_input,     /* port */
    BUF_output,    /* port */
    BUF_scratch,   /* slice of the workspace that moves with the thread */
    BUF_copy       /* the same with the copy that a task has: see Step.copied */
} BufferKind;

typedef struct Arg {
    BufferKind buffer;
    int port;
    int64_t offset; /* bytes; scratch: from the workspace's start, for thread (copy) 0 */
    int64_t stride; /* scratch: bytes from one thread's (copy) to the next */
} Arg;

typedef struct Step {
    const Kernel *kernel;
    VEC(Arg) args;
    const Value *value; /* whose result it leaves; its label, op, span */
    const char *name;   /* label path and operator */
    bool unfinished;    /* a later step leaves the value */
    /* Its tasks run once for each thread of the run, and leave as many copies of what they
     * write. A later step's tasks have the first copies or the last, as they are the first
     * tasks or the last: what a thread has made it is likely to read. */
    bool copied;
} Step;

/* A piece of the weights blob: a weight in its packed layout, or a table. */
typedef struct Section {
    const Value *weight; /* NULL: a table or constants given in data */
    const void *data;    /* host byte order, dtype elements (weight: filled by
                            pack.c when the blob is written) */
    DType dtype;
    int64_t offset, count; /* bytes from blob start (64-aligned); elements */
    int64_t min, max;      /* of i32 tables: smallest and largest entry */
    const char *name;
} Section;

typedef struct Program {
    Arena *arena;
    const char *name;
    const Target *target;
    const Graph *graph;
    VEC(Kernel *) kernels;
    VEC(Step) steps;
    VEC(Section) sections;
    int64_t weights_bytes, workspace_bytes;
    int max_threads;
} Program;

/* ---- building (loop.c) ------------------------------------------------- */

/* A builder appends to the innermost open block. */
typedef struct Build {
    Arena *arena;
    Kernel *kernel;
    Block *at[24];
    int depth;
    int serial; /* for fresh names */
} Build;

Kernel *kernel_new(Arena *arena, const char *name, int64_t tasks);
int kernel_param(Arena *arena, Kernel *kernel, Param param); /* its index */
Build build_begin(Arena *arena, Kernel *kernel);
/* Loops: body statements go between build_for and build_end. A loop of count 1
 * binds its variable to 0..0 and still prints; `simplify` drops it. A let of a
 * constant or of another let is that expression; of a Var it is a copy. */
const IVar *build_for(Build *b, const char *name, int64_t count, bool unroll);
void build_if_less(Build *b, Index index, int64_t limit);
void build_else(Build *b);
void build_end(Build *b);
/* Table entry as an index variable; min and max from the table's section. */
const IVar *build_iload(Build *b, const char *name, int param, Index index,
                        int64_t min, int64_t max);
/* The index by a name; itself when there is nothing to work out. */
Index build_index(Build *b, const char *name, Index index);
const Expr *build_let(Build *b, const char *name, const Expr *expr);
const Reg *build_var(Build *b, const char *name, int count, const Expr *init);
void build_set(Build *b, const Reg *reg, Index element, const Expr *expr);
void build_store(Build *b, int param, Index index, const Expr *expr);
void build_product(Build *b, int param, Index index, const Product *product);
void build_prefetch(Build *b, Near near, int param, Index index);
void build_comment(Build *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The smallest number for fresh names that no name of the kernel ends with:
 * passes that build into a finished kernel set Build.serial to it. */
int kernel_next_serial(const Kernel *kernel);

/* Horizontal sum or maximum as its shuffle tree (halving): a scalar. No vector
 * of two lanes is made: the last four are taken one by one. */
const Expr *build_across(Build *b, ExprOp op, const Expr *x);

/* Expressions. A wrong type is a bug(). */
bool expr_compares(ExprOp op); /* eq ne lt le: the result is a mask */
const Expr *expr_real(Arena *a, double value, int lanes);
const Expr *expr_int(Arena *a, int64_t value, int lanes);
const Expr *expr_reg(Arena *a, const Reg *reg, Index element);
const Expr *expr_load(Arena *a, const Kernel *kernel, int param, Index index,
                      int lanes);
const Expr *expr_index(Arena *a, Index index); /* as an i32 scalar */
const Expr *expr_un(Arena *a, ExprOp op, const Expr *x);
const Expr *expr_bin(Arena *a, ExprOp op, const Expr *x, const Expr *y);
const Expr *expr_tri(Arena *a, ExprOp op, const Expr *x, const Expr *y,
                     const Expr *z);
const Expr *expr_cast(Arena *a, const Expr *x, DType to);
const Expr *expr_bitcast(Arena *a, const Expr *x, DType to);
const Expr *expr_splat(Arena *a, const Expr *scalar, int lanes);
const Expr *expr_shuffle(Arena *a, const Expr *x, const Expr *y, int lanes,
                         const signed char *lane);

/* ---- readers ----------------------------------------------------------- */

void program_print(const Program *program, Text *out);
void kernel_print(const Kernel *kernel, Text *out); /* without its name */
bool program_verify(const Program *program, Text *errors);
/* Verified, unrolled, scalarized, legal for the target: emitters only spell. */
bool program_emittable(const Program *program, Text *errors);
/* Multiply-accumulates a step really executes: fma and mul lanes, counted from
 * its kernel's loops (a mul that feeds no fma counts as one). */
int64_t step_macs(const Step *step);

/* Does it call a library? */
bool program_has_products(const Program *program);
bool program_has_copies(const Program *program); /* steps that are copied */
bool step_has_copy(const Step *step); /* an argument that moves with the copy */

/* loop_eval.c: memory of one run. inputs and outputs by port. */
typedef struct Memory {
    const unsigned char *weights; /* blob payload */
    unsigned char *workspace;
    const void *const *inputs;
    void *const *outputs;
} Memory;
/* Runs steps [first, last). Arithmetic is IEEE f32, fma is single rounding. */
void program_eval(const Program *program, const Memory *memory, int first,
                  int last);

#endif
