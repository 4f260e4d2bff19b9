/* drawing.h: the few shapes that charts are made of, drawn into a picture (canvas.h) or written as
 * inline SVG, so that a chart is described once. Units are those of a sheet width x height; a
 * picture may be larger by `scale`. Colours are 0xRRGGBB. */
#ifndef LICHEN_DRAWING_H
#define LICHEN_DRAWING_H

#include "canvas.h"
#include <stdio.h>

struct drawing_point {
    double x, y;
};

struct drawing {
    struct canvas *canvas; /* or NULL: SVG goes to stream */
    FILE *stream;
    double x, y, scale; /* where the sheet lies on the canvas */
};

/* An <svg> that grows and shrinks with its page; title is for those who cannot see it. */
void drawing_svg_begin(struct drawing *drawing, FILE *stream, double width, double height,
                       const char *title);
void drawing_svg_end(struct drawing *drawing);
/* Upper left corner of the sheet on the canvas, and canvas pixels a unit. */
void drawing_canvas(struct drawing *drawing, struct canvas *canvas, double x, double y,
                    double scale);

void drawing_fill(struct drawing *drawing, double x0, double y0, double x1, double y1,
                  uint32_t color);
void drawing_line(struct drawing *drawing, double x0, double y0, double x1, double y1, double width,
                  uint32_t color);
void drawing_lines(struct drawing *drawing, const struct drawing_point *points, size_t count,
                   double width, uint32_t color);
void drawing_disc(struct drawing *drawing, double x, double y, double radius, uint32_t color);
/* One line with its baseline at (x, y), capitals about 0.7 size high. upwards: read from below. */
void drawing_text(struct drawing *drawing, double x, double y, double size, enum canvas_align align,
                  bool upwards, uint32_t color, const char *text);
/* About how wide a text is, rather too wide: the fonts of browsers differ. */
double drawing_text_width(double size, const char *text);

/* Text between tags: < > & " are spelled out, control characters left out. */
void html_text(FILE *stream, const char *text);

#endif
