/* One value of the graph's text form: operator, arguments, attributes, type,
 * and what the printer appends when it is set. */
#include "ir/bilinear.h"
#include "ir/graph_text.h"
#include <string.h>

enum { MOST_ARGS = 64 };

/* A definition as far as it is read. */
typedef struct Definition {
    Value proto;
    Type type;
    int nargs;
    Value *args[MOST_ARGS];
    bool is_poisoned; /* an argument's own definition was wrong */
    size_t begin;
} Definition;

/* ---- arguments and attributes ------------------------------------------ */

static bool parse_op(Parser *p, Definition *d)
{
    parse_peek(p);
    size_t begin = p->at;
    const char *word = parse_word(p);
    if (!word)
        return parse_fail(p, begin, "expected an operator here");
    int op = op_find(word);
    if (op < 0)
        return parse_fail(p, begin, "there is no operator '%.60s'", word);
    d->proto.op = (Op)op;
    return true;
}

static bool parse_arg(Parser *p, Definition *d)
{
    Ref ref;
    if (!parse_ref(p, &ref))
        return false;
    const Name *name = name_find(p, ref.key);
    if (!name)
        return parse_fail(p, ref.begin, "no such value before this line");
    if (d->nargs == MOST_ARGS)
        return parse_fail(p, ref.begin, "more than %d arguments", MOST_ARGS);
    d->is_poisoned = d->is_poisoned || !name->value;
    d->args[d->nargs++] = name->value;
    return true;
}

static bool parse_args(Parser *p, Definition *d)
{
    if (parse_peek(p) != '%')
        return true;
    do {
        if (!parse_arg(p, d))
            return false;
    } while (parse_accept(p, ","));
    return true;
}

static bool parse_bool(Parser *p, bool *value)
{
    *value = parse_keyword(p, "true");
    if (*value || parse_keyword(p, "false"))
        return true;
    return parse_fail(p, p->at, "expected true or false here");
}

static bool parse_found(Parser *p, int (*find)(const char *), const char *what,
                        int *value)
{
    parse_peek(p);
    size_t begin = p->at;
    const char *word = parse_word(p);
    *value = word ? find(word) : -1;
    if (*value < 0)
        return parse_fail(p, begin, "expected %s here", what);
    return true;
}

static bool parse_attr_value(Parser *p, enum AttrKind kind, void *field)
{
    int found = 0;
    bool ok;
    switch (kind) {
    case KIND_int: return parse_int(p, field);
    case KIND_ints: {
        Ints ints;
        ok = parse_ints(p, MAX_INTS, &ints);
        ((Ints *)field)->n = ints.n;
        memcpy(((Ints *)field)->at, ints.at, sizeof *ints.at * (size_t)ints.n);
        return ok;
    }
    case KIND_real: return parse_real(p, field);
    case KIND_bool: return parse_bool(p, field);
    case KIND_name: return parse_quoted(p, field);
    case KIND_mode:
        ok = parse_found(p, mode_find, "a mode", &found);
        *(Mode *)field = ok ? (Mode)found : MODE_none;
        return ok;
    case KIND_dtype:
        ok = parse_found(p, dtype_find, "an element type", &found);
        *(DType *)field = ok ? (DType)found : DT_f32;
        return ok;
    }
    bug("parse_attr_value: no such kind");
}

static int attr_find(const char *name)
{
    for (int i = 0; i < ATTR_COUNT; i++)
        if (strcmp(attr_info[i].name, name) == 0)
            return i;
    return -1;
}

static bool parse_attrs(Parser *p, Definition *d)
{
    uint64_t seen = 0;
    for (;;) {
        parse_peek(p);
        size_t begin = p->at;
        const char *word = parse_word(p);
        if (!word)
            return true;
        int id = attr_find(word);
        if (id < 0 || !op_has(d->proto.op, (AttrId)id))
            return parse_fail(p, begin, "%s has no attribute '%.60s'",
                              op_info[d->proto.op].name, word);
        if (seen >> id & 1)
            return parse_fail(p, begin, "'%s' is given twice", word);
        seen |= 1ull << id;
        char *field = (char *)&d->proto.attr + attr_info[id].offset;
        if (!parse_expect(p, "=") ||
            !parse_attr_value(p, attr_info[id].kind, field))
            return false;
    }
}

/* ---- type -------------------------------------------------------------- */

static bool shape_of_ints(Parser *p, size_t begin, const Ints *dims,
                          Shape *shape)
{
    double count = 1;
    for (int i = 0; i < dims->n; i++) {
        if (dims->at[i] < 1)
            return parse_fail(p, begin,
                              "a dimension must be at least 1, is %lld",
                              (long long)dims->at[i]);
        count *= (double)dims->at[i];
    }
    if (count > INT32_MAX)
        return parse_fail(p, begin, "%.0f elements are more than 2^31 - 1",
                          count);
    *shape = shape_of(dims->n, dims->at);
    return true;
}

static bool parse_type(Parser *p, Type *type)
{
    parse_peek(p);
    size_t begin = p->at;
    int dtype;
    Ints dims;
    if (!parse_found(p, dtype_find, "an element type", &dtype) ||
        !parse_ints(p, MAX_RANK, &dims) ||
        !shape_of_ints(p, begin, &dims, &type->shape))
        return false;
    type->dtype = (DType)dtype;
    return true;
}

static Value *insert_source(Parser *p, Definition *d)
{
    bool is_named = d->proto.op != OP_constant;
    bool is_stored = d->type.dtype == DT_f16 || d->type.dtype == DT_bf16;
    if (d->nargs)
        parse_fail(p, d->begin, "%s takes no arguments",
                   op_info[d->proto.op].name);
    else if (is_named && !d->proto.attr.name)
        parse_fail(p, d->begin, "%s needs name=\"..\"",
                   op_info[d->proto.op].name);
    else if (is_stored)
        parse_fail(p, d->begin, "%s is a type of stored weights, not of values",
                   dtype_info[d->type.dtype].name);
    else {
        Value *v =
            graph_constant(p->graph, NULL, NULL, &(Tensor){d->type, NULL});
        v->op = d->proto.op;
        v->attr = d->proto.attr;
        return v;
    }
    return NULL;
}

static Value *insert(Parser *p, Definition *d)
{
    Text why = text_new(p->arena);
    if (d->is_poisoned)
        return NULL;
    if (op_info[d->proto.op].class == CLASS_source)
        return insert_source(p, d);
    Value *v = graph_insert(p->graph, NULL, &d->proto, d->nargs, d->args, &why);
    if (!v) {
        parse_fail(p, d->begin, "%s", text_str(&why));
        return NULL;
    }
    if (v->type.dtype == d->type.dtype &&
        shape_equal(&v->type.shape, &d->type.shape))
        return v;
    text_type(&why, &v->type);
    parse_fail(p, d->begin, "the type must be %s", text_str(&why));
    return NULL;
}

/* ---- data -------------------------------------------------------------- */

static bool element_fits(DType dtype, double x)
{
    switch (dtype) {
    case DT_f32: return true;
    case DT_i32: return x >= INT32_MIN && x <= INT32_MAX && x == floor(x);
    case DT_u8: return x >= 0 && x <= 255 && x == floor(x);
    case DT_bool: return x == 0 || x == 1;
    case DT_f16:
    case DT_bf16:
    case DTYPE_COUNT: break;
    }
    return false;
}

static bool parse_element(Parser *p, Tensor *data, int64_t index)
{
    parse_peek(p);
    size_t begin = p->at;
    double x = 0;
    if ((index && !parse_expect(p, ",")) || !parse_real(p, &x))
        return false;
    if (!element_fits(data->type.dtype, x))
        return parse_fail(p, begin, "%g is no %s", x,
                          dtype_info[data->type.dtype].name);
    tensor_set(data, index, x);
    return true;
}

static bool parse_data(Parser *p, Value *v)
{
    int64_t n = shape_count(&v->type.shape);
    if (v->op != OP_constant)
        return parse_fail(p, p->at, "only a constant has data");
    if (n > PRINTED_ELEMENTS)
        return parse_fail(p, p->at, "data of more than %d elements is not text",
                          PRINTED_ELEMENTS);
    if (!parse_expect(p, "{"))
        return false;
    v->data = tensor_new(p->arena, v->type);
    for (int64_t i = 0; i < n; i++)
        if (!parse_element(p, v->data, i))
            return false;
    return parse_expect(p, "}");
}

static bool parse_unknown(Parser *p, Value *v)
{
    if (v->op != OP_constant)
        return parse_fail(p, p->at, "only a constant can be unknown");
    v->unknown = true;
    return true;
}

static bool parse_hash(Parser *p, Value *v)
{
    return parse_fail(p, p->at,
                      "a constant of %lld elements was printed as a hash: its "
                      "elements are not in the text",
                      (long long)shape_count(&v->type.shape));
}

static bool parse_label(Parser *p, Value *v)
{
    return parse_quoted(p, &v->label);
}

/* ---- layout and place -------------------------------------------------- */

static void set_dense_strides(Value *v)
{
    int64_t step = 1;
    for (int i = v->type.shape.rank - 1; i >= 0; i--) {
        v->place.stride[v->layout.order[i]] = step;
        step *= v->type.shape.dim[v->layout.order[i]];
    }
}

static bool parse_panels(Parser *p, Value *v)
{
    enum { WIDEST = 4096 };
    const Shape *s = &v->type.shape;
    int64_t width, groups;
    size_t begin = p->at;
    if (!parse_expect(p, "(") || !parse_int_in(p, 1, WIDEST, &width) ||
        !parse_expect(p, ",") || !parse_int_in(p, 1, INT32_MAX, &groups) ||
        !parse_expect(p, ")"))
        return false;
    if (s->rank < 2 || s->dim[0] % groups)
        return parse_fail(p, begin,
                          "panels need outputs that divide into %lld "
                          "groups",
                          (long long)groups);
    v->layout.kind = LAYOUT_panels;
    v->layout.panel = (int)width;
    v->layout.groups = (int)groups;
    set_dense_strides(v);
    return true;
}

/* layout windows(panel), strassen(panel) */
static bool parse_windows(Parser *p, Value *v, LayoutKind kind)
{
    enum { WIDEST = 4096 };
    int64_t width;
    size_t begin = p->at;
    if (!parse_expect(p, "(") || !parse_int_in(p, 1, WIDEST, &width) ||
        !parse_expect(p, ")"))
        return false;
    const Shape *s = &v->type.shape;
    if (kind == LAYOUT_windows && s->rank < 3)
        return parse_fail(p, begin, "a windows layout is of a convolution's weights");
    if (kind == LAYOUT_strassen && (s->rank < 2 || s->dim[0] % 2 || s->dim[1] % 2 ||
                                    shape_count(s) != s->dim[0] * s->dim[1]))
        return parse_fail(p, begin, "a strassen layout is of 1x1 weights that have halves");
    v->layout.kind = kind;
    v->layout.panel = (int)width;
    v->layout.groups = 1;
    set_dense_strides(v);
    return true;
}

/* layout winograd(panel,tile,stride), toom_cook(..) */
static bool parse_transformed(Parser *p, Value *v, LayoutKind kind)
{
    enum { WIDEST = 4096, MOST_STRIDE = 2 };
    const Shape *s = &v->type.shape;
    int64_t width, tile, stride;
    size_t begin = p->at;
    if (!parse_expect(p, "(") || !parse_int_in(p, 1, WIDEST, &width) ||
        !parse_expect(p, ",") || !parse_int_in(p, 1, BILINEAR_MOST, &tile) ||
        !parse_expect(p, ",") || !parse_int_in(p, 1, MOST_STRIDE, &stride) ||
        !parse_expect(p, ")"))
        return false;
    bool square = s->rank == 4 && s->dim[2] == 3 && s->dim[3] == 3;
    if (kind == LAYOUT_winograd ? !square : s->rank != 4 || s->dim[3] > 8)
        return parse_fail(p, begin, "transformed weights are 3x3, along rows at most 8 wide");
    v->layout.kind = kind;
    v->layout.panel = (int)width;
    v->layout.tile = (int)tile;
    v->layout.stride = (int)stride;
    v->layout.groups = 1;
    set_dense_strides(v);
    return true;
}

/* by winograd(4), by blas */
static bool parse_schedule(Parser *p, Value *v)
{
    int64_t tile;
    for (int i = 0; i < ALGORITHM_COUNT; i++)
        if (parse_keyword(p, algorithm_name[i])) {
            v->schedule.algorithm = (Algorithm)i;
            if (v->schedule.algorithm == ALGORITHM_blas)
                return true;
            if (!parse_expect(p, "(") || !parse_int_in(p, 1, BILINEAR_MOST, &tile))
                return false;
            v->schedule.tile = (int)tile;
            return parse_expect(p, ")");
        }
    return parse_fail(p, p->at, "expected an algorithm");
}

static bool parse_order(Parser *p, Value *v)
{
    int rank = v->type.shape.rank;
    unsigned seen = 0;
    size_t begin = p->at;
    parse_peek(p);
    for (int i = 0; i < rank; i++) {
        int d = p->at < p->source->length ? p->source->text[p->at] - '0' : -1;
        if (d < 0 || d >= rank || seen >> d & 1)
            return parse_fail(p, begin,
                              "a layout names each of the %d dimensions "
                              "once",
                              rank);
        seen |= 1u << d;
        v->layout.order[i] = (signed char)d;
        p->at++;
    }
    v->layout.pad_pixel = parse_accept(p, "+pad");
    set_dense_strides(v);
    return true;
}

static bool parse_layout(Parser *p, Value *v)
{
    if (parse_keyword(p, "windows"))
        return parse_windows(p, v, LAYOUT_windows);
    if (parse_keyword(p, "strassen"))
        return parse_windows(p, v, LAYOUT_strassen);
    if (parse_keyword(p, "winograd"))
        return parse_transformed(p, v, LAYOUT_winograd);
    if (parse_keyword(p, "toom_cook"))
        return parse_transformed(p, v, LAYOUT_toom_cook);
    return parse_keyword(p, "panels") ? parse_panels(p, v) : parse_order(p, v);
}

static bool parse_strides(Parser *p, Value *v)
{
    Ints strides;
    size_t begin = p->at;
    if (!parse_ints(p, MAX_RANK, &strides))
        return false;
    if (strides.n != v->type.shape.rank)
        return parse_fail(p, begin, "strides need %d entries, have %d",
                          v->type.shape.rank, strides.n);
    memcpy(v->place.stride, strides.at, sizeof v->place.stride);
    return true;
}

static bool parse_group(Parser *p, Value *v)
{
    int64_t group;
    if (!parse_int_in(p, 0, MOST_ID, &group))
        return false;
    v->group = (int)group;
    return true;
}

static bool parse_home(Parser *p, Place *place)
{
    static const struct {
        const char *word;
        Home home;
    } homes[] = {
        {"workspace", HOME_workspace},
        {"weights",   HOME_weights  },
        {"input",     HOME_input    },
        {"output",    HOME_output   },
    };
    for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
        if (!parse_accept(p, homes[i].word))
            continue;
        place->home = homes[i].home;
        int64_t port = 0;
        bool has_port = place->home == HOME_input || place->home == HOME_output;
        if (has_port && !parse_int_in(p, 0, MOST_ID, &port))
            return false;
        place->port = (int)port;
        return true;
    }
    return true; /* a view before planning: an offset in its argument */
}

static bool parse_place(Parser *p, Value *v)
{
    if (!parse_home(p, &v->place) || !parse_expect(p, "+") ||
        !parse_int_in(p, 0, INT64_MAX, &v->place.offset))
        return false;
    return !parse_keyword(p, "size") ||
           parse_int_in(p, 0, INT64_MAX, &v->place.bytes);
}

/* ---- the whole line ---------------------------------------------------- */

static bool parse_tail(Parser *p, Value *v)
{
    static const struct {
        const char *word;
        bool (*parse)(Parser *, Value *);
    } parts[] = {
        {"data",    parse_data   },
        {"unknown", parse_unknown},
        {"hash",    parse_hash   },
        {"label",   parse_label  },
        {"by",      parse_schedule},
        {"layout",  parse_layout },
        {"strides", parse_strides},
        {"group",   parse_group  },
        {"at",      parse_place  },
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parse_keyword(p, parts[i].word) && !parts[i].parse(p, v))
            return false;
    return true;
}

Value *parse_definition(Parser *p, const Ref *ref)
{
    Definition d = {.begin = ref->begin};
    d.proto.attr = attrs_default();
    d.proto.stage = -1;
    if (!parse_op(p, &d) || !parse_args(p, &d) || !parse_attrs(p, &d) ||
        !parse_expect(p, ":") || !parse_type(p, &d.type))
        return NULL;
    Value *v = insert(p, &d);
    if (!v || !parse_tail(p, v))
        return NULL;
    v->span = (Span){p->source, ref->begin, p->at};
    return v;
}
