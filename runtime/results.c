/* Outputs for people and for programs. */
#include "results.h"

#include "array.h"
#include "inputs.h"
#include "json.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

int64_t vtc_element_count(const VtcTensorInfo *info)
{
    int64_t n = 1;
    for (int i = 0; i < info->rank; i++)
        n *= info->dims[i];
    return n;
}

bool vtc_is_vector(const VtcTensorInfo *info)
{
    int wide = 0;
    for (int i = 0; i < info->rank; i++)
        wide += info->dims[i] != 1;
    return info->dtype == VTC_f32 && wide == 1;
}

/* Whether element i comes before j: larger, or equal and earlier; NaN last. */
static bool before(const float *at, int64_t i, int64_t j)
{
    if (isnan(at[i]) || isnan(at[j]))
        return isnan(at[i]) == isnan(at[j]) ? i < j : !isnan(at[i]);
    return at[i] > at[j] || (!(at[i] < at[j]) && i < j);
}

int64_t vtc_argmax(const float *at, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (before(at, i, best))
            best = i;
    return best;
}

/* The next in order after `last` (-1: the first); -1 when there is none. */
static int64_t next_best(const float *at, int64_t n, int64_t last)
{
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++)
        if (i != last && (last < 0 || before(at, last, i)) &&
            (best < 0 || before(at, i, best)))
            best = i;
    return best;
}

/* ---- vectors ----------------------------------------------------------- */

/* p(v) = exp(v - max) / sum, or v itself. */
typedef struct Softmax {
    bool done_already;
    double max, sum;
} Softmax;

static Softmax softmax_of(const float *at, int64_t n)
{
    double sum = 0;
    bool inside = true;
    for (int64_t i = 0; i < n; i++) {
        inside &= at[i] >= 0 && at[i] <= 1;
        sum += at[i];
    }
    if (inside && fabs(sum - 1) < 1e-3)
        return (Softmax){.done_already = true};
    Softmax s = {.max = at[vtc_argmax(at, n)]};
    for (int64_t i = 0; i < n; i++)
        s.sum += exp(at[i] - s.max);
    return s;
}

static double probability(const Softmax *s, double v)
{
    return s->done_already ? v : exp(v - s->max) / s->sum;
}

static void print_class(FILE *out, const VtcStyle *style, int64_t index)
{
    const char *label = index >= 0 && index < style->label_count
                            ? style->labels[index]
                            : NULL;
    if (style->json) {
        fprintf(out, "{\"class\": %" PRId64, index);
        if (label != NULL) {
            fputs(", \"label\": ", out);
            vtc_json_string(out, label);
        }
    } else if (label != NULL) {
        fputs(label, out);
    } else {
        fprintf(out, "class %" PRId64, index);
    }
}

static void print_vector(FILE *out, const float *at, int64_t n,
                         const VtcStyle *style)
{
    Softmax softmax = softmax_of(at, n);
    fputs(style->json ? ", \"top\": [" : "", out);
    int64_t i = -1;
    for (int k = 0; k < style->top && k < n; k++) {
        i = next_best(at, n, i);
        double p = probability(&softmax, at[i]);
        fputs(k > 0 ? ", " : "", out);
        print_class(out, style, i);
        if (style->json) {
            fputs(", \"probability\": ", out);
            vtc_json_number(out, p);
            fputs(", \"value\": ", out);
            vtc_json_number(out, at[i]);
            fputc('}', out);
        } else {
            fprintf(out, " %.2f", p);
        }
    }
    fputs(style->json ? "]" : "", out);
}

/* ---- other tensors ----------------------------------------------------- */

static double element(const VtcTensorInfo *info, const void *data, int64_t i)
{
    switch ((VtcDtype)info->dtype) {
    case VTC_f32: return ((const float *)data)[i];
    case VTC_i32: return ((const int32_t *)data)[i];
    case VTC_u8:
    case VTC_bool: return ((const unsigned char *)data)[i];
    case VTC_f16:
    case VTC_bf16: break;
    }
    return NAN;
}

static void print_summary(FILE *out, const VtcTensorInfo *info,
                          const void *data, const VtcStyle *style)
{
    static const char *const names[] = {"min", "max", "mean"};
    int64_t n = vtc_element_count(info);
    double min = INFINITY, max = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double v = element(info, data, i);
        min = v < min ? v : min;
        max = v > max ? v : max;
        sum += v;
    }
    const double values[] = {min, max, n > 0 ? sum / (double)n : NAN};
    for (int i = 0; i < 3; i++) {
        if (style->json) {
            fprintf(out, ", \"%s\": ", names[i]);
            vtc_json_number(out, values[i]);
        } else {
            fprintf(out, ", %s %.6g", names[i], values[i]);
        }
    }
}

enum { HISTOGRAM = 1024 }; /* classes 0..1023 are counted */

/* False if a value is outside. */
static bool count_classes(int64_t counts[HISTOGRAM], const VtcTensorInfo *info,
                          const void *data)
{
    memset(counts, 0, HISTOGRAM * sizeof *counts);
    int64_t n = vtc_element_count(info);
    for (int64_t i = 0; i < n; i++) {
        double v = element(info, data, i);
        if (v < 0 || v >= HISTOGRAM)
            return false;
        counts[(int)v]++;
    }
    return n > 0;
}

static int most_frequent(const int64_t counts[HISTOGRAM])
{
    int best = 0;
    for (int i = 1; i < HISTOGRAM; i++)
        if (counts[i] > counts[best])
            best = i;
    return best;
}

static void print_histogram(FILE *out, const VtcTensorInfo *info,
                            const void *data, const VtcStyle *style)
{
    int64_t counts[HISTOGRAM];
    if (!count_classes(counts, info, data)) {
        print_summary(out, info, data, style);
        return;
    }
    double n = (double)vtc_element_count(info);
    fputs(style->json ? ", \"histogram\": [" : ": ", out);
    int best = most_frequent(counts);
    for (int k = 0; k < style->top && counts[best] > 0; k++) {
        fputs(k > 0 ? ", " : "", out);
        print_class(out, style, best);
        if (style->json)
            fprintf(out, ", \"count\": %" PRId64 "}", counts[best]);
        else
            fprintf(out, " %.1f%%", 100 * (double)counts[best] / n);
        counts[best] = 0;
        best = most_frequent(counts);
    }
    fputs(style->json ? "]" : "", out);
}

/* ---- either ------------------------------------------------------------ */

static void print_tensor(FILE *out, const VtcTensorInfo *info, const void *data,
                         const VtcStyle *style)
{
    if (!style->json) {
        char shape[128];
        vtc_shape_text(shape, sizeof shape, info->rank, info->dims);
        fprintf(out, "%s %s", shape, vtc_dtype_name(info->dtype));
    }
    if (info->dtype == VTC_f32)
        print_summary(out, info, data, style);
    else if (info->dtype != VTC_f16 && info->dtype != VTC_bf16)
        print_histogram(out, info, data, style);
}

void vtc_result_print(FILE *out, const VtcTensorInfo *info, const void *data,
                      const VtcStyle *style)
{
    if (style->json) {
        fputs("{\"name\": ", out);
        vtc_json_string(out, info->name);
        fprintf(out, ", \"dtype\": \"%s\", \"shape\": [",
                vtc_dtype_name(info->dtype));
        for (int i = 0; i < info->rank; i++)
            fprintf(out, "%s%" PRId64, i > 0 ? ", " : "", info->dims[i]);
        fputc(']', out);
    }
    if (vtc_is_vector(info))
        print_vector(out, data, vtc_element_count(info), style);
    else
        print_tensor(out, info, data, style);
    fputs(style->json ? "}" : "", out);
}
