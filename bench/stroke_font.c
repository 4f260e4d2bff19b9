/* stroke_font.c: the glyphs, and their curves as short lines. */
#include "stroke_font.h"
#include <string.h>

enum { FIRST = ' ', LAST = '~', POINTS_MAX = 16, CURVE_STEPS = 6 };
static const float GAP = 2.7f, SPACE = 4.2f;

/* clang-format off */
static const char *const glyphs[LAST - FIRST + 1] = {
    "",                                       /* space */
    "0n0g 0d0d",                              /* ! */
    "0n0l 2n2l",                              /* " */
    "2d3n 5d6n 0g7g 1k8k",                    /* # */
    "~6l5m0m0j6h6e1e0f 3n3c",                 /* $ */
    "@0j0n3n3j @5d5h8h8d 1d7n",               /* % */
    "~7h5d0d0h5j5n1n1k3h7d",                  /* & */
    "0n0l",                                   /* ' */
    "~2n0k0f2b",                              /* ( */
    "~0n2k2f0b",                              /* ) */
    "2m2g 0l4h 4l0h",                         /* * */
    "0h6h 3e3k",                              /* + */
    "1e0b",                                   /* , */
    "0h4h",                                   /* - */
    "0d0d",                                   /* . */
    "0c5n",                                   /* / */
    "@0d0n6n6d",                              /* 0 */
    "1l3n3d",                                 /* 1 */
    "~0k0n6n6j3h0d 0d6d",                     /* 2 */
    "~0l1n6n6i2i ~2i7i6d1d0f",                /* 3 */
    "5d5n0g7g",                               /* 4 */
    "6n1n0i ~0i2j7k6d1d0f",                   /* 5 */
    "@0d0j6j6d ~5n1m0k0g",                    /* 6 */
    "0n6n2d",                                 /* 7 */
    "@0i1n5n6i @0d0i6i6d",                    /* 8 */
    "@0h0n6n6h ~6k6g5e1d",                    /* 9 */
    "0d0d 0j0j",                              /* : */
    "0j0j 1e0b",                              /* ; */
    "5k0h5e",                                 /* < */
    "0j6j 0g6g",                              /* = */
    "0k5h0e",                                 /* > */
    "~0l0n5n5j2i2g 2d2d",                     /* ? */
    "@3f3j6j6f ~6j6f8f9n0n0b8b",              /* @ */
    "0d4n8d 1g7g",                            /* A */
    "0d0n4n 0i4i 0d4d ~4n7n7i4i ~4i8i8d4d",   /* B */
    "~7l6n0n0d6d7f",                          /* C */
    "0d0n3n 0d3d ~3n8n8d3d",                  /* D */
    "6n0n0d6d 0i5i",                          /* E */
    "6n0n0d 0i5i",                            /* F */
    "~7l6n0n0d7d7h 7h4h",                     /* G */
    "0d0n 7d7n 0i7i",                         /* H */
    "0d0n",                                   /* I */
    "5n5g ~5g5d1d0f",                         /* J */
    "0d0n 6n0h 2i7d",                         /* K */
    "0n0d6d",                                 /* L */
    "0d0n4g8n8d",                             /* M */
    "0d0n7d7n",                               /* N */
    "@0d0n8n8d",                              /* O */
    "0d0n4n 0h4h ~4n7n7h4h",                  /* P */
    "@0d0n8n8d 5f8c",                         /* Q */
    "0d0n4n 0h4h ~4n7n7h4h 4h7d",             /* R */
    "~6l5n0n0j7h7d1d0f",                      /* S */
    "0n8n 4n4d",                              /* T */
    "0n0g ~0g0d7d7g 7g7n",                    /* U */
    "0n4d8n",                                 /* V */
    "0n2d5m8d:n",                             /* W */
    "0d7n 0n7d",                              /* X */
    "0n4i8n 4i4d",                            /* Y */
    "0n7n0d7d",                               /* Z */
    "2n0n0b2b",                               /* [ */
    "0n5c",                                   /* \ */
    "0n2n2b0b",                               /* ] */
    "0k3n6k",                                 /* ^ */
    "0c6c",                                   /* _ */
    "0n1l",                                   /* ` */
    "@0d0k6k6d 6k6d",                         /* a */
    "0n0d @0d0k6k6d",                         /* b */
    "~6i5k0k0d5d6f",                          /* c */
    "6n6d @0d0k6k6d",                         /* d */
    "0h6h ~6h6k0k0d5d6f",                     /* e */
    "~4n2n2j 2j2d 0k4k",                      /* f */
    "@0d0k6k6d 6k6d ~6d6a1a0b",               /* g */
    "0n0d ~0h0k6k6h 6h6d",                    /* h */
    "0k0d 0n0n",                              /* i */
    "1k1d ~1d1a0a 1n1n",                      /* j */
    "0n0d 5k0f 2h5d",                         /* k */
    "0n0f ~0f0d2d",                           /* l */
    "0k0d ~0h0k4k4h 4h4d ~4h4k8k8h 8h8d",     /* m */
    "0k0d ~0h0k6k6h 6h6d",                    /* n */
    "@0d0k6k6d",                              /* o */
    "0k0a @0d0k6k6d",                         /* p */
    "6k6a @0d0k6k6d",                         /* q */
    "0k0d ~0g0k3k",                           /* r */
    "~5j4k0k0h5h5d1d0e",                      /* s */
    "2n2f ~2f2d4d 0k4k",                      /* t */
    "0k0g ~0g0d6d6g 6k6d",                    /* u */
    "0k3d6k",                                 /* v */
    "0k2d4j6d8k",                             /* w */
    "0d6k 0k6d",                              /* x */
    "0k3d 6k2a",                              /* y */
    "0k5k0d5d",                               /* z */
    "~3n1n1i0h ~0h1h1b3b",                    /* { */
    "0n0b",                                   /* | */
    "~0n2n2i3h ~3h2h2b0b",                    /* } */
    "~0h2k4f6i",                              /* ~ */
};
/* clang-format on */

static const char *glyph_of(uint32_t code)
{
    return code >= FIRST && code <= LAST ? glyphs[code - FIRST] : "0d0n6n6d0d";
}

struct pen {
    void (*line)(void *context, struct canvas_point from, struct canvas_point to);
    void *context;
};

static struct canvas_point middle(struct canvas_point a, struct canvas_point b)
{
    return (struct canvas_point){(a.x + b.x) / 2, (a.y + b.y) / 2};
}

/* A quadratic Bezier curve as lines. */
static void draw_bend(const struct pen *pen, struct canvas_point from, struct canvas_point control,
                      struct canvas_point to)
{
    struct canvas_point last = from;
    for (int i = 1; i <= CURVE_STEPS; i++) {
        float t = (float)i / CURVE_STEPS, s = 1 - t;
        struct canvas_point next = {s * s * from.x + 2 * s * t * control.x + t * t * to.x,
                                    s * s * from.y + 2 * s * t * control.y + t * t * to.y};
        pen->line(pen->context, last, next);
        last = next;
    }
}

static void draw_open(const struct pen *pen, const struct canvas_point *points, size_t count)
{
    struct canvas_point from = points[0];
    for (size_t i = 1; i + 1 < count; i++) {
        struct canvas_point to =
            i + 2 < count ? middle(points[i], points[i + 1]) : points[count - 1];
        draw_bend(pen, from, points[i], to);
        from = to;
    }
}

static void draw_closed(const struct pen *pen, const struct canvas_point *points, size_t count)
{
    for (size_t i = 0; i < count; i++)
        draw_bend(pen, middle(points[(i + count - 1) % count], points[i]), points[i],
                  middle(points[i], points[(i + 1) % count]));
}

static void draw_straight(const struct pen *pen, const struct canvas_point *points, size_t count)
{
    for (size_t i = 1; i < count; i++)
        pen->line(pen->context, points[i - 1], points[i]);
}

void stroke_font_glyph(uint32_t code,
                       void (*line)(void *context, struct canvas_point from,
                                    struct canvas_point to),
                       void *context)
{
    const struct pen pen = {line, context};
    for (const char *at = glyph_of(code); *at; at += *at == ' ') {
        struct canvas_point points[POINTS_MAX];
        size_t count = 0;
        char kind = *at == '~' || *at == '@' ? *at++ : 0;
        for (; *at && *at != ' '; at += 2)
            points[count++] = (struct canvas_point){(float)(at[0] - '0'), (float)(at[1] - 'd')};
        if (kind == '@')
            draw_closed(&pen, points, count);
        else if (kind == '~')
            draw_open(&pen, points, count);
        else
            draw_straight(&pen, points, count);
    }
}

float stroke_font_advance(uint32_t code)
{
    float width = 0;
    if (code == ' ')
        return SPACE;
    if (code >= '0' && code <= '9') /* columns of numbers */
        return 6 + GAP;
    for (const char *at = glyph_of(code); *at; at++)
        if (*at >= '0' && *at <= ';' && (float)(*at - '0') > width)
            width = (float)(*at - '0');
    return width + GAP;
}
