/* A 1x1 convolution or a linear layer by one level of Strassen's algorithm, in Winograd's
 * form (S. Winograd, On multiplication of 2x2 matrices, 1971): pixels, input and output
 * channels in halves, seven products of halves and not eight.
 *
 *     S1 = A21 + A22   S2 = S1 - A11   S3 = A11 - A21   S4 = A12 - S2
 *     T1 = B12 - B11   T2 = B22 - T1   T3 = B22 - B12   T4 = T2 - B21
 *
 *     C11 = P1 + A12 B21          P1 = A11 B11
 *     C21 = U3 - A22 T4           U2 = P1 + S2 T2, U3 = U2 + S3 T3
 *     C22 = U3 + P5               P5 = S1 T1
 *     C12 = (U2 + P5) + S4 B22
 *
 * The weights' combinations are packed (ir/pack.h). A task is a block of rows of either
 * half: it works out S of its rows, then for each panel the products one after another,
 * each over all tiles of the block, so that its weights stay in the second-level cache.
 * Products are added up where it costs nothing: one starts from the sums of another, which
 * wait in four buffers of a panel. */
#include "passes/strassen.h"

typedef enum Left { A11, A12, A22, S1, S2, S3, S4 } Left;
typedef enum Quarter { C11, C12, C21, C22, C_none } Quarter;
enum { P1, U2, U3, U2_P5, NONE = -1 }; /* the buffers */

/* What one product reads, starts from, and ends in: see Partial. Weights are packed in
 * this order. */
static const struct {
    Left source;
    int from, to, to_plus;
    Quarter quarter;
    int end_plus;
} products[] = {
    {A11, NONE, P1, NONE, C_none, NONE},
    {A12, P1, NONE, NONE, C11, NONE},
    {S2, P1, U2, NONE, C_none, NONE},
    {S3, U2, U3, NONE, C_none, NONE},
    {A22, U3, NONE, NONE, C21, NONE},
    {S1, NONE, U2_P5, U2, C22, U3},
    {S4, U2_P5, NONE, NONE, C12, NONE},
};
_Static_assert(sizeof products / sizeof *products == STRASSEN_PRODUCTS, "packed in this order");

typedef struct Halves {
    Strassen g;
    Contraction c;
    int s, m; /* operands: sums of inputs, products that wait */
    Axis row;
} Halves;

/* ---- sums of inputs ------------------------------------------------------ */

/* The element of A where a row begins, counted from `at`. */
static Index row_at(Lower *l, const Halves *h, const At *at, Index row)
{
    const Contraction *c = &h->c;
    Index from = index_add(at->index[c->a], index_mul(row, h->row.step[c->a]));
    if (c->table < 0)
        return from;
    const Section *s = &l->program->sections.at[l->operand[c->table].section];
    Index entry = index_add(at->index[c->table], index_mul(row, h->row.step[c->table]));
    return index_add(from, index_var(build_iload(&l->b, "row", c->table, entry, s->min, s->max)));
}

static void store_sum(Lower *l, const Halves *h, Left sum, Index at, const Expr *x)
{
    build_store(&l->b, h->s, index_plus(at, (sum - S1) * h->g.s_sum), x);
}

static void sum_vector(Lower *l, const Halves *h, Index top, Index bottom, Index to)
{
    int lanes = l->target->lanes;
    const Expr *a[4];
    for (int i = 0; i < 4; i++) {
        Index from = index_plus(i < 2 ? top : bottom, i % 2 * h->g.inputs);
        a[i] = build_let(&l->b, "a", expr_load(l->arena, l->kernel, h->c.a, from, lanes));
    }
    const Expr *s1 = build_let(&l->b, "s", expr_bin(l->arena, EX_add, a[2], a[3]));
    const Expr *s2 = build_let(&l->b, "s", expr_bin(l->arena, EX_sub, s1, a[0]));
    store_sum(l, h, S1, to, s1);
    store_sum(l, h, S2, to, s2);
    store_sum(l, h, S3, to, expr_bin(l->arena, EX_sub, a[0], a[2]));
    store_sum(l, h, S4, to, expr_bin(l->arena, EX_sub, a[1], s2));
}

/* Of all rows of the block; of the rows left over in every block, which the last needs. */
static void build_sums(Lower *l, const Halves *h, const At *top, const At *bottom, Index number)
{
    const Strassen *g = &h->g;
    int lanes = l->target->lanes;
    const IVar *row = build_for(&l->b, "row", g->blocks.most, false);
    build_if_less(&l->b, index_add(index_mul(number, blocks_row(&g->blocks)), index_var(row)),
                  g->rows);
    Index above = row_at(l, h, top, index_var(row));
    Index below = row_at(l, h, bottom, index_var(row));
    const IVar *vector = build_for(&l->b, "ic", g->inputs / lanes, false);
    Index within = index_mul(index_var(vector), lanes);
    sum_vector(l, h, index_add(above, within), index_add(below, within),
               index_add(index_mul(index_var(row), g->s_row), within));
    build_end(&l->b);
    build_end(&l->b);
    build_end(&l->b);
}

/* ---- products ------------------------------------------------------------ */

static int64_t buffer_at(const Halves *h, int buffer)
{
    return buffer < 0 ? -1 : buffer * h->g.m_sum;
}

/* `at` stands at the block's first row in the upper half, at the panel's first channel in
 * the left half; `bottom` at the same row of the lower. */
static void one_product(Lower *l, const Halves *h, int n, At at, const At *bottom,
                          Index number)
{
    const Strassen *g = &h->g;
    Contraction c = h->c;
    Left source = products[n].source;
    Quarter quarter = products[n].quarter;
    const At *from = source == A22 ? bottom : &at;
    Index a = from->index[c.a], entry = c.table < 0 ? index_const(0) : from->index[c.table];
    Index b = index_plus(at.index[c.b], n * g->inputs * g->width);
    Partial partial = {h->m, buffer_at(h, products[n].from), buffer_at(h, products[n].to),
                       buffer_at(h, products[n].to_plus), quarter != C_none,
                       buffer_at(h, products[n].end_plus)};
    if (quarter == C21 || quarter == C22)
        at_move(&at, l->operands, &h->row, index_const(g->rows));
    if (quarter == C12 || quarter == C22)
        at_move(&at, l->operands, &c.columns, index_const(g->outputs));
    at.index[c.b] = b;
    at.index[h->m] = index_const(0);
    if (source >= S1) {
        c.a = h->s;
        c.table = -1;
        c.run_step = 1;
        at.index[h->s] = index_const((source - S1) * g->s_sum);
    } else {
        at.index[c.a] = index_plus(a, source == A11 ? 0 : g->inputs);
        if (c.table >= 0)
            at.index[c.table] = entry;
    }
    c.partial = &partial;
    contraction_block(l, &c, at, number, &g->blocks);
}

/* `at`, `bottom` stand at the block's first rows, first channel. */
static void build_panel(Lower *l, Halves *h, At at, const At *bottom, Index panel, bool narrow,
                        Index number)
{
    const Strassen *g = &h->g;
    at_move(&at, l->operands, &h->c.columns, index_mul(panel, g->width));
    at.index[h->c.b] = index_mul(panel, STRASSEN_PRODUCTS * g->inputs * g->width);
    int64_t all = h->c.columns.extent;
    h->c.columns.extent = narrow ? g->outputs - (g->panels - 1) * g->width : g->width;
    for (int n = 0; n < STRASSEN_PRODUCTS; n++)
        one_product(l, h, n, at, bottom, number);
    h->c.columns.extent = all;
}

/* ---- the step ------------------------------------------------------------ */

static void describe(Lower *l, Halves *h)
{
    Contraction *c = &h->c;
    *c = (Contraction){.bias = -1, .table = -1, .sink = -1, .sums = -1};
    contraction_describe(l, c);
    if (c->rows.n != 1 || c->lanes != l->target->lanes || c->run_step != 1)
        bug("strassen: the rows of %s are not evenly spaced", l->group->anchor->label);
    int64_t s_bytes = temporary_align(h->g.s_count * 4);
    h->s = lower_scratch(l, "s", 0, h->g.s_count);
    h->m = lower_scratch(l, "m", s_bytes, h->g.m_count);
    c->run = h->g.inputs;
    c->rows.operands = l->operands;
    c->rows.axis[0].step[h->s] = h->g.s_row;
    c->rows.axis[0].step[h->m] = h->g.width;
    c->columns.step[h->m] = 1;
    h->row = c->rows.axis[0];
}

void lower_strassen(Lower *l)
{
    Halves h = {.g = strassen_of(l->group->anchor, l->target, l->program->max_threads)};
    const Strassen *g = &h.g;
    lower_open(l, "strassen");
    describe(l, &h);
    store_pad_pixel(l);
    Index number = lower_tasks(l, g->blocks.blocks);
    At at = at_origin(l, 1, NULL);
    at_move(&at, l->operands, &h.row, index_mul(number, blocks_row(&g->blocks)));
    At bottom = at;
    at_move(&bottom, l->operands, &h.row, index_const(g->rows));
    build_sums(l, &h, &at, &bottom, number);
    bool narrow = g->outputs % g->width != 0;
    int64_t whole = g->panels - narrow;
    if (whole) {
        const IVar *panel = build_for(&l->b, "panel", whole, false);
        build_panel(l, &h, at, &bottom, index_var(panel), false, number);
        build_end(&l->b);
    }
    if (narrow)
        build_panel(l, &h, at, &bottom, index_const(whole), true, number);
    lower_close(l);
}
