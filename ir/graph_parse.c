/* Graphs from text, the inverse of graph_print.c: for hand-written tests of
 * passes and for reading dumps back. Any text is taken; what is wrong goes to
 * diag with its place, one error a line, and reading goes on with the next. */
#include "ir/graph_text.h"
#include <string.h>

/* ---- statements -------------------------------------------------------- */

static void value_set_id(Parser *p, Value *value, const Ref *ref)
{
    value->name = ref->name;
    value->id = (int)ref->id; /* -1: numbered once all ids are known */
    if (ref->id > p->largest_id)
        p->largest_id = ref->id;
}

static bool parse_value(Parser *p)
{
    Ref ref;
    if (!parse_ref(p, &ref))
        return false;
    if (name_find(p, ref.key))
        return parse_fail(p, ref.begin, "%.*s is defined twice",
                          (int)(p->at - ref.begin),
                          p->source->text + ref.begin);
    Value *value = parse_expect(p, "=") ? parse_definition(p, &ref) : NULL;
    name_bind(p, ref.key, value);
    if (value)
        value_set_id(p, value, &ref);
    return value != NULL;
}

static bool parse_output(Parser *p)
{
    Output output = {0};
    Ref ref;
    if (!parse_quoted(p, &output.name) || !parse_ref(p, &ref))
        return false;
    const Name *name = name_find(p, ref.key);
    if (!name)
        return parse_fail(p, ref.begin, "no such value before this line");
    output.value = name->value;
    if (output.value)
        VEC_PUSH(p->arena, p->graph->outputs, output);
    return output.value != NULL;
}

static bool parse_field(Parser *p, const char *name)
{
    if (!parse_keyword(p, name))
        return parse_fail(p, p->at, "expected %s= here", name);
    return parse_expect(p, "=");
}

static bool parse_memory(Parser *p)
{
    Graph *graph = p->graph;
    return parse_field(p, "workspace") &&
           parse_int_in(p, 0, INT64_MAX, &graph->workspace_bytes) &&
           parse_field(p, "live") &&
           parse_int_in(p, 0, INT64_MAX, &graph->live_bytes);
}

static int count_groups(const Graph *graph)
{
    int n = 0;
    FOR_VALUES(v, graph)
    n = v->group >= n ? v->group + 1 : n;
    return n;
}

/* The lines of temporaries follow the values that tell the groups. */
static bool parse_temporary(Parser *p)
{
    Graph *graph = p->graph;
    int64_t group;
    Ints bytes;
    if (!parse_int_in(p, 0, count_groups(graph) - 1, &group) ||
        !parse_ints(p, 3, &bytes))
        return false;
    if (bytes.n != 3)
        return parse_fail(p, p->at, "a temporary is [shared,per thread,offset]");
    while (graph->groups.n <= group)
        VEC_PUSH(p->arena, graph->groups, (Group){0});
    graph->groups.at[group].temp =
        (Temporary){bytes.at[0], bytes.at[1], bytes.at[2]};
    return true;
}

static bool parse_statement(Parser *p)
{
    size_t begin = p->at;
    bool ok;
    if (parse_peek(p) == '%')
        ok = parse_value(p);
    else if (parse_keyword(p, "output"))
        ok = parse_output(p);
    else if (parse_keyword(p, "memory"))
        ok = parse_memory(p);
    else if (parse_keyword(p, "temporary"))
        ok = parse_temporary(p);
    else
        ok = parse_fail(p, begin, "expected a value, an output or '}'");
    if (ok && !parse_line_end(p))
        ok = parse_fail(p, p->at, "nothing more is expected on this line");
    parse_skip_line(p);
    return ok;
}

/* ---- what only the whole text tells ------------------------------------ */

static void number_named_values(Parser *p)
{
    p->graph->next_id = (int)p->largest_id + 1;
    FOR_VALUES(v, p->graph)
    if (v->id < 0)
        v->id = p->graph->next_id++;
}

/* The rule of struct Group: the last that is more than elementwise; a pooling only where
 * there is no convolution before it. */
static Value *anchor_of(const Group *group)
{
    Value *pool = NULL;
    for (int i = group->members.n - 1; i >= 0; i--) {
        Value *v = group->members.at[i];
        if (op_is_elementwise(v->op))
            continue;
        if (op_info[v->op].class != CLASS_pool)
            return v;
        pool = pool ? pool : v;
    }
    return pool ? pool : group->members.at[0];
}

static bool collect_groups(Parser *p)
{
    Graph *graph = p->graph;
    int n = count_groups(graph);
    while (graph->groups.n < n)
        VEC_PUSH(p->arena, graph->groups, (Group){0});
    FOR_VALUES(v, graph)
    if (v->group >= 0)
        VEC_PUSH(p->arena, graph->groups.at[v->group].members, v);
    for (int i = 0; i < n; i++) {
        Group *group = &graph->groups.at[i];
        if (group->members.n == 0)
            return parse_fail(
                p, 0, "group %d has no members though group %d has", i, n - 1);
        group->anchor = anchor_of(group);
    }
    return true;
}

/* Statements up to the closing brace; gives up on what is no graph at all. */
static bool parse_body(Parser *p)
{
    enum { MOST_ERRORS = 100 };
    int before = p->diag->errors;
    bool ok = true;
    while (!parse_accept(p, "}")) {
        if (p->diag->errors - before >= MOST_ERRORS)
            return false;
        if (parse_at_end(p))
            return parse_fail(p, p->at, "the graph has no closing '}'");
        if (parse_peek(p) != '}')
            ok = parse_statement(p) && ok;
    }
    if (!parse_at_end(p))
        return parse_fail(p, p->at, "nothing is expected behind the graph");
    return ok;
}

Graph *graph_parse(Arena *arena, const Source *source, Diag *diag)
{
    Parser p = {.arena = arena, .diag = diag, .source = source};
    p.graph = graph_new(arena, "");
    p.largest_id = -1;
    if (parse_at_end(&p) || !parse_keyword(&p, "graph")) {
        parse_fail(&p, p.at, "expected graph \"name\" {");
        return NULL;
    }
    if (!parse_quoted(&p, &p.graph->name) || !parse_expect(&p, "{"))
        return NULL;
    if (!parse_body(&p))
        return NULL;
    number_named_values(&p);
    return collect_groups(&p) ? p.graph : NULL;
}
