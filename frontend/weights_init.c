/* Random weights that make every part of a network matter.
 *
 * Two steps. Elements are drawn by seed and name (SplitMix64). Then the network is
 * run once on an input like a photograph and calibrated value by value: a convolution's or
 * product's weight is scaled by a power of two so that its result has a deviation
 * near 1; batch norms take the statistics they see, disturbed. Scales and statistics
 * are rounded to a few bits so that the order of sums does not show.
 *
 * Where a weight makes scores, its scale takes account of the products and divisions
 * on the way to their softmax (score_factor), and it is made orthogonal to the mean of
 * what it reads (remove_common). Branches are smaller than what they are added to
 * (ends_branch), also in images in which their means fade less (faded). Without these the rounding of f32 grows through deep networks as it
 * does in no trained one. */
#include "frontend/weights.h"
#include "support/progress.h"
#include <stdlib.h>
#include <string.h>

static uint64_t split_mix(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static double uniform(uint64_t *state)
{
    return (double)(split_mix(state) >> 11) * 0x1p-53;
}

/* Sum of four uniforms, near enough to normal; variance 1. */
static double normal(uint64_t *state)
{
    double sum = uniform(state) + uniform(state) + uniform(state) + uniform(state) - 2;
    return sum * 1.7320508075688772;
}

static uint64_t state_of(uint64_t seed, const char *name)
{
    uint64_t state = seed * 0x9E3779B97F4A7C15u;
    for (const char *c = name; *c; c++)
        state = (state ^ (unsigned char)*c) * 0x100000001b3u;
    return state;
}

/* ---- inputs ------------------------------------------------------------ */

/* Element i of an image of deviation 1: patches of many sizes, most of it common to
 * the channels. White noise would leave the deep layers of networks with a tenth of
 * what photographs give them. */
static double landscape(const Shape *s, uint64_t seed, uint64_t *state, int64_t i)
{
    static const struct { int64_t size; double share; } patches[] = {
        {8, 0.2}, {32, 0.3}, {128, 0.4}};
    enum { SIZES = sizeof patches / sizeof *patches };
    int64_t width = s->dim[s->rank - 1], height = s->dim[s->rank - 2];
    double x = sqrt(0.1) * normal(state);
    for (int k = 0; k < SIZES; k++) {
        int64_t column = i % width / patches[k].size, row = i / width % height / patches[k].size;
        uint64_t patch = seed + ((uint64_t)(row << 24 | column) * SIZES + (uint64_t)k);
        patch = state_of(patch, "landscape");
        x += sqrt(patches[k].share) * normal(&patch);
    }
    return x;
}

Tensor *random_input(Arena *arena, const Type *type, uint64_t seed)
{
    Tensor *t = tensor_new(arena, *type);
    uint64_t state = state_of(seed, "input");
    for (int64_t i = 0; i < shape_count(&type->shape); i++) {
        double x = type->dtype != DT_f32 ? floor((type->dtype == DT_bool ? 2 : 200) * uniform(&state))
                 : type->shape.rank == 4 ? landscape(&type->shape, seed, &state, i)
                                         : normal(&state);
        tensor_set(t, i, x);
    }
    return t;
}

/* ---- drawing ----------------------------------------------------------- */

typedef struct Spread {
    double mean, deviation;
} Spread;

/* How many convolutions (products with weights) lie between v and x, a source of it;
 * less than 0: it is none. */
static int layers_between(const Value *v, const Value *x)
{
    enum { LONGEST = 64 };
    int layers = 0;
    for (int i = 0; i < LONGEST && v != x; i++) {
        if (v->nargs == 0)
            return -1;
        layers += op_info[v->op].class == CLASS_conv;
        v = v->args[0];
    }
    return v == x ? layers : -1;
}

/* Is v the norm of a shortcut's convolution, which the other operand goes a longer way
 * beside? */
static bool is_shortcut(const Value *v, const Value *other)
{
    const Value *conv = v->args[0];
    return op_info[conv->op].class == CLASS_conv && layers_between(other, conv->args[0]) > 1;
}

/* Is a norm the end of a branch, or all but its gate? Branches are smaller than what
 * they are added to, as trained ones are; else rounding grows with every block. */
static bool ends_branch(const Value *v)
{
    for (const Value *u = v->next; u; u = u->next)
        for (int i = 0; i < u->nargs; i++)
            if (u->args[i] == v && ((u->op == OP_add && !is_shortcut(v, u->args[1 - i])) ||
                                    (u->op == OP_mul && ends_branch(u))))
                return true;
    return false;
}

/* The size of branches that are so many: what a deep network adds up on its way, and
 * with it how far two images can drift apart, stays that of one with eight. */
static double branch_size(const Graph *graph)
{
    enum { FEW = 8 };
    int branches = 0;
    FOR_VALUES(v, graph)
        branches += op_info[v->op].class == CLASS_norm && ends_branch(v);
    return 0.35 * (branches > FEW ? sqrt((double)FEW / branches) : 1);
}

/* `port`: which argument of its first reader the weight is; `branch`: their size. */
static Spread spread_of(const Value *weight, const Value *reader, int port, double branch)
{
    const Shape *s = &weight->type.shape;
    if (reader && op_info[reader->op].class == CLASS_norm && port != 1 && port != 4)
        return (Spread){0, 0.2};
    if (reader && op_info[reader->op].class == CLASS_norm)
        return port == 1 && ends_branch(reader) ? (Spread){branch, branch / 7} : (Spread){1, 0.15};
    if (s->rank < 2)
        return (Spread){0, 0.1};
    double fan = (double)shape_count(s) / (double)s->dim[0];
    return (Spread){0, 1 / sqrt(fan)};
}

static void draw(Graph *graph, uint64_t seed)
{
    double branch = branch_size(graph);
    int *port = NEW(graph->arena, int, graph->next_id + 1);
    const Value **reader = NEW(graph->arena, const Value *, graph->next_id + 1);
    for (const Value *v = graph->last; v; v = v->prev)
        for (int i = v->nargs - 1; i >= 0; i--) {
            reader[v->args[i]->id] = v;
            port[v->args[i]->id] = i;
        }
    FOR_VALUES(v, graph) {
        if (v->op != OP_weight)
            continue;
        Spread spread = spread_of(v, reader[v->id], port[v->id], branch);
        uint64_t state = state_of(seed, v->attr.name);
        v->data = tensor_new(graph->arena, v->type);
        for (int64_t i = 0; i < shape_count(&v->type.shape); i++)
            tensor_set(v->data, i, spread.mean + spread.deviation * normal(&state));
    }
}

/* ---- calibrating ------------------------------------------------------- */

/* How a value reaches a softmax: through views, scales, additions, and products of sums
 * so long that what two operands of deviation 1 make has `gain`. */
typedef struct Path {
    bool found;
    double gain;
    int operands; /* of the products together: each shares in the wish */
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

static Path path_to_softmax(const Value *v, int depth);

/* Through one reader of v. */
static Path path_through(const Value *u, const Value *v, int depth)
{
    if (u->op == OP_softmax)
        return (Path){true, 1, 1};
    OpClass class = op_info[u->op].class;
    bool both = u->op == OP_mul && !is_given(u->args[0]) && !is_given(u->args[1]);
    bool product = class == CLASS_product || class == CLASS_dot || both;
    bool scale = u->op == OP_mul || u->op == OP_div;
    bool passes = class == CLASS_view || u->op == OP_pad || u->op == OP_add ||
                  u->op == OP_sub || u->op == OP_batch_norm;
    if (!product && !scale && !passes)
        return (Path){0};
    Path path = path_to_softmax(u, depth + 1);
    const Value *by = u->args[u->nargs - 1];
    if (product) {
        path.gain *= sqrt((double)sum_length(u));
        path.operands++;
    } else if (scale && by != v && by->op == OP_constant && !by->data) {
        path.gain *= u->op == OP_mul ? fabs(by->attr.value) : 1 / fabs(by->attr.value);
    }
    return path;
}

static Path path_to_softmax(const Value *v, int depth)
{
    enum { DEEPEST = 12 };
    for (const Value *u = v->next; u && depth < DEEPEST; u = u->next)
        for (int i = 0; i < u->nargs; i++) {
            Path path = u->args[i] == v ? path_through(u, v, depth) : (Path){0};
            if (path.found)
                return path;
        }
    return (Path){0};
}

static double rounded(double x, double steps)
{
    int exponent;
    double mantissa = frexp(x, &exponent);
    return ldexp(floor(mantissa * steps + 0.5) / steps, exponent);
}

typedef struct Moments {
    double mean, deviation, largest; /* largest: of the magnitudes */
} Moments;

/* Of elements start, start + 1 .. start + run - 1, then again `step` further. */
static Moments moments(const float *x, int64_t start, int64_t run, int64_t step, int64_t n)
{
    double sum = 0, squares = 0, count = 0, largest = 0;
    for (int64_t at = start; at < n; at += step)
        for (int64_t i = at; i < at + run && i < n; i++) {
            largest = fmax(largest, fabs((double)x[i]));
            sum += (double)x[i];
            squares += (double)x[i] * (double)x[i];
            count++;
        }
    double mean = sum / count, variance = squares / count - mean * mean;
    return (Moments){mean, sqrt(variance > 1e-12 ? variance : 1e-12), largest};
}

typedef struct Calibration {
    Graph *graph;
    Arena *arena;
    uint64_t seed, state;
    Result *result; /* by value id */
    int *uses;
    bool *done;     /* weights scaled already */
    double *faded;  /* by value id: Note [Means by attention fade] */
} Calibration;

static void evaluate(Calibration *c, Value *v)
{
    Result args[64], *out = &c->result[v->id];
    for (int i = 0; i < v->nargs; i++)
        args[i] = c->result[v->args[i]->id];
    value_eval(v, EVAL_quick, args, out);
}

static void set_weight(Calibration *c, const Value *weight, int64_t i, double x)
{
    tensor_set(weight->data, i, x);
    c->result[weight->id].quick[i] = (float)tensor_get(weight->data, i);
}

static void scale_weight(Calibration *c, Value *v, double factor)
{
    Value *weight = v->args[1];
    if (factor == 1)
        return;
    for (int64_t i = 0; i < shape_count(&weight->type.shape); i++)
        set_weight(c, weight, i, tensor_get(weight->data, i) * factor);
    evaluate(c, v);
}

/* Of each channel that v's weights read: its mean over all places. */
static void channel_means(const Calibration *c, const Value *v, double *mean)
{
    const Value *x = v->args[0];
    const Shape *s = &x->type.shape;
    int axis = v->op == OP_linear ? s->rank - 1 : 1;
    int64_t n = shape_count(s), inner = 1;
    for (int d = axis + 1; d < s->rank; d++)
        inner *= s->dim[d];
    for (int64_t k = 0; k < s->dim[axis]; k++)
        mean[k] = rounded(moments(c->result[x->id].quick, k * inner, inner,
                                  s->dim[axis] * inner, n).mean, 16);
}

/* Takes from every row of the weights what points along the mean of its inputs (alike
 * for all taps of a window). What all places have in common then adds nothing to the
 * scores; the softmax would take it away again, and digits with it. */
static void remove_common(Calibration *c, Value *v)
{
    enum { FEWEST_PLACES = 4 };
    const Value *weight = v->args[1], *x = v->args[0];
    int64_t rows = weight->type.shape.dim[0], inputs = weight->type.shape.dim[1];
    int64_t taps = shape_count(&weight->type.shape) / (rows * inputs);
    int64_t channels = v->op == OP_linear ? inputs : x->type.shape.dim[1];
    if (inputs < 2 || shape_count(&x->type.shape) < FEWEST_PLACES * channels)
        return;
    double *mean = malloc((size_t)channels * sizeof *mean);
    if (!mean)
        bug("weights_init: out of memory");
    channel_means(c, v, mean);
    for (int64_t r = 0; r < rows; r++) {
        const double *own = mean + r / (rows * inputs / channels) * inputs;
        double along = 0, length = 0;
        for (int64_t i = 0; i < inputs * taps; i++) {
            along += tensor_get(weight->data, r * inputs * taps + i) * own[i / taps];
            length += own[i / taps] * own[i / taps];
        }
        for (int64_t i = 0; i < inputs * taps && length > 0; i++)
            set_weight(c, weight, r * inputs * taps + i,
                       tensor_get(weight->data, r * inputs * taps + i) -
                       along / length * own[i / taps]);
    }
    free(mean);
    evaluate(c, v);
}

/* Scores that come from weights alone are sharp, so that tokens differ; those that
 * compare tokens are soft, or what rounding does to one module's tokens would be seen
 * tenfold by the next's. Differences smaller than a part of what is common are not
 * made large: other inputs may differ more. */
static double score_factor(Calibration *c, Value *v, const Path *path)
{
    enum { TAIL = 4, LEAST_PART = 4 };
    int64_t n = shape_count(&v->type.shape);
    Moments before = moments(c->result[v->id].quick, 0, n, n, n);
    remove_common(c, v);
    Moments m = moments(c->result[v->id].quick, 0, n, n, n);
    double spread = fmax(m.deviation, m.largest / TAIL);
    spread = fmax(spread, hypot(before.mean, before.deviation) / LEAST_PART);
    return pow((path->operands == 1 ? 2 : 0.5) / path->gain, 1.0 / path->operands) / spread;
}

static void calibrate_weight(Calibration *c, Value *v)
{
    int64_t n = shape_count(&v->type.shape);
    Path path = path_to_softmax(v, 0);
    double factor = path.found ? score_factor(c, v, &path)
                               : 1 / moments(c->result[v->id].quick, 0, n, n, n).deviation;
    /* Means over windows or maps are small here and larger in other images: weights
     * that read them do not make up for it. */
    scale_weight(c, v, exp2(fmin(1, floor(log2(factor) + 0.5))));
}

static void set_statistics(Calibration *c, Value *v)
{
    const Shape *s = &v->type.shape;
    int64_t n = shape_count(s), inner = 1;
    for (int d = 2; d < s->rank; d++)
        inner *= s->dim[d];
    /* A channel that hardly varies in this image (a mean over windows) is not blown up:
     * in others it differs more. */
    Moments whole = moments(c->result[v->args[0]->id].quick, 0, n, n, n);
    whole.deviation *= c->faded[v->args[0]->id];
    for (int64_t k = 0; k < s->dim[1]; k++) {
        Moments m = moments(c->result[v->args[0]->id].quick, k * inner, inner,
                            s->dim[1] * inner, n);
        m.deviation = hypot(fmax(m.deviation, hypot(whole.mean, whole.deviation)), m.mean);
        double mean = rounded(m.mean, 16) + 0.1 * m.deviation * normal(&c->state);
        double variance = rounded(m.deviation * m.deviation, 16) *
                          (0.7 + 0.8 * uniform(&c->state));
        double set[2] = {mean, variance};
        for (int i = 0; i < 2; i++) {
            tensor_set(v->args[3 + i]->data, k, set[i]);
            c->result[v->args[3 + i]->id].quick[k] = (float)set[i];
        }
    }
    evaluate(c, v);
}

/* Note [Means by attention fade]
 * A mean over many places, as a softmax weighs them, varies less than what it is of: in
 * this image by a factor that in another, where the softmax is sharper or places are
 * more alike, may be none. A norm that made up for it would blow the other's up, and
 * the scores of the next block by the square of that. So the factor is kept from the
 * mean to the end of its branch, and norms are set as if nothing had faded. */
static bool weighs(const Value *v)
{
    while (op_info[v->op].class == CLASS_view)
        v = v->args[0];
    return v->op == OP_softmax;
}

static double own_deviation(const Calibration *c, const Value *v)
{
    int64_t n = shape_count(&v->type.shape);
    return moments(c->result[v->id].quick, 0, n, n, n).deviation;
}

static double faded(const Calibration *c, const Value *v)
{
    enum { MOST = 8 };
    OpClass class = op_info[v->op].class;
    if (class == CLASS_source)
        return 1;
    if (class == CLASS_product || class == CLASS_dot)
        for (int i = 0; i < 2; i++)
            if (weighs(v->args[i])) {
                const Value *of = v->args[1 - i];
                double factor = own_deviation(c, of) / own_deviation(c, v);
                return fmin(MOST, fmax(1, factor) * c->faded[of->id]);
            }
    double least = c->faded[v->args[0]->id];
    for (int i = 1; i < v->nargs; i++)
        if (op_info[v->args[i]->op].class != CLASS_source)
            least = fmin(least, c->faded[v->args[i]->id]);
    return least;
}

static void fill_source(Calibration *c, Value *v)
{
    Result *out = &c->result[v->id];
    const Tensor *data = v->op == OP_input ? random_input(c->arena, &v->type, c->seed) : v->data;
    for (int64_t i = 0; i < shape_count(&v->type.shape); i++)
        out->quick[i] = (float)(data ? tensor_get(data, i) : v->attr.value);
}

static bool is_weight(const Value *v)
{
    return v->op == OP_weight;
}

static void calibrate_value(Calibration *c, Value *v)
{
    size_t n = (size_t)shape_count(&v->type.shape);
    c->result[v->id] = (Result){.type = v->type, .quick = malloc(n * sizeof(float) + 1)};
    if (!c->result[v->id].quick)
        bug("weights_init: out of memory");
    if (op_info[v->op].class == CLASS_source) {
        fill_source(c, v);
        c->faded[v->id] = 1;
        return;
    }
    evaluate(c, v);
    c->faded[v->id] = faded(c, v);
    if (op_info[v->op].class == CLASS_conv && is_weight(v->args[1]) &&
        !c->done[v->args[1]->id]) {
        c->done[v->args[1]->id] = true;
        calibrate_weight(c, v);
    }
    if (v->op == OP_batch_norm && is_weight(v->args[3]) && is_weight(v->args[4]))
        set_statistics(c, v);
    for (int i = 0; i < v->nargs; i++)
        if (--c->uses[v->args[i]->id] == 0) {
            free(c->result[v->args[i]->id].quick);
            c->result[v->args[i]->id].quick = NULL;
        }
}

void weights_init(Graph *graph, uint64_t seed)
{
    Arena *arena = arena_new();
    Calibration c = {.graph = graph, .arena = arena, .seed = seed, .state = state_of(seed, "calibration")};
    c.result = NEW(arena, Result, graph->next_id + 1);
    c.uses = NEW(arena, int, graph->next_id + 1);
    c.done = NEW(arena, bool, graph->next_id + 1);
    c.faded = NEW(arena, double, graph->next_id + 1);
    draw(graph, seed);
    FOR_VALUES(v, graph)
        for (int i = 0; i < v->nargs; i++)
            c.uses[v->args[i]->id]++;
    FOR_VALUES(v, graph) {
        progress("random weights: %s", v->label ? v->label : op_info[v->op].name);
        calibrate_value(&c, v);
    }
    progress_end();
    FOR_VALUES(v, graph)
        free(c.result[v->id].quick);
    arena_free(arena);
}
