/* AST: what the text of a .vt file says, before it means anything. One struct
 * per noun of the grammar (docs/language.md); made by parser.y, printed by
 * ast_print.c, read by check.c and elaborate*.c. */
#ifndef VTC_FRONTEND_AST_H
#define VTC_FRONTEND_AST_H

#include "frontend/frontend.h"
#include "support/strmap.h"

/* Refused beyond these, with an error: nothing the user writes may exhaust the
 * stack, the memory or the time of the compiler. */
enum {
    LIMIT_FILE_BYTES = 16 << 20,
    LIMIT_FILES = 1000,
    LIMIT_NESTING = 200,    /* brackets, blocks, operators in one expression */
    LIMIT_NAME = 255,       /* bytes of an identifier */
    LIMIT_STRING = 1 << 16, /* bytes of a string */
    LIMIT_ERRORS = 300      /* then we give up reading */
};

typedef struct Name {
    const char *text;
    Span span;
} Name;

/* ---- expressions ------------------------------------------------------- */

typedef enum ExprKind {
    EXPR_error, /* stands where the text could not be read */
    EXPR_int,
    EXPR_real,
    EXPR_bool,
    EXPR_string,
    EXPR_none,
    EXPR_name,
    EXPR_list,
    EXPR_unary,
    EXPR_binary,
    EXPR_choice,   /* a if condition else b */
    EXPR_property, /* a.text */
    EXPR_index,    /* a[b] */
    EXPR_call      /* text(args) */
} ExprKind;

/* Operators of expressions: name, spelling, precedence (higher binds more), and
 * the graph operator they stand for when an operand is a tensor (OP_COUNT: only
 * compile-time values). */
#define SIGNS                                                                  \
    SIGN(or, "or", 1, OP_or)                                                   \
    SIGN(and, "and", 2, OP_and)                                                \
    SIGN(not, "not ", 3, OP_not)                                               \
    SIGN(eq, "==", 4, OP_eq)                                                   \
    SIGN(ne, "!=", 4, OP_ne)                                                   \
    SIGN(lt, "<", 4, OP_lt)                                                    \
    SIGN(le, "<=", 4, OP_le)                                                   \
    SIGN(gt, ">", 4, OP_gt)                                                    \
    SIGN(ge, ">=", 4, OP_ge)                                                   \
    SIGN(add, "+", 5, OP_add)                                                  \
    SIGN(sub, "-", 5, OP_sub)                                                  \
    SIGN(mul, "*", 6, OP_mul)                                                  \
    SIGN(div, "/", 6, OP_div)                                                  \
    SIGN(mod, "%", 6, OP_COUNT)                                                \
    SIGN(neg, "-", 7, OP_neg)                                                  \
    SIGN(pow, "**", 8, OP_pow)

typedef enum Sign {
#define SIGN(name, ...) SIGN_##name,
    SIGNS
#undef SIGN
        SIGN_COUNT
} Sign;

typedef struct SignInfo {
    const char *text;
    int precedence;
    Op op;
} SignInfo;
extern const SignInfo sign_info[SIGN_COUNT];

typedef struct Expr Expr;

typedef struct Arg {
    Name name; /* text NULL: positional */
    Expr *value;
    Span span;
} Arg;
typedef VEC(Arg) ArgList;
typedef VEC(Expr *) ExprList;

struct Expr {
    ExprKind kind;
    Sign sign; /* unary, binary */
    int depth; /* 1 for a leaf */
    Span span;
    Span name_span; /* call, property: the name alone */
    union {
        int64_t integer;
        double real;
        bool truth;
        const char *text; /* name, string, property, call */
    };
    Expr *a, *b, *c; /* operands; choice: a if b else c */
    union {
        ArgList args;   /* call */
        ExprList items; /* list */
    };
};

/* ---- statements -------------------------------------------------------- */

typedef struct Stmt Stmt;

typedef struct Block {
    VEC(Stmt *) stmts;
    Span span;
    StrMap *names; /* names read inside; made by check.c when first asked for */
} Block;

/* One part of a label: text, or an expression in braces. */
typedef struct LabelPart {
    const char *text;
    Expr *value; /* when text is NULL */
    Span span;
} LabelPart;

typedef struct Label {
    VEC(LabelPart) parts; /* n == 0: there is none */
    Span span;
} Label;

/* A name that is given a value. */
typedef struct Target {
    Name name;
    bool bound, used; /* in any elaboration, for the unused warning */
} Target;
typedef VEC(Target *) TargetList;

typedef struct Arm {
    Expr *condition; /* NULL: else */
    Block *body;
} Arm;

/* A line in a preprocess or output block: a word and its data. */
typedef enum DatumKind { DATUM_int, DATUM_real, DATUM_word, DATUM_string } DatumKind;

typedef struct Datum {
    DatumKind kind;
    double number;
    const char *text;
    Span span;
} Datum;

typedef struct Item {
    Name word;
    VEC(Datum) data;
    Span span;
} Item;
typedef VEC(Item *) ItemList;

typedef enum StmtKind {
    STMT_assign,
    STMT_for,
    STMT_if,
    STMT_stage,
    STMT_return,
    STMT_preprocess,
    STMT_output,
    STMT_doc
} StmtKind;

struct Stmt {
    StmtKind kind;
    Span span;
    Label label;        /* assign; stage: its name */
    TargetList targets; /* assign; for: the variable */
    Name name;          /* preprocess: input; output: name */
    Expr *value;        /* assign; for: first or list; output: or NULL; doc */
    Expr *last;         /* for: end of the range, or NULL */
    ExprList results;   /* return */
    VEC(Arm) arms;      /* if */
    Block *body;        /* for, stage */
    ItemList items;     /* preprocess, output */
};

/* ---- files ------------------------------------------------------------- */

typedef struct TypeExpr {
    Name dtype;
    ExprList dims;
    Span span;
} TypeExpr;

typedef struct Param {
    Name name;
    Expr *fallback; /* NULL: none */
    TypeExpr *type; /* model inputs; else NULL */
} Param;
typedef VEC(Param) ParamList;

typedef struct File File;

typedef struct Module {
    bool is_model;
    Name name;
    ParamList params;
    const char *doc; /* NULL: none */
    Block *body;
    Span span;
    const File *file;
    bool damaged;     /* statements were lost to a syntax error */
    StrMap *assigned; /* check.c: names it gives values to -> Name */
} Module;

typedef struct Import {
    const char *path; /* as written */
    Span span;
    File *file; /* NULL when it could not be read */
} Import;

struct File {
    const Source *source;
    VEC(Import) imports;
    VEC(Module *) modules;
    const File *importer; /* who mentioned it first; NULL: the main file */
    Span import_span;
    bool damaged; /* a module was lost to a syntax error */
    bool loading; /* its imports are being read: a second mention is a cycle */
};

struct Ast {
    VEC(File *) files;    /* files.at[0] is the main file */
    const Source *memory; /* not NULL: the only files there are */
    int memory_files;
};

/* load.c: a text file that a .vt file mentions (an import, a label file), from
 * disk or from the files in memory. NULL and an error at `span` when there is
 * none or it is no file we read. */
const Source *ast_read(const Ast *ast, Arena *arena, Diag *diag, Span span,
                       const char *path);

/* ---- making nodes (ast.c) ---------------------------------------------- */

Expr *ast_new(Arena *arena, ExprKind kind, Span span);
Expr *ast_unary(Arena *arena, Sign sign, Expr *a, Span span);
Expr *ast_binary(Arena *arena, Sign sign, Expr *a, Expr *b);
Expr *ast_choice(Arena *arena, Expr *a, Expr *condition, Expr *c);
Expr *ast_property(Arena *arena, Expr *a, Name name);
Expr *ast_index(Arena *arena, Expr *a, Expr *index, Span span);
Expr *ast_list(Arena *arena, ExprList items, Span span);
Expr *ast_call(Arena *arena, Name name, ArgList args, Span span);
Stmt *ast_stmt(Arena *arena, StmtKind kind, Span span);

/* "imported from here" for each step from `file` to the main file. */
void file_note_imports(Diag *diag, Message *message, const File *file);

/* Calls visit for every expression of a block, operands before users. */
typedef void ExprVisit(void *context, const Expr *expr);
void ast_visit_block(const Block *block, ExprVisit *visit, void *context);
void ast_visit_expr(const Expr *expr, ExprVisit *visit, void *context);

/* Every file's text of a label, as written: "layer{i}.0". */
void ast_print_label(const Label *label, Text *out);
void ast_print_expr(const Expr *expr, Text *out);
void ast_print_real(double value, Text *out); /* with a point or an exponent */

#endif
