/* Multiply-accumulates that a step executes, counted from its loops. */
#include "ir/loop.h"

static int64_t expr_macs(const Expr *e)
{
    int64_t n = 0;
    for (int i = 0; i < expr_info[e->op].args; i++)
        n += expr_macs(e->arg[i]);
    bool product_of_sum = e->op == EX_add && (e->arg[0]->op == EX_mul || e->arg[1]->op == EX_mul);
    return n + (e->op == EX_fma || product_of_sum ? e->type.lanes : 0);
}

/* Of the two branches of an if on tasks, each is weighed by its tasks. */
static double block_macs(const Block *block, int64_t tasks)
{
    double n = 0;
    for (const Stmt *s = block->first; s; s = s->next) {
        if (s->expr)
            n += (double)expr_macs(s->expr);
        if (s->kind == ST_for)
            n += (double)s->count * block_macs(&s->body, tasks);
        if (s->kind == ST_if) {
            double share = s->index.n == 1 ? (double)s->limit / (double)tasks : 1;
            n += share * block_macs(&s->body, tasks) +
                 (1 - share) * block_macs(&s->other, tasks);
        }
    }
    return n;
}

int64_t step_macs(const Step *step)
{
    const Kernel *k = step->kernel;
    return (int64_t)(block_macs(&k->body, k->tasks) * (double)k->tasks + 0.5);
}
