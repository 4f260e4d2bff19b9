/* encode_scale.c: encoders of the 32-weight types with one scale, y = d q: Q4_0, Q5_0, IQ4_NL by
 * search, Q8_0 by rounding.
 *
 * The search: 8 clips for either sign of d, each refitted (d = xq / qq), for the grids of 4 and 5
 * bits in whole numbers (encode_whole.h). With importance, and where d is a subnormal binary16,
 * then 16 binary16 numbers around the best one, each with the codes nearest for it; the best is
 * refitted once more, rounded, and the codes are taken again. Without importance that would take as
 * long again for 0.1 % of the error (bench-encode). */
#include "encode_block.h"
#include "encode_search.h"
#include "encode_whole.h"

#include <stddef.h>

enum { SUBNORMAL = 0x800 }; /* below it a binary16 has lost a bit or more, or nearly */

/* The exact scale of a block: binary16 numbers around d, some units apart. */
INLINE uint16_t refine_scale(struct block *block, float d, enum grid grid)
{
    block_multiply(block, BLOCK_WEIGHTS);
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

/* The steps of a block wait for each other; those of several blocks do not, so that each step is
 * taken for all blocks of a group before the next. */
enum { GROUP = 8 };

struct group {
    struct block blocks[GROUP];
    struct whole wholes[GROUP];
    struct whole_scan scans[GROUP];
    float fit[GROUP]; /* scale before its rounding */
    int count;
};

INLINE void group_fit(struct group *group, enum grid grid)
{
    if (grid == GRID_IQ4) {
        for (int n = 0; n < group->count; n++) {
            block_multiply(&group->blocks[n], BLOCK_WEIGHTS);
            group->fit[n] = search_scale(&group->blocks[n], 0, BLOCK_WEIGHTS, grid);
        }
        return;
    }
    int16_t clip[LANES];
    whole_clips(grid, clip);
    for (int n = 0; n < group->count; n++)
        whole_prepare(&group->blocks[n], grid, &group->wholes[n]);
    for (int n = 0; n < group->count; n++)
        whole_scan_lanes(&group->wholes[n], clip, whole_shift(grid), &group->scans[n]);
    for (int n = 0; n < group->count; n++)
        group->fit[n] = whole_best_fit(&group->wholes[n], &group->scans[n]);
}

/* d of a block, rounded to binary16. */
INLINE uint16_t block_scale(struct block *block, float fit, enum grid grid, bool with_importance)
{
    uint16_t d = half_in(fit, block->unit);
    if (with_importance || (d & 0x7fff) < SUBNORMAL)
        d = refine_scale(block, fit, grid);
    return d;
}

typedef void put_block(uint8_t *dst, uint16_t d, const uint8_t codes[BLOCK_WEIGHTS]);

/* Blocks of zeros are left out of the groups. */
INLINE void encode_scaled(const float *src, const float *importance, size_t block_count,
                          enum grid grid, uint8_t *dst, size_t size, put_block *put)
{
    static const uint8_t zeros[BLOCK_WEIGHTS];
    struct group group;
    uint8_t *place[GROUP];
    for (size_t n = 0; n < block_count;) {
        group.count = 0;
        for (; n < block_count && group.count < GROUP; n++) {
            place[group.count] = dst + n * size;
            if (block_begin(&group.blocks[group.count], src, importance, n, BLOCK_WEIGHTS))
                group.count++;
            else
                put(place[group.count], 0, zeros);
        }
        group_fit(&group, grid);
        for (int i = 0; i < group.count; i++) {
            struct block *block = &group.blocks[i];
            uint8_t codes[BLOCK_WEIGHTS];
            uint16_t d = block_scale(block, group.fit[i], grid, importance != NULL);
            block_codes(block, 0, BLOCK_WEIGHTS, grid, inverse_of(half_out(d, block->unit)), codes);
            put(place[i], d, codes);
        }
    }
}

INLINE void put_q4_0(uint8_t *dst, uint16_t d, const uint8_t codes[BLOCK_WEIGHTS])
{
    memcpy(dst + offsetof(struct block_q4_0, d), &d, sizeof d);
    pack_nibbles(codes, dst + offsetof(struct block_q4_0, qs));
}

INLINE void put_iq4_nl(uint8_t *dst, uint16_t d, const uint8_t codes[BLOCK_WEIGHTS])
{
    memcpy(dst + offsetof(struct block_iq4_nl, d), &d, sizeof d);
    pack_nibbles(codes, dst + offsetof(struct block_iq4_nl, qs));
}

INLINE void put_q5_0(uint8_t *dst, uint16_t d, const uint8_t codes[BLOCK_WEIGHTS])
{
    memcpy(dst + offsetof(struct block_q5_0, d), &d, sizeof d);
    pack_bit_4(codes, dst + offsetof(struct block_q5_0, qh));
    pack_nibbles(codes, dst + offsetof(struct block_q5_0, qs));
}

void ENCODER(q4_0)(const float *src, const float *importance, size_t block_count, void *dst)
{
    encode_scaled(src, importance, block_count, GRID_4, dst, sizeof(struct block_q4_0), put_q4_0);
}

void ENCODER(iq4_nl)(const float *src, const float *importance, size_t block_count, void *dst)
{
    encode_scaled(src, importance, block_count, GRID_IQ4, dst, sizeof(struct block_iq4_nl),
                  put_iq4_nl);
}

void ENCODER(q5_0)(const float *src, const float *importance, size_t block_count, void *dst)
{
    encode_scaled(src, importance, block_count, GRID_5, dst, sizeof(struct block_q5_0), put_q5_0);
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
