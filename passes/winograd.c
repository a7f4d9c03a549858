/* The geometry of convolutions by Winograd's algorithm. */
#include "passes/winograd.h"
#include "passes/layout.h"
#include "passes/nest.h"

bool conv_suits_winograd(const Value *v, const Target *target)
{
    if (v->op != OP_conv2d || v->type.dtype != DT_f32 || target->lanes == 1)
        return false;
    Window w = window_of(v);
    const Shape *s = &v->args[1]->type.shape;
    int64_t outputs = s->dim[0] / v->attr.groups;
    if (v->attr.groups > 1 && outputs > target_panel(target))
        return false;
    return w.kernel_h == 3 && w.kernel_w == 3 && w.stride_h == w.stride_w &&
           w.stride_h <= 2 && w.dilation_h == 1 && w.dilation_w == 1 &&
           outputs % target->lanes == 0 && s->dim[1] % target->lanes == 0;
}

static int64_t tiles_along(int64_t extent, int tile)
{
    return (extent + tile - 1) / tile;
}

/* The smaller traffic beyond the second-level cache: a task for each row of tiles
 * reads all weights, a task for each panel reads all transformed inputs. */
static bool panels_are_better(const Winograd *g, const Target *target)
{
    if (g->panels < 2 || g->groups > 1)
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

/* Note [Weights transformed online]: a panel takes part of the input channels after
 * another. Transformed, the weights of a part are points^2 matrices, which are used once
 * per tile and then written over: they, and the products they add to, have to stay in
 * the L1 cache, or writing and reading them costs more than the products do. So panels
 * are narrow, parts short, and the points are taken in passes of a row each; what a row
 * needs of the weights is worked out again in each pass (512 channels on 7x7 in thousand
 * cycles: 2781 so, 5326 with all points at once in the L2 cache). */
static void plan_online(Winograd *g, const Target *target)
{
    enum { NARROW = 2, FEW = 8 };
    const Target *newest = target->newest ? target->newest : target; /* packs for all levels */
    int64_t width = newest->lanes * NARROW;
    g->width = width < g->width ? width : g->width;
    g->v_tile = target->lanes;
    g->part = g->tiles < FEW && target->lanes > FEW ? target->lanes / 2 : target->lanes;
}

Winograd winograd_of(const Value *v, Schedule schedule, const Target *target)
{
    Window w = window_of(v);
    int tile = schedule.tile;
    Winograd g = {.b = bilinear_of(tile, 3, (int)w.stride_h),
                  .groups = v->attr.groups,
                  .inputs = v->args[1]->type.shape.dim[1],
                  .outputs = v->type.shape.dim[1],
                  .tiles_h = tiles_along(w.out_h, tile),
                  .tiles_w = tiles_along(w.out_w, tile)};
    g.v_tile = g.groups * g.inputs;
    g.points = (int64_t)g.b.points * g.b.points;
    int64_t width = target_panel(target);
    int64_t outputs = g.outputs / g.groups;
    g.width = outputs < width ? outputs : width;
    g.online = schedule.algorithm == ALGORITHM_winograd_online;
    g.tiles = g.tiles_h * g.tiles_w;
    if (g.online)
        plan_online(&g, target);
    g.panels = (g.outputs + g.width - 1) / g.width;
    g.by_panels = g.online || panels_are_better(&g, target);
    g.tiles = g.by_panels ? g.tiles : g.tiles_w;
    /* One vector more, so that the points of a tile do not fall into one set of
     * the cache. */
    g.v_point = g.tiles * g.v_tile + (g.online ? 0 : target->lanes);
    g.v_block = g.points * g.v_point;
    g.m_point = g.tiles * g.width + target->lanes;
    g.v_count = g.groups * g.inputs / g.v_tile * g.v_block;
    g.m_count = g.points * g.m_point;
    g.t_count = (int64_t)g.b.points * g.b.inputs * target->lanes;
    g.u_point = g.part * g.width;
    g.u_count = g.online ? g.b.points * g.u_point : 0;
    return g;
}
