/* drawing.c: shapes to SVG or canvas. */
#include "drawing.h"
#include <stdlib.h>

void html_text(FILE *stream, const char *text)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '<')
            fputs("&lt;", stream);
        else if (byte == '>')
            fputs("&gt;", stream);
        else if (byte == '&')
            fputs("&amp;", stream);
        else if (byte == '"')
            fputs("&quot;", stream);
        else if ((byte >= 0x20 && byte != 0x7f) || byte == '\n')
            fputc(byte, stream);
    }
}

void drawing_svg_begin(struct drawing *drawing, FILE *stream, double width, double height,
                       const char *title)
{
    *drawing = (struct drawing){.stream = stream, .scale = 1};
    fprintf(stream, "<svg viewBox=\"0 0 %g %g\" role=\"img\"><title>", width, height);
    html_text(stream, title);
    fputs("</title>\n", stream);
}

void drawing_svg_end(struct drawing *drawing)
{
    fputs("</svg>\n", drawing->stream);
}

void drawing_canvas(struct drawing *drawing, struct canvas *canvas, double x, double y,
                    double scale)
{
    *drawing = (struct drawing){.canvas = canvas, .x = x, .y = y, .scale = scale};
}

static float at_x(const struct drawing *drawing, double x)
{
    return (float)(drawing->x + drawing->scale * x);
}

static float at_y(const struct drawing *drawing, double y)
{
    return (float)(drawing->y + drawing->scale * y);
}

void drawing_fill(struct drawing *drawing, double x0, double y0, double x1, double y1,
                  uint32_t color)
{
    if (!drawing->canvas) {
        fprintf(drawing->stream,
                "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"#%06x\"/>\n", x0,
                y0, x1 - x0, y1 - y0, (unsigned)color);
        return;
    }
    struct canvas_box box = {at_x(drawing, x0), at_y(drawing, y0), at_x(drawing, x1),
                             at_y(drawing, y1)};
    canvas_fill(drawing->canvas, box, 0xFF000000u | color);
}

void drawing_line(struct drawing *drawing, double x0, double y0, double x1, double y1, double width,
                  uint32_t color)
{
    const struct drawing_point points[2] = {{x0, y0}, {x1, y1}};
    drawing_lines(drawing, points, 2, width, color);
}

static void canvas_path(struct drawing *drawing, const struct drawing_point *points, size_t count,
                        double width, uint32_t color)
{
    struct canvas_point *path = malloc(count * sizeof *path);
    if (!path)
        return; /* canvas_png of the same memory fails with a fault */
    for (size_t i = 0; i < count; i++)
        path[i] = (struct canvas_point){at_x(drawing, points[i].x), at_y(drawing, points[i].y)};
    canvas_lines(drawing->canvas, path, count, (float)(width * drawing->scale),
                 0xFF000000u | color);
    free(path);
}

void drawing_lines(struct drawing *drawing, const struct drawing_point *points, size_t count,
                   double width, uint32_t color)
{
    if (count < 2)
        return;
    if (drawing->canvas) {
        canvas_path(drawing, points, count, width, color);
        return;
    }
    fprintf(drawing->stream,
            "<polyline fill=\"none\" stroke=\"#%06x\" stroke-width=\"%g\" "
            "stroke-linejoin=\"round\" points=\"",
            (unsigned)color, width);
    for (size_t i = 0; i < count; i++)
        fprintf(drawing->stream, "%.2f,%.2f ", points[i].x, points[i].y);
    fputs("\"/>\n", drawing->stream);
}

void drawing_disc(struct drawing *drawing, double x, double y, double radius, uint32_t color)
{
    if (drawing->canvas)
        canvas_disc(drawing->canvas, at_x(drawing, x), at_y(drawing, y),
                    (float)(radius * drawing->scale), 0xFF000000u | color);
    else
        fprintf(drawing->stream, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"%g\" fill=\"#%06x\"/>\n", x,
                y, radius, (unsigned)color);
}

void drawing_text(struct drawing *drawing, double x, double y, double size, enum canvas_align align,
                  bool upwards, uint32_t color, const char *text)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    if (drawing->canvas) {
        const struct canvas_text style = {.size = (float)(size * drawing->scale),
                                          .align = align,
                                          .upwards = upwards,
                                          .color = 0xFF000000u | color};
        canvas_text(drawing->canvas, at_x(drawing, x), at_y(drawing, y), &style, text);
        return;
    }
    fprintf(drawing->stream, "<text x=\"%.2f\" y=\"%.2f\" font-size=\"%g\" text-anchor=\"%s\" ", x,
            y, size, anchors[align]);
    if (upwards)
        fprintf(drawing->stream, "transform=\"rotate(-90 %.2f %.2f)\" ", x, y);
    fprintf(drawing->stream, "fill=\"#%06x\">", (unsigned)color);
    html_text(drawing->stream, text);
    fputs("</text>\n", drawing->stream);
}

double drawing_text_width(double size, const char *text)
{
    double width = 0;
    for (; *text; text++) /* one a character: continuation bytes of UTF-8 do not count */
        width += ((unsigned char)*text & 0xC0) == 0x80 ? 0
                 : (unsigned char)*text >= 0xE0        ? 1.05
                                                       : 0.6;
    return width * size;
}
