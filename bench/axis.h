/* axis.h: numbers along an edge of a chart: a range that ends at round numbers (1, 2 or 5 times a
 * power of ten), where a value lies, what the ticks are called; and how axes look. */
#ifndef LICHEN_AXIS_H
#define LICHEN_AXIS_H

#include "canvas.h"

enum { AXIS_TICK_MAX = 32 };

struct axis {
    double min, max; /* shown */
    bool log;
    float from, to; /* pixels of min and max */
    double ticks[AXIS_TICK_MAX];
    uint32_t tick_count;
    double step; /* between ticks; of a log axis 0 */
};

/* Chooses min, max and about `wanted` ticks so that low .. high is inside. log: low > 0, powers of
 * ten, with 2 and 5 where there are few. from, to: where it lies. */
void axis_fit(struct axis *axis, double low, double high, bool log, uint32_t wanted);
float axis_at(const struct axis *axis, double value);
/* "0", "2.5", "20k", "1e-5": digits as the step needs them. */
void axis_label(const struct axis *axis, uint32_t tick, char text[32]);

/* ---- looks shared by all charts ---- */

#define CHART_INK 0xFF20262Cu
#define CHART_MUTED 0xFF66707Au
#define CHART_GRID 0xFFE4E8ECu
#define CHART_PAPER 0xFFFFFFFFu

/* Grid lines across box with their labels at its left, and a title read from below. */
void axis_draw_left(struct canvas *canvas, struct canvas_box box, const struct axis *axis,
                    const char *title, float text_size);
/* Ticks below box with their labels, and a title under them. */
void axis_draw_bottom(struct canvas *canvas, struct canvas_box box, const struct axis *axis,
                      const char *title, float text_size);

#endif
