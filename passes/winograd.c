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

/* Note [Tiles of two sizes]: where a side does not divide into tiles, the last one is
 * smaller, or the last two: 56 = 8 * 6 + 2 * 4. Products along a side are then one for each
 * output and two for each tile, 76 and not 80. A smaller tile multiplies at the first points
 * of a larger one, with the same weights (ir/bilinear.h): at the first points of either side
 * all tiles meet, at the others the whole ones only. So there is one product of matrices for
 * each point, of fewer rows at some, and no weight more. Tiles are numbered so that those of
 * any point lie one after another:
 *
 *     right    whole down, the rest across     whole down, any across: right and main
 *     main     whole                           whole across, any down: main and bottom
 *     bottom   the rest down, whole across
 *     corner   the rest
 *
 * In a row of tiles, which is a task, they stand from left to right. Two smaller ones, where
 * there can be two, come at the end of each half of the tasks, so that two threads have as
 * much to do. */
static Side side_of(int64_t extent, const Bilinear *whole)
{
    int64_t tile = whole->outputs, tiles = (extent + tile - 1) / tile;
    int64_t missing = tiles * tile - extent;
    int64_t rests = !missing ? 0 : missing % 2 == 0 && tiles % 2 == 0 && tiles > 2 ? 2 : 1;
    Side s = {.tiles = tiles, .count = {tiles - rests, rests}};
    s.b[WHOLE] = *whole;
    if (rests)
        s.b[REST] = bilinear_of((int)(tile - missing / rests), whole->taps, whole->stride);
    s.points[REST] = s.first[WHOLE] = s.b[REST].points;
    s.points[WHOLE] = s.count[WHOLE] ? s.b[WHOLE].points - s.b[REST].points : 0;
    return s;
}

int64_t side_start(const Side *side, int64_t tile)
{
    int64_t whole = side->count[WHOLE], rest = tile > whole ? tile - whole : 0;
    return (tile - rest) * side->b[WHOLE].outputs + rest * side->b[REST].outputs;
}

int64_t side_tile_of_task(const Side *side, int64_t task)
{
    int64_t each = side->count[REST] ? side->tiles / side->count[REST] : side->tiles;
    int64_t before = side->count[REST] ? task / each : 0;
    bool rest = side->count[REST] && task % each == each - 1;
    return rest ? side->count[WHOLE] + before : task - before;
}

int side_points(const Side *side)
{
    return (int)(side->points[REST] + side->points[WHOLE]);
}

int side_kind(const Side *side, int point)
{
    return point < side->points[REST] ? REST : WHOLE;
}

Region winograd_region(const Winograd *g, int down, int across)
{
    const int64_t *rows = g->down.count, *columns = g->across.count;
    int64_t right = rows[WHOLE] * columns[REST], main = rows[WHOLE] * columns[WHOLE];
    int64_t bottom = rows[REST] * columns[WHOLE];
    const int64_t number[TILE_KINDS][TILE_KINDS] = {
        [WHOLE] = {[WHOLE] = right,       [REST] = 0},
        [REST]  = {[WHOLE] = right + main, [REST] = right + main + bottom},
    };
    Region r = {.down = down, .across = across, .rows = rows[down], .columns = columns[across],
                .number = number[down][across]};
    r.first = g->by_panels ? r.number : across == REST ? columns[WHOLE] : 0;
    return r;
}

Tiles winograd_tiles(const Winograd *g, int down, int across)
{
    if (!g->by_panels)
        return (Tiles){0, across == REST ? g->across.tiles : g->across.count[WHOLE]};
    int64_t main = winograd_region(g, WHOLE, WHOLE).number;
    int64_t bottom = winograd_region(g, REST, WHOLE).number;
    int64_t corner = winograd_region(g, REST, REST).number;
    int64_t first = across == REST ? 0 : main;
    int64_t end = down == WHOLE ? bottom : across == WHOLE ? corner : g->tiles;
    return (Tiles){first, end - first};
}

/* The smaller traffic beyond the second-level cache: a task for each row of tiles
 * reads all weights, a task for each panel reads all transformed inputs. */
static bool panels_are_better(const Winograd *g, const Target *target)
{
    if (g->panels < 2 || g->groups > 1)
        return false;
    int64_t half = target->l2_bytes / 2;
    int64_t weights = g->points * g->inputs * g->outputs * 4;
    int64_t inputs = g->down.tiles * g->across.tiles * g->points * g->inputs * 4;
    int64_t by_rows = weights > half ? weights * g->down.tiles : weights;
    int64_t by_panels = weights + (inputs > half ? inputs * (1 + g->panels) : inputs);
    return by_panels < by_rows || g->across.tiles < target->tile_rows;
}

/* Note [Inputs for each thread]: by panels every thread reads all transformed inputs. Half of
 * them, of two threads, the other has made, in its cache, and where it has read the last
 * layer's, writing these waits for it too. Online, where they are few, each makes all for
 * itself in the time that sharing them took: on Granite Rapids, two threads, 14x14 with 256
 * channels 25 and 243 us (inputs and the rest) to 25 and 225, 7x7 with 512 13 and 322 to 15
 * and 303. Of larger maps, which the other has half of, it takes longer (28x28: 31 and 180 to
 * 59 and 168). More threads have less to do each, and share. */
bool winograd_copies_inputs(const Winograd *g, int max_threads)
{
    enum { FEW = 3, FEW_TILES = 16 };
    return g->online && g->tiles <= FEW_TILES && max_threads > 1 && max_threads <= FEW;
}

bool schedule_is_winograd(Schedule s)
{
    return s.algorithm == ALGORITHM_winograd || s.algorithm == ALGORITHM_winograd_online;
}

/* The first row of points is one that most tiles have. */
int winograd_points_held(const Winograd *g, const Target *target, int first)
{
    int64_t most = target->tile_rows * target->tile_vectors, sums = 0;
    most = most < MAX_TILE_SUMS ? most : MAX_TILE_SUMS;
    int point = first, down = g->down.points[REST] ? REST : WHOLE;
    for (; point < side_points(&g->across); point++) {
        sums += winograd_tiles(g, down, side_kind(&g->across, point)).count;
        if (sums > most)
            break;
    }
    return point - first;
}

/* Parts of a row of points whose sums registers hold. Points of one remainder by the stride
 * meet the same weights, and remainders different ones: as many parts as the stride transform
 * no weight twice. 0: there would be more. */
static int row_parts(const Winograd *g, const Target *target)
{
    int parts = 0;
    for (int first = 0, count; first < side_points(&g->across); first += count, parts++) {
        count = winograd_points_held(g, target, first);
        if (!count || parts == g->b.stride)
            return 0;
    }
    return parts;
}

/* Note [Weights transformed online]: a panel takes part of the input channels after
 * another. Transformed, the weights of a part are points^2 matrices, which are used once
 * per tile and then written over: they, and the products they add to, have to stay in
 * the L1 cache, or writing and reading them costs more than the products do. So panels
 * are narrow, parts short, and the points are taken in passes of a row each; what a row
 * needs of the weights is worked out again in each pass (512 channels on 7x7 in thousand
 * cycles: 2781 so, 5326 with all points at once in the L2 cache).
 *
 * Where there are so few tiles that the sums of a row of points fit in registers, a
 * transformed weight is used as it comes, and neither it nor a sum goes through memory but
 * once in a block of channels (Granite Rapids, 512 channels on 7x7: 0.69 to 0.49 ms). A panel
 * is one vector then. */
static void plan_online(Winograd *g, const Target *target)
{
    enum { NARROW = 2, FEW = 8 };
    const Target *newest = target->newest ? target->newest : target; /* packs for all levels */
    int64_t width = newest->lanes * (row_parts(g, newest) ? 1 : NARROW);
    g->width = width < g->width ? width : g->width;
    g->v_tile = target->lanes;
    g->held = g->width == target->lanes ? row_parts(g, target) : 0;
    bool short_parts = !g->held && g->tiles < FEW && target->lanes > FEW;
    g->part = short_parts ? target->lanes / 2 : target->lanes;
}

Winograd winograd_of(const Value *v, Schedule schedule, const Target *target)
{
    Window w = window_of(v);
    int tile = schedule.tile;
    int stride = (int)w.stride_h;
    Winograd g = {.b = bilinear_of(tile, 3, stride),
                  .groups = v->attr.groups,
                  .inputs = v->args[1]->type.shape.dim[1],
                  .outputs = v->type.shape.dim[1]};
    g.v_tile = g.groups * g.inputs;
    g.points = (int64_t)g.b.points * g.b.points;
    g.width = target_panel_of(target, g.outputs / g.groups);
    g.online = schedule.algorithm == ALGORITHM_winograd_online;
    g.down = side_of(w.out_h, &g.b);
    g.across = side_of(w.out_w, &g.b);
    g.tiles = g.down.tiles * g.across.tiles;
    g.by_panels = g.online; /* else it takes the panels to tell */
    if (g.online)
        plan_online(&g, target);
    g.panels = (g.outputs + g.width - 1) / g.width;
    g.by_panels = g.online || panels_are_better(&g, target);
    g.tiles = g.by_panels ? g.tiles : g.across.tiles;
    /* One vector more, so that the points of a tile do not fall into one set of
     * the cache. */
    g.v_point = g.tiles * g.v_tile + (g.online ? 0 : target->lanes);
    g.v_block = g.points * g.v_point;
    g.m_point = g.tiles * g.width + target->lanes;
    g.v_count = g.groups * g.inputs / g.v_tile * g.v_block;
    g.m_count = g.points * g.m_point;
    g.t_count = (int64_t)g.b.points * g.b.inputs * target->lanes;
    g.u_point = g.part * g.width;
    g.u_count = g.online && !g.held ? g.b.points * g.u_point : 0;
    return g;
}
