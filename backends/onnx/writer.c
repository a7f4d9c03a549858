/* Nodes, attributes and helper constants: the words in which operators are written. */
#include "backends/onnx/writer.h"
#include <stdlib.h>
#include <string.h>

/* ---- attributes --------------------------------------------------------------- */

static Onnx__AttributeProto *attribute_add(Writer *w, Node *node, const char *name)
{
    Onnx__AttributeProto *a = NEW(w->arena, Onnx__AttributeProto, 1);
    Onnx__AttributeProto **all = NEW(w->arena, Onnx__AttributeProto *, node->n_attribute + 1);
    onnx__attribute_proto__init(a);
    if (node->n_attribute)
        memcpy(all, node->attribute, node->n_attribute * sizeof *all);
    all[node->n_attribute++] = a;
    node->attribute = all;
    a->name = arena_strdup(w->arena, name);
    a->has_type = 1;
    return a;
}

void node_int(Writer *w, Node *node, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = attribute_add(w, node, name);
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    a->has_i = 1;
    a->i = value;
}

void node_ints(Writer *w, Node *node, const char *name, const Ints *values)
{
    Onnx__AttributeProto *a = attribute_add(w, node, name);
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
    a->n_ints = (size_t)values->n;
    a->ints = NEW(w->arena, int64_t, values->n + 1);
    memcpy(a->ints, values->at, (size_t)values->n * sizeof *a->ints);
}

void node_real(Writer *w, Node *node, const char *name, double value)
{
    Onnx__AttributeProto *a = attribute_add(w, node, name);
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    a->has_f = 1;
    a->f = (float)value;
}

void node_text(Writer *w, Node *node, const char *name, const char *value)
{
    Onnx__AttributeProto *a = attribute_add(w, node, name);
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    a->has_s = 1;
    a->s.len = strlen(value);
    a->s.data = (uint8_t *)arena_strdup(w->arena, value);
}

/* ---- nodes -------------------------------------------------------------------- */

static Node *node_add(Writer *w, const char *operator, const char *name, int n,
                      const char *const *inputs)
{
    Node *node = NEW(w->arena, Node, 1);
    onnx__node_proto__init(node);
    node->name = arena_strdup(w->arena, name);
    node->op_type = arena_strdup(w->arena, operator);
    node->n_input = (size_t)n;
    node->input = NEW(w->arena, char *, n + 1);
    for (int i = 0; i < n; i++)
        node->input[i] = arena_strdup(w->arena, inputs[i]);
    node->n_output = 1;
    node->output = NEW(w->arena, char *, 1);
    VEC_PUSH(w->arena, w->nodes, node);
    return node;
}

const char *writer_arg(Writer *w, int i)
{
    return writer_source(w, w->value->args[i]);
}

Node *writer_last(Writer *w, const char *operator, int n, const char *const *inputs)
{
    Node *node = node_add(w, operator, w->name, n, inputs);
    node->output[0] = arena_strdup(w->arena, w->tensor[w->value->id]);
    return node;
}

Node *writer_plain(Writer *w, const char *operator)
{
    const char **inputs = NEW(w->arena, const char *, w->value->nargs + 1);
    for (int i = 0; i < w->value->nargs; i++)
        inputs[i] = writer_arg(w, i);
    return writer_last(w, operator, w->value->nargs, inputs);
}

const char *writer_node(Writer *w, const char *operator, int n, const char *const *inputs)
{
    Node *node = node_add(w, operator, writer_unique(w, &w->node_names, w->name), n, inputs);
    const char *result = writer_unique(w, &w->tensor_names, node->name);
    node->output[0] = arena_strdup(w->arena, result);
    return result;
}

const char *writer_unary(Writer *w, const char *operator, const char *x)
{
    return writer_node(w, operator, 1, &x);
}

const char *writer_binary(Writer *w, const char *operator, const char *a, const char *b)
{
    return writer_node(w, operator, 2, (const char *[]){a, b});
}

Node *writer_node_of(Writer *w)
{
    return w->nodes.at[w->nodes.n - 1];
}

void writer_core(Writer *w, Node *node)
{
    Node *last = writer_node_of(w);
    char *name = node->name;
    node->name = last->name;
    last->name = name;
}

/* ---- constants ---------------------------------------------------------------- */

/* A helper constant is called after the node that reads it, whose name may still be
 * exchanged: until all nodes are there its name is a number, which no other tensor's
 * begins with. */
static const char *constant_add(Writer *w, Onnx__TensorProto *t)
{
    t->name = arena_printf(w->arena, "\1%d", w->constants.n);
    VEC_PUSH(w->arena, w->constants, t);
    VEC_PUSH(w->arena, w->initializers, t);
    return t->name;
}

void writer_name_constants(Writer *w)
{
    for (int i = 0; i < w->nodes.n; i++) {
        Node *node = w->nodes.at[i];
        for (size_t k = 0; k < node->n_input; k++) {
            if (node->input[k][0] != '\1')
                continue;
            Onnx__TensorProto *t = w->constants.at[atoi(node->input[k] + 1)];
            bool shape = t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
            const char *wish = arena_printf(w->arena, "%s_%s", node->name, shape ? "ints" : "constant");
            t->name = arena_strdup(w->arena, writer_unique(w, &w->tensor_names, wish));
            node->input[k] = t->name;
        }
    }
}

const char *writer_ints(Writer *w, const Ints *ints)
{
    Onnx__TensorProto *t = NEW(w->arena, Onnx__TensorProto, 1);
    onnx__tensor_proto__init(t);
    t->has_data_type = 1;
    t->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    t->n_dims = 1;
    t->dims = NEW(w->arena, int64_t, 1);
    t->dims[0] = ints->n;
    t->n_int64_data = (size_t)ints->n;
    t->int64_data = NEW(w->arena, int64_t, ints->n + 1);
    memcpy(t->int64_data, ints->at, (size_t)ints->n * sizeof *t->int64_data);
    return constant_add(w, t);
}

const char *writer_constant(Writer *w, const Tensor *data)
{
    return constant_add(w, writer_tensor(w, "", data, data->type));
}

const char *writer_real(Writer *w, double value)
{
    Tensor *data = tensor_new(w->arena, (Type){DT_f32, {0}});
    tensor_set(data, 0, value);
    return writer_constant(w, data);
}

const char *writer_fill(Writer *w, Shape shape, double value)
{
    Tensor *data = tensor_new(w->arena, (Type){DT_f32, shape});
    for (int64_t i = 0; i < shape_count(&shape); i++)
        tensor_set(data, i, value);
    return writer_constant(w, data);
}

const char *writer_shaped(Writer *w, const char *x, int rank, const int64_t *dims)
{
    Ints shape = {.n = rank};
    memcpy(shape.at, dims, (size_t)rank * sizeof *dims);
    return writer_binary(w, "Reshape", x, writer_ints(w, &shape));
}

const char *writer_turned(Writer *w, const char *x, int rank, const int64_t *perm)
{
    Ints order = {.n = rank};
    memcpy(order.at, perm, (size_t)rank * sizeof *perm);
    const char *y = writer_unary(w, "Transpose", x);
    node_ints(w, writer_node_of(w), "perm", &order);
    return y;
}

void writer_slice(Writer *w, const Value *x, const Attrs *a, const char **inputs)
{
    const Shape *from = &x->type.shape;
    Ints start = {0}, end = {0}, axes = {0}, step = {0};
    for (int d = 0; d < from->rank; d++) {
        int64_t n = a->shape.at[d], by = d < a->step.n ? a->step.at[d] : 1;
        if (n == from->dim[d])
            continue;
        start.at[start.n++] = a->start.at[d];
        end.at[end.n++] = a->start.at[d] + (n - 1) * by + 1;
        axes.at[axes.n++] = d;
        step.at[step.n++] = by;
    }
    inputs[0] = writer_source(w, x);
    inputs[1] = writer_ints(w, &start);
    inputs[2] = writer_ints(w, &end);
    inputs[3] = writer_ints(w, &axes);
    inputs[4] = writer_ints(w, &step);
}
