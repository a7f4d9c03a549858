/* Einsum of one operand or two: sums, diagonals, and products of matrices. */
#include "frontend/onnx_import.h"
#include <ctype.h>
#include <string.h>

/* An operand with a letter for each dimension. */
typedef struct Term {
    Value *value;
    int n;
    char letter[MAX_RANK];
} Term;

static bool term_has(const Term *t, char c)
{
    return memchr(t->letter, c, (size_t)t->n) != NULL;
}

static void term_transpose(Importer *in, Term *t, const char *order)
{
    int perm[MAX_RANK] = {0}, n = 0;
    for (const char *at = order; *at; at++)
        for (int i = 0; i < t->n && n < MAX_RANK; i++)
            if (t->letter[i] == *at)
                perm[n++] = i;
    if (n != t->n)
        onnx_fail(in, "the result of the equation does not follow from its operands");
    t->value = onnx_transpose(in, t->value, perm);
    char held[MAX_RANK];
    memcpy(held, t->letter, sizeof held);
    for (int i = 0; i < n; i++)
        t->letter[i] = held[perm[i]];
}

/* A letter is summed where only this term has it and the result does not. */
static void term_sum(Importer *in, Term *t, const Term *other, const char *out)
{
    Ints axes = {0};
    int kept = 0;
    for (int i = 0; i < t->n; i++) {
        char c = t->letter[i];
        if (!strchr(out, c) && !(other && memchr(other->letter, c, (size_t)other->n)))
            axes.at[axes.n++] = i;
        else
            t->letter[kept++] = c;
    }
    t->value = onnx_reduce(in, OP_reduce_sum, t->value, axes, false);
    t->n = kept;
}

/* The diagonal where a letter stands twice in a term. */
static void term_diagonal(Importer *in, Term *t)
{
    for (int i = 0; i < t->n; i++)
        for (int k = i + 1; k < t->n; k++) {
            if (t->letter[i] != t->letter[k])
                continue;
            Shape s = t->value->type.shape, side = {.rank = t->n};
            for (int d = 0; d < t->n; d++)
                side.dim[d] = d == i || d == k ? s.dim[d] : 1;
            if (s.dim[i] != s.dim[k])
                onnx_fail(in, "'%c' has two lengths", t->letter[i]);
            Tensor *eye = onnx_tensor_new(in, (Type){DT_f32, side});
            for (int64_t j = 0; j < s.dim[i]; j++)
                tensor_set(eye, j * (s.dim[i] + 1), 1);
            Value *y = onnx_2(in, OP_mul, t->value, onnx_constant(in, eye));
            t->value = onnx_reduce(in, OP_reduce_sum, y, onnx_axes(k, k + 1), false);
            memmove(t->letter + k, t->letter + k + 1, (size_t)(t->n - k - 1));
            t->n--;
            k--;
        }
}

/* "ij", with "..." for what is left: capital letters from Z down, aligned right. */
static const char *term_read(Importer *in, const char *at, int rank, char *letters)
{
    int named = 0, n = 0;
    const char *end = at;
    for (; *end && *end != ',' && *end != '-'; end++)
        named += *end != '.' && *end != ' ';
    for (; at < end; at++) {
        if (*at == ' ')
            continue;
        int dots = *at == '.' ? rank - named : 0;
        if (*at == '.' && (at + 2 >= end || at[1] != '.' || at[2] != '.' || dots < 0))
            onnx_fail(in, "the equation does not fit its operands");
        if (n + (dots ? dots : 1) > MAX_RANK || (*at != '.' && !isalpha((unsigned char)*at)))
            onnx_fail(in, "the equation is not understood");
        for (int i = 0; i < dots; i++)
            letters[n++] = (char)('0' + dots - 1 - i);
        if (*at == '.')
            at += 2;
        else
            letters[n++] = *at;
    }
    letters[n] = '\0';
    return end;
}

static void letters_join(char *to, const Term *t, const char *keep, bool kept)
{
    size_t n = strlen(to);
    for (int i = 0; i < t->n; i++)
        if ((strchr(keep, t->letter[i]) != NULL) == kept && !memchr(to, t->letter[i], n))
            to[n++] = t->letter[i];
    to[n] = '\0';
}

/* Every letter of `all` becomes a dimension, 1 where the term has none. */
static Value *term_spread(Importer *in, Term *t, const char *all)
{
    Shape s = {0};
    term_transpose(in, t, all);
    for (int i = 0, k = 0; all[i]; i++)
        s.dim[s.rank++] = k < t->n && t->letter[k] == all[i] ? t->value->type.shape.dim[k++] : 1;
    return onnx_reshape(in, t->value, s);
}

/* The letters of two operands by what happens to them. */
typedef struct Split {
    char batch[MAX_RANK + 1], left[MAX_RANK + 1], right[MAX_RANK + 1], summed[MAX_RANK + 1];
} Split;

static Split letters_split(const Term *a, const Term *b, const char *out)
{
    Split s = {{0}, {0}, {0}, {0}};
    for (const char *at = out; *at; at++) {
        char *to = !term_has(b, *at) ? s.left : !term_has(a, *at) ? s.right : s.batch;
        to[strlen(to)] = *at;
    }
    for (int i = 0; i < a->n; i++)
        if (!strchr(out, a->letter[i]))
            s.summed[strlen(s.summed)] = a->letter[i];
    return s;
}

/* Do letters of both have one length? Else one is 1 and spread over the other's. */
static bool same_lengths(const Term *a, const Term *b)
{
    for (int i = 0; i < a->n; i++) {
        const char *at = memchr(b->letter, a->letter[i], (size_t)b->n);
        if (at && a->value->type.shape.dim[i] != b->value->type.shape.dim[at - b->letter])
            return false;
    }
    return true;
}

/* The term as [batch.., rows, columns], its letters in the order of the three. */
static Value *term_matrix(Importer *in, Term *t, const char *batch, const char *rows,
                          const char *columns)
{
    char order[3 * MAX_RANK + 1] = "";
    strcat(strcat(strcpy(order, batch), rows), columns);
    term_transpose(in, t, order);
    int n = (int)strlen(batch), first_column = n + (int)strlen(rows);
    Shape s = {.rank = n + 2};
    for (int d = 0; d < s.rank; d++)
        s.dim[d] = 1;
    for (int i = 0; i < t->n; i++)
        s.dim[i < n ? i : i < first_column ? n : n + 1] *= t->value->type.shape.dim[i];
    return onnx_reshape(in, t->value, s);
}

/* What is summed in both makes a product of matrices, in whose result the outer letters
 * of one stand behind those of the other: which is first the result says. */
static Value *terms_multiply(Importer *in, Term *a, Term *b, const Split *s, const char *out)
{
    bool swap = s->left[0] && s->right[0] && strchr(out, s->left[0]) > strchr(out, s->right[0]);
    Term *first = swap ? b : a, *second = swap ? a : b;
    const char *rows = swap ? s->right : s->left, *columns = swap ? s->left : s->right;
    Value *y = onnx_matmul(in, term_matrix(in, first, s->batch, rows, s->summed),
                           term_matrix(in, second, s->batch, s->summed, columns), false);
    Term t = {.value = NULL};
    Shape shape = {0};
    for (int part = 0; part < 3; part++) {
        const char *letters = part == 0 ? s->batch : part == 1 ? rows : columns;
        for (const char *at = letters; *at; at++) {
            const Term *from = part == 2 ? second : first;
            const char *place = memchr(from->letter, *at, (size_t)from->n);
            shape.dim[shape.rank++] = from->value->type.shape.dim[place - from->letter];
            t.letter[t.n++] = *at;
        }
    }
    t.value = onnx_reshape(in, y, shape);
    term_transpose(in, &t, out);
    return t.value;
}

/* The general case multiplies the spread operands and sums. */
static Value *terms_spread(Importer *in, Term *a, Term *b, const char *out)
{
    char all[2 * MAX_RANK + 1] = "", kept[2 * MAX_RANK + 1] = "";
    letters_join(all, a, out, true);
    letters_join(all, b, out, true);
    strcpy(kept, all);
    int outer = (int)strlen(kept);
    letters_join(all, a, out, false);
    letters_join(all, b, out, false);
    if (strlen(all) > MAX_RANK)
        onnx_fail(in, "more than %d letters", MAX_RANK);
    Value *y = onnx_2(in, OP_mul, term_spread(in, a, all), term_spread(in, b, all));
    y = onnx_reduce(in, OP_reduce_sum, y, onnx_axes(outer, (int)strlen(all)), false);
    Term t = {.value = y, .n = outer};
    memcpy(t.letter, kept, (size_t)outer);
    term_transpose(in, &t, out);
    return t.value;
}

static Value *terms_join(Importer *in, Term *a, Term *b, const char *out)
{
    term_sum(in, a, b, out);
    term_sum(in, b, a, out);
    Split s = letters_split(a, b, out);
    bool matrices = s.summed[0] && (s.left[0] || s.right[0]) && same_lengths(a, b) &&
                    strlen(s.batch) + 2 <= MAX_RANK;
    return matrices ? terms_multiply(in, a, b, &s, out) : terms_spread(in, a, b, out);
}

static void implicit_output(const char *const *letters, int n, char *out)
{
    int count[128] = {0};
    for (int i = 0; i < n; i++)
        for (const char *at = letters[i]; *at; at++)
            count[(int)*at]++;
    int k = 0;
    for (int c = '9'; c >= '0'; c--)
        if (count[c])
            out[k++] = (char)c;
    for (int c = 'A'; c < 128; c++)
        if (count[c] == 1 && k < MAX_RANK)
            out[k++] = (char)c;
    out[k] = '\0';
}

/* Every letter of the result once, and from an operand. */
static void check_result(Importer *in, const Term *terms, int n, const char *out)
{
    for (const char *at = out; *at; at++)
        if (strchr(at + 1, *at) || !(term_has(&terms[0], *at) || (n > 1 && term_has(&terms[1], *at))))
            onnx_fail(in, "the result of the equation does not follow from its operands");
}

void onnx_build_einsum(Importer *in)
{
    const char *at = onnx_attr_text(in, "equation", "");
    char letters[2][MAX_RANK + 1], out[MAX_RANK + 1];
    Term terms[2];
    int n = onnx_inputs(in), dots = 0;
    if (n < 1 || n > 2)
        onnx_fail(in, "%d operands are not supported (1 or 2 are)", n);
    for (int i = 0; i < n; i++) {
        Value *v = onnx_cast(in, onnx_arg(in, i), DT_f32);
        at = term_read(in, at, v->type.shape.rank, letters[i]);
        if (i + 1 < n && *at++ != ',')
            onnx_fail(in, "the equation does not fit its operands");
        terms[i] = (Term){.value = v, .n = (int)strlen(letters[i])};
        memcpy(terms[i].letter, letters[i], (size_t)terms[i].n);
        if (terms[i].n != v->type.shape.rank)
            onnx_fail(in, "operand %d has %d dimensions, the equation %d", i, v->type.shape.rank,
                      terms[i].n);
        for (int k = 0; k < terms[i].n; k++)
            if (isdigit((unsigned char)letters[i][k]) && letters[i][k] - '0' >= dots)
                dots = letters[i][k] - '0' + 1;
    }
    if (strncmp(at, "->", 2) == 0) {
        int named = 0;
        for (const char *c = at + 2; *c; c++)
            named += isalpha((unsigned char)*c) != 0;
        at = term_read(in, at + 2, named + dots, out);
    } else {
        implicit_output((const char *const[]){letters[0], letters[1]}, n, out);
    }
    if (*at)
        onnx_fail(in, "the equation does not fit its operands");
    check_result(in, terms, n, out);
    for (int i = 0; i < n; i++)
        term_diagonal(in, &terms[i]);
    if (n == 2) {
        onnx_result(in, 0, terms_join(in, &terms[0], &terms[1], out));
        return;
    }
    term_sum(in, &terms[0], NULL, out);
    term_transpose(in, &terms[0], out);
    onnx_result(in, 0, terms[0].value);
}
