/* Weights that make scores. A softmax is peaked by how its scores differ along its axis;
 * what they have in common there it takes away again, and digits with it. */
#include "frontend/calibration.h"

/* How a value reaches a softmax: through views, scales, additions, and products of sums
 * so long that what two operands of deviation 1 make has `gain`. */
typedef struct Path {
    bool found;
    double gain;
    int operands; /* of the products together: each shares in the wish */
    double wish;  /* the deviation that the scores should have */
    bool squared; /* both operands of a product are made by the weight */
    int axis, length;
    Value *through[DEEPEST + 1]; /* the values on the way, the scores first */
} Path;

static int64_t sum_length(const Value *v)
{
    if (v->op == OP_mul)
        return 1;
    const Value *a = v->args[0];
    if (v->op == OP_matmul)
        return a->type.shape.dim[a->type.shape.rank - (v->attr.transpose_a ? 2 : 1)];
    Shape joined = shape_joined(&a->type.shape, &v->args[1]->type.shape);
    int64_t n = 1;
    for (int i = 0; i < v->attr.axes.n; i++)
        n *= joined.dim[v->attr.axes.at[i]];
    return n;
}

static bool is_given(const Value *v)
{
    return v->op == OP_weight || v->op == OP_constant;
}

/* Of normal scores such a deviation leaves about FEW of so many places, as many as
 * places times exp(-deviation^2): many are looked over sharply, few less so. Sharper
 * ones would carry what rounding did to one module's tokens tenfold to the next's. */
static double wished(int64_t places)
{
    enum { FEW = 3 };
    static const double least = 0.7;
    return sqrt(fmax(least, log((double)places / FEW)));
}

/* Do both come from one convolution, as parts of its result or (K-means' centroids and
 * pixels) by whatever lies between? */
static bool stems_from(const Value *x, const Value *v)
{
    while (x->nargs > 0 && op_info[x->op].class != CLASS_conv)
        x = x->args[0];
    while (v->nargs > 0 && op_info[v->op].class != CLASS_conv)
        v = v->args[0];
    return x == v;
}

static Path path_to_softmax(const Value *v, int depth);

/* Through one reader of v. */
static Path path_through(Value *u, const Value *v, int depth)
{
    if (u->op == OP_softmax)
        return (Path){.found = true, .gain = 1, .operands = 1, .axis = (int)u->attr.axis,
                      .wish = wished(u->type.shape.dim[u->attr.axis])};
    OpClass class = op_info[u->op].class;
    bool both = u->op == OP_mul && !is_given(u->args[0]) && !is_given(u->args[1]);
    bool product = class == CLASS_product || class == CLASS_dot || both;
    bool scale = u->op == OP_mul || u->op == OP_div;
    bool passes = class == CLASS_view || u->op == OP_pad || u->op == OP_add ||
                  u->op == OP_sub || u->op == OP_batch_norm;
    if (!product && !scale && !passes)
        return (Path){0};
    Path path = path_to_softmax(u, depth + 1);
    if (!path.found)
        return path;
    path.through[path.length++] = u;
    const Value *by = u->args[u->nargs - 1];
    if (product) {
        path.gain *= sqrt((double)sum_length(u));
        path.operands++;
        path.squared = path.squared || (stems_from(u->args[0], v) && stems_from(u->args[1], v));
    } else if (scale && by != v && by->op == OP_constant && !by->data) {
        path.gain *= u->op == OP_mul ? fabs(by->attr.value) : 1 / fabs(by->attr.value);
    }
    return path;
}

static Path path_to_softmax(const Value *v, int depth)
{
    for (Value *u = v->next; u && depth < DEEPEST; u = u->next)
        for (int i = 0; i < u->nargs; i++) {
            Path path = u->args[i] == v ? path_through(u, v, depth) : (Path){0};
            if (path.found)
                return path;
        }
    return (Path){0};
}

/* Of scores along an axis, all rows together. */
static double deviation_along(const Calibration *c, const Value *v, int axis)
{
    const Shape *s = &v->type.shape;
    int64_t inner = 1, length = s->dim[axis], n = shape_count(s);
    for (int d = axis + 1; d < s->rank; d++)
        inner *= s->dim[d];
    double squares = 0;
    for (int64_t at = 0; at < n; at += length * inner)
        for (int64_t i = 0; i < inner; i++) {
            double deviation = moments(c->result[v->id].quick, at + i, 1, inner,
                                       at + length * inner).deviation;
            squares += deviation * deviation;
        }
    return sqrt(squares / ((double)n / (double)length));
}

/* What makes x of its inputs, but for scales and another layout; NULL: nothing with weights. */
static const Value *maker(const Value *x)
{
    while (x->nargs > 0 && (op_info[x->op].class == CLASS_view || x->op == OP_pad ||
                            ((x->op == OP_mul || x->op == OP_div) &&
                             x->args[1]->op == OP_constant)))
        x = x->args[0];
    return op_info[x->op].class == CLASS_conv ? x : NULL;
}

/* Is x known, or can it be from what is, before its turn? Weights whose turn has not come
 * make it unknown, but those that read what v makes: they are fitted with it. */
static bool is_known(Calibration *c, Value *x, const Value *v)
{
    if (c->result[x->id].quick)
        return true;
    if (x->op == OP_input || x->op == OP_batch_norm)
        return false;
    bool with_v = op_info[x->op].class == CLASS_conv && maker(x->args[0]) == v;
    for (int i = 0; i < x->nargs; i++)
        if ((x->args[i]->op == OP_weight && !with_v) || !is_known(c, x->args[i], v))
            return false;
    calibration_allocate(c, x);
    if (op_info[x->op].class == CLASS_source)
        calibration_fill(c, x);
    else
        calibration_evaluate(c, x);
    return true;
}

/* The deviation of the scores that v makes now, along their softmax; less than 0: they
 * need what is not known yet. */
static double score_deviation(Calibration *c, const Value *v, const Path *path)
{
    if (path->length == 0)
        return -1;
    Value *scores = path->through[0];
    double deviation = is_known(c, scores, v) ? deviation_along(c, scores, path->axis) : -1;
    for (Value *u = v->next; u != scores->next; u = u->next)
        calibration_release(c, u);
    return deviation;
}

/* What the weight is to be scaled by, v as it was `before` its common part went. The last
 * weight on the way to a softmax makes the scores what they should be; those before it do
 * their share as if the others had deviation 1. Differences smaller than a part of what
 * is common are not made large: other inputs may differ more. */
static double score_factor(Calibration *c, const Value *v, const Path *path, Moments before)
{
    enum { TAIL = 4, LEAST_PART = 4 };
    double share = pow(path->wish / path->gain, 1.0 / path->operands);
    double whole = hypot(before.mean, before.deviation);
    double deviation = score_deviation(c, v, path);
    if (deviation > 0)
        return fmin(pow(path->wish / deviation, path->squared ? 0.5 : 1),
                    LEAST_PART * share / whole);
    int64_t n = shape_count(&v->type.shape);
    Moments m = moments(c->result[v->id].quick, 0, n, n, n);
    return share / fmax(fmax(m.deviation, m.largest / TAIL), whole / LEAST_PART);
}

bool weight_fit_scores(Calibration *c, Value *v)
{
    enum { ROUNDS = 4 };
    Path path = path_to_softmax(v, 0);
    if (!path.found)
        return false;
    const Value *with = maker(v->args[0]);
    if (with && path_to_softmax(with, 0).found)
        return true;
    int64_t n = shape_count(&v->type.shape);
    Moments before = moments(c->result[v->id].quick, 0, n, n, n);
    weight_remove_common(c, v, 1);
    weight_fit_bias(c, v, 0.6);
    /* Scores that are in part of the first degree, in part of the second need some. */
    for (int i = 0; i < (path.squared ? ROUNDS : 1); i++)
        weight_scale(c, v, rounded(score_factor(c, v, &path, before), 8));
    return true;
}
