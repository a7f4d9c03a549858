/* The axes of a contraction's computed inputs: how reshapes and joints cut them. */
#include "passes/inputs.h"
#include <string.h>

bool group_has_inputs(const Group *group)
{
    return group->members.n > 0 && group->members.at[0] != group->anchor;
}

bool group_is_input(const Group *group, const Value *member)
{
    for (int i = 0; i < group->members.n; i++) {
        if (group->members.at[i] == group->anchor)
            return false;
        if (group->members.at[i] == member)
            return true;
    }
    return false;
}

/* ---- cutting ----------------------------------------------------------- */

static bool cut_at(InputPart *part, int i, int64_t inner)
{
    if (part->extent[i] == inner)
        return true;
    if (part->extent[i] % inner != 0 || part->n == MAX_CUTS)
        return false;
    memmove(&part->extent[i + 1], &part->extent[i], sizeof *part->extent * (size_t)(part->n - i));
    part->n++;
    part->extent[i] /= inner;
    part->extent[i + 1] = inner;
    return true;
}

/* Cuts the axes so that each dimension of the shape is a run of whole ones. */
static bool cut_for(InputPart *part, const Shape *shape)
{
    int i = part->n - 1;
    for (int d = shape->rank - 1; d >= 0; d--) {
        int64_t need = shape->dim[d];
        while (need > 1) {
            if (i < 0)
                return false;
            int64_t extent = part->extent[i], inner = extent < need ? extent : need;
            if (need % inner != 0 || !cut_at(part, i, inner))
                return false;
            if (extent == inner) {
                i--;
            } /* else what is left of the axis stays at i */
            need /= inner;
        }
    }
    return i < 0;
}

/* ---- runs -------------------------------------------------------------- */

enum { NO_RUN = -1 };

/* Axes from `at` on for a dimension of `extent`. */
static Run run_from(const InputPart *part, int *at, int64_t extent, int64_t start)
{
    Run run = {.begin = *at, .start = start};
    int64_t got = 1;
    for (; got < extent && *at < part->n; (*at)++)
        got *= part->extent[*at];
    run.end = got == extent ? *at : NO_RUN;
    return run;
}

void input_runs(const Group *group, const InputPart *part, Run *runs)
{
    const Value *x = group->anchor->args[0];
    int at = 0;
    for (int d = 0; d < x->type.shape.rank; d++) {
        bool channels = d == 1 && part->joint;
        int64_t extent =
            channels ? part->joint->args[part->part]->type.shape.dim[1] : x->type.shape.dim[d];
        runs[d] = run_from(part, &at, extent, channels ? part->start : 0);
    }
}

/* A reshape that keeps the first two dimensions keeps their runs: above a joint those
 * are one part's. The axes of the others are dealt out anew. */
static void reshaped_runs(const InputPart *part, const Value *v, const Run *runs, Run *out)
{
    const Shape *from = &v->args[0]->type.shape, *to = &v->type.shape;
    int at = part->n, first = 0;
    for (int d = 0; d < to->rank; d++)
        if (runs[d].end > runs[d].begin && runs[d].begin < at)
            at = runs[d].begin;
    if (to->rank > 1 && from->rank > 1 && from->dim[1] == to->dim[1])
        for (; first < 2; first++) {
            out[first] = runs[first];
            at = runs[first].end > at ? runs[first].end : at;
        }
    for (int d = first; d < from->rank; d++)
        out[d] = run_from(part, &at, from->dim[d], 0);
}

void argument_runs(const InputPart *part, const Value *member, const Run *runs, int argument,
                   Run *out)
{
    const Shape *x = &member->args[argument]->type.shape;
    if (member->op == OP_reshape) {
        reshaped_runs(part, member, runs, out);
        return;
    }
    for (int d = 0; d < x->rank; d++) {
        out[d] = x->dim[d] == 1 ? (Run){0} : runs[d + member->type.shape.rank - x->rank];
        if (member->op == OP_concat && d == 1)
            out[d].start = 0;
    }
}

/* ---- the parts --------------------------------------------------------- */

/* Cuts the axes for a value; above the joint its channels are the part's. */
static bool cut_value(InputPart *part, const Value *v, bool above)
{
    Shape shape = v->type.shape;
    if (!above || !part->joint)
        return cut_for(part, &shape);
    if (shape.rank < 2 || shape.dim[1] != part->joint->type.shape.dim[1])
        return false;
    shape.dim[1] = part->joint->args[part->part]->type.shape.dim[1];
    return cut_for(part, &shape);
}

static bool cut_members(const Group *group, const Value *v, bool above, InputPart *part)
{
    if (!cut_value(part, v, above))
        return false;
    if (!group_is_input(group, v))
        return true;
    if (v->op == OP_concat)
        return cut_members(group, v->args[part->part], false, part);
    int64_t n = shape_count(&v->type.shape);
    for (int i = 0; i < v->nargs; i++)
        if (shape_count(&v->args[i]->type.shape) == n &&
            !cut_members(group, v->args[i], above, part))
            return false;
    return true;
}

/* Every dimension of every member and argument is a run of whole axes. */
static bool runs_fit(const Group *group, const InputPart *part, const Value *v, const Run *runs)
{
    for (int d = 0; d < v->type.shape.rank; d++)
        if (runs[d].end == NO_RUN)
            return false;
    if (!group_is_input(group, v))
        return true;
    for (int i = 0; i < v->nargs; i++) {
        Run own[MAX_RANK];
        if (v->op == OP_concat && i != part->part)
            continue;
        argument_runs(part, v, runs, i, own);
        if (!runs_fit(group, part, v->args[i], own))
            return false;
    }
    return true;
}

static const Value *joint_of(const Group *group)
{
    const Value *joint = NULL;
    for (int i = 0; i < group->members.n && group->members.at[i] != group->anchor; i++)
        if (group->members.at[i]->op == OP_concat)
            joint = group->members.at[i];
    return joint;
}

static bool describe_part(const Group *group, InputPart *part)
{
    const Value *x = group->anchor->args[0];
    Run runs[MAX_RANK] = {0};
    for (int d = 0; d < x->type.shape.rank; d++) {
        int64_t extent = x->type.shape.dim[d];
        if (d == 1 && part->joint)
            extent = part->joint->args[part->part]->type.shape.dim[1];
        if (extent > 1)
            part->extent[part->n++] = extent;
    }
    for (int i = 0; part->joint && i < part->part; i++)
        part->start += part->joint->args[i]->type.shape.dim[1];
    if (!cut_members(group, x, true, part))
        return false;
    input_runs(group, part, runs);
    return runs_fit(group, part, x, runs) && runs[1].end < part->n;
}

/* Pixels are visited once for all parts. */
static bool same_pixels(const Group *group, const InputPart *a, const InputPart *b)
{
    Run runs_a[MAX_RANK] = {0}, runs_b[MAX_RANK] = {0};
    input_runs(group, a, runs_a);
    input_runs(group, b, runs_b);
    int n = a->n - runs_a[1].end;
    return n == b->n - runs_b[1].end && memcmp(&a->extent[runs_a[1].end], &b->extent[runs_b[1].end],
                                               sizeof *a->extent * (size_t)n) == 0;
}

int inputs_describe(const Group *group, InputPart *parts)
{
    const Value *x = group->anchor->args[0], *joint = joint_of(group);
    int n = joint ? joint->nargs : 1;
    if (n > MAX_PARTS || x->type.shape.dim[0] != 1 || (joint && joint->attr.axis != 1))
        return 0;
    for (int i = 0; i < n; i++) {
        parts[i] = (InputPart){.joint = joint, .part = i};
        if (!describe_part(group, &parts[i]) || !same_pixels(group, parts, &parts[i]))
            return 0;
    }
    return n;
}

/* ---- sizes ------------------------------------------------------------- */

/* So many that their channels stay in the first-level cache, but enough to use each
 * weight that is read several times. */
int64_t inputs_pixels(const Group *group)
{
    enum { ELEMENTS = 12288, FEWEST = 8, MOST = 32 };
    InputPart parts[MAX_PARTS] = {{.n = 0}};
    inputs_describe(group, parts);
    int64_t row = parts[0].extent[parts[0].n - 1];
    int64_t most = ELEMENTS / group->anchor->args[0]->type.shape.dim[1];
    most = most < FEWEST ? FEWEST : most > MOST ? MOST : most;
    for (int64_t pixels = row < most ? row : most; pixels > 1; pixels--)
        if (row % pixels == 0)
            return pixels;
    return 1;
}
