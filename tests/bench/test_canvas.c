/* test_canvas.c: what is drawn lands where it should, texts of a chart never overlap, the file is
 * the picture. */
#include "testing.h"
#include "axis.h"
#include "bench_chart.h"
#include "canvas.h"
#include "chart_bars.h"
#include "read_png.h"
#include "stroke_font.h"
#include <math.h>

enum { INK = 0, PAPER = 255 };

static struct canvas *paper(uint32_t width, uint32_t height)
{
    struct canvas *canvas;
    struct fault fault = {0};
    assert_true(canvas_create(width, height, 0xFFFFFFFFu, &canvas, &fault));
    return canvas;
}

static int at(const struct canvas *canvas, uint32_t x, uint32_t y)
{
    return canvas_pixels(canvas)[3 * ((size_t)y * canvas_width(canvas) + x)];
}

static size_t count_dark(const struct canvas *canvas)
{
    size_t dark = 0;
    for (uint32_t y = 0; y < canvas_height(canvas); y++)
        for (uint32_t x = 0; x < canvas_width(canvas); x++)
            dark += at(canvas, x, y) < 128;
    return dark;
}

static void test_sizes(void **state)
{
    (void)state;
    struct canvas *canvas;
    struct fault fault = {0};
    assert_false(canvas_create(0, 10, 0, &canvas, &fault));
    assert_null(canvas);
    assert_int_equal(fault.kind, FAULT_ARGUMENT);
    assert_false(canvas_create(10, CANVAS_SIDE_MAX + 1, 0, &canvas, NULL));
}

static void test_fill(void **state)
{
    (void)state;
    struct canvas *canvas = paper(20, 10);
    canvas_fill(canvas, (struct canvas_box){2, 3, 5.5f, 6}, 0xFF000000u);
    assert_int_equal(at(canvas, 1, 4), PAPER);
    assert_int_equal(at(canvas, 2, 3), INK);
    assert_int_equal(at(canvas, 4, 5), INK);
    assert_in_range(at(canvas, 5, 4), 126, 129); /* half covered */
    assert_int_equal(at(canvas, 6, 4), PAPER);
    assert_int_equal(at(canvas, 2, 6), PAPER);
    canvas_fill(canvas, (struct canvas_box){-100, -100, 1, 1000}, 0x80000000u);
    assert_in_range(at(canvas, 0, 9), 126, 129); /* half transparent, cut at the edges */
    canvas_destroy(canvas);
}

static void test_line(void **state)
{
    (void)state;
    struct canvas *canvas = paper(40, 40);
    canvas_line(canvas, 5, 20, 35, 20, 4, 0xFF000000u);
    for (uint32_t x = 5; x < 35; x++) {
        assert_int_equal(at(canvas, x, 18), INK);
        assert_int_equal(at(canvas, x, 21), INK);
        assert_int_equal(at(canvas, x, 16), PAPER);
        assert_int_equal(at(canvas, x, 23), PAPER);
    }
    canvas_destroy(canvas);
    canvas = paper(100, 100);
    canvas_line(canvas, 10, 20, 90, 80, 3, 0xFF000000u); /* any slope: area = width * length */
    double area = 0;
    for (uint32_t y = 0; y < 100; y++)
        for (uint32_t x = 0; x < 100; x++)
            area += (255 - at(canvas, x, y)) / 255.0;
    assert_true(fabs(area - (3 * 100 + 3.14159 * 1.5 * 1.5)) < 4);
    canvas_destroy(canvas);
}

static void test_clip(void **state)
{
    (void)state;
    struct canvas *canvas = paper(40, 40);
    const struct canvas_box box = {10, 10, 20, 20};
    const struct canvas_text style = {30, CANVAS_MIDDLE, false, true, 0xFF000000u};
    canvas_clip(canvas, &box);
    canvas_fill(canvas, (struct canvas_box){0, 0, 40, 12}, 0xFF000000u);
    canvas_line(canvas, 0, 15, 40, 15, 2, 0xFF000000u);
    canvas_disc(canvas, 20, 20, 9, 0xFF000000u);
    canvas_text(canvas, 20, 30, &style, "WWW");
    canvas_line(canvas, NAN, 0, 10, 10, 2, 0xFF000000u); /* draws nothing and breaks nothing */
    for (uint32_t y = 0; y < 40; y++)
        for (uint32_t x = 0; x < 40; x++)
            if (x < 10 || x >= 20 || y < 10 || y >= 20)
                assert_int_equal(at(canvas, x, y), PAPER);
    assert_int_equal(at(canvas, 10, 10), INK);
    canvas_clip(canvas, NULL);
    canvas_fill(canvas, (struct canvas_box){0, 0, 40, 40}, 0xFF000000u);
    assert_int_equal(at(canvas, 0, 0), INK);
    canvas_destroy(canvas);
}

/* Ink lies in the box that is promised, and in all of it; turned by 90 degrees it is the same. */
static void test_text_box(void **state)
{
    (void)state;
    for (int upwards = 0; upwards < 2; upwards++) {
        struct canvas *canvas = paper(300, 300);
        struct canvas_text style = {40, CANVAS_MIDDLE, upwards, false, 0xFF000000u};
        canvas_text(canvas, 150, 150, &style, "HgQ|");
        size_t count;
        struct canvas_box box = canvas_text_boxes(canvas, &count)[0];
        assert_int_equal(count, 1);
        float long_side = upwards ? box.y1 - box.y0 : box.x1 - box.x0;
        assert_true(fabsf(long_side - canvas_text_width(&style, "HgQ|")) < 0.01f);
        for (uint32_t y = 0; y < 300; y++)
            for (uint32_t x = 0; x < 300; x++)
                if (at(canvas, x, y) < 128)
                    assert_true((float)x > box.x0 - 3 && (float)x < box.x1 + 3 &&
                                (float)y > box.y0 - 3 && (float)y < box.y1 + 3);
        assert_true(count_dark(canvas) > 300);
        canvas_destroy(canvas);
    }
}

static void count_line(void *context, struct canvas_point from, struct canvas_point to)
{
    float *most = context;
    most[0] += hypotf(from.x - to.x, from.y - to.y) + 0.1f;
    most[1] = fmaxf(most[1], fmaxf(from.x, to.x));
    assert_true(from.y >= -3 && from.y <= 10 && to.y >= -3 && to.y <= 10);
    assert_true(from.x >= 0 && to.x >= 0);
}

/* Every printable character has strokes, stays within its advance, and no two look the same. */
static void test_font(void **state)
{
    (void)state;
    uint8_t *pictures[128] = {NULL};
    for (uint32_t code = '!'; code <= '~'; code++) {
        float most[2] = {0, 0};
        stroke_font_glyph(code, count_line, most);
        assert_true(most[0] > 0);
        assert_true(most[1] < stroke_font_advance(code));
        const char text[2] = {(char)code, 0};
        const struct canvas_text style = {48, CANVAS_START, false, false, 0xFF000000u};
        struct canvas *canvas = paper(64, 64);
        canvas_text(canvas, 8, 46, &style, text);
        pictures[code] = malloc(3 * 64 * 64);
        assert_non_null(pictures[code]);
        memcpy(pictures[code], canvas_pixels(canvas), 3 * 64 * 64);
        canvas_destroy(canvas);
        for (uint32_t other = '!'; other < code; other++)
            if (memcmp(pictures[code], pictures[other], 3 * 64 * 64) == 0)
                fail_msg("'%c' looks like '%c'", (int)code, (int)other);
    }
    for (int i = 0; i < 128; i++)
        free(pictures[i]);
}

static void test_text_fit(void **state)
{
    (void)state;
    const struct canvas_text style = {20, CANVAS_START, false, false, 0};
    char text[64];
    canvas_text_fit(&style, "short", 1000, text, sizeof text);
    assert_string_equal(text, "short");
    canvas_text_fit(&style, "a long line that does not fit at all", 150, text, sizeof text);
    assert_true(canvas_text_width(&style, text) <= 150);
    assert_string_equal(text + strlen(text) - 3, "...");
    canvas_text_fit(&style, "short", 1000, text, 5);
    assert_string_equal(text, "s...");
    canvas_text_fit(&style, "\xE5\x8C\x97\xE4\xBA\xAC", canvas_text_width(&style, "x") * 4, text,
                    8);
    assert_true(strlen(text) == 3 || strlen(text) == 6); /* never half a character */
    canvas_text_fit(&style, "x", 0, text, sizeof text);
    assert_true(strlen(text) <= 4);
}

static void test_axis(void **state)
{
    (void)state;
    struct axis axis = {.from = 100, .to = 0};
    char text[32];
    static const struct {
        double low, high, min, max;
        const char *second;
    } cases[] = {{0, 97, 0, 100, "20"},     {0, 0.037, 0, 0.04, "0.01"}, {0, 12345, 0, 15000, "5k"},
                 {0, 3.2e7, 0, 4e7, "10M"}, {-3, 3, -3, 3, "-2"},        {0, 2.4, 0, 2.5, "0.5"},
                 {5, 5, 5, 10, "6"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        axis_fit(&axis, cases[i].low, cases[i].high, false, 6);
        assert_true(axis.min <= cases[i].low && axis.max >= cases[i].high);
        if (fabs(axis.min - cases[i].min) > 1e-9 || fabs(axis.max - cases[i].max) > 1e-9 * axis.max)
            fail_msg("case %zu: %g .. %g", i, axis.min, axis.max);
        assert_in_range(axis.tick_count, 4, 8);
        axis_label(&axis, 1, text);
        assert_string_equal(text, cases[i].second);
        assert_true(fabsf(axis_at(&axis, axis.min) - 100) < 1e-3f);
        assert_true(fabsf(axis_at(&axis, axis.max)) < 1e-3f);
    }
    axis_fit(&axis, 0.02, 3, true, 6);
    assert_true(axis.min <= 0.0101 && axis.max >= 9.99);
    assert_true(fabsf(axis_at(&axis, 0.1) - (100 - 100 / 3.0f)) < 0.01f);
}

/* ---- charts ---- */

static void assert_no_overlap(const struct canvas *canvas)
{
    size_t count;
    const struct canvas_box *boxes = canvas_text_boxes(canvas, &count);
    assert_true(count > 0 && count < CANVAS_TEXT_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_true(boxes[i].x0 >= 0 && boxes[i].y0 >= 0);
        assert_true(boxes[i].x1 <= (float)canvas_width(canvas));
        assert_true(boxes[i].y1 <= (float)canvas_height(canvas));
        for (size_t k = 0; k < i; k++)
            if (boxes[i].x0 < boxes[k].x1 && boxes[k].x0 < boxes[i].x1 &&
                boxes[i].y0 < boxes[k].y1 && boxes[k].y0 < boxes[i].y1)
                fail_msg("texts %zu and %zu overlap at %.0f, %.0f", k, i, (double)boxes[i].x0,
                         (double)boxes[i].y0);
    }
}

static void fill_result(struct bench_result *result, size_t depths, bool peer, double rate)
{
    memset(result, 0, sizeof *result);
    for (size_t i = 0; i < 2 * depths; i++) {
        struct bench_row *row = &result->rows[result->count++];
        bool decode = i % 2;
        double median = rate / (1 + 0.05 * (double)i) / (decode ? 30 : 1);
        row->decode = decode;
        row->tokens = decode ? 128 : 512;
        row->depth = (uint32_t)(i / 2 * 4096);
        row->rate = (struct bench_spread){median, 0.93 * median, 1.06 * median};
        if (peer && (i / 2 == 0 || depths > 4))
            row->peer = (struct bench_spread){median * 0.97, 0.9 * median, median};
    }
}

static void save(const char *name, const void *bytes, size_t size)
{
    char path[1024];
    snprintf(path, sizeof path, LICHEN_TEST_OUTPUT "/%s", name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void check_chart(const char *name, const struct bench_result *result)
{
    static const struct bench_chart_head head = {
        "Qwen2.5-Coder-0.5B-Instruct.Q4_K_M.gguf with a name that is longer than there is room for "
        "on one line of the picture",
        "494 M parameters, 6.36 bits each, on NVIDIA H100 80GB HBM3, NVIDIA 580.95.05",
        "lichen 0.1.0, median of 5 runs, whiskers 10th to 90th percentile; AMD EPYC, 16 "
        "processors"};
    struct fault fault = {0};
    struct canvas *canvas;
    void *bytes;
    size_t size;
    int width, height;
    assert_true(bench_chart_draw(result, &head, &canvas, &fault));
    assert_true(canvas_png(canvas, &bytes, &size, &fault));
    save(name, bytes, size);
    assert_no_overlap(canvas);
    uint8_t *pixels = read_png(bytes, size, &width, &height);
    assert_non_null(pixels);
    assert_int_equal(width, canvas_width(canvas));
    assert_int_equal(height, canvas_height(canvas));
    assert_memory_equal(pixels, canvas_pixels(canvas), 3 * (size_t)width * (size_t)height);
    size_t dark = count_dark(canvas);
    assert_true(dark > 2000 && dark < (size_t)width * (size_t)height / 2);
    free(pixels);
    free(bytes);
    canvas_destroy(canvas);
}

static void test_charts(void **state)
{
    (void)state;
    static const struct {
        size_t depths;
        bool peer;
        double rate;
    } cases[] = {{1, false, 900},   {2, true, 38217},   {3, true, 7.31},
                 {8, true, 1234.5}, {16, false, 99999}, {40, true, 512}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench_result result;
        char name[32];
        snprintf(name, sizeof name, "chart-%zu.png", i);
        fill_result(&result, cases[i].depths, cases[i].peer, cases[i].rate);
        check_chart(name, &result);
    }
}

static void test_chart_of_one_test(void **state)
{
    (void)state;
    struct bench_result result;
    fill_result(&result, 1, false, 50);
    result.count = 1; /* prefill alone */
    check_chart("chart-prefill.png", &result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),    cmocka_unit_test(test_fill),
        cmocka_unit_test(test_line),     cmocka_unit_test(test_clip),
        cmocka_unit_test(test_text_box), cmocka_unit_test(test_font),
        cmocka_unit_test(test_text_fit), cmocka_unit_test(test_axis),
        cmocka_unit_test(test_charts),   cmocka_unit_test(test_chart_of_one_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
