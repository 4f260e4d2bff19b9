/* block_k.c: reference decode of the K types: 256 weights whose sub-blocks have integer scales.
 * Equations and layouts are in block.h. */
#include "block.h"
#include "decode.h"
#include "half.h"

#include <string.h>

static int sub_scale(const uint8_t scales[12], int i)
{
    return i < 4 ? scales[i] & 63 : (scales[i + 4] & 15) | (scales[i - 4] >> 6) << 4;
}

static int sub_min(const uint8_t scales[12], int i)
{
    return i < 4 ? scales[i + 4] & 63 : scales[i + 4] >> 4 | (scales[i] >> 6) << 4;
}

/* Nibble l of sub-block i: two sub-blocks share 32 bytes. */
static int sub_nibble(const uint8_t *qs, int i, int l)
{
    return qs[32 * (i / 2) + l] >> 4 * (i % 2) & 15;
}

void decode_q4_k(const void *blocks, float *dst, size_t count)
{
    const uint8_t *src = blocks;
    for (size_t n = 0; n < count; n++) {
        struct block_q4_k block;
        memcpy(&block, src + n * sizeof block, sizeof block);
        for (int i = 0; i < 8; i++) {
            float d = half_to_float(block.d) * (float)sub_scale(block.scales, i);
            float m = half_to_float(block.dmin) * (float)sub_min(block.scales, i);
            for (int l = 0; l < 32; l++)
                *dst++ = d * (float)sub_nibble(block.qs, i, l) - m;
        }
    }
}

void decode_q5_k(const void *blocks, float *dst, size_t count)
{
    const uint8_t *src = blocks;
    for (size_t n = 0; n < count; n++) {
        struct block_q5_k block;
        memcpy(&block, src + n * sizeof block, sizeof block);
        for (int i = 0; i < 8; i++) {
            float d = half_to_float(block.d) * (float)sub_scale(block.scales, i);
            float m = half_to_float(block.dmin) * (float)sub_min(block.scales, i);
            for (int l = 0; l < 32; l++) {
                int q = sub_nibble(block.qs, i, l) | (block.qh[l] >> i & 1) << 4;
                *dst++ = d * (float)q - m;
            }
        }
    }
}

/* Sub-block i: 16 weights, the half i / 8, quarter i / 2 % 4 of it, first or second half of that.
 */
static void decode_sub_6(const struct block_q6_k *block, int i, float *dst)
{
    float d = half_to_float(block->d) * (float)block->scales[i];
    int quarter = i / 2 % 4;
    const uint8_t *ql = block->ql + 64 * (i / 8) + 32 * (quarter & 1) + 16 * (i & 1);
    const uint8_t *qh = block->qh + 32 * (i / 8) + 16 * (i & 1);
    int nibble_shift = quarter < 2 ? 0 : 4, high_shift = 2 * quarter;
    for (int l = 0; l < 16; l++) {
        int q = (ql[l] >> nibble_shift & 15) | (qh[l] >> high_shift & 3) << 4;
        dst[l] = d * (float)(q - 32);
    }
}

void decode_q6_k(const void *blocks, float *dst, size_t count)
{
    const uint8_t *src = blocks;
    for (size_t n = 0; n < count; n++) {
        struct block_q6_k block;
        memcpy(&block, src + n * sizeof block, sizeof block);
        for (int i = 0; i < 16; i++, dst += 16)
            decode_sub_6(&block, i, dst);
    }
}
