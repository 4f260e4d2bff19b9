/* block_simple.c: reference decode of the plain types and of the types with one scale a block.
 * Equations and layouts are in block.h. */
#include "block.h"
#include "decode.h"
#include "half.h"

#include <string.h>

void decode_f32(const void *blocks, float *dst, size_t count)
{
    memcpy(dst, blocks, count * sizeof *dst);
}

static uint16_t u16_at(const void *blocks, size_t index)
{
    uint16_t bits;
    memcpy(&bits, (const uint8_t *)blocks + index * sizeof bits, sizeof bits);
    return bits;
}

void decode_f16(const void *blocks, float *dst, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = half_to_float(u16_at(blocks, i));
}

void decode_bf16(const void *blocks, float *dst, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = bfloat_to_float(u16_at(blocks, i));
}

void decode_q4_0(const void *blocks, float *dst, size_t count)
{
    const uint8_t *src = blocks;
    for (size_t i = 0; i < count; i++, dst += BLOCK_WEIGHTS) {
        struct block_q4_0 block;
        memcpy(&block, src + i * sizeof block, sizeof block);
        float d = half_to_float(block.d);
        for (int j = 0; j < BLOCK_WEIGHTS / 2; j++) {
            dst[j] = d * (float)((block.qs[j] & 15) - 8);
            dst[j + 16] = d * (float)((block.qs[j] >> 4) - 8);
        }
    }
}

void decode_q4_1(const void *blocks, float *dst, size_t count)
{
    const uint8_t *src = blocks;
    for (size_t i = 0; i < count; i++, dst += BLOCK_WEIGHTS) {
        struct block_q4_1 block;
        memcpy(&block, src + i * sizeof block, sizeof block);
        float d = half_to_float(block.d);
        float m = half_to_float(block.m);
        for (int j = 0; j < BLOCK_WEIGHTS / 2; j++) {
            dst[j] = d * (float)(block.qs[j] & 15) + m;
            dst[j + 16] = d * (float)(block.qs[j] >> 4) + m;
        }
    }
}

/* The 5-bit code of weight j. */
static int code_5(const uint8_t qh[4], const uint8_t qs[16], int j)
{
    int nibble = j < 16 ? qs[j] & 15 : qs[j - 16] >> 4;
    return nibble | (qh[j / 8] >> (j % 8) & 1) << 4;
}

void decode_q5_0(const void *blocks, float *dst, size_t count)
{
    const uint8_t *src = blocks;
    for (size_t i = 0; i < count; i++, dst += BLOCK_WEIGHTS) {
        struct block_q5_0 block;
        memcpy(&block, src + i * sizeof block, sizeof block);
        float d = half_to_float(block.d);
        for (int j = 0; j < BLOCK_WEIGHTS; j++)
            dst[j] = d * (float)(code_5(block.qh, block.qs, j) - 16);
    }
}

void decode_q5_1(const void *blocks, float *dst, size_t count)
{
    const uint8_t *src = blocks;
    for (size_t i = 0; i < count; i++, dst += BLOCK_WEIGHTS) {
        struct block_q5_1 block;
        memcpy(&block, src + i * sizeof block, sizeof block);
        float d = half_to_float(block.d);
        float m = half_to_float(block.m);
        for (int j = 0; j < BLOCK_WEIGHTS; j++)
            dst[j] = d * (float)code_5(block.qh, block.qs, j) + m;
    }
}

void decode_q8_0(const void *blocks, float *dst, size_t count)
{
    const uint8_t *src = blocks;
    for (size_t i = 0; i < count; i++, dst += BLOCK_WEIGHTS) {
        struct block_q8_0 block;
        memcpy(&block, src + i * sizeof block, sizeof block);
        float d = half_to_float(block.d);
        for (int j = 0; j < BLOCK_WEIGHTS; j++)
            dst[j] = d * (float)block.qs[j];
    }
}
