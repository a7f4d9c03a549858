/* Planes of an image into channels last, with a border: what the first convolution of a
 * network reads.
 *
 *     for each task (some rows of the result), for each row:
 *         inside the image: border, pixels, border;  else: border
 *
 *     pixels: one vector of each plane; every vector of the result takes its lanes from
 *     them by shuffles, element e from plane e % C, pixel e / C */
#include "passes/lower.h"

enum { MOST_PLANES = 4 };

typedef struct Interleave {
    int source;
    int64_t planes, height, width;            /* of the source */
    int64_t top, left, out_height, out_width; /* of the result */
    const Value *x, *y;
} Interleave;

static bool has_border_only(const Value *v)
{
    const int64_t *pad = v->attr.pad.at;
    return v->attr.mode == MODE_constant && v->type.shape.rank == 4 && !pad[0] && !pad[1] &&
           !pad[4] && !pad[5];
}

static bool is_channels_last(const Value *v)
{
    const Shape *s = &v->type.shape;
    const int64_t *stride = v->place.stride;
    return stride[1] == 1 && stride[3] == s->dim[1] && stride[2] == s->dim[1] * s->dim[3];
}

bool pad_interleaves(const Lower *l, const Value *v)
{
    const Value *x = v->args[0];
    return l->group->members.n == 1 && v->type.dtype == DT_f32 && l->target->lanes > 1 &&
           has_border_only(v) && is_channels_last(v) && x->type.shape.dim[0] == 1 &&
           x->type.shape.dim[1] > 1 && x->type.shape.dim[1] <= MOST_PLANES &&
           x->place.stride[3] == 1;
}

static void fill(Lower *l, const Interleave *p, Index to, int64_t count)
{
    Piece pieces[MAX_PIECES];
    int n = pieces_cut(count, l->target->lanes, pieces);
    for (int i = 0; i < n; i++) {
        const IVar *at = build_for(&l->b, "border", pieces[i].count, false);
        Index here = index_plus(index_mul(index_var(at), pieces[i].lanes), pieces[i].start);
        build_store(&l->b, 0, index_add(to, here),
                    expr_real(l->arena, p->y->attr.value, pieces[i].lanes));
        build_end(&l->b);
    }
}

/* Vector `number` of the result, from one vector of each plane. */
static const Expr *interleaved(Lower *l, const Interleave *p, const Expr *const *plane,
                               int lanes, int number)
{
    const Expr *sum = plane[0];
    for (int c = 1; c < p->planes; c++) {
        signed char lane[MAX_LANES] = {0};
        for (int i = 0; i < lanes; i++) {
            int from = number * lanes + i, channel = (int)(from % p->planes);
            int pixel = (int)(from / p->planes);
            if (channel == c)
                lane[i] = (signed char)(lanes + pixel);
            else /* of the planes before: the first shuffle moves plane 0 too */
                lane[i] = (signed char)(c > 1 ? i : pixel);
        }
        sum = build_let(&l->b, "x", expr_shuffle(l->arena, sum, plane[c], lanes, lane));
    }
    return sum;
}

static void store_pixels(Lower *l, const Interleave *p, Index from, Index to, int lanes)
{
    const Expr *plane[MOST_PLANES];
    for (int c = 0; c < p->planes; c++) {
        Index at = index_plus(from, c * p->x->place.stride[1]);
        plane[c] = build_let(&l->b, "plane", expr_load(l->arena, l->kernel, p->source, at,
                                                       lanes));
    }
    for (int i = 0; i < p->planes; i++)
        build_store(&l->b, 0, index_plus(to, i * lanes),
                    lanes > 1 ? interleaved(l, p, plane, lanes, i) : plane[i]);
}

/* `from` is the row's first pixel in plane 0, `to` its place in the result. */
static void store_row(Lower *l, const Interleave *p, Index from, Index to)
{
    Piece pieces[MAX_PIECES];
    int n = pieces_cut(p->width, l->target->lanes, pieces);
    int64_t right = p->out_width - p->left - p->width;
    if (p->left > 0)
        fill(l, p, to, p->left * p->planes);
    to = index_plus(to, p->left * p->planes);
    for (int i = 0; i < n; i++) {
        const IVar *at = build_for(&l->b, "pixels", pieces[i].count, false);
        Index here = index_plus(index_mul(index_var(at), pieces[i].lanes), pieces[i].start);
        store_pixels(l, p, index_add(from, here), index_add(to, index_mul(here, p->planes)),
                     pieces[i].lanes);
        build_end(&l->b);
    }
    if (right > 0)
        fill(l, p, index_plus(to, p->width * p->planes), right * p->planes);
}

void lower_interleave(Lower *l)
{
    enum { ROWS = 8 };
    const Value *v = l->group->anchor, *x = v->args[0];
    const int64_t *in = x->type.shape.dim, *out = v->type.shape.dim, *pad = v->attr.pad.at;
    Interleave p = {.source = lower_operand(l, x, true), .planes = in[1], .height = in[2],
                    .width = in[3], .top = pad[2], .left = pad[3], .out_height = out[2],
                    .out_width = out[3], .x = x, .y = v};
    int64_t rows = divisor_below(p.out_height, ROWS);
    Index task = lower_tasks(l, p.out_height / rows);
    const IVar *var = build_for(&l->b, "row", rows, false);
    Index row = build_index(&l->b, "row", index_add(index_mul(task, rows), index_var(var)));
    Index to = index_mul(row, p.out_width * p.planes);
    build_if_less(&l->b, row, p.top);
    fill(l, &p, to, p.out_width * p.planes);
    build_else(&l->b);
    build_if_less(&l->b, row, p.top + p.height);
    store_row(l, &p, index_mul(index_plus(row, -p.top), x->place.stride[2]), to);
    build_else(&l->b);
    fill(l, &p, to, p.out_width * p.planes);
    build_end(&l->b);
    build_end(&l->b);
    build_end(&l->b);
}
