/* encode_k.c: encoders of Q4_K and Q5_K: eight sub-blocks of 32 weights, y = d s q - dmin m with
 * 6-bit s and m.
 *
 * Each sub-block is searched alone (encode_pair.h), d and dmin put the largest pair at 63. Then
 * twice: every sub-block tries its neighbours, s +- 1 and m +- 2, with the codes nearest for each,
 * and d and dmin are fitted again to all eight (least squares in two unknowns):
 *   error = sum w (x - d s q + dmin m)^2 */
#include "encode_block.h"
#include "encode_pair.h"

enum { SUBS = BLOCK_K_WEIGHTS / BLOCK_WEIGHTS };

struct super { /* what a super-block stores */
    uint16_t d;
    uint16_t dmin;
    int scale[SUBS];
    int min[SUBS];
};

/* Sums over the sub-blocks for d and dmin: a d - b dmin = x, b d - c dmin = y. */
struct normal {
    float a; /* sum s s qq */
    float b; /* sum s m q */
    float c; /* sum m m w */
    float x; /* sum s xq */
    float y; /* sum m x */
};

INLINE int level(float value, float inverse)
{
    return (int)nearest(clamp(value * inverse, 0.0f, 63.0f));
}

INLINE int level_at(int value)
{
    return value < 0 ? 0 : value > 63 ? 63 : value;
}

INLINE void search_subs(const struct block *block, float steps, struct super *super)
{
    struct pair pair[SUBS];
    float scale_max = 0.0f, min_max = 0.0f;
    for (int j = 0; j < SUBS; j++) {
        float low = 0.0f, high = 0.0f;
        for (int i = j * BLOCK_WEIGHTS; i < (j + 1) * BLOCK_WEIGHTS; i++) {
            low = block->x[i] < low ? block->x[i] : low;
            high = block->x[i] > high ? block->x[i] : high;
        }
        pair[j] = search_pair(block, j * BLOCK_WEIGHTS, steps, low, high, true);
        scale_max = pair[j].scale > scale_max ? pair[j].scale : scale_max;
        min_max = -pair[j].offset > min_max ? -pair[j].offset : min_max;
    }
    super->d = half_in_above(scale_max / 63.0f, block->unit);
    super->dmin = half_in_above(min_max / 63.0f, block->unit);
    float d = inverse_of(half_out(super->d, block->unit));
    float dmin = inverse_of(half_out(super->dmin, block->unit));
    for (int j = 0; j < SUBS; j++) {
        super->scale[j] = level(pair[j].scale, d);
        super->min[j] = level(-pair[j].offset, dmin);
    }
}

/* The neighbour of least error becomes sub-block j's pair. */
INLINE void try_neighbours(const struct block *block, int j, float steps, struct super *super,
                           struct normal *normal)
{
    float d = half_out(super->d, block->unit), dmin = half_out(super->dmin, block->unit);
    float inverse[LANES], shift[LANES], scale[LANES], min[LANES], gain[LANES];
    for (int k = 0; k < LANES; k++) {
        scale[k] = (float)level_at(super->scale[j] + k % 3 - 1);
        min[k] = (float)level_at(super->min[j] + k / 3 % 5 - 2);
        inverse[k] = inverse_of(d * scale[k]);
        shift[k] = dmin * min[k] * inverse[k];
    }
    struct pair_scan scan;
    scan_pairs(block, j * BLOCK_WEIGHTS, steps, inverse, shift, &scan);
    for (int k = 0; k < LANES; k++) {
        float s = d * scale[k], m = dmin * min[k];
        gain[k] = s * (2.0f * (scan.xq[k] + m * scan.q[k]) - s * scan.qq[k]) -
                  m * (2.0f * scan.x + m * scan.weight);
    }
    int lane = lane_largest(gain);
    super->scale[j] = (int)scale[lane];
    super->min[j] = (int)min[lane];
    normal->a += scale[lane] * scale[lane] * scan.qq[lane];
    normal->b += scale[lane] * min[lane] * scan.q[lane];
    normal->c += min[lane] * min[lane] * scan.weight;
    normal->x += scale[lane] * scan.xq[lane];
    normal->y += min[lane] * scan.x;
}

/* d and dmin of least error; they stay where the equations say nothing or the wrong sign. */
INLINE void fit_super(const struct normal *normal, float unit, struct super *super)
{
    float det = normal->a * normal->c - normal->b * normal->b;
    if (normal->a <= 0.0f)
        return;
    float d = normal->x / normal->a, dmin = 0.0f;
    if (det > 1e-5f * normal->a * normal->c) {
        d = (normal->x * normal->c - normal->b * normal->y) / det;
        dmin = (normal->b * normal->x - normal->a * normal->y) / det;
    }
    if (d <= 0.0f || dmin < 0.0f)
        return;
    super->d = half_in(d, unit);
    if (normal->c > 0.0f)
        super->dmin = half_in(dmin, unit);
}

INLINE void search_super(const struct block *block, float steps, struct super *super,
                         uint8_t codes[BLOCK_K_WEIGHTS])
{
    search_subs(block, steps, super);
    for (int round = 0; round < 2; round++) {
        struct normal normal = {0};
        for (int j = 0; j < SUBS; j++)
            try_neighbours(block, j, steps, super, &normal);
        fit_super(&normal, block->unit, super);
    }
    float d = half_out(super->d, block->unit), dmin = half_out(super->dmin, block->unit);
    for (int j = 0; j < SUBS; j++) {
        float inverse = inverse_of(d * (float)super->scale[j]);
        float shift = dmin * (float)super->min[j] * inverse;
        for (int i = j * BLOCK_WEIGHTS; i < (j + 1) * BLOCK_WEIGHTS; i++)
            codes[i] = (uint8_t)(int)nearest(clamp(block->x[i] * inverse + shift, 0.0f, steps));
    }
}

/* block.h says how twelve bytes hold sixteen numbers. */
INLINE void pack_levels(const struct super *super, uint8_t scales[12])
{
    for (int i = 0; i < 4; i++) {
        scales[i] = (uint8_t)(super->scale[i] | super->scale[i + 4] >> 4 << 6);
        scales[i + 4] = (uint8_t)(super->min[i] | super->min[i + 4] >> 4 << 6);
        scales[i + 8] = (uint8_t)((super->scale[i + 4] & 15) | (super->min[i + 4] & 15) << 4);
    }
}

INLINE void pack_halves(const uint8_t codes[BLOCK_K_WEIGHTS], uint8_t qs[BLOCK_K_WEIGHTS / 2])
{
    for (int i = 0; i < BLOCK_K_WEIGHTS / 2; i++) {
        const uint8_t *low = codes + i / 32 * 64 + i % 32;
        qs[i] = (uint8_t)((low[0] & 15) | (low[32] & 15) << 4);
    }
}

void ENCODER(q4_k)(const float *src, const float *importance, size_t block_count, void *dst)
{
    for (size_t n = 0; n < block_count; n++) {
        struct block_q4_k out = {0};
        struct block block;
        struct super super;
        uint8_t codes[BLOCK_K_WEIGHTS];
        if (block_prepare(&block, src, importance, n, BLOCK_K_WEIGHTS)) {
            search_super(&block, 15.0f, &super, codes);
            out.d = super.d;
            out.dmin = super.dmin;
            pack_levels(&super, out.scales);
            pack_halves(codes, out.qs);
        }
        memcpy((uint8_t *)dst + n * sizeof out, &out, sizeof out);
    }
}

void ENCODER(q5_k)(const float *src, const float *importance, size_t block_count, void *dst)
{
    for (size_t n = 0; n < block_count; n++) {
        struct block_q5_k out = {0};
        struct block block;
        struct super super;
        uint8_t codes[BLOCK_K_WEIGHTS];
        if (block_prepare(&block, src, importance, n, BLOCK_K_WEIGHTS)) {
            search_super(&block, 31.0f, &super, codes);
            out.d = super.d;
            out.dmin = super.dmin;
            pack_levels(&super, out.scales);
            pack_halves(codes, out.qs);
            for (int i = 0; i < BLOCK_K_WEIGHTS; i++)
                out.qh[i % 32] |= (uint8_t)((codes[i] >> 4 & 1) << i / 32);
        }
        memcpy((uint8_t *)dst + n * sizeof out, &out, sizeof out);
    }
}
