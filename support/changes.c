/* Differences of two texts. Lines that are in both exactly once are anchors: the longest
 * run of them in the same order stays, and what lies between two anchors is compared the
 * same way (B. Cohen's patience diff). Where there are none, the longest common
 * subsequence of a short piece is found by its table. */
#include "support/changes.h"
#include "support/strmap.h"
#include <string.h>

enum { LARGEST_TABLE = 1000000 }; /* entries */

typedef struct Side {
    const char **line; /* as they are */
    int *id;           /* equal lines have one number */
    bool *kept;
    int n;
} Side;

typedef struct Changes {
    Arena *arena;
    Side was, is;
    int ids;
    int *in_was, *in_is, *place; /* by id: how often, and where in `is` */
} Changes;

typedef struct Range {
    int was, was_end, is, is_end;
} Range;

/* ---- lines ------------------------------------------------------------- */

static Side split(Arena *arena, const char *text)
{
    Side s = {0};
    int most = 1;
    for (const char *c = text; *c; c++)
        most += *c == '\n';
    s.line = NEW(arena, const char *, most);
    s.id = NEW(arena, int, most);
    s.kept = NEW(arena, bool, most);
    char *rest = arena_strdup(arena, text);
    for (char *line; (line = strtok_r(rest, "\n", &rest)) != NULL;)
        s.line[s.n++] = line;
    return s;
}

static void number(Changes *c, Side *s, StrMap *names)
{
    for (int i = 0; i < s->n; i++) {
        void **slot = strmap_slot(names, s->line[i] + strspn(s->line[i], " "));
        if (!*slot)
            *slot = c->in_was + c->ids++;
        s->id[i] = (int)((int *)*slot - c->in_was);
    }
}

static void keep(Changes *c, int was, int is)
{
    c->was.kept[was] = c->is.kept[is] = true;
}

/* ---- anchors ----------------------------------------------------------- */

static void count(Changes *c, const Range *r, int by)
{
    for (int i = r->was; i < r->was_end; i++)
        c->in_was[c->was.id[i]] += by;
    for (int i = r->is; i < r->is_end; i++) {
        c->in_is[c->is.id[i]] += by;
        c->place[c->is.id[i]] = i;
    }
}

/* The longest rising run of at[0..n): its members' numbers in run, how many. */
static int longest_rise(Arena *arena, const int *at, int n, int *run)
{
    int *tail = NEW(arena, int, n + 1), *before = NEW(arena, int, n + 1), longest = 0;
    for (int i = 0; i < n; i++) {
        int low = 0, high = longest;
        while (low < high) {
            int middle = (low + high) / 2;
            if (at[tail[middle]] < at[i])
                low = middle + 1;
            else
                high = middle;
        }
        before[i] = low ? tail[low - 1] : -1;
        tail[low] = i;
        longest = low == longest ? longest + 1 : longest;
    }
    for (int i = longest - 1, k = longest ? tail[longest - 1] : -1; i >= 0; i--, k = before[k])
        run[i] = k;
    return longest;
}

/* Anchors as pairs, in order; how many. */
static int find_anchors(Changes *c, Arena *arena, const Range *r, int *was, int *is)
{
    int n = 0, length = r->was_end - r->was;
    int *at = NEW(arena, int, length + 1), *from = NEW(arena, int, length + 1);
    int *run = NEW(arena, int, length + 1);
    count(c, r, 1);
    for (int i = r->was; i < r->was_end; i++) {
        int id = c->was.id[i];
        if (c->in_was[id] == 1 && c->in_is[id] == 1) {
            from[n] = i;
            at[n++] = c->place[id];
        }
    }
    count(c, r, -1);
    n = longest_rise(arena, at, n, run);
    for (int i = 0; i < n; i++) {
        was[i] = from[run[i]];
        is[i] = at[run[i]];
    }
    return n;
}

/* ---- comparing --------------------------------------------------------- */

/* The longest common subsequence of a short piece. */
static void by_table(Changes *c, Arena *arena, const Range *r)
{
    int n = r->was_end - r->was, m = r->is_end - r->is;
    if ((int64_t)n * m > LARGEST_TABLE)
        return;
    const int *a = c->was.id + r->was, *b = c->is.id + r->is;
    int *common = NEW(arena, int, (n + 1) * (m + 1)); /* of a[i..], b[k..] */
    for (int i = n - 1; i >= 0; i--)
        for (int k = m - 1; k >= 0; k--) {
            int *at = &common[i * (m + 1) + k], down = at[m + 1], right = at[1];
            *at = a[i] == b[k] ? at[m + 2] + 1 : down > right ? down : right;
        }
    for (int i = 0, k = 0; i < n && k < m;) {
        const int *at = &common[i * (m + 1) + k];
        if (a[i] == b[k])
            keep(c, r->was + i++, r->is + k++);
        else if (at[m + 1] >= at[1])
            i++;
        else
            k++;
    }
}

static void compare(Changes *c, Range r)
{
    while (r.was < r.was_end && r.is < r.is_end && c->was.id[r.was] == c->is.id[r.is])
        keep(c, r.was++, r.is++);
    while (r.was < r.was_end && r.is < r.is_end &&
           c->was.id[r.was_end - 1] == c->is.id[r.is_end - 1])
        keep(c, --r.was_end, --r.is_end);
    if (r.was == r.was_end || r.is == r.is_end)
        return;
    Arena *arena = arena_new();
    int *was = NEW(arena, int, r.was_end - r.was), *is = NEW(arena, int, r.was_end - r.was);
    int n = find_anchors(c, arena, &r, was, is);
    if (!n)
        by_table(c, arena, &r);
    for (int i = 0; i < n; i++) {
        compare(c, (Range){r.was, was[i], r.is, is[i]});
        keep(c, was[i], is[i]);
        r.was = was[i] + 1;
        r.is = is[i] + 1;
    }
    if (n)
        compare(c, r);
    arena_free(arena);
}

/* ---- printing ---------------------------------------------------------- */

typedef struct Printer {
    Text *out;
    const char *head;
    const char *section, *told; /* where we are; the last that was printed */
} Printer;

static void print(Printer *p, char sign, const char *line)
{
    bool opens = strncmp(line, p->head, strlen(p->head)) == 0;
    if (opens)
        p->section = p->told = line;
    if (p->section != p->told)
        text_printf(p->out, " %s\n", p->section);
    p->told = p->section;
    text_printf(p->out, "%c%s\n", sign, line);
}

void text_changes(Text *out, const char *was, const char *is, const char *head)
{
    Changes c = {.arena = arena_new()};
    c.was = split(c.arena, was);
    c.is = split(c.arena, is);
    int most = c.was.n + c.is.n + 1;
    c.in_was = NEW(c.arena, int, most);
    c.in_is = NEW(c.arena, int, most);
    c.place = NEW(c.arena, int, most);
    StrMap names = {.arena = c.arena};
    number(&c, &c.was, &names);
    number(&c, &c.is, &names);
    compare(&c, (Range){0, c.was.n, 0, c.is.n});
    Printer p = {.out = out, .head = head};
    for (int i = 0, k = 0; i < c.was.n || k < c.is.n;) {
        if (i < c.was.n && !c.was.kept[i]) {
            print(&p, '-', c.was.line[i++]);
        } else if (k < c.is.n && !c.is.kept[k]) {
            print(&p, '+', c.is.line[k++]);
        } else {
            if (strncmp(c.is.line[k], head, strlen(head)) == 0)
                p.section = c.is.line[k];
            i++;
            k++;
        }
    }
    arena_free(c.arena);
}
