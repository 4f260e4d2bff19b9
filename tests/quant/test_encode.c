/* test_encode.c: the encoders: error on the weights of the published table, properties on random
 * blocks of every kind, the effect of importance, independence of rows, threads and instruction
 * set, and the plain rounding byte for byte. The argument "slow" runs ten times the blocks. */
#include "testing.h"

#include "block.h"
#include "encode.h"
#include "encode_block.h"
#include "half.h"
#include "parallel.h"
#include "reader.h"
#include "table_weights.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static int blocks_per_type = 100000;

static const enum dtype searched[] = {
    DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0, DTYPE_Q5_1,   DTYPE_Q8_0,
    DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K, DTYPE_IQ4_NL, DTYPE_IQ4_XS,
};
enum { SEARCHED = sizeof searched / sizeof searched[0] };

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Relative errors without and with even importance, Gaussian then t5: ggml's (quantization.md
 * section 2; Q5_1 is not in it) and ours when this test was written. */
struct expected {
    enum dtype dtype;
    double peer[4];
    double ours[4];
};

static const struct expected table[] = {
    {DTYPE_Q4_0, {0.08595, 0.08163, 0.1074, 0.1039}, {0.08154, 0.08087, 0.10371, 0.10250}},
    {DTYPE_Q4_1, {0.07832, 0.06997, 0.0897, 0.0807}, {0.07002, 0.06935, 0.08072, 0.07983}},
    {DTYPE_Q5_0, {0.04274, 0.04049, 0.0537, 0.0519}, {0.04027, 0.04005, 0.05169, 0.05135}},
    {DTYPE_Q5_1, {1.0, 1.0, 1.0, 1.0}, {0.03407, 0.03379, 0.03931, 0.03893}},
    {DTYPE_Q8_0, {0.00536, 0.00536, 0.0068, 0.0068}, {0.00535, 0.00535, 0.00676, 0.00676}},
    {DTYPE_Q4_K, {0.07144, 0.07082, 0.0828, 0.0821}, {0.07069, 0.07001, 0.08168, 0.08074}},
    {DTYPE_Q5_K, {0.03615, 0.03537, 0.0419, 0.0413}, {0.03482, 0.03460, 0.04030, 0.03995}},
    {DTYPE_Q6_K, {0.01777, 0.01734, 0.0215, 0.0210}, {0.01672, 0.01662, 0.02029, 0.02016}},
    {DTYPE_IQ4_NL, {0.07614, 0.07492, 0.0885, 0.0869}, {0.07373, 0.07324, 0.08598, 0.08517}},
    {DTYPE_IQ4_XS, {0.07673, 0.07561, 0.0893, 0.0879}, {0.07437, 0.07387, 0.08695, 0.08606}},
};

static double relative_error(enum dtype dtype, const float *weights, const float *importance)
{
    static uint8_t bytes[TABLE_COLS * 2];
    struct encode_stats stats = {0};
    for (size_t row = 0; row < TABLE_ROWS; row++)
        encode_row(dtype, weights + row * TABLE_COLS, importance, TABLE_COLS, bytes, &stats);
    assert_true(stats.nonfinite == 0);
    return sqrt(stats.error / stats.signal);
}

static void test_table(void **state)
{
    (void)state;
    float *weights = malloc(2 * TABLE_WEIGHTS * sizeof *weights), even[TABLE_COLS];
    assert_non_null(weights);
    table_weights(weights, weights + TABLE_WEIGHTS);
    for (size_t i = 0; i < TABLE_COLS; i++)
        even[i] = 1.0f;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        for (size_t k = 0; k < 4; k++) {
            double error = relative_error(table[i].dtype, weights + k / 2 * TABLE_WEIGHTS,
                                          k % 2 ? even : NULL);
            if (error > table[i].peer[k] * 1.002 || error > table[i].ours[k] * 1.003)
                fail_msg("%s, case %zu: %.5f, ggml %.5f, was %.5f",
                         dtype_find(table[i].dtype)->name, k, error, table[i].peer[k],
                         table[i].ours[k]);
        }
    free(weights);
}

/* Random blocks: a kind, a size, specials in between. */
enum kind {
    KIND_UNIFORM,
    KIND_HEAVY,    /* cubes: few large ones */
    KIND_OUTLIER,  /* one in a block */
    KIND_CONSTANT, /* and hardly so */
    KIND_POSITIVE,
    KIND_NEGATIVE,
    KIND_SPARSE,
    KIND_GRID, /* multiples of one step */
    KIND_ONE_SIDE_FAR,
    KIND_BITS, /* random bits: NaN, infinities, everything */
    KIND_COUNT
};

static float draw(enum kind kind, uint64_t *random, uint32_t i)
{
    float value = test_uniform(random);
    switch (kind) {
    case KIND_HEAVY:
        return value * value * value;
    case KIND_OUTLIER:
        return i == 7 ? 1.0f : value * 0.01f;
    case KIND_CONSTANT:
        return 1.0f + value * 1e-3f;
    case KIND_POSITIVE:
        return fabsf(value);
    case KIND_NEGATIVE:
        return -fabsf(value);
    case KIND_SPARSE:
        return test_random(random) % 8 ? 0.0f : value;
    case KIND_GRID:
        return roundf(value * 7.0f) / 8.0f;
    case KIND_ONE_SIDE_FAR:
        return -10.0f + value;
    default:
        return value;
    }
}

static void draw_block(uint64_t *random, uint32_t count, float *dst)
{
    enum kind kind = (enum kind)(test_random(random) % KIND_COUNT);
    float size = ldexpf(1.0f, (int)(test_random(random) % 8 ? test_random(random) % 24
                                                            : test_random(random) % 277) -
                                  (test_random(random) % 8 ? 16 : 149));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)(test_random(random) >> 32);
        if (kind == KIND_BITS)
            memcpy(&dst[i], &bits, sizeof bits);
        else
            dst[i] = draw(kind, random, i) * size;
        if (test_random(random) % 4096 == 0)
            dst[i] = (const float[]){NAN, INFINITY, -INFINITY, 0.0f}[test_random(random) % 4];
    }
}

struct block_errors {
    double signal, error, weighted_signal, weighted_error;
    float largest;
};

/* The weighted ones as the search sees them without importance. */
static struct block_errors block_errors(const float *src, const float *decoded, uint32_t count)
{
    struct block_errors sums = {0};
    double x[BLOCK_K_WEIGHTS];
    for (uint32_t i = 0; i < count; i++) {
        x[i] = isfinite(src[i]) ? (double)src[i] : 0.0;
        double miss = x[i] - (double)decoded[i];
        sums.signal += x[i] * x[i];
        sums.error += miss * miss;
        sums.largest = fmaxf(sums.largest, (float)fabs(x[i]));
    }
    double rms = sqrt(sums.signal / count);
    for (uint32_t i = 0; i < count; i++) {
        double miss = x[i] - (double)decoded[i], weight = rms + fabs(x[i]);
        sums.weighted_signal += weight * x[i] * x[i];
        sums.weighted_error += weight * miss * miss;
    }
    return sums;
}

/* Types with a plain rounding, and sizes at which neither d nor m is a subnormal (too coarse) or
 * too large for binary16: there luck decides. */
static bool plain_compares(enum dtype dtype, float largest)
{
    bool searched_too =
        dtype == DTYPE_Q4_0 || dtype == DTYPE_Q4_1 || dtype == DTYPE_Q5_0 || dtype == DTYPE_Q5_1;
    float smallest = dtype == DTYPE_Q8_0 ? 0x1p-6f : 0x1p-9f;
    return (searched_too || dtype == DTYPE_Q8_0) && largest > smallest && largest < 0x1p15f;
}

/* Never worse than plain rounding, by more than float noise (Q8_0 rounds itself). */
static void check_against_plain(enum dtype dtype, const float *src, struct block_errors ours)
{
    uint8_t bytes[64];
    float decoded[BLOCK_WEIGHTS];
    encode_row_plain(dtype, src, BLOCK_WEIGHTS, bytes);
    dtype_find(dtype)->decode(bytes, decoded, 1);
    struct block_errors plain = block_errors(src, decoded, BLOCK_WEIGHTS);
    double slack = dtype == DTYPE_Q8_0 ? 1.05 : 1.02;
    if (ours.weighted_error > plain.weighted_error * slack + plain.weighted_signal * 1e-6)
        fail_msg("%s: %g, plain %g of %g", dtype_find(dtype)->name, ours.weighted_error,
                 plain.weighted_error, plain.weighted_signal);
}

static void check_block(enum dtype dtype, const float *src)
{
    const struct dtype_info *info = dtype_find(dtype);
    uint8_t bytes[BLOCK_Q6_K_SIZE + 1];
    float decoded[BLOCK_K_WEIGHTS];
    struct encode_stats stats = {0};
    bool finite = true;
    uint64_t nonfinite = 0;
    encode_row(dtype, src, NULL, info->block_weights, bytes + 1, &stats);
    info->decode(bytes + 1, decoded, 1);
    for (uint32_t i = 0; i < info->block_weights; i++) {
        finite = finite && isfinite(decoded[i]);
        nonfinite += isfinite(src[i]) ? 0 : 1;
    }
    assert_true(finite);
    assert_true(stats.nonfinite == nonfinite);
    struct block_errors sums = block_errors(src, decoded, info->block_weights);
    assert_true(fabs(stats.error - sums.error) <= 1e-9 * sums.error);
    if (sums.largest < 0x1p-25f)
        for (uint32_t i = 0; i < info->block_weights; i++)
            assert_true(decoded[i] == 0.0f);
    if (sums.weighted_error > sums.weighted_signal * 1.0001)
        fail_msg("%s: error %g of %g, largest %g", info->name, sums.weighted_error,
                 sums.weighted_signal, (double)sums.largest);
    if (nonfinite == 0 && plain_compares(dtype, sums.largest))
        check_against_plain(dtype, src, sums);
}

static void test_random_blocks(void **state)
{
    (void)state;
    uint64_t random = 20240609;
    for (int i = 0; i < SEARCHED; i++)
        for (int n = 0; n < blocks_per_type; n++) {
            float src[BLOCK_K_WEIGHTS];
            draw_block(&random, dtype_find(searched[i])->block_weights, src);
            check_block(searched[i], src);
        }
}

/* Every instruction set of this processor gives the same bytes. */
static void test_sets_agree(void **state)
{
    (void)state;
    uint64_t random = 20240610;
    for (int i = 0; i < SEARCHED; i++)
        for (int n = 0; n < blocks_per_type / 100; n++) {
            const struct dtype_info *info = dtype_find(searched[i]);
            uint32_t cols = info->block_weights;
            float src[BLOCK_K_WEIGHTS], importance[BLOCK_K_WEIGHTS];
            uint8_t first[BLOCK_Q6_K_SIZE], other[BLOCK_Q6_K_SIZE];
            draw_block(&random, cols, src);
            for (uint32_t k = 0; k < cols; k++)
                importance[k] = expf(4.0f * test_uniform(&random));
            const float *weights = n % 2 ? importance : NULL;
            encode_row_with(ENCODE_SET_PLAIN, searched[i], src, weights, cols, first);
            for (int set = 1; set <= (int)encode_set_best(); set++) {
                encode_row_with((enum encode_set)set, searched[i], src, weights, cols, other);
                assert_memory_equal(first, other, info->block_size);
            }
        }
}

enum { ROWS = 24, COLS = 1536 };

struct rows {
    enum dtype dtype;
    float src[ROWS][COLS];
    float importance[COLS];
    uint8_t bytes[ROWS][2 * COLS];
};

static void rows_draw(struct rows *rows)
{
    uint64_t random = 20240611;
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < COLS; k++)
            rows->src[i][k] = (float)(table_student(&random) * 0.02);
    for (int k = 0; k < COLS; k++)
        rows->importance[k] = expf(3.0f * test_uniform(&random));
}

static void encode_item(void *context, uint32_t item, uint32_t thread)
{
    (void)thread;
    struct rows *rows = context;
    encode_row(rows->dtype, rows->src[item], rows->importance, COLS, rows->bytes[item], NULL);
}

/* Any order of rows, any threads, and each block alone: the same bytes. */
static void test_rows_independent(void **state)
{
    (void)state;
    struct rows *rows = calloc(1, sizeof *rows);
    struct parallel *parallel;
    struct fault fault = {0};
    assert_non_null(rows);
    rows_draw(rows);
    assert_true(parallel_create(3, &parallel, &fault));
    for (int i = 0; i < SEARCHED; i++) {
        const struct dtype_info *info = dtype_find(rows->dtype = searched[i]);
        parallel_for(parallel, ROWS, encode_item, rows);
        for (uint32_t row = ROWS; row-- > 0;)
            for (uint32_t n = COLS / info->block_weights; n-- > 0;) {
                uint8_t alone[BLOCK_Q6_K_SIZE];
                uint32_t col = n * info->block_weights;
                encode_row(searched[i], rows->src[row] + col, rows->importance + col,
                           info->block_weights, alone, NULL);
                assert_memory_equal(alone, rows->bytes[row] + n * info->block_size,
                                    info->block_size);
            }
    }
    parallel_destroy(parallel);
    free(rows);
}

static double importance_error(const struct rows *rows, enum dtype dtype, const float *importance)
{
    static uint8_t bytes[2 * COLS];
    static float decoded[COLS];
    double sum = 0.0;
    for (int i = 0; i < ROWS; i++) {
        encode_row(dtype, rows->src[i], importance, COLS, bytes, NULL);
        dtype_find(dtype)->decode(bytes, decoded, COLS / dtype_find(dtype)->block_weights);
        for (int k = 0; k < COLS; k++) {
            double miss = (double)rows->src[i][k] - (double)decoded[k];
            sum += (double)rows->importance[k] * miss * miss;
        }
    }
    return sum;
}

/* By at least a twentieth; columns that count nothing, or all of them, are no exception. */
static void test_importance_lowers_error(void **state)
{
    (void)state;
    struct rows *rows = calloc(1, sizeof *rows);
    assert_non_null(rows);
    rows_draw(rows);
    for (int i = 0; i < SEARCHED; i++) {
        if (searched[i] == DTYPE_Q8_0)
            continue;
        double with = importance_error(rows, searched[i], rows->importance);
        double without = importance_error(rows, searched[i], NULL);
        if (with > 0.95 * without)
            fail_msg("%s: %g with, %g without", dtype_find(searched[i])->name, with, without);
    }
    free(rows);
}

/* Importance of any size: only ratios count, within a block. */
static void test_importance_extremes(void **state)
{
    (void)state;
    static const float values[] = {0.0f, 1e-38f, 1e-20f, 1.0f, 1e20f, 1e38f};
    uint64_t random = 20240612;
    for (int i = 0; i < SEARCHED; i++)
        for (int n = 0; n < 600; n++) {
            float src[BLOCK_K_WEIGHTS], importance[BLOCK_K_WEIGHTS], decoded[BLOCK_K_WEIGHTS];
            uint8_t bytes[BLOCK_Q6_K_SIZE];
            const struct dtype_info *info = dtype_find(searched[i]);
            for (uint32_t k = 0; k < info->block_weights; k++) {
                src[k] = test_uniform(&random);
                importance[k] = values[n < 60 ? n % 6 : (int)(test_random(&random) % 6)];
            }
            struct encode_stats stats = {0};
            encode_row(searched[i], src, importance, info->block_weights, bytes, &stats);
            info->decode(bytes, decoded, 1);
            assert_true(stats.error <= (n < 60 ? 0.01 : 1.0) * stats.signal);
        }
}

/* Weights that lie on a type's grid stay there: an expanded file converts back without loss. */
static void test_again_lossless(void **state)
{
    (void)state;
    static const enum dtype types[] = {DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0,
                                       DTYPE_Q5_1, DTYPE_Q8_0, DTYPE_IQ4_NL};
    uint64_t random = 20240613;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        for (int n = 0; n < 2000; n++) {
            float src[BLOCK_WEIGHTS], grid[BLOCK_WEIGHTS];
            uint8_t bytes[BLOCK_Q8_0_SIZE];
            struct encode_stats stats = {0};
            for (int k = 0; k < BLOCK_WEIGHTS; k++)
                src[k] = (float)table_gaussian(&random) * 0.1f;
            if (types[i] == DTYPE_IQ4_NL)
                encode_row(types[i], src, NULL, BLOCK_WEIGHTS, bytes, NULL);
            else
                encode_row_plain(types[i], src, BLOCK_WEIGHTS, bytes);
            dtype_find(types[i])->decode(bytes, grid, 1);
            encode_row(types[i], grid, NULL, BLOCK_WEIGHTS, bytes, &stats);
            assert_true(stats.error == 0.0);
        }
}

static void test_simple_types(void **state)
{
    (void)state;
    const float src[8] = {1.0f, -0.1f, NAN, INFINITY, -INFINITY, 1e30f, -FLT_MAX, 1e-40f};
    struct encode_stats stats = {0};
    float decoded[8];
    uint8_t bytes[32];
    encode_row(DTYPE_F32, src, NULL, 8, bytes, &stats);
    memcpy(decoded, bytes, sizeof decoded);
    assert_true(stats.nonfinite == 3 && stats.error == 0.0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(bits_of(decoded[i]), isfinite(src[i]) ? bits_of(src[i]) : 0);

    encode_row(DTYPE_F16, src, NULL, 8, bytes, &stats);
    dtype_find(DTYPE_F16)->decode(bytes, decoded, 8);
    assert_true(decoded[0] == 1.0f && decoded[1] == half_to_float(half_from_float(-0.1f)));
    assert_true(decoded[2] == 0.0f && decoded[3] == 0.0f && decoded[4] == 0.0f);
    assert_true(decoded[5] == 65504.0f && decoded[6] == -65504.0f && decoded[7] == 0.0f);

    encode_row(DTYPE_BF16, src, NULL, 8, bytes, &stats);
    dtype_find(DTYPE_BF16)->decode(bytes, decoded, 8);
    assert_true(decoded[0] == 1.0f && decoded[1] == bfloat_to_float(bfloat_from_float(-0.1f)));
    assert_true(decoded[2] == 0.0f && decoded[3] == 0.0f && decoded[4] == 0.0f);
    assert_true(isfinite(decoded[6]) && decoded[6] < -3.3e38f && decoded[7] != 0.0f);
    assert_true(stats.nonfinite == 9);
}

static void test_supported(void **state)
{
    (void)state;
    int count = 0;
    for (uint32_t id = 0; id < DTYPE_ID_COUNT; id++)
        count += encode_supported((enum dtype)id);
    assert_int_equal(count, 13);
    assert_false(encode_supported(DTYPE_I32));
    assert_false(encode_supported(DTYPE_ID_COUNT));
}

/* plain.bin: make_plain.py. */
static void test_plain_golden(void **state)
{
    (void)state;
    static uint8_t file_bytes[1 << 17];
    static float rows[512][BLOCK_WEIGHTS];
    FILE *file = fopen(LICHEN_TEST_DATA "/quant/plain.bin", "rb");
    assert_non_null(file);
    size_t size = fread(file_bytes, 1, sizeof file_bytes, file);
    fclose(file);
    struct reader reader;
    reader_init(&reader, file_bytes, size, NULL);
    uint32_t count = reader_u32(&reader, "rows");
    assert_in_range(count, 1, 512);
    memcpy(rows, reader_bytes(&reader, (uint64_t)count * sizeof rows[0], "rows"),
           count * sizeof rows[0]);
    int types = 0;
    for (; reader_left(&reader) > 0; types++) {
        enum dtype dtype = (enum dtype)reader_u32(&reader, "dtype");
        uint32_t block_size = reader_u32(&reader, "size");
        for (uint32_t i = 0; i < count; i++) {
            uint8_t bytes[BLOCK_Q8_0_SIZE];
            const uint8_t *expected = reader_bytes(&reader, block_size, "block");
            encode_row_plain(dtype, rows[i], BLOCK_WEIGHTS, bytes);
            if (memcmp(bytes, expected, block_size) != 0)
                fail_msg("%s: row %u differs", dtype_find(dtype)->name, i);
        }
    }
    assert_false(reader.failed);
    assert_int_equal(types, 5);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_random_blocks),
        cmocka_unit_test(test_sets_agree),
        cmocka_unit_test(test_rows_independent),
        cmocka_unit_test(test_importance_lowers_error),
        cmocka_unit_test(test_importance_extremes),
        cmocka_unit_test(test_again_lossless),
        cmocka_unit_test(test_simple_types),
        cmocka_unit_test(test_supported),
        cmocka_unit_test(test_plain_golden),
    };
    if (count > 1 && strcmp(arguments[1], "slow") == 0)
        blocks_per_type *= 10;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
