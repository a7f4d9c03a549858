/* How well one order tells another. */
#ifndef VTC_SUPPORT_RANK_H
#define VTC_SUPPORT_RANK_H

#include "support/arena.h"

/* Spearman's rank correlation of x[i] and y[i], equal values sharing their ranks' mean:
 * 1 the same order, -1 the reverse; 0 where one of them is all equal, or n < 2. */
double rank_correlation(Arena *arena, const double *x, const double *y, int n);

#endif
