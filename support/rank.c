/* Spearman's rank correlation: Pearson's, of the ranks. */
#include "support/rank.h"
#include <math.h>

/* Of n values a few hundred at most: each is compared with each. */
static double rank_of(const double *x, int n, int i)
{
    int less = 0, same = 0;
    for (int k = 0; k < n; k++) {
        less += x[k] < x[i];
        same += x[k] == x[i];
    }
    return less + (same - 1) / 2.0;
}

double rank_correlation(Arena *arena, const double *x, const double *y, int n)
{
    double *a = NEW(arena, double, n + 1), *b = NEW(arena, double, n + 1);
    double mean = (n - 1) / 2.0, xy = 0, xx = 0, yy = 0;
    for (int i = 0; i < n; i++) {
        a[i] = rank_of(x, n, i) - mean;
        b[i] = rank_of(y, n, i) - mean;
    }
    for (int i = 0; i < n; i++) {
        xy += a[i] * b[i];
        xx += a[i] * a[i];
        yy += b[i] * b[i];
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}
