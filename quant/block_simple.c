/* block_simple.c: reference decode of the plain types and of the types with one scale a block.
 * Equations and layouts are in block.h. */
#include "block.h"
#include "decode.h"
#include "decode_half.h"
#include "half.h"

#include <string.h>

void decode_f32(const void *blocks, float *dst, size_t count)
{
    memcpy(dst, blocks, count * sizeof *dst);
}

/* Blocks are read where they lie: a copy would be loaded again at another alignment than it was
 * stored, which stalls the processor for longer than the decoding takes. */
#define FIELD(block, type, member) ((block) + offsetof(struct type, member))

static uint16_t u16_at(const void *blocks, size_t index)
{
    uint16_t bits;
    memcpy(&bits, (const uint8_t *)blocks + index * sizeof bits, sizeof bits);
    return bits;
}

static float half_at(const uint8_t *bytes)
{
    return half_to_float(u16_at(bytes, 0));
}

void decode_f16(const void *blocks, float *dst, size_t count)
{
    static decode_half *const decode[INSTRUCTION_SET_COUNT] = INSTRUCTION_SET_TABLE(decode_halves);
    decode[instruction_set_best()](blocks, dst, count);
}

void decode_bf16(const void *blocks, float *dst, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = bfloat_to_float(u16_at(blocks, i));
}

/* The 32 codes of a block, a byte each: low nibbles, then high ones. */
static void codes_4(const uint8_t qs[16], uint8_t codes[BLOCK_WEIGHTS])
{
    for (int j = 0; j < 16; j++)
        codes[j] = qs[j] & 15;
    for (int j = 0; j < 16; j++)
        codes[j + 16] = qs[j] >> 4;
}

void decode_q4_0(const void *blocks, float *dst, size_t count)
{
    const uint8_t *block = blocks;
    for (size_t i = 0; i < count; i++, dst += BLOCK_WEIGHTS, block += sizeof(struct block_q4_0)) {
        uint8_t codes[BLOCK_WEIGHTS];
        codes_4(FIELD(block, block_q4_0, qs), codes);
        float d = half_at(FIELD(block, block_q4_0, d));
        for (int j = 0; j < BLOCK_WEIGHTS; j++)
            dst[j] = d * (float)(codes[j] - 8);
    }
}

void decode_q4_1(const void *blocks, float *dst, size_t count)
{
    const uint8_t *block = blocks;
    for (size_t i = 0; i < count; i++, dst += BLOCK_WEIGHTS, block += sizeof(struct block_q4_1)) {
        uint8_t codes[BLOCK_WEIGHTS];
        codes_4(FIELD(block, block_q4_1, qs), codes);
        float d = half_at(FIELD(block, block_q4_1, d));
        float m = half_at(FIELD(block, block_q4_1, m));
        for (int j = 0; j < BLOCK_WEIGHTS; j++)
            dst[j] = d * (float)codes[j] + m;
    }
}

/* Byte j of the result (memory order) is 16 when bit j is set: each byte keeps its own bit, any bit
 * carries into bit 7, which moves to bit 4. */
static uint64_t spread_bits(uint8_t bits)
{
    uint64_t own = bits * 0x0101010101010101U & 0x8040201008040201U;
    return (own + 0x7f7f7f7f7f7f7f7fU) >> 3 & 0x1010101010101010U;
}

/* Nibbles as above, bit 4 from qh. */
static void codes_5(const uint8_t qh[4], const uint8_t qs[16], uint8_t codes[BLOCK_WEIGHTS])
{
    uint8_t fifth[BLOCK_WEIGHTS];
    for (int k = 0; k < 4; k++) {
        uint64_t spread = spread_bits(qh[k]);
        memcpy(fifth + 8 * k, &spread, sizeof spread);
    }
    codes_4(qs, codes);
    for (int j = 0; j < BLOCK_WEIGHTS; j++)
        codes[j] |= fifth[j];
}

void decode_q5_0(const void *blocks, float *dst, size_t count)
{
    const uint8_t *block = blocks;
    for (size_t i = 0; i < count; i++, dst += BLOCK_WEIGHTS, block += sizeof(struct block_q5_0)) {
        uint8_t codes[BLOCK_WEIGHTS];
        codes_5(FIELD(block, block_q5_0, qh), FIELD(block, block_q5_0, qs), codes);
        float d = half_at(FIELD(block, block_q5_0, d));
        for (int j = 0; j < BLOCK_WEIGHTS; j++)
            dst[j] = d * (float)(codes[j] - 16);
    }
}

void decode_q5_1(const void *blocks, float *dst, size_t count)
{
    const uint8_t *block = blocks;
    for (size_t i = 0; i < count; i++, dst += BLOCK_WEIGHTS, block += sizeof(struct block_q5_1)) {
        float d = half_at(FIELD(block, block_q5_1, d));
        float m = half_at(FIELD(block, block_q5_1, m));
        uint8_t codes[BLOCK_WEIGHTS];
        codes_5(FIELD(block, block_q5_1, qh), FIELD(block, block_q5_1, qs), codes);
        for (int j = 0; j < BLOCK_WEIGHTS; j++)
            dst[j] = d * (float)codes[j] + m;
    }
}

void decode_q8_0(const void *blocks, float *dst, size_t count)
{
    const uint8_t *block = blocks;
    for (size_t i = 0; i < count; i++, dst += BLOCK_WEIGHTS, block += sizeof(struct block_q8_0)) {
        const int8_t *qs = (const int8_t *)FIELD(block, block_q8_0, qs);
        float d = half_at(FIELD(block, block_q8_0, d));
        for (int j = 0; j < BLOCK_WEIGHTS; j++)
            dst[j] = d * (float)qs[j];
    }
}
