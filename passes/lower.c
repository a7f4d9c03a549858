/* lower: Graph -> Program. One step for each group, in topological order.
 *
 *   group 3 {conv2d, relu}   ->   step "layer1.0.conv1 conv2d+relu" kernel(x, w, ..)
 *
 * needs: weights_bound grouped laid_out packed placed   makes: lowered
 * breaks: nothing   leaves: loops marked unroll, transcendental functions */
#include "passes/attention.h"
#include "passes/inputs.h"
#include "passes/lower.h"
#include <string.h>

/* ---- sections: weights and tables -------------------------------------- */

static int section_add(Lower *l, Section section)
{
    Program *p = l->program;
    section.offset = (p->weights_bytes + 63) & ~(int64_t)63;
    p->weights_bytes = section.offset + section.count * dtype_info[section.dtype].bytes;
    VEC_PUSH(l->arena, p->sections, section);
    return p->sections.n - 1;
}

static int section_find(const Lower *l, const Section *s)
{
    for (int i = 0; i < l->program->sections.n; i++) {
        const Section *t = &l->program->sections.at[i];
        if (!t->weight && t->dtype == s->dtype && t->count == s->count &&
            memcmp(t->data, s->data,
                   (size_t)(s->count * dtype_info[s->dtype].bytes)) == 0)
            return i;
    }
    return -1;
}

static int operand_section(Lower *l, int section, const char *name)
{
    const Section *s = &l->program->sections.at[section];
    if (l->operands == MAX_OPERANDS)
        bug("a group with more than %d operands", MAX_OPERANDS);
    l->operand[l->operands] = (Operand){.section = section};
    kernel_param(l->arena, l->kernel,
                 (Param){.name = arena_printf(l->arena, "%s%d", name, l->operands),
                         .dtype = s->dtype, .extent = s->count,
                         .access = ACCESS_read, .noalias = true, .align = 64});
    return l->operands++;
}

int lower_table(Lower *l, const char *name, const int32_t *data, int64_t n)
{
    Section s = {.data = data, .dtype = DT_i32, .count = n, .name = name,
                 .min = INT32_MAX, .max = INT32_MIN};
    for (int64_t i = 0; i < n; i++) {
        s.min = data[i] < s.min ? data[i] : s.min;
        s.max = data[i] > s.max ? data[i] : s.max;
    }
    int found = section_find(l, &s);
    return operand_section(l, found >= 0 ? found : section_add(l, s), name);
}

int lower_reals(Lower *l, const char *name, const float *data, int64_t n)
{
    Section s = {.data = data, .dtype = DT_f32, .count = n, .name = name};
    int found = section_find(l, &s);
    return operand_section(l, found >= 0 ? found : section_add(l, s), name);
}

/* ---- operands ---------------------------------------------------------- */

int lower_operand(Lower *l, const Value *value, bool used_anywhere)
{
    for (int i = 1; i < l->operands; i++)
        if (l->operand[i].value == value &&
            l->operand[i].used_anywhere == used_anywhere)
            return i;
    return lower_operand_alone(l, value, used_anywhere);
}

int lower_operand_alone(Lower *l, const Value *value, bool used_anywhere)
{
    if (l->operands == MAX_OPERANDS)
        bug("a group with more than %d operands", MAX_OPERANDS);
    l->operand[l->operands] = (Operand){.value = value, .section = -1,
                                        .used_anywhere = used_anywhere};
    DType dtype = value->type.dtype;
    kernel_param(l->arena, l->kernel,
                 (Param){.name = arena_printf(l->arena, "x%d", l->operands),
                         .dtype = dtype == DT_f16 || dtype == DT_bf16 ? DT_f32 : dtype,
                         .access = ACCESS_read});
    return l->operands++;
}

static bool in_group(const Lower *l, const Value *value)
{
    return value->group >= 0 && &l->graph->groups.at[value->group] == l->group;
}

static int temporary_operand(Lower *l, Param param, Arg arg)
{
    if (l->operands == MAX_OPERANDS)
        bug("a group with more than %d operands", MAX_OPERANDS);
    param.dtype = DT_f32;
    param.noalias = true;
    param.align = 64;
    l->operand[l->operands] = (Operand){.section = -1, .is_temporary = true, .arg = arg};
    kernel_param(l->arena, l->kernel, param);
    return l->operands++;
}

/* f32 elements of each thread's place, from a byte on. */
static int moving_operand(Lower *l, BufferKind buffer, const char *name, int64_t offset,
                          int64_t count, Access access)
{
    const Temporary *t = &l->group->temp;
    if (offset + count * 4 > t->per_thread)
        bug("scratch %s is not planned", name);
    return temporary_operand(
        l, (Param){.name = name, .extent = count, .access = access, .per_thread = true},
        (Arg){buffer, 0, t->offset + t->shared + offset, t->per_thread});
}

int lower_scratch(Lower *l, const char *name, int64_t offset, int64_t count)
{
    return moving_operand(l, BUF_scratch, name, offset, count, ACCESS_both);
}

int lower_copied(Lower *l, const char *name, int64_t offset, int64_t count, Access access)
{
    return moving_operand(l, BUF_copy, name, offset, count, access);
}

int lower_shared(Lower *l, const char *name, int64_t offset, int64_t count, Access access)
{
    const Temporary *t = &l->group->temp;
    if (offset + count * 4 > t->shared)
        bug("temporary %s is not planned", name);
    return temporary_operand(l, (Param){.name = name, .extent = count, .access = access},
                             (Arg){BUF_workspace, 0, t->offset + offset, 0});
}

void lower_begin(Lower *l, const char *what)
{
    l->result = l->group->members.at[l->group->members.n - 1];
    l->kernel = kernel_new(l->arena, what, 1);
    l->kernel->task->max = INT32_MAX; /* until lower_tasks: else its index were known, as 0 */
    l->b = build_begin(l->arena, l->kernel);
    l->operands = 0;
}

void lower_open(Lower *l, const char *what)
{
    const Group *group = l->group;
    lower_begin(l, what);
    l->operands = 1;
    l->operand[0] = (Operand){.value = l->result, .section = -1};
    kernel_param(l->arena, l->kernel,
                 (Param){.name = "y", .dtype = l->result->type.dtype,
                         .access = ACCESS_write});
    for (int i = 0; i < group->members.n; i++) {
        const Value *v = group->members.at[i];
        bool scalar_only = !op_is_elementwise(v->op) || group_is_input(group, v);
        for (int k = 0; k < v->nargs && !scalar_only; k++) {
            const Value *arg = v->args[k];
            bool inlined = arg->op == OP_constant && shape_count(&arg->type.shape) == 1;
            if (!in_group(l, arg) && !inlined)
                lower_operand(l, arg, false);
        }
    }
}

void operand_steps(const Lower *l, int operand, int64_t *step)
{
    const Value *v = l->operand[operand].value;
    int rank = l->result->type.shape.rank;
    for (int d = 0; d < rank; d++) {
        int s = v && !l->operand[operand].used_anywhere
                    ? d - (rank - v->type.shape.rank)
                    : -1;
        step[d] = s >= 0 && v->type.shape.dim[s] != 1 ? v->place.stride[s] : 0;
    }
}

Nest nest_of_result(const Lower *l)
{
    Nest nest = {.operands = l->operands, .n = l->result->type.shape.rank};
    for (int d = 0; d < nest.n; d++)
        nest.axis[d].extent = l->result->type.shape.dim[d];
    for (int i = 0; i < l->operands; i++) {
        int64_t step[MAX_RANK];
        operand_steps(l, i, step);
        for (int d = 0; d < nest.n; d++)
            nest.axis[d].step[i] = step[d];
    }
    return nest;
}

At at_origin(const Lower *l, int lanes, const Axis *vector)
{
    (void)l;
    return (At){.lanes = lanes, .vector = vector};
}

Index lower_tasks(Lower *l, int64_t tasks)
{
    l->kernel->tasks = tasks;
    l->kernel->task->max = tasks - 1;
    return index_var(l->kernel->task);
}

/* Every run stores the zeros anew: the storage is shared with other values. */
void store_pad_pixel(Lower *l)
{
    const Value *v = l->result;
    if (!v->layout.pad_pixel)
        return;
    int64_t n = shape_count(&v->type.shape);
    int64_t row = storage_count(v) - n;
    build_if_less(&l->b, index_var(l->kernel->task), 1);
    Piece pieces[MAX_PIECES];
    int count = pieces_cut(row, l->target->lanes, pieces);
    for (int i = 0; i < count; i++) {
        const IVar *var = build_for(&l->b, "z", pieces[i].count, false);
        Index at = index_plus(index_mul(index_var(var), pieces[i].lanes),
                              n + pieces[i].start);
        build_store(&l->b, 0, at, expr_real(l->arena, 0, pieces[i].lanes));
        build_end(&l->b);
    }
    build_end(&l->b);
}

/* ---- closing a step ---------------------------------------------------- */

static Arg value_arg(Lower *l, const Value *value)
{
    const Place *place = &value->place;
    switch (place->home) {
    case HOME_workspace: return (Arg){BUF_workspace, 0, place->offset, 0};
    case HOME_input: return (Arg){BUF_input, place->port, place->offset, 0};
    case HOME_output: return (Arg){BUF_output, place->port, place->offset, 0};
    case HOME_weights: return (Arg){BUF_weights, 0, place->offset, 0};
    case HOME_none: break;
    }
    Text text = text_new(l->arena);
    value_print(value, (PrintStyle){0}, &text);
    bug("operand without a place: %s", text_str(&text));
}

/* Elements reachable from element 0 of a value through its strides. */
static int64_t value_extent(const Value *value)
{
    if (value->place.home == HOME_weights || !value_is_view(value))
        return value->place.bytes / dtype_info[value->type.dtype == DT_f16 ||
                                                       value->type.dtype == DT_bf16
                                                   ? DT_f32
                                                   : value->type.dtype].bytes;
    int64_t last = 0;
    for (int d = 0; d < value->type.shape.rank; d++)
        last += (value->type.shape.dim[d] - 1) * value->place.stride[d];
    Value *root = value->view;
    int64_t bytes = dtype_info[value->type.dtype].bytes;
    if (root && root->layout.pad_pixel && root->place.home == value->place.home)
        return root->place.bytes / bytes -
               (value->place.offset - root->place.offset) / bytes;
    return last + 1;
}

static bool overlap(const Lower *l, int i, const Arg *a, const Arg *b)
{
    if (a->buffer != b->buffer || a->port != b->port)
        return false;
    const Param *p = l->kernel->params.at, *q = &p[i];
    int64_t a_end = a->offset + p->extent * dtype_info[p->dtype].bytes;
    int64_t b_end = b->offset + q->extent * dtype_info[q->dtype].bytes;
    return a->offset < b_end && b->offset < a_end;
}

/* A step before the last of its group tells so. */
static const char *step_name(Lower *l, bool unfinished)
{
    Text text = text_new(l->arena);
    const Value *anchor = l->group->anchor;
    if (anchor->label)
        text_printf(&text, "%s ", anchor->label);
    for (int i = 0; i < l->group->members.n; i++)
        text_printf(&text, "%s%s", i ? "+" : "", op_info[l->group->members.at[i]->op].name);
    text_add(&text, unfinished ? " (inputs)" : "");
    return text_str(&text);
}

static const char *kernel_about(Lower *l)
{
    Text text = text_new(l->arena);
    for (int i = 0; i < l->group->members.n; i++)
        text_printf(&text, "%s%s", i ? "+" : "", op_info[l->group->members.at[i]->op].name);
    for (int i = 1; i < l->operands; i++)
        if (l->operand[i].value) {
            text_add(&text, i > 1 ? ", " : " ");
            text_type(&text, &l->operand[i].value->type);
        }
    text_add(&text, " -> ");
    text_type(&text, &l->result->type);
    return text_str(&text);
}

/* Two kernels are one when their text is the same but for the name. */
static Kernel *kernel_share(Lower *l, Kernel *kernel)
{
    l->text.n = 0;
    kernel_print(kernel, &l->text);
    for (int i = 0; i < l->program->kernels.n; i++)
        if (strcmp(l->program->kernels.at[i]->text, text_str(&l->text)) == 0)
            return l->program->kernels.at[i];
    kernel->text = arena_strdup(l->arena, text_str(&l->text));
    kernel->index = l->program->kernels.n;
    kernel->name = arena_printf(l->arena, "k%d_%s", kernel->index, kernel->name);
    VEC_PUSH(l->arena, l->program->kernels, kernel);
    return kernel;
}

static Arg operand_arg(Lower *l, int i)
{
    const Operand *o = &l->operand[i];
    Param *p = &l->kernel->params.at[i];
    if (o->is_temporary)
        return o->arg;
    if (!o->value)
        return (Arg){BUF_weights, 0, l->program->sections.at[o->section].offset, 0};
    Arg arg = value_arg(l, o->value);
    bool ours = arg.buffer != BUF_input && arg.buffer != BUF_output;
    p->extent = value_extent(o->value);
    p->align = ours && arg.offset % 64 == 0 ? 64 : dtype_info[p->dtype].bytes;
    return arg;
}

/* Parameter 0 is what the step writes; only the result can lie where an operand
 * does. */
static void settle_aliasing(Lower *l, const Step *step)
{
    bool alone = true;
    for (int i = 1; i < l->operands; i++) {
        bool shares = overlap(l, i, &step->args.at[0], &step->args.at[i]);
        l->kernel->params.at[i].noalias = !shares;
        if (shares && l->operand[i].used_anywhere)
            bug("%s: the result overwrites an operand", step->name);
        alone = alone && !shares;
    }
    l->kernel->params.at[0].noalias = alone;
}

void lower_close(Lower *l)
{
    bool unfinished = l->operand[0].value != l->result;
    Step step = {.value = l->result, .name = step_name(l, unfinished),
                 .unfinished = unfinished};
    for (int i = 0; i < l->operands; i++)
        VEC_PUSH(l->arena, step.args, operand_arg(l, i));
    for (int i = 0; i < l->operands; i++) /* what writes copies makes them all */
        step.copied = step.copied || (step.args.at[i].buffer == BUF_copy &&
                                      l->kernel->params.at[i].access != ACCESS_read);
    settle_aliasing(l, &step);
    l->kernel->about = kernel_about(l);
    step.kernel = kernel_share(l, l->kernel);
    VEC_PUSH(l->arena, l->program->steps, step);
}

/* ---- the walk ---------------------------------------------------------- */

typedef void LowerFn(Lower *l);

static LowerFn *const lower_fn[OP_COUNT] = {
    [OP_conv2d] = lower_contraction, [OP_conv1d] = lower_contraction,
    [OP_linear] = lower_contraction, [OP_matmul] = lower_contraction,
    [OP_vecdot] = lower_dot,         [OP_unfold] = lower_map,
    [OP_max_pool2d] = lower_window,  [OP_avg_pool2d] = lower_window,
    [OP_reduce_sum] = lower_reduce,  [OP_reduce_mean] = lower_reduce,
    [OP_reduce_max] = lower_reduce,  [OP_reduce_min] = lower_reduce,
    [OP_argmax] = lower_argmax,      [OP_one_hot] = lower_one_hot,
    [OP_concat] = lower_concat,      [OP_pad] = lower_pad,
    [OP_resize] = lower_resize,      [OP_slice] = lower_map,
    [OP_reshape] = lower_map,        [OP_transpose] = lower_map,
    [OP_broadcast] = lower_map,
};

static void lower_group(Lower *l, const Group *group)
{
    const Value *anchor = group->anchor;
    Attention attention;
    l->group = group;
    if (attention_of(group, &attention))
        lower_attention(l);
    else if (op_is_elementwise(anchor->op))
        lower_map(l);
    else if (group_has_inputs(group))
        lower_with_inputs(l);
    else if (conv_is_depthwise(anchor))
        lower_window(l);
    else if (anchor->schedule.algorithm == ALGORITHM_toom_cook)
        lower_toom_cook(l);
    else if (anchor->schedule.algorithm == ALGORITHM_blas)
        lower_blas(l);
    else if (anchor->schedule.algorithm == ALGORITHM_strassen)
        lower_strassen(l);
    else if (anchor->schedule.algorithm != ALGORITHM_direct)
        lower_winograd(l);
    else if (lower_fn[anchor->op])
        lower_fn[anchor->op](l);
    else
        bug("lower: no rule for %s", op_info[anchor->op].name);
}

/* Weights and constants keep the offsets that plan_memory gave them; tables are
 * added behind. */
static void add_weight_sections(Lower *l)
{
    FOR_VALUES(v, l->graph) {
        if (v->place.home != HOME_weights || value_is_view(v))
            continue;
        Section s = {.weight = v, .dtype = v->type.dtype, .offset = v->place.offset,
                     .count = v->place.bytes / dtype_info[v->type.dtype].bytes,
                     .name = v->attr.name ? v->attr.name : v->label};
        if (s.dtype == DT_f16 || s.dtype == DT_bf16) {
            s.dtype = DT_f32;
            s.count = v->place.bytes / 4;
        }
        VEC_PUSH(l->arena, l->program->sections, s);
        int64_t end = v->place.offset + v->place.bytes;
        if (end > l->program->weights_bytes)
            l->program->weights_bytes = end;
    }
}

Program *lower(Graph *graph, const Target *target)
{
    Arena *arena = graph->arena;
    Program *program = NEW(arena, Program, 1);
    *program = (Program){.arena = arena, .name = graph->name, .target = target,
                         .graph = graph, .workspace_bytes = graph->workspace_bytes,
                         .max_threads = graph->options.max_threads};
    Lower l = {.arena = arena, .graph = graph, .target = target, .program = program,
               .text = text_new(arena)};
    add_weight_sections(&l);
    FOR_VALUES(v, graph) {
        if (v->group < 0)
            continue;
        const Group *group = &graph->groups.at[v->group];
        if (group->members.at[group->members.n - 1] == v)
            lower_group(&l, group);
    }
    return program;
}
