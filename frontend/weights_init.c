/* Random weights that make every part of a network matter.
 *
 * Two steps. Elements are drawn by seed and name (SplitMix64). Then the network is
 * run once on an input like a photograph and calibrated value by value: a convolution's or
 * product's weight is scaled by a power of two so that its result has a deviation
 * near 1; batch norms take the statistics they see, disturbed. Scales and statistics
 * are rounded to a few bits so that the order of sums does not show.
 *
 * Every tensor must matter: zeroing any one moves the output by a hundredth of its range
 * and more. So softmaxes are peaked (calibration_scores.c), what places or tokens have in
 * common does not outweigh how they differ (weight_balance_common), biases are not small.
 * And rounding must not grow through deep networks as it does in no trained one: branches
 * are smaller than what they are added to (ends_branch), also in images in which their
 * means fade less (faded), and no weight makes up for what is small in one image only
 * (most_enlarged). */
#include "frontend/calibration.h"
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

/* Variance 1 and no element near 0: a bias may be a single one. */
static double unlike_zero(uint64_t *state)
{
    double x = 2 * uniform(state) - 1;
    return x + (x < 0 ? -0.48 : 0.48);
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

/* Is a gate made of v, from 0 to 1 however large v is? */
static bool makes_gate(const Value *v, int depth)
{
    enum { LONGEST = 6 };
    for (const Value *u = v->next; u && depth < LONGEST; u = u->next)
        for (int i = 0; i < u->nargs; i++) {
            OpClass class = op_info[u->op].class;
            bool passes = class == CLASS_view || class == CLASS_conv || u->op == OP_add ||
                          u->op == OP_relu || u->op == OP_batch_norm;
            if (u->args[i] == v && (u->op == OP_sigmoid || (passes && makes_gate(u, depth + 1))))
                return true;
        }
    return false;
}

/* Is a norm the end of a branch, or all but its gates? Branches are smaller than what
 * they are added to, as trained ones are; else rounding grows with every block. */
static bool ends_branch(const Value *v, int *gates)
{
    for (const Value *u = v->next; u; u = u->next)
        for (int i = 0; i < u->nargs; i++)
            if (u->args[i] == v && ((u->op == OP_add && !is_shortcut(v, u->args[1 - i])) ||
                                    (u->op == OP_mul && ends_branch(u, gates)))) {
                *gates += u->op == OP_mul;
                return true;
            }
    return false;
}

/* The size of branches that are so many: what a deep network adds up on its way, and
 * with it how far two images can drift apart, stays that of one with eight. */
static double branch_size(const Graph *graph)
{
    enum { FEW = 8 };
    int branches = 0, gates;
    FOR_VALUES(v, graph)
        branches += op_info[v->op].class == CLASS_norm && ends_branch(v, &gates);
    return 0.35 * (branches > FEW ? sqrt((double)FEW / branches) : 1);
}

/* `port`: which argument of its first reader the weight is; `branch`: their size, which
 * each gate makes smaller. */
static Spread spread_of(const Value *weight, const Value *reader, int port, double branch)
{
    const Shape *s = &weight->type.shape;
    int gates = 0;
    bool gate = reader && makes_gate(reader, 0);
    bool norm = reader && op_info[reader->op].class == CLASS_norm;
    if (norm && port != 1 && port != 4)
        return (Spread){0, gate ? 1 : 0.35};
    if (norm && port == 1 && ends_branch(reader, &gates)) {
        branch *= pow(3, gates);
        return (Spread){branch, branch / 7};
    }
    if (norm)
        return (Spread){gate && port == 1 ? 2 : 1, 0.15};
    if (s->rank < 2)
        return gate ? (Spread){1, 0.2} : (Spread){0, 0.4};
    double fan = (double)shape_count(s) / (double)s->dim[0];
    return (Spread){0, 1 / sqrt(fan)};
}

/* An element of a tensor with that spread. */
static double drawn(Spread spread, int rank, uint64_t *state)
{
    bool bias = spread.mean == 0 && rank < 2;
    return spread.mean + spread.deviation * (bias ? unlike_zero(state) : normal(state));
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
            tensor_set(v->data, i, drawn(spread, v->type.shape.rank, &state));
    }
}

/* ---- calibrating ------------------------------------------------------- */

static bool is_normed(const Value *v)
{
    for (const Value *u = v->next; u; u = u->next)
        if (u->nargs > 0 && u->args[0] == v)
            return op_info[u->op].class == CLASS_norm;
    return false;
}

/* Is v a softmax, perhaps resized and filtered? */
static bool is_attention(const Value *v)
{
    while (op_info[v->op].class == CLASS_view || op_info[v->op].class == CLASS_conv ||
           v->op == OP_resize)
        v = v->args[0];
    return v->op == OP_softmax;
}

/* The most, as a power of two, that a weight is enlarged. Means over windows, maps and
 * tokens are small here and larger in other images: weights that read them do not make
 * up for it, less so where no norm follows. But the length of a softmax tells how small
 * its elements are, and gates do not grow with what they are made of (unless their weights
 * read means and maxima both). */
static double most_enlarged(const Calibration *c, const Value *v)
{
    bool shared = c->uses[v->args[1]->id] > 1;
    return is_attention(v->args[0])          ? INFINITY
           : makes_gate(v, 0) && !shared ? 3
           : is_normed(v)                ? 1
                                         : 0;
}

/* Results have deviation 1, but those made of what attention found, or of where it looked,
 * a quarter. Sharper scores fade less (Note [Means by attention fade]), which makes the
 * next scores larger, by the square: were attention as large as what it lies beside, scores
 * of a deep network would run away in every image but the one seen here, and rounding
 * with them. */
static void calibrate_weight(Calibration *c, Value *v)
{
    if (weight_fit_scores(c, v))
        return;
    if (!is_normed(v)) {
        weight_balance_common(c, v);
        weight_fit_bias(c, v, 1);
    }
    int64_t n = shape_count(&v->type.shape);
    bool found = c->faded[v->args[0]->id] > 1 || is_attention(v->args[0]);
    double size = found ? 0.25 : 1;
    double factor = size / moments(c->result[v->id].quick, 0, n, n, n).deviation;
    weight_scale(c, v, exp2(fmin(most_enlarged(c, v), floor(log2(factor) + 0.5))));
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
    calibration_evaluate(c, v);
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

static bool is_weight(const Value *v)
{
    return v->op == OP_weight;
}

static void calibrate_value(Calibration *c, Value *v)
{
    if (!c->result[v->id].quick)
        calibration_allocate(c, v);
    if (op_info[v->op].class == CLASS_source) {
        calibration_fill(c, v);
        c->faded[v->id] = 1;
        return;
    }
    calibration_evaluate(c, v);
    c->faded[v->id] = faded(c, v);
    if (op_info[v->op].class == CLASS_conv && is_weight(v->args[1]) &&
        !c->done[v->args[1]->id]) {
        c->done[v->args[1]->id] = true;
        calibrate_weight(c, v);
    }
    if (v->op == OP_batch_norm && is_weight(v->args[3]) && is_weight(v->args[4]))
        set_statistics(c, v);
    for (int i = 0; i < v->nargs; i++)
        if (--c->uses[v->args[i]->id] == 0)
            calibration_release(c, v->args[i]);
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
