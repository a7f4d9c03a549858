/* Graph: what a network means. SSA values of static tensor type, one operator
 * each, one result each, in topological order.
 *
 * Layout is a property of how a value lies in memory, never of what an operator
 * means: shapes stay in the language's order (N, C, H, W) through all passes, so
 * graph_eval.c is the definition before and after each of them.
 *
 * Example of the text form (graph_print.c, graph_parse.c):
 *
 *   graph "tiny" {
 *     %image = input name="image" : f32[1,3,8,8]
 *     %conv1.weight = weight name="conv1.weight" : f32[4,3,3,3]
 *     %1 = conv2d %image, %conv1.weight stride=[2,2] pad=[1,1,1,1] : f32[1,4,4,4] label "conv1" // tiny.vt:5
 *     %2 = relu %1 : f32[1,4,4,4]
 *     output "logits" %2
 *   }
 */
#ifndef VTC_IR_GRAPH_H
#define VTC_IR_GRAPH_H

#include "support/arena.h"
#include "support/diag.h"
#include "support/text.h"
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- tables ------------------------------------------------------------ */

typedef enum DType {
#define DTYPE(name, ...) DT_##name,
#include "ir/dtypes.def"
    DTYPE_COUNT
} DType;

typedef enum Mode {
#define MODE(name, ...) MODE_##name,
#include "ir/modes.def"
    MODE_COUNT
} Mode;

typedef enum AttrId {
#define ATTR(name, ...) ATTR_##name,
#include "ir/attrs.def"
    ATTR_COUNT
} AttrId;

enum {
    MAX_RANK = 8,
    MAX_INTS = 2 * MAX_RANK /* pad of a MAX_RANK tensor */
};

typedef struct Ints {
    int n;
    int64_t at[MAX_INTS];
} Ints;

typedef int64_t AttrKind_int;
typedef Ints AttrKind_ints;
typedef double AttrKind_real;
typedef bool AttrKind_bool;
typedef Mode AttrKind_mode;
typedef DType AttrKind_dtype;
typedef const char *AttrKind_name;

/* Every attribute by name: v->attr.stride.at[0]. */
typedef struct Attrs {
#define ATTR(name, kind, ...) AttrKind_##kind name;
#include "ir/attrs.def"
} Attrs;

enum AttrKind {
    KIND_int,
    KIND_ints,
    KIND_real,
    KIND_bool,
    KIND_mode,
    KIND_dtype,
    KIND_name
};

typedef struct AttrInfo {
    const char *name, *doc;
    enum AttrKind kind;
    size_t offset; /* in Attrs */
} AttrInfo;
extern const AttrInfo attr_info[ATTR_COUNT];

typedef enum Op {
#define OP(name, ...) OP_##name,
#include "ir/ops.def"
    OP_COUNT
} Op;

typedef enum OpClass {
    CLASS_source,
    CLASS_conv,
    CLASS_product,
    CLASS_dot,
    CLASS_attention,
    CLASS_pool,
    CLASS_norm,
    CLASS_unary,
    CLASS_binary,
    CLASS_compare,
    CLASS_select,
    CLASS_reduce,
    CLASS_softmax,
    CLASS_view,
    CLASS_move
} OpClass;

typedef struct OpInfo {
    const char *name, *doc;
    OpClass class;
    int min_args, max_args;
    uint64_t attrs; /* bit 1 << ATTR_x */
} OpInfo;
extern const OpInfo op_info[OP_COUNT];
bool op_has(Op op, AttrId attr);
bool op_is_elementwise(Op op); /* unary, binary, compare, select */
/* -1 when there is none of that name. */
int op_find(const char *name);
int mode_find(const char *name);
int dtype_find(const char *name);

typedef struct DTypeInfo {
    const char *name, *c_type, *safetensors;
    int bytes;
    bool is_real, is_integer, is_boolean;
} DTypeInfo;
extern const DTypeInfo dtype_info[DTYPE_COUNT];
extern const char *const mode_name[MODE_COUNT];

/* ---- types and tensors ------------------------------------------------- */

typedef struct Shape {
    int rank;
    int64_t dim[MAX_RANK];
} Shape;

typedef struct Type {
    DType dtype;
    Shape shape;
} Type;

/* Elements are at most INT32_MAX in a value (checked by inference). */
int64_t shape_count(const Shape *shape);
bool shape_equal(const Shape *a, const Shape *b);
Shape shape_of(int rank, const int64_t *dims);
/* Of two that broadcast: the shape of both together. */
Shape shape_joined(const Shape *a, const Shape *b);
void text_shape(Text *text, const Shape *shape); /* [1,3,224,224] */
void text_type(Text *text, const Type *type);    /* f32[1,3,224,224] */
int64_t type_bytes(const Type *type);

/* Row-major elements of a type. `data` may be a read-only mapping. */
typedef struct Tensor {
    Type type;
    void *data;
} Tensor;
Tensor *tensor_new(Arena *arena, Type type); /* zeroed */
double tensor_get(const Tensor *tensor, int64_t index);
void tensor_set(Tensor *tensor, int64_t index, double value);

/* ---- layout and place -------------------------------------------------- */

/* How a value lies in memory. Set by the passes `layout` and `pack_weights`. */
typedef enum LayoutKind {
    LAYOUT_rows,  /* dense, dimensions from outermost to innermost in `order` */
    LAYOUT_panels, /* weights [O, I.., ] as [group][O/panel][K][panel], see pack.h */
    LAYOUT_windows, /* the same as [O/panel][I][window][panel] */
    LAYOUT_winograd, /* weights transformed, [O/panel][point][I][panel], see pack.h */
    LAYOUT_strassen, /* 1x1 weights combined, [O/2/panel][7][I/2][panel], see pack.h */
    LAYOUT_toom_cook /* the same along the width, [O/panel][point][kh][..][panel] */
} LayoutKind;

typedef struct Layout {
    LayoutKind kind;
    signed char order[MAX_RANK]; /* rows: order[0] is the outermost dimension */
    int panel, groups;           /* panels: outputs in one, channel groups */
    int tile, stride;            /* winograd, toom_cook: outputs of a tile's side, conv's stride */
    bool pad_pixel; /* one more innermost row of zeros follows the last element:
                       what convolution reads where its window leaves the map */
} Layout;

/* Where a value lies: set by `plan_memory`. */
typedef enum Home {
    HOME_none,      /* not placed: fused away inside a group */
    HOME_workspace,
    HOME_weights,
    HOME_input,
    HOME_output
} Home;

typedef struct Place {
    Home home;
    int port;       /* input, output: index */
    int64_t offset; /* bytes from the home's start to element 0 */
    int64_t stride[MAX_RANK]; /* elements, per logical dimension */
    int64_t bytes;  /* of the storage this value owns (0 for a view) */
} Place;

/* ---- values and graphs ------------------------------------------------- */

/* One module call in the chain that led to a value. */
typedef struct CallSite {
    const char *module;
    Span span;
    const struct CallSite *outer; /* NULL at model level */
} CallSite;

typedef enum Algorithm {
#define ALGORITHM(name, ...) ALGORITHM_##name,
#include "ir/algorithms.def"
    ALGORITHM_COUNT
} Algorithm;
extern const char *const algorithm_name[ALGORITHM_COUNT];

/* The half of a schedule that decides the bits. Set by the pass `schedule`. */
typedef struct Schedule {
    Algorithm algorithm;
    int tile; /* outputs of a tile's side; strassen: levels; 0: direct, blas */
} Schedule;
/* As texts and tuning files have it: winograd(4), direct. */
const char *schedule_text(Arena *arena, Schedule schedule);

typedef struct Value Value;
struct Value {
    Op op;
    int id;           /* unique in its graph, never reused */
    const char *name; /* printed as %name; unique; NULL: %id */
    Type type;
    int nargs;
    Value **args;
    Attrs attr;
    const char *label; /* label path in the language, e.g. "layer1.0.conv1" */
    int stage;         /* index into graph->stages, -1 none */
    Span span;
    const CallSite *site;
    Tensor *data; /* weight, constant: elements once bound; else NULL */
    bool unknown; /* constant: made of weights that had no data; never evaluated */

    Schedule schedule;
    int group;     /* index into graph->groups, -1: no step of its own */
    Layout layout;
    Place place;

    int uses;      /* filled by graph_count_uses; outputs count as a use */
    int mark;      /* scratch of one pass */
    Value *view;   /* scratch of plan_memory and lowering: root of a view */
    Value *prev, *next;
};

/* Workspace that only a group's own steps use. Bytes, multiples of 64: `shared`
 * at `offset`, behind it `per_thread` for each of Options.max_threads. */
typedef struct Temporary {
    int64_t shared, per_thread, offset;
} Temporary;

/* A set of operators under one loop over output tiles. `members` are in
 * topological order: what the anchor reads and is computed as it reads, the anchor,
 * its chain, of a stem also a max pooling and its chain; only the last one's result
 * leaves the group. */
typedef struct Group {
    Value *anchor; /* the contraction, pooling, softmax, or the first member */
    VEC(Value *) members;
    Temporary temp;
} Group;

typedef struct Output {
    const char *name;
    Value *value;
    const char *labels_path; /* as resolved; NULL none */
    VEC(const char *) labels; /* class names */
} Output;

/* What `preprocess` declares for one input; numbers as in the language. */
typedef struct Preprocess {
    Value *input;
    int resize_short;          /* shorter side, or 0 */
    int resize_h, resize_w;    /* exact, or 0 */
    Mode filter;               /* MODE_bilinear or MODE_nearest */
    int crop_h, crop_w;        /* centre crop, or 0 */
    enum { ORDER_rgb, ORDER_bgr, ORDER_gray } order;
    double mean[4], std[4];    /* after scaling to 0..1 */
    Span span;
} Preprocess;

/* Keys of an ONNX file's metadata under which our exports keep, by name of the input or
 * output, its preprocessing and its class names (one a line). */
#define ONNX_KEY_PREPROCESS "vtc.preprocess."
#define ONNX_KEY_LABELS "vtc.labels."

/* What stands in the block of the language: "resize 256 bilinear; crop 224 224; .." */
void preprocess_text(const Preprocess *p, Text *out);

/* What measurement chose for a layer, by its label. */
typedef struct Tuned {
    const char *label;
    Schedule schedule;
    Span span; /* in the tuning file */
    bool used; /* set by the pass `schedule` where the layer can be computed so */
} Tuned;

typedef struct Tuning {
    VEC(Tuned) layers;
} Tuning;

/* Choices of the command line that passes read (target data is separate). */
typedef struct Options {
    bool plain;      /* no algorithm that changes rounding */
    bool blas;       /* large products by a library */
    bool small;      /* none that enlarges weights */
    bool keep_norms; /* softmax and norms stay operators: not to be lowered */
    int max_threads; /* scratch is planned for so many */
    Tuning *tuning;  /* NULL: the cost model chooses every schedule */
} Options;

typedef struct Graph {
    Arena *arena;
    const char *name;
    Value *first, *last;
    int next_id;
    VEC(Output) outputs;
    VEC(Preprocess) preprocess;
    VEC(const char *) stages;
    VEC(Group) groups;
    Options options;

    /* set by plan_memory, bytes */
    int64_t workspace_bytes, live_bytes;
} Graph;

#define FOR_VALUES(v, graph) for (Value *v = (graph)->first; v; v = v->next)

Graph *graph_new(Arena *arena, const char *name);

/* A value before `at` (NULL: at the end). `proto` carries op, attr, label,
 * stage, span, site, name; type is inferred. On a type error: NULL, and *why
 * says the rule and the shapes. `why` may be NULL for our own rewrites, where
 * an error is a bug. */
Value *graph_insert(Graph *graph, Value *at, const Value *proto, int nargs,
                    Value *const *args, Text *why);
/* For passes: new value before `at`, placed (span, stage, label, site) like
 * `like`; attributes are set to defaults, then *attrs copied if not NULL. */
Value *graph_add(Graph *graph, Value *at, const Value *like, Op op,
                 const Attrs *attrs, int nargs, Value *const *args);
Value *graph_constant(Graph *graph, Value *at, const Value *like, Tensor *data);
/* input or weight of a given type. */
Value *graph_source(Graph *graph, Op op, const char *name, Type type, Span span);
/* A free %name near `wish` (wish, wish.1, ...). */
const char *graph_fresh_name(Graph *graph, const char *wish);

/* The only two ways to change a use: */
void value_set_arg(Value *value, int index, Value *arg);
void graph_replace(Graph *graph, Value *old, Value *by); /* all uses and outputs */

/* The value must have no uses, or only by values that are removed too; the
 * verifier finds a use that is left. */
void graph_remove(Graph *graph, Value *value);
void graph_move_before(Graph *graph, Value *value, Value *at);
void graph_count_uses(Graph *graph);
bool graph_is_output(const Graph *graph, const Value *value);
int graph_input_count(const Graph *graph);
/* The inputs by port, then NULL. */
const Value **graph_inputs(const Graph *graph, Arena *arena);
/* Seeds that shuffle into another valid topological order (debug builds). */
void graph_shuffle(Graph *graph, uint64_t seed);
/* Deep copy into an arena; tensors, texts and sources are shared and must live
 * as long. *map (may be NULL) gets the copy of each value by old id. */
Graph *graph_copy(Arena *arena, const Graph *graph, Value ***map);
Attrs attrs_default(void);
Layout layout_rows(int rank); /* dimensions in logical order */

/* ---- infer, verify, text ----------------------------------------------- */

/* graph_infer.c: type of op(args) or false with *why = rule and values. */
bool infer_type(Op op, const Attrs *attr, int nargs, Value *const *args,
                Type *type, Text *why);
/* Is there an inference function? For the test that names what is missing. */
bool infer_exists(Op op);
/* graph_macs.c: multiply-accumulates of one value, before lowering: products
 * of conv, linear, matmul, attention; norms, bias, softmax, adds are not. */
int64_t value_macs(const Value *value);
int64_t graph_macs(const Graph *graph);

/* graph_verify.c: everything found goes to *errors, one line each. */
bool graph_verify(const Graph *graph, Text *errors);

/* Constants of more elements print a hash, which does not parse back. */
enum { PRINTED_ELEMENTS = 64 };

/* After a value's type, as far as set:
 *
 *   label "layer1.0.conv1"      where the language made it
 *   layout 0231+pad             dense, dimensions from the outermost; +pad: the
 *                               pixel of zeros behind (Layout.pad_pixel)
 *   by winograd(4)              algorithm and tile, where it is not direct
 *   layout panels(64,1)         panel width, channel groups (ir/pack.h)
 *   layout windows(64)          panel width; also strassen(64)
 *   layout winograd(64,4,1)     panel width, tile, stride of the convolution; also
 *                               toom_cook(64,4,2)
 *   strides [9,1,0]             elements, where they are not those of a dense layout
 *   group 3
 *   at workspace+4096 size 768  also weights+N, input0+N, output0+N; a view owns
 *                               no bytes and prints no size */
typedef struct PrintStyle {
    bool locations; /* "// file:line" after each value */
    bool layouts;   /* layout, strides, group and place; memory of the graph */
} PrintStyle;
void graph_print(const Graph *graph, PrintStyle style, Text *out);
void value_print(const Value *value, PrintStyle style, Text *out); /* one line */
/* NULL and errors in diag when the text is not a graph. */
Graph *graph_parse(Arena *arena, const Source *source, Diag *diag);

/* ---- evaluation: the meaning ------------------------------------------- */

/* graph_eval.c. Inputs in the order of input values. `visit` (may be NULL) sees
 * every value once computed (valid during the call only).
 * EVAL_exact: all arithmetic in double, results kept in double, the last word.
 * EVAL_quick: f32 storage, large products through OpenBLAS.
 * In both, i32 arithmetic wraps, booleans are 0 and 1, max(a, b) is
 * a > b ? a : b, and one_hot of a class outside its depth is all zeros. */
typedef enum EvalMode { EVAL_exact, EVAL_quick } EvalMode;

/* Elements of one evaluated value, row-major in the logical shape. The array of
 * the other mode is NULL. */
typedef struct Result {
    Type type;
    double *exact; /* EVAL_exact: every dtype as double */
    float *quick;  /* EVAL_quick: every dtype as float (integers up to 2^24) */
} Result;
typedef void EvalVisit(void *context, const Value *value, const Result *result);

/* Results of the outputs, in order, in `arena`. NULL with diag when a weight
 * has no data. Intermediate memory is freed as soon as the last use is done. */
Result *graph_eval(const Graph *graph, EvalMode mode, const Tensor *const *inputs,
                   Arena *arena, EvalVisit *visit, void *context, Diag *diag);
/* One operator on given argument results (used by fold_constants); out's array
 * has room for the result, and its type is set here. A source reads its data. */
void value_eval(const Value *value, EvalMode mode, const Result *args,
                Result *out);
/* Is there a function for it in both modes? For the test that names what is
 * missing. */
bool eval_exists(Op op);

#endif
