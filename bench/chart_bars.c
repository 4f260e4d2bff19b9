/* chart_bars.c: where bars, values and labels go. */
#include "chart_bars.h"
#include "axis.h"
#include <math.h>
#include <stdio.h>

static const float TITLE = 20, TEXT = 15, SMALL = 14;
enum { VALUE_TEXT = 24 };

/* Three digits are enough of a measurement. */
static void value_text(double value, char text[VALUE_TEXT])
{
    int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(text, VALUE_TEXT, "%.*f", digits, value);
}

struct layout {
    struct canvas_box plot;
    struct axis axis;
    float group_width, bar_width;
    bool values_upwards, notes, labels_upwards, values_hidden;
    size_t label_stride; /* one label for so many groups */
};

static double top_of(const struct chart_bar *bar)
{
    return fmax(bar->value, bar->high);
}

static double highest(const struct chart_bars *bars)
{
    double most = 0;
    for (size_t i = 0; i < bars->group_count * bars->series_count; i++)
        most = fmax(most, top_of(&bars->bars[i]));
    return most > 0 ? most : 1;
}

static float widest_value(const struct chart_bars *bars)
{
    const struct canvas_text style = {.size = SMALL};
    float widest = 0;
    for (size_t i = 0; i < bars->group_count * bars->series_count; i++) {
        char text[VALUE_TEXT];
        value_text(bars->bars[i].value, text);
        widest = fmaxf(widest, canvas_text_width(&style, text));
    }
    return widest;
}

static float widest_label(const struct chart_bars *bars, bool *notes)
{
    const struct canvas_text style = {.size = TEXT};
    float widest = 0;
    *notes = false;
    for (size_t i = 0; i < bars->group_count; i++) {
        widest = fmaxf(widest, canvas_text_width(&style, bars->groups[i].label));
        *notes = *notes || bars->groups[i].note[0];
    }
    return widest;
}

/* Widths first: they decide which texts are turned, and that how high the bars may get. */
static void arrange(const struct chart_bars *bars, struct canvas_box box, struct layout *layout)
{
    float label = widest_label(bars, &layout->notes), value = widest_value(bars);
    layout->plot = (struct canvas_box){box.x0 + 5.2f * TEXT, box.y0 + 2.6f * TITLE, box.x1,
                                       box.y1 - 3.6f * TEXT};
    layout->group_width =
        (layout->plot.x1 - layout->plot.x0) / (float)(bars->group_count ? bars->group_count : 1);
    layout->labels_upwards = label > 0.92f * layout->group_width;
    layout->label_stride = 1;
    if (layout->labels_upwards && layout->group_width < 1.2f * TEXT)
        layout->label_stride = (size_t)ceilf(1.2f * TEXT / layout->group_width);
    if (layout->labels_upwards)
        layout->plot.y1 -= label - TEXT;
    float room = 0.72f * layout->group_width / (float)bars->series_count;
    layout->bar_width = fminf(room, 84);
    layout->values_upwards = value > 0.96f * layout->bar_width;
    layout->values_hidden = layout->values_upwards && layout->bar_width < 0.9f * SMALL;
    float above = layout->values_hidden    ? 0.5f * SMALL
                  : layout->values_upwards ? value + SMALL
                                           : 1.7f * SMALL;
    if (layout->notes)
        above += 1.5f * TEXT;
    layout->axis.from = layout->plot.y1;
    layout->axis.to = layout->plot.y0;
    double share = (double)(above / (layout->plot.y1 - layout->plot.y0));
    axis_fit(&layout->axis, 0, highest(bars) / (1 - fmin(share, 0.8)), false, 6);
}

/* On paper of its own: grid lines do not run through it. */
static void draw_text(struct canvas *canvas, float x, float y, const struct canvas_text *style,
                      const char *text)
{
    canvas_fill(canvas, canvas_text_box(style, x, y, text), CHART_PAPER);
    canvas_text(canvas, x, y, style, text);
}

static void draw_whisker(struct canvas *canvas, const struct layout *layout, float x,
                         const struct chart_bar *bar)
{
    float low = axis_at(&layout->axis, bar->low), high = axis_at(&layout->axis, bar->high);
    float half = fminf(0.16f * layout->bar_width, 8);
    if (!(bar->high > bar->low))
        return;
    canvas_line(canvas, x, low, x, high, 1.6f, CHART_INK);
    canvas_line(canvas, x - half, low, x + half, low, 1.6f, CHART_INK);
    canvas_line(canvas, x - half, high, x + half, high, 1.6f, CHART_INK);
}

static void draw_value(struct canvas *canvas, const struct layout *layout, float x,
                       const struct chart_bar *bar)
{
    struct canvas_text style = {SMALL, CANVAS_MIDDLE, false, false, CHART_INK};
    char text[VALUE_TEXT];
    float y = axis_at(&layout->axis, top_of(bar)) - 0.5f * SMALL;
    value_text(bar->value, text);
    if (layout->values_hidden)
        return;
    if (layout->values_upwards) {
        style.upwards = true;
        style.align = CANVAS_START;
        x += 0.35f * SMALL;
    }
    draw_text(canvas, x, y, &style, text);
}

static void draw_note(struct canvas *canvas, const struct layout *layout, float middle, double top,
                      const char *note)
{
    const struct canvas_text style = {TEXT, CANVAS_MIDDLE, false, true, CHART_INK};
    if (canvas_text_width(&style, note) > layout->group_width)
        return;
    float y = axis_at(&layout->axis, top);
    draw_text(canvas, middle, y - (layout->values_upwards ? 4.2f : 1.9f) * SMALL, &style, note);
}

static void draw_label(struct canvas *canvas, const struct layout *layout, float middle,
                       const char *label)
{
    struct canvas_text style = {TEXT, CANVAS_MIDDLE, false, false, CHART_INK};
    float y = layout->plot.y1 + 1.3f * TEXT;
    if (layout->labels_upwards) {
        style.upwards = true;
        style.align = CANVAS_END;
        middle += 0.35f * TEXT;
        y = layout->plot.y1 + 0.5f * TEXT;
    }
    canvas_text(canvas, middle, y, &style, label);
}

static void draw_group(struct canvas *canvas, const struct chart_bars *bars,
                       const struct layout *layout, size_t group)
{
    float middle = layout->plot.x0 + layout->group_width * ((float)group + 0.5f);
    const struct chart_bar *items = bars->bars + group * bars->series_count;
    size_t present = 0;
    double top = 0;
    for (size_t s = 0; s < bars->series_count; s++)
        present += items[s].value > 0;
    float x = middle - layout->bar_width * (float)present / 2;
    for (size_t s = 0; s < bars->series_count; s++) {
        if (!(items[s].value > 0))
            continue;
        float inset = fminf(0.06f * layout->bar_width, 4), center = x + layout->bar_width / 2;
        canvas_fill(canvas,
                    (struct canvas_box){x + inset, axis_at(&layout->axis, items[s].value),
                                        x + layout->bar_width - inset, layout->plot.y1},
                    bars->series[s].color);
        draw_whisker(canvas, layout, center, &items[s]);
        draw_value(canvas, layout, center, &items[s]);
        top = fmax(top, top_of(&items[s]));
        x += layout->bar_width;
    }
    draw_note(canvas, layout, middle, top, bars->groups[group].note);
    if (group % layout->label_stride == 0)
        draw_label(canvas, layout, middle, bars->groups[group].label);
}

void chart_bars_draw(struct canvas *canvas, struct canvas_box box, const struct chart_bars *bars)
{
    const struct canvas_text title = {TITLE, CANVAS_START, false, true, CHART_INK};
    const struct canvas_text below = {TEXT, CANVAS_MIDDLE, false, false, CHART_MUTED};
    struct layout layout = {.group_width = 0};
    arrange(bars, box, &layout);
    canvas_text(canvas, layout.plot.x0, box.y0 + TITLE, &title, bars->title);
    axis_draw_left(canvas, layout.plot, &layout.axis, bars->y_title, TEXT);
    for (size_t i = 0; i < bars->group_count; i++)
        draw_group(canvas, bars, &layout, i);
    canvas_text(canvas, (layout.plot.x0 + layout.plot.x1) / 2, box.y1 - 0.5f * TEXT, &below,
                bars->x_title);
}

void chart_legend_draw(struct canvas *canvas, float x, float y, const struct chart_series *series,
                       size_t count, float text_size)
{
    const struct canvas_text style = {text_size, CANVAS_START, false, false, CHART_INK};
    for (size_t i = 0; i < count; i++) {
        float side = 0.8f * text_size;
        canvas_fill(canvas, (struct canvas_box){x, y - side, x + side, y}, series[i].color);
        x += side + 0.5f * text_size;
        canvas_text(canvas, x, y - 0.05f * text_size, &style, series[i].name);
        x += canvas_text_width(&style, series[i].name) + 1.6f * text_size;
    }
}
