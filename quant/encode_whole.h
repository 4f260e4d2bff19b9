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
    _Alignas(64) int32_t xq[LANES];
    _Alignas(64) int32_t qq[LANES];
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
    float steps = whole_steps(grid), heaviest = 0.0f;
    for (int i = 0; i < BLOCK_WEIGHTS; i++)
        heaviest = block->weight[i] > heaviest ? block->weight[i] : heaviest;
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

#if defined(__AVX2__)
#if defined(__AVX512BW__)
typedef __m512i whole_vector;
#define WHOLE(operation) _mm512_##operation
#else
typedef __m256i whole_vector;
#define WHOLE(operation) _mm256_##operation
#endif

enum { WHOLE_LANES = sizeof(whole_vector) / sizeof(int32_t) }; /* candidates of a vector */

/* Two neighbours for every candidate. */
INLINE whole_vector whole_pair(const int16_t *pair)
{
    int32_t bits;
    memcpy(&bits, pair, sizeof bits);
    return WHOLE(set1_epi32)(bits);
}

INLINE void whole_scan_lanes(const struct whole *whole, const int16_t clip[LANES], int shift,
                             struct whole_scan *scan)
{
    _Alignas(64) int16_t twice[2 * LANES];
    for (int k = 0; k < LANES; k++)
        twice[2 * k] = twice[2 * k + 1] = clip[k];
    whole_vector half = WHOLE(set1_epi16)((int16_t)(1 << (shift - 1)));
    __m128i count = _mm_cvtsi32_si128(shift);
    for (int k = 0; k < LANES; k += WHOLE_LANES) {
        whole_vector c = *(const whole_vector *)(twice + 2 * k);
        whole_vector xq = WHOLE(set1_epi32)(0), qq = xq;
        for (int i = 0; i < BLOCK_WEIGHTS; i += 2) {
            whole_vector q = WHOLE(mulhrs_epi16)(whole_pair(whole->x + i), c);
            q = WHOLE(adds_epi16)(WHOLE(adds_epi16)(q, q), half);
            q = WHOLE(sra_epi16)(q, count);
            whole_vector weighted = WHOLE(mullo_epi16)(q, whole_pair(whole->weight + i));
            xq = WHOLE(add_epi32)(xq, WHOLE(madd_epi16)(q, whole_pair(whole->weighted + i)));
            qq = WHOLE(add_epi32)(qq, WHOLE(madd_epi16)(q, weighted));
        }
        *(whole_vector *)(scan->xq + k) = xq;
        *(whole_vector *)(scan->qq + k) = qq;
    }
}
#undef WHOLE
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

/* The scale of the candidate that lowers the error most; of equals the one of largest fit. Maxima
 * are vectors, a search for the lane would be a chain of branches. */
INLINE float whole_best_fit(const struct whole *whole, const struct whole_scan *scan)
{
    float gain[LANES], fit[LANES], most = 0.0f, best = -0x1p100f;
    for (int k = 0; k < LANES; k++) {
        fit[k] = (float)scan->xq[k] / ((float)scan->qq[k] + 0x1p-100f);
        gain[k] = fit[k] * (float)scan->xq[k];
    }
    for (int k = 0; k < LANES; k++)
        most = gain[k] > most ? gain[k] : most;
    for (int k = 0; k < LANES; k++) {
        float value = gain[k] == most ? fit[k] : -0x1p100f;
        best = value > best ? value : best;
    }
    return whole->scale * best;
}

#endif
