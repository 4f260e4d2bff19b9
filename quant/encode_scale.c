/* encode_scale.c: encoders of the 32-weight types with one scale, y = d q: Q4_0, Q5_0, IQ4_NL by
 * search, Q8_0 by rounding.
 *
 * The search: 8 clips for either sign of d, each refitted (d = xq / qq). With importance, and where
 * d is a subnormal binary16, then 16 binary16 numbers around the best one, each with the codes
 * nearest for it; the best is refitted once more, rounded, and the codes are taken again. Without
 * importance that would take as long again for 0.1 % of the error (bench-encode). */
#include "encode_block.h"
#include "encode_search.h"

enum { SUBNORMAL = 0x800 }; /* below it a binary16 has lost a bit or more, or nearly */

/* The exact scale of a block: binary16 numbers around d, some units apart. */
INLINE uint16_t refine_scale(const struct block *block, float d, enum grid grid)
{
    uint16_t middle = half_in(d, block->unit), sign = middle & 0x8000;
    int magnitude = middle & 0x7fff, apart = magnitude < SUBNORMAL ? 1 : 8;
    float scale[LANES], inverse[LANES];
    for (int k = 0; k < LANES; k++) {
        int bits = magnitude + (k - LANES / 2) * apart;
        bits = bits < 0 ? 0 : bits > 0x7bff ? 0x7bff : bits;
        scale[k] = half_out((uint16_t)(sign | bits), block->unit);
        inverse[k] = inverse_of(scale[k]);
    }
    struct scan scan;
    scan_scales(block, 0, BLOCK_WEIGHTS, grid, inverse, &scan);
    int lane = scan_best_of(&scan, scale);
    if (apart == 1)
        return half_in(scale[lane], block->unit);
    return half_in(scan.xq[lane] / (scan.qq[lane] + 0x1p-100f), block->unit);
}

/* d of the block, and its codes. */
INLINE uint16_t search_block(const struct block *block, enum grid grid, bool with_importance,
                             uint8_t codes[BLOCK_WEIGHTS])
{
    float fit = search_scale(block, 0, BLOCK_WEIGHTS, grid);
    uint16_t d = half_in(fit, block->unit);
    if (with_importance || (d & 0x7fff) < SUBNORMAL)
        d = refine_scale(block, fit, grid);
    block_codes(block, 0, BLOCK_WEIGHTS, grid, inverse_of(half_out(d, block->unit)), codes);
    return d;
}

void ENCODER(q4_0)(const float *src, const float *importance, size_t block_count, void *dst)
{
    for (size_t n = 0; n < block_count; n++) {
        struct block_q4_0 out = {0};
        struct block block;
        uint8_t codes[BLOCK_WEIGHTS];
        if (block_prepare(&block, src, importance, n, BLOCK_WEIGHTS)) {
            out.d = search_block(&block, GRID_4, importance != NULL, codes);
            pack_nibbles(codes, out.qs);
        }
        memcpy((uint8_t *)dst + n * sizeof out, &out, sizeof out);
    }
}

void ENCODER(iq4_nl)(const float *src, const float *importance, size_t block_count, void *dst)
{
    for (size_t n = 0; n < block_count; n++) {
        struct block_iq4_nl out = {0};
        struct block block;
        uint8_t codes[BLOCK_WEIGHTS];
        if (block_prepare(&block, src, importance, n, BLOCK_WEIGHTS)) {
            out.d = search_block(&block, GRID_IQ4, importance != NULL, codes);
            pack_nibbles(codes, out.qs);
        }
        memcpy((uint8_t *)dst + n * sizeof out, &out, sizeof out);
    }
}

void ENCODER(q5_0)(const float *src, const float *importance, size_t block_count, void *dst)
{
    for (size_t n = 0; n < block_count; n++) {
        struct block_q5_0 out = {0};
        struct block block;
        uint8_t codes[BLOCK_WEIGHTS];
        if (block_prepare(&block, src, importance, n, BLOCK_WEIGHTS)) {
            out.d = search_block(&block, GRID_5, importance != NULL, codes);
            pack_nibbles(codes, out.qs);
            pack_bit_4(codes, out.qh);
        }
        memcpy((uint8_t *)dst + n * sizeof out, &out, sizeof out);
    }
}

/* d = largest / 127, codes to the nearest with the rounded d; importance changes nothing. */
void ENCODER(q8_0)(const float *src, const float *importance, size_t block_count, void *dst)
{
    (void)importance;
    for (size_t n = 0; n < block_count; n++) {
        struct block_q8_0 out = {0};
        struct block block;
        if (block_prepare(&block, src, NULL, n, BLOCK_WEIGHTS)) {
            float largest = block_largest(&block, 0, BLOCK_WEIGHTS);
            out.d = half_in_above((largest < 0.0f ? -largest : largest) / 127.0f, block.unit);
            float inverse = inverse_of(half_out(out.d, block.unit));
            for (int j = 0; j < BLOCK_WEIGHTS; j++)
                out.qs[j] = (int8_t)(int)nearest(clamp(block.x[j] * inverse, -127.0f, 127.0f));
        }
        memcpy((uint8_t *)dst + n * sizeof out, &out, sizeof out);
    }
}
