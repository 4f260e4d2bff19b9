/* test_decode.c: the reference decoders against blocks decoded by hand and against what gguf-py
 * made of random bytes (make_blocks.py), bit for bit. */
#include "testing.h"

#include "block.h"
#include "decode_half.h"
#include "dtype.h"
#include "half.h"
#include "reader.h"

#include <math.h>
#include <stdlib.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return isnan(value) ? 0x7fc00000 : bits;
}

static void decode(enum dtype dtype, const void *block, float *dst)
{
    dtype_find(dtype)->decode(block, dst, 1);
}

/* d = 0.5, m = -2; codes chosen so that each weight's place shows. */
static void test_q4_0_by_hand(void **state)
{
    (void)state;
    uint8_t block[18] = {0x00, 0x38, 0x80, 0xf1};
    float y[32];
    decode(DTYPE_Q4_0, block, y);
    assert_true(y[0] == -4.0f);  /* code 0 */
    assert_true(y[16] == 0.0f);  /* code 8 */
    assert_true(y[1] == -3.5f);  /* code 1 */
    assert_true(y[17] == 3.5f);  /* code 15 */
    assert_true(y[31] == -4.0f); /* code 0 */
}

static void test_q4_1_by_hand(void **state)
{
    (void)state;
    uint8_t block[20] = {0x00, 0x38, 0x00, 0xc0, 0xf3};
    float y[32];
    decode(DTYPE_Q4_1, block, y);
    assert_true(y[0] == -0.5f);
    assert_true(y[16] == 5.5f);
    assert_true(y[1] == -2.0f);
}

static void test_q5_0_by_hand(void **state)
{
    (void)state;
    /* bit 4 of the weights 1, 16 and 31 */
    uint8_t block[22] = {0x00, 0x38, 0x02, 0x00, 0x01, 0x80, 0x21, 0x03};
    float y[32];
    decode(DTYPE_Q5_0, block, y);
    assert_true(y[0] == -7.5f);  /* 1 */
    assert_true(y[16] == 1.0f);  /* 2 + 16 */
    assert_true(y[1] == 1.5f);   /* 3 + 16 */
    assert_true(y[17] == -8.0f); /* 0 */
    assert_true(y[31] == 0.0f);  /* 0 + 16 */
}

static void test_q5_1_by_hand(void **state)
{
    (void)state;
    uint8_t block[24] = {0x00, 0x38, 0x00, 0xc0, 0x01, 0x00, 0x00, 0x80, 0x21};
    float y[32];
    decode(DTYPE_Q5_1, block, y);
    assert_true(y[0] == 6.5f);   /* 17 */
    assert_true(y[16] == -1.0f); /* 2 */
    assert_true(y[31] == 6.0f);  /* 16 */
}

static void test_q8_0_by_hand(void **state)
{
    (void)state;
    uint8_t block[34] = {0x00, 0x38, 0x01, 0xff, 0x80, 0x7f};
    block[33] = 10;
    float y[32];
    decode(DTYPE_Q8_0, block, y);
    assert_true(y[0] == 0.5f && y[1] == -0.5f && y[2] == -64.0f && y[3] == 63.5f);
    assert_true(y[31] == 5.0f);
}

/* d = 0.5, dmin = 2. Sub-block 1: scale 63, min 5. Sub-block 5: scale 0b110010, min 0b100101. */
static void put_k_scales(uint8_t scales[12])
{
    scales[1] = 63 | 3 << 6;               /* scale 1, upper bits of scale 5 */
    scales[5] = 5 | 2 << 6;                /* min 1, upper bits of min 5 */
    scales[9] = 0x2 | (uint8_t)(0x5 << 4); /* lower bits of scale 5 and min 5 */
}

static void test_q4_k_by_hand(void **state)
{
    (void)state;
    struct block_q4_k block = {.d = 0x3800, .dmin = 0x4000};
    put_k_scales(block.scales);
    block.qs[3] = 0x70;                  /* weight 32 + 3: 7 */
    block.qs[64 + 31] = (uint8_t)(0xf0); /* weight 160 + 31: 15 */
    float y[256];
    decode(DTYPE_Q4_K, &block, y);
    assert_true(y[0] == 0.0f);
    assert_true(y[35] == 0.5f * 63 * 7 - 10);
    assert_true(y[36] == -10.0f);
    assert_true(y[191] == 0.5f * 50 * 15 - 74);
    assert_true(y[190] == -74.0f);
    assert_true(y[192] == 0.0f);
}

static void test_q5_k_by_hand(void **state)
{
    (void)state;
    struct block_q5_k block = {.d = 0x3800, .dmin = 0x4000};
    put_k_scales(block.scales);
    block.qs[3] = 0x70;
    block.qh[3] = 1 << 1;
    block.qh[31] = 1 << 5;
    float y[256];
    decode(DTYPE_Q5_K, &block, y);
    assert_true(y[35] == 0.5f * 63 * 23 - 10);
    assert_true(y[191] == 0.5f * 50 * 16 - 74);
    assert_true(y[63] == -10.0f);
}

static void test_q6_k_by_hand(void **state)
{
    (void)state;
    struct block_q6_k block = {.d = 0x3800};
    for (int i = 0; i < 16; i++)
        block.scales[i] = (int8_t)(i - 8);
    block.ql[64 + 32 + 5] = 0x9c; /* half 1: low of quarter 1, high of quarter 3 */
    block.qh[32 + 5] = 0x48;      /* 01 00 10 00 */
    float y[256];
    decode(DTYPE_Q6_K, &block, y);
    assert_true(y[128 + 32 + 5] == 0.5f * 2 * ((0xc | 2 << 4) - 32));
    assert_true(y[128 + 96 + 5] == 0.5f * 6 * ((0x9 | 1 << 4) - 32));
    assert_true(y[0] == 0.5f * -8 * -32);
    assert_true(y[255] == 0.5f * 7 * -32);
}

static void test_iq4_by_hand(void **state)
{
    (void)state;
    uint8_t simple[18] = {0x00, 0x38, 0xf0, 0x87};
    float y[256];
    decode(DTYPE_IQ4_NL, simple, y);
    assert_true(y[0] == -63.5f && y[16] == 56.5f && y[1] == -5.0f && y[17] == 0.5f);

    struct block_iq4_xs block = {.d = 0x3800, .scales_h = 2 << 6};
    block.scales_l[1] = 0xa0; /* sub-block 3: scale 0xa | 2 << 4 = 42 */
    block.qs[16 * 3 + 2] = 0xf0;
    decode(DTYPE_IQ4_XS, &block, y);
    assert_true(y[96 + 2] == 0.5f * 10 * -127 && y[96 + 18] == 0.5f * 10 * 113);
    assert_true(y[0] == 0.5f * -32 * -127);
}

static void test_plain_by_hand(void **state)
{
    (void)state;
    const uint8_t bytes[4] = {0x00, 0x00, 0xc0, 0xbf};
    float y[2];
    decode(DTYPE_F32, bytes, y);
    assert_true(y[0] == -1.5f);
    dtype_find(DTYPE_BF16)->decode(bytes, y, 2);
    assert_true(y[0] == 0.0f && y[1] == -1.5f);
    dtype_find(DTYPE_F16)->decode(bytes, y, 2);
    assert_true(y[0] == 0.0f && y[1] == -1.9375f);
}

/* One record of blocks.bin, its blocks at every alignment. */
static void check_record(struct reader *reader)
{
    uint32_t id = reader_u32(reader, "dtype");
    uint32_t count = reader_u32(reader, "count");
    uint32_t size = reader_u32(reader, "size");
    uint32_t weights = reader_u32(reader, "weights");
    const struct dtype_info *info = dtype_find(id);
    assert_non_null(info);
    assert_int_equal(info->block_size, size);
    assert_int_equal(info->block_weights, weights);
    const uint8_t *blocks = reader_bytes(reader, (uint64_t)count * size, "blocks");
    assert_non_null(blocks);
    uint8_t *shifted = malloc((size_t)count * size + 1);
    float *y = malloc((size_t)count * weights * sizeof *y);
    assert_true(shifted && y);
    memcpy(shifted + 1, blocks, (size_t)count * size);
    info->decode(shifted + 1, y, count);
    for (uint32_t i = 0; i < count * weights; i++) {
        uint32_t expected = reader_u32(reader, "weight");
        if (bits_of(y[i]) != expected)
            fail_msg("%s: weight %u is %08x, expected %08x", info->name, i, bits_of(y[i]),
                     expected);
    }
    free(y);
    free(shifted);
}

static void test_golden_blocks(void **state)
{
    (void)state;
    static uint8_t bytes[1 << 18];
    FILE *file = fopen(LICHEN_TEST_DATA "/quant/blocks.bin", "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    struct reader reader;
    reader_init(&reader, bytes, size, NULL);
    int types = 0;
    for (; reader_left(&reader) > 0; types++)
        check_record(&reader);
    assert_false(reader.failed);
    assert_int_equal(types, 13);
}

static void test_dtype_table(void **state)
{
    (void)state;
    char scratch[16];
    int known = 0;
    for (uint32_t id = 0; id < DTYPE_ID_COUNT; id++) {
        const struct dtype_info *info = dtype_find(id);
        assert_non_null(dtype_name(id, scratch));
        if (!info)
            continue;
        known++;
        assert_string_equal(info->name, dtype_name(id, scratch));
        assert_true(info->block_weights == 1 || info->block_weights == 32 ||
                    info->block_weights == 256);
        assert_true(info->decode || id == DTYPE_I32);
    }
    assert_int_equal(known, 14);
    assert_string_equal(dtype_name(10, scratch), "Q2_K");
    assert_string_equal(dtype_name(UINT32_MAX, scratch), "type 4294967295");
    assert_null(dtype_find(9));
    assert_null(dtype_find(DTYPE_ID_COUNT));
    assert_null(dtype_find(UINT32_MAX));
}

/* All binary16 numbers, from an odd address, with every instruction set this processor has. */
static void test_halves_in_every_set(void **state)
{
    static decode_half *const decode[INSTRUCTION_SET_COUNT] = INSTRUCTION_SET_TABLE(decode_halves);
    enum { COUNT = 1 << 16 };
    (void)state;
    uint8_t *bytes = malloc(1 + 2 * COUNT);
    float *found = malloc(COUNT * sizeof *found);
    assert_true(bytes && found);
    for (uint32_t i = 0; i < COUNT; i++) {
        bytes[1 + 2 * i] = (uint8_t)i;
        bytes[2 + 2 * i] = (uint8_t)(i >> 8);
    }
    for (int set = 0; set <= (int)instruction_set_best(); set++) {
        decode[set](bytes + 1, found, COUNT);
        for (uint32_t i = 0; i < COUNT; i++) {
            float expected = half_to_float((uint16_t)i);
            if (bits_of(found[i]) != bits_of(expected))
                fail_msg("set %d, half %04x: %a, not %a", set, i, (double)found[i],
                         (double)expected);
        }
    }
    free(found);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_by_hand),       cmocka_unit_test(test_q4_0_by_hand),
        cmocka_unit_test(test_q4_1_by_hand),        cmocka_unit_test(test_q5_0_by_hand),
        cmocka_unit_test(test_q5_1_by_hand),        cmocka_unit_test(test_q8_0_by_hand),
        cmocka_unit_test(test_q4_k_by_hand),        cmocka_unit_test(test_q5_k_by_hand),
        cmocka_unit_test(test_q6_k_by_hand),        cmocka_unit_test(test_iq4_by_hand),
        cmocka_unit_test(test_golden_blocks),       cmocka_unit_test(test_dtype_table),
        cmocka_unit_test(test_halves_in_every_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
