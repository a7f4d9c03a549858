/* Loop nests: sorting and merging axes, cutting extents into vector widths. */
#include "passes/nest.h"

static bool axis_outer(const Axis *a, const Axis *b)
{
    return a->step[0] > b->step[0];
}

void nest_sort(Nest *nest)
{
    for (int i = 1; i < nest->n; i++) {
        Axis moving = nest->axis[i];
        int j = i;
        for (; j > 0 && axis_outer(&moving, &nest->axis[j - 1]); j--)
            nest->axis[j] = nest->axis[j - 1];
        nest->axis[j] = moving;
    }
}

static bool axes_join(const Axis *outer, const Axis *inner, int operands)
{
    for (int i = 0; i < operands; i++)
        if (outer->step[i] != inner->step[i] * inner->extent)
            return false;
    return true;
}

void nest_coalesce(Nest *nest, int from)
{
    int kept = from;
    for (int i = from; i < nest->n; i++) {
        Axis *axis = &nest->axis[i];
        if (axis->extent == 1)
            continue;
        Axis *outer = kept > from ? &nest->axis[kept - 1] : NULL;
        if (outer && axes_join(outer, axis, nest->operands)) {
            int64_t extent = outer->extent * axis->extent;
            *outer = *axis;
            outer->extent = extent;
            continue;
        }
        nest->axis[kept++] = *axis;
    }
    nest->n = kept;
}

void nest_settle(Nest *nest)
{
    nest_sort(nest);
    nest_coalesce(nest, 0);
    if (nest->n == 0)
        nest->axis[nest->n++] = (Axis){.extent = 1};
}

bool axis_is_vector(const Axis *axis, int operands)
{
    for (int i = 0; i < operands; i++)
        if (axis->step[i] != 0 && axis->step[i] != 1)
            return false;
    return axis->step[0] == 1;
}

void at_move(At *at, int operands, const Axis *axis, Index by)
{
    for (int i = 0; i < operands; i++)
        at->index[i] = index_add(at->index[i], index_mul(by, axis->step[i]));
}

int pieces_cut(int64_t extent, int lanes, Piece *pieces)
{
    int n = 0;
    int64_t start = 0;
    for (int width = lanes; width >= 1 && start < extent;
         width = width > 4 ? width / 2 : 1) {
        int64_t count = (extent - start) / width;
        if (count > 0) {
            pieces[n++] = (Piece){start, count, width};
            start += count * width;
        }
        if (width == 1)
            break;
    }
    return n;
}

int64_t divisor_below(int64_t extent, int64_t limit)
{
    for (int64_t d = extent < limit ? extent : limit; d > 1; d--)
        if (extent % d == 0)
            return d;
    return 1;
}

const Expr *expr_multiply_add(Arena *arena, const Target *target, const Expr *x,
                              const Expr *y, const Expr *z)
{
    if (target->has_fma)
        return expr_tri(arena, EX_fma, x, y, z);
    return expr_bin(arena, EX_add, expr_bin(arena, EX_mul, x, y), z);
}
