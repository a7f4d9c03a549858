/* The language's builtin operators: one table row each (operators.def), bound
 * by kind, then handed to a builder that makes graph values. */
#ifndef VTC_FRONTEND_OPERATORS_H
#define VTC_FRONTEND_OPERATORS_H

#include "frontend/elaborate.h"

typedef enum ParamKind {
    PARAM_tensor,
    PARAM_tensors, /* positional ones, or lists of tensors */
    PARAM_operand, /* a tensor, or a number beside one */
    PARAM_int,
    PARAM_ints,  /* an integer or a list of them */
    PARAM_lists, /* a list of integers, or of lists of integers */
    PARAM_real,
    PARAM_bool,
    PARAM_word,  /* a string */
    PARAM_bias   /* true, false or a tensor */
} ParamKind;

typedef struct OpParam {
    const char *name;
    ParamKind kind;
    const char *fallback; /* as text of its kind; "none"; NULL: required */
} OpParam;

enum { OP_PARAMS = 10 };

typedef struct OpCall OpCall;
typedef Val OpBuilder(OpCall *call);

typedef struct Operator {
    const char *name;
    Op op;
    OpBuilder *build;
    const char *doc;
    OpParam params[OP_PARAMS]; /* ended by a NULL name */
} Operator;
extern const Operator operator_table[];
extern const int operator_count;
const Operator *operator_find(const char *name); /* NULL: none */

/* One call: arguments already have the kinds of their parameters. */
struct OpCall {
    Elab *e;
    const Operator *op;
    const Expr *expr;
    Val values[OP_PARAMS];
    const Expr *args[OP_PARAMS]; /* NULL: the fallback */
    bool failed;                 /* an error was reported: the result is poison */
};
Val operator_call(Elab *e, const Expr *expr, const Operator *op);

/* For `a + b` and the like: the same checks as add(a, b). */
Val operator_apply(Elab *e, const Expr *expr, Op op, const Val *operands,
                   const Expr *const *exprs, int n);

/* ---- what builders use (operators.c) ----------------------------------- */

/* Arguments by parameter name; the kind is the table's. */
Val arg_val(const OpCall *call, const char *name);
bool arg_given(const OpCall *call, const char *name);   /* not none */
bool arg_written(const OpCall *call, const char *name); /* by the user */
Value *arg_tensor(const OpCall *call, const char *name);
int64_t arg_int(const OpCall *call, const char *name);
double arg_real(const OpCall *call, const char *name);
bool arg_bool(const OpCall *call, const char *name);
const char *arg_word(const OpCall *call, const char *name);
/* Up to MAX_INTS integers. n > 0: exactly n, a single one stands for all. */
Ints arg_ints(OpCall *call, const char *name, int n);
/* Place of the argument, or of the call when it was not given. */
Span arg_span(const OpCall *call, const char *name);

/* An error of this call, prefixed with the operator's name. */
Message *op_error(OpCall *call, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A dimension of a tensor: negative counts from the end; -1 after an error. */
int arg_axis(OpCall *call, const char *name, int rank);
int axis_resolve(OpCall *call, const char *name, int64_t axis, int rank);

/* A value of the graph from arguments that are checked; poison and an error
 * with the shapes when they do not fit. */
Val op_emit(OpCall *call, Op op, const Attrs *attr, int nargs, Value *const *args);
/* A trained tensor LABEL.SUFFIX (SUFFIX "": LABEL alone); NULL after an error. */
Value *op_weight(OpCall *call, const char *suffix, Type type);
/* Is the tensor of that rank? `form` names its dimensions: "[N,C,H,W]". */
bool arg_need_rank(OpCall *call, const char *name, int rank, const char *form);
/* A shape from integers; false and an error when it cannot be a tensor's. */
bool arg_read_shape(OpCall *call, const char *name, Shape *shape);
/* A value of one number in every element. */
Value *op_constant(OpCall *call, double number, Type type);
/* A rank-0 constant of a type, for numbers beside tensors. */
Value *op_number(OpCall *call, double number, DType dtype);

#define X(name) OpBuilder build_##name;
X(conv2d) X(conv1d) X(linear) X(batch_norm) X(layer_norm) X(group_norm)
X(parameter) X(matmul) X(softmax) X(unary) X(gelu) X(clamp) X(binary) X(select)
X(one_hot) X(cast) X(reduce) X(argmax) X(pool) X(global_pool) X(concat) X(slice)
X(split) X(reshape) X(flatten) X(transpose) X(pad) X(broadcast) X(resize)
X(constant) X(attention) X(unfold) X(vecdot)
#undef X

#endif
