/* block.h: the weight blocks of GGUF, byte for byte (ggml-org/ggml src/ggml-common.h). C and GLSL
 * both include it: constants first, then, for C alone, the structs.
 *
 * All numbers are little-endian; d, m and dmin are binary16 bit patterns. A nibble q packs two
 * weights a byte, the earlier one in the low half. Blocks in a file have no alignment: copy one out
 * (memcpy) before looking into it. */
#ifndef LICHEN_BLOCK_H
#define LICHEN_BLOCK_H

#define BLOCK_WEIGHTS 32    /* of the simple types and IQ4_NL */
#define BLOCK_K_WEIGHTS 256 /* of the K types and IQ4_XS */

#define BLOCK_F32_SIZE 4
#define BLOCK_F16_SIZE 2
#define BLOCK_BF16_SIZE 2
#define BLOCK_Q4_0_SIZE 18
#define BLOCK_Q4_1_SIZE 20
#define BLOCK_Q5_0_SIZE 22
#define BLOCK_Q5_1_SIZE 24
#define BLOCK_Q8_0_SIZE 34
#define BLOCK_Q4_K_SIZE 144
#define BLOCK_Q5_K_SIZE 176
#define BLOCK_Q6_K_SIZE 210
#define BLOCK_IQ4_NL_SIZE 18
#define BLOCK_IQ4_XS_SIZE 136

/* What the 16 codes of IQ4_NL and IQ4_XS stand for: the items of an initializer. */
#define BLOCK_IQ4_VALUES -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113

#ifdef __STDC_VERSION__

#include <assert.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the blocks of a file are little-endian and are used as they lie there"
#endif

/* y[j] = d (q[j] - 8); q[j] = low nibble of qs[j], q[j + 16] = its high nibble */
struct block_q4_0 {
    uint16_t d;
    uint8_t qs[BLOCK_WEIGHTS / 2];
};

/* y[j] = d q[j] + m; q as in Q4_0 */
struct block_q4_1 {
    uint16_t d;
    uint16_t m;
    uint8_t qs[BLOCK_WEIGHTS / 2];
};

/* y[j] = d (q[j] - 16); q[j] = nibble as in Q4_0, and as bit 4 bit j of the 32-bit number qh */
struct block_q5_0 {
    uint16_t d;
    uint8_t qh[4];
    uint8_t qs[BLOCK_WEIGHTS / 2];
};

/* y[j] = d q[j] + m; q as in Q5_0 */
struct block_q5_1 {
    uint16_t d;
    uint16_t m;
    uint8_t qh[4];
    uint8_t qs[BLOCK_WEIGHTS / 2];
};

/* y[j] = d qs[j] */
struct block_q8_0 {
    uint16_t d;
    int8_t qs[BLOCK_WEIGHTS];
};

/* Eight sub-blocks of 32 weights, y = (d scale[i]) q - (dmin min[i]) in sub-block i. scales packs
 * the 6-bit scale[8] and min[8]:
 *   i < 4: scale = scales[i] & 63, min = scales[i + 4] & 63
 *   else:  scale = scales[i + 4] & 15 | scales[i - 4] >> 6 << 4, min = scales[i + 4] >> 4 |
 * scales[i] >> 6 << 4 For p = 0..3 the bytes qs[32 p ..] hold sub-block 2 p (low) and 2 p + 1
 * (high). */
struct block_q4_k {
    uint16_t d;
    uint16_t dmin;
    uint8_t scales[12];
    uint8_t qs[BLOCK_K_WEIGHTS / 2];
};

/* As Q4_K; bit i of qh[l] is bit 4 of weight l of sub-block i. */
struct block_q5_k {
    uint16_t d;
    uint16_t dmin;
    uint8_t scales[12];
    uint8_t qh[BLOCK_K_WEIGHTS / 8];
    uint8_t qs[BLOCK_K_WEIGHTS / 2];
};

/* Sixteen sub-blocks of 16 weights, y = (d scales[i]) (q - 32) in sub-block i. In half h (128
 * weights) quarter k = 0..3 (32 weights), weight l:
 *   q = nibble | (qh[32 h + l] >> 2 k & 3) << 4
 *   nibble = low (k < 2) or high half of ql[64 h + 32 (k & 1) + l] */
struct block_q6_k {
    uint8_t ql[BLOCK_K_WEIGHTS / 2];
    uint8_t qh[BLOCK_K_WEIGHTS / 4];
    int8_t scales[BLOCK_K_WEIGHTS / 16];
    uint16_t d;
};

/* y[j] = d BLOCK_IQ4_VALUES[q[j]]; q as in Q4_0 */
struct block_iq4_nl {
    uint16_t d;
    uint8_t qs[BLOCK_WEIGHTS / 2];
};

/* Eight sub-blocks of 32 weights, y = (d (scale - 32)) BLOCK_IQ4_VALUES[q] in sub-block i,
 *   scale = nibble i of scales_l | (scales_h >> 2 i & 3) << 4
 * and q from qs[16 i ..] as in Q4_0. */
struct block_iq4_xs {
    uint16_t d;
    uint16_t scales_h;
    uint8_t scales_l[BLOCK_K_WEIGHTS / 64];
    uint8_t qs[BLOCK_K_WEIGHTS / 2];
};

static_assert(sizeof(struct block_q4_0) == BLOCK_Q4_0_SIZE, "Q4_0");
static_assert(sizeof(struct block_q4_1) == BLOCK_Q4_1_SIZE, "Q4_1");
static_assert(sizeof(struct block_q5_0) == BLOCK_Q5_0_SIZE, "Q5_0");
static_assert(sizeof(struct block_q5_1) == BLOCK_Q5_1_SIZE, "Q5_1");
static_assert(sizeof(struct block_q8_0) == BLOCK_Q8_0_SIZE, "Q8_0");
static_assert(sizeof(struct block_q4_k) == BLOCK_Q4_K_SIZE, "Q4_K");
static_assert(sizeof(struct block_q5_k) == BLOCK_Q5_K_SIZE, "Q5_K");
static_assert(sizeof(struct block_q6_k) == BLOCK_Q6_K_SIZE, "Q6_K");
static_assert(sizeof(struct block_iq4_nl) == BLOCK_IQ4_NL_SIZE, "IQ4_NL");
static_assert(sizeof(struct block_iq4_xs) == BLOCK_IQ4_XS_SIZE, "IQ4_XS");

#endif
#endif
