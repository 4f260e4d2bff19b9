/* loss_charts.c: loss against size, change of probability, loss by position. */
#include "loss_charts.h"
#include "axis.h"
#include "loss_views.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const uint32_t loss_colors[LOSS_COLORS] = {0x1B6CA8, 0xD1495B, 0x2F7D5B, 0xE08E1B,
                                           0x7A4EAB, 0x1A9BA6, 0x8C5A3C, 0x5B6770,
                                           0x0B3C5D, 0xB5179E, 0x7C8A1F, 0xE07A9A};

enum {
    INK = 0x20262C,
    MUTED = 0x5A646E,
    GRID = 0xE1E6EB,
    LEFT = 58,
    RIGHT = 14,
    TOP = 26,
    BOTTOM = 44,
    LABEL_MAX = 64, /* points that get a number */
    NUMBER_GAP = 4
};

static const double label_size = 11, title_size = 13;

struct frame {
    struct drawing *drawing;
    struct axis x, y;
};

/* Axes around low .. high of both; what has no extent gets some. */
static void frame_fit(struct frame *frame, struct drawing *drawing, double x0, double x1, double y0,
                      double y1, bool log_y)
{
    frame->drawing = drawing;
    frame->x.from = LEFT;
    frame->x.to = LOSS_SHEET_WIDTH - RIGHT;
    frame->y.from = LOSS_SHEET_HEIGHT - BOTTOM;
    frame->y.to = TOP;
    axis_fit(&frame->x, x0, x1, false, 5);
    axis_fit(&frame->y, y0, y1, log_y, 5);
}

static double frame_x(const struct frame *frame, double value)
{
    return (double)axis_at(&frame->x, value);
}

/* Values beyond the axis end at it. */
static double frame_y(const struct frame *frame, double value)
{
    double y = (double)axis_at(&frame->y, value);
    y = y > (double)frame->y.from ? (double)frame->y.from : y;
    return y < (double)frame->y.to ? (double)frame->y.to : y;
}

/* axis_label's exponents are for engineers: "0.001" here. */
static void log_label(double value, char text[32])
{
    snprintf(text, 32, value >= 1e-4 ? "%.6g" : "%.0e", value);
}

static void frame_draw(const struct frame *frame, const char *title, const char *x_title,
                       const char *y_title)
{
    struct drawing *drawing = frame->drawing;
    double x0 = (double)frame->x.from, x1 = (double)frame->x.to, y0 = (double)frame->y.from;
    char label[32];
    double before = -1000;
    drawing_text(drawing, LEFT, 15, title_size, CANVAS_START, false, INK, title);
    for (uint32_t i = 0; i < frame->y.tick_count; i++) {
        double y = (double)axis_at(&frame->y, frame->y.ticks[i]);
        log_label(frame->y.ticks[i], label); /* all y axes here are logarithmic */
        drawing_line(drawing, x0, y, x1, y, 1, GRID);
        drawing_text(drawing, x0 - 5, y + 4, label_size, CANVAS_END, false, MUTED, label);
    }
    for (uint32_t i = 0; i < frame->x.tick_count; i++) {
        double x = (double)axis_at(&frame->x, frame->x.ticks[i]);
        axis_label(&frame->x, i, label);
        double half = drawing_text_width(label_size, label) / 2;
        drawing_line(drawing, x, y0, x, y0 + 4, 1, MUTED);
        if (x - half < before + 4)
            continue; /* no room beside the last one */
        double at = x + half > LOSS_SHEET_WIDTH ? LOSS_SHEET_WIDTH - half : x;
        drawing_text(drawing, at, y0 + 16, label_size, CANVAS_MIDDLE, false, MUTED, label);
        before = x + half;
    }
    drawing_line(drawing, x0, y0, x1, y0, 1, MUTED);
    drawing_text(drawing, (x0 + x1) / 2, LOSS_SHEET_HEIGHT - 8, label_size, CANVAS_MIDDLE, false,
                 INK, x_title);
    drawing_text(drawing, 12, ((double)frame->y.to + y0) / 2, label_size, CANVAS_MIDDLE, true, INK,
                 y_title);
}

static size_t candidate_count(const json_t *report)
{
    return json_array_size(json_object_get(report, "candidates"));
}

static const json_t *candidate_at(const json_t *report, size_t i)
{
    return json_array_get(json_object_get(report, "candidates"), i);
}

static void widen(double value, double *low, double *high)
{
    if (!isfinite(value))
        return;
    *low = value < *low ? value : *low;
    *high = value > *high ? value : *high;
}

/* ---- loss against size ---- */

struct point {
    double size, kld, low, high; /* MB, nats; low, high: NaN when unknown */
    size_t candidate;
};

static size_t size_points(const json_t *report, const char *text, struct point *points)
{
    size_t count = 0;
    for (size_t i = 0; i < candidate_count(report); i++) {
        const json_t *result = loss_result(candidate_at(report, i), text);
        const json_t *interval = json_object_get(json_object_get(result, "kld"), "ci95");
        struct point point = {loss_number(candidate_at(report, i), "bytes", NULL) / 1e6,
                              loss_number(result, "kld", "mean", NULL),
                              loss_number(json_array_get(interval, 0), NULL),
                              loss_number(json_array_get(interval, 1), NULL), i};
        if (point.kld > 0 && isfinite(point.size)) /* 0 has no place on a log axis */
            points[count++] = point;
    }
    return count;
}

static int compare_points(const void *a, const void *b)
{
    const struct point *x = a, *y = b;
    int by_size = (x->size > y->size) - (x->size < y->size);
    return by_size ? by_size : (x->kld > y->kld) - (x->kld < y->kld);
}

/* Those that no smaller one beats, joined. points are sorted. */
static void draw_front(const struct frame *frame, const struct point *points, size_t count)
{
    struct drawing_point front[64];
    size_t size = 0;
    double best = INFINITY;
    for (size_t i = 0; i < count && size < 64; i++)
        if (points[i].kld < best) {
            best = points[i].kld;
            front[size++] = (struct drawing_point){frame_x(frame, points[i].size),
                                                   frame_y(frame, points[i].kld)};
        }
    drawing_lines(frame->drawing, front, size, 1.2, 0xB4BDC6);
}

struct box {
    double x0, y0, x1, y1;
};

struct labels {
    const struct frame *frame;
    const struct point *points;
    size_t count;
    struct box placed[LABEL_MAX];
    size_t placed_count;
};

static bool apart(const struct box *a, const struct box *b)
{
    return a->x1 <= b->x0 || b->x1 <= a->x0 || a->y1 <= b->y0 || b->y1 <= a->y0;
}

/* Inside the frame, on no point and no label. */
static bool is_free(const struct labels *labels, const struct box *box)
{
    const struct frame *frame = labels->frame;
    if (box->x0 < (double)frame->x.from || box->x1 > LOSS_SHEET_WIDTH ||
        box->y0 < (double)frame->y.to - 8 || box->y1 > (double)frame->y.from)
        return false;
    for (size_t i = 0; i < labels->count; i++) {
        double x = frame_x(frame, labels->points[i].size);
        double y = frame_y(frame, labels->points[i].kld);
        if (!apart(box, &(struct box){x - 4, y - 4, x + 4, y + 4}))
            return false;
    }
    for (size_t i = 0; i < labels->placed_count; i++)
        if (!apart(box, &labels->placed[i]))
            return false;
    return true;
}

/* A place of that width for what is said of a point at x, y: right or left of it, as near as there
 * is room. */
static struct box place(const struct labels *labels, double x, double y, double width)
{
    static const double steps[] = {-4, 4, -13, 13, -22, 22, -31, 31, -40, 40};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        for (int side = 0; side < 2; side++) {
            double x0 = side ? x - 7 - width : x + 7, middle = y + steps[i];
            struct box box = {x0, middle - 5, x0 + width, middle + 5};
            if (is_free(labels, &box))
                return box;
        }
    return (struct box){x + 7, y - 9, x + 7 + width, y + 1};
}

static double number_text(const struct point *point, char text[16])
{
    snprintf(text, 16, "%zu", point->candidate + 1);
    return drawing_text_width(label_size, text);
}

/* "2", or "1 7 8" where points lie on each other, each number in its colour. */
static void draw_group(struct labels *labels, const size_t *group, size_t size)
{
    char text[16];
    const struct frame *frame = labels->frame;
    double x = frame_x(frame, labels->points[group[0]].size), width = -NUMBER_GAP;
    double y = frame_y(frame, labels->points[group[0]].kld);
    for (size_t i = 0; i < size; i++)
        width += number_text(&labels->points[group[i]], text) + NUMBER_GAP;
    struct box box = place(labels, x, y, width);
    if (labels->placed_count < LABEL_MAX)
        labels->placed[labels->placed_count++] = box;
    double at = box.x0, middle = (box.y0 + box.y1) / 2;
    if (fabs(middle - y) > 10) /* far from its point */
        drawing_line(frame->drawing, at > x ? at - 1 : box.x1 + 1, middle, x, y, 0.7, 0xB4BDC6);
    for (size_t i = 0; i < size; i++) {
        const struct point *point = &labels->points[group[i]];
        double step = number_text(point, text) + NUMBER_GAP;
        drawing_text(frame->drawing, at, box.y1 - 1, label_size, CANVAS_START, false,
                     loss_colors[point->candidate % LOSS_COLORS], text);
        at += step;
    }
}

static void draw_numbers(const struct frame *frame, const struct point *points, size_t count)
{
    struct labels labels = {.frame = frame, .points = points, .count = count};
    bool said[LABEL_MAX] = {false};
    count = count < LABEL_MAX ? count : LABEL_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t group[LABEL_MAX], size = 0;
        for (size_t k = i; k < count && !said[i]; k++)
            if (!said[k] &&
                fabs(frame_x(frame, points[k].size) - frame_x(frame, points[i].size)) <= 4 &&
                fabs(frame_y(frame, points[k].kld) - frame_y(frame, points[i].kld)) <= 4)
                group[size++] = k;
        for (size_t k = 0; k < size; k++)
            said[group[k]] = true;
        if (size)
            draw_group(&labels, group, size);
    }
}

static void draw_point(const struct frame *frame, const struct point *point)
{
    uint32_t color = loss_colors[point->candidate % LOSS_COLORS];
    double x = frame_x(frame, point->size), y = frame_y(frame, point->kld);
    if (isfinite(point->low) && isfinite(point->high)) {
        double low = frame_y(frame, point->low > 0 ? point->low : frame->y.min);
        double high = frame_y(frame, point->high);
        drawing_line(frame->drawing, x, low, x, high, 1.5, color);
        drawing_line(frame->drawing, x - 3, high, x + 3, high, 1.5, color);
        if (point->low > frame->y.min)
            drawing_line(frame->drawing, x - 3, low, x + 3, low, 1.5, color);
    }
    drawing_disc(frame->drawing, x, y, 4, color);
}

bool loss_chart_size(struct drawing *drawing, const json_t *report, const char *text)
{
    struct point *points = malloc((candidate_count(report) + 1) * sizeof *points);
    size_t count = points ? size_points(report, text, points) : 0;
    double size0 = INFINITY, size1 = -INFINITY, kld0 = INFINITY, kld1 = -INFINITY;
    struct frame frame;
    for (size_t i = 0; i < count; i++) {
        widen(points[i].size, &size0, &size1);
        widen(points[i].kld, &kld0, &kld1);
        if (points[i].low > points[i].kld / 10) /* a whisker to 0 would stretch the axis */
            widen(points[i].low, &kld0, &kld1);
        if (points[i].high < points[i].kld * 10)
            widen(points[i].high, &kld0, &kld1);
    }
    if (count == 0) {
        free(points);
        return false;
    }
    double margin = size1 > size0 ? 0.05 * (size1 - size0) : 0.1 * size0;
    frame_fit(&frame, drawing, size0 - margin, size1 + margin, kld0, kld1, true);
    frame_draw(&frame, "Loss against size", "file size, MB", "mean KLD, nats (log)");
    qsort(points, count, sizeof *points, compare_points);
    draw_front(&frame, points, count);
    for (size_t i = 0; i < count; i++)
        draw_point(&frame, &points[i]);
    draw_numbers(&frame, points, count);
    free(points);
    return true;
}

/* ---- change of probability ---- */

static const double least_share = 0.01;

static const json_t *histogram_of(const json_t *report, size_t candidate, const char *text)
{
    const json_t *result = loss_result(candidate_at(report, candidate), text);
    return json_object_get(json_object_get(result, "delta_p"), "histogram");
}

static void draw_steps(const struct frame *frame, const json_t *bins, uint32_t color)
{
    struct drawing_point points[256];
    size_t count = json_array_size(bins), size = 0;
    for (size_t i = 0; i < count && size + 2 <= 256; i++) {
        double share = loss_number(json_array_get(bins, i), NULL);
        double percent = 100 * share;
        double y = frame_y(frame, percent > least_share ? percent : least_share);
        for (size_t side = 0; side < 2; side++) {
            double x = 200.0 * (double)(i + side) / (double)count - 100;
            points[size++] = (struct drawing_point){frame_x(frame, x), y};
        }
    }
    drawing_lines(frame->drawing, points, size, 1.5, color);
}

bool loss_chart_delta(struct drawing *drawing, const json_t *report, const char *text)
{
    struct frame frame;
    bool any = false;
    for (size_t i = 0; i < candidate_count(report); i++)
        any = any || json_array_size(histogram_of(report, i, text)) > 0;
    if (!any)
        return false;
    frame_fit(&frame, drawing, -100, 100, least_share, 100, true);
    frame_draw(&frame, "What happens to the true token", "change of its probability, points of 100",
               "share of tokens, % (log)");
    for (size_t i = candidate_count(report); i-- > 0;)
        draw_steps(&frame, histogram_of(report, i, text), loss_colors[i % LOSS_COLORS]);
    return true;
}

/* ---- loss by position ---- */

static const json_t *parts_of(const json_t *report, size_t candidate, const char *text)
{
    return json_object_get(loss_result(candidate_at(report, candidate), text), "positions");
}

static void draw_positions(const struct frame *frame, const json_t *parts, uint32_t color)
{
    struct drawing_point points[64];
    size_t size = 0;
    for (size_t i = 0; i < json_array_size(parts) && size < 64; i++) {
        const json_t *part = json_array_get(parts, i);
        double kld = loss_number(part, "kld", NULL);
        double at = (loss_number(part, "from", NULL) + loss_number(part, "to", NULL)) / 2;
        if (!(kld > 0))
            continue;
        points[size] = (struct drawing_point){frame_x(frame, at), frame_y(frame, kld)};
        drawing_disc(frame->drawing, points[size].x, points[size].y, 2.5, color);
        size++;
    }
    drawing_lines(frame->drawing, points, size, 1.5, color);
}

bool loss_chart_position(struct drawing *drawing, const json_t *report, const char *text)
{
    double at0 = INFINITY, at1 = -INFINITY, kld0 = INFINITY, kld1 = -INFINITY;
    struct frame frame;
    for (size_t i = 0; i < candidate_count(report); i++) {
        const json_t *parts = parts_of(report, i, text);
        for (size_t k = 0; k < json_array_size(parts); k++) {
            const json_t *part = json_array_get(parts, k);
            double kld = loss_number(part, "kld", NULL);
            widen(loss_number(part, "from", NULL), &at0, &at1);
            widen(loss_number(part, "to", NULL), &at0, &at1);
            if (kld > 0)
                widen(kld, &kld0, &kld1);
        }
    }
    if (!(kld1 > 0))
        return false;
    frame_fit(&frame, drawing, at0, at1, kld0, kld1, true);
    frame_draw(&frame, "Loss by position", "tokens before the scored one", "mean KLD, nats (log)");
    for (size_t i = candidate_count(report); i-- > 0;)
        draw_positions(&frame, parts_of(report, i, text), loss_colors[i % LOSS_COLORS]);
    return true;
}
