/* chart_bars.h: groups of bars with whiskers. */
#ifndef LICHEN_CHART_BARS_H
#define LICHEN_CHART_BARS_H

#include "canvas.h"

struct chart_series {
    const char *name;
    uint32_t color;
};

struct chart_bar {
    double value, low, high; /* whisker low .. high; value <= 0: no bar */
};

struct chart_group {
    const char *label; /* below */
    const char *note;  /* above, "" = none */
};

struct chart_bars {
    const char *title, *x_title, *y_title;
    const struct chart_group *groups; /* [group_count] */
    size_t group_count;
    const struct chart_series *series; /* [series_count] */
    size_t series_count;
    const struct chart_bar *bars; /* [group_count, series_count] */
};

/* Fills box: title, left axis from 0, bars with their values, labels. Texts that have no room
 * beside each other are turned or left out, never drawn over each other. */
void chart_bars_draw(struct canvas *canvas, struct canvas_box box, const struct chart_bars *bars);
/* Squares with names, from x rightwards. */
void chart_legend_draw(struct canvas *canvas, float x, float y, const struct chart_series *series,
                       size_t count, float text_size);

#endif
