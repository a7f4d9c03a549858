/* How much workspace the steps of a group need for themselves. */
#include "passes/temporary.h"
#include "passes/attention.h"
#include "passes/blas.h"
#include "passes/contraction.h"
#include "passes/inputs.h"
#include "passes/strassen.h"
#include "passes/toom_cook.h"
#include "passes/winograd.h"

int64_t temporary_align(int64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static Temporary winograd_temporary(const Value *conv, const Target *target, int max_threads)
{
    Winograd g = winograd_of(conv, conv->schedule, target);
    int64_t v = temporary_align(g.v_count * 4);
    int64_t own = temporary_align(g.m_count * 4) + temporary_align(g.t_count * 4) +
                  temporary_align(g.u_count * 4);
    bool shared = g.by_panels && !winograd_copies_inputs(&g, max_threads);
    return shared ? (Temporary){.shared = v, .per_thread = own}
                  : (Temporary){.per_thread = v + own};
}

static Temporary toom_cook_temporary(const Group *group, const Target *target)
{
    ToomCook g = toom_cook_of(group, target);
    return (Temporary){.per_thread = temporary_align(g.v_count * 4) +
                                     temporary_align(g.m_count * 4) +
                                     temporary_align(g.y_count * 4)};
}

static Temporary strassen_temporary(const Value *conv, const Target *target, int max_threads)
{
    Strassen g = strassen_of(conv, target, max_threads);
    return (Temporary){.per_thread = temporary_align(g.s_count * 4) +
                                     temporary_align(g.m_count * 4)};
}

/* Sums of a block of rows, between stretches of a long reduction. */
static Temporary contraction_temporary(const Value *v, const Target *target)
{
    const Value *weight = v->args[1];
    if (weight->layout.kind != LAYOUT_panels)
        return (Temporary){0};
    const Shape *s = &weight->type.shape;
    int64_t taps = shape_count(s) / (s->dim[0] * s->dim[1]);
    int64_t outputs = v->op == OP_linear ? v->type.shape.dim[v->type.shape.rank - 1]
                                         : v->type.shape.dim[1];
    int64_t rows = shape_count(&v->type.shape) / outputs;
    int64_t tiles = rows < 2 * target->tile_rows ? 2 : rows / target->tile_rows;
    if (!contraction_stretch(target, taps, s->dim[1], weight->layout.panel, tiles))
        return (Temporary){0};
    rows = rows < SUMS_ROWS ? rows : SUMS_ROWS;
    return (Temporary){.per_thread = temporary_align(rows * weight->layout.panel * 4)};
}

Temporary group_temporary(const Group *group, const Target *target, int max_threads)
{
    if (group->anchor->schedule.algorithm == ALGORITHM_toom_cook)
        return toom_cook_temporary(group, target);
    if (group->anchor->schedule.algorithm == ALGORITHM_blas)
        return (Temporary){.per_thread = temporary_align(blas_scratch(group->anchor) * 4)};
    if (group->anchor->schedule.algorithm == ALGORITHM_strassen)
        return strassen_temporary(group->anchor, target, max_threads);
    if (schedule_is_winograd(group->anchor->schedule))
        return winograd_temporary(group->anchor, target, max_threads);
    Attention attention;
    if (attention_of(group, &attention))
        return attention_temporary(&attention);
    if (op_info[group->anchor->op].class != CLASS_conv)
        return (Temporary){0};
    Temporary t = contraction_temporary(group->anchor, target);
    if (group_has_inputs(group))
        t.per_thread += temporary_align(inputs_pixels(group) * 4 *
                                        group->anchor->args[0]->type.shape.dim[1]);
    return t;
}
