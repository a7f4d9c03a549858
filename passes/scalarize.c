/* scalarize: every element of a register array gets a name of its own.
 *
 *   var f32x16 acc_0[2] = 0              var f32x16 acc_0_0 = 0
 *   acc_0[1] = fma(a, b, acc_0[1])  ->   var f32x16 acc_0_1 = 0
 *                                        acc_0_1 = fma(a, b, acc_0_1)
 *
 * needs: unrolled   makes: nothing   breaks: nothing   leaves: nothing */
#include "passes/program_passes.h"
#include "passes/rewrite.h"
#include "support/ptrmap.h"

typedef struct Scalarize {
    Arena *arena;
    PtrMap elements; /* arrays: Reg of each element */
} Scalarize;

static const Reg *element(const Scalarize *s, const Reg *array, const Index *index)
{
    const PtrEntry *entry = ptrmap_find(&s->elements, array);
    if (!entry || index->n || index->base < 0 || index->base >= array->count)
        bug("scalarize: %s is not indexed by a constant in its range", array->name);
    const Reg *elements = entry->to;
    return &elements[index->base];
}

static const Expr *name_element(void *context, const Expr *e)
{
    Scalarize *s = context;
    if (e->op != EX_reg || e->reg->count == 1)
        return e;
    return expr_reg(s->arena, element(s, e->reg, &e->index), index_const(0));
}

static void make_elements(Scalarize *s, const Stmt *var, Block *out)
{
    const Reg *array = var->reg;
    Reg *elements = NEW(s->arena, Reg, array->count);
    for (int i = 0; i < array->count; i++) {
        elements[i] = *array;
        elements[i].name = arena_printf(s->arena, "%s_%d", array->name, i);
        elements[i].count = 1;
        Stmt *one = NEW(s->arena, Stmt, 1);
        *one = *var;
        one->reg = &elements[i];
        block_append(out, one);
    }
    ptrmap_entry(&s->elements, array)->to = elements;
}

/* Declarations before uses, as they stand in the text. */
static void scalarize_block(Scalarize *s, Block *block)
{
    Block out = {0};
    for (Stmt *at = block->first, *next; at; at = next) {
        next = at->next;
        if (at->expr)
            at->expr = expr_rewrite(s->arena, at->expr, name_element, s);
        scalarize_block(s, &at->body);
        scalarize_block(s, &at->other);
        if (at->kind == ST_var && at->reg->count > 1) {
            make_elements(s, at, &out);
            continue;
        }
        if (at->kind == ST_set && at->reg->count > 1) {
            at->reg = element(s, at->reg, &at->index);
            at->index = index_const(0);
        }
        block_append(&out, at);
    }
    *block = out;
}

void pass_scalarize(Program *program)
{
    for (int i = 0; i < program->kernels.n; i++) {
        Scalarize s = {.arena = program->arena, .elements = ptrmap_new(program->arena)};
        scalarize_block(&s, &program->kernels.at[i]->body);
    }
}
