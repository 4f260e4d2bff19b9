/* encode.c: encode_row: the types without blocks, the choice of the instruction set for the others
 * (encode_block.h), and the errors, measured on what the reference decoder makes of the bytes. */
#include "encode.h"
#include "block.h"
#include "encode_block.h"
#include "half.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* What a weight counts as: NaN and infinities as 0. */
static float finite(float value)
{
    return isfinite(value) ? value : 0.0f;
}

static void encode_f32(const float *src, const float *importance, size_t count, void *dst)
{
    (void)importance;
    for (size_t i = 0; i < count; i++) {
        float value = finite(src[i]);
        memcpy((uint8_t *)dst + i * sizeof value, &value, sizeof value);
    }
}

/* Past the largest number of the type comes the largest number, not infinity. */
static void encode_f16(const float *src, const float *importance, size_t count, void *dst)
{
    (void)importance;
    for (size_t i = 0; i < count; i++) {
        uint16_t bits = half_from_float(finite(src[i]));
        if ((bits & 0x7fff) == 0x7c00)
            bits--;
        memcpy((uint8_t *)dst + i * sizeof bits, &bits, sizeof bits);
    }
}

static void encode_bf16(const float *src, const float *importance, size_t count, void *dst)
{
    (void)importance;
    for (size_t i = 0; i < count; i++) {
        uint16_t bits = bfloat_from_float(finite(src[i]));
        if ((bits & 0x7fff) == 0x7f80)
            bits--;
        memcpy((uint8_t *)dst + i * sizeof bits, &bits, sizeof bits);
    }
}

#ifdef ENCODE_X86
#define SETS(type)                                                                                 \
    {                                                                                              \
        encode_##type##_plain, encode_##type##_avx2, encode_##type##_avx512                        \
    }
#else
#define SETS(type)                                                                                 \
    {                                                                                              \
        encode_##type##_plain                                                                      \
    }
#endif
#define SAME(function)                                                                             \
    {                                                                                              \
        function, function, function                                                               \
    }

static encode_blocks *const encoders[DTYPE_ID_COUNT][ENCODE_SET_COUNT] = {
    [DTYPE_F32] = SAME(encode_f32),   [DTYPE_F16] = SAME(encode_f16),
    [DTYPE_BF16] = SAME(encode_bf16), [DTYPE_Q4_0] = SETS(q4_0),
    [DTYPE_Q4_1] = SETS(q4_1),        [DTYPE_Q5_0] = SETS(q5_0),
    [DTYPE_Q5_1] = SETS(q5_1),        [DTYPE_Q8_0] = SETS(q8_0),
    [DTYPE_Q4_K] = SETS(q4_k),        [DTYPE_Q5_K] = SETS(q5_k),
    [DTYPE_Q6_K] = SETS(q6_k),        [DTYPE_IQ4_NL] = SETS(iq4_nl),
    [DTYPE_IQ4_XS] = SETS(iq4_xs),
};

enum encode_set encode_set_best(void)
{
#ifdef ENCODE_X86
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return ENCODE_SET_AVX512;
    if (__builtin_cpu_supports("avx2"))
        return ENCODE_SET_AVX2;
#endif
    return ENCODE_SET_PLAIN;
}

bool encode_supported(enum dtype dtype)
{
    return (uint32_t)dtype < DTYPE_ID_COUNT && encoders[dtype][ENCODE_SET_PLAIN];
}

static encode_measure *const measures[ENCODE_SET_COUNT] =
#ifdef ENCODE_X86
    {encode_measure_plain, encode_measure_avx2, encode_measure_avx512};
#else
    {encode_measure_plain};
#endif

static void measure_row(enum encode_set set, const struct dtype_info *info, const float *src,
                        const void *blocks, uint32_t cols, struct encode_stats *stats)
{
    enum { STEP = 1024 }; /* a multiple of every block */
    float decoded[STEP];
    const uint8_t *bytes = blocks;
    for (uint32_t i = 0; i < cols; i += STEP) {
        uint32_t count = cols - i < STEP ? cols - i : STEP;
        info->decode(bytes + (size_t)(i / info->block_weights) * info->block_size, decoded,
                     count / info->block_weights);
        measures[set](src + i, decoded, count, stats);
    }
}

void encode_row_with(enum encode_set set, enum dtype dtype, const float *src,
                     const float *importance, uint32_t cols, void *dst)
{
    encoders[dtype][set](src, importance, cols / dtype_find(dtype)->block_weights, dst);
}

void encode_row(enum dtype dtype, const float *src, const float *importance, uint32_t cols,
                void *dst, struct encode_stats *stats)
{
    enum encode_set set = encode_set_best();
    encode_row_with(set, dtype, src, importance, cols, dst);
    if (stats)
        measure_row(set, dtype_find(dtype), src, dst, cols, stats);
}
