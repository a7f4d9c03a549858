/* Lowering of scores, softmax and the product that reads it as one step (over tokens),
 * or two (over pixels); passes/attention.h.
 *
 *     over tokens: for each chunk of pixels (a task):
 *         S[head][pixel][token] = X M of each head
 *         S = softmax of each row
 *         result[.. pixel] = chain(V S^T) of each head
 *     (where the result's pixels are neighbours: S[head][token][pixel], lanes along pixels.
 *     Three loops over the heads, not one: compilers would keep the numbers that exp needs in
 *     registers through all of it, and spill the products' sums.)
 *
 *     over pixels: for each task, for each of its chunks:
 *         S[pixel][token] = X M
 *         top' = max(top, S);  S = exp(S - top');  shrink = exp(top - top')
 *         sum = sum * shrink + S;  T = T * shrink + S^T X
 *     then, for each task (some channels): result = chain(the tasks' T, by their tops)
 *
 * So X is read once. Else lanes of S lie along the tokens; over pixels that are neighbours in
 * X it is computed as S[token][pixel] first. What a task leaves of a
 * softmax over pixels is T, then the tops, then the sums. */
#include "passes/attention.h"
#include "passes/contraction.h"
#include <math.h>

enum { MOST_VECTORS = 32 }; /* of the tokens */

typedef struct Fused {
    Attention a;
    int x, m, bias, v;   /* operands; -1 none */
    int s;               /* scratch: S */
    int by_token;        /* scratch: S by token, of pools that compute it so; else -1 */
    int parts, weights;  /* what tasks leave; scratch: [task][token], and shrink */
    Index part;          /* the task's, in parts */
    int64_t pixels;      /* of the chunk that is built */
    Index head;
} Fused;

/* ---- expressions ------------------------------------------------------- */

static const Expr *load(Lower *l, int operand, Index at, int lanes)
{
    return expr_load(l->arena, l->kernel, operand, at, lanes);
}

/* exp(max(least, x - top)) */
static const Expr *share_of(Lower *l, const Fused *f, const Expr *x, const Expr *top)
{
    int lanes = x->type.lanes;
    const Expr *below = expr_bin(l->arena, EX_sub, x, top);
    below = build_let(&l->b, "below",
                      expr_bin(l->arena, EX_max,
                               expr_real(l->arena, (double)f->a.least, lanes), below));
    return build_let(&l->b, "e", expr_un(l->arena, EX_exp, below));
}

static const Expr *across(Lower *l, ExprOp op, const Expr *x)
{
    return x->type.lanes == 1 ? x : build_across(&l->b, op, x);
}

/* The tokens in vectors, one vector each. */
static int token_vectors(const Lower *l, const Fused *f, Piece *vector)
{
    Piece pieces[MAX_PIECES];
    int n = 0, cuts = pieces_cut(f->a.tokens, l->target->lanes, pieces);
    for (int i = 0; i < cuts; i++)
        for (int64_t k = 0; k < pieces[i].count; k++)
            vector[n++] = (Piece){pieces[i].start + k * pieces[i].lanes, 1, pieces[i].lanes};
    return n;
}

/* ---- scores ------------------------------------------------------------ */

static void open_map(Lower *l, Fused *f)
{
    f->x = lower_operand(l, f->a.map, true);
    f->m = lower_operand(l, f->a.matrix, true);
    f->bias = f->a.bias ? lower_operand(l, f->a.bias, true) : -1;
}

/* Steps along the rows of an operand, then along its columns. */
static const int64_t *steps_of(const Fused *f, const Value *v)
{
    return &v->place.stride[f->a.rows];
}

/* Where S of the head begins. */
static Index head_scores(const Fused *f)
{
    return index_mul(f->head, f->a.chunk * f->a.tokens);
}

/* Moves X, M and S to the head, and X to the chunk. */
static void move_to_scores(const Fused *f, At *at, Index chunk)
{
    const Attention *a = &f->a;
    Index head = index_mul(f->head, attention_head_step(a, a->map));
    at->index[f->x] = index_add(head, index_mul(chunk, a->chunk * steps_of(f, a->map)[1]));
    at->index[f->m] = index_mul(f->head, attention_head_step(a, a->matrix));
    at->index[f->s] = head_scores(f);
}

/* X M of the chunk into S; packed weights have panels. */
static void build_scores(Lower *l, const Fused *f, Index chunk)
{
    const Attention *a = &f->a;
    const int64_t *step = steps_of(f, a->map);
    Contraction c = {.a = f->x, .b = f->m, .bias = f->bias, .table = -1, .sink = f->s,
                     .sums = -1, .groups = 1, .group = {.extent = 1}, .taps = 1,
                     .run = a->channels, .run_step = step[0], .lanes = l->target->lanes,
                     .panel = l->target->lanes * l->target->tile_vectors,
                     .b_step = steps_of(f, a->matrix)[0]};
    if (a->matrix->layout.kind == LAYOUT_panels) {
        Panels p = panels_of(a->matrix, 1, a->matrix->layout.panel);
        c.packed = true;
        c.panel = c.b_step = p.width;
        c.panel_step = p.inputs * p.width;
    }
    c.rows.operands = l->operands;
    c.rows.n = 1;
    c.rows.axis[0] = (Axis){.extent = f->pixels};
    c.rows.axis[0].step[f->x] = step[1];
    c.rows.axis[0].step[f->s] = a->tokens;
    c.columns = (Axis){.extent = a->tokens};
    c.columns.step[f->m] = c.columns.step[f->s] = 1;
    if (f->bias >= 0)
        c.columns.step[f->bias] = 1;
    At at = at_origin(l, 1, NULL);
    move_to_scores(f, &at, chunk);
    contraction_rows(l, &c, at);
}

/* The same as S[token][pixel], into `sink`: rows are tokens, lanes lie along the pixels of X. */
static void build_scores_by_token(Lower *l, const Fused *f, Index chunk, int sink)
{
    const Attention *a = &f->a;
    const int64_t *map = steps_of(f, a->map), *matrix = steps_of(f, a->matrix);
    int64_t packed = a->matrix->layout.kind == LAYOUT_panels ? a->matrix->layout.panel : 0;
    Contraction c = {.a = f->m, .b = f->x, .bias = f->bias, .table = -1, .sink = sink, .sums = -1,
                     .groups = 1, .group = {.extent = 1}, .taps = 1, .run = a->channels,
                     .run_step = packed ? packed : matrix[0], .b_step = map[0],
                     .lanes = map[1] == 1 ? l->target->lanes : 1};
    c.panel = c.lanes * l->target->tile_vectors;
    c.rows.operands = l->operands;
    c.rows.n = 1;
    c.rows.axis[0] = (Axis){.extent = a->tokens};
    c.rows.axis[0].step[f->m] = packed ? 1 : matrix[1];
    c.rows.axis[0].step[sink] = a->chunk;
    if (f->bias >= 0)
        c.rows.axis[0].step[f->bias] = 1;
    c.columns = (Axis){.extent = f->pixels};
    c.columns.step[f->x] = map[1];
    c.columns.step[sink] = 1;
    At at = at_origin(l, 1, NULL);
    move_to_scores(f, &at, chunk);
    contraction_rows(l, &c, at);
}

/* Where pixels are neighbours, a chunk is a short piece of every channel: processors do
 * not guess the next, so all of it is asked for at once. */
static void ask_for_map(Lower *l, const Fused *f, Index chunk)
{
    const int64_t *step = steps_of(f, f->a.map);
    if (!l->target->prefetch || step[1] != 1 || step[0] < 4 * LINE)
        return;
    Index from = index_mul(f->head, attention_head_step(&f->a, f->a.map));
    const IVar *channel = build_for(&l->b, "channel", f->a.channels, false);
    from = index_add(from, index_add(index_mul(chunk, f->a.chunk),
                                     index_mul(index_var(channel), step[0])));
    for (int64_t i = 0; i < f->pixels; i += LINE)
        build_prefetch(&l->b, NEAR_l2, f->x, index_plus(from, i));
    build_prefetch(&l->b, NEAR_l2, f->x, index_plus(from, f->pixels - 1));
    build_end(&l->b);
}

/* A chunk's body, and that of the last, which may be smaller. */
typedef void ChunkBody(Lower *l, const Fused *f, Index chunk);

static void each_chunk(Lower *l, Fused *f, Index chunk, ChunkBody *body)
{
    const Attention *a = &f->a;
    f->pixels = a->chunk;
    if (a->last == a->chunk) {
        body(l, f, chunk);
        return;
    }
    build_if_less(&l->b, chunk, a->chunks - 1);
    body(l, f, chunk);
    build_else(&l->b);
    f->pixels = a->last;
    body(l, f, chunk);
    build_end(&l->b);
}

/* ---- over tokens ------------------------------------------------------- */

/* All lanes of all vectors: those of one width first. */
static const Expr *across_all(Lower *l, ExprOp op, const char *name, const Expr *const *x, int n)
{
    const Expr *all = NULL;
    for (int i = 0; i < n;) {
        const Expr *wide = x[i++];
        for (; i < n && x[i]->type.lanes == wide->type.lanes; i++)
            wide = build_let(&l->b, name, expr_bin(l->arena, op, wide, x[i]));
        const Expr *part = across(l, op, wide);
        all = build_let(&l->b, name, all ? expr_bin(l->arena, op, all, part) : part);
    }
    return all;
}

/* A row of S, a pixel: shares instead of scores. */
static void build_row(Lower *l, const Fused *f, const Piece *vector, int n, Index row)
{
    const Expr *e[MOST_VECTORS] = {NULL};
    for (int i = 0; i < n; i++) {
        Index at = index_plus(row, vector[i].start);
        e[i] = build_let(&l->b, "s", load(l, f->s, at, vector[i].lanes));
    }
    const Expr *top = across_all(l, EX_max, "top", e, n);
    for (int i = 0; i < n; i++) {
        int lanes = vector[i].lanes;
        e[i] = share_of(l, f, e[i], lanes > 1 ? expr_splat(l->arena, top, lanes) : top);
    }
    const Expr *sum = across_all(l, EX_add, "sum", e, n);
    for (int i = 0; i < n; i++) {
        int lanes = vector[i].lanes;
        const Expr *all = lanes > 1 ? expr_splat(l->arena, sum, lanes) : sum;
        build_store(&l->b, f->s, index_plus(row, vector[i].start),
                    expr_bin(l->arena, EX_div, e[i], all));
    }
}

static void build_shares(Lower *l, const Fused *f)
{
    Piece vector[MOST_VECTORS];
    int n = token_vectors(l, f, vector);
    const IVar *pixel = build_for(&l->b, "pixel", f->pixels, false);
    Index row = index_mul(index_var(pixel), f->a.tokens);
    build_row(l, f, vector, n, index_add(head_scores(f), row));
    build_end(&l->b);
}

/* The same of S by token, a vector of pixels from `at` on. */
static void build_column(Lower *l, const Fused *f, Index at, int lanes)
{
    Arena *a = l->arena;
    int64_t step = f->a.chunk;
    const Reg *most = build_var(&l->b, "most", 1, load(l, f->s, at, lanes));
    const IVar *token = build_for(&l->b, "token", f->a.tokens - 1, false);
    Index here = index_add(index_plus(at, step), index_mul(index_var(token), step));
    build_set(&l->b, most, index_const(0),
              expr_bin(a, EX_max, expr_reg(a, most, index_const(0)), load(l, f->s, here, lanes)));
    build_end(&l->b);
    const Expr *top = build_let(&l->b, "top", expr_reg(a, most, index_const(0)));
    const Reg *sum = build_var(&l->b, "sum", 1, expr_real(a, 0, lanes));
    token = build_for(&l->b, "token", f->a.tokens, false);
    here = index_add(at, index_mul(index_var(token), step));
    const Expr *e = share_of(l, f, load(l, f->s, here, lanes), top);
    build_store(&l->b, f->s, here, e);
    build_set(&l->b, sum, index_const(0),
              expr_bin(a, EX_add, expr_reg(a, sum, index_const(0)), e));
    build_end(&l->b);
    const Expr *all = build_let(&l->b, "all", expr_reg(a, sum, index_const(0)));
    token = build_for(&l->b, "token", f->a.tokens, false);
    here = index_add(at, index_mul(index_var(token), step));
    build_store(&l->b, f->s, here, expr_bin(a, EX_div, load(l, f->s, here, lanes), all));
    build_end(&l->b);
}

static void build_shares_by_token(Lower *l, const Fused *f)
{
    Piece pieces[MAX_PIECES];
    int n = pieces_cut(f->pixels, l->target->lanes, pieces);
    for (int i = 0; i < n; i++) {
        const IVar *var = build_for(&l->b, "pixels", pieces[i].count, false);
        Index at = index_plus(index_mul(index_var(var), pieces[i].lanes), pieces[i].start);
        build_column(l, f, index_add(head_scores(f), at), pieces[i].lanes);
        build_end(&l->b);
    }
}

/* V S^T of the chunk through the chain: rows are pixels and lanes lie along channels,
 * or the other way round. */
static void build_mix(Lower *l, const Fused *f, Index chunk)
{
    const Attention *a = &f->a;
    const int64_t *step = steps_of(f, a->values);
    Nest nest = nest_of_result(l);
    Axis channels = nest.axis[a->rows], pixels = nest.axis[a->rows + 1];
    At at = at_origin(l, 1, NULL);
    if (a->rows > 1)
        at_move(&at, l->operands, &nest.axis[1], f->head);
    at.index[f->v] = index_mul(f->head, attention_head_step(a, a->values));
    at.index[f->s] = head_scores(f);
    at_move(&at, l->operands, &pixels, index_mul(chunk, a->chunk));
    pixels.extent = f->pixels;
    Contraction c = {.bias = -1, .table = -1, .sink = -1, .sums = -1, .groups = 1,
                     .group = {.extent = 1}, .taps = 1, .run = a->tokens};
    if (f->a.channels_last) {
        c.a = f->s, c.b = f->v;
        c.run_step = 1, c.b_step = step[1];
        pixels.step[c.a] = a->tokens;
        channels.step[c.b] = step[0];
        c.rows.axis[0] = pixels;
        c.columns = channels;
    } else {
        c.a = f->v, c.b = f->s;
        c.run_step = step[1], c.b_step = a->chunk;
        channels.step[c.a] = step[0];
        pixels.step[c.b] = 1;
        c.rows.axis[0] = channels;
        c.columns = pixels;
    }
    c.rows.n = 1;
    contraction_finish(l, &c);
    contraction_rows(l, &c, at);
}

/* A part of a chunk's work for each head. */
static void each_head(Lower *l, const Fused *f, Index chunk, ChunkBody *body)
{
    Fused here = *f;
    here.head = index_var(build_for(&l->b, "head", f->a.heads, false));
    body(l, &here, chunk);
    build_end(&l->b);
}

static void score_head(Lower *l, const Fused *f, Index chunk)
{
    ask_for_map(l, f, chunk);
    if (f->a.channels_last)
        build_scores(l, f, chunk);
    else
        build_scores_by_token(l, f, chunk, f->s);
}

static void share_head(Lower *l, const Fused *f, Index chunk)
{
    (void)chunk;
    if (f->a.channels_last)
        build_shares(l, f);
    else
        build_shares_by_token(l, f);
}

static void mix_chunk(Lower *l, const Fused *f, Index chunk)
{
    each_head(l, f, chunk, score_head);
    each_head(l, f, chunk, share_head);
    each_head(l, f, chunk, build_mix);
}

static void lower_over_tokens(Lower *l, Fused *f)
{
    const Attention *a = &f->a;
    lower_open(l, "attention");
    open_map(l, f);
    f->v = lower_operand(l, a->values, true);
    f->s = lower_scratch(l, "s", 0, a->heads * a->chunk * a->tokens);
    store_pad_pixel(l);
    each_chunk(l, f, lower_tasks(l, a->chunks), mix_chunk);
    lower_close(l);
}

/* ---- over pixels: what a task leaves ----------------------------------- */

/* Tops and sums of a part, from token `token` on. */
static Index top_at(const Fused *f, Index part, int64_t token)
{
    return index_plus(part, f->a.channels * f->a.tokens + token);
}

static Index sum_at(const Fused *f, Index part, int64_t token)
{
    return index_plus(part, (f->a.channels + 1) * f->a.tokens + token);
}

static void fill(Lower *l, int operand, Index from, int64_t count, double value)
{
    Piece pieces[MAX_PIECES];
    int n = pieces_cut(count, l->target->lanes, pieces);
    for (int i = 0; i < n; i++) {
        const IVar *at = build_for(&l->b, "at", pieces[i].count, false);
        Index here = index_plus(index_mul(index_var(at), pieces[i].lanes), pieces[i].start);
        build_store(&l->b, operand, index_add(from, here),
                    expr_real(l->arena, value, pieces[i].lanes));
        build_end(&l->b);
    }
}

/* One vector of tokens: the largest score of the chunk, shares of it, their sum. */
static void build_online(Lower *l, const Fused *f, const Piece *vector)
{
    const Attention *a = &f->a;
    int lanes = vector->lanes;
    Index top_index = top_at(f, f->part, vector->start);
    Index sum_index = sum_at(f, f->part, vector->start);
    const Expr *old = NULL, *first = expr_real(l->arena, -INFINITY, lanes);
    if (a->rounds > 1)
        old = first = build_let(&l->b, "old", load(l, f->parts, top_index, lanes));
    const Reg *most = build_var(&l->b, "most", 1, first);
    const IVar *pixel = build_for(&l->b, "pixel", f->pixels, false);
    Index at = index_plus(index_mul(index_var(pixel), a->tokens), vector->start);
    build_set(&l->b, most, index_const(0),
              expr_bin(l->arena, EX_max, expr_reg(l->arena, most, index_const(0)),
                       load(l, f->s, at, lanes)));
    build_end(&l->b);
    const Expr *top = build_let(&l->b, "top", expr_reg(l->arena, most, index_const(0)));
    const Expr *before = expr_real(l->arena, 0, lanes);
    if (a->rounds > 1) {
        const Expr *shrink = share_of(l, f, old, top);
        build_store(&l->b, f->weights, index_const(a->tasks * a->tokens + vector->start), shrink);
        before = expr_bin(l->arena, EX_mul, load(l, f->parts, sum_index, lanes), shrink);
    }
    const Reg *sum = build_var(&l->b, "sum", 1, before);
    pixel = build_for(&l->b, "pixel", f->pixels, false);
    at = index_plus(index_mul(index_var(pixel), a->tokens), vector->start);
    const Expr *e = share_of(l, f, load(l, f->s, at, lanes), top);
    build_store(&l->b, f->s, at, e);
    build_set(&l->b, sum, index_const(0),
              expr_bin(l->arena, EX_add, expr_reg(l->arena, sum, index_const(0)), e));
    build_end(&l->b);
    build_store(&l->b, f->parts, top_index, top);
    build_store(&l->b, f->parts, sum_index, expr_reg(l->arena, sum, index_const(0)));
}

/* A vector of weights by token: lanes along the tokens, or one of them in all lanes. */
static const Expr *weight_at(Lower *l, const Fused *f, Index token, int64_t number, int lanes)
{
    Index at = index_plus(token, number * f->a.tokens);
    if (!f->a.channels_last)
        return load(l, f->weights, at, lanes);
    const Expr *weight = load(l, f->weights, at, 1);
    return lanes > 1 ? expr_splat(l->arena, weight, lanes) : weight;
}

/* T in loops, the inner axis in vectors; `from` + channel is a channel of T. */
typedef void SumBody(Lower *l, const Fused *f, Index channel, Index token, int lanes);

static void each_sum(Lower *l, const Fused *f, Index from, int64_t channels, SumBody *body)
{
    int64_t outer = f->a.channels_last ? f->a.tokens : channels;
    int64_t inner = f->a.channels_last ? channels : f->a.tokens;
    Piece pieces[MAX_PIECES];
    int n = pieces_cut(inner, l->target->lanes, pieces);
    const IVar *o = build_for(&l->b, "outer", outer, false);
    for (int i = 0; i < n; i++) {
        const IVar *var = build_for(&l->b, "inner", pieces[i].count, false);
        Index at = index_plus(index_mul(index_var(var), pieces[i].lanes), pieces[i].start);
        body(l, f, index_add(from, f->a.channels_last ? at : index_var(o)),
             f->a.channels_last ? index_var(o) : at, pieces[i].lanes);
        build_end(&l->b);
    }
    build_end(&l->b);
}

static Index sum_index(const Fused *f, Index channel, Index token)
{
    return f->a.channels_last ? index_add(index_mul(token, f->a.channels), channel)
                            : index_add(index_mul(channel, f->a.tokens), token);
}

static void shrink_sum(Lower *l, const Fused *f, Index channel, Index token, int lanes)
{
    Index at = index_add(f->part, sum_index(f, channel, token));
    const Expr *shrink = weight_at(l, f, token, f->a.tasks, lanes);
    build_store(&l->b, f->parts, at,
                expr_bin(l->arena, EX_mul, load(l, f->parts, at, lanes), shrink));
}

/* T = S^T X of the chunk, or added to it. Lanes lie along the channels where they are
 * neighbours in X, else along the tokens. */
static void build_pooling(Lower *l, const Fused *f, Index chunk)
{
    const Attention *a = &f->a;
    const int64_t *step = steps_of(f, a->map);
    Axis tokens = {.extent = a->tokens}, channels = {.extent = a->channels};
    tokens.step[f->s] = 1;
    channels.step[f->x] = step[0];
    tokens.step[f->parts] = f->a.channels_last ? a->channels : 1;
    channels.step[f->parts] = f->a.channels_last ? 1 : a->tokens;
    Contraction c = {.a = f->a.channels_last ? f->s : f->x, .b = f->a.channels_last ? f->x : f->s,
                     .bias = -1, .table = -1, .sink = f->parts, .sums = -1, .groups = 1,
                     .group = {.extent = 1}, .taps = 1, .run = f->pixels,
                     .lanes = l->target->lanes, .adds = a->rounds > 1};
    c.run_step = f->a.channels_last ? a->tokens : step[1];
    c.b_step = f->a.channels_last ? step[1] : a->tokens;
    c.panel = l->target->lanes * l->target->tile_vectors;
    c.rows.operands = l->operands;
    c.rows.n = 1;
    c.rows.axis[0] = f->a.channels_last ? tokens : channels;
    c.columns = f->a.channels_last ? channels : tokens;
    At at = at_origin(l, 1, NULL);
    at.index[f->x] = index_mul(chunk, a->chunk * step[1]);
    at.index[f->parts] = f->part;
    contraction_rows(l, &c, at);
}

static void build_transposed(Lower *l, const Fused *f)
{
    const IVar *token = build_for(&l->b, "token", f->a.tokens, false);
    const IVar *pixel = build_for(&l->b, "pixel", f->pixels, false);
    Index from = index_add(index_mul(index_var(token), f->a.chunk), index_var(pixel));
    Index to = index_add(index_mul(index_var(pixel), f->a.tokens), index_var(token));
    build_store(&l->b, f->s, to, load(l, f->by_token, from, 1));
    build_end(&l->b);
    build_end(&l->b);
}

static void pool_chunk(Lower *l, const Fused *f, Index chunk)
{
    Piece vector[MOST_VECTORS];
    int n = token_vectors(l, f, vector);
    ask_for_map(l, f, chunk);
    if (f->by_token >= 0) {
        build_scores_by_token(l, f, chunk, f->by_token);
        build_transposed(l, f);
    } else {
        build_scores(l, f, chunk);
    }
    for (int i = 0; i < n; i++)
        build_online(l, f, &vector[i]);
    if (f->a.rounds > 1)
        each_sum(l, f, index_const(0), f->a.channels, shrink_sum);
    build_pooling(l, f, chunk);
}

static void open_scratch(Lower *l, Fused *f)
{
    const Attention *a = &f->a;
    int64_t scores = temporary_align(a->chunk * a->tokens * 4);
    f->s = lower_scratch(l, "s", 0, a->chunk * a->tokens);
    bool by_token = attention_scores_by_token(a);
    f->by_token = by_token ? lower_scratch(l, "by_token", scores, a->chunk * a->tokens) : -1;
    f->weights = lower_scratch(l, "weights", scores * (by_token ? 2 : 1),
                               (a->tasks + 1) * a->tokens);
}

static void lower_parts(Lower *l, Fused *f)
{
    const Attention *a = &f->a;
    lower_begin(l, "attention_parts");
    f->parts = lower_shared(l, "parts", 0, a->tasks * a->part, ACCESS_both);
    open_map(l, f);
    open_scratch(l, f);
    Index task = lower_tasks(l, a->tasks);
    f->part = index_mul(task, a->part);
    if (a->rounds > 1) {
        fill(l, f->parts, f->part, a->part, 0);
        fill(l, f->parts, top_at(f, f->part, 0), a->tokens, -INFINITY);
    }
    const IVar *round = build_for(&l->b, "round", a->rounds, false);
    Index chunk = index_add(index_mul(task, a->rounds), index_var(round));
    bool partial = a->tasks * a->rounds > a->chunks;
    if (partial)
        build_if_less(&l->b, chunk, a->chunks);
    each_chunk(l, f, chunk, pool_chunk);
    if (partial)
        build_end(&l->b);
    build_end(&l->b);
    lower_close(l);
}

/* ---- over pixels: the tasks together ----------------------------------- */

/* What each part weighs, one vector of tokens. */
static void build_weights(Lower *l, const Fused *f, const Piece *vector)
{
    const Attention *a = &f->a;
    int lanes = vector->lanes;
    const Expr *top = NULL, *sum = NULL, *e[ATTENTION_MOST_TASKS];
    for (int64_t i = 0; i < a->tasks; i++) {
        Index at = top_at(f, index_const(i * a->part), vector->start);
        e[i] = build_let(&l->b, "t", load(l, f->parts, at, lanes));
        top = top ? build_let(&l->b, "top", expr_bin(l->arena, EX_max, top, e[i])) : e[i];
    }
    for (int64_t i = 0; i < a->tasks; i++) {
        Index at = sum_at(f, index_const(i * a->part), vector->start);
        e[i] = share_of(l, f, e[i], top);
        const Expr *part = expr_bin(l->arena, EX_mul, e[i], load(l, f->parts, at, lanes));
        sum = build_let(&l->b, "sum", sum ? expr_bin(l->arena, EX_add, sum, part) : part);
    }
    for (int64_t i = 0; i < a->tasks; i++)
        build_store(&l->b, f->weights, index_const(i * a->tokens + vector->start),
                    expr_bin(l->arena, EX_div, e[i], sum));
}

static void join_sum(Lower *l, const Fused *f, Index channel, Index token, int lanes)
{
    Nest nest = nest_of_result(l);
    const Expr *sum = NULL;
    for (int64_t i = 0; i < f->a.tasks; i++) {
        Index at = index_plus(sum_index(f, channel, token), i * f->a.part);
        const Expr *part = build_let(&l->b, "part", load(l, f->parts, at, lanes));
        const Expr *weight = build_let(&l->b, "w", weight_at(l, f, token, i, lanes));
        sum = build_let(&l->b, "sum",
                        sum ? expr_multiply_add(l->arena, l->target, part, weight, sum)
                            : expr_bin(l->arena, EX_mul, part, weight));
    }
    At at = at_origin(l, lanes, lanes > 1 ? &nest.axis[f->a.channels_last ? 1 : 2] : NULL);
    at_move(&at, l->operands, &nest.axis[1], channel);
    at_move(&at, l->operands, &nest.axis[2], token);
    chain_store(l, &at, sum);
}

static void lower_joined(Lower *l, Fused *f)
{
    enum { TASKS = 8 };
    const Attention *a = &f->a;
    Piece vector[MOST_VECTORS];
    lower_open(l, "attention");
    f->parts = lower_shared(l, "parts", 0, a->tasks * a->part, ACCESS_read);
    open_scratch(l, f);
    store_pad_pixel(l);
    int n = token_vectors(l, f, vector);
    int64_t unit = a->channels % l->target->lanes == 0 ? l->target->lanes : 1;
    int64_t tasks = divisor_below(a->channels / unit, TASKS), channels = a->channels / tasks;
    Index task = lower_tasks(l, tasks);
    for (int i = 0; i < n; i++)
        build_weights(l, f, &vector[i]);
    each_sum(l, f, index_mul(task, channels), channels, join_sum);
    lower_close(l);
}

void lower_attention(Lower *l)
{
    Fused f = {.bias = -1};
    attention_of(l->group, &f.a);
    if (f.a.values) {
        lower_over_tokens(l, &f);
        return;
    }
    lower_parts(l, &f);
    lower_joined(l, &f);
}
