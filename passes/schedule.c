/* schedule: the algorithm of each convolution.
 *
 *   %2 = conv2d %x, %w pad=[1,1,1,1]   ->   %2 = conv2d .. by winograd(4)
 *
 * A candidate's time is estimated from its multiplications and the bytes of weights
 * that it streams; the target's balance (multiply-adds in the time of a byte)
 * weighs one against the other. The choice depends on the network, the target and
 * the options only.
 *
 * needs: grouped   makes: scheduled   breaks: nothing */
#include "passes/graph_passes.h"
#include "passes/winograd.h"

/* In multiply-adds. */
static double direct_cost(const Value *conv, const Target *target)
{
    double weights = 4.0 * (double)shape_count(&conv->args[1]->type.shape);
    return (double)value_macs(conv) + weights * target->balance;
}

static double winograd_cost(const Value *conv, int tile, const Target *target)
{
    Winograd g = winograd_of(conv, tile, target);
    double tiles = (double)(conv->type.shape.dim[0] * g.tiles_h * g.tiles_w);
    double products = tiles * (double)(g.points * g.inputs * g.outputs);
    double weights = 4.0 * (double)(g.points * g.inputs * g.outputs);
    /* The transforms' additions run at half the rate of the products and wait for
     * memory: counted fourfold. */
    double side = g.b.inputs, points = g.b.points, outputs = g.b.outputs;
    double in = (double)g.inputs * points * (side + points);
    double out = (double)g.outputs * outputs * (points + outputs);
    return products + weights * target->balance + 4 * tiles * (in + out);
}

static Schedule choose(const Graph *graph, const Value *conv, const Target *target)
{
    Schedule best = {.algorithm = ALGORITHM_direct};
    bool allowed = !graph->options.plain && !graph->options.small &&
                   conv->args[0]->type.shape.dim[0] == 1;
    if (!allowed || !conv_suits_winograd(conv, target))
        return best;
    double least = direct_cost(conv, target);
    for (int tile = 2; tile <= BILINEAR_MOST; tile++) {
        double cost = winograd_cost(conv, tile, target);
        if (cost < least) {
            least = cost;
            best = (Schedule){ALGORITHM_winograd, tile};
        }
    }
    return best;
}

void pass_schedule(Graph *graph, const Target *target)
{
    FOR_VALUES(v, graph)
        if (v->group >= 0 && op_info[v->op].class == CLASS_conv)
            v->schedule = choose(graph, v, target);
}
