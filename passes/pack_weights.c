/* pack_weights: the layout in which kernels read each weight.
 *
 *   conv2d %x, %w        %w layout panels(64)        (ir/pack.h)
 *   depthwise conv2d     %w layout 2301: [kh][kw][channel]
 *
 *   conv2d .. by strassen(1)   by strassen(1), and %w layout strassen(64); direct, as from
 *                              blas, where pixels turn out unevenly spaced in memory
 *
 * A weight with two readers of different mind is stored twice.
 *
 * needs: grouped laid_out   makes: packed   breaks: nothing   leaves: nothing */
#include "passes/graph_passes.h"
#include "passes/blas.h"
#include "passes/strassen.h"
#include "passes/winograd.h"
#include <string.h>

static Layout layout_for(const Value *conv, const Target *target)
{
    Layout layout = layout_rows(conv->args[1]->type.shape.rank);
    if (conv_is_depthwise(conv)) {
        int rank = conv->args[1]->type.shape.rank, n = 0;
        for (int d = 2; d < rank; d++)
            layout.order[n++] = (signed char)d;
        layout.order[n++] = 0;
        layout.order[n] = 1;
        return layout;
    }
    if (conv->schedule.algorithm == ALGORITHM_blas)
        return layout;
    int64_t groups = conv->op == OP_linear ? 1 : conv->attr.groups;
    int64_t outputs = conv->args[1]->type.shape.dim[0] / groups;
    int64_t rows = shape_count(&conv->type.shape) / (outputs * groups);
    layout.kind = LAYOUT_panels;
    layout.groups = (int)groups;
    if (conv->schedule.algorithm == ALGORITHM_winograd ||
        conv->schedule.algorithm == ALGORITHM_toom_cook) {
        bool square = conv->schedule.algorithm == ALGORITHM_winograd;
        layout.kind = square ? LAYOUT_winograd : LAYOUT_toom_cook;
        layout.tile = conv->schedule.tile;
        layout.stride = (int)conv->attr.stride.at[0];
    }
    if (conv->schedule.algorithm == ALGORITHM_strassen) {
        layout.kind = LAYOUT_strassen;
        outputs /= 2;
    }
    layout.panel = (int)target_panel_few(target, rows, outputs);
    if (layout.kind == LAYOUT_winograd || layout.kind == LAYOUT_toom_cook)
        layout.panel = (int)target_panel_of(target, outputs);
    if (conv->schedule.algorithm == ALGORITHM_winograd_online) {
        layout.kind = LAYOUT_windows;
        layout.panel = (int)winograd_of(conv, conv->schedule, target).width;
    }
    return layout;
}

static bool layout_equal(const Layout *a, const Layout *b)
{
    return a->kind == b->kind && a->panel == b->panel && a->groups == b->groups && a->tile == b->tile && a->stride == b->stride &&
           memcmp(a->order, b->order, sizeof a->order) == 0;
}

static Value *clone_weight(Graph *graph, Value *weight)
{
    Tensor data = {.type = weight->type,
                   .data = weight->data ? weight->data->data : NULL};
    if (weight->data)
        data.type = weight->data->type;
    Value *copy = graph_constant(graph, weight, weight, &data);
    copy->type = weight->type;
    copy->data = weight->data;
    copy->unknown = weight->unknown;
    copy->attr.value = weight->attr.value;
    memcpy(copy->place.stride, weight->place.stride, sizeof copy->place.stride);
    return copy;
}

/* Is it read by anything that does not want this layout? */
static bool is_shared(const Graph *graph, const Value *weight, const Layout *layout,
                      const Target *target)
{
    FOR_VALUES(v, graph)
        for (int i = 0; i < v->nargs; i++) {
            if (v->args[i] != weight)
                continue;
            bool weighs = op_info[v->op].class == CLASS_conv && i == 1;
            Layout other = weighs ? layout_for(v, target) : layout_rows(0);
            if (!weighs || !layout_equal(&other, layout))
                return true;
        }
    return false;
}

/* Where views leave pixels unevenly spaced, halves of them have no tiles and a library no
 * matrix. */
static void settle_schedules(Graph *graph)
{
    FOR_VALUES(v, graph) {
        bool halves = v->schedule.algorithm == ALGORITHM_strassen;
        bool called = v->schedule.algorithm == ALGORITHM_blas;
        if ((halves && !rows_are_even(graph, v)) || (called && !blas_reaches(graph, v)))
            v->schedule = (Schedule){.algorithm = ALGORITHM_direct};
    }
}

void pass_pack_weights(Graph *graph, const Target *target)
{
    settle_schedules(graph);
    FOR_VALUES(v, graph) {
        if (op_info[v->op].class != CLASS_conv)
            continue;
        Value *weight = v->args[1];
        if (op_info[weight->op].class != CLASS_source)
            bug("pack_weights: the weight of a convolution is computed");
        Layout layout = layout_for(v, target);
        if (is_shared(graph, weight, &layout, target)) {
            weight = clone_weight(graph, weight);
            value_set_arg(v, 1, weight);
        }
        weight->layout = layout;
    }
}
