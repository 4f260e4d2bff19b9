/* encode_search.h: what the searches of all block types share; internal to the encode_*.c that are
 * compiled once an instruction set.
 *
 * A search tries LANES candidate scales at a time. For each it rounds the weights x to codes q and
 * sums, with the weights w of the squared errors,
 *   xq = sum w x q,   qq = sum w q q          (and q = sum w q where there is a minimum too)
 * from which follow the best scale for those codes, d = xq / qq, and the error of any scale,
 *   sum w (x - d q)^2 = sum w x x - 2 d xq + d d qq.
 * Candidates lie side by side in the innermost loop, so no sum is split: the compiler turns the
 * loop into vectors of any width and the result stays the same to the bit. */
#ifndef LICHEN_ENCODE_SEARCH_H
#define LICHEN_ENCODE_SEARCH_H

#include "block.h"
#include "half.h"

#include <stdbool.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16 };

/* A block ready for a search. */
struct block {
    _Alignas(64) float x[BLOCK_K_WEIGHTS]; /* weight / unit: the largest lies in [1, 2) */
    float weight[BLOCK_K_WEIGHTS];         /* of its squared error, > 0 */
    float weighted[BLOCK_K_WEIGHTS];       /* weight * x */
    float unit;                            /* power of two */
};

/* The values that codes stand for, before the scale. */
enum grid { GRID_4, GRID_5, GRID_6, GRID_IQ4 }; /* signed integers of so many bits; IQ4 */

INLINE uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

INLINE float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE float clamp(float value, float low, float high)
{
    value = value < low ? low : value;
    return value > high ? high : value;
}

/* To the nearest integer; |value| < 2^22. Beside 1.5 * 2^23 a float has no fraction. */
INLINE float nearest(float value)
{
    return (value + 12582912.0f) - 12582912.0f;
}

#define IQ4_MIDDLES                                                                                \
    -115.5f, -93.5f, -74.0f, -57.0f, -42.0f, -28.5f, -16.0f, -4.5f, 7.0f, 19.0f, 31.5f, 45.5f,     \
        61.0f, 79.0f, 101.0f

/* The nearest value of IQ4's table: a step up at every middle between two values. */
INLINE float iq4_nearest(float x)
{
    static const float middle[15] = {IQ4_MIDDLES};
    static const float step[15] = {23, 21, 18, 16, 14, 13, 12, 11, 12, 12, 13, 15, 16, 20, 24};
    float value = -127.0f;
#pragma GCC unroll 15
    for (int i = 0; i < 15; i++)
        value += x > middle[i] ? step[i] : 0.0f;
    return value;
}

/* The number of the nearest value. */
INLINE float iq4_code(float x)
{
    static const float middle[15] = {IQ4_MIDDLES};
    float code = 0.0f;
#pragma GCC unroll 15
    for (int i = 0; i < 15; i++)
        code += x > middle[i] ? 1.0f : 0.0f;
    return code;
}

INLINE float grid_end(enum grid grid)
{
    return grid == GRID_4 ? 8.0f : grid == GRID_5 ? 16.0f : 32.0f;
}

INLINE float grid_nearest(enum grid grid, float x)
{
    if (grid == GRID_IQ4)
        return iq4_nearest(x);
    float end = grid_end(grid);
    return nearest(clamp(x, -end, end - 1.0f));
}

INLINE float grid_code(enum grid grid, float x)
{
    return grid == GRID_IQ4 ? iq4_code(x) : grid_nearest(grid, x) + grid_end(grid);
}

/* 1 / value, or 0 where that would be infinite: then all codes stand for (nearly) nothing. */
INLINE float inverse_of(float value)
{
    float magnitude = value < 0.0f ? -value : value;
    return magnitude > 0x1p-125f ? 1.0f / value : 0.0f;
}

/* Over all lanes, by halves: pairs of lanes side by side, no long chain. */
INLINE float lane_sum(const float value[LANES])
{
    typedef float eight __attribute__((vector_size(8 * sizeof(float))));
    typedef float four __attribute__((vector_size(4 * sizeof(float))));
    eight low, high;
    memcpy(&low, value, sizeof low);
    memcpy(&high, value + LANES / 2, sizeof high);
    low += high;
    four first, second;
    memcpy(&first, &low, sizeof first);
    memcpy(&second, (const char *)&low + sizeof first, sizeof second);
    first += second;
    return (first[0] + first[2]) + (first[1] + first[3]);
}

/* Importance without scale: 1 on average, and at least 2^-10, so that a column that never saw an
 * activation still gets its nearest code; a block without any importance counts evenly. */
INLINE void block_weigh_importance(struct block *block, const float *importance, int count)
{
    float part[LANES] = {0.0f};
    for (int i = 0; i < count; i += LANES)
        for (int k = 0; k < LANES; k++) {
            block->weight[i + k] = clamp(importance[i + k], 0x1p-80f, 0x1p80f);
            part[k] += block->weight[i + k];
        }
    float inverse = (float)count / lane_sum(part);
    for (int i = 0; i < count; i++)
        block->weight[i] = block->weight[i] * inverse + 0x1p-10f;
}

/* Without importance large weights count more: root mean square + |x| (quantization.md 2). */
INLINE void block_weigh_size(struct block *block, int count)
{
    float part[LANES] = {0.0f};
    for (int i = 0; i < count; i += LANES)
        for (int k = 0; k < LANES; k++)
            part[k] += block->x[i + k] * block->x[i + k];
    float rms = __builtin_sqrtf(lane_sum(part) / (float)count);
    for (int i = 0; i < count; i++)
        block->weight[i] = rms + (block->x[i] < 0.0f ? -block->x[i] : block->x[i]);
}

/* Block n of a row, count weights each, but for `weighted`. False when all is below half the
 * smallest binary16: a block of zeros. The power of two that takes out the size keeps every later
 * sum far from the ends of float. */
INLINE bool block_begin(struct block *block, const float *src, const float *importance, size_t n,
                        int count)
{
    uint32_t bits[BLOCK_K_WEIGHTS], largest = 0;
    memcpy(bits, src + n * (size_t)count, (size_t)count * sizeof *src);
    for (int i = 0; i < count; i++) {
        uint32_t magnitude = bits[i] & 0x7fffffff;
        uint32_t keep = 0U - (magnitude < 0x7f800000);
        bits[i] &= keep;
        magnitude &= keep;
        largest = magnitude > largest ? magnitude : largest;
    }
    if (largest < bits_of(0x1p-25f))
        return false;
    block->unit = float_of(largest & 0x7f800000);
    float inverse = 1.0f / block->unit;
    for (int i = 0; i < count; i++)
        block->x[i] = float_of(bits[i]) * inverse;
    if (importance)
        block_weigh_importance(block, importance + n * (size_t)count, count);
    else
        block_weigh_size(block, count);
    return true;
}

INLINE void block_multiply(struct block *block, int count)
{
    for (int i = 0; i < count; i++)
        block->weighted[i] = block->weight[i] * block->x[i];
}

INLINE bool block_prepare(struct block *block, const float *src, const float *importance, size_t n,
                          int count)
{
    if (!block_begin(block, src, importance, n, count))
        return false;
    block_multiply(block, count);
    return true;
}

/* binary16 of value in units, never infinite and never -0 (the sign of a 0 is left to chance). */
INLINE uint16_t half_in(float value, float unit)
{
    uint16_t bits = half_from_float(value * unit), magnitude = bits & 0x7fff;
    if (magnitude > 0x7bff)
        bits = (uint16_t)(bits - magnitude + 0x7bff);
    return magnitude == 0 ? 0 : bits;
}

INLINE float half_out(uint16_t bits, float unit)
{
    return half_to_float(bits) * (1.0f / unit);
}

/* As half_in for |value|, but up where the rounding would lose more than 1/1024 (subnormals):
 * what a scale leaves out at the ends costs more than a coarser step. */
INLINE uint16_t half_in_above(float value, float unit)
{
    uint16_t bits = half_in(value, unit);
    float magnitude = value < 0.0f ? -value : value;
    if (half_out(bits & 0x7fff, unit) < magnitude * (1.0f - 0x1p-10f) && (bits & 0x7fff) < 0x7bff)
        bits++;
    return bits;
}

/* The sums of LANES candidates over count weights from x on. */
struct scan {
    float xq[LANES];
    float qq[LANES];
};

INLINE void scan_scales(const struct block *block, int first, int count, enum grid grid,
                        const float inverse[LANES], struct scan *scan)
{
    float xq[LANES] = {0.0f}, qq[LANES] = {0.0f};
    for (int i = first; i < first + count; i++)
        for (int k = 0; k < LANES; k++) {
            float q = grid_nearest(grid, block->x[i] * inverse[k]);
            xq[k] += block->weighted[i] * q;
            qq[k] += block->weight[i] * q * q;
        }
    memcpy(scan->xq, xq, sizeof xq);
    memcpy(scan->qq, qq, sizeof qq);
}

/* The lane with the largest value; of equals always the same one. */
INLINE int lane_largest(const float value[LANES])
{
    float largest[LANES / 2];
    int lane[LANES / 2];
    for (int k = 0; k < LANES / 2; k++) {
        int above = value[k + LANES / 2] > value[k];
        largest[k] = above ? value[k + LANES / 2] : value[k];
        lane[k] = above ? k + LANES / 2 : k;
    }
    for (int k = 0; k < LANES / 4; k++) {
        int above = largest[k + LANES / 4] > largest[k];
        largest[k] = above ? largest[k + LANES / 4] : largest[k];
        lane[k] = above ? lane[k + LANES / 4] : lane[k];
    }
    int even = largest[2] > largest[0] ? 2 : 0, odd = largest[3] > largest[1] ? 3 : 1;
    return largest[odd] > largest[even] ? lane[odd] : lane[even];
}

/* By what each lane's own best scale lowers the error; the lane where it lowers most. */
INLINE int scan_best_fit(const struct scan *scan)
{
    float gain[LANES];
    for (int k = 0; k < LANES; k++)
        gain[k] = scan->xq[k] * scan->xq[k] / (scan->qq[k] + 0x1p-100f);
    return lane_largest(gain);
}

/* The same for given scales. */
INLINE int scan_best_of(const struct scan *scan, const float scale[LANES])
{
    float gain[LANES];
    for (int k = 0; k < LANES; k++)
        gain[k] = scale[k] * (2.0f * scan->xq[k] - scale[k] * scan->qq[k]);
    return lane_largest(gain);
}

/* The weight of largest magnitude, with its sign. */
INLINE float block_largest(const struct block *block, int first, int count)
{
    float low = 0.0f, high = 0.0f;
    for (int i = first; i < first + count; i++) {
        low = block->x[i] < low ? block->x[i] : low;
        high = block->x[i] > high ? block->x[i] : high;
    }
    return -low > high ? low : high;
}

/* Where the largest weight may land on the grid, seen from 0: on the side of the far end (that of
 * code 0) and on the other, from `far_first` resp. `near_first` on in steps of `step`. */
struct clips {
    float far_first;
    float near_first;
    float step;
};

INLINE struct clips grid_clips(enum grid grid)
{
    switch (grid) {
    case GRID_4:
        return (struct clips){6.4f, 5.8f, 0.4f};
    case GRID_5:
        return (struct clips){14.0f, 13.5f, 0.5f};
    case GRID_6:
        return (struct clips){29.75f, 28.75f, 0.75f};
    case GRID_IQ4:
    default:
        return (struct clips){106.0f, 92.0f, 7.0f};
    }
}

/* The scale of least weighted error for count weights, of either sign; 0 when they are all 0. */
INLINE float search_scale(const struct block *block, int first, int count, enum grid grid)
{
    float largest = block_largest(block, first, count), inverse[LANES];
    if (largest == 0.0f)
        return 0.0f;
    struct clips clips = grid_clips(grid);
    float unit = inverse_of(largest);
    for (int k = 0; k < LANES / 2; k++) {
        inverse[k] = -unit * (clips.far_first + clips.step * (float)k);
        inverse[k + LANES / 2] = unit * (clips.near_first + clips.step * (float)k);
    }
    struct scan scan;
    scan_scales(block, first, count, grid, inverse, &scan);
    int lane = scan_best_fit(&scan);
    return scan.xq[lane] / (scan.qq[lane] + 0x1p-100f);
}

/* The codes of count weights at one scale; inverse = 1 / scale. */
INLINE void block_codes(const struct block *block, int first, int count, enum grid grid,
                        float inverse, uint8_t *codes)
{
    for (int i = 0; i < count; i++)
        codes[i] = (uint8_t)(int)grid_code(grid, block->x[first + i] * inverse);
}

/* Nibbles as the 32-weight types lay them: weight j low, weight j + 16 high. */
INLINE void pack_nibbles(const uint8_t codes[BLOCK_WEIGHTS], uint8_t qs[BLOCK_WEIGHTS / 2])
{
    for (int j = 0; j < 16; j++)
        qs[j] = (uint8_t)((codes[j] & 15) | (codes[j + 16] & 15) << 4);
}

/* Bit 4 of the codes, as a 32-bit little-endian number. */
INLINE void pack_bit_4(const uint8_t codes[BLOCK_WEIGHTS], uint8_t qh[4])
{
    uint32_t bits = 0;
    for (int j = 0; j < BLOCK_WEIGHTS; j++)
        bits |= (uint32_t)(codes[j] >> 4 & 1) << j;
    memcpy(qh, &bits, sizeof bits);
}

#endif
