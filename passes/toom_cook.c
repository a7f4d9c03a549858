/* The geometry of convolutions by minimal correlations along rows. */
#include "passes/toom_cook.h"
#include "passes/layout.h"
#include "passes/nest.h"

/* With the padding made explicit, does the last vector of the last row end inside? */
static bool reads_inside(const Value *v, const Window *w)
{
    int64_t channels = v->args[1]->type.shape.dim[1];
    Bilinear b = bilinear_shared(TOOM_COOK_TILE, (int)w->kernel_w, (int)w->stride_w);
    int64_t height = w->in_h + w->pad_top + v->attr.pad.at[2];
    int64_t width = w->in_w + w->pad_left + v->attr.pad.at[3];
    int64_t tiles = (w->out_w + TOOM_COOK_TILE - 1) / TOOM_COOK_TILE;
    int64_t row = (w->out_h - 1) * w->stride_h + w->kernel_h - 1;
    int64_t pixel = ((tiles - 1) * TOOM_COOK_TILE + b.inputs - 1) * w->stride_w;
    return (row * width + pixel) * channels + TOOM_COOK_LANES <= height * width * channels;
}

bool conv_suits_toom_cook(const Value *v, const Target *target)
{
    if (!conv_reads_rows(v) || v->type.dtype != DT_f32 || target->lanes < TOOM_COOK_LANES)
        return false;
    Window w = window_of(v);
    const Shape *s = &v->args[1]->type.shape;
    return w.kernel_w >= 5 && w.kernel_w <= 8 && w.stride_h == w.stride_w &&
           w.stride_w == 2 && w.dilation_h == 1 && v->type.shape.dim[0] == 1 &&
           s->dim[1] * w.stride_w <= TOOM_COOK_LANES && s->dim[0] % target->lanes == 0 &&
           reads_inside(v, &w);
}

bool stem_takes_pool(const Value *conv, const Value *pool, const Target *target)
{
    Window w = window_of(pool);
    const Shape *s = &pool->args[0]->type.shape;
    return conv_suits_toom_cook(conv, target) && w.kernel_h == 3 && w.kernel_w == 3 &&
           w.stride_h == 2 && w.stride_w == 2 && w.dilation_h == 1 && w.dilation_w == 1 &&
           w.pad_top == 1 && w.pad_left == 1 && (s->dim[2] + 1) / 2 == w.out_h &&
           (s->dim[3] + 1) / 2 == w.out_w;
}

const Value *stem_pool(const Group *group)
{
    for (int i = 0; i < group->members.n; i++)
        if (group->members.at[i]->op == OP_max_pool2d && group->members.at[i] != group->anchor)
            return group->members.at[i];
    return NULL;
}

ToomCook toom_cook_of(const Group *group, const Target *target)
{
    enum { ROWS = 8, POOLED = 7 };
    const Value *v = group->anchor, *pool = stem_pool(group);
    Window w = window_of(v);
    ToomCook g = {.b = bilinear_shared(TOOM_COOK_TILE, (int)w.kernel_w, (int)w.stride_w),
                  .kernel_h = w.kernel_h, .stride = w.stride_w};
    int64_t outputs = v->type.shape.dim[1];
    g.group = g.stride * v->args[1]->type.shape.dim[1];
    g.width = target_panel_of(target, outputs);
    g.panels = (outputs + g.width - 1) / g.width;
    g.tiles = (w.out_w + TOOM_COOK_TILE - 1) / TOOM_COOK_TILE;
    g.pooled = pool ? divisor_below(pool->type.shape.dim[2], POOLED) : 0;
    g.rows = pool ? 2 * g.pooled + 1 : divisor_below(w.out_h, ROWS);
    g.input_rows = (g.rows - 1) * g.stride + g.kernel_h;
    g.v_point = g.tiles * TOOM_COOK_LANES;
    g.v_row = g.b.points * g.v_point;
    g.m_point = g.tiles * g.width + target->lanes;
    g.v_count = g.input_rows * g.v_row;
    g.m_count = g.b.points * g.m_point;
    g.y_row = (w.out_w + 2) * g.width;
    g.y_count = pool ? 3 * g.y_row : 0;
    return g;
}
