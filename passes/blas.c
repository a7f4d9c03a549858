/* Which products a BLAS computes, and how they are shared out. */
#include "passes/blas.h"
#include "passes/layout.h"
#include "passes/strassen.h"

enum { WORTH_MACS = 1 << 20 };

bool value_suits_blas(const Value *v)
{
    bool point = op_info[v->op].class == CLASS_conv && conv_is_point(v);
    if (v->op != OP_matmul && !point)
        return false;
    for (int i = 0; v->op != OP_linear && point && i < v->attr.stride.n; i++)
        if (v->attr.stride.at[i] != 1)
            return false;
    return v->type.dtype == DT_f32 && v->args[0]->type.dtype == DT_f32 &&
           v->args[1]->type.dtype == DT_f32 && value_macs(v) >= WORTH_MACS;
}

/* One of the last two dimensions is dense, and rows do not overlap. */
static bool is_matrix(const Value *x)
{
    const Shape *s = &x->type.shape;
    int64_t m = s->dim[s->rank - 2], n = s->dim[s->rank - 1];
    int64_t down = x->place.stride[s->rank - 2], across = x->place.stride[s->rank - 1];
    return (across == 1 && (down >= n || m == 1)) || (down == 1 && (across >= m || n == 1));
}

bool blas_reaches(const Graph *graph, const Value *v)
{
    const Group *group = &graph->groups.at[v->group];
    if (v->op != OP_matmul)
        return rows_are_even(graph, v);
    return group->anchor == v && group->members.at[0] == v && is_matrix(v->args[0]) &&
           is_matrix(v->args[1]);
}

BlasParts blas_parts(int64_t rows, int64_t columns)
{
    enum { FEW = 64, MOST = 8, LEAST = 16 };
    BlasParts p = {.by_columns = rows < FEW && columns > rows};
    int64_t extent = p.by_columns ? columns : rows, most = extent / LEAST;
    p.tasks = most < 1 ? 1 : most > MOST ? MOST : most;
    p.part = (extent + p.tasks - 1) / p.tasks;
    p.tasks = (extent + p.part - 1) / p.part;
    return p;
}

static int64_t elements(int64_t rows, int64_t columns)
{
    BlasParts p = blas_parts(rows, columns);
    return p.by_columns ? rows * p.part : columns * p.part;
}

/* A product of matrices may be computed as its transpose. */
int64_t blas_scratch(const Value *v)
{
    const Shape *s = &v->type.shape;
    if (v->op != OP_matmul) {
        int64_t columns = v->op == OP_linear ? s->dim[s->rank - 1] : s->dim[1];
        return elements(shape_count(s) / columns, columns);
    }
    int64_t m = s->dim[s->rank - 2], n = s->dim[s->rank - 1];
    int64_t plain = elements(m, n), swapped = elements(n, m);
    return plain > swapped ? plain : swapped;
}
