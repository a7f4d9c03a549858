/* Small constant matrices times vectors of registers.
 *
 * Note [Points of either sign]: a polynomial's values at p and -p are e + o and
 * e - o, its even and odd part. So the rows of an interpolation's B^T come in pairs
 * of equal magnitudes, and the columns of its A^T do; each pair costs two sums and
 * one chain, not two chains; or, where an odd part is one product, two multiply-adds on
 * the even one. The pairs are found in the numbers. */
#include "passes/transform.h"
#include "passes/nest.h"
#include <math.h>

typedef struct Factor {
    double factor;
    const Expr *x;
} Factor;

typedef struct Sum {
    int n;
    Factor term[MAX_POINTS * 2];
} Sum;

static void sum_add(Sum *sum, double factor, const Expr *x)
{
    if (factor != 0)
        sum->term[sum->n++] = (Factor){factor, x};
}

/* A term to start with: one that needs no product, if there is any. */
static int first_term(const Sum *sum)
{
    for (int i = 0; i < sum->n; i++)
        if (sum->term[i].factor == 1)
            return i;
    return 0;
}

static const Expr *sum_build(Build *b, const Target *target, const Sum *sum)
{
    int first = first_term(sum);
    const Factor *f = &sum->term[first];
    int lanes = f->x->type.lanes;
    const Expr *y = f->x;
    if (f->factor != 1)
        y = expr_bin(b->arena, EX_mul, y, expr_real(b->arena, f->factor, lanes));
    for (int i = 0; i < sum->n; i++) {
        f = &sum->term[i];
        if (i == first)
            continue;
        if (fabs(f->factor) == 1)
            y = expr_bin(b->arena, f->factor > 0 ? EX_add : EX_sub, y, f->x);
        else
            y = expr_multiply_add(b->arena, target, f->x,
                                  expr_real(b->arena, f->factor, lanes), y);
        y = build_let(b, "s", y);
    }
    return build_let(b, "s", y);
}

static const Expr *zero_like(Build *b, const Expr *x)
{
    return expr_real(b->arena, 0, x->type.lanes);
}

/* ---- pairs of columns: sums and differences of inputs ------------------ */

/* +1 and -1 where they agree up to sign in at least one row each. */
static bool columns_pair(const Matrix *m, int rows, int i, int j)
{
    bool same = false, opposite = false;
    for (int r = 0; r < rows; r++) {
        double x = (*m)[r][i], y = (*m)[r][j];
        if (fabs(x) != fabs(y))
            return false;
        same = same || (x != 0 && x == y);
        opposite = opposite || (x != 0 && x == -y);
    }
    return same && opposite;
}

static void add_pair(Build *b, const Matrix *m, int rows, const int *pair,
                     const Expr *const *in, Sum *sums)
{
    const Expr *x = in[pair[0]], *y = in[pair[1]];
    const Expr *plus = build_let(b, "p", expr_bin(b->arena, EX_add, x, y));
    const Expr *minus = build_let(b, "m", expr_bin(b->arena, EX_sub, x, y));
    for (int r = 0; r < rows; r++) {
        double f = (*m)[r][pair[0]];
        sum_add(&sums[r], f, f == (*m)[r][pair[1]] ? plus : minus);
    }
}

/* Sums of the rows, over pairs of columns where there are pairs. */
static bool sums_by_columns(Build *b, const Matrix *m, int rows, int columns,
                            const Expr *const *in, Sum *sums)
{
    bool done[MAX_POINTS] = {0}, any = false;
    for (int i = 0; i < columns; i++) {
        int j = i + 1;
        while (j < columns && (done[j] || !columns_pair(m, rows, i, j)))
            j++;
        if (done[i])
            continue;
        if (j < columns) {
            add_pair(b, m, rows, (int[]){i, j}, in, sums);
            done[j] = any = true;
        } else {
            for (int r = 0; r < rows; r++)
                sum_add(&sums[r], (*m)[r][i], in[i]);
        }
    }
    return any;
}

/* ---- pairs of rows: even and odd parts --------------------------------- */

static bool rows_pair(const Matrix *m, int columns, int i, int j)
{
    int even = 0, odd = 0;
    for (int c = 0; c < columns; c++) {
        double x = (*m)[i][c], y = (*m)[j][c];
        if (fabs(x) != fabs(y))
            return false;
        even += x != 0 && x == y;
        odd += x != 0 && x == -y;
    }
    return even > 0 && odd > 0 && even + odd > 2;
}

/* An odd part of one product: e + f x and e - f x without f x for itself. */
static void multiply_either_sign(Build *b, const Target *target, const Expr *even,
                                 const Factor *odd, const int *pair, const Expr **out)
{
    for (int i = 0; i < 2; i++) {
        const Expr *f = expr_real(b->arena, i ? -odd->factor : odd->factor,
                                  odd->x->type.lanes);
        out[pair[i]] = build_let(b, "t", expr_multiply_add(b->arena, target, odd->x, f, even));
    }
}

static void split_rows(Build *b, const Target *target, const Matrix *m, int columns,
                       const int *pair, const Expr *const *in, const Expr **out)
{
    Sum even = {0}, odd = {0};
    for (int c = 0; c < columns; c++) {
        double x = (*m)[pair[0]][c];
        sum_add(x == (*m)[pair[1]][c] ? &even : &odd, x, in[c]);
    }
    if (target->has_fma && odd.n == 1 && fabs(odd.term[0].factor) != 1) {
        multiply_either_sign(b, target, sum_build(b, target, &even), &odd.term[0], pair, out);
        return;
    }
    const Expr *e = sum_build(b, target, &even), *o = sum_build(b, target, &odd);
    out[pair[0]] = build_let(b, "t", expr_bin(b->arena, EX_add, e, o));
    out[pair[1]] = build_let(b, "t", expr_bin(b->arena, EX_sub, e, o));
}

void transform_rows(Build *b, const Target *target, const Matrix *matrix, int rows,
                    int columns, Range range, const Expr *const *in, const Expr **out)
{
    Sum sums[MAX_POINTS] = {0};
    bool done[MAX_POINTS] = {0};
    bool by_columns = sums_by_columns(b, matrix, rows, columns, in, sums);
    for (int i = range.from; i < range.to; i++) {
        if (done[i])
            continue;
        int j = i + 1;
        while (j < rows && (done[j] || by_columns || !rows_pair(matrix, columns, i, j)))
            j++;
        if (j < rows) {
            split_rows(b, target, matrix, columns, (int[]){i, j}, in, out);
            done[j] = true;
        } else {
            out[i] = sums[i].n ? sum_build(b, target, &sums[i]) : zero_like(b, in[0]);
        }
    }
}

void transform_build(Build *b, const Target *target, const Matrix *matrix, int rows,
                     int columns, const Expr *const *in, const Expr **out)
{
    transform_rows(b, target, matrix, rows, columns, (Range){0, rows}, in, out);
}
