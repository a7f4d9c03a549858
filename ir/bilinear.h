/* One-dimensional correlations with fewer multiplications (Toom-Cook, Winograd):
 *
 *     y = A^T ((G w) * (B^T x))       * element by element
 *
 * gives `outputs` outputs of a correlation of `taps` weights with `stride` over
 * `inputs` = stride * (outputs - 1) + taps inputs. Two dimensions are one such
 * algorithm within another: y = A^T ((G w G^T) * (B^T x B)) A.
 *
 * Source: Toom-Cook interpolation transposed, S. Winograd, Arithmetic Complexity
 * of Computations (1980); for convolutions Lavin and Gray (2016), section 4. */
#ifndef VTC_IR_BILINEAR_H
#define VTC_IR_BILINEAR_H

enum { MAX_POINTS = 14 };

typedef struct Bilinear {
    int outputs, taps, stride, inputs;
    int points;                            /* multiplications */
    double at[MAX_POINTS][MAX_POINTS];     /* outputs x points */
    double g[MAX_POINTS][MAX_POINTS];      /* points x taps */
    double bt[MAX_POINTS][MAX_POINTS];     /* points x inputs */
} Bilinear;

/* Stride 1: one set of points. Stride s > 1: the taps and inputs of equal
 * remainder by s are correlations of stride 1 and add up (polyphase). `outputs`
 * is at most BILINEAR_MOST, taps at most 7.
 * G of fewer outputs is the first rows of G of more: weights transformed for a tile are
 * those of every smaller tile, and some more. */
enum { BILINEAR_MOST = 6 };
Bilinear bilinear_of(int outputs, int taps, int stride);
/* Along rows of few channels the remainders by the stride share the points, so that
 * their products add up like channels: the correlation of stride 1 that each needs. */
Bilinear bilinear_shared(int outputs, int taps, int stride);

#endif
