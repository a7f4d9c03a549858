/* The coordinate conventions of `resize` (modes.def). */
#include "ir/resize.h"

double resize_position(Mode coords, int64_t in, int64_t out, int64_t i)
{
    if (coords == MODE_align_corners)
        return out > 1 ? (double)(i * (in - 1)) / (double)(out - 1) : 0;
    if (coords == MODE_asymmetric)
        return (double)(i * in) / (double)out;
    double x = (double)((2 * i + 1) * in) / (double)(2 * out) - 0.5;
    return x > 0 ? x : 0;
}

static int64_t at_most(int64_t i, int64_t last)
{
    return i < last ? i : last;
}

int64_t resize_nearest(Mode coords, int64_t in, int64_t out, int64_t i)
{
    if (coords == MODE_asymmetric)
        return at_most(i * in / out, in - 1);
    if (coords == MODE_half_pixel)
        return at_most((2 * i + 1) * in / (2 * out), in - 1);
    if (out == 1)
        return 0;
    return at_most((2 * i * (in - 1) + out - 1) / (2 * (out - 1)), in - 1);
}

Blend resize_blend(Mode coords, int64_t in, int64_t out, int64_t i)
{
    double x = resize_position(coords, in, out, i);
    Blend blend = {.low = at_most((int64_t)x, in - 1)};
    blend.high = at_most(blend.low + 1, in - 1);
    blend.weight = x - (double)blend.low;
    return blend;
}
