/* A node as its builder sees it, and the check that it has nothing that is not looked at.
 *
 * Note [Nothing of a node is passed over]
 * What a node has and nobody reads would change what the network means without a word.
 * Before a node is built it is held against its operator's row for the file's opset
 * (onnx_signatures.def): more inputs or outputs, other attributes, or values of another
 * kind are errors. Behind its builder every input and attribute must have been asked
 * for, and every output made. What may rightly be left alone is asked for there, with
 * the reason beside it. */
#include "frontend/onnx_import.h"
#include "frontend/onnx_patterns.h"
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef Onnx__AttributeProto Attribute;

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static void node_error(Importer *in, const char *text)
{
    const Onnx__NodeProto *node = in->node;
    const char *first = node->n_output ? node->output[0] : "?";
    bool named = node->name && *node->name;
    diag_error(in->diag, (Span){0}, "%s '%s': %s", node->op_type, named ? node->name : first,
               text);
}

void onnx_fail(Importer *in, const char *format, ...)
{
    char text[400];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    node_error(in, text);
    longjmp(in->failed, 1);
}

/* ---- what its operator has in this opset ------------------------------------------ */

enum { MANY = INT32_MAX };

typedef struct Signature {
    const char *operator;
    int since, inputs, outputs;
    const char *attributes;
} Signature;

static const Signature signatures[] = {
#define ONNX_SIGNATURE(operator, since, inputs, outputs, attributes) \
    {#operator, since, inputs, outputs, attributes},
#include "frontend/onnx_signatures.def"
};
enum { SIGNATURES = sizeof signatures / sizeof *signatures };

/* The newest that is not newer than the opset; NULL: the operator came later. */
static const Signature *signature_of(const char *operator, int64_t opset)
{
    const Signature *found = NULL;
    for (int i = 0; i < SIGNATURES; i++)
        if (strcmp(signatures[i].operator, operator) == 0 && signatures[i].since <= opset)
            found = &signatures[i];
    return found;
}

void onnx_print_versions(Text *out, const char *operator)
{
    int n = 0;
    for (int i = 0; i < SIGNATURES; i++)
        if (strcmp(signatures[i].operator, operator) == 0)
            text_printf(out, "%s%d", n++ ? ", " : "", signatures[i].since);
}

/* 0: it has no attribute of that name */
static char kind_wanted(const Signature *s, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = s->attributes; *at; at += strcspn(at, " "), at += *at == ' ')
        if (strncmp(at, name, n) == 0 && at[n] == ':')
            return at[n + 1];
    return 0;
}

static const char *kind_name(char kind)
{
    switch (kind) {
    case 'f': return "a real number";
    case 'i': return "a whole number";
    case 's': return "a text";
    case 't': return "a tensor";
    case 'p': return "a sparse tensor";
    case 'F': return "a list of real numbers";
    case 'I': return "a list of whole numbers";
    default: return "a list of texts";
    }
}

/* Does it hold a value of that kind, and no other? Writers of proto3 leave out what is 0,
 * but say the type; without a type the value itself must be there. */
static bool holds_only(const Attribute *a, char kind)
{
    const struct {
        char kind;
        bool given;
        Onnx__AttributeProto__AttributeType type;
    } fields[] = {
        {'f', a->has_f, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT},
        {'i', a->has_i, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT},
        {'s', a->has_s, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING},
        {'t', a->t, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR},
        {'p', a->sparse_tensor, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR},
        {'F', a->n_floats, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS},
        {'I', a->n_ints, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS},
        {'S', a->n_strings, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS},
    };
    bool must = islower((unsigned char)kind); /* a list may be empty */
    bool typed = a->has_type && a->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        bool given = fields[i].given;
        if (fields[i].kind != kind ? given : typed ? a->type != fields[i].type : !given && must)
            return false;
    }
    if ((kind == 't' && !a->t) || (kind == 'p' && !a->sparse_tensor))
        return false;
    return !a->g && !a->tp && !a->n_tensors && !a->n_graphs && !a->n_type_protos &&
           !a->n_sparse_tensors;
}

static void attribute_check(Importer *in, const Signature *s, const Attribute *a)
{
    const char *name = text_of(a->name);
    char kind = kind_wanted(s, name), text[300];
    if (!kind)
        snprintf(text, sizeof text, "it has no attribute '%.100s' in opset %lld", name,
                 (long long)in->opset);
    else if (a->ref_attr_name && *a->ref_attr_name)
        snprintf(text, sizeof text, "attribute '%.100s' refers to one of a function", name);
    else if (!holds_only(a, kind))
        snprintf(text, sizeof text, "attribute '%.100s' is not %s", name, kind_name(kind));
    else
        return;
    node_error(in, text);
}

static void number_check(Importer *in, size_t n, int most, const char *what)
{
    if (n > (size_t)most)
        node_error(in, arena_printf(in->arena, "it has %zu %s, in opset %lld at most %d", n, what,
                                    (long long)in->opset, most));
}

bool onnx_node_acceptable(Importer *in)
{
    const Onnx__NodeProto *node = in->node;
    const Signature *s = signature_of(node->op_type, in->opset > 1 ? in->opset : 1);
    int raised = in->diag->raised;
    if (!s) {
        node_error(in, arena_printf(in->arena, "opset %lld has no such operator",
                                    (long long)in->opset));
        return false;
    }
    number_check(in, node->n_input, s->inputs, "inputs");
    number_check(in, node->n_output, s->outputs, "outputs");
    for (size_t i = 0; i < node->n_attribute && in->diag->errors < ONNX_MOST_ERRORS; i++)
        attribute_check(in, s, node->attribute[i]);
    return in->diag->raised == raised;
}

void onnx_node_begin(Importer *in, const Onnx__NodeProto *node)
{
    in->node = node;
    in->inputs_read = NEW(in->arena, bool, node->n_input + 1);
    in->attributes_read = NEW(in->arena, bool, node->n_attribute + 1);
}

void onnx_node_end(Importer *in)
{
    const Onnx__NodeProto *node = in->node;
    for (size_t i = 0; i < node->n_attribute; i++)
        if (!in->attributes_read[i])
            onnx_fail(in, "attribute '%s' is not understood", text_of(node->attribute[i]->name));
    for (size_t i = 0; i < node->n_input; i++)
        if (*node->input[i] && !in->inputs_read[i])
            onnx_fail(in, "input %zu, '%s', is not understood", i, node->input[i]);
    for (size_t i = 0; i < node->n_output; i++) {
        const OnnxSlot *slot = *node->output[i] ? onnx_slot(in, node->output[i]) : NULL;
        if (slot && !slot->value && !slot->empty)
            onnx_fail(in, "output %zu is not supported", i);
    }
}

/* ---- inputs and outputs ------------------------------------------------------- */

int onnx_inputs(const Importer *in)
{
    return (int)in->node->n_input;
}

bool onnx_has(const Importer *in, int i)
{
    return i < onnx_inputs(in) && *in->node->input[i];
}

Value *onnx_maybe(Importer *in, int i)
{
    if (!onnx_has(in, i))
        return NULL;
    in->inputs_read[i] = true;
    return onnx_slot(in, in->node->input[i])->value;
}

Value *onnx_arg(Importer *in, int i)
{
    Value *v = onnx_maybe(in, i);
    if (!v)
        onnx_fail(in, onnx_has(in, i) ? "input %d has no elements" : "input %d is missing", i);
    return v;
}

bool onnx_wants(const Importer *in, int i)
{
    return i < (int)in->node->n_output && *in->node->output[i];
}

void onnx_result(Importer *in, int i, Value *v)
{
    if (onnx_wants(in, i))
        onnx_slot_set(in, in->node->output[i], (OnnxSlot){v, false});
}

void onnx_result_empty(Importer *in, int i)
{
    if (onnx_wants(in, i))
        onnx_slot_set(in, in->node->output[i], (OnnxSlot){NULL, true});
}

/* Notes which inputs a value hangs on: a caller may know them. */
static void want_inputs(Importer *in, const Value *v)
{
    bool *needed = NEW(in->arena, bool, in->graph->next_id + 1);
    needed[v->id] = true;
    for (; v; v = v->prev) {
        if (!needed[v->id])
            continue;
        if (v->op == OP_input)
            VEC_PUSH(in->arena, in->options->wanted, v->attr.name);
        for (int i = 0; i < v->nargs; i++)
            needed[v->args[i]->id] = true;
    }
}

const Tensor *onnx_known(Importer *in, Value *v)
{
    if ((v->op == OP_constant || v->op == OP_weight) && v->data)
        return v->data;
    if (v->op == OP_constant) {
        Tensor *t = onnx_tensor_new(in, v->type);
        for (int64_t i = 0; i < shape_count(&v->type.shape); i++)
            tensor_set(t, i, v->attr.value);
        return t;
    }
    want_inputs(in, v);
    onnx_fail(in, "a value that decides shapes depends on the network's input");
}

int64_t onnx_whole(double x)
{
    const double most = 9007199254740992;
    return isnan(x) ? 0 : (int64_t)(x < -most ? -most : x > most ? most : x);
}

Ints onnx_known_ints(Importer *in, int i)
{
    Ints ints = {0};
    if (onnx_has(in, i) && !onnx_maybe(in, i))
        return ints;
    const Tensor *t = onnx_known(in, onnx_arg(in, i));
    int64_t n = shape_count(&t->type.shape);
    if (n > MAX_INTS)
        onnx_fail(in, "input %d has %lld numbers, more than %d", i, (long long)n, MAX_INTS);
    ints.n = (int)n;
    for (int k = 0; k < ints.n; k++)
        ints.at[k] = onnx_whole(tensor_get(t, k));
    return ints;
}

/* ---- attributes: of the kind their names have in the table ------------------------- */

const Attribute *onnx_attr(Importer *in, const char *name)
{
    for (size_t i = 0; i < in->node->n_attribute; i++)
        if (strcmp(text_of(in->node->attribute[i]->name), name) == 0) {
            in->attributes_read[i] = true;
            return in->node->attribute[i];
        }
    return NULL;
}

int64_t onnx_attr_int(Importer *in, const char *name, int64_t fallback)
{
    const Attribute *a = onnx_attr(in, name);
    return a ? a->i : fallback;
}

double onnx_attr_real(Importer *in, const char *name, double fallback)
{
    const Attribute *a = onnx_attr(in, name);
    return a ? match_decimal((double)a->f) : fallback;
}

const char *onnx_attr_text(Importer *in, const char *name, const char *fallback)
{
    const Attribute *a = onnx_attr(in, name);
    return a ? arena_strndup(in->arena, (const char *)a->s.data, a->s.len) : fallback;
}

const char *onnx_attr_choice(Importer *in, const char *name, const char *fallback,
                             const char *choices)
{
    const char *text = onnx_attr_text(in, name, fallback);
    size_t n = strlen(text);
    for (const char *at = choices; *at; at += strcspn(at, " "), at += *at == ' ')
        if (n && strncmp(at, text, n) == 0 && (at[n] == ' ' || at[n] == '\0'))
            return text;
    onnx_fail(in, "attribute '%s' is '%.40s', none of: %s", name, text, choices);
}

bool onnx_attr_ints(Importer *in, const char *name, Ints *out)
{
    const Attribute *a = onnx_attr(in, name);
    if (!a)
        return false;
    if (a->n_ints > MAX_INTS)
        onnx_fail(in, "attribute '%s' has %zu numbers, more than %d", name, a->n_ints, MAX_INTS);
    out->n = (int)a->n_ints;
    for (int i = 0; i < out->n; i++)
        out->at[i] = a->ints[i];
    return true;
}

int64_t onnx_axis(Importer *in, int64_t axis, int rank)
{
    int64_t at = axis < 0 ? axis + rank : axis;
    if (at < 0 || at >= rank)
        onnx_fail(in, "axis %lld is outside %d dimensions", (long long)axis, rank);
    return at;
}
