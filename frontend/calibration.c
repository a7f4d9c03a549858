/* What the calibration of random weights measures, and how it changes them. */
#include "frontend/calibration.h"
#include <stdlib.h>

double rounded(double x, double steps)
{
    int exponent;
    double mantissa = frexp(x, &exponent);
    return ldexp(floor(mantissa * steps + 0.5) / steps, exponent);
}

Moments moments(const float *x, int64_t start, int64_t run, int64_t step, int64_t n)
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

void calibration_allocate(Calibration *c, const Value *v)
{
    size_t n = (size_t)shape_count(&v->type.shape);
    c->result[v->id] = (Result){.type = v->type, .quick = malloc(n * sizeof(float) + 1)};
    if (!c->result[v->id].quick)
        bug("calibration: out of memory");
}

void calibration_release(Calibration *c, const Value *v)
{
    free(c->result[v->id].quick);
    c->result[v->id].quick = NULL;
}

void calibration_evaluate(Calibration *c, Value *v)
{
    Result args[64], *out = &c->result[v->id];
    for (int i = 0; i < v->nargs; i++)
        args[i] = c->result[v->args[i]->id];
    value_eval(v, EVAL_quick, args, out);
}

void calibration_fill(Calibration *c, const Value *v)
{
    Result *out = &c->result[v->id];
    const Tensor *data = v->op == OP_input ? random_input(c->arena, &v->type, c->seed) : v->data;
    for (int64_t i = 0; i < shape_count(&v->type.shape); i++)
        out->quick[i] = (float)(data ? tensor_get(data, i) : v->attr.value);
}

/* ---- weights ----------------------------------------------------------- */

/* What v's weights read, or v itself, by channel. */
typedef struct Channels {
    int64_t count, inner, elements;
} Channels;

static Channels channels_of(const Value *v, const Value *of)
{
    const Shape *s = &of->type.shape;
    int axis = v->op == OP_linear ? s->rank - 1 : 1;
    Channels channels = {s->dim[axis], 1, shape_count(s)};
    for (int d = axis + 1; d < s->rank; d++)
        channels.inner *= s->dim[d];
    return channels;
}

static Moments channel_moments(const Calibration *c, const Value *of, const Channels *all,
                               int64_t k)
{
    return moments(c->result[of->id].quick, k * all->inner, all->inner, all->count * all->inner,
                   all->elements);
}

static bool has_places(const Value *v)
{
    enum { FEWEST_PLACES = 4 };
    Channels read = channels_of(v, v->args[0]);
    return read.elements >= FEWEST_PLACES * read.count;
}

static const Value *bias_of(const Value *v)
{
    return v->nargs > 2 && v->args[2]->op == OP_weight && v->args[2]->data ? v->args[2] : NULL;
}

static void set_weight(Calibration *c, const Value *weight, int64_t i, double x)
{
    tensor_set(weight->data, i, x);
    c->result[weight->id].quick[i] = (float)tensor_get(weight->data, i);
}

static void scale_tensor(Calibration *c, const Value *weight, double factor)
{
    for (int64_t i = 0; i < shape_count(&weight->type.shape); i++)
        set_weight(c, weight, i, tensor_get(weight->data, i) * factor);
}

void weight_scale(Calibration *c, Value *v, double factor)
{
    if (factor == 1)
        return;
    scale_tensor(c, v->args[1], factor);
    if (bias_of(v) && has_places(v))
        scale_tensor(c, bias_of(v), factor);
    calibration_evaluate(c, v);
}

void weight_remove_common(Calibration *c, Value *v, double part)
{
    const Value *weight = v->args[1], *x = v->args[0];
    int64_t rows = weight->type.shape.dim[0], inputs = weight->type.shape.dim[1];
    int64_t taps = shape_count(&weight->type.shape) / (rows * inputs);
    Channels read = channels_of(v, x);
    if (inputs < 2 || !has_places(v))
        return;
    double *mean = malloc((size_t)read.count * sizeof *mean);
    if (!mean)
        bug("calibration: out of memory");
    for (int64_t k = 0; k < read.count; k++)
        mean[k] = rounded(channel_moments(c, x, &read, k).mean, 16);
    for (int64_t r = 0; r < rows; r++) {
        const double *own = mean + r / (rows * inputs / read.count) * inputs;
        double along = 0, length = 0;
        for (int64_t i = 0; i < inputs * taps; i++) {
            along += tensor_get(weight->data, r * inputs * taps + i) * own[i / taps];
            length += own[i / taps] * own[i / taps];
        }
        for (int64_t i = 0; i < inputs * taps && length > 0; i++)
            set_weight(c, weight, r * inputs * taps + i,
                       tensor_get(weight->data, r * inputs * taps + i) -
                       part * along / length * own[i / taps]);
    }
    free(mean);
    calibration_evaluate(c, v);
}

/* Sums over channels of squares. */
typedef struct Parts {
    double common, varying;
} Parts;

static Parts parts_of(const Calibration *c, const Value *v)
{
    Channels all = channels_of(v, v);
    Parts parts = {0, 0};
    for (int64_t k = 0; k < all.count; k++) {
        Moments m = channel_moments(c, v, &all, k);
        parts.common += m.mean * m.mean;
        parts.varying += m.deviation * m.deviation;
    }
    return parts;
}

void weight_balance_common(Calibration *c, Value *v)
{
    static const double most = 0.5; /* of the varying part's square */
    Parts parts = parts_of(c, v);
    if (parts.common > most * parts.varying)
        weight_remove_common(c, v, 1 - rounded(sqrt(most * parts.varying / parts.common), 8));
}

void weight_fit_bias(Calibration *c, Value *v, double part)
{
    const Value *bias = bias_of(v);
    if (!bias || !has_places(v))
        return;
    double deviation = sqrt(parts_of(c, v).varying / (double)channels_of(v, v).count);
    scale_tensor(c, bias, rounded(part * fmin(1, deviation), 8));
    calibration_evaluate(c, v);
}
