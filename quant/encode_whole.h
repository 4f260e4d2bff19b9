/* encode_whole.h: the search for the scale of 32 weights in whole numbers, for the grids of 4 and 5
 * bits: half the work of the search in floats (encode_search.h), the same to the bit in every
 * instruction set because whole numbers may be added in any order. Internal to encode_scale.c.
 *
 * With L the weight of largest magnitude, weights are X = x / L in 1/32767 and the weights of their
 * squared errors w in 1/W of the largest (W such that w q fits 16 bits). A candidate puts L at c on
 * the grid: q = X c, rounded and clipped by saturation. The sums are those of the search in floats,
 *   xq = sum w X q,   qq = sum w q q,   d = L xq / qq,
 * for weights of errors that are rounded to W steps, and are exact but for the rounding of w X. */
#ifndef LICHEN_ENCODE_WHOLE_H
#define LICHEN_ENCODE_WHOLE_H

#include "encode_search.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

struct whole {
    _Alignas(64) int16_t x[BLOCK_WEIGHTS];
    _Alignas(64) int16_t weight[BLOCK_WEIGHTS];
    _Alignas(64) int16_t weighted[BLOCK_WEIGHTS]; /* weight / W * x */
    float scale;                                  /* L W / 32767: d = scale xq / qq */
};

struct whole_scan {
    int32_t xq[LANES];
    int32_t qq[LANES];
};

enum { WHOLE_ONE = 32767 };

INLINE float whole_steps(enum grid grid) /* W */
{
    return grid == GRID_4 ? 4095.0f : 2047.0f;
}

/* c in 1/2048 (4 bits) or 1/1024 (5 bits), so that the grid's ends saturate once doubled. */
INLINE int whole_shift(enum grid grid)
{
    return grid == GRID_4 ? 12 : 11;
}

INLINE void whole_prepare(const struct block *block, enum grid grid, struct whole *whole)
{
    float largest = block_largest(block, 0, BLOCK_WEIGHTS);
    float steps = whole_steps(grid), part[LANES];
    for (int k = 0; k < LANES; k++)
        part[k] = block->weight[k] > block->weight[k + LANES] ? block->weight[k]
                                                              : block->weight[k + LANES];
    float heaviest = lane_max(part);
    float to_x = (float)WHOLE_ONE / largest, to_weight = steps / heaviest;
    float to_weighted = 1.0f / steps;
    for (int i = 0; i < BLOCK_WEIGHTS; i++) {
        float x = block->x[i] * to_x, weight = nearest(block->weight[i] * to_weight);
        whole->x[i] = (int16_t)(int32_t)nearest(x);
        whole->weight[i] = (int16_t)(int32_t)weight;
        whole->weighted[i] = (int16_t)(int32_t)nearest(weight * x * to_weighted);
    }
    whole->scale = largest * steps / (float)WHOLE_ONE;
}

#if defined(__AVX512BW__)
INLINE __m512i whole_pair(const int16_t *pair)
{
    int32_t bits;
    memcpy(&bits, pair, sizeof bits);
    return _mm512_set1_epi32(bits);
}

INLINE void whole_scan_lanes(const struct whole *whole, const int16_t clip[LANES], int shift,
                             struct whole_scan *scan)
{
    _Alignas(64) int16_t twice[2 * LANES];
    for (int k = 0; k < LANES; k++)
        twice[2 * k] = twice[2 * k + 1] = clip[k];
    __m512i c = _mm512_load_si512(twice), half = _mm512_set1_epi16((int16_t)(1 << (shift - 1)));
    __m128i count = _mm_cvtsi32_si128(shift);
    __m512i xq = _mm512_setzero_si512(), qq = xq;
    for (int i = 0; i < BLOCK_WEIGHTS; i += 2) {
        __m512i q = _mm512_mulhrs_epi16(whole_pair(whole->x + i), c);
        q = _mm512_adds_epi16(_mm512_adds_epi16(q, q), half);
        q = _mm512_sra_epi16(q, count);
        __m512i weighted = _mm512_mullo_epi16(q, whole_pair(whole->weight + i));
        xq = _mm512_add_epi32(xq, _mm512_madd_epi16(q, whole_pair(whole->weighted + i)));
        qq = _mm512_add_epi32(qq, _mm512_madd_epi16(q, weighted));
    }
    _mm512_storeu_si512(scan->xq, xq);
    _mm512_storeu_si512(scan->qq, qq);
}
#elif defined(__AVX2__)
INLINE __m256i whole_pair(const int16_t *pair)
{
    int32_t bits;
    memcpy(&bits, pair, sizeof bits);
    return _mm256_set1_epi32(bits);
}

INLINE void whole_scan_lanes(const struct whole *whole, const int16_t clip[LANES], int shift,
                             struct whole_scan *scan)
{
    _Alignas(32) int16_t twice[2 * LANES];
    for (int k = 0; k < LANES; k++)
        twice[2 * k] = twice[2 * k + 1] = clip[k];
    __m256i half = _mm256_set1_epi16((int16_t)(1 << (shift - 1)));
    __m128i count = _mm_cvtsi32_si128(shift);
    for (int k = 0; k < LANES; k += 8) {
        __m256i c = _mm256_load_si256((const __m256i *)(twice + 2 * k));
        __m256i xq = _mm256_setzero_si256(), qq = xq;
        for (int i = 0; i < BLOCK_WEIGHTS; i += 2) {
            __m256i q = _mm256_mulhrs_epi16(whole_pair(whole->x + i), c);
            q = _mm256_adds_epi16(_mm256_adds_epi16(q, q), half);
            q = _mm256_sra_epi16(q, count);
            __m256i weighted = _mm256_mullo_epi16(q, whole_pair(whole->weight + i));
            xq = _mm256_add_epi32(xq, _mm256_madd_epi16(q, whole_pair(whole->weighted + i)));
            qq = _mm256_add_epi32(qq, _mm256_madd_epi16(q, weighted));
        }
        _mm256_storeu_si256((__m256i *)(scan->xq + k), xq);
        _mm256_storeu_si256((__m256i *)(scan->qq + k), qq);
    }
}
#else
INLINE int32_t whole_saturate(int32_t value)
{
    value = value < -32768 ? -32768 : value;
    return value > 32767 ? 32767 : value;
}

INLINE void whole_scan_lanes(const struct whole *whole, const int16_t clip[LANES], int shift,
                             struct whole_scan *scan)
{
    *scan = (struct whole_scan){{0}, {0}};
    for (int i = 0; i < BLOCK_WEIGHTS; i++)
        for (int k = 0; k < LANES; k++) {
            int32_t q = ((int32_t)whole->x[i] * clip[k] + (1 << 14)) >> 15;
            q = whole_saturate(whole_saturate(2 * q) + (1 << (shift - 1))) >> shift;
            scan->xq[k] += whole->weighted[i] * q;
            scan->qq[k] += whole->weight[i] * q * q;
        }
}
#endif

/* The clips of grid_clips as numbers of the grid's unit. */
INLINE void whole_clips(enum grid grid, int16_t clip[LANES])
{
    struct clips clips = grid_clips(grid);
    float one = (float)(1 << (whole_shift(grid) - 1));
    for (int k = 0; k < LANES / 2; k++) {
        clip[k] = (int16_t)(-one * (clips.far_first + clips.step * (float)k));
        clip[k + LANES / 2] = (int16_t)(one * (clips.near_first + clips.step * (float)k));
    }
}

/* The scale of the candidate that lowers the error most. */
INLINE float whole_best_fit(const struct whole *whole, const struct whole_scan *scan)
{
    float gain[LANES], fit[LANES];
    for (int k = 0; k < LANES; k++) {
        fit[k] = (float)scan->xq[k] / ((float)scan->qq[k] + 0x1p-100f);
        gain[k] = fit[k] * (float)scan->xq[k];
    }
    return whole->scale * fit[lane_largest(gain)];
}

#endif
