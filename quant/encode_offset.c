/* encode_offset.c: encoders of the 32-weight types with scale and minimum, y = d q + m: Q4_1, Q5_1.
 *
 * The weights are taken from their minimum on, z = x - low >= 0, so that a small range far from 0
 * loses no digits. The search: 16 pairs of clips at the two ends, each refitted in d and m (least
 * squares in two unknowns), then 16 pairs around the best, refitted; d is rounded to binary16, then
 * m fitted to the codes of that d. */
#include "encode_block.h"
#include "encode_search.h"
#include "encode_pair.h"

INLINE void search_block(struct block *block, float steps, uint16_t *d, uint16_t *m,
                         uint8_t codes[BLOCK_WEIGHTS])
{
    float low = block->x[0], high = block->x[0];
    for (int i = 0; i < BLOCK_WEIGHTS; i++) {
        low = block->x[i] < low ? block->x[i] : low;
        high = block->x[i] > high ? block->x[i] : high;
    }
    float unit = block->unit;
    for (int i = 0; i < BLOCK_WEIGHTS; i++) {
        block->x[i] -= low;
        block->weighted[i] = block->weight[i] * block->x[i];
    }
    struct pair pair = search_pair(block, 0, steps, 0.0f, high - low, false);
    *d = half_in_above(pair.scale, unit);
    float scale = half_out(*d, unit), inverse = inverse_of(scale), sum = 0.0f, sum_weight = 0.0f;
    float offset = -pair.offset * inverse;
    for (int i = 0; i < BLOCK_WEIGHTS; i++) {
        float q = nearest(clamp(block->x[i] * inverse + offset, 0.0f, steps));
        sum += block->weighted[i] - block->weight[i] * scale * q;
        sum_weight += block->weight[i];
    }
    *m = half_in(sum / sum_weight + low, unit);
    offset = (low - half_out(*m, unit)) * inverse;
    for (int i = 0; i < BLOCK_WEIGHTS; i++)
        codes[i] = (uint8_t)(int)nearest(clamp(block->x[i] * inverse + offset, 0.0f, steps));
}

void ENCODER(q4_1)(const float *src, const float *importance, size_t block_count, void *dst)
{
    for (size_t n = 0; n < block_count; n++) {
        struct block_q4_1 out = {0};
        struct block block;
        uint8_t codes[BLOCK_WEIGHTS];
        if (block_prepare(&block, src, importance, n, BLOCK_WEIGHTS)) {
            search_block(&block, 15.0f, &out.d, &out.m, codes);
            pack_nibbles(codes, out.qs);
        }
        memcpy((uint8_t *)dst + n * sizeof out, &out, sizeof out);
    }
}

void ENCODER(q5_1)(const float *src, const float *importance, size_t block_count, void *dst)
{
    for (size_t n = 0; n < block_count; n++) {
        struct block_q5_1 out = {0};
        struct block block;
        uint8_t codes[BLOCK_WEIGHTS];
        if (block_prepare(&block, src, importance, n, BLOCK_WEIGHTS)) {
            search_block(&block, 31.0f, &out.d, &out.m, codes);
            pack_nibbles(codes, out.qs);
            pack_bit_4(codes, out.qh);
        }
        memcpy((uint8_t *)dst + n * sizeof out, &out, sizeof out);
    }
}
