/* test_planes.c: every layout is reversible, whole or in row ranges in any order, and writes only
 * its planes. Random bytes stand for blocks: a layout moves bits and looks at none. */
#include "testing.h"

#include "planes.h"

#include <stdlib.h>

static const enum dtype types[] = {
    DTYPE_F32,  DTYPE_F16,    DTYPE_BF16, DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0,   DTYPE_Q5_1,
    DTYPE_Q8_0, DTYPE_IQ4_NL, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K, DTYPE_IQ4_XS,
};

enum { TYPE_COUNT = sizeof types / sizeof *types, GUARD = 64 };

struct planes {
    uint8_t *bytes[PLANE_MAX]; /* owned, GUARD bytes of 0xA5 behind each */
    uint64_t size[PLANE_MAX];
};

static void planes_create(struct planes *planes, enum dtype dtype, uint32_t interleave,
                          uint32_t cols, uint64_t rows)
{
    memset(planes, 0, sizeof *planes);
    for (uint32_t p = 0; p < planes_count(dtype); p++) {
        planes->size[p] = planes_size(dtype, interleave, cols, rows, p);
        assert_int_equal(planes->size[p] % 4, 0);
        planes->bytes[p] = malloc((size_t)planes->size[p] + GUARD);
        assert_non_null(planes->bytes[p]);
        memset(planes->bytes[p], 0x5A, (size_t)planes->size[p]);
        memset(planes->bytes[p] + planes->size[p], 0xA5, GUARD);
    }
}

static void planes_destroy(struct planes *planes)
{
    for (uint32_t p = 0; p < PLANE_MAX; p++) {
        for (uint32_t i = 0; planes->bytes[p] && i < GUARD; i++)
            assert_int_equal(planes->bytes[p][planes->size[p] + i], 0xA5);
        free(planes->bytes[p]);
    }
}

static uint8_t *random_rows(enum dtype dtype, uint32_t cols, uint64_t rows, size_t *row_size,
                            uint64_t *seed)
{
    const struct dtype_info *info = dtype_find((uint32_t)dtype);
    *row_size = (size_t)(cols / info->block_weights) * info->block_size;
    uint8_t *bytes = malloc(*row_size * (size_t)rows);
    assert_non_null(bytes);
    for (size_t i = 0; i < *row_size * rows; i++)
        bytes[i] = (uint8_t)(test_random(seed) >> 40);
    return bytes;
}

/* Packs rows first .. first + count of src to where they belong in planes. */
static void pack_range(const struct planes *planes, enum dtype dtype, uint32_t interleave,
                       const uint8_t *src, size_t row_size, uint32_t cols, uint64_t first,
                       uint64_t count)
{
    void *dst[PLANE_MAX] = {NULL, NULL, NULL};
    for (uint32_t p = 0; p < planes_count(dtype); p++)
        dst[p] = planes->bytes[p] + planes_size(dtype, interleave, cols, first, p);
    planes_pack(dtype, interleave, src + first * row_size, cols, count, dst);
}

static void check(enum dtype dtype, uint32_t interleave, uint32_t cols, uint64_t rows)
{
    uint64_t seed = 77 + cols + rows;
    size_t row_size;
    uint8_t *src = random_rows(dtype, cols, rows, &row_size, &seed);
    uint8_t *back = malloc(row_size * (size_t)rows);
    struct planes whole, parts;
    planes_create(&whole, dtype, interleave, cols, rows);
    planes_create(&parts, dtype, interleave, cols, rows);

    planes_pack(dtype, interleave, src, cols, rows, (void *const *)whole.bytes);
    planes_unpack(dtype, interleave, (const void *const *)whole.bytes, cols, rows, back);
    assert_memory_equal(src, back, row_size * rows);

    uint64_t half =
        rows / 2 / planes_row_group(dtype, interleave) * planes_row_group(dtype, interleave);
    pack_range(&parts, dtype, interleave, src, row_size, cols, half, rows - half);
    pack_range(&parts, dtype, interleave, src, row_size, cols, 0, half);
    for (uint32_t p = 0; p < planes_count(dtype); p++)
        assert_memory_equal(whole.bytes[p], parts.bytes[p], whole.size[p]);

    planes_destroy(&whole);
    planes_destroy(&parts);
    free(back);
    free(src);
}

static void test_reversible(void **state)
{
    (void)state;
    for (int t = 0; t < TYPE_COUNT; t++) {
        uint32_t step = dtype_find((uint32_t)types[t])->block_weights;
        for (uint32_t blocks = 1; blocks <= 5; blocks++)
            for (uint64_t rows = 1; rows <= 11; rows++) {
                check(types[t], 1, blocks * step, rows);
                check(types[t], 8, blocks * step, rows);
            }
        check(types[t], 1, 256, 64);
        check(types[t], 8, 256, 64);
    }
}

static void test_padding_is_zero(void **state)
{
    (void)state;
    float src[5] = {1, 2, 3, 4, 5}, dst[64];
    void *plane[PLANE_MAX] = {dst, NULL, NULL};
    memset(dst, 0xFF, sizeof dst);
    assert_int_equal(planes_size(DTYPE_F32, 1, 5, 1, 0), 128);
    planes_pack(DTYPE_F32, 1, src, 5, 1, plane);
    for (int i = 0; i < 32; i++)
        assert_true(dst[i] == (i < 5 ? src[i] : 0.0F));
}

static void test_unsupported(void **state)
{
    (void)state;
    struct fault fault = {0};
    assert_true(planes_supported(DTYPE_Q4_0, NULL));
    assert_false(planes_supported(DTYPE_I32, &fault));
    assert_int_equal(fault.kind, FAULT_UNSUPPORTED);
    assert_non_null(strstr(fault.text, "I32"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reversible),
        cmocka_unit_test(test_padding_is_zero),
        cmocka_unit_test(test_unsupported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
