/* encode_pair.h: the search of the types with scale and minimum, y = scale q + offset with codes
 * q = 0 .. steps; internal to encode_offset.c and encode_k.c.
 *
 * For given codes the best pair solves
 *   scale qq + offset q = xq,   scale q + offset w = x
 * with q = sum w q, qq = sum w q q, xq = sum w x q, x = sum w x, w = sum w, and takes
 * scale xq + offset x off the error. */
#ifndef LICHEN_ENCODE_PAIR_H
#define LICHEN_ENCODE_PAIR_H

#include "encode_search.h"

struct pair {
    float scale;
    float offset;
    float gain; /* what it takes off the error */
};

/* Sums of LANES candidates over 32 weights, and what is common to all. */
struct pair_scan {
    float q[LANES];
    float qq[LANES];
    float xq[LANES];
    float x;
    float weight;
};

/* q = nearest(x inverse + shift) */
INLINE void scan_pairs(const struct block *block, int first, float steps,
                       const float inverse[LANES], const float shift[LANES], struct pair_scan *scan)
{
    float sum_q[LANES] = {0.0f}, qq[LANES] = {0.0f}, xq[LANES] = {0.0f};
    float part_x[LANES], part_weight[LANES];
    for (int k = 0; k < LANES; k++) {
        part_x[k] = block->weighted[first + k] + block->weighted[first + k + LANES];
        part_weight[k] = block->weight[first + k] + block->weight[first + k + LANES];
    }
    scan->x = lane_sum(part_x);
    scan->weight = lane_sum(part_weight);
    for (int i = first; i < first + BLOCK_WEIGHTS; i++)
        for (int k = 0; k < LANES; k++) {
            float q = nearest(clamp(block->x[i] * inverse[k] + shift[k], 0.0f, steps));
            float weighted = block->weight[i] * q;
            sum_q[k] += weighted;
            qq[k] += weighted * q;
            xq[k] += block->weighted[i] * q;
        }
    memcpy(scan->q, sum_q, sizeof sum_q);
    memcpy(scan->qq, qq, sizeof qq);
    memcpy(scan->xq, xq, sizeof xq);
}

/* The best pair of all lanes, each with its own fit; with below_zero no offset is above 0. */
INLINE struct pair scan_best_pair(const struct pair_scan *scan, bool below_zero)
{
    float scale[LANES], offset[LANES], gain[LANES];
    for (int k = 0; k < LANES; k++) {
        float det = scan->weight * scan->qq[k] - scan->q[k] * scan->q[k];
        bool flat = det <= 1e-6f * scan->weight * scan->qq[k];
        float inverse = flat ? 0.0f : 1.0f / (det + 0x1p-100f);
        scale[k] = (scan->weight * scan->xq[k] - scan->x * scan->q[k]) * inverse;
        offset[k] = (scan->qq[k] * scan->x - scan->q[k] * scan->xq[k]) * inverse;
        offset[k] = flat ? scan->x / scan->weight : offset[k];
        bool only_scale = below_zero && offset[k] > 0.0f;
        scale[k] = only_scale ? scan->xq[k] / (scan->qq[k] + 0x1p-100f) : scale[k];
        offset[k] = only_scale ? 0.0f : offset[k];
        gain[k] = scale[k] * scan->xq[k] + offset[k] * scan->x;
    }
    int lane = lane_largest(gain);
    return (struct pair){scale[lane], offset[lane], gain[lane]};
}

/* Lanes of a 4 x 4 grid: code 0 at low + (k / 4) apart, code `steps` at high - (k % 4) apart. */
INLINE void pair_lanes(float low, float high, float apart, float steps, float inverse[LANES],
                       float shift[LANES])
{
    for (int k = 0; k < LANES; k++) {
        float first = low + (float)(k / 4) * apart;
        float last = high - (float)(k % 4) * apart;
        inverse[k] = inverse_of((last - first) / steps);
        shift[k] = -first * inverse[k];
    }
}

/* low and high: the smallest and largest weight (low <= 0 with below_zero). */
INLINE struct pair search_pair(const struct block *block, int first, float steps, float low,
                               float high, bool below_zero)
{
    if (high <= low)
        return (struct pair){0.0f, low, 0.0f};
    float inverse[LANES], shift[LANES], apart = (high - low) / steps * 0.4f;
    struct pair_scan scan;
    pair_lanes(low, high, apart, steps, inverse, shift);
    scan_pairs(block, first, steps, inverse, shift, &scan);
    struct pair pair = scan_best_pair(&scan, below_zero);
    apart = pair.scale * 0.15f;
    pair_lanes(pair.offset - 1.5f * apart, pair.offset + steps * pair.scale + 1.5f * apart, apart,
               steps, inverse, shift);
    scan_pairs(block, first, steps, inverse, shift, &scan);
    struct pair refined = scan_best_pair(&scan, below_zero);
    return refined.gain > pair.gain ? refined : pair;
}

#endif
