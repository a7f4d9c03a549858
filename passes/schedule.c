/* schedule: the algorithm of each convolution.
 *
 *   %2 = conv2d %x, %w pad=[1,1,1,1]   ->   %2 = conv2d .. by winograd(4)
 *
 * A candidate's time is estimated from its multiplications and the bytes of weights
 * that it streams; the target's balance (multiply-adds in the time of a byte)
 * weighs one against the other. The choice depends on the network, the target and
 * the options only; where these bring measured choices (a tuning file), those come
 * first.
 *
 * needs: grouped   makes: scheduled   breaks: nothing */
#include "passes/schedule.h"
#include "passes/graph_passes.h"
#include "passes/toom_cook.h"
#include "passes/winograd.h"
#include <string.h>

/* In multiply-adds. */
static double direct_cost(const Value *conv, double balance)
{
    double weights = 4.0 * (double)shape_count(&conv->args[1]->type.shape);
    return (double)value_macs(conv) + weights * balance;
}

/* Bytes that pass through the second-level cache: sums that wait between parts of
 * the input channels, the weights for each row of tiles or the inputs for each
 * panel, and weights transformed online, written and read. */
static double cache_bytes(const Winograd *g, double tiles)
{
    enum { PART = 128 };
    double parts = (double)g->inputs / (double)(g->online ? g->part : PART);
    double bytes = 8 * tiles * (double)(g->points * g->outputs) * (parts < 1 ? 1 : parts);
    bytes += g->by_panels ? 4 * tiles * (double)(g->points * g->inputs * g->panels)
                          : 4 * (double)(g->points * g->inputs * g->outputs * g->tiles_h);
    return g->online ? bytes + 8 * (double)(g->points * g->inputs * g->outputs) : bytes;
}

static double winograd_cost(const Value *conv, Schedule schedule, const Target *target,
                            double balance)
{
    Winograd g = winograd_of(conv, schedule, target);
    double tiles = (double)(conv->type.shape.dim[0] * g.tiles_h * g.tiles_w);
    double pairs = (double)(g.inputs * g.outputs);
    double products = tiles * (double)g.points * pairs;
    double elements = g.online ? g.b.taps * g.b.taps : (double)g.points;
    /* The transforms' additions run at half the rate of the products and wait for
     * memory: counted fourfold; those of weights stay in registers: twofold. */
    double side = g.b.inputs, points = g.b.points, outputs = g.b.outputs;
    double in = (double)g.inputs * points * (side + points);
    double out = (double)g.outputs * outputs * (points + outputs);
    double cost = products + 4 * elements * pairs * balance + 4 * tiles * (in + out);
    cost += cache_bytes(&g, tiles);
    return g.online ? cost + 2 * pairs * points * (points + g.b.taps) : cost;
}

bool schedule_allowed(const Graph *graph, const Value *conv, Schedule schedule,
                      const Target *target)
{
    if (schedule.algorithm == ALGORITHM_direct)
        return schedule.tile == 0;
    if (graph->options.plain || conv->args[0]->type.shape.dim[0] != 1)
        return false;
    if (schedule.algorithm == ALGORITHM_toom_cook)
        return schedule.tile == TOOM_COOK_TILE && conv_suits_toom_cook(conv, target);
    if (schedule.tile < 2 || schedule.tile > BILINEAR_MOST || !conv_suits_winograd(conv, target))
        return false;
    /* Online, a task is a panel: one panel is one task, for one thread. */
    if (schedule.algorithm == ALGORITHM_winograd_online)
        return winograd_of(conv, schedule, target).panels > 1;
    return !graph->options.small;
}

static Schedule choose(const Graph *graph, const Value *conv, const Target *target,
                       double balance)
{
    Schedule best = {.algorithm = ALGORITHM_direct};
    Schedule stem = {ALGORITHM_toom_cook, TOOM_COOK_TILE};
    if (schedule_allowed(graph, conv, stem, target))
        return stem;
    double least = direct_cost(conv, balance);
    /* Online, the weights pass through the second-level cache twice more: dearer
     * than the memory they save, unless memory is what is short. */
    Algorithm algorithm = graph->options.small ? ALGORITHM_winograd_online : ALGORITHM_winograd;
    for (int tile = 2; tile <= BILINEAR_MOST; tile++) {
        Schedule schedule = {algorithm, tile};
        if (!schedule_allowed(graph, conv, schedule, target))
            continue;
        double cost = winograd_cost(conv, schedule, target, balance);
        if (cost < least) {
            least = cost;
            best = schedule;
        }
    }
    return best;
}

/* The measured choice for a layer, if there is one that it can be computed by. */
static const Schedule *tuned_for(const Graph *graph, const Value *conv, const Target *target)
{
    Tuning *tuning = graph->options.tuning;
    for (int i = 0; tuning && conv->label && i < tuning->layers.n; i++) {
        Tuned *t = &tuning->layers.at[i];
        if (strcmp(t->label, conv->label) == 0 &&
            schedule_allowed(graph, conv, t->schedule, target)) {
            t->used = true;
            return &t->schedule;
        }
    }
    return NULL;
}

/* Weights are read once in a run: they stay in the last-level cache from one run to
 * the next, or they never do. */
static double balance_of(const Graph *graph, const Target *target)
{
    int64_t bytes = 0;
    FOR_VALUES(v, graph)
        if (op_info[v->op].class == CLASS_conv)
            bytes += type_bytes(&v->args[1]->type);
    return bytes > target->llc_bytes ? target->far_balance : target->balance;
}

double schedule_cost(const Graph *graph, const Value *conv, Schedule schedule,
                     const Target *target)
{
    double balance = balance_of(graph, target);
    switch (schedule.algorithm) {
    case ALGORITHM_direct: return direct_cost(conv, balance);
    case ALGORITHM_winograd:
    case ALGORITHM_winograd_online: return winograd_cost(conv, schedule, target, balance);
    case ALGORITHM_toom_cook:
    case ALGORITHM_COUNT: break;
    }
    return 0;
}

/* Levels that share their weights take the newest's choice, where they can. */
static Schedule choose_shared(const Graph *graph, const Value *conv, const Target *target)
{
    if (target->newest) {
        const Target *newest = target->newest;
        Schedule schedule = choose(graph, conv, newest, balance_of(graph, newest));
        if (schedule_allowed(graph, conv, schedule, target))
            return schedule;
    }
    return choose(graph, conv, target, balance_of(graph, target));
}

void pass_schedule(Graph *graph, const Target *target)
{
    FOR_VALUES(v, graph) {
        if (v->group < 0 || op_info[v->op].class != CLASS_conv)
            continue;
        const Schedule *tuned = tuned_for(graph, v, target);
        v->schedule = tuned ? *tuned : choose_shared(graph, v, target);
    }
}
