/* The paper's figure with our counts: published top-1 against multiply-accumulates
 * and against parameters, two panels side by side, as an SVG.
 *
 * Labels are placed one by one, in the order of the table: of the places around its
 * point, near ones first, a label takes the one that covers least of points, labels
 * and lines that are there. The same table gives the same picture. */
#include "tools/report.h"
#include <math.h>
#include <string.h>

enum { MAX_FAMILIES = 24, PLACES = 64, LEADER_PARTS = 6 };

/* Eight hues that colour-blind readers tell apart (Okabe and Ito), then by shape. */
static const char *const hue[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                  "#e69f00", "#56b4e9", "#5b5b5b", "#8a6d00"};
enum { HUES = sizeof hue / sizeof *hue };

static const double PANEL_W = 700, PANEL_H = 640, LEFT = 64, TOP = 56, GAP = 90, RADIUS = 4.2;
static const double FONT = 10, CHAR_W = 6.1, LINE_H = 11;

typedef struct Box {
    double x0, y0, x1, y1;
} Box;

typedef struct Axis {
    double low, high, step;
    int decimals;
} Axis;

typedef struct Point {
    const Published *row;
    int family;
    double x, y; /* in the picture */
} Point;

typedef struct Plot {
    Text *out;
    const char *family[MAX_FAMILIES];
    int families;
    VEC(Point) points;
    VEC(Box) taken; /* by labels of this panel */
    Box panel;
    Axis across, up;
} Plot;

/* ---- what is shown ----------------------------------------------------- */

static int family_of(Plot *plot, const char *name)
{
    for (int i = 0; i < plot->families; i++)
        if (strcmp(plot->family[i], name) == 0)
            return i;
    if (plot->families == MAX_FAMILIES)
        return MAX_FAMILIES - 1;
    plot->family[plot->families] = name;
    return plot->families++;
}

static void collect_points(Plot *plot, Arena *arena, const Paper *paper)
{
    for (int i = 0; i < paper->rows.n; i++) {
        const Published *row = &paper->rows.at[i];
        if (isnan(row->top1))
            continue;
        Point point = {.row = row, .family = family_of(plot, row->family)};
        VEC_PUSH(arena, plot->points, point);
    }
}

static double gmacs_of(const Published *row)
{
    return (double)row->ours->total.cost.macs / 1e9;
}

static double mparams_of(const Published *row)
{
    return (double)row->ours->total.cost.params / 1e6;
}

static double top1_of(const Published *row)
{
    return row->top1;
}

/* ---- axes -------------------------------------------------------------- */

/* About seven ticks at 1, 2 or 5 times a power of ten, and some air at the ends. */
static Axis axis_of(const Plot *plot, double (*value)(const Published *))
{
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < plot->points.n; i++) {
        low = fmin(low, value(plot->points.at[i].row));
        high = fmax(high, value(plot->points.at[i].row));
    }
    if (plot->points.n == 0)
        low = 0, high = 1;
    double wide = fmax(high - low, 1e-3 * fmax(fabs(high), 1));
    double power = pow(10, floor(log10(wide / 7)));
    double rest = wide / 7 / power;
    double step = power * (rest <= 1 ? 1 : rest <= 2 ? 2 : rest <= 5 ? 5 : 10);
    Axis axis = {low - 0.06 * wide, high + 0.06 * wide, step, 0};
    axis.decimals = step < 1 ? (int)ceil(-log10(step) - 1e-9) : 0;
    return axis;
}

static double along(const Axis *axis, double value, double from, double to)
{
    return from + (value - axis->low) / (axis->high - axis->low) * (to - from);
}

static void text_at(Plot *plot, double x, double y, const char *anchor, const char *text)
{
    text_printf(plot->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    text_escaped(plot->out, text);
    text_add(plot->out, "</text>\n");
}

static void draw_line(Plot *plot, double x0, double y0, double x1, double y1, const char *style)
{
    text_printf(plot->out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n",
                x0, y0, x1, y1, style);
}

static void draw_axes(Plot *plot, const char *across, const char *up)
{
    const Box *p = &plot->panel;
    Arena *arena = plot->out->arena;
    const Axis *a = &plot->across, *u = &plot->up;
    for (double v = ceil(a->low / a->step) * a->step; v <= a->high; v += a->step) {
        double x = along(a, v, p->x0, p->x1);
        draw_line(plot, x, p->y0, x, p->y1, "grid");
        draw_line(plot, x, p->y1, x, p->y1 + 5, "axis");
        text_at(plot, x, p->y1 + 18, "middle", arena_printf(arena, "%.*f", a->decimals, v));
    }
    for (double v = ceil(u->low / u->step) * u->step; v <= u->high; v += u->step) {
        double y = along(u, v, p->y1, p->y0);
        draw_line(plot, p->x0, y, p->x1, y, "grid");
        draw_line(plot, p->x0 - 5, y, p->x0, y, "axis");
        text_at(plot, p->x0 - 9, y + 3.5, "end", arena_printf(arena, "%.*f", u->decimals, v));
    }
    text_printf(plot->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                           "class=\"frame\"/>\n", p->x0, p->y0, p->x1 - p->x0, p->y1 - p->y0);
    text_at(plot, (p->x0 + p->x1) / 2, p->y1 + 38, "middle", across);
    text_printf(plot->out, "<g transform=\"translate(%.1f %.1f) rotate(-90)\">", p->x0 - 44,
                (p->y0 + p->y1) / 2);
    text_at(plot, 0, 0, "middle", up);
    text_add(plot->out, "</g>\n");
}

/* ---- points ------------------------------------------------------------ */

/* Families of one hue differ by shape. */
static void draw_mark(Plot *plot, double x, double y, int family)
{
    const char *colour = hue[family % HUES];
    double r = RADIUS;
    switch (family / HUES % 3) {
    case 0:
        text_printf(plot->out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\"", x, y, r,
                    colour);
        break;
    case 1:
        text_printf(plot->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                               "fill=\"%s\"", x - r, y - r, 2 * r, 2 * r, colour);
        break;
    case 2:
        text_printf(plot->out, "<path d=\"M%.1f %.1fl%.1f %.1fh%.1fz\" fill=\"%s\"", x, y - r,
                    r, 2 * r, -2 * r, colour);
        break;
    }
}

static void draw_points(Plot *plot)
{
    Arena *arena = plot->out->arena;
    for (int i = 0; i < plot->points.n; i++) {
        const Point *p = &plot->points.at[i];
        draw_mark(plot, p->x, p->y, p->family);
        text_add(plot->out, "><title>");
        text_escaped(plot->out,
                     arena_printf(arena, "%s: %.1f %%, %.1f MMAC, %.2f M parameters",
                                  p->row->name, p->row->top1, gmacs_of(p->row) * 1e3,
                                  mparams_of(p->row)));
        text_printf(plot->out, "</title></%s>\n",
                    p->family / HUES % 3 == 0 ? "circle" : p->family / HUES % 3 == 1 ? "rect"
                                                                                      : "path");
    }
}

/* ---- labels ------------------------------------------------------------ */

static double overlap(const Box *a, const Box *b)
{
    double w = fmin(a->x1, b->x1) - fmax(a->x0, b->x0);
    double h = fmin(a->y1, b->y1) - fmax(a->y0, b->y0);
    return w > 0 && h > 0 ? w * h : 0;
}

/* Eight directions, then the same further away: the box of a label w wide. */
static Box place_of(const Point *p, double w, int place)
{
    static const double side[8] = {1, -1, 0, 0, 1, -1, 1, -1}; /* right left .. */
    static const double down[8] = {0, 0, -1, 1, -1, -1, 1, 1};
    int way = place % 8;
    double away = RADIUS + 3 + 9 * (place / 8);
    double x = p->x + side[way] * (away + w / 2), y = p->y + down[way] * (away + LINE_H / 2);
    if (down[way] != 0 && side[way] != 0)
        x = p->x + side[way] * (0.7 * away + w / 2);
    return (Box){x - w / 2, y - LINE_H / 2, x + w / 2, y + LINE_H / 2};
}

/* From a mark to the edge of its label that faces it. */
typedef struct Leader {
    double x0, y0, x1, y1;
    bool drawn; /* near labels need none */
} Leader;

static Leader leader_of(const Point *p, const Box *box)
{
    double x = fmin(fmax(p->x, box->x0), box->x1), y = fmin(fmax(p->y, box->y0), box->y1);
    return (Leader){p->x, p->y, x, y, hypot(x - p->x, y - p->y) > RADIUS + 7};
}

/* The line as a row of small boxes; the first is off its own mark. */
static Box leader_part(const Leader *line, int part)
{
    double at = (part + 1.0) / (LEADER_PARTS + 1);
    double x = line->x0 + at * (line->x1 - line->x0), y = line->y0 + at * (line->y1 - line->y0);
    return (Box){x - 1.5, y - 1.5, x + 1.5, y + 1.5};
}

static double covered(const Plot *plot, const Box *box)
{
    double area = 0;
    for (int i = 0; i < plot->points.n; i++) {
        const Point *p = &plot->points.at[i];
        Box mark = {p->x - RADIUS - 1, p->y - RADIUS - 1, p->x + RADIUS + 1, p->y + RADIUS + 1};
        area += 3 * overlap(box, &mark);
    }
    for (int i = 0; i < plot->taken.n; i++)
        area += 4 * overlap(box, &plot->taken.at[i]);
    return area;
}

static double cost_of(const Plot *plot, const Point *p, const Box *box, int place)
{
    const Box *panel = &plot->panel;
    double cost = 8.0 * (place / 8) + 0.1 * (place % 8) + covered(plot, box);
    Leader line = leader_of(p, box);
    for (int i = 0; line.drawn && i < LEADER_PARTS; i++) {
        Box part = leader_part(&line, i);
        cost += 0.3 * covered(plot, &part);
    }
    if (box->x0 < panel->x0 + 2 || box->x1 > panel->x1 - 2 || box->y0 < panel->y0 + 2 ||
        box->y1 > panel->y1 - 2)
        cost += 1e6;
    return cost;
}

/* Later labels keep off the label and its line. */
static void take_place(Plot *plot, const Point *p, const Box *box)
{
    Leader line = leader_of(p, box);
    VEC_PUSH(plot->out->arena, plot->taken, *box);
    if (!line.drawn)
        return;
    draw_line(plot, line.x0, line.y0, line.x1, line.y1, "leader");
    for (int i = 0; i < LEADER_PARTS; i++)
        VEC_PUSH(plot->out->arena, plot->taken, leader_part(&line, i));
}

static void draw_labels(Plot *plot)
{
    plot->taken.n = 0;
    for (int i = 0; i < plot->points.n; i++) {
        const Point *p = &plot->points.at[i];
        double w = CHAR_W * (double)strlen(p->row->name) + 2, least = INFINITY;
        Box best = {0};
        for (int place = 0; place < PLACES; place++) {
            Box box = place_of(p, w, place);
            double cost = cost_of(plot, p, &box, place);
            if (cost < least) {
                least = cost;
                best = box;
            }
        }
        take_place(plot, p, &best);
        text_at(plot, (best.x0 + best.x1) / 2, best.y1 - 2.5, "middle", p->row->name);
    }
}

/* ---- the picture ------------------------------------------------------- */

static void draw_panel(Plot *plot, double left, double (*value)(const Published *),
                       const char *across)
{
    plot->panel = (Box){left, TOP, left + PANEL_W, TOP + PANEL_H};
    plot->across = axis_of(plot, value);
    plot->up = axis_of(plot, top1_of);
    for (int i = 0; i < plot->points.n; i++) {
        Point *p = &plot->points.at[i];
        p->x = along(&plot->across, value(p->row), plot->panel.x0, plot->panel.x1);
        p->y = along(&plot->up, p->row->top1, plot->panel.y1, plot->panel.y0);
    }
    draw_axes(plot, across, "published top-1, %");
    draw_labels(plot);
    draw_points(plot);
}

static void draw_legend(Plot *plot, double y)
{
    double x = LEFT;
    for (int i = 0; i < plot->families; i++) {
        double wide = 6.3 * (double)strlen(plot->family[i]) + 34;
        if (x + wide > LEFT + 2 * PANEL_W + GAP) {
            x = LEFT;
            y += 20;
        }
        draw_mark(plot, x + 6, y - 4, i);
        text_add(plot->out, "/>\n");
        text_at(plot, x + 16, y, "start", plot->family[i]);
        x += wide;
    }
}

static void draw_head(Plot *plot, double width, double height)
{
    text_printf(plot->out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
                "width=\"%.0f\" height=\"%.0f\" font-family=\"sans-serif\" font-size=\"%.0f\">\n",
                width, height, width, height, FONT);
    text_add(plot->out,
             "<style>.grid { stroke: #e4e8ee } .axis { stroke: #1c2430 } "
             ".leader { stroke: #9aa3af; stroke-width: 0.6 } "
             ".frame { fill: none; stroke: #1c2430 } .head { font-size: 16px }</style>\n");
    text_printf(plot->out, "<rect width=\"%.0f\" height=\"%.0f\" fill=\"#fff\"/>\n", width,
                height);
    text_add(plot->out, "<g class=\"head\">");
    text_at(plot, LEFT, 32, "start",
            "Published top-1 accuracy against what we count: multiply-accumulates and parameters");
    text_add(plot->out, "</g>\n");
}

void plot_paper(Arena *arena, const Paper *paper, Text *out)
{
    Plot plot = {.out = out};
    double width = LEFT + 2 * PANEL_W + GAP + 24, height = TOP + PANEL_H + 120;
    collect_points(&plot, arena, paper);
    draw_head(&plot, width, height);
    draw_panel(&plot, LEFT, gmacs_of, "GMAC (ours)");
    draw_panel(&plot, LEFT + PANEL_W + GAP, mparams_of, "million parameters (ours)");
    draw_legend(&plot, TOP + PANEL_H + 66);
    text_add(out, "</svg>\n");
}
