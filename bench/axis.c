/* axis.c: ticks and their labels. */
#include "axis.h"
#include <math.h>
#include <stdio.h>

/* The smallest of 1, 2, 5, 10 times a power of ten that is not below value. */
static double round_up(double value)
{
    static const double steps[] = {1, 2, 5, 10};
    double power = pow(10, floor(log10(value)));
    for (int i = 0; i < 4; i++)
        if (steps[i] * power >= value * (1 - 1e-9))
            return steps[i] * power;
    return 10 * power;
}

static void add_tick(struct axis *axis, double value)
{
    if (axis->tick_count < AXIS_TICK_MAX)
        axis->ticks[axis->tick_count++] = value;
}

static void fit_linear(struct axis *axis, double low, double high, uint32_t wanted)
{
    if (!(high > low))
        high = low + (low != 0 ? fabs(low) : 1);
    axis->step = round_up((high - low) / (wanted > 0 ? wanted : 1));
    double first = floor(low / axis->step + 1e-9), last = ceil(high / axis->step - 1e-9);
    axis->min = first * axis->step;
    axis->max = last * axis->step;
    for (double i = first; i <= last + 0.5; i++)
        add_tick(axis, i * axis->step);
}

static void fit_log(struct axis *axis, double low, double high)
{
    double first = floor(log10(low) + 1e-9), last = ceil(log10(high) - 1e-9);
    if (last <= first)
        last = first + 1;
    axis->min = pow(10, first);
    axis->max = pow(10, last);
    double stride = ceil((last - first) / (AXIS_TICK_MAX / 2));
    for (double i = first; i <= last; i += stride) {
        add_tick(axis, pow(10, i));
        if (last - first <= 2 && i < last) {
            add_tick(axis, 2 * pow(10, i));
            add_tick(axis, 5 * pow(10, i));
        }
    }
}

void axis_fit(struct axis *axis, double low, double high, bool log, uint32_t wanted)
{
    axis->log = log;
    axis->tick_count = 0;
    axis->step = 0;
    if (log)
        fit_log(axis, low, high);
    else
        fit_linear(axis, low, high, wanted);
}

float axis_at(const struct axis *axis, double value)
{
    double low = axis->min, high = axis->max;
    if (axis->log) {
        value = log10(value > 0 ? value : low);
        low = log10(low);
        high = log10(high);
    }
    return axis->from + (float)((value - low) / (high - low)) * (axis->to - axis->from);
}

/* Digits behind the point of multiples of step. */
static int digits_of(double step)
{
    int digits = 0;
    while (digits < 9 && fabs(step - rint(step)) > 1e-6 * step) {
        step *= 10;
        digits++;
    }
    return digits;
}

void axis_label(const struct axis *axis, uint32_t tick, char text[32])
{
    double value = axis->ticks[tick], scale = 1;
    const char *suffix = "";
    if (axis->log && (axis->min < 1e-3 || axis->max > 1e6)) {
        snprintf(text, 32, "%.0e", value);
        return;
    }
    if (axis->max >= 1e7) {
        scale = 1e6;
        suffix = "M";
    } else if (axis->max >= 1e4) {
        scale = 1e3;
        suffix = "k";
    }
    snprintf(text, 32, "%.*f%s", digits_of((axis->log ? value : axis->step) / scale), value / scale,
             value != 0 ? suffix : "");
}

/* ---- drawing ---- */

void axis_draw_left(struct canvas *canvas, struct canvas_box box, const struct axis *axis,
                    const char *title, float text_size)
{
    struct canvas_text style = {text_size, CANVAS_END, false, false, CHART_MUTED};
    float widest = 0;
    for (uint32_t i = 0; i < axis->tick_count; i++) {
        char text[32];
        float y = axis_at(axis, axis->ticks[i]);
        axis_label(axis, i, text);
        canvas_line(canvas, box.x0, y, box.x1, y, 1, i == 0 ? CHART_MUTED : CHART_GRID);
        canvas_text(canvas, box.x0 - 0.5f * text_size, y + 0.35f * text_size, &style, text);
        widest = fmaxf(widest, canvas_text_width(&style, text));
    }
    style.align = CANVAS_MIDDLE;
    style.upwards = true;
    canvas_text(canvas, box.x0 - widest - 1.3f * text_size, (box.y0 + box.y1) / 2, &style, title);
}

void axis_draw_bottom(struct canvas *canvas, struct canvas_box box, const struct axis *axis,
                      const char *title, float text_size)
{
    struct canvas_text style = {text_size, CANVAS_MIDDLE, false, false, CHART_MUTED};
    canvas_line(canvas, box.x0, box.y1, box.x1, box.y1, 1, CHART_MUTED);
    for (uint32_t i = 0; i < axis->tick_count; i++) {
        char text[32];
        float x = axis_at(axis, axis->ticks[i]);
        axis_label(axis, i, text);
        canvas_line(canvas, x, box.y1, x, box.y1 + 0.3f * text_size, 1, CHART_MUTED);
        canvas_text(canvas, x, box.y1 + 1.3f * text_size, &style, text);
    }
    canvas_text(canvas, (box.x0 + box.x1) / 2, box.y1 + 2.9f * text_size, &style, title);
}
