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

/* The 6-bit code of weight j. */
static int code_6(const struct block_q6_k *block, int j)
{
    int half = j / 128;
    int quarter = j % 128 / 32;
    int l = j % 32;
    int nibbles = block->ql[64 * half + 32 * (quarter & 1) + l];
    int nibble = quarter < 2 ? nibbles & 15 : nibbles >> 4;
    return nibble | (block->qh[32 * half + l] >> 2 * quarter & 3) << 4;
}

void decode_q6_k(const void *blocks, float *dst, size_t count)
{
    const uint8_t *src = blocks;
    for (size_t n = 0; n < count; n++) {
        struct block_q6_k block;
        memcpy(&block, src + n * sizeof block, sizeof block);
        for (int i = 0; i < 16; i++) {
            float d = half_to_float(block.d) * (float)block.scales[i];
            for (int l = 0; l < 16; l++)
                *dst++ = d * (float)(code_6(&block, 16 * i + l) - 32);
        }
    }
}
