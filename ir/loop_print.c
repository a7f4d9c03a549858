/* Programs as text: loops, what lies in named registers, elements as offsets.
 *
 *   for k_3 < 16 {
 *     let f32x16 b_4 = w[k_3*16 .. 16]      16 elements from offset 16 k
 *     acc_1 = fma(splat(x[k_3] to f32x16), b_4, acc_1)
 *     y[k_3*16 .. 16] = max(acc_1, 0)
 *   }
 *
 *   sums[0 by 64] = product 24x64x128 x[0 by 128] * w[0 by 128 transposed]
 *
 * Numbers of i32 end in i; a shuffle lists the lanes it takes behind a semicolon.
 * The same program prints the same text: names come from the builder. */
#include "ir/loop.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void print_index(const Index *index, Text *out)
{
    bool first = true;
    for (int i = 0; i < index->n; i++) {
        const Term *t = &index->term[i];
        if (!first)
            text_add(out, " + ");
        text_add(out, t->var->name);
        if (t->factor != 1) {
            text_add(out, "*");
            text_integer(out, t->factor);
        }
        first = false;
    }
    if (first || index->base) {
        text_add(out, first ? "" : " + ");
        text_integer(out, index->base);
    }
}

static void print_ltype(LType type, Text *out)
{
    text_add(out, dtype_info[type.dtype].name);
    if (type.lanes > 1) {
        text_add(out, "x");
        text_integer(out, type.lanes);
    }
}

/* The shortest digits that read back to the same f32. */
static void print_real(double value, Text *out)
{
    char digits[32];
    if (!isfinite(value)) {
        text_double(out, value);
        return;
    }
    for (int n = 1; n <= 9; n++) {
        snprintf(digits, sizeof digits, "%.*g", n, value);
        if (strtof(digits, NULL) == (float)value)
            break;
    }
    text_add(out, digits);
}

static void print_element(const Reg *reg, const Index *index, Text *out)
{
    text_add(out, reg->name);
    if (reg->count == 1)
        return;
    text_add(out, "[");
    print_index(index, out);
    text_add(out, "]");
}

/* name[offset] or name[offset .. lanes] */
static void print_access(const Kernel *k, int param, const Index *index, int lanes, Text *out)
{
    text_add(out, k->params.at[param].name);
    text_add(out, "[");
    print_index(index, out);
    if (lanes > 1) {
        text_add(out, " .. ");
        text_integer(out, lanes);
    }
    text_add(out, "]");
}

static void print_expr(const Kernel *kernel, const Expr *e, Text *out)
{
    switch (e->op) {
    case EX_const:
        if (e->type.dtype == DT_f32)
            print_real(e->real, out);
        else
            text_printf(out, "%lldi", (long long)e->integer);
        return;
    case EX_reg: print_element(e->reg, &e->index, out); return;
    case EX_load: print_access(kernel, e->param, &e->index, e->type.lanes, out); return;
    case EX_index:
        text_add(out, "index(");
        print_index(&e->index, out);
        text_add(out, ")");
        return;
    case EX_cast: case EX_bitcast: case EX_splat: case EX_shuffle: case EX_add:
    case EX_sub: case EX_mul: case EX_div: case EX_neg: case EX_fma: case EX_max:
    case EX_min: case EX_sqrt: case EX_abs: case EX_floor: case EX_and: case EX_or:
    case EX_xor: case EX_shl: case EX_shr: case EX_eq: case EX_ne: case EX_lt:
    case EX_le: case EX_select: case EX_exp: case EX_log: case EX_tanh: case EX_erf:
    case EX_pow: case EXPR_COUNT: break;
    }
    text_add(out, expr_info[e->op].name);
    text_add(out, "(");
    for (int i = 0; i < expr_info[e->op].args; i++) {
        text_add(out, i ? ", " : "");
        print_expr(kernel, e->arg[i], out);
    }
    if (e->op == EX_cast || e->op == EX_bitcast || e->op == EX_splat) {
        text_add(out, " to ");
        print_ltype(e->type, out);
    }
    for (int i = 0; e->op == EX_shuffle && i < e->type.lanes; i++)
        text_printf(out, "%s%d", i ? " " : "; ", e->lane[i]);
    text_add(out, ")");
}

static void print_matrix(const Kernel *k, const MatrixAt *m, Text *out)
{
    text_printf(out, "%s[", k->params.at[m->param].name);
    print_index(&m->at, out);
    text_printf(out, " by %lld%s]", (long long)m->step, m->transposed ? " transposed" : "");
}

static void print_product(const Kernel *k, const Stmt *s, Text *out)
{
    const Product *p = s->product;
    print_matrix(k, &(MatrixAt){s->param, s->index, p->step, false}, out);
    text_printf(out, " = product %lldx%lldx%lld ", (long long)p->rows, (long long)p->columns,
                (long long)p->depth);
    print_matrix(k, &p->left, out);
    text_add(out, " * ");
    print_matrix(k, &p->right, out);
}

static void print_block(const Kernel *kernel, const Block *block, int depth, Text *out);

static void print_stmt(const Kernel *k, const Stmt *s, int depth, Text *out)
{
    text_indent(out, 2 * depth);
    switch (s->kind) {
    case ST_for:
        text_printf(out, "for %s < %lld%s {\n", s->var->name, (long long)s->count,
                    s->unroll ? " unroll" : "");
        print_block(k, &s->body, depth + 1, out);
        text_indent(out, 2 * depth);
        text_add(out, "}\n");
        return;
    case ST_iload:
        text_printf(out, "index %s = ", s->var->name);
        print_access(k, s->param, &s->index, 1, out);
        text_printf(out, "  // %lld to %lld\n", (long long)s->var->min,
                    (long long)s->var->max);
        return;
    case ST_index:
        text_printf(out, "index %s = ", s->var->name);
        print_index(&s->index, out);
        break;
    case ST_let:
    case ST_var:
        text_add(out, s->kind == ST_let ? "let " : "var ");
        print_ltype(s->reg->type, out);
        text_printf(out, " %s", s->reg->name);
        if (s->reg->count > 1)
            text_printf(out, "[%d]", s->reg->count);
        text_add(out, " = ");
        print_expr(k, s->expr, out);
        break;
    case ST_set:
        print_element(s->reg, &s->index, out);
        text_add(out, " = ");
        print_expr(k, s->expr, out);
        break;
    case ST_store:
        print_access(k, s->param, &s->index, s->expr->type.lanes, out);
        text_add(out, " = ");
        print_expr(k, s->expr, out);
        break;
    case ST_product: print_product(k, s, out); break;
    case ST_if:
        text_add(out, "if ");
        print_index(&s->index, out);
        text_printf(out, " < %lld {\n", (long long)s->limit);
        print_block(k, &s->body, depth + 1, out);
        if (s->other.first) {
            text_indent(out, 2 * depth);
            text_add(out, "} else {\n");
            print_block(k, &s->other, depth + 1, out);
        }
        text_indent(out, 2 * depth);
        text_add(out, "}\n");
        return;
    case ST_prefetch:
        text_printf(out, "prefetch %s%s[", s->near == NEAR_l1 ? "l1 " : "",
                    k->params.at[s->param].name);
        print_index(&s->index, out);
        text_add(out, "]");
        break;
    case ST_comment: text_printf(out, "// %s", s->text); break;
    }
    text_add(out, "\n");
}

static void print_block(const Kernel *kernel, const Block *block, int depth, Text *out)
{
    for (const Stmt *s = block->first; s; s = s->next)
        print_stmt(kernel, s, depth, out);
}

void kernel_print(const Kernel *k, Text *out)
{
    static const char *const access[] = {"read", "write", "both"};
    text_add(out, "(");
    for (int i = 0; i < k->params.n; i++) {
        const Param *p = &k->params.at[i];
        text_printf(out, "%s%s: %s[%lld] %s align %d%s%s", i ? ", " : "", p->name,
                    dtype_info[p->dtype].name, (long long)p->extent,
                    access[p->access], p->align, p->noalias ? " noalias" : "",
                    p->per_thread ? " per_thread" : "");
    }
    text_printf(out, ") tasks %lld {\n", (long long)k->tasks);
    print_block(k, &k->body, 2, out);
    text_add(out, "  }\n");
}

static void print_arg(const Arg *arg, Text *out)
{
    static const char *const names[] = {"weights", "workspace", "input", "output",
                                        "scratch", "copy"};
    text_add(out, names[arg->buffer]);
    if (arg->buffer == BUF_input || arg->buffer == BUF_output)
        text_printf(out, " %d", arg->port);
    text_printf(out, " + %lld", (long long)arg->offset);
    if (arg->buffer == BUF_scratch)
        text_printf(out, " + %lld * thread", (long long)arg->stride);
    if (arg->buffer == BUF_copy)
        text_printf(out, " + %lld * copy", (long long)arg->stride);
}

void program_print(const Program *p, Text *out)
{
    text_add(out, "program ");
    text_quoted(out, p->name);
    text_printf(out, " target \"%s\" {\n", p->target->name);
    text_printf(out, "  weights %lld bytes, workspace %lld bytes\n",
                (long long)p->weights_bytes, (long long)p->workspace_bytes);
    for (int i = 0; i < p->kernels.n; i++) {
        if (p->kernels.at[i]->about)
            text_printf(out, "  // %s\n", p->kernels.at[i]->about);
        text_printf(out, "  kernel %s", p->kernels.at[i]->name);
        kernel_print(p->kernels.at[i], out);
    }
    for (int i = 0; i < p->steps.n; i++) {
        const Step *step = &p->steps.at[i];
        text_printf(out, "  step %d \"%s\" %s(", i, step->name, step->kernel->name);
        for (int k = 0; k < step->args.n; k++) {
            text_add(out, k ? ", " : "");
            print_arg(&step->args.at[k], out);
        }
        text_add(out, step->copied ? ") copied" : ")");
        if (step->value && step->value->span.source && step->value->span.source->text) {
            int line, column;
            span_position(step->value->span, &line, &column);
            text_printf(out, " // %s:%d", step->value->span.source->path, line);
        }
        text_add(out, "\n");
    }
    text_add(out, "}\n");
}
