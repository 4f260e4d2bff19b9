/* encode_plain.c: ggml's own rounding of the 32-weight types, byte for byte (ggml-quants.c, the
 * quantize_row_*_ref functions), in float and in its order of operations:
 *   Q4_0, Q5_0   d = largest / -end, q = trunc(x / d + end + 0.5), at most 2 end - 1
 *   Q4_1, Q5_1   d = (max - min) / steps, q = trunc((x - min) / d + 0.5), at most steps
 *   Q8_0         d = |largest| / 127, q = round(x / d), halves away from 0
 * The codes belong to the d before its rounding to binary16. Where ggml's conversion of a code is
 * undefined (NaN and infinite weights), the code is 0. */
#include "block.h"
#include "encode.h"
#include "half.h"

#include <float.h>
#include <math.h>
#include <string.h>

static float inverse_of(float d)
{
    return d != 0.0f ? 1.0f / d : 0.0f;
}

static uint8_t code(float value, int last)
{
    int number = value > 0.0f && value < 256.0f ? (int)value : 0;
    return (uint8_t)(number > last ? last : number);
}

static float largest(const float *src)
{
    float magnitude = 0.0f, value = 0.0f;
    for (int j = 0; j < BLOCK_WEIGHTS; j++)
        if (magnitude < fabsf(src[j])) {
            magnitude = fabsf(src[j]);
            value = src[j];
        }
    return value;
}

/* Codes around 0: returns d. */
static uint16_t codes_signed(const float *src, int end, uint8_t codes[BLOCK_WEIGHTS])
{
    float d = largest(src) / (float)-end, inverse = inverse_of(d);
    for (int j = 0; j < BLOCK_WEIGHTS; j++)
        codes[j] = code(src[j] * inverse + ((float)end + 0.5f), 2 * end - 1);
    return half_from_float(d);
}

/* Codes from the minimum on: returns d. */
static uint16_t codes_from(const float *src, int steps, uint16_t *m, uint8_t codes[BLOCK_WEIGHTS])
{
    float low = FLT_MAX, high = -FLT_MAX;
    for (int j = 0; j < BLOCK_WEIGHTS; j++) {
        low = src[j] < low ? src[j] : low;
        high = src[j] > high ? src[j] : high;
    }
    float d = (high - low) / (float)steps, inverse = inverse_of(d);
    for (int j = 0; j < BLOCK_WEIGHTS; j++)
        codes[j] = code((src[j] - low) * inverse + 0.5f, steps);
    *m = half_from_float(low);
    return half_from_float(d);
}

static void pack_nibbles(const uint8_t codes[BLOCK_WEIGHTS], uint8_t qs[BLOCK_WEIGHTS / 2])
{
    for (int j = 0; j < 16; j++)
        qs[j] = (uint8_t)((codes[j] & 15) | (codes[j + 16] & 15) << 4);
}

static void pack_bit_4(const uint8_t codes[BLOCK_WEIGHTS], uint8_t qh[4])
{
    memset(qh, 0, 4);
    for (int j = 0; j < BLOCK_WEIGHTS; j++)
        qh[j / 8] |= (uint8_t)((codes[j] >> 4 & 1) << j % 8);
}

static void plain_q4_0(const float *src, void *dst)
{
    uint8_t codes[BLOCK_WEIGHTS];
    struct block_q4_0 out;
    out.d = codes_signed(src, 8, codes);
    pack_nibbles(codes, out.qs);
    memcpy(dst, &out, sizeof out);
}

static void plain_q4_1(const float *src, void *dst)
{
    uint8_t codes[BLOCK_WEIGHTS];
    struct block_q4_1 out;
    out.d = codes_from(src, 15, &out.m, codes);
    pack_nibbles(codes, out.qs);
    memcpy(dst, &out, sizeof out);
}

static void plain_q5_0(const float *src, void *dst)
{
    uint8_t codes[BLOCK_WEIGHTS];
    struct block_q5_0 out;
    out.d = codes_signed(src, 16, codes);
    pack_nibbles(codes, out.qs);
    pack_bit_4(codes, out.qh);
    memcpy(dst, &out, sizeof out);
}

static void plain_q5_1(const float *src, void *dst)
{
    uint8_t codes[BLOCK_WEIGHTS];
    struct block_q5_1 out;
    out.d = codes_from(src, 31, &out.m, codes);
    pack_nibbles(codes, out.qs);
    pack_bit_4(codes, out.qh);
    memcpy(dst, &out, sizeof out);
}

static void plain_q8_0(const float *src, void *dst)
{
    struct block_q8_0 out;
    float d = fabsf(largest(src)) / 127.0f, inverse = inverse_of(d);
    out.d = half_from_float(d);
    for (int j = 0; j < BLOCK_WEIGHTS; j++) {
        float value = roundf(src[j] * inverse);
        out.qs[j] = fabsf(value) <= 127.0f ? (int8_t)value : 0;
    }
    memcpy(dst, &out, sizeof out);
}

void encode_row_plain(enum dtype dtype, const float *src, uint32_t cols, void *dst)
{
    static void (*const plain[DTYPE_ID_COUNT])(const float *, void *) = {
        [DTYPE_Q4_0] = plain_q4_0, [DTYPE_Q4_1] = plain_q4_1, [DTYPE_Q5_0] = plain_q5_0,
        [DTYPE_Q5_1] = plain_q5_1, [DTYPE_Q8_0] = plain_q8_0,
    };
    uint8_t *bytes = dst;
    for (uint32_t i = 0; i < cols / BLOCK_WEIGHTS; i++)
        plain[dtype](src + (size_t)i * BLOCK_WEIGHTS,
                     bytes + (size_t)i * dtype_find(dtype)->block_size);
}
