/* Products by a BLAS: a call for each task, then the chain over its sums.
 *
 *     for each task (some rows, or columns):
 *         sums = A B               one statement: ir/loop.h, Product
 *         y = chain(sums + bias)
 *
 * The library decides in which order products are added: the bits are its own. */
#include "passes/blas.h"
#include "passes/contraction.h"

typedef struct Call {
    Contraction c;
    BlasParts parts;
    int64_t rows, columns; /* of the whole */
    int sums;              /* operand */
    Axis row;
} Call;

static Axis scaled(const Lower *l, Axis axis, int64_t by)
{
    for (int i = 0; i < l->operands; i++)
        axis.step[i] *= by;
    return axis;
}

/* The chain over a part's sums; `at` at its first row and column. */
static void build_chain(Lower *l, const Call *p, At at, int64_t rows, int64_t columns)
{
    const Contraction *c = &p->c;
    Piece pieces[MAX_PIECES];
    int n = pieces_cut(columns, c->lanes, pieces);
    Axis row = p->row;
    row.step[p->sums] = columns;
    const IVar *r = build_for(&l->b, "row", rows, false);
    at_move(&at, l->operands, &row, index_var(r));
    for (int i = 0; i < n; i++) {
        Axis step = scaled(l, c->columns, pieces[i].lanes);
        At here = at;
        const IVar *piece = build_for(&l->b, "column", pieces[i].count, false);
        at_move(&here, l->operands, &c->columns, index_const(pieces[i].start));
        at_move(&here, l->operands, &step, index_var(piece));
        here.lanes = pieces[i].lanes;
        here.vector = here.lanes > 1 ? &c->columns : NULL;
        const Expr *y = expr_load(l->arena, l->kernel, p->sums, here.index[p->sums], here.lanes);
        if (c->bias >= 0)
            y = expr_bin(l->arena, EX_add, y, at_load(l, &here, c->bias));
        chain_store(l, &here, build_let(&l->b, "y", y));
        build_end(&l->b);
    }
    build_end(&l->b);
}

/* A dense matrix of `rows` by `columns` elements with these steps. */
static MatrixAt matrix(int param, Index at, int64_t down, int64_t across, int64_t rows,
                       int64_t columns)
{
    bool transposed = across != 1 && columns > 1;
    int64_t step = transposed ? across : down, least = transposed ? rows : columns;
    return (MatrixAt){param, at, step < least ? least : step, transposed};
}

static void build_part(Lower *l, const Call *p, At at, int64_t rows, int64_t columns)
{
    const Contraction *c = &p->c;
    Product product = {.rows = rows, .columns = columns, .depth = c->run, .step = columns};
    product.left = matrix(c->a, at.index[c->a], p->row.step[c->a], c->run_step, rows, c->run);
    product.right = matrix(c->b, at.index[c->b], c->b_step, c->columns.step[c->b], c->run,
                           columns);
    at.index[p->sums] = index_const(0);
    build_product(&l->b, p->sums, at.index[p->sums], &product);
    build_chain(l, p, at, rows, columns);
}

static void build_task(Lower *l, const Call *p, At at, Index task)
{
    const BlasParts *parts = &p->parts;
    int64_t extent = parts->by_columns ? p->columns : p->rows;
    int64_t last = extent - (parts->tasks - 1) * parts->part;
    Axis axis = scaled(l, parts->by_columns ? p->c.columns : p->row, parts->part);
    at_move(&at, l->operands, &axis, task);
    if (last != parts->part)
        build_if_less(&l->b, task, parts->tasks - 1);
    build_part(l, p, at, parts->by_columns ? p->rows : parts->part,
               parts->by_columns ? parts->part : p->columns);
    if (last == parts->part)
        return;
    build_else(&l->b);
    build_part(l, p, at, parts->by_columns ? p->rows : last,
               parts->by_columns ? last : p->columns);
    build_end(&l->b);
}

/* Weights lie as they are: outputs by inputs. */
static void describe(Lower *l, Call *p)
{
    const Value *v = l->group->anchor;
    Contraction *c = &p->c;
    *c = (Contraction){.bias = -1, .table = -1, .sink = -1, .sums = -1};
    contraction_describe(l, c);
    if (c->rows.n != 1 || c->table >= 0)
        bug("blas: the rows of %s are not evenly spaced", v->label ? v->label : "a product");
    if (v->op != OP_matmul) {
        c->b_step = 1;
        c->columns.step[c->b] = v->args[1]->type.shape.dim[1];
        if (c->bias >= 0)
            c->columns.step[c->bias] = 1;
    }
    bool dense = c->columns.step[0] == 1;
    for (int i = 1; i < l->operands; i++)
        dense = dense && (i == c->a || i == c->b || c->columns.step[i] == 0 ||
                          c->columns.step[i] == 1);
    c->lanes = dense ? lower_lanes(l) : 1;
    p->sums = lower_scratch(l, "sums", 0, blas_scratch(v));
    c->rows.operands = c->batch.operands = l->operands;
    c->columns.step[p->sums] = 1;
    p->row = c->rows.axis[0];
    p->rows = p->row.extent;
    p->columns = c->columns.extent;
    p->parts = blas_parts(p->rows, p->columns);
}

void lower_blas(Lower *l)
{
    Call p = {0};
    lower_open(l, "blas");
    describe(l, &p);
    store_pad_pixel(l);
    Index task = lower_tasks(l, p.parts.tasks);
    At at = at_origin(l, 1, NULL);
    for (int i = 0; i < p.c.batch.n; i++) {
        const IVar *batch = build_for(&l->b, "batch", p.c.batch.axis[i].extent, false);
        at_move(&at, l->operands, &p.c.batch.axis[i], index_var(batch));
    }
    build_task(l, &p, at, task);
    for (int i = 0; i < p.c.batch.n; i++)
        build_end(&l->b);
    lower_close(l);
}
