/* loss_png.c: the charts of a report on one picture: a row a text, a row of heat maps, a legend and
 * what it was made of. */
#include "loss_charts.h"
#include "loss_views.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 3, ROWS_MAX = 8, GAP = 18, HEAD = 64, LEGEND_LINE = 18, PAPER = 0xFFFFFF };
enum { INK = 0x20262C, MUTED = 0x5A646E };

static const double picture_scale = 2;

struct page {
    struct canvas *canvas;
    const json_t *report;
    double width, y; /* units; y: where the next thing goes */
};

static void page_text(const struct page *page, double x, double y, double size, uint32_t color,
                      const char *text)
{
    struct drawing drawing;
    char fitted[512];
    const struct canvas_text style = {.size = (float)size};
    canvas_text_fit(&style, text, (float)(page->width - GAP - x), fitted, sizeof fitted);
    drawing_canvas(&drawing, page->canvas, 0, 0, picture_scale);
    drawing_text(&drawing, x, y, size, CANVAS_START, false, color, fitted);
}

static void draw_head(struct page *page)
{
    char text[512], windows[128], level[24];
    const json_t *base = json_object_get(page->report, "base");
    snprintf(text, sizeof text, "What quantization costs: base %s", loss_string(base, "label"));
    page_text(page, GAP, 28, 20, INK, text);
    snprintf(text, sizeof text, "lichen %s, %s; %s; %s intervals over windows",
             loss_string(page->report, "version"),
             loss_string(json_object_get(page->report, "device"), "name"),
             loss_windows_text(page->report, windows), loss_level(page->report, level));
    page_text(page, GAP, 50, 13, MUTED, text);
    page->y = HEAD;
}

static void draw_legend(struct page *page)
{
    struct drawing drawing;
    char text[256];
    const json_t *candidates = json_object_get(page->report, "candidates");
    drawing_canvas(&drawing, page->canvas, 0, 0, picture_scale);
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        const json_t *candidate = json_array_get(candidates, i);
        double y = page->y + LEGEND_LINE * (double)i;
        drawing_fill(&drawing, GAP, y, GAP + 11, y + 11, loss_colors[i % LOSS_COLORS]);
        snprintf(text, sizeof text, "%zu  %.160s (%.1f MB, %.2f bits a weight)", i + 1,
                 loss_string(candidate, "label"), loss_number(candidate, "bytes", NULL) / 1e6,
                 loss_number(candidate, "bpw", NULL));
        page_text(page, GAP + 18, y + 10, 13, INK, text);
    }
    page->y += LEGEND_LINE * (double)json_array_size(candidates) + GAP;
}

static void sheet(const struct page *page, size_t column, struct drawing *drawing)
{
    double x = GAP + (double)column * (LOSS_SHEET_WIDTH + GAP);
    drawing_canvas(drawing, page->canvas, x * picture_scale, page->y * picture_scale,
                   picture_scale);
}

static void draw_text(struct page *page, const json_t *text)
{
    char title[256];
    struct drawing drawing;
    const char *name = loss_string(text, "name");
    snprintf(title, sizeof title, "%.160s: %.0f windows, %.0f tokens scored", name,
             loss_number(text, "chunks", NULL), loss_number(text, "scored", NULL));
    page_text(page, GAP, page->y + 12, 15, INK, title);
    page->y += 26;
    sheet(page, 0, &drawing);
    loss_chart_size(&drawing, page->report, name);
    sheet(page, 1, &drawing);
    loss_chart_delta(&drawing, page->report, name);
    sheet(page, 2, &drawing);
    loss_chart_position(&drawing, page->report, name);
    page->y += LOSS_SHEET_HEIGHT + GAP;
}

static bool has_tensors(const json_t *candidate)
{
    return json_array_size(json_object_get(candidate, "tensors")) > 0;
}

static size_t heat_count(const json_t *report)
{
    size_t count = 0;
    const json_t *candidates = json_object_get(report, "candidates");
    for (size_t i = 0; i < json_array_size(candidates); i++)
        count += has_tensors(json_array_get(candidates, i));
    return count;
}

static void sheet_text(struct drawing *drawing, double x, double y, const char *text)
{
    char fitted[512];
    const struct canvas_text style = {.size = 13};
    canvas_text_fit(&style, text, (float)(LOSS_SHEET_WIDTH - x), fitted, sizeof fitted);
    drawing_text(drawing, x, y, 13, CANVAS_START, false, INK, fitted);
}

static void draw_heat(struct page *page)
{
    struct drawing drawing;
    size_t column = 0;
    const json_t *candidates = json_object_get(page->report, "candidates");
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        const json_t *candidate = json_array_get(candidates, i);
        char title[192];
        if (!has_tensors(candidate))
            continue;
        if (column == COLUMNS) {
            column = 0;
            page->y += LOSS_SHEET_HEIGHT + 26 + GAP;
        }
        sheet(page, column, &drawing);
        snprintf(title, sizeof title, "%zu  %.150s", i + 1, loss_string(candidate, "label"));
        drawing_fill(&drawing, 0, 1, 11, 12, loss_colors[i % LOSS_COLORS]);
        sheet_text(&drawing, 16, 11, title);
        drawing.y += 18 * picture_scale;
        loss_chart_layers(&drawing, page->report, i);
        column++;
    }
}

bool loss_png(const json_t *report, void **bytes, size_t *size, struct fault *fault)
{
    size_t texts = json_array_size(json_object_get(report, "texts"));
    size_t shown = texts < ROWS_MAX ? texts : ROWS_MAX;
    size_t heat_rows = (heat_count(report) + COLUMNS - 1) / COLUMNS;
    struct page page = {.report = report,
                        .width = COLUMNS * LOSS_SHEET_WIDTH + (COLUMNS + 1) * GAP};
    double height = HEAD + GAP +
                    (double)(LEGEND_LINE * json_array_size(json_object_get(report, "candidates"))) +
                    (double)((LOSS_SHEET_HEIGHT + 26 + GAP) * (shown + heat_rows));
    double limit = CANVAS_SIDE_MAX / picture_scale;
    height = height < limit ? height : limit;
    if (!canvas_create((uint32_t)(page.width * picture_scale), (uint32_t)(height * picture_scale),
                       0xFF000000u | PAPER, &page.canvas, fault))
        return false;
    draw_head(&page);
    draw_legend(&page);
    for (size_t i = 0; i < shown; i++)
        draw_text(&page, json_array_get(json_object_get(report, "texts"), i));
    draw_heat(&page);
    bool done = canvas_png(page.canvas, bytes, size, fault);
    canvas_destroy(page.canvas);
    return done;
}
