/* common_subexpressions: equal operators on equal arguments are one value.
 *
 *   %a = relu %x   %b = relu %x   ->   %a = relu %x
 *
 * needs: nothing   makes: nothing   breaks: nothing   leaves: nothing dead */
#include "passes/graph_passes.h"
#include <string.h>

static bool attrs_equal(const Value *a, const Value *b)
{
    for (int i = 0; i < ATTR_COUNT; i++) {
        if (!op_has(a->op, (AttrId)i))
            continue;
        const AttrInfo *info = &attr_info[i];
        const char *x = (const char *)&a->attr + info->offset;
        const char *y = (const char *)&b->attr + info->offset;
        bool same = false;
        switch (info->kind) {
        case KIND_int: same = *(const int64_t *)x == *(const int64_t *)y; break;
        case KIND_ints: {
            const Ints *p = (const Ints *)x, *q = (const Ints *)y;
            same = p->n == q->n &&
                   memcmp(p->at, q->at, sizeof *p->at * (size_t)p->n) == 0;
            break;
        }
        case KIND_real: same = *(const double *)x == *(const double *)y; break;
        case KIND_bool: same = *(const bool *)x == *(const bool *)y; break;
        case KIND_mode: same = *(const Mode *)x == *(const Mode *)y; break;
        case KIND_dtype: same = *(const DType *)x == *(const DType *)y; break;
        case KIND_name: same = false; break;
        }
        if (!same)
            return false;
    }
    return true;
}

static bool values_equal(const Value *a, const Value *b)
{
    if (a->op != b->op || a->nargs != b->nargs ||
        op_info[a->op].class == CLASS_source)
        return false;
    for (int i = 0; i < a->nargs; i++)
        if (a->args[i] != b->args[i])
            return false;
    return attrs_equal(a, b);
}

/* An equal value must use the same first argument: candidates hang on it. */
void pass_common_subexpressions(Graph *graph, const Target *target)
{
    (void)target;
    enum { BUCKETS = 1024 };
    VEC(Value *) bucket[BUCKETS];
    memset(bucket, 0, sizeof bucket);
    for (Value *v = graph->first, *next; v; v = next) {
        next = v->next;
        if (!v->nargs)
            continue;
        int hash = v->args[0]->id % BUCKETS;
        Value *same = NULL;
        for (int i = 0; i < bucket[hash].n && !same; i++)
            if (values_equal(bucket[hash].at[i], v))
                same = bucket[hash].at[i];
        if (!same) {
            VEC_PUSH(graph->arena, bucket[hash], v);
            continue;
        }
        graph_replace(graph, v, same);
        graph_remove(graph, v);
    }
}
