/* How a product with the softmax of scores is recognised, and cut into chunks. */
#include "passes/attention.h"
#include "passes/layout.h"

enum { MOST_TOKENS = 32, LEAST_PIXELS = 16 };

static const Value *unreshaped(const Value *v)
{
    while (v->op == OP_reshape)
        v = v->args[0];
    return v;
}

/* ---- the pattern ------------------------------------------------------- */

/* e / sum(e), e = exp(max(least, x - max(x))), all over the last axis: x. */
static const Value *softmax_argument(const Value *div, Attention *a)
{
    if (div->op != OP_div || div->args[0]->op != OP_exp || div->args[1]->op != OP_reduce_sum)
        return NULL;
    const Value *e = div->args[0], *sum = div->args[1], *below = e->args[0];
    if (sum->args[0] != e || below->op != OP_maximum || below->args[0]->op != OP_constant ||
        shape_count(&below->args[0]->type.shape) != 1 || below->args[1]->op != OP_sub)
        return NULL;
    const Value *least = below->args[0], *x = below->args[1]->args[0];
    const Value *top = below->args[1]->args[1];
    int64_t last = div->type.shape.rank - 1;
    if (top->op != OP_reduce_max || top->args[0] != x || top->attr.axes.n != 1 ||
        sum->attr.axes.n != 1 || top->attr.axes.at[0] != last || sum->attr.axes.at[0] != last ||
        !top->attr.keepdims || !sum->attr.keepdims)
        return NULL;
    a->least = (int64_t)(least->data ? tensor_get(least->data, 0) : least->attr.value);
    return x;
}

static bool is_pointwise(const Value *conv)
{
    if (conv->op != OP_conv2d || conv->attr.groups != 1 || !value_is_static(conv->args[1]))
        return false;
    Window w = window_of(conv);
    return w.kernel_h == 1 && w.kernel_w == 1 && w.stride_h == 1 && w.stride_w == 1 &&
           !window_leaves_map(&w);
}

/* A matrix, or one of each head. */
static bool is_matrix(const Value *v, int rank)
{
    return v->type.shape.rank == rank && v->type.shape.dim[0] == 1 && v->type.dtype == DT_f32;
}

/* The scores of a softmax over pixels, [1,L,HW], from the map that is pooled. */
static bool match_pooling(const Value *s, const Value *map, Attention *a)
{
    if (a->rows != 1)
        return false;
    a->map = map;
    a->scores = unreshaped(s);
    a->tokens = s->type.shape.dim[1];
    a->pixels = s->type.shape.dim[2];
    if (is_pointwise(a->scores)) {
        a->matrix = a->scores->args[1];
        a->bias = a->scores->nargs == 3 ? a->scores->args[2] : NULL;
        return unreshaped(a->scores->args[0]) == unreshaped(map) &&
               a->scores->args[0]->type.shape.dim[1] == map->type.shape.dim[1] &&
               a->scores->type.shape.dim[1] == a->tokens;
    }
    if (s->op != OP_matmul || !s->attr.transpose_a || s->attr.transpose_b)
        return false;
    a->matrix = s->args[0];
    return unreshaped(s->args[1]) == unreshaped(map) && is_matrix(a->matrix, 3) &&
           shape_equal(&s->args[1]->type.shape, &map->type.shape);
}

/* The scores of a softmax over tokens, [1,HW,L], of each head. */
static bool match_mixing(const Value *s, const Value *values, Attention *a)
{
    if (s->op != OP_matmul || !s->attr.transpose_a || s->attr.transpose_b ||
        !is_matrix(s->args[0], a->rows + 2) || !is_matrix(s->args[1], a->rows + 2) ||
        s->args[0]->type.shape.dim[1] != s->args[1]->type.shape.dim[1] ||
        (a->rows > 1 && values->type.shape.dim[1] != s->type.shape.dim[1]))
        return false;
    a->scores = s;
    a->map = s->args[0];
    a->matrix = s->args[1];
    a->values = values;
    a->pixels = s->type.shape.dim[a->rows];
    a->tokens = s->type.shape.dim[a->rows + 1];
    a->heads = a->rows > 1 ? s->type.shape.dim[1] : 1;
    return true;
}

bool attention_scores_by_token(const Attention *a)
{
    const int64_t *step = a->map->place.stride;
    const Layout *layout = &a->matrix->layout;
    return !a->values && step[2] == 1 && step[1] > 1 &&
           (layout->kind != LAYOUT_panels || layout->panel >= a->tokens);
}

/* ---- chunks ------------------------------------------------------------ */

static int64_t divided_up(int64_t n, int64_t by)
{
    return (n + by - 1) / by;
}

/* Over tokens no sum crosses a chunk: it is a matter of time only. A quarter of a map,
 * and not more than a few caches hold (32 KB of all heads' scores); where lanes lie along
 * pixels, whole vectors. */
static void cut_mixing(Attention *a)
{
    enum { MOST = 64, SCORES = 8192, CHUNK = 48, SHORT = 16, FEW = 64 };
    int64_t fits = SCORES / (a->heads * a->tokens), most = fits < MOST ? fits : MOST;
    most = most < SHORT ? SHORT : most;
    a->chunk = divided_up(a->pixels, divided_up(a->pixels, 4 * most) * 4);
    if (!a->channels_last)
        a->chunk = a->pixels > FEW ? CHUNK : SHORT;
    a->chunks = a->tasks = divided_up(a->pixels, a->chunk);
    a->rounds = 1;
}

/* About so many pixels, in vectors of any target; a last chunk of few pixels may stay. */
static int64_t whole_vectors(const Attention *a)
{
    enum { LANES = 16, FEW = 4 };
    int64_t less = a->chunk - a->chunk % LANES, more = less + LANES;
    if (a->chunk == less)
        return less;
    bool fits = less > 0 && divided_up(a->pixels, less * a->rounds) <= ATTENTION_MOST_TASKS;
    return fits && a->chunk - less <= FEW ? less : more;
}

/* Over pixels each task leaves sums as large as the result: few tasks, of equal chunks. */
static void cut_pooling(Attention *a)
{
    enum { MOST = 64 };
    a->tasks = a->pixels >= 1024 ? ATTENTION_MOST_TASKS : ATTENTION_MOST_TASKS / 2;
    a->rounds = divided_up(a->pixels, a->tasks * MOST);
    a->chunk = divided_up(a->pixels, a->tasks * a->rounds);
    if (attention_scores_by_token(a))
        a->chunk = whole_vectors(a);
    a->chunks = divided_up(a->pixels, a->chunk);
    a->tasks = divided_up(a->chunks, a->rounds);
}

static bool cut(Attention *a)
{
    a->channels = a->map->type.shape.dim[a->rows];
    if (a->tokens < 2 || a->tokens > MOST_TOKENS || a->channels < 2 || a->pixels < LEAST_PIXELS ||
        a->pixels < 2 * a->tokens)
        return false;
    if (a->values)
        cut_mixing(a);
    else
        cut_pooling(a);
    a->last = a->pixels - (a->chunks - 1) * a->chunk;
    a->part = (a->channels + 2) * a->tokens;
    return true;
}

static bool describe(const Value *product, Attention *a)
{
    *a = (Attention){0};
    int rank = product->type.shape.rank;
    if (product->op != OP_matmul || product->attr.transpose_a || !product->attr.transpose_b ||
        rank < 3 || rank > 4 || !is_matrix(product, rank) || !is_matrix(product->args[0], rank) ||
        !is_matrix(product->args[1], rank))
        return false;
    a->rows = rank - 2;
    a->heads = 1;
    const Value *s = softmax_argument(product->args[1], a), *x = product->args[0];
    a->channels_last = product->place.stride[a->rows] == 1;
    Attention mixing = *a;
    if (!s || (match_pooling(s, x, a) && cut(a)))
        return s;
    *a = mixing;
    return match_mixing(s, x, a) && cut(a);
}

/* ---- uses -------------------------------------------------------------- */

static bool is_inside(const Graph *graph, const Value *v, int uses)
{
    return v->uses == uses && !graph_is_output(graph, v);
}

bool attention_match(const Graph *graph, const Value *product, Attention *a)
{
    if (!describe(product, a))
        return false;
    const Value *div = product->args[1], *e = div->args[0], *below = e->args[0];
    const Value *s = below->args[1]->args[0];
    for (const Value *v = s; v != a->scores; v = v->args[0])
        if (!is_inside(graph, v->args[0], 1))
            return false;
    return is_inside(graph, div, 1) && is_inside(graph, e, 2) &&
           is_inside(graph, div->args[1], 1) && is_inside(graph, below, 1) &&
           is_inside(graph, below->args[1], 1) && is_inside(graph, below->args[1]->args[1], 1) &&
           is_inside(graph, s, 2);
}

bool attention_of(const Group *group, Attention *a)
{
    const Value *product = group->anchor;
    return group->members.n > 1 && group->members.at[0] != product &&
           product->op == OP_matmul && product->args[1]->group == product->group &&
           describe(product, a);
}

bool attention_is_channels_last(const Attention *a)
{
    return a->map->place.stride[a->rows] == 1;
}

int64_t attention_head_step(const Attention *a, const Value *operand)
{
    return a->rows > 1 ? operand->place.stride[1] : 0;
}

/* The scores of a chunk, by token too where they are computed so; over pixels also how much
 * each token's sums shrink and, while tasks are put together, their weights. */
Temporary attention_temporary(const Attention *a)
{
    int64_t scores = temporary_align(a->heads * a->chunk * a->tokens * 4);
    if (a->values)
        return (Temporary){.per_thread = scores};
    if (attention_scores_by_token(a))
        scores *= 2;
    int64_t weights = temporary_align((a->tasks + 1) * a->tokens * 4);
    return (Temporary){.shared = temporary_align(a->tasks * a->part * 4),
                       .per_thread = scores + weights};
}
