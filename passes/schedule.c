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
#include "passes/blas.h"
#include "passes/graph_passes.h"
#include "passes/strassen.h"
#include "passes/toom_cook.h"
#include "passes/winograd.h"
#include <string.h>

/* Note [Costs of convolutions]: in multiply-adds of a direct convolution, whose weights
 * come in while others are multiplied. The factors are fitted to 130 measured layers (64
 * to 512 channels, 7x7 to 56x56, strides 1 and 2, all tiles, both forms) on a machine
 * where expanded weights wait for memory; on one where less so, 200 more (of 16 and 32
 * groups too) want 6 to 11 for a term of a transform, the first 17: it stands between. So
 * do the balances of AVX-512: the first machine's memory wants 5, another's 1.2. On an AVX2
 * machine 700 times of ResNet-18 and -50, one thread and two, want .64 to .72, 1.2 to 1.3,
 * 10 to 12, a balance of 1.8 to 2.1, and 2.4 to 3.3 for weights online.
 *
 * Those of held sums count operations: 121 products and 73 of transforms for each pair of
 * channels on 7x7 take 0.49 ms with 512 on Granite Rapids, by these factors 0.46.
 *
 *   product    ahead     .66   wide panels of expanded weights
 *              online   1.28   narrow ones, sums in and out of registers more often
 *              held     1.1    sums stay in registers
 *   transform           12     each term of one: a multiply-add on one operand, and the
 *                              way of the result through the second-level cache
 *   weight     ahead     balance, each byte: expanded weights wait for memory
 *              online    1.3, each element transformed; with 16 vector registers, where
 *                        that goes through memory, 2.8
 *              held      2.2
 *   tile       1.5 balance, each byte that the second-level cache does not hold: by panels
 *              of transformed inputs and products, which every panel reads; by rows of the
 *              weights, which every row of tiles reads
 *
 * Direct convolutions of groups that are one vector wide load as often as they multiply, and
 * read half of a line of each pixel: 1.8 times the time of wide ones with 4 and 8 channels a
 * group on Zen 3 (1.0 with 16). Wider vectors are not measured so.
 *
 * Larger tiles round more: of two that cost about the same the smaller is taken. */
static const double direct_narrow = 1.75, product_ahead = .66, product_online = 1.28,
                    product_held = 1.1, transform_term = 12, spilled = 1.5, step_of_tile = .005;

static double weight_online(const Winograd *g, const Target *target)
{
    if (g->held)
        return 2.2;
    return target_has_few_registers(target) ? 2.8 : 1.3;
}

/* Its weights come in while others multiply. */
static double direct_cost(const Value *conv, const Target *target)
{
    int64_t groups = op_info[conv->op].class == CLASS_conv ? conv->attr.groups : 1;
    bool narrow = groups > 1 && conv->type.shape.dim[1] / groups <= target->lanes &&
                  target_has_few_registers(target);
    return (narrow ? direct_narrow : 1) * (double)value_macs(conv);
}

/* Of all tiles along a side, in sum. */
typedef struct Along {
    double inputs, points, outputs;
} Along;

static Along along(const Side *side)
{
    Along sum = {0};
    for (int kind = 0; kind < TILE_KINDS; kind++) {
        const Bilinear *b = &side->b[kind];
        double count = (double)side->count[kind];
        sum.inputs += count * b->inputs;
        sum.points += count * b->points;
        sum.outputs += count * b->outputs;
    }
    return sum;
}

/* What the second-level cache does not hold, `points` being those of all tiles: of a panel
 * its inputs and products; of the weights for all rows of tiles but the first. */
static double spilled_bytes(const Winograd *g, double points, const Target *target)
{
    double panel = points * (double)(g->groups * g->inputs + g->width);
    double weights = (double)(g->points * g->inputs * g->outputs);
    double bytes = 4 * (g->by_panels ? panel : weights) - target->l2_bytes;
    double times = g->by_panels ? 1 : (double)(g->down.tiles - 1);
    return bytes > 0 ? bytes * times : 0;
}

static double winograd_cost(const Value *conv, Schedule schedule, const Target *target,
                            double balance)
{
    Winograd g = winograd_of(conv, schedule, target);
    double images = (double)conv->type.shape.dim[0];
    double weights = (double)(g.points * g.inputs * g.outputs);
    Along down = along(&g.down), across = along(&g.across);
    double points = down.points * across.points;
    double products = images * points * (double)(g.inputs * g.outputs);
    double in = (double)(g.groups * g.inputs) * down.points * (across.inputs + across.points);
    double out = (double)g.outputs * down.outputs * (across.points + across.outputs);
    double cost = transform_term * images * (in + out);
    double product = !g.online ? product_ahead : g.held ? product_held : product_online;
    cost += product * products;
    cost += weights * (g.online ? weight_online(&g, target) : 4 * balance);
    cost += spilled * balance * spilled_bytes(&g, points, target);
    return cost * (1 + step_of_tile * (schedule.tile - 2));
}

/* An eighth of the products less; each input is read once more and its sums written and
 * read, products wait, and each byte of combined weights more than there were comes in
 * while others multiply. Fitted to the 1x1 layers of ResNet-50 on 56x56 to 14x14. */
static const double strassen_input = 5, strassen_output = 7, strassen_byte = 1;
static const int64_t strassen_least = 1 << 24; /* smaller gain no time worth their code */

static double strassen_cost(const Value *conv, const Target *target)
{
    Strassen g = strassen_of(conv, target, 1); /* of the halves alone */
    double in = 2 * (double)(2 * g.rows * g.inputs), out = 2 * (double)(2 * g.rows * g.outputs);
    double more = 4 * 3 * (double)(g.inputs * g.outputs);
    double cost = 7. / 8 * (double)value_macs(conv) + strassen_input * in +
                  strassen_output * out + strassen_byte * more;
    return cost * (1 + step_of_tile);
}

/* In multiply-adds of a wide direct convolution. */
static double cost_of(const Value *conv, Schedule schedule, const Target *target,
                      double balance)
{
    switch (schedule.algorithm) {
    case ALGORITHM_direct: return direct_cost(conv, target);
    case ALGORITHM_winograd:
    case ALGORITHM_winograd_online: return winograd_cost(conv, schedule, target, balance);
    case ALGORITHM_strassen: return strassen_cost(conv, target);
    case ALGORITHM_blas:
    case ALGORITHM_toom_cook:
    case ALGORITHM_COUNT: break;
    }
    return 0;
}

bool schedule_allowed(const Graph *graph, const Value *conv, Schedule schedule,
                      const Target *target)
{
    if (schedule.algorithm == ALGORITHM_direct)
        return schedule.tile == 0;
    if (graph->options.plain)
        return false;
    if (schedule.algorithm == ALGORITHM_blas)
        return schedule.tile == 0 && graph->options.blas && value_suits_blas(conv);
    if (op_info[conv->op].class != CLASS_conv)
        return false;
    if (schedule.algorithm == ALGORITHM_strassen)
        return schedule.tile == STRASSEN_LEVELS && !graph->options.small &&
               conv_suits_strassen(conv, target);
    if (conv->args[0]->type.shape.dim[0] != 1)
        return false;
    if (schedule.algorithm == ALGORITHM_toom_cook)
        return schedule.tile == TOOM_COOK_TILE && conv_suits_toom_cook(conv, target);
    if (schedule.tile < 2 || schedule.tile > BILINEAR_MOST || !conv_suits_winograd(conv, target))
        return false;
    /* Online, a task is a panel: one panel is one task, for one thread. */
    if (schedule.algorithm == ALGORITHM_winograd_online)
        return conv->attr.groups == 1 && winograd_of(conv, schedule, target).panels > 1;
    return !graph->options.small;
}

static Schedule choose(const Graph *graph, const Value *conv, const Target *target,
                       double balance)
{
    Schedule best = {.algorithm = ALGORITHM_direct};
    Schedule stem = {ALGORITHM_toom_cook, TOOM_COOK_TILE};
    if (schedule_allowed(graph, conv, stem, target))
        return stem;
    Schedule library = {.algorithm = ALGORITHM_blas}; /* its speed is unknown */
    if (schedule_allowed(graph, conv, library, target))
        return library;
    double least = cost_of(conv, best, target, balance);
    static const Algorithm algorithms[] = {ALGORITHM_strassen, ALGORITHM_winograd,
                                           ALGORITHM_winograd_online};
    for (int tile = STRASSEN_LEVELS; tile <= BILINEAR_MOST; tile++)
        for (int i = 0; i < 3; i++) {
            Schedule schedule = {algorithms[i], tile};
            bool small = schedule.algorithm == ALGORITHM_strassen &&
                         value_macs(conv) < strassen_least;
            if (small || !schedule_allowed(graph, conv, schedule, target))
                continue;
            double cost = cost_of(conv, schedule, target, balance);
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
    return cost_of(conv, schedule, target, balance_of(graph, target));
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
        if (v->group < 0 || (op_info[v->op].class != CLASS_conv && v->op != OP_matmul))
            continue;
        const Schedule *tuned = tuned_for(graph, v, target);
        v->schedule = tuned ? *tuned : choose_shared(graph, v, target);
    }
}
