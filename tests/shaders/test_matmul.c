/* test_matmul.c: every matmul kernel, type and epilogue against the C decode in double precision,
 * on random shapes with odd tails; and GLSL dequantization bit for bit equal to C.
 *
 * Stated bound: |y - exact| <= 1e-6 * (sum |w x| + |bias| + |residual|) for up to 1024 columns
 * (float32 sums; the largest seen is 4e-7). Activations of the packed kernels are taken as
 * quantized. */
#include "matmul_fixture.h"

#include <stdlib.h>

#define BOUND 1e-6

static struct gpu_device *device;

static int setup(void **state)
{
    (void)state;
    device = fixture_open(&(struct gpu_options){.robust = true});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(device);
    return 0;
}

static bool is_plain(enum dtype dtype)
{
    return dtype_find((uint32_t)dtype)->block_weights == 1;
}

/* ---- dequantization ---- */

#define X(NAME, FILE, MACROS) extern const struct shader shader_##NAME;
#include "test_shaders.def"
#undef X

static const struct shader *dequantize_shader(enum dtype dtype)
{
    static const struct shader *const shaders[] = {
#define X(NAME, FILE, MACROS) &shader_##NAME,
#include "test_shaders.def"
#undef X
    };
    char name[64];
    snprintf(name, sizeof name, "TEST_DEQUANTIZE_%s", dtype_find((uint32_t)dtype)->name);
    for (size_t i = 0; i < sizeof shaders / sizeof *shaders; i++)
        if (strcmp(shaders[i]->name, name) == 0)
            return shaders[i];
    fail_msg("no shader %s", name);
    return NULL;
}

static void run_once(struct gpu_kernel *kernel, const struct gpu_range *ranges, uint32_t count,
                     uint32_t push, uint32_t groups)
{
    struct fault fault = {0};
    struct gpu_binding *binding = NULL;
    struct gpu_commands *commands = NULL;
    assert_ok(gpu_bind(device, kernel, ranges, count, &binding, &fault), fault);
    assert_ok(gpu_commands_create(device, &commands, &fault), fault);
    assert_ok(gpu_record_begin(commands, &fault), fault);
    gpu_record_dispatch(commands, kernel, binding, &push, groups, 1, 1);
    gpu_record_host_barrier(commands);
    assert_ok(gpu_record_end(commands, &fault), fault);
    assert_ok(gpu_submit(device, commands, &fault), fault);
    assert_ok(gpu_wait(device, &fault), fault);
    gpu_commands_destroy(device, commands);
    gpu_unbind(device, binding);
}

static void dequantize(enum dtype dtype, const uint8_t *blocks, uint32_t cols, float *dst)
{
    const struct shader *shader = dequantize_shader(dtype);
    struct gpu_kernel_request request = {.code = shader->code,
                                         .code_size = shader->size,
                                         .name = shader->name,
                                         .binding_count = 4,
                                         .push_size = 4};
    struct gpu_kernel *kernel = NULL;
    struct fault fault = {0};
    struct gpu_range ranges[4];
    void *planes[PLANE_MAX] = {NULL, NULL, NULL};
    assert_ok(gpu_kernel_get(device, &request, &kernel, &fault), fault);
    for (uint32_t p = 0; p < planes_count(dtype); p++)
        planes[p] = calloc(1, (size_t)planes_size(dtype, 1, cols, 1, p));
    planes_pack(dtype, 1, blocks, cols, 1, planes);
    struct gpu_buffer *result = fixture_buffer(device, dst, cols * sizeof *dst);
    for (uint32_t i = 0; i < 4; i++)
        ranges[i] = (struct gpu_range){.buffer = result};
    for (uint32_t p = 0; p < planes_count(dtype); p++)
        ranges[p].buffer = fixture_buffer(device, planes[p], planes_size(dtype, 1, cols, 1, p));
    run_once(kernel, ranges, 4, cols / 32, (cols / 32 + 63) / 64);
    assert_ok(gpu_download(device, result, 0, dst, cols * sizeof *dst, &fault), fault);
    for (uint32_t p = 0; p < planes_count(dtype); p++) {
        gpu_buffer_destroy(device, ranges[p].buffer);
        free(planes[p]);
    }
    gpu_buffer_destroy(device, result);
}

static void test_dequantize(void **state)
{
    (void)state;
    enum { COLS = 256 * 61 };
    float *expected = malloc(COLS * sizeof *expected), *found = calloc(COLS, sizeof *found);
    for (int t = 0; t < FIXTURE_TYPE_COUNT; t++) {
        const struct dtype_info *info = dtype_find((uint32_t)fixture_types[t]);
        size_t count = COLS / info->block_weights;
        uint64_t seed = 5;
        uint8_t *blocks = malloc(count * info->block_size);
        fixture_blocks(fixture_types[t], blocks, count, true, &seed);
        info->decode(blocks, expected, count);
        dequantize(fixture_types[t], blocks, COLS, found);
        for (int i = 0; i < COLS; i++)
            if (memcmp(&expected[i], &found[i], sizeof *found) != 0)
                fail_msg("%s: weight %d is %a, in C %a", info->name, i, (double)found[i],
                         (double)expected[i]);
        free(blocks);
    }
    free(expected);
    free(found);
}

/* ---- products ---- */

/* Few shapes a type, since lavapipe takes up to a second of processor time a pipeline; the epilogue
 * goes round with the type. */
static const struct matmul_case one_token[] = {
    {.rows = 77, .cols = 768, .row_count = 77, .shard_rows = 200, .tokens = 1, .tokens_max = 1},
};
static const struct matmul_case two_tokens[] = {
    {.rows = 131,
     .cols = 512,
     .row_first = 3,
     .row_count = 101,
     .shard_rows = 34,
     .tokens = 2,
     .tokens_max = 2,
     .outputs = true},
};
static const struct matmul_case four_tokens[] = {
    {.rows = 67,
     .cols = 1024,
     .row_first = 5,
     .row_count = 60,
     .shard_rows = 34,
     .tokens = 3,
     .tokens_max = 4},
    {.rows = 35, .cols = 256, .row_count = 35, .shard_rows = 36, .tokens = 67, .tokens_max = 68},
};
static const struct matmul_case sixteen_tokens[] = {
    {.rows = 131,
     .cols = 512,
     .row_first = 3,
     .row_count = 101,
     .shard_rows = 34,
     .tokens = 13,
     .tokens_max = 16},
    {.rows = 70, .cols = 256, .row_count = 70, .shard_rows = 70, .tokens = 1, .tokens_max = 1},
};
static const struct matmul_case wide[] = {
    {.rows = 65,
     .cols = 768,
     .row_count = 65,
     .shard_rows = 66,
     .tokens = 67,
     .tokens_max = 128,
     .bias = true,
     .residual = true,
     .outputs = true},
};

static void run_type(enum dtype dtype, uint32_t turn, const struct matmul_case *cases, size_t count,
                     enum matmul_kind kind)
{
    struct gpu_info info = *gpu_device_info(device);
    for (size_t i = 0; i < count; i++) {
        struct matmul_case matmul = cases[i];
        matmul.dtype = dtype;
        matmul.interleave = (turn + i) % 2 ? 1 : 8;
        matmul.bias |= turn % 2 == 1;
        matmul.residual |= turn % 4 > 1;
        matmul.in_place = matmul.residual && i == 0;
        fixture_matmul(device, &info, &matmul, kind, BOUND);
    }
}

static void run_shapes(const struct matmul_case *cases, size_t count, enum matmul_kind kind)
{
    bool packed = matmul_kind_packed(kind);
    for (uint32_t t = 0; t < FIXTURE_TYPE_COUNT; t++)
        if (!packed || !is_plain(fixture_types[t]))
            run_type(fixture_types[t], t, cases, count, kind);
}

#define ALL(SHAPES) SHAPES, sizeof SHAPES / sizeof *SHAPES

static void test_gemv(void **state)
{
    (void)state;
    run_shapes(ALL(one_token), MATMUL_GEMV);
    run_type(DTYPE_Q4_0, 3, ALL(two_tokens), MATMUL_GEMV);
    run_type(DTYPE_F16, 3, four_tokens, 1, MATMUL_GEMV);
}

static void test_gemv_16(void **state)
{
    (void)state;
    run_shapes(ALL(one_token), MATMUL_GEMV_16);
    run_shapes(ALL(two_tokens), MATMUL_GEMV_16);
}

static void test_gemv_8(void **state)
{
    (void)state;
    run_shapes(ALL(one_token), MATMUL_GEMV_8);
    run_type(DTYPE_Q4_1, 3, ALL(two_tokens), MATMUL_GEMV_8);
}

static void test_lane(void **state)
{
    (void)state;
    run_shapes(ALL(one_token), MATMUL_LANE);
    run_shapes(ALL(four_tokens), MATMUL_LANE);
}

static void test_lane_packed(void **state)
{
    (void)state;
    run_shapes(ALL(one_token), MATMUL_LANE_16);
    run_type(DTYPE_Q4_1, 3, four_tokens, 1, MATMUL_LANE_16);
    run_type(DTYPE_Q5_0, 2, ALL(two_tokens), MATMUL_LANE_16);
    run_type(DTYPE_Q8_0, 2, four_tokens, 1, MATMUL_LANE_16);
    run_type(DTYPE_Q6_K, 1, ALL(two_tokens), MATMUL_LANE_16);
    run_shapes(ALL(one_token), MATMUL_LANE_8);
    run_type(DTYPE_Q6_K, 3, ALL(two_tokens), MATMUL_LANE_8);
}

/* A group of 32 products is the same bits with packed dots and with floats that hold integers. */
static void test_lane_packed_bits(void **state)
{
    (void)state;
    static const enum matmul_kind kinds[2][2] = {{MATMUL_GEMV_16, MATMUL_LANE_16},
                                                 {MATMUL_GEMV_8, MATMUL_LANE_8}};
    enum { TOKENS = 4, ROWS = 203 };
    static float found[2][TOKENS * ROWS];
    float *results[2] = {found[0], found[1]};
    const struct gpu_info *info = gpu_device_info(device);
    for (int t = 0; t < FIXTURE_TYPE_COUNT; t++) {
        const struct matmul_case matmul = {.dtype = fixture_types[t],
                                           .rows = ROWS,
                                           .cols = 256,
                                           .row_count = ROWS,
                                           .shard_rows = ROWS,
                                           .tokens = TOKENS,
                                           .tokens_max = TOKENS,
                                           .one_group = true};
        for (int k = 0; k < 2 && !is_plain(matmul.dtype); k++) {
            fixture_matmul_pair(device, info, &matmul, kinds[k], results);
            for (int i = 0; i < TOKENS * ROWS; i++)
                if (memcmp(&found[0][i], &found[1][i], sizeof(float)) != 0)
                    fail_msg("%s, kinds %d: result %d is %a with packed dots, %a without",
                             dtype_find((uint32_t)matmul.dtype)->name, k, i, (double)found[0][i],
                             (double)found[1][i]);
        }
    }
}

static void test_gemm(void **state)
{
    (void)state;
    run_shapes(ALL(sixteen_tokens), MATMUL_GEMM);
    run_type(DTYPE_Q4_0, 0, ALL(wide), MATMUL_GEMM);
}

/* Plain numbers need no multiple of 32, nor of 4. */
static void test_odd_columns(void **state)
{
    (void)state;
    static const enum matmul_kind kinds[] = {MATMUL_GEMV, MATMUL_LANE, MATMUL_GEMM};
    static const uint32_t cols[] = {1, 33, 70, 196};
    struct gpu_info info = *gpu_device_info(device);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int t = 0; t < 3; t += 2)
            for (size_t c = 0; c < sizeof cols / sizeof *cols; c++) {
                struct matmul_case matmul = {.dtype = fixture_types[t],
                                             .rows = 9,
                                             .cols = cols[c],
                                             .row_count = 9,
                                             .shard_rows = 9,
                                             .tokens = 1,
                                             .tokens_max = 2};
                fixture_matmul(device, &info, &matmul, kinds[k], BOUND);
            }
}

/* More tokens than a workgroup of matmul_gemv takes, the last set not full. */
static void test_gemv_passes(void **state)
{
    (void)state;
    struct gpu_info info = *gpu_device_info(device);
    struct matmul_case matmul = {.dtype = DTYPE_Q4_K,
                                 .rows = 11,
                                 .cols = 512,
                                 .row_count = 11,
                                 .shard_rows = 11,
                                 .tokens = 19,
                                 .tokens_max = 32};
    fixture_matmul(device, &info, &matmul, MATMUL_GEMV_16, BOUND);
}

/* The choice for devices that are not here. */
static void test_choice(void **state)
{
    (void)state;
    struct gpu_info info = {.type = GPU_DISCRETE,
                            .subgroup_arithmetic = true,
                            .packed_dot = true,
                            .subgroup_size = 32,
                            .invocations_max = 1024};
    assert_int_equal(gpu_matmul_choose(&info, DTYPE_Q4_0, 1, ACTIVATIONS_16), MATMUL_GEMV_16);
    assert_int_equal(gpu_matmul_choose(&info, DTYPE_Q4_0, 8, ACTIVATIONS_8), MATMUL_GEMV_8);
    assert_int_equal(gpu_matmul_choose(&info, DTYPE_Q4_0, 9, ACTIVATIONS_16), MATMUL_GEMM);
    info.packed_dot_accelerated = true;
    assert_int_equal(gpu_matmul_choose(&info, DTYPE_Q4_0, 32, ACTIVATIONS_16), MATMUL_GEMV_16);
    assert_int_equal(gpu_matmul_tile(&info, DTYPE_Q4_0, 32, MATMUL_GEMV_16).tokens, 8);
    assert_int_equal(gpu_matmul_choose(&info, DTYPE_Q4_0, 33, ACTIVATIONS_16), MATMUL_GEMM);
    info.packed_dot_accelerated = false;
    assert_int_equal(gpu_matmul_choose(&info, DTYPE_Q4_0, 1, ACTIVATIONS_FLOAT), MATMUL_GEMV);
    assert_int_equal(gpu_matmul_choose(&info, DTYPE_F16, 1, ACTIVATIONS_16), MATMUL_GEMV);
    struct gpu_tiling tiling = gpu_matmul_tile(&info, DTYPE_Q4_0, 1, MATMUL_GEMV_16);
    assert_int_equal(tiling.spec[0], 64); /* two subgroups of 32 */
    assert_int_equal(tiling.rows, 4);
    info.packed_dot = false;
    assert_int_equal(gpu_matmul_choose(&info, DTYPE_Q4_0, 1, ACTIVATIONS_16), MATMUL_GEMV);
    info.subgroup_arithmetic = false;
    assert_int_equal(gpu_matmul_choose(&info, DTYPE_Q4_0, 1, ACTIVATIONS_16), MATMUL_GEMM);
    info.type = GPU_SOFTWARE;
    info.subgroup_arithmetic = true;
    assert_int_equal(gpu_matmul_choose(&info, DTYPE_Q4_0, 512, ACTIVATIONS_16), MATMUL_LANE);
    assert_int_equal(gpu_matmul_choose(&info, DTYPE_Q4_0, 1, ACTIVATIONS_FLOAT), MATMUL_LANE);
    info.packed_dot = true;
    assert_int_equal(gpu_matmul_choose(&info, DTYPE_Q4_0, 1, ACTIVATIONS_16), MATMUL_LANE_16);
    assert_int_equal(gpu_matmul_choose(&info, DTYPE_Q4_0, 1, ACTIVATIONS_8), MATMUL_LANE_8);
    assert_int_equal(gpu_matmul_choose(&info, DTYPE_Q4_0, 9, ACTIVATIONS_16), MATMUL_LANE);
    info.packed_dot_accelerated = true;
    assert_int_equal(gpu_matmul_choose(&info, DTYPE_Q4_0, 1, ACTIVATIONS_16), MATMUL_GEMV_16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),      cmocka_unit_test(test_dequantize),
        cmocka_unit_test(test_gemv),        cmocka_unit_test(test_gemv_16),
        cmocka_unit_test(test_gemv_8),      cmocka_unit_test(test_lane),
        cmocka_unit_test(test_lane_packed), cmocka_unit_test(test_lane_packed_bits),
        cmocka_unit_test(test_gemm),        cmocka_unit_test(test_odd_columns),
        cmocka_unit_test(test_gemv_passes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
