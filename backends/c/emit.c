/* Program -> NAME.c: a function for each kernel, a task for each step, run. */
#include "backends/c/emit.h"
#include <string.h>

/* ---- statements -------------------------------------------------------- */

static void block(const Kernel *k, const Block *b, int depth, Text *out);

static void store(const Kernel *k, const Stmt *s, Text *out)
{
    const Param *p = &k->params.at[s->param];
    if (s->expr->type.lanes == 1) {
        text_printf(out, "%s[", p->name);
        c_index(&s->index, out);
        text_add(out, "] = ");
    } else {
        text_printf(out, "store_%c%d(%s + (", p->dtype == DT_f32 ? 'f' : 'i',
                    s->expr->type.lanes, p->name);
        c_index(&s->index, out);
        text_add(out, "), ");
    }
    c_expr(k, s->expr, out);
    text_add(out, s->expr->type.lanes == 1 ? ";\n" : ");\n");
}

static void matrix(const Kernel *k, const MatrixAt *m, Text *out)
{
    text_printf(out, "%s + (", k->params.at[m->param].name);
    c_index(&m->at, out);
    text_printf(out, "), %lld", (long long)m->step);
}

/* Of cblas.h: 101 rows are dense, 111 as it lies, 112 transposed. */
static void product(const Kernel *k, const Stmt *s, Text *out)
{
    const Product *p = s->product;
    text_printf(out, "cblas_sgemm(101, %d, %d, %lld, %lld, %lld, 1.0f, ",
                p->left.transposed ? 112 : 111, p->right.transposed ? 112 : 111,
                (long long)p->rows, (long long)p->columns, (long long)p->depth);
    matrix(k, &p->left, out);
    text_add(out, ", ");
    matrix(k, &p->right, out);
    text_add(out, ", 0.0f, ");
    matrix(k, &(MatrixAt){s->param, s->index, p->step, false}, out);
    text_add(out, ");\n");
}

/* A vector loaded for two or three multiply-adds of its block: gcc would rather read it again
 * for each than keep it (prelude.c). For more it keeps it, if there are registers. */
static bool is_held(const Stmt *let)
{
    enum { FEW = 3 };
    int uses = 0;
    if (let->expr->op != EX_load || let->reg->type.lanes == 1 || let->reg->type.dtype != DT_f32)
        return false;
    for (const Stmt *s = let->next; s && uses <= FEW; s = s->next)
        if (s->kind == ST_set && s->expr->op == EX_fma)
            uses += s->expr->arg[1]->op == EX_reg && s->expr->arg[1]->reg == let->reg;
    return uses > 1 && uses <= FEW;
}

/* The value of a let or a var. */
static void initial(const Kernel *k, const Stmt *s, Text *out)
{
    bool held = s->kind == ST_let && is_held(s);
    if (held)
        text_printf(out, "held_f%d(", s->reg->type.lanes);
    c_expr(k, s->expr, out);
    text_add(out, held ? ");\n" : ";\n");
}

static void statement(const Kernel *k, const Stmt *s, int depth, Text *out)
{
    text_indent(out, 4 * depth);
    switch (s->kind) {
    case ST_for:
        text_printf(out, "for (int64_t %s = 0; %s < %lld; %s++) {\n", s->var->name,
                    s->var->name, (long long)s->count, s->var->name);
        block(k, &s->body, depth + 1, out);
        text_indent(out, 4 * depth);
        text_add(out, "}\n");
        return;
    case ST_iload:
        text_printf(out, "const int64_t %s = %s[", s->var->name, k->params.at[s->param].name);
        c_index(&s->index, out);
        text_add(out, "];\n");
        return;
    case ST_index:
        text_printf(out, "const int64_t %s = ", s->var->name);
        c_index(&s->index, out);
        text_add(out, ";\n");
        return;
    case ST_let:
    case ST_var:
        text_add(out, s->kind == ST_let ? "const " : "");
        c_type(s->reg->type, out);
        text_printf(out, " %s = ", s->reg->name);
        initial(k, s, out);
        return;
    case ST_set:
        text_printf(out, "%s = ", s->reg->name);
        c_expr(k, s->expr, out);
        text_add(out, ";\n");
        return;
    case ST_store: store(k, s, out); return;
    case ST_product: product(k, s, out); return;
    case ST_if:
        text_add(out, "if (");
        c_index(&s->index, out);
        text_printf(out, " < %lld) {\n", (long long)s->limit);
        block(k, &s->body, depth + 1, out);
        text_indent(out, 4 * depth);
        text_add(out, "}");
        if (s->other.first) {
            text_add(out, " else {\n");
            block(k, &s->other, depth + 1, out);
            text_indent(out, 4 * depth);
            text_add(out, "}");
        }
        text_add(out, "\n");
        return;
    case ST_prefetch:
        text_printf(out, "%s((uintptr_t)%s + %d * (uintptr_t)(",
                    s->near == NEAR_l1 ? "prefetch_l1" : "prefetch", k->params.at[s->param].name,
                    dtype_info[k->params.at[s->param].dtype].bytes);
        c_index(&s->index, out);
        text_add(out, "));\n");
        return;
    case ST_comment: text_printf(out, "/* %s */\n", s->text); return;
    }
}

static void block(const Kernel *k, const Block *b, int depth, Text *out)
{
    for (const Stmt *s = b->first; s; s = s->next)
        statement(k, s, depth, out);
}

/* ---- lines of the model ------------------------------------------------ */

/* Text whose every line belongs to the step's place in the model. */
static void placed(const Abi *abi, const Step *step, Text *text, Text *out)
{
    const Span span = step && step->value ? step->value->span : (Span){0};
    int line, column;
    if (!abi->lines || !span.source || !span.source->text) {
        text_add(out, text_str(text));
        return;
    }
    span_position(span, &line, &column);
    for (const char *at = text_str(text), *end; *at; at = end) {
        end = at + strcspn(at, "\n");
        end += *end == '\n';
        text_printf(out, "#line %d ", line);
        text_quoted(out, span.source->path);
        text_add(out, "\n");
        text_addn(out, at, (size_t)(end - at));
    }
}

/* for (..; k < 72; ..) {   ->   for (..; k < 72; ..) { // at most 72 times */
static void bound_loops(Text *text)
{
    Text out = text_new(text->arena);
    for (const char *at = text_str(text), *end; *at; at = end) {
        end = strchr(at, '\n') + 1;
        bool loop = strncmp(at + strspn(at, " "), "for (", 5) == 0;
        const char *less = loop ? strstr(at, " < ") : NULL;
        text_addn(&out, at, (size_t)(end - at) - 1);
        if (less)
            text_printf(&out, " /* loop bound: %.*s */", (int)strspn(less + 3, "0123456789"),
                        less + 3);
        text_add(&out, "\n");
    }
    *text = out;
}

/* ---- kernels ----------------------------------------------------------- */

static void kernel(const Kernel *k, Text *out)
{
    text_printf(out, "/* %s\n * %lld tasks */\nstatic KERNEL void %s(", k->about, (long long)k->tasks,
                k->name);
    for (int i = 0; i < k->params.n; i++) {
        const Param *p = &k->params.at[i];
        text_printf(out, "%s%s*%s%s, ", p->access == ACCESS_read ? "const " : "",
                    arena_printf(out->arena, "%s ", dtype_info[p->dtype].c_type),
                    p->noalias ? "restrict " : "", p->name);
    }
    text_add(out, "int64_t task)\n{\n");
    for (int i = 0; i < k->params.n; i++)
        text_printf(out, "    (void)%s;\n", k->params.at[i].name);
    text_add(out, "    (void)task;\n");
    block(k, &k->body, 1, out);
    text_add(out, "}\n\n");
}

/* ---- steps ------------------------------------------------------------- */

static void argument(const Param *p, const Arg *arg, Text *out)
{
    const char *c_type_name = dtype_info[p->dtype].c_type;
    bool reads = p->access == ACCESS_read;
    text_printf(out, "(%s%s *)(", reads ? "const " : "", c_type_name);
    switch (arg->buffer) {
    case BUF_weights: text_add(out, "c->weights"); break;
    case BUF_workspace: text_add(out, "c->workspace"); break;
    case BUF_input: text_printf(out, "(const unsigned char *)c->inputs[%d]", arg->port); break;
    case BUF_output: text_printf(out, "(unsigned char *)c->outputs[%d]", arg->port); break;
    case BUF_scratch:
        text_printf(out, "c->workspace + %lld * (int64_t)thread", (long long)arg->stride);
        break;
    case BUF_copy:
        text_printf(out, "c->workspace + %lld * (int64_t)copy", (long long)arg->stride);
        break;
    }
    text_printf(out, " + %lld)", (long long)arg->offset);
}

static void place(const Abi *abi, const Step *step, Text *out)
{
    const Value *v = step->value;
    text_printf(out, "/* %s", step->name);
    if (v && v->span.source && v->span.source->text) {
        int line, column;
        span_position(v->span, &line, &column);
        text_printf(out, "  %s:%d", v->span.source->path + abi->folder, line);
    }
    text_add(out, " */\n");
}

/* Which copy a task has: that of the thread whose part it is (vtc_abi.h, VtcExecutor); of a
 * copied step also which of its tasks it is. */
static void step_copy(const Step *step, Text *out)
{
    long long tasks = (long long)step->kernel->tasks;
    if (step->copied)
        text_printf(out, "    int copy = task / %lld;\n    task %%= %lld;\n", tasks, tasks);
    else if (step_has_copy(step))
        text_printf(out, "    int copy = (int)((((int64_t)task + 1) * c->copies - 1) / %lld);\n",
                    tasks);
}

static void step_task(const Abi *abi, const Step *step, int i, Text *out)
{
    place(abi, step, out);
    text_printf(out, "static STEP void %s(void *context, int task, int thread)\n{\n"
                     "    const Call *c = (const Call *)context;\n    (void)thread;\n",
                abi_step_symbol(out->arena, step, i));
    step_copy(step, out);
    text_printf(out, "    %s(", step->kernel->name);
    for (int a = 0; a < step->args.n; a++) {
        argument(&step->kernel->params.at[a], &step->args.at[a], out);
        text_add(out, ", ");
    }
    text_add(out, "task);\n}\n\n");
}

static void step_table(const Program *p, Text *out)
{
    bool copies = program_has_copies(p);
    text_printf(out, "static const struct {\n    VtcTask *run;\n    int tasks;\n%s} steps[] = {\n",
                copies ? "    int copied;\n" : "");
    for (int i = 0; i < p->steps.n; i++) {
        const Step *step = &p->steps.at[i];
        text_printf(out, "    {%s, %lld", abi_step_symbol(out->arena, step, i),
                    (long long)step->kernel->tasks);
        text_add(out, !copies ? "},\n" : step->copied ? ", 1},\n" : ", 0},\n");
    }
    text_add(out, "};\n\n");
}

static void runners(const Program *p, const Abi *abi, Text *out)
{
    bool copies = program_has_copies(p);
    text_printf(out,
                "static int run_steps(const void *weights, const void *const *inputs,\n"
                "    void *const *outputs, void *workspace, const VtcExecutor *executor,\n"
                "    int first, int last)\n{\n"
                "    Call call = {(const unsigned char *)weights, inputs, outputs,\n"
                "                 (unsigned char *)workspace%s};\n"
                "    int status = vtc_check_call(&%s_model, weights, workspace, executor);\n"
                "    if (status != VTC_OK)\n        return status;\n"
                "    if (first < 0 || first > last || last > %d)\n"
                "        return VTC_ERR_RANGE;\n"
                "%s"
                "    for (int i = first; i < last; i++)\n"
                "        vtc_dispatch(executor, steps[i].run, &call, steps[i].tasks%s);\n"
                "    return VTC_OK;\n}\n\n",
                copies ? ", executor != NULL ? executor->threads : 1" : "", abi->name, p->steps.n,
                program_has_products(p) ? "    blas_one_thread();\n" : "",
                copies ? " *\n                     (steps[i].copied ? call.copies : 1)" : "");
    text_printf(out,
                "static int run_all(const void *weights, const void *const *inputs,\n"
                "    void *const *outputs, void *workspace, const VtcExecutor *executor)\n{\n"
                "    return run_steps(weights, inputs, outputs, workspace, executor, 0, %d);\n"
                "}\n\n", p->steps.n);
}

static void typed_run(const Program *p, const Abi *abi, Text *out)
{
    abi_prototype(p, abi, out);
    text_add(out, "\n{\n    const void *inputs[] = {");
    for (int i = 0; i < abi->inputs; i++)
        text_printf(out, "%sin_%s", i ? ", " : "",
                    abi_identifier(p->arena, abi->input[i]->attr.name));
    text_add(out, abi->inputs ? "};\n    void *outputs[] = {" : "NULL};\n    void *outputs[] = {");
    for (int i = 0; i < abi->outputs; i++)
        text_printf(out, "%sout_%s", i ? ", " : "",
                    abi_identifier(p->arena, p->graph->outputs.at[i].name));
    text_add(out, "};\n");
    text_printf(out, "    for (int i = 0; i < %d; i++)\n        if (inputs[i] == NULL)\n"
                     "            return VTC_ERR_NULL;\n", abi->inputs);
    text_printf(out, "    for (int i = 0; i < %d; i++)\n        if (outputs[i] == NULL)\n"
                     "            return VTC_ERR_NULL;\n", abi->outputs);
    text_add(out, "    return run_all(weights, inputs, outputs, workspace, executor);\n}\n\n");
}

static void code(const Program *p, const Abi *abi, Text *out)
{
    c_prelude(p, out);
    text_printf(out, "typedef struct Call {\n    const unsigned char *weights;\n"
                     "    const void *const *inputs;\n    void *const *outputs;\n"
                     "    unsigned char *workspace;\n%s} Call;\n\n",
                program_has_copies(p) ? "    int copies;\n" : "");
    for (int i = 0; i < p->kernels.n; i++) {
        Text own = text_new(out->arena);
        kernel(p->kernels.at[i], &own);
        if (abi->embedded)
            bound_loops(&own);
        placed(abi, abi_first_step(p, p->kernels.at[i]), &own, out);
    }
    for (int i = 0; i < p->steps.n; i++) {
        Text own = text_new(out->arena);
        step_task(abi, &p->steps.at[i], i, &own);
        placed(abi, &p->steps.at[i], &own, out);
    }
    step_table(p, out);
    runners(p, abi, out);
}

void c_emit(const Program *p, const Abi *abi, Text *out)
{
    abi_check_emittable(p);
    text_printf(out, "/* %s for %s, generated; see %s.h. Compile with:\n"
                     " *     -std=c11 -O2 -ffp-contract=off -fno-math-errno "
                     "-fno-trapping-math %s */\n",
                p->name, p->target->name, abi->name, p->target->cc_flags);
    text_printf(out, "#include \"%s.h\"\n\n", abi->name);
    if (abi->levels)
        c_levels(abi, out);
    else
        code(p, abi, out);
    typed_run(p, abi, out);
    abi_reflection(p, abi, out);
}
