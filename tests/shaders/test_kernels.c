/* Kernels one by one where whole plans (tests/graph) do not look: the bits of the packed-dot form,
 * embeddings of every type, top-k with ties, floods of equal logits and broken numbers. */
#include "kernel_run.h"
#include "matmul_fixture.h"
#include "run.h"
#include "top.h"

#include <math.h>
#include <stdlib.h>

static struct gpu_device *device;

static float random_float(uint64_t *seed)
{
    static const float sizes[] = {1, 1e-3f, 300, 1e-20f};
    return test_uniform(seed) * sizes[test_random(seed) >> 60 & 3];
}

/* ---- quantize ---- */

enum { FORMAT_16 = 1, FORMAT_8 = 2, BLOCK = 32 };

/* One block: q integers from the words, d times q within half a step of x, the sum exact. */
static void check_block(const float *x, const uint32_t *words, const float scale[2],
                        uint32_t format)
{
    const int8_t *bytes = (const int8_t *)words;
    float largest = 0;
    int32_t sum = 0;
    for (int i = 0; i < BLOCK; i++)
        largest = fmaxf(largest, fabsf(x[i]));
    float steps = format == FORMAT_16 ? 32639 : 127;
    assert_true(fabsf(scale[0] - largest / steps) <= 4e-7f * largest / steps);
    for (int i = 0; i < BLOCK; i++) {
        int32_t q = bytes[i];
        if (format == FORMAT_16)
            q = 256 * bytes[BLOCK + i] + (uint8_t)bytes[i] - (bytes[i] < 0 ? 256 : 0);
        sum += q;
        assert_true(fabs((double)q * (double)scale[0] - (double)x[i]) <=
                    0.5001 * (double)scale[0] + 1e-6 * (double)largest);
    }
    assert_true(fabs((double)scale[1] - (double)scale[0] * sum) <=
                1e-6 * fabs((double)scale[0] * sum));
}

static void quantize_case(uint32_t width, uint32_t rows, uint32_t format, uint32_t group)
{
    uint64_t seed = 5 + width;
    uint32_t blocks = width / BLOCK * rows, words = format == FORMAT_16 ? 16 : 8;
    struct run_params params = {.count = rows};
    float *x = malloc(4ull * width * rows), *scales = malloc(8ull * blocks);
    uint32_t *quants = malloc(4ull * words * blocks);
    assert_true(x && scales && quants);
    for (uint32_t i = 0; i < width * rows; i++)
        x[i] = i / BLOCK == 1 ? 0 : random_float(&seed);
    kernel_run(device, &(struct kernel_run){
                           .shader = SHADER_QUANTIZE,
                           .spec = {group, format},
                           .spec_count = 2,
                           .push = {width, 0},
                           .push_count = 2,
                           .buffers = {{&params, sizeof params / 4},
                                       {x, width * rows},
                                       {quants, words * blocks},
                                       {scales, 2 * blocks}},
                           .groups = {2, rows + 1, 1},
                       });
    for (uint32_t b = 0; b < blocks; b++)
        check_block(x + b * BLOCK, quants + b * words, scales + 2 * b, format);
    free(x);
    free(scales);
    free(quants);
}

static void test_quantize(void **state)
{
    (void)state;
    static const uint32_t widths[] = {32, 96, 576, 1056};
    for (size_t i = 0; i < 4; i++) {
        quantize_case(widths[i], 3, FORMAT_16, 8);
        quantize_case(widths[i], 2, FORMAT_8, 64);
    }
}

/* ---- embed ---- */

static const enum shader_id embed_shaders[FIXTURE_TYPE_COUNT] = {
    SHADER_EMBED_F32,   SHADER_EMBED_F16,  SHADER_EMBED_BF16, SHADER_EMBED_Q4_0,
    SHADER_EMBED_Q4_1,  SHADER_EMBED_Q5_0, SHADER_EMBED_Q5_1, SHADER_EMBED_Q8_0,
    SHADER_EMBED_Q4_K,  SHADER_EMBED_Q5_K, SHADER_EMBED_Q6_K, SHADER_EMBED_IQ4_NL,
    SHADER_EMBED_IQ4_XS};
static const enum dtype embed_types[FIXTURE_TYPE_COUNT] = {
    DTYPE_F32,  DTYPE_F16,  DTYPE_BF16, DTYPE_Q4_0, DTYPE_Q4_1,   DTYPE_Q5_0,  DTYPE_Q5_1,
    DTYPE_Q8_0, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K, DTYPE_IQ4_NL, DTYPE_IQ4_XS};

enum { ROWS = 48, TOKENS = 5, FIRST = 16 };

/* Rows FIRST .. ROWS as a shard; tokens in it and outside; y of the others stays. */
static void embed_case(size_t type, uint32_t cols)
{
    static uint32_t tokens[TOKENS] = {FIRST, FIRST - 1, ROWS - 1, ROWS, FIRST + 7};
    enum dtype dtype = embed_types[type];
    const struct dtype_info *info = dtype_find(dtype);
    uint32_t interleave = gpu_matmul_interleave(gpu_device_info(device));
    uint32_t rows = ROWS - FIRST;
    size_t blocks = (size_t)rows * cols / info->block_weights;
    uint64_t seed = 77 + cols;
    uint8_t *raw = malloc(blocks * info->block_size);
    float *values = malloc(sizeof *values * rows * cols), *y = malloc(4ull * TOKENS * cols);
    void *planes[PLANE_MAX] = {NULL};
    struct run_params params = {.count = TOKENS};
    assert_true(raw && values && y);
    fixture_blocks(dtype, raw, blocks, false, &seed);
    info->decode(raw, values, blocks);
    struct kernel_run run = {.shader = embed_shaders[type],
                             .spec = {8, interleave},
                             .spec_count = 2,
                             .push = {cols, FIRST, rows, 0, 0x40000000 /* 2.0f */},
                             .push_count = 5,
                             .groups = {1, TOKENS, 1}};
    for (uint32_t p = 0; p < planes_count(dtype); p++) {
        uint64_t size = planes_size(dtype, interleave, cols, rows, p);
        planes[p] = calloc(1, size);
        assert_non_null(planes[p]);
        run.buffers[p] = (struct kernel_buffer){planes[p], (uint32_t)(size / 4)};
    }
    planes_pack(dtype, interleave, raw, cols, rows, planes);
    for (uint32_t i = 0; i < TOKENS * cols; i++)
        y[i] = -7;
    run.buffers[3] = (struct kernel_buffer){tokens, TOKENS};
    run.buffers[4] = (struct kernel_buffer){y, TOKENS * cols};
    run.buffers[5] = (struct kernel_buffer){&params, sizeof params / 4};
    kernel_run(device, &run);
    for (uint32_t t = 0; t < TOKENS; t++)
        for (uint32_t c = 0; c < cols; c++) {
            bool here = tokens[t] >= FIRST && tokens[t] < ROWS;
            float expected = here ? 2 * values[(size_t)(tokens[t] - FIRST) * cols + c] : -7;
            assert_true(y[(size_t)t * cols + c] == expected);
        }
    for (uint32_t p = 0; p < PLANE_MAX; p++)
        free(planes[p]);
    free(raw);
    free(values);
    free(y);
}

static void test_embed(void **state)
{
    (void)state;
    for (size_t i = 0; i < FIXTURE_TYPE_COUNT; i++) {
        uint32_t unit = dtype_find(embed_types[i])->block_weights;
        embed_case(i, unit == 1 ? 67 : 3 * unit);
    }
}

/* ---- top-k ---- */

enum { SEGMENTS = 1024, RESULTS = 256 };

struct top_found {
    uint32_t id;
    float logit;
};

/* found[0].id is the count of candidates. */
static void top_run(float *logits, uint32_t vocab, uint32_t wanted, uint32_t group,
                    struct top_found found[RESULTS + 1])
{
    static uint32_t maxima[SEGMENTS];
    const uint32_t parts = group / 8, own = group / parts; /* 1, 8, 32 */
    struct run_params params = {.count = 1, .outputs = 1, .top = wanted};
    struct kernel_run run = {
        .shader = SHADER_TOPK_SCAN,
        .spec = {group, SEGMENTS, parts},
        .spec_count = 3,
        .push = {vocab},
        .push_count = 1,
        .buffers = {{&params, sizeof params / 4}, {logits, vocab}, {maxima, SEGMENTS}},
        .groups = {(SEGMENTS + own - 1) / own, 2, 1}};
    kernel_run(device, &run);
    run.shader = SHADER_TOPK_PICK;
    run.spec[2] = RESULTS;
    run.spec_count = 3;
    run.buffers[3] = (struct kernel_buffer){found, 2 * (RESULTS + 1)};
    run.groups[0] = 1;
    kernel_run(device, &run);
}

static void top_case(float *logits, uint32_t vocab, uint32_t wanted, uint32_t group)
{
    static struct top_found found[RESULTS + 1];
    struct fault fault = {0};
    int32_t ids[RESULTS];
    float values[RESULTS];
    uint32_t count = wanted < vocab ? wanted : vocab;
    top_run(logits, vocab, wanted, group, found);
    assert_true(found[0].id >= count && found[0].id <= SEGMENTS);
    assert_ok(top_select(logits, vocab, count, ids, values, &fault), fault);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(found[1 + i].id, ids[i]);
        assert_true(found[1 + i].logit == values[i]);
    }
}

static void test_top(void **state)
{
    (void)state;
    static const uint32_t vocabs[] = {1, 2, 300, 1024, 1025, 5003, 49152};
    static const uint32_t counts[] = {1, 3, 64, 65, 256};
    static float logits[49152];
    uint64_t seed = 9;
    for (size_t i = 0; i < 7; i++)
        for (size_t j = 0; j < 5; j++) {
            for (uint32_t n = 0; n < vocabs[i]; n++)
                logits[n] = test_uniform(&seed) * 20;
            top_case(logits, vocabs[i], counts[j], i % 2 ? 8 : 256);
        }
}

/* A few values only: ties go to the lower id. Infinities are ordinary. */
static void test_top_ties(void **state)
{
    (void)state;
    static float logits[5003];
    uint64_t seed = 10;
    for (uint32_t n = 0; n < 5003; n++)
        logits[n] = (float)(test_random(&seed) >> 59) - (n % 9 ? 40.0f : 0.0f);
    logits[4000] = logits[17] = 99;
    logits[18] = INFINITY;
    logits[19] = -INFINITY;
    logits[20] = -0.0f;
    top_case(logits, 5003, 3, 8);
    top_case(logits, 5003, 40, 8);
    top_case(logits, 5003, 200, 64);
}

static void test_top_broken(void **state)
{
    (void)state;
    static float logits[5003];
    static struct top_found found[RESULTS + 1];
    for (uint32_t n = 0; n < 5003; n++)
        logits[n] = 1.5f;
    top_run(logits, 5003, 5, 8, found);
    assert_int_equal(found[0].id, 5003); /* a flood: the host sorts */
    for (uint32_t n = 0; n < 5003; n++)
        logits[n] = (float)n;
    logits[11] = -NAN;
    top_run(logits, 5003, 5, 8, found);
    assert_int_equal(found[1].id, 11);
    assert_true(isnan(found[1].logit));
}

static int device_open(void **state)
{
    (void)state;
    const struct gpu_options options = {.robust = true};
    device = fixture_open(&options);
    return 0;
}

static int device_close(void **state)
{
    (void)state;
    fixture_close(device);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantize),   cmocka_unit_test(test_embed),
        cmocka_unit_test(test_top),        cmocka_unit_test(test_top_ties),
        cmocka_unit_test(test_top_broken),
    };
    return cmocka_run_group_tests(tests, device_open, device_close);
}
