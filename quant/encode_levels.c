/* encode_levels.c: encoders of the 256-weight types whose sub-blocks have a signed integer scale
 * and no minimum, y = d s value: Q6_K (16 sub-blocks, s = -128..127) and IQ4_XS (8, s = -32..31).
 *
 * Each sub-block is searched alone; d puts the largest scale at the far end. Then twice: every
 * sub-block tries the 16 scales around its own, each with the nearest codes, and d is fitted
 * again to all of them: d = sum s xq / sum s s qq. */
#include "encode_block.h"
#include "encode_search.h"

enum { SUBS_MAX = 16 };

struct super { /* what a super-block stores */
    uint16_t d;
    int scale[SUBS_MAX];
};

struct shape {
    enum grid grid;
    int count; /* weights of a sub-block */
    int end;   /* s = -end .. end - 1 */
};

/* First scales: d from the largest, its rest rounded. */
INLINE void search_subs(const struct block *block, struct shape shape, struct super *super)
{
    float scale[SUBS_MAX], largest = 0.0f;
    for (int j = 0; j < BLOCK_K_WEIGHTS / shape.count; j++) {
        scale[j] = search_scale(block, j * shape.count, shape.count, shape.grid);
        if (scale[j] * scale[j] > largest * largest)
            largest = scale[j];
    }
    float end = (float)shape.end;
    super->d = half_in_above(largest / -end, block->unit);
    float inverse = inverse_of(half_out(super->d, block->unit));
    for (int j = 0; j < BLOCK_K_WEIGHTS / shape.count; j++)
        super->scale[j] = (int)nearest(clamp(scale[j] * inverse, -end, end - 1.0f));
}

INLINE void try_neighbours(const struct block *block, struct shape shape, struct super *super)
{
    float d = half_out(super->d, block->unit), above = 0.0f, below = 0.0f;
    for (int j = 0; j < BLOCK_K_WEIGHTS / shape.count; j++) {
        float level[LANES], scale[LANES], inverse[LANES], end = (float)shape.end;
        for (int k = 0; k < LANES; k++) {
            level[k] = clamp((float)(super->scale[j] + k - LANES / 2), -end, end - 1.0f);
            scale[k] = d * level[k];
            inverse[k] = inverse_of(scale[k]);
        }
        struct scan scan;
        scan_scales(block, j * shape.count, shape.count, shape.grid, inverse, &scan);
        int lane = scan_best_of(&scan, scale);
        super->scale[j] = (int)level[lane];
        above += level[lane] * scan.xq[lane];
        below += level[lane] * level[lane] * scan.qq[lane];
    }
    if (below > 0.0f)
        super->d = half_in(above / below, block->unit);
}

INLINE void search_super(const struct block *block, struct shape shape, struct super *super,
                         uint8_t codes[BLOCK_K_WEIGHTS])
{
    search_subs(block, shape, super);
    try_neighbours(block, shape, super);
    try_neighbours(block, shape, super);
    float d = half_out(super->d, block->unit);
    for (int j = 0; j < BLOCK_K_WEIGHTS / shape.count; j++)
        block_codes(block, j * shape.count, shape.count, shape.grid,
                    inverse_of(d * (float)super->scale[j]), codes + j * shape.count);
}

INLINE void pack_q6_k(const uint8_t codes[BLOCK_K_WEIGHTS], struct block_q6_k *out)
{
    for (int i = 0; i < BLOCK_K_WEIGHTS; i++) {
        int half = i / 128, quarter = i / 32 % 4, l = i % 32;
        out->ql[64 * half + 32 * (quarter & 1) + l] |=
            (uint8_t)((codes[i] & 15) << (quarter < 2 ? 0 : 4));
        out->qh[32 * half + l] |= (uint8_t)(codes[i] >> 4 << 2 * quarter);
    }
}

void ENCODER(q6_k)(const float *src, const float *importance, size_t block_count, void *dst)
{
    for (size_t n = 0; n < block_count; n++) {
        struct block_q6_k out = {{0}, {0}, {0}, 0};
        struct block block;
        struct super super;
        uint8_t codes[BLOCK_K_WEIGHTS];
        if (block_prepare(&block, src, importance, n, BLOCK_K_WEIGHTS)) {
            search_super(&block, (struct shape){GRID_6, 16, 128}, &super, codes);
            out.d = super.d;
            for (int j = 0; j < 16; j++)
                out.scales[j] = (int8_t)super.scale[j];
            pack_q6_k(codes, &out);
        }
        memcpy((uint8_t *)dst + n * sizeof out, &out, sizeof out);
    }
}

void ENCODER(iq4_xs)(const float *src, const float *importance, size_t block_count, void *dst)
{
    for (size_t n = 0; n < block_count; n++) {
        struct block_iq4_xs out = {0};
        struct block block;
        struct super super;
        uint8_t codes[BLOCK_K_WEIGHTS];
        if (block_prepare(&block, src, importance, n, BLOCK_K_WEIGHTS)) {
            search_super(&block, (struct shape){GRID_IQ4, 32, 32}, &super, codes);
            out.d = super.d;
            for (int j = 0; j < 8; j++) {
                int scale = super.scale[j] + 32;
                out.scales_l[j / 2] |= (uint8_t)((scale & 15) << 4 * (j % 2));
                out.scales_h = (uint16_t)(out.scales_h | scale >> 4 << 2 * j);
                pack_nibbles(codes + 32 * j, out.qs + 16 * j);
            }
        }
        memcpy((uint8_t *)dst + n * sizeof out, &out, sizeof out);
    }
}
