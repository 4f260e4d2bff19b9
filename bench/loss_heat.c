/* loss_heat.c: which weights a candidate hurts: a field a matrix, columns are layers, rows the
 * kinds of matrices; dark = much noise. All candidates of a report have one scale of colours. */
#include "loss_charts.h"
#include "loss_views.h"
#include <math.h>
#include <string.h>

enum { KIND_MAX = 24, KIND_SIZE = 24, INK = 0x20262C, MUTED = 0x5A646E, EMPTY = 0xF2F4F6 };

static const double label_size = 10, title_size = 13;
static const double tick_step = 5, range_shown = 30, most = 1000; /* dB; no tensor has that much */
static const double left = 92, right = 14, top = 26, bottom = 64;

struct heat {
    char kinds[KIND_MAX][KIND_SIZE];
    size_t kind_count;
    unsigned layers;
};

struct scale {
    double low, high; /* dB, multiples of tick_step */
    bool more;        /* some are above high */
};

/* "blk.3.attn_q.weight": layer 3, kind "attn_q". */
static bool parse_name(const char *name, unsigned *layer, char kind[KIND_SIZE])
{
    int used = 0;
    if (sscanf(name, "blk.%5u.%n", layer, &used) != 1 || used == 0)
        return false;
    size_t length = strcspn(name + used, ".");
    snprintf(kind, KIND_SIZE, "%.*s", length < KIND_SIZE - 1 ? (int)length : KIND_SIZE - 1,
             name + used);
    return length > 0;
}

static size_t find_kind(const struct heat *heat, const char *kind)
{
    size_t i = 0;
    while (i < heat->kind_count && strcmp(heat->kinds[i], kind) != 0)
        i++;
    return i;
}

static void survey(struct heat *heat, const json_t *tensors)
{
    *heat = (struct heat){.layers = 0};
    for (size_t i = 0; i < json_array_size(tensors); i++) {
        const json_t *tensor = json_array_get(tensors, i);
        double noise = loss_number(tensor, "sqnr_db", NULL);
        char kind[KIND_SIZE];
        unsigned layer;
        if (!isfinite(noise) || !parse_name(loss_string(tensor, "name"), &layer, kind))
            continue;
        size_t at = find_kind(heat, kind);
        if (at == KIND_MAX)
            continue;
        if (at == heat->kind_count)
            memcpy(heat->kinds[heat->kind_count++], kind, KIND_SIZE);
        heat->layers = layer + 1 > heat->layers ? layer + 1 : heat->layers;
    }
}

static void widen(const json_t *tensors, double *low, double *high)
{
    for (size_t i = 0; i < json_array_size(tensors); i++) {
        double noise = loss_number(json_array_get(tensors, i), "sqnr_db", NULL);
        char kind[KIND_SIZE];
        unsigned layer;
        if (!(fabs(noise) < most) ||
            !parse_name(loss_string(json_array_get(tensors, i), "name"), &layer, kind))
            continue;
        *low = fmin(*low, noise);
        *high = fmax(*high, noise);
    }
}

/* Of all candidates. A matrix left at 16 bits is 50 dB above the rest, and would make the rest one
 * colour: the scale ends range_shown above its beginning. */
static struct scale scale_of(const json_t *report)
{
    double low = INFINITY, high = -INFINITY;
    const json_t *candidates = json_object_get(report, "candidates");
    for (size_t i = 0; i < json_array_size(candidates); i++)
        widen(json_object_get(json_array_get(candidates, i), "tensors"), &low, &high);
    if (!isfinite(low))
        return (struct scale){0, tick_step, false};
    low = tick_step * floor(low / tick_step);
    double end = fmax(tick_step * ceil(high / tick_step), low + tick_step);
    bool more = end > low + range_shown;
    return (struct scale){low, more ? low + range_shown : end, more};
}

/* From dark red (much noise) over yellow to pale blue. */
static uint32_t color_of(double share)
{
    static const double stops[4][3] = {
        {122, 21, 48}, {214, 96, 60}, {247, 205, 120}, {206, 226, 240}};
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    size_t i = share >= 1 ? 2 : (size_t)(share * 3);
    double part = share * 3 - (double)i;
    uint32_t color = 0;
    for (size_t k = 0; k < 3; k++)
        color = color << 8 | (uint32_t)(stops[i][k] + part * (stops[i + 1][k] - stops[i][k]));
    return color;
}

static double share_of(const struct scale *scale, double noise)
{
    return (noise - scale->low) / (scale->high - scale->low);
}

static void draw_scale(struct drawing *drawing, const struct scale *scale)
{
    char text[32];
    double x0 = left, x1 = LOSS_SHEET_WIDTH - right, y = LOSS_SHEET_HEIGHT - 36;
    for (int i = 0; i < 60; i++)
        drawing_fill(drawing, x0 + (x1 - x0) * i / 60, y, x0 + (x1 - x0) * (i + 1) / 60, y + 8,
                     color_of(i / 59.0));
    for (double noise = scale->low; noise <= scale->high; noise += tick_step) {
        double x = x0 + (x1 - x0) * share_of(scale, noise);
        bool last = noise >= scale->high;
        drawing_line(drawing, x, y + 8, x, y + 11, 1, MUTED);
        snprintf(text, sizeof text, last && scale->more ? "%.0f+" : "%.0f", noise);
        drawing_text(drawing, x, y + 21, label_size, CANVAS_MIDDLE, false, MUTED, text);
    }
    drawing_text(drawing, (x0 + x1) / 2, y + 33, label_size, CANVAS_MIDDLE, false, INK,
                 "signal / noise of the weights, dB");
}

static void draw_frame(struct drawing *drawing, const struct heat *heat, double width,
                       double height)
{
    char text[32];
    unsigned stride = heat->layers <= 12 ? 1 : heat->layers <= 60 ? 5 : 10;
    drawing_text(drawing, 14, 15, title_size, CANVAS_START, false, INK, "Noise of the weights");
    for (size_t i = 0; i < heat->kind_count; i++)
        drawing_text(drawing, left - 5, top + ((double)i + 0.5) * height + 3.5, label_size,
                     CANVAS_END, false, MUTED, heat->kinds[i]);
    for (unsigned i = 0; i < heat->layers; i += stride) {
        snprintf(text, sizeof text, "%u", i);
        drawing_text(drawing, left + (i + 0.5) * width,
                     top + (double)heat->kind_count * height + 12, label_size, CANVAS_MIDDLE, false,
                     MUTED, text);
    }
    drawing_text(drawing, left - 5, top + (double)heat->kind_count * height + 12, label_size,
                 CANVAS_END, false, INK, "layer");
}

bool loss_chart_layers(struct drawing *drawing, const json_t *report, size_t candidate)
{
    const json_t *tensors = json_object_get(
        json_array_get(json_object_get(report, "candidates"), candidate), "tensors");
    struct scale scale = scale_of(report);
    struct heat heat;
    survey(&heat, tensors);
    if (heat.kind_count == 0)
        return false;
    double width = (LOSS_SHEET_WIDTH - left - right) / heat.layers;
    double height = (LOSS_SHEET_HEIGHT - top - bottom) / (double)heat.kind_count;
    drawing_fill(drawing, left, top, LOSS_SHEET_WIDTH - right, LOSS_SHEET_HEIGHT - bottom, EMPTY);
    for (size_t i = 0; i < json_array_size(tensors); i++) {
        const json_t *tensor = json_array_get(tensors, i);
        double noise = loss_number(tensor, "sqnr_db", NULL);
        char kind[KIND_SIZE];
        unsigned layer;
        if (!isfinite(noise) || !parse_name(loss_string(tensor, "name"), &layer, kind))
            continue;
        double row = (double)find_kind(&heat, kind);
        if (row < (double)heat.kind_count)
            drawing_fill(drawing, left + layer * width, top + row * height,
                         left + (layer + 1) * width - 0.5, top + (row + 1) * height - 0.5,
                         color_of(share_of(&scale, noise)));
    }
    draw_frame(drawing, &heat, width, height);
    draw_scale(drawing, &scale);
    return true;
}
