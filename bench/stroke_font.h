/* stroke_font.h: letters as strokes, drawn for lichen: printable ASCII, with widths of their own.
 *
 * A glyph is strokes separated by blanks; a stroke is points of two characters, x '0' .. ';' (0 to
 * 11) and y 'a' .. 'n' (-3 to 10; 'd' is the baseline, 'k' the top of small letters, 'n' of
 * capitals). Plain: straight lines. '~' first: a quadratic B-spline that begins and ends at its end
 * points; '@' first: a closed one, so that '@' and the corners of a rectangle is an oval in it. */
#ifndef LICHEN_STROKE_FONT_H
#define LICHEN_STROKE_FONT_H

#include "canvas.h"

#define STROKE_FONT_CAPITAL 10.0f /* units */
#define STROKE_FONT_DESCENT 3.0f

/* Calls line for every straight piece, in units; y upwards from the baseline. */
void stroke_font_glyph(uint32_t code,
                       void (*line)(void *context, struct canvas_point from,
                                    struct canvas_point to),
                       void *context);
/* Units to the next glyph. */
float stroke_font_advance(uint32_t code);

#endif
