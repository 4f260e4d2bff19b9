/* bench_chart.c: the page around the bars. */
#include "bench_chart.h"
#include "axis.h"
#include "chart_bars.h"
#include <stdio.h>

enum { WIDTH = 1280, HEIGHT = 720, MARGIN = 40, LABEL = 16 };

static const struct chart_series series[] = {{"lichen", 0xFF2F7D5Bu}, {"llama.cpp", 0xFF9AA5B1u}};

struct panel {
    struct chart_bars chart;
    char title[64];
    char labels[BENCH_DEPTH_MAX][LABEL], notes[BENCH_DEPTH_MAX][LABEL];
    struct chart_group groups[BENCH_DEPTH_MAX];
    struct chart_bar bars[2 * BENCH_DEPTH_MAX];
};

static void add_group(struct panel *panel, const struct bench_row *row)
{
    size_t i = panel->chart.group_count++;
    struct chart_bar *bars = panel->bars + i * panel->chart.series_count;
    snprintf(panel->labels[i], LABEL, "%u", (unsigned)row->depth);
    panel->groups[i] = (struct chart_group){panel->labels[i], panel->notes[i]};
    bars[0] = (struct chart_bar){row->rate.median, row->rate.p10, row->rate.p90};
    if (panel->chart.series_count > 1)
        bars[1] = (struct chart_bar){row->peer.median, row->peer.p10, row->peer.p90};
    if (row->peer.median > 0)
        snprintf(panel->notes[i], LABEL, "%.2f x", row->rate.median / row->peer.median);
    snprintf(panel->title, sizeof panel->title, "%s, %u tokens", row->decode ? "Decode" : "Prefill",
             (unsigned)row->tokens);
}

static bool has_peer(const struct bench_result *result)
{
    for (size_t i = 0; i < result->count; i++)
        if (result->rows[i].peer.median > 0)
            return true;
    return false;
}

static void panel_fill(struct panel *panel, const struct bench_result *result, bool decode)
{
    *panel = (struct panel){.chart = {.series_count = has_peer(result) ? 2 : 1}};
    panel->chart.title = panel->title;
    panel->chart.x_title = "tokens of context before";
    panel->chart.y_title = "tokens / s";
    panel->chart.groups = panel->groups;
    panel->chart.series = series;
    panel->chart.bars = panel->bars;
    for (size_t i = 0; i < result->count; i++)
        if (result->rows[i].decode == decode && panel->chart.group_count < BENCH_DEPTH_MAX)
            add_group(panel, &result->rows[i]);
}

/* A line of text that ends at the margin at the latest. */
static void draw_line(struct canvas *canvas, float y, const struct canvas_text *style, float width,
                      const char *text)
{
    char line[260];
    canvas_text_fit(style, text, width, line, sizeof line);
    canvas_text(canvas, MARGIN, y, style, line);
}

static void draw_page(struct canvas *canvas, const struct bench_chart_head *head, bool peer)
{
    const struct canvas_text title = {28, CANVAS_START, false, true, CHART_INK};
    const struct canvas_text plain = {17, CANVAS_START, false, false, CHART_MUTED};
    const struct canvas_text foot = {14, CANVAS_START, false, false, CHART_MUTED};
    float width = WIDTH - 2 * MARGIN, legend = peer ? 230 : 0;
    draw_line(canvas, 58, &title, width - legend, head->title);
    draw_line(canvas, 90, &plain, width, head->device);
    draw_line(canvas, HEIGHT - 24, &foot, width, head->foot);
    if (peer)
        chart_legend_draw(canvas, WIDTH - MARGIN - legend + 30, 56, series, 2, 17);
}

bool bench_chart_draw(const struct bench_result *result, const struct bench_chart_head *head,
                      struct canvas **out, struct fault *fault)
{
    struct panel panels[2];
    if (!canvas_create(WIDTH, HEIGHT, CHART_PAPER, out, fault))
        return false;
    panel_fill(&panels[0], result, false);
    panel_fill(&panels[1], result, true);
    draw_page(*out, head, has_peer(result));
    bool both = panels[0].chart.group_count > 0 && panels[1].chart.group_count > 0;
    float width = both ? (WIDTH - 3.0f * MARGIN) / 2 : WIDTH - 2.0f * MARGIN;
    float x = MARGIN;
    for (int i = 0; i < 2; i++) {
        if (!panels[i].chart.group_count)
            continue;
        chart_bars_draw(*out, (struct canvas_box){x, 122, x + width, HEIGHT - 56},
                        &panels[i].chart);
        x += width + MARGIN;
    }
    return true;
}
