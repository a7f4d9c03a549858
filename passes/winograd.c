/* The geometry of convolutions by Winograd's algorithm. */
#include "passes/winograd.h"
#include "passes/layout.h"
#include "passes/nest.h"

bool conv_suits_winograd(const Value *v, const Target *target)
{
    if (v->op != OP_conv2d || v->attr.groups != 1 || v->type.dtype != DT_f32 ||
        target->lanes == 1)
        return false;
    Window w = window_of(v);
    const Shape *s = &v->args[1]->type.shape;
    return w.kernel_h == 3 && w.kernel_w == 3 && w.stride_h == w.stride_w &&
           w.stride_h <= 2 && w.dilation_h == 1 && w.dilation_w == 1 &&
           s->dim[0] % target->lanes == 0 && s->dim[1] % target->lanes == 0;
}

static int64_t tiles_along(int64_t extent, int tile)
{
    return (extent + tile - 1) / tile;
}

/* The smaller traffic beyond the second-level cache: a task for each row of tiles
 * reads all weights, a task for each panel reads all transformed inputs. */
static bool panels_are_better(const Winograd *g, const Target *target)
{
    if (g->panels < 2)
        return false;
    int64_t half = target->l2_bytes / 2;
    int64_t weights = g->points * g->inputs * g->outputs * 4;
    int64_t inputs = g->tiles_h * g->tiles_w * g->points * g->inputs * 4;
    int64_t by_rows = weights > half ? weights * g->tiles_h : weights;
    int64_t by_panels = weights + (inputs > half ? inputs * (1 + g->panels) : inputs);
    return by_panels < by_rows || g->tiles_w < target->tile_rows;
}

bool schedule_is_winograd(Schedule s)
{
    return s.algorithm == ALGORITHM_winograd || s.algorithm == ALGORITHM_winograd_online;
}

Winograd winograd_of(const Value *v, Schedule schedule, const Target *target)
{
    enum { PART = 32 };
    Window w = window_of(v);
    int tile = schedule.tile;
    Winograd g = {.b = bilinear_of(tile, 3, (int)w.stride_h),
                  .inputs = v->args[1]->type.shape.dim[1],
                  .outputs = v->type.shape.dim[1],
                  .tiles_h = tiles_along(w.out_h, tile),
                  .tiles_w = tiles_along(w.out_w, tile)};
    g.points = (int64_t)g.b.points * g.b.points;
    int64_t width = target_panel(target);
    g.width = g.outputs < width ? g.outputs : width;
    g.panels = (g.outputs + g.width - 1) / g.width;
    g.online = schedule.algorithm == ALGORITHM_winograd_online;
    g.by_panels = g.online || panels_are_better(&g, target);
    g.tiles = g.by_panels ? g.tiles_h * g.tiles_w : g.tiles_w;
    g.v_tile = g.inputs;
    /* One vector more, so that the points of a tile do not fall into one set of
     * the cache. */
    g.v_point = g.tiles * g.inputs + target->lanes;
    g.m_point = g.tiles * g.width + target->lanes;
    g.v_count = g.points * g.v_point;
    g.m_count = g.points * g.m_point;
    g.t_count = (int64_t)g.b.points * g.b.inputs * target->lanes;
    g.part = divisor_below(g.inputs, PART);
    g.u_point = g.part * g.width + target->lanes;
    g.u_count = g.online ? g.points * g.u_point : 0;
    return g;
}
