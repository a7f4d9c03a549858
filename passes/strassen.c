/* The geometry of products by Strassen's algorithm. */
#include "passes/strassen.h"
#include "passes/layout.h"

static int channel_of(const Value *v)
{
    return v->op == OP_linear ? v->type.shape.rank - 1 : 1;
}

static int64_t rows_of(const Value *v)
{
    return shape_count(&v->type.shape) / v->type.shape.dim[channel_of(v)];
}

bool conv_is_point(const Value *v)
{
    if (v->op == OP_linear)
        return true;
    if ((v->op != OP_conv2d && v->op != OP_conv1d) || v->attr.groups != 1)
        return false;
    Window w = window_of(v);
    return w.kernel_h * w.kernel_w == 1 && !window_leaves_map(&w);
}

bool conv_suits_strassen(const Value *v, const Target *target)
{
    enum { FEW = 2 }; /* tiles of rows of a half: fewer wait for the weights */
    if (!conv_is_point(v) || v->type.dtype != DT_f32 || target->lanes == 1)
        return false;
    const Shape *s = &v->args[1]->type.shape;
    int64_t vectors = 2 * target->lanes, rows = rows_of(v);
    if (s->dim[0] / 2 % target_panel(target) == target->lanes)
        return false; /* the last panel would be one vector, whose sums wait for each other */
    return rows % 2 == 0 && rows / 2 >= FEW * target->tile_rows && s->dim[0] % vectors == 0 &&
           s->dim[1] % vectors == 0 && s->dim[0] / 2 >= target_panel(target);
}

/* ---- after layout ------------------------------------------------------- */

/* Is x, read or written where the result is, one run of evenly spaced pixels with dense
 * channels (or the same for all)? */
static bool is_even(const Value *x, const Shape *result, int channel)
{
    int64_t expected = -1;
    for (int d = result->rank - 1; d >= 0; d--) {
        int own = d - (result->rank - x->type.shape.rank);
        bool moves = own >= 0 && x->type.shape.dim[own] != 1;
        int64_t step = moves ? x->place.stride[own] : 0;
        if (result->dim[d] == 1)
            continue;
        if (d == channel) {
            if (step > 1)
                return false;
            continue;
        }
        if (expected >= 0 && step != expected)
            return false;
        expected = step * result->dim[d];
    }
    return true;
}

static bool is_inlined(const Value *x)
{
    return x->op == OP_constant && shape_count(&x->type.shape) == 1;
}

bool rows_are_even(const Graph *graph, const Value *conv)
{
    const Group *group = &graph->groups.at[conv->group];
    const Value *result = group->members.at[group->members.n - 1], *x = conv->args[0];
    const Shape *shape = &conv->type.shape;
    int channel = channel_of(conv);
    if (group->anchor != conv || group->members.at[0] != conv ||
        !shape_equal(&result->type.shape, shape) || result->place.stride[channel] != 1 ||
        x->place.stride[channel] != 1)
        return false;
    /* Pixels of a stride are read through a table, wherever they lie. */
    bool table = conv->op != OP_linear && (conv->attr.stride.at[0] != 1 ||
                                           (conv->op == OP_conv2d && conv->attr.stride.at[1] != 1));
    if (!table && !is_even(x, shape, channel))
        return false;
    for (int i = 0; i < group->members.n; i++) {
        const Value *v = group->members.at[i];
        if (v->type.dtype != DT_f32 || (v == result && !is_even(v, shape, channel)))
            return false;
        for (int k = 0; k < v->nargs && v != conv; k++)
            if (v->args[k]->group != conv->group && !is_inlined(v->args[k]) &&
                (v->args[k]->type.dtype != DT_f32 || !is_even(v->args[k], shape, channel)))
                return false;
    }
    return true;
}

/* ---- blocks ------------------------------------------------------------- */

/* Tiles of a block; where blocks are even, one more where they have fewer rows. Weights are
 * read by every block again, from the second-level cache or the next; sums of inputs and
 * products of a block wait in the second. */
enum { LEAST = 4, MOST = 8 };

/* The fewest blocks of as many rows each, as many for each of two threads, or of four if so
 * many may come; 0: there are none. */
static int64_t even_blocks(int64_t rows, int64_t tile_rows, int max_threads)
{
    int64_t share = max_threads < 2 ? 1 : max_threads < 4 ? 2 : 4;
    for (int64_t blocks = share; blocks <= rows / (LEAST * tile_rows); blocks += share) {
        int64_t each = rows / blocks, tiles = (each + tile_rows - 1) / tile_rows;
        if (rows % blocks == 0 && tiles <= MOST + 1 && tiles * tile_rows - each <= tiles)
            return blocks;
    }
    return 0;
}

/* Where the blocks can have as many rows each, they do: tiles of a row less make up for what
 * does not divide. */
static Blocks blocks_of(int64_t rows, int64_t width, const Target *target, int max_threads)
{
    Blocks b = {.rows = contraction_tile_rows(target, rows, width, target->lanes)};
    b.blocks = even_blocks(rows, b.rows, max_threads);
    if (b.blocks) {
        int64_t each = rows / b.blocks, tiles = (each + b.rows - 1) / b.rows;
        b.fewer = tiles * b.rows - each;
        b.block = tiles - b.fewer;
        b.tiles = b.block * b.blocks;
    } else {
        b.tiles = rows / b.rows;
        b.rest = rows % b.rows;
        b.block = blocks_even(b.tiles, LEAST, MOST, max_threads);
        b.block = b.block < b.tiles ? b.block : b.tiles;
        b.blocks = (b.tiles + b.block - 1) / b.block;
    }
    b.most = blocks_row(&b) + b.rest;
    return b;
}

Strassen strassen_of(const Value *v, const Target *target, int max_threads)
{
    const Shape *s = &v->args[1]->type.shape;
    Strassen g = {.rows = rows_of(v) / 2, .inputs = s->dim[1] / 2, .outputs = s->dim[0] / 2};
    int64_t width = target_panel(target);
    g.width = g.outputs < width ? g.outputs : width;
    g.panels = (g.outputs + g.width - 1) / g.width;
    g.blocks = blocks_of(g.rows, g.width, target, max_threads);
    /* One vector more, so that rows and sums do not fall into one set of the cache. */
    g.s_row = g.inputs + target->lanes;
    g.s_sum = g.blocks.most * g.s_row;
    g.m_sum = g.blocks.most * g.width + target->lanes;
    g.s_count = STRASSEN_SUMS * g.s_sum;
    g.m_count = STRASSEN_BUFFERS * g.m_sum;
    return g;
}
