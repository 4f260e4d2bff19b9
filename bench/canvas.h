/* canvas.h: an RGB picture in memory and what a chart needs to be drawn: rectangles, lines, curves,
 * discs and text, all anti-aliased, inside a clip. Positions are pixels from the upper left corner,
 * fractions allowed; the middle of the first pixel is (0.5, 0.5). Colours are 0xAARRGGBB.
 *
 * Lines and text are one kind of shape: the coverage of a pixel at distance d from the nearest
 * stroke of width w is clamp(w / 2 - d + 1/2, 0, 1), and each shape is blended once. */
#ifndef LICHEN_CANVAS_H
#define LICHEN_CANVAS_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>

struct canvas;

struct canvas_box { /* x0 <= x1, y0 <= y1 */
    float x0, y0, x1, y1;
};

struct canvas_point {
    float x, y;
};

enum { CANVAS_SIDE_MAX = 8192 };

/* width, height: 1 .. CANVAS_SIDE_MAX pixels. */
bool canvas_create(uint32_t width, uint32_t height, uint32_t background, struct canvas **out,
                   struct fault *fault);
void canvas_destroy(struct canvas *canvas); /* NULL is allowed */
uint32_t canvas_width(const struct canvas *canvas);
uint32_t canvas_height(const struct canvas *canvas);
const uint8_t *canvas_pixels(const struct canvas *canvas); /* RGB [height, width, 3] */

/* Nothing is drawn outside; NULL = the whole picture. */
void canvas_clip(struct canvas *canvas, const struct canvas_box *box);

void canvas_fill(struct canvas *canvas, struct canvas_box box, uint32_t color);
/* The inside edge of box, `width` pixels wide. */
void canvas_frame(struct canvas *canvas, struct canvas_box box, float width, uint32_t color);
/* Round ends and corners. */
void canvas_line(struct canvas *canvas, float x0, float y0, float x1, float y1, float width,
                 uint32_t color);
void canvas_lines(struct canvas *canvas, const struct canvas_point *points, size_t count,
                  float width, uint32_t color);
void canvas_disc(struct canvas *canvas, float x, float y, float radius, uint32_t color);

/* ---- text: stroke_font.h ---- */

enum canvas_align { CANVAS_START, CANVAS_MIDDLE, CANVAS_END };

struct canvas_text {
    float size;              /* pixels from one line to the next, about; capitals are 0.7 of it */
    enum canvas_align align; /* of the text at (x, y), along its line */
    bool upwards;            /* turned by 90 degrees: read from below */
    bool bold;
    uint32_t color;
};

/* One line of UTF-8 with its baseline at (x, y); what the font has not is a box. */
void canvas_text(struct canvas *canvas, float x, float y, const struct canvas_text *style,
                 const char *text);
/* Where it would be drawn: from the top of the capitals to below the longest letters. */
struct canvas_box canvas_text_box(const struct canvas_text *style, float x, float y,
                                  const char *text);
float canvas_text_width(const struct canvas_text *style, const char *text);
/* Longest beginning of text that is no wider than width, with "..." when it is not all. */
void canvas_text_fit(const struct canvas_text *style, const char *text, float width, char *dst,
                     size_t size);
/* Where text was drawn so far, for tests of a layout: count boxes, the canvas's. The first
 * CANVAS_TEXT_MAX are kept. */
enum { CANVAS_TEXT_MAX = 512 };
const struct canvas_box *canvas_text_boxes(const struct canvas *canvas, size_t *count);

/* The picture as a PNG file in memory; *bytes is malloc'd. */
bool canvas_png(const struct canvas *canvas, void **bytes, size_t *size, struct fault *fault);

#endif
