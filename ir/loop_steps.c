/* Rules of steps: arguments inside their buffers, aligned as promised, writing only
 * what may be written, and apart where the kernel relies on it. */
#include "ir/loop_check.h"

typedef struct Region {
    BufferKind buffer;
    int port;
    int64_t begin, end; /* bytes; a thread's scratch as part of the workspace */
} Region;

static int64_t param_bytes(const Param *p)
{
    return p->extent * dtype_info[p->dtype].bytes;
}

static const Type *port_type(const Program *p, const Arg *arg)
{
    int port = 0;
    if (arg->buffer == BUF_output)
        return arg->port >= 0 && arg->port < p->graph->outputs.n
                   ? &p->graph->outputs.at[arg->port].value->type
                   : NULL;
    FOR_VALUES(v, p->graph)
    if (v->op == OP_input && port++ == arg->port)
        return &v->type;
    return NULL;
}

/* -1: there is no such port. */
static int64_t buffer_bytes(const Program *p, const Arg *arg)
{
    switch (arg->buffer) {
    case BUF_weights: return p->weights_bytes;
    case BUF_workspace:
    case BUF_scratch:
    case BUF_copy: return p->workspace_bytes - (p->max_threads - 1) * arg->stride;
    case BUF_input:
    case BUF_output: {
        const Type *type = port_type(p, arg);
        return type ? type_bytes(type) : -1;
    }
    }
    return -1;
}

static void complain(const Step *step, const Param *param, const char *rule, Text *errors)
{
    text_printf(errors, "step %s: %s: %s\n", step->name, rule, param->name);
}

static bool moves(const Arg *arg)
{
    return arg->buffer == BUF_scratch || arg->buffer == BUF_copy;
}

static void check_arg(const Program *p, const Step *step, int i, Text *errors)
{
    const Param *param = &step->kernel->params.at[i];
    const Arg *arg = &step->args.at[i];
    int64_t size = buffer_bytes(p, arg), end = arg->offset + param_bytes(param);
    int element = dtype_info[param->dtype].bytes;
    if (param->extent < 0 || arg->offset < 0 || end > size)
        text_printf(errors, "step %s: a parameter stays inside its buffer: %s: bytes %lld to "
                            "%lld of %lld\n",
                    step->name, param->name, (long long)arg->offset, (long long)end,
                    (long long)size);
    if (arg->offset % element || arg->offset % (param->align ? param->align : element))
        complain(step, param, "a parameter is aligned as it promises", errors);
    if (moves(arg) && arg->stride < param_bytes(param))
        complain(step, param, "threads' scratch lies apart", errors);
    bool constant = arg->buffer == BUF_weights || arg->buffer == BUF_input;
    if (constant && param->access != ACCESS_read)
        complain(step, param, "weights and inputs are only read", errors);
    if (step->copied && !moves(arg) && param->access != ACCESS_read)
        complain(step, param, "a copied step writes copies alone", errors);
    if (param->per_thread != moves(arg))
        complain(step, param, "scratch is what moves with the thread", errors);
}

static Region region_of(const Program *p, const Step *step, int i)
{
    const Arg *arg = &step->args.at[i];
    if (moves(arg))
        return (Region){BUF_workspace, 0, arg->offset,
                        arg->offset + param_bytes(&step->kernel->params.at[i]) +
                            arg->stride * (p->max_threads - 1)};
    return (Region){arg->buffer, arg->port, arg->offset,
                    arg->offset + param_bytes(&step->kernel->params.at[i])};
}

/* Two parameters may share memory when both only read, when neither is promised
 * to be alone, or when both lie in the running thread's own scratch (offsets then
 * tell them apart). */
static void check_apart(const Program *p, const Step *step, int i, int k, Text *errors)
{
    const Param *a = &step->kernel->params.at[i], *b = &step->kernel->params.at[k];
    Region x = region_of(p, step, i), y = region_of(p, step, k);
    if (a->per_thread && b->per_thread) {
        x.begin = step->args.at[i].offset, x.end = x.begin + param_bytes(a);
        y.begin = step->args.at[k].offset, y.end = y.begin + param_bytes(b);
    }
    bool shares = x.buffer == y.buffer && x.port == y.port && x.begin < y.end &&
                  y.begin < x.end;
    bool writes = a->access != ACCESS_read || b->access != ACCESS_read;
    if (shares && writes && (a->noalias || b->noalias))
        text_printf(errors, "step %s: noalias parameters lie apart: %s and %s\n", step->name,
                    a->name, b->name);
}

void step_check(const Program *p, const Step *step, Text *errors)
{
    int n = step->kernel->params.n;
    if (step->args.n != n) {
        text_printf(errors, "step %s: as many arguments as parameters: %d for %d\n",
                    step->name, step->args.n, n);
        return;
    }
    for (int i = 0; i < n; i++) {
        check_arg(p, step, i, errors);
        for (int k = 0; k < i; k++)
            check_apart(p, step, k, i, errors);
    }
}
