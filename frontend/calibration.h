/* Shared by the files that draw and calibrate random weights (weights_init.c). */
#ifndef VTC_FRONTEND_CALIBRATION_H
#define VTC_FRONTEND_CALIBRATION_H

#include "frontend/weights.h"

enum { DEEPEST = 12 }; /* how many readers are followed to see what a value is for */

typedef struct Moments {
    double mean, deviation, largest; /* largest: of the magnitudes */
} Moments;

typedef struct Calibration {
    Graph *graph;
    Arena *arena;
    uint64_t seed, state;
    Result *result; /* by value id; quick is NULL before and after its time */
    int *uses;
    bool *done;     /* weights scaled already */
    double *faded;  /* by value id: Note [Means by attention fade] */
} Calibration;

/* ---- calibration.c: values and weights --------------------------------- */

/* Of elements start, start + 1 .. start + run - 1, then again `step` further, below n. */
Moments moments(const float *x, int64_t start, int64_t run, int64_t step, int64_t n);
/* To so many steps between two powers of two, which hides the order of sums. */
double rounded(double x, double steps);

void calibration_allocate(Calibration *c, const Value *v);
void calibration_release(Calibration *c, const Value *v);
void calibration_evaluate(Calibration *c, Value *v);
void calibration_fill(Calibration *c, const Value *source);

/* Of a convolution or linear v: */
void weight_scale(Calibration *c, Value *v, double factor); /* and its bias, where places differ */
/* Takes from every row of the weights `part` of what points along the mean of its
 * inputs (alike for all taps of a window). Nothing where there are few places. */
void weight_remove_common(Calibration *c, Value *v, double part);
/* Makes what places (or tokens) have in common no larger than how they differ. */
void weight_balance_common(Calibration *c, Value *v);
/* Makes the bias, drawn for values of deviation 1, as large beside these, or `part` so. */
void weight_fit_bias(Calibration *c, Value *v, double part);

/* ---- calibration_scores.c: weights that make a softmax's scores -------- */

/* Makes the scores as sharp as they should be; false: v makes none. */
bool weight_fit_scores(Calibration *c, Value *v);

#endif
