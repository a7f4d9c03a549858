/* The matrices of fast one-dimensional correlations, worked out in double. */
#include "ir/bilinear.h"
#include "support/arena.h"

/* Small points of either sign first: their powers stay near 1. */
static const double point[] = {0, 1, -1, 2, -2, 0.5, -0.5, 4, -4, 0.25};

static double power(double x, int n)
{
    double y = 1;
    for (int i = 0; i < n; i++)
        y *= x;
    return y;
}

/* Coefficients of the product of (x - point[k]) for k < n but `without`. */
static int product_of(int n, int without, double *c)
{
    int degree = 0;
    c[0] = 1;
    for (int k = 0; k < n; k++) {
        if (k == without)
            continue;
        c[degree + 1] = 0;
        for (int q = ++degree; q > 0; q--)
            c[q] = c[q - 1] - point[k] * c[q];
        c[0] = -point[k] * c[0];
    }
    return degree;
}

/* What point j's products of the first n points are divided by. */
static double scale_of(int n, int j)
{
    double scale = 1;
    for (int k = 0; k < n; k++)
        scale *= k == j ? 1 : point[j] - point[k];
    return scale;
}

/* Correlation of stride 1, its second point at infinity. Rows may be scaled at will where
 * columns of another matrix are scaled back: G keeps plain powers, since there are the
 * most weights to transform, and A^T divides, a pair of points p and -p alike, so that
 * the rows and columns of both pair (passes/transform.c). So G of more outputs begins with
 * G of fewer; zero, which reads of each channel what came first, stays the first point. */
static Bilinear toom_cook(int outputs, int taps)
{
    int n = outputs + taps - 1;
    Bilinear b = {.outputs = outputs, .taps = taps, .stride = 1, .inputs = n, .points = n};
    for (int j = 0; j < n - 1; j++) {
        int row = j ? j + 1 : 0;
        double scale = scale_of(n - 1, j), both = point[j] < 0 ? scale_of(n - 1, j - 1) : scale;
        for (int i = 0; i < outputs; i++)
            b.at[i][row] = power(point[j], i) / both;
        for (int k = 0; k < taps; k++)
            b.g[row][k] = power(point[j], k);
        product_of(n - 1, j, b.bt[row]);
        for (int q = 0; q < n; q++)
            b.bt[row][q] *= both / scale;
    }
    b.at[outputs - 1][1] = b.g[1][taps - 1] = 1;
    product_of(n - 1, -1, b.bt[1]);
    return b;
}

/* One weight: each output is one product. */
static Bilinear pointwise(int outputs)
{
    Bilinear b = {.outputs = outputs, .taps = 1, .stride = 1, .inputs = outputs,
                  .points = outputs};
    for (int i = 0; i < outputs; i++)
        b.at[i][i] = b.g[i][0] = b.bt[i][i] = 1;
    return b;
}

/* The correlation of stride 1 of the taps of one remainder by the stride. */
static Bilinear phase_of(int outputs, int taps, int stride, int phase)
{
    int own = (taps - phase + stride - 1) / stride;
    return own == 1 ? pointwise(outputs) : toom_cook(outputs, own);
}

/* Of a phase the points that so many outputs need, and fewer do not. */
static void add_points(Bilinear *b, const Bilinear *part, int phase, int outputs)
{
    for (int j = outputs == 1 ? 0 : outputs + part->taps - 2; j < outputs + part->taps - 1; j++) {
        int row = b->points++;
        for (int i = 0; i < part->outputs; i++)
            b->at[i][row] = part->at[i][j];
        for (int k = 0; k < part->taps; k++)
            b->g[row][k * b->stride + phase] = part->g[j][k];
        for (int q = 0; q < part->inputs; q++)
            b->bt[row][q * b->stride + phase] = part->bt[j][q];
    }
}

Bilinear bilinear_of(int outputs, int taps, int stride)
{
    Bilinear b = {.outputs = outputs, .taps = taps, .stride = stride,
                  .inputs = stride * (outputs - 1) + taps};
    int points = 0;
    for (int phase = 0; phase < stride && phase < taps; phase++)
        points += phase_of(outputs, taps, stride, phase).points;
    if (points > MAX_POINTS || b.inputs > MAX_POINTS)
        bug("a correlation of %d points", points);
    for (int n = 1; n <= outputs; n++)
        for (int phase = 0; phase < stride && phase < taps; phase++) {
            Bilinear part = phase_of(outputs, taps, stride, phase);
            add_points(&b, &part, phase, n);
        }
    return b;
}

Bilinear bilinear_shared(int outputs, int taps, int stride)
{
    return toom_cook(outputs, (taps + stride - 1) / stride);
}
