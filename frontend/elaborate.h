/* Elaboration: the AST of a model, run once, leaves its Graph. What the files
 * beside this one share:
 *   check.c               names and parameters, module by module, before running
 *   elaborate.c           choosing the model, its inputs, limits, errors
 *   elaborate_stmt.c      statements, scopes, labels, stages
 *   elaborate_call.c      binding arguments; calls of modules
 *   elaborate_expr.c      expressions: names, properties, operators
 *   elaborate_port.c      preprocess and output blocks
 *   compile_time.c        arithmetic and functions on compile-time values
 *   operators.c           the table of builtin operators, and for their builders
 *   operator_call.c       arguments of an operator: kinds, fallbacks
 *   op_build*.c           their builders: arguments to graph values
 */
#ifndef VTC_FRONTEND_ELABORATE_H
#define VTC_FRONTEND_ELABORATE_H

#include "frontend/ast.h"

enum {
    LIMIT_ITERATIONS = 100000,
    LIMIT_VALUES = 1000000,
    LIMIT_STEPS = 2000000, /* expressions evaluated, elements copied */
    LIMIT_DEPTH = 1000,     /* of modules, blocks and expressions together */
    LIMIT_CALLS = 200,      /* of modules inside one another */
    LIMIT_LIST = 100000,
    LIMIT_LIST_DEPTH = 16,
    LIMIT_LABEL = 4096 /* bytes of a label path */
};

/* ---- values of expressions --------------------------------------------- */

typedef enum ValKind {
    VAL_poison, /* an error was already reported: causes no other */
    VAL_none,
    VAL_int,
    VAL_real,
    VAL_bool,
    VAL_string,
    VAL_list,
    VAL_tensor,
    VAL_results /* of a call with several results (or none) */
} ValKind;

typedef struct Val Val;
struct Val {
    ValKind kind;
    int n;           /* list, results */
    short depth;     /* list: of lists inside one another */
    bool has_tensor; /* a tensor, or a list with one */
    union {
        int64_t integer;
        double real;
        bool truth;
        const char *text;
        const Val *items;
        Value *tensor;
    };
};

static inline Val val_poison(void) { return (Val){.kind = VAL_poison}; }
static inline Val val_none(void) { return (Val){.kind = VAL_none}; }
static inline Val val_int(int64_t i) { return (Val){.kind = VAL_int, .integer = i}; }
static inline Val val_real(double r) { return (Val){.kind = VAL_real, .real = r}; }
static inline Val val_bool(bool b) { return (Val){.kind = VAL_bool, .truth = b}; }
static inline Val val_text(const char *s) { return (Val){.kind = VAL_string, .text = s}; }
static inline Val val_tensor(Value *v)
{
    return v ? (Val){.kind = VAL_tensor, .has_tensor = true, .tensor = v}
             : val_poison();
}
static inline bool val_is_number(Val v)
{
    return v.kind == VAL_int || v.kind == VAL_real;
}
static inline double val_number(Val v)
{
    return v.kind == VAL_int ? (double)v.integer : v.real;
}

/* ---- state ------------------------------------------------------------- */

/* A name in a scope. */
typedef struct Binding {
    Val value;
    Target *target; /* NULL: a parameter */
} Binding;

/* One running module (or the model). */
typedef struct Scope {
    const Module *module;
    const CallSite *site; /* NULL for the model */
    const char *path;     /* of labels inside: "layer1.0"; NULL: none */
    StrMap names;         /* -> Binding */
    bool returned;
    bool unsure; /* a return may have been in what an error skipped */
    Val result;
    struct Scope *outer;
} Scope;

/* The statement being run. */
typedef struct Line {
    const char *label; /* full path; NULL: unlabelled */
    Span label_span;
    Span holder; /* operator that took the label for its weights; source NULL */
} Line;

/* Where a label was given, for "used twice" and for outputs by label. */
typedef struct Labelled {
    Span span;
    Value *value;
} Labelled;

typedef struct Stage {
    int index; /* into graph->stages */
} Stage;

typedef struct Elab {
    Arena *arena;
    Diag *diag;
    const Ast *ast;
    Graph *graph;
    StrMap modules;  /* -> Module */
    StrMap weights;  /* tensor name -> Value */
    StrMap labels;   /* full path -> Labelled */
    const char *more_outputs; /* labels joined by commas, or NULL */
    StrMap stages;   /* name -> Stage */
    StrMap reported; /* errors already given, by place and kind */
    Scope *scope;
    Line *line;
    int stage;          /* index into graph->stages, -1 */
    bool in_stage;      /* inside a stage block */
    int depth, calls;   /* of evaluation; of modules */
    int64_t iterations, steps, values;
    bool modules_missing; /* an import or module could not be read */
    bool gave_up;       /* a limit was passed: nothing more is run */
} Elab;

/* ---- elaborate.c ------------------------------------------------------- */

/* An error with the module call chain as notes. The same place reports the same
 * kind of error (the format) once, however often it is run. NULL when it was
 * reported before; notes are then not wanted either. */
Message *elab_error(Elab *e, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with a text already made; `kind` stands for the format. */
Message *elab_error_text(Elab *e, Span span, const void *kind, const char *text);
void elab_note(Elab *e, Message *message, Span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "did you mean 'NAME'?" when the search found one. */
void elab_suggest(Elab *e, Message *message, Span span, const Nearest *nearest);
/* Ends the run with an error: a limit was passed. */
void elab_give_up(Elab *e, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Counts work; false once the limit was passed. */
bool elab_step(Elab *e, Span span, int64_t work);
/* Guards recursion; every true must be followed by elab_leave. */
bool elab_enter(Elab *e, Span span);
void elab_leave(Elab *e);
/* A list value; poison and an error when it is too long or too deep. */
Val elab_list(Elab *e, Span span, const Val *items, int n);
/* "an integer", "a list", "a tensor f32[1,3]": for messages. */
const char *val_describe(Elab *e, Val v);
/* A note "NAME: f32[1,64,56,56] from here" for a tensor. */
void elab_note_tensor(Elab *e, Message *message, const char *name,
                      const Value *tensor);
/* A type as written in the text; false after an error. */
bool elab_type(Elab *e, const TypeExpr *text, Type *type);

/* ---- elaborate_stmt.c -------------------------------------------------- */

void elab_block(Elab *e, const Block *block);
Binding *scope_bind(Elab *e, const char *name, Val value, Target *target);
/* Counts what a block not run mentions as used. */
void block_mark_used(Elab *e, const Block *block);
/* The names a block reads (check.c). */
const StrMap *block_names(Arena *arena, const Block *block);

/* ---- elaborate_expr.c -------------------------------------------------- */

Val elab_expr(Elab *e, const Expr *expr);
/* One value, not several results; poison after an error. */
Val elab_value(Elab *e, const Expr *expr);
/* A label's text; NULL after an error. */
const char *elab_label(Elab *e, const Label *label);

/* ---- elaborate_call.c -------------------------------------------------- */

Val elab_call(Elab *e, const Expr *call);
Val elab_module_call(Elab *e, const Expr *call, const Module *module);

/* What arguments are bound to: the parameters' names, and which may take
 * several positional ones (the first, or none). */
typedef struct Slots {
    int n;
    const char *const *names;
    const bool *required;
    bool rest; /* the first takes all positional arguments, as a list */
    const char *what; /* "module 'block'" or "conv2d" */
} Slots;
/* values[i] and args[i] of each slot (args NULL: not given). false after an
 * error; poisoned arguments are bound. */
bool args_bind(Elab *e, const Expr *call, const Slots *slots, Val *values,
               const Expr **args);

/* ---- compile_time.c ---------------------------------------------------- */

/* Results of operators on compile-time values; errors at the expression. */
Val number_unary(Elab *e, const Expr *expr, Sign sign, Val a);
Val number_binary(Elab *e, const Expr *expr, Sign sign, Val a, Val b);
/* Is there a compile-time function of that name? */
bool function_exists(const char *name);
void function_offer(Nearest *nearest);
Val elab_function(Elab *e, const Expr *call, const Val *values, int n);

/* ---- elaborate_port.c -------------------------------------------------- */

void preprocess_run(Elab *e, const Stmt *stmt);
void output_run(Elab *e, const Stmt *stmt);
/* Those that the caller of the frontend asks for beside the model's. */
void outputs_add(Elab *e);

/* ---- check.c ----------------------------------------------------------- */

/* Names that can be known wrong without running: unknown modules, variables
 * never assigned, unused parameters, twice-given names. */
void ast_check(Elab *e);
/* Parameters that nobody reads, results that no run used; for programs without
 * errors, where they mean something. */
void ast_warn_unused(Elab *e);

#endif
