/* A graph as a text of the language, with its weights: what `vtc import` writes.
 *
 *   vt_blocks.c   blocks by the flow of values, where names tell nothing
 *   vt_labels.c   which label each value has, from the names of nodes and tensors
 *   vt_scopes.c   the tree of scopes those labels span; the order of what is in each
 *   vt_expr.c     a value as an expression
 *   vt_body.c     a scope as statements, with repetition as loops
 *   vt_write.c    equal scopes as one module, the model, the files
 *
 * Note [Numbers that may become parameters]
 * A body is first written with its whole numbers marked: \2 name : value \3. Two bodies
 * equal but for values are one module; numbers that differ become its parameters. */
#ifndef VTC_FRONTEND_VT_WRITE_H
#define VTC_FRONTEND_VT_WRITE_H

#include "frontend/safetensors.h"
#include "support/strmap.h"

/* The text of a model called `name`, and its tensors; NULL and diag when the language
 * has no words for something. */
typedef struct VtModel {
    const char *text;
    VEC(NamedTensor) tensors;
    VEC(const Output *) labelled; /* outputs whose class names stand in vt_labels_file */
} VtModel;
/* `stem`: of the files that stand beside the text. */
VtModel *vt_write(Graph *graph, Diag *diag, const char *name, const char *stem,
                  const char *comment);
/* "STEM.OUTPUT.txt" */
const char *vt_labels_file(Arena *arena, const char *stem, const Output *output);

/* ---- shared by the files above ---------------------------------------------- */

typedef struct VtScope VtScope;

/* What stands in a scope, in order: a value, or a scope inside it. */
typedef struct VtItem {
    Value *value;
    VtScope *child;
} VtItem;

struct VtScope {
    const char *path; /* "layer1.0"; the model's: "" */
    VtScope *parent;
    VEC(VtScope *) children;
    VEC(VtItem) items;
    VEC(Value *) inputs;  /* values from outside, in order of use */
    VEC(Value *) outputs; /* values that are used outside */
    int height;           /* 0: no scope inside */
    int module;           /* index into modules, -1 */
    bool dissolved;       /* its items stand in its parent */
    const char *text;     /* marked */
    VEC(NamedTensor) tensors; /* of its parameters */
};

typedef struct VtParam {
    const char *name;
    const int64_t *values; /* by instance */
} VtParam;

typedef struct VtModule {
    const char *name, *key, *text;
    VEC(VtScope *) instances;
    VEC(VtParam) params;
} VtModule;

typedef struct VtWriter {
    Arena *arena;
    Graph *graph;
    Diag *diag;
    const char **label; /* by value id: of its weights, or NULL */
    bool nameless;      /* layers have no names: blocks are made instead */
    const char **block; /* by value id: the path of its block, or NULL (vt_blocks.c) */
    VtScope **scope;    /* by value id */
    StrMap scopes;      /* path -> VtScope */
    VtScope *root;
    VEC(VtScope *) all;
    VEC(VtModule) modules;
    StrMap names;  /* of modules */
    StrMap tensors; /* names taken */
    const char *stem;
    const char **input;  /* by value id: its name in the text */
    const char **output; /* by place */
    VtModel *model;
} VtWriter;

/* Its weights are those of one operator of the language (conv2d, batch_norm ..). */
bool vt_holds_weights(const Value *v);
/* Letters, digits and _, no reserved word, no digit first. */
const char *vt_word(Arena *arena, const char *name);

void vt_labels(VtWriter *w);
void vt_blocks(VtWriter *w); /* needs: marks that are positions */
void vt_scopes(VtWriter *w);
bool vt_inside(const VtWriter *w, const VtScope *s, const Value *v);
void vt_dissolve(VtWriter *w, VtScope *s); /* its items into its parent, in place */
void vt_ports(VtWriter *w, VtScope *s);    /* inputs and outputs */

/* A number of the text that may become a parameter of that name. */
void vt_number(Text *out, const char *name, int64_t value);

/* While a body is written: how values are called there. */
typedef struct VtBody {
    VtWriter *w;
    VtScope *scope;
    const char **variable; /* by value id */
    bool *inlined;         /* by value id: stands in its one reader's expression */
    Text before;           /* statements that must come first: parameters */
    StrMap taken;          /* variables in use */
    VEC(const char *) parameters; /* variables of parameters of this statement */
} VtBody;

/* The expression of v; *label is set when an operator in it holds weights. */
const char *vt_expr(VtBody *b, Value *v, const char **label);
const char *vt_source(VtBody *b, const Value *v); /* that of a weight or constant */
const char *vt_variable(VtBody *b); /* a free name, taken */
void vt_body(VtWriter *w, VtScope *s);
/* label relative to a scope: "0.conv1" in "layer1" */
const char *vt_relative(const VtScope *s, const char *label);

#endif
