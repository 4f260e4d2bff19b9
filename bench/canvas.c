/* canvas.c: pixels. A shape is first collected as coverage in a mask, then blended. */
#include "canvas.h"
#include "stroke_font.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct canvas {
    uint32_t width, height;
    uint8_t *pixels;        /* [height * width * 3] */
    float *mask;            /* [height * width], 0 but inside touched */
    struct canvas_box clip; /* whole pixels */
    struct canvas_box touched;
    struct canvas_box texts[CANVAS_TEXT_MAX];
    size_t text_count;
};

bool canvas_create(uint32_t width, uint32_t height, uint32_t background, struct canvas **out,
                   struct fault *fault)
{
    *out = NULL;
    if (width < 1 || height < 1 || width > CANVAS_SIDE_MAX || height > CANVAS_SIDE_MAX)
        return fault_set(fault, FAULT_ARGUMENT, "a picture of %u x %u pixels: sides of 1 .. %d",
                         (unsigned)width, (unsigned)height, CANVAS_SIDE_MAX);
    struct canvas *canvas = calloc(1, sizeof *canvas);
    size_t count = (size_t)width * height;
    if (canvas) {
        canvas->pixels = malloc(3 * count);
        canvas->mask = calloc(count, sizeof *canvas->mask);
    }
    if (!canvas || !canvas->pixels || !canvas->mask) {
        canvas_destroy(canvas);
        return fault_set(fault, FAULT_MEMORY, "no memory for a picture of %u x %u pixels",
                         (unsigned)width, (unsigned)height);
    }
    canvas->width = width;
    canvas->height = height;
    for (size_t i = 0; i < count; i++)
        for (int c = 0; c < 3; c++)
            canvas->pixels[3 * i + (size_t)c] = (uint8_t)(background >> (16 - 8 * c));
    canvas_clip(canvas, NULL);
    *out = canvas;
    return true;
}

void canvas_destroy(struct canvas *canvas)
{
    if (!canvas)
        return;
    free(canvas->pixels);
    free(canvas->mask);
    free(canvas);
}

uint32_t canvas_width(const struct canvas *canvas)
{
    return canvas->width;
}

uint32_t canvas_height(const struct canvas *canvas)
{
    return canvas->height;
}

const uint8_t *canvas_pixels(const struct canvas *canvas)
{
    return canvas->pixels;
}

const struct canvas_box *canvas_text_boxes(const struct canvas *canvas, size_t *count)
{
    *count = canvas->text_count;
    return canvas->texts;
}

/* ---- boxes ---- */

static struct canvas_box both(struct canvas_box a, struct canvas_box b)
{
    return (struct canvas_box){fmaxf(a.x0, b.x0), fmaxf(a.y0, b.y0), fminf(a.x1, b.x1),
                               fminf(a.y1, b.y1)};
}

static struct canvas_box whole_pixels(struct canvas_box box)
{
    return (struct canvas_box){floorf(box.x0), floorf(box.y0), ceilf(box.x1), ceilf(box.y1)};
}

static bool is_empty(struct canvas_box box)
{
    return !(box.x0 < box.x1 && box.y0 < box.y1);
}

void canvas_clip(struct canvas *canvas, const struct canvas_box *box)
{
    struct canvas_box all = {0, 0, (float)canvas->width, (float)canvas->height};
    canvas->clip = box ? both(all, whole_pixels(*box)) : all;
}

/* ---- blending ---- */

static void blend(uint8_t *pixel, uint32_t color, float coverage)
{
    float share = coverage * (float)(color >> 24) / 255;
    for (int c = 0; c < 3; c++) {
        float target = (float)(color >> (16 - 8 * c) & 255);
        pixel[c] = (uint8_t)((float)pixel[c] * (1 - share) + target * share + 0.5f);
    }
}

/* Length of the part of pixel i that lies in from .. to. */
static float overlap(float from, float to, uint32_t i)
{
    float length = fminf(to, (float)i + 1) - fmaxf(from, (float)i);
    return length > 0 ? length : 0;
}

void canvas_fill(struct canvas *canvas, struct canvas_box box, uint32_t color)
{
    box = both(box, canvas->clip);
    if (is_empty(box))
        return;
    for (uint32_t y = (uint32_t)box.y0; (float)y < box.y1; y++)
        for (uint32_t x = (uint32_t)box.x0; (float)x < box.x1; x++)
            blend(canvas->pixels + 3 * ((size_t)y * canvas->width + x), color,
                  overlap(box.x0, box.x1, x) * overlap(box.y0, box.y1, y));
}

void canvas_frame(struct canvas *canvas, struct canvas_box box, float width, uint32_t color)
{
    canvas_fill(canvas, (struct canvas_box){box.x0, box.y0, box.x1, box.y0 + width}, color);
    canvas_fill(canvas, (struct canvas_box){box.x0, box.y1 - width, box.x1, box.y1}, color);
    canvas_fill(canvas, (struct canvas_box){box.x0, box.y0 + width, box.x0 + width, box.y1 - width},
                color);
    canvas_fill(canvas, (struct canvas_box){box.x1 - width, box.y0 + width, box.x1, box.y1 - width},
                color);
}

/* ---- strokes ---- */

static float distance(float x, float y, struct canvas_point a, struct canvas_point b)
{
    float dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
    float t = length > 0 ? ((x - a.x) * dx + (y - a.y) * dy) / length : 0;
    t = fminf(fmaxf(t, 0), 1);
    return hypotf(x - a.x - t * dx, y - a.y - t * dy);
}

/* Adds a line to the shape. */
static void cover_line(struct canvas *canvas, struct canvas_point a, struct canvas_point b,
                       float width)
{
    float reach = width / 2 + 1;
    struct canvas_box box = {fminf(a.x, b.x) - reach, fminf(a.y, b.y) - reach,
                             fmaxf(a.x, b.x) + reach, fmaxf(a.y, b.y) + reach};
    box = both(whole_pixels(box), canvas->clip);
    if (is_empty(box))
        return;
    for (uint32_t y = (uint32_t)box.y0; (float)y < box.y1; y++)
        for (uint32_t x = (uint32_t)box.x0; (float)x < box.x1; x++) {
            float *mask = &canvas->mask[(size_t)y * canvas->width + x];
            float d = distance((float)x + 0.5f, (float)y + 0.5f, a, b);
            *mask = fmaxf(*mask, fminf(width / 2 - d + 0.5f, 1));
        }
    struct canvas_box *all = &canvas->touched;
    *all = is_empty(*all) ? box
                          : (struct canvas_box){fminf(all->x0, box.x0), fminf(all->y0, box.y0),
                                                fmaxf(all->x1, box.x1), fmaxf(all->y1, box.y1)};
}

/* Blends the shape and forgets it. Strokes thinner than a pixel get paler instead. */
static void cover_end(struct canvas *canvas, uint32_t color)
{
    struct canvas_box box = canvas->touched;
    canvas->touched = (struct canvas_box){0, 0, 0, 0};
    if (is_empty(box))
        return;
    for (uint32_t y = (uint32_t)box.y0; (float)y < box.y1; y++)
        for (uint32_t x = (uint32_t)box.x0; (float)x < box.x1; x++) {
            size_t at = (size_t)y * canvas->width + x;
            if (canvas->mask[at] > 0)
                blend(canvas->pixels + 3 * at, color, canvas->mask[at]);
            canvas->mask[at] = 0;
        }
}

void canvas_line(struct canvas *canvas, float x0, float y0, float x1, float y1, float width,
                 uint32_t color)
{
    const struct canvas_point points[2] = {{x0, y0}, {x1, y1}};
    canvas_lines(canvas, points, 2, width, color);
}

void canvas_lines(struct canvas *canvas, const struct canvas_point *points, size_t count,
                  float width, uint32_t color)
{
    for (size_t i = 1; i < count; i++)
        cover_line(canvas, points[i - 1], points[i], width);
    cover_end(canvas, color);
}

void canvas_disc(struct canvas *canvas, float x, float y, float radius, uint32_t color)
{
    canvas_line(canvas, x, y, x, y, 2 * radius, color);
}

/* ---- text ---- */

/* The next character; broken bytes are characters of their own. */
static uint32_t next_code(const char **text)
{
    const unsigned char *at = (const unsigned char *)*text;
    uint32_t code = *at++;
    int more = code >= 0xF0 ? 3 : code >= 0xE0 ? 2 : code >= 0xC0 ? 1 : 0;
    if (more)
        code &= 0x3Fu >> more;
    for (; more > 0 && (*at & 0xC0) == 0x80; more--)
        code = code << 6 | (*at++ & 0x3Fu);
    *text = (const char *)at;
    return code;
}

static float unit_of(const struct canvas_text *style)
{
    return 0.7f * style->size / STROKE_FONT_CAPITAL;
}

/* Bold strokes need more room. */
static float advance_of(const struct canvas_text *style, uint32_t code)
{
    return (stroke_font_advance(code) + (style->bold ? 0.6f : 0)) * unit_of(style);
}

static float stroke_of(const struct canvas_text *style)
{
    return style->size * (style->bold ? 0.135f : 0.09f);
}

float canvas_text_width(const struct canvas_text *style, const char *text)
{
    float width = 0;
    while (*text)
        width += advance_of(style, next_code(&text));
    return width;
}

void canvas_text_fit(const struct canvas_text *style, const char *text, float width, char *dst,
                     size_t size)
{
    size_t length = strlen(text), dots = 0;
    if (length >= size || canvas_text_width(style, text) > width)
        dots = 3;
    if (length + dots >= size)
        length = size > dots ? size - dots - 1 : 0;
    for (;; length--) {
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--;
        memcpy(dst, text, length);
        memcpy(dst + length, "...", dots);
        dst[length + dots] = 0;
        if (length == 0 || canvas_text_width(style, dst) <= width)
            return;
    }
}

struct writer {
    struct canvas *canvas;
    struct canvas_point origin; /* of the glyph, in pixels */
    float unit, stroke;
    bool upwards;
};

static struct canvas_point place(const struct writer *writer, struct canvas_point point)
{
    float along = point.x * writer->unit, up = point.y * writer->unit;
    if (writer->upwards)
        return (struct canvas_point){writer->origin.x - up, writer->origin.y - along};
    return (struct canvas_point){writer->origin.x + along, writer->origin.y - up};
}

static void write_line(void *context, struct canvas_point from, struct canvas_point to)
{
    const struct writer *writer = context;
    cover_line(writer->canvas, place(writer, from), place(writer, to), writer->stroke);
}

/* Where the first glyph begins. */
static struct canvas_point text_start(const struct canvas_text *style, float x, float y,
                                      float width)
{
    float back = style->align == CANVAS_START    ? 0
                 : style->align == CANVAS_MIDDLE ? width / 2
                                                 : width;
    return (struct canvas_point){x - (style->upwards ? 0 : back), y + (style->upwards ? back : 0)};
}

struct canvas_box canvas_text_box(const struct canvas_text *style, float x, float y,
                                  const char *text)
{
    float up = STROKE_FONT_CAPITAL * unit_of(style), down = STROKE_FONT_DESCENT * unit_of(style);
    float width = canvas_text_width(style, text);
    struct canvas_point start = text_start(style, x, y, width);
    if (style->upwards)
        return (struct canvas_box){start.x - up, start.y - width, start.x + down, start.y};
    return (struct canvas_box){start.x, start.y - up, start.x + width, start.y + down};
}

void canvas_text(struct canvas *canvas, float x, float y, const struct canvas_text *style,
                 const char *text)
{
    struct writer writer = {.canvas = canvas,
                            .origin = text_start(style, x, y, canvas_text_width(style, text)),
                            .unit = unit_of(style),
                            .stroke = stroke_of(style),
                            .upwards = style->upwards};
    if (*text && canvas->text_count < CANVAS_TEXT_MAX)
        canvas->texts[canvas->text_count++] = canvas_text_box(style, x, y, text);
    while (*text) {
        uint32_t code = next_code(&text);
        float advance = advance_of(style, code);
        stroke_font_glyph(code, write_line, &writer);
        writer.origin.x += style->upwards ? 0 : advance;
        writer.origin.y -= style->upwards ? advance : 0;
    }
    cover_end(canvas, style->color);
}
