/* The stack machine of pickle, of which only the data is kept. */
#include "frontend/pickle.h"
#include <string.h>

typedef struct Machine {
    Arena *arena;
    Diag *diag;
    Span span;
    const unsigned char *begin, *at, *end;
    PickleKnown *known;
    VEC(PickleValue *) stack;
    VEC(PickleValue *) memo;
    const char *opcode; /* its name */
    bool failed, stopped;
} Machine;

static void fail(Machine *m, const char *why)
{
    if (!m->failed)
        diag_error(m->diag, m->span, "its pickle is damaged at byte %zu: %s: %s",
                   (size_t)(m->at - m->begin), m->opcode, why);
    m->failed = true;
}

/* ---- bytes ---------------------------------------------------------------- */

static const unsigned char *take(Machine *m, uint64_t n)
{
    const unsigned char *at = m->at;
    if (n > (uint64_t)(m->end - m->at)) {
        fail(m, "it ends there");
        return NULL;
    }
    m->at += n;
    return at;
}

static uint64_t little(Machine *m, int n)
{
    const unsigned char *at = take(m, (uint64_t)n);
    uint64_t x = 0;
    for (int i = n - 1; at && i >= 0; i--)
        x = x << 8 | at[i];
    return x;
}

static const char *line(Machine *m)
{
    const unsigned char *end = memchr(m->at, '\n', (size_t)(m->end - m->at));
    if (!end) {
        fail(m, "it ends there");
        return "";
    }
    const char *text = arena_strndup(m->arena, (const char *)m->at, (size_t)(end - m->at));
    m->at = end + 1;
    return text;
}

/* ---- the stack ------------------------------------------------------------- */

static PickleValue *push(Machine *m, PickleKind kind)
{
    PickleValue *v = NEW(m->arena, PickleValue, 1);
    v->kind = kind;
    VEC_PUSH(m->arena, m->stack, v);
    return v;
}

static void push_int(Machine *m, int64_t number)
{
    push(m, PICKLE_int)->number = number;
}

/* The machine always goes on with a value: an error ends it after the opcode. */
static PickleValue *pop(Machine *m)
{
    if (m->stack.n > 0 && m->stack.at[m->stack.n - 1]->kind != PICKLE_mark)
        return m->stack.at[--m->stack.n];
    fail(m, "the stack is empty");
    return NEW(m->arena, PickleValue, 1);
}

static PickleValue *top(Machine *m)
{
    PickleValue *v = pop(m);
    VEC_PUSH(m->arena, m->stack, v);
    return v;
}

/* The index of the first value above the last mark. */
static int above_mark(Machine *m)
{
    for (int i = m->stack.n; i > 0; i--)
        if (m->stack.at[i - 1]->kind == PICKLE_mark)
            return i;
    fail(m, "there is no mark");
    return m->stack.n;
}

/* Moves the values from `first` on behind `to`'s items, the mark below them goes. */
static void take_items(Machine *m, PickleValue *to, int first, int mark)
{
    for (int i = first; i < m->stack.n; i++)
        VEC_PUSH(m->arena, to->items, m->stack.at[i]);
    m->stack.n = first - mark < 0 ? 0 : first - mark;
}

static PickleValue *container(Machine *m, PickleKind kind)
{
    PickleValue *v = NEW(m->arena, PickleValue, 1);
    v->kind = kind;
    return v;
}

static void tuple_of(Machine *m, int n)
{
    PickleValue *tuple = container(m, PICKLE_tuple);
    for (int i = 0; i < n; i++)
        pop(m);
    m->stack.n += m->failed ? 0 : n;
    if (!m->failed)
        take_items(m, tuple, m->stack.n - n, 0);
    VEC_PUSH(m->arena, m->stack, tuple);
}

/* ---- opcodes, as pickle_opcodes.def names them -------------------------------- */

static void op_refused(Machine *m)
{
    diag_error(m->diag, m->span, "its pickle has the opcode %s, which is not read: only data "
                                 "is, nothing of it is run", m->opcode);
    m->failed = true;
}

static void op_skip_1(Machine *m) { take(m, 1); }
static void op_skip_8(Machine *m) { take(m, 8); }
static void op_stop(Machine *m) { m->stopped = true; }
static void op_mark(Machine *m) { push(m, PICKLE_mark); }
static void op_none(Machine *m) { push(m, PICKLE_none); }
static void op_yes(Machine *m) { push(m, PICKLE_bool)->number = 1; }
static void op_no(Machine *m) { push(m, PICKLE_bool); }
static void op_int_1(Machine *m) { push_int(m, (int64_t)little(m, 1)); }
static void op_int_2(Machine *m) { push_int(m, (int64_t)little(m, 2)); }
static void op_int_4(Machine *m) { push_int(m, (int32_t)(uint32_t)little(m, 4)); }

/* Little-endian, two's complement, of any length; 8 bytes are enough here. */
static void op_long_1(Machine *m)
{
    int n = (int)little(m, 1);
    if (n > 8) {
        fail(m, "a number of more than 8 bytes");
        return;
    }
    uint64_t x = little(m, n);
    if (n > 0 && n < 8 && x >> (8 * n - 1))
        x |= UINT64_MAX << (8 * n);
    push_int(m, (int64_t)x);
}

static void op_real(Machine *m)
{
    const unsigned char *at = take(m, 8); /* the highest byte first */
    uint64_t bits = 0;
    for (int i = 0; at && i < 8; i++)
        bits = bits << 8 | at[i];
    memcpy(&push(m, PICKLE_real)->real, &bits, sizeof bits);
}

static void text_of(Machine *m, uint64_t n)
{
    const unsigned char *at = take(m, n);
    if (at)
        push(m, PICKLE_text)->text = arena_strndup(m->arena, (const char *)at, (size_t)n);
}

static void op_text_1(Machine *m) { text_of(m, little(m, 1)); }
static void op_text_4(Machine *m) { text_of(m, little(m, 4)); }
static void op_empty_tuple(Machine *m) { push(m, PICKLE_tuple); }
static void op_tuple_1(Machine *m) { tuple_of(m, 1); }
static void op_tuple_2(Machine *m) { tuple_of(m, 2); }
static void op_tuple_3(Machine *m) { tuple_of(m, 3); }
static void op_empty_list(Machine *m) { push(m, PICKLE_list); }
static void op_empty_dict(Machine *m) { push(m, PICKLE_dict); }

static void op_tuple(Machine *m)
{
    PickleValue *tuple = container(m, PICKLE_tuple);
    take_items(m, tuple, above_mark(m), 1);
    VEC_PUSH(m->arena, m->stack, tuple);
}

/* The values from `first` on go into the list or dictionary below them; `mark`: with the
 * mark that stands between. What a call gives, OrderedDict() above all, is a dictionary. */
static void items_add(Machine *m, PickleKind kind, int first, int mark)
{
    int at = first - mark - 1;
    PickleValue *to = at >= 0 ? m->stack.at[at] : NULL;
    bool called = kind == PICKLE_dict && to && to->kind == PICKLE_call;
    if (!to || (to->kind != kind && !called))
        fail(m, kind == PICKLE_dict ? "there is no dictionary" : "there is no list");
    if (kind == PICKLE_dict && (m->stack.n - first) % 2)
        fail(m, "a key has no value");
    if (!m->failed)
        take_items(m, to, first, mark);
}

static void op_append(Machine *m)
{
    top(m);
    items_add(m, PICKLE_list, m->stack.n - 1, 0);
}

static void op_appends(Machine *m) { items_add(m, PICKLE_list, above_mark(m), 1); }
static void op_set_item(Machine *m) { items_add(m, PICKLE_dict, m->stack.n - 2, 0); }
static void op_set_items(Machine *m) { items_add(m, PICKLE_dict, above_mark(m), 1); }

/* ---- the memo: places are numbered, mostly in order ------------------------------ */

static void put(Machine *m, uint64_t place)
{
    PickleValue *v = top(m);
    if (place > (uint64_t)(m->end - m->begin)) {
        fail(m, "a place in the memo that is out of range");
        return;
    }
    while ((uint64_t)m->memo.n <= place)
        VEC_PUSH(m->arena, m->memo, NULL);
    m->memo.at[place] = v;
}

static void get(Machine *m, uint64_t place)
{
    if (place >= (uint64_t)m->memo.n || !m->memo.at[place])
        fail(m, "a place in the memo that is empty");
    else
        VEC_PUSH(m->arena, m->stack, m->memo.at[place]);
}

static void op_put_1(Machine *m) { put(m, little(m, 1)); }
static void op_put_4(Machine *m) { put(m, little(m, 4)); }
static void op_memoize(Machine *m) { put(m, (uint64_t)m->memo.n); }
static void op_get_1(Machine *m) { get(m, little(m, 1)); }
static void op_get_4(Machine *m) { get(m, little(m, 4)); }

/* ---- names and calls, which stay data ---------------------------------------------- */

static void global_of(Machine *m, const char *module, const char *name)
{
    const char *global = arena_printf(m->arena, "%s.%s", module, name);
    if (!m->failed && !m->known(global)) {
        diag_error(m->diag, m->span, "it holds the Python object '%s', which is not read: "
                                     "only tensors in dictionaries are, nothing of it is run "
                                     "(save net.state_dict(), not the network)", global);
        m->failed = true;
    }
    push(m, PICKLE_global)->text = global;
}

static void op_global(Machine *m)
{
    const char *module = line(m);
    global_of(m, module, line(m));
}

static void op_stack_global(Machine *m)
{
    PickleValue *name = pop(m), *module = pop(m);
    if (!name->text || !module->text)
        fail(m, "a name is missing");
    else
        global_of(m, module->text, name->text);
}

static void op_reduce(Machine *m)
{
    PickleValue *args = pop(m), *callee = pop(m);
    if (callee->kind != PICKLE_global || args->kind != PICKLE_tuple)
        fail(m, "there is nothing to call, or no arguments");
    PickleValue *call = push(m, PICKLE_call);
    call->callee = callee;
    call->args = args;
}

/* Attributes of an object: those of a state dict say versions of layers. */
static void op_build(Machine *m)
{
    pop(m);
    if (top(m)->kind != PICKLE_call)
        fail(m, "there is no object");
}

static void op_persistent(Machine *m)
{
    PickleValue *args = pop(m);
    push(m, PICKLE_persistent)->args = args;
}

/* ---- the table ----------------------------------------------------------------------- */

typedef struct Opcode {
    unsigned char byte;
    const char *name;
    void (*run)(Machine *);
} Opcode;

static const Opcode opcodes[] = {
#define PICKLE(byte, name, read) {(unsigned char)byte, #name, op_##read},
#include "frontend/pickle_opcodes.def"
};

static const Opcode *opcode_find(unsigned char byte)
{
    for (size_t i = 0; i < sizeof opcodes / sizeof *opcodes; i++)
        if (opcodes[i].byte == byte)
            return &opcodes[i];
    return NULL;
}

PickleValue *pickle_read(Arena *arena, Diag *diag, Span span, const unsigned char *data,
                         size_t n, PickleKnown *known)
{
    Machine m = {.arena = arena, .diag = diag, .span = span, .known = known};
    m.begin = m.at = data;
    m.end = data + n;
    m.opcode = "STOP";
    while (!m.failed && !m.stopped) {
        const unsigned char *byte = take(&m, 1);
        const Opcode *opcode = byte ? opcode_find(*byte) : NULL;
        m.opcode = opcode ? opcode->name : m.opcode;
        if (opcode)
            opcode->run(&m);
        else if (byte)
            fail(&m, arena_printf(arena, "byte 0x%02x is no opcode", *byte));
    }
    PickleValue *value = m.failed ? NULL : pop(&m);
    return m.failed ? NULL : value;
}
