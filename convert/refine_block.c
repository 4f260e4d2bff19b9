/* refine_block.c: see refine_block.h; the layouts are those of block.h. */
#include "refine_block.h"
#include "block.h"
#include "half.h"

#include <string.h>

static const struct refine_type types[DTYPE_ID_COUNT] = {
    [DTYPE_Q4_0] = {32, 1, -8, 7, 1, 1, 0, 0},
    [DTYPE_Q4_1] = {32, 1, 0, 15, 1, 1, 1, 1},
    [DTYPE_Q5_0] = {32, 1, -16, 15, 1, 1, 0, 0},
    [DTYPE_Q5_1] = {32, 1, 0, 31, 1, 1, 1, 1},
    [DTYPE_Q8_0] = {32, 1, -127, 127, 1, 1, 0, 0},
    [DTYPE_IQ4_NL] = {32, 1, 0, 0, 1, 1, 0, 0},
    [DTYPE_Q4_K] = {32, 8, 0, 15, 0, 63, -63, 0},
    [DTYPE_Q5_K] = {32, 8, 0, 31, 0, 63, -63, 0},
    [DTYPE_Q6_K] = {16, 16, -32, 31, -128, 127, 0, 0},
    [DTYPE_IQ4_XS] = {32, 8, 0, 0, -32, 31, 0, 0},
};

static const float iq4_values[16] = {BLOCK_IQ4_VALUES};

const struct refine_type *refine_type_find(enum dtype dtype)
{
    return (uint32_t)dtype < DTYPE_ID_COUNT && types[dtype].group ? &types[dtype] : NULL;
}

/* ---- nibbles of 32 weights, weight j low and weight j + 16 high ---- */

static void nibbles_unpack(const uint8_t *qs, float base, float *level)
{
    for (int j = 0; j < 16; j++) {
        level[j] = (float)(qs[j] & 15) + base;
        level[j + 16] = (float)(qs[j] >> 4) + base;
    }
}

static void nibbles_pack(const uint8_t *codes, uint8_t *qs)
{
    for (int j = 0; j < 16; j++)
        qs[j] = (uint8_t)((codes[j] & 15) | (codes[j + 16] & 15) << 4);
}

static void codes_of(const float *level, uint32_t count, float base, uint8_t *codes)
{
    for (uint32_t i = 0; i < count; i++)
        codes[i] = (uint8_t)(level[i] - base);
}

static void iq4_unpack(const uint8_t *qs, float *level)
{
    for (int j = 0; j < 16; j++) {
        level[j] = iq4_values[qs[j] & 15];
        level[j + 16] = iq4_values[qs[j] >> 4];
    }
}

static void iq4_pack(const float *level, uint8_t *qs)
{
    uint8_t codes[BLOCK_WEIGHTS] = {0};
    for (int i = 0; i < BLOCK_WEIGHTS; i++)
        while (codes[i] < 15 && iq4_values[codes[i]] != level[i])
            codes[i]++;
    nibbles_pack(codes, qs);
}

/* ---- types of 32 weights; d comes first in all of them ---- */

static uint16_t half_at(const uint8_t *bytes)
{
    uint16_t bits;
    memcpy(&bits, bytes, sizeof bits);
    return bits;
}

static void half_put(float value, uint8_t *bytes)
{
    uint16_t bits = half_from_float(value);
    memcpy(bytes, &bits, sizeof bits);
}

static void unpack_32(enum dtype dtype, const uint8_t *bytes, struct refine_block *block)
{
    const struct refine_type *type = &types[dtype];
    bool has_m = type->offset_high != 0, has_high = type->level_high - type->level_low > 15;
    const uint8_t *at = bytes + (has_m ? 4 : 2);
    block->d = half_to_float(half_at(bytes));
    block->m = has_m ? half_to_float(half_at(bytes + 2)) : 0;
    block->scale[0] = 1;
    block->offset[0] = has_m ? 1 : 0;
    if (dtype == DTYPE_IQ4_NL) {
        iq4_unpack(at, block->level);
        return;
    }
    if (dtype == DTYPE_Q8_0) {
        for (int i = 0; i < BLOCK_WEIGHTS; i++)
            block->level[i] = (float)(int8_t)at[i];
        return;
    }
    uint32_t high = 0;
    if (has_high)
        memcpy(&high, at, sizeof high);
    nibbles_unpack(at + (has_high ? 4 : 0), type->level_low, block->level);
    for (int i = 0; i < BLOCK_WEIGHTS; i++)
        block->level[i] += high >> i & 1 ? 16.0f : 0.0f;
}

static void pack_32(enum dtype dtype, const struct refine_block *block, uint8_t *bytes)
{
    const struct refine_type *type = &types[dtype];
    bool has_m = type->offset_high != 0, has_high = type->level_high - type->level_low > 15;
    uint8_t *at = bytes + (has_m ? 4 : 2), codes[BLOCK_WEIGHTS];
    half_put(block->d, bytes);
    if (has_m)
        half_put(block->m, bytes + 2);
    if (dtype == DTYPE_IQ4_NL) {
        iq4_pack(block->level, at);
        return;
    }
    if (dtype == DTYPE_Q8_0) {
        for (int i = 0; i < BLOCK_WEIGHTS; i++)
            at[i] = (uint8_t)(int8_t)block->level[i];
        return;
    }
    codes_of(block->level, BLOCK_WEIGHTS, type->level_low, codes);
    uint32_t high = 0;
    for (int i = 0; i < BLOCK_WEIGHTS; i++)
        high |= (uint32_t)(codes[i] >> 4 & 1) << i;
    if (has_high)
        memcpy(at, &high, sizeof high);
    nibbles_pack(codes, at + (has_high ? 4 : 0));
}

/* ---- Q4_K, Q5_K ---- */

static void scales_unpack(const uint8_t scales[12], struct refine_block *block)
{
    for (int i = 0; i < 8; i++) {
        int scale = i < 4 ? scales[i] & 63 : (scales[i + 4] & 15) | (scales[i - 4] >> 6) << 4;
        int least = i < 4 ? scales[i + 4] & 63 : scales[i + 4] >> 4 | (scales[i] >> 6) << 4;
        block->scale[i] = (float)scale;
        block->offset[i] = -(float)least;
    }
}

static void scales_pack(const struct refine_block *block, uint8_t scales[12])
{
    memset(scales, 0, 12);
    for (int i = 0; i < 4; i++) {
        unsigned low = (unsigned)block->scale[i], high = (unsigned)block->scale[i + 4];
        unsigned low_m = (unsigned)-block->offset[i], high_m = (unsigned)-block->offset[i + 4];
        scales[i] = (uint8_t)(low | high >> 4 << 6);
        scales[i + 4] = (uint8_t)(low_m | high_m >> 4 << 6);
        scales[i + 8] = (uint8_t)((high & 15) | (high_m & 15) << 4);
    }
}

/* qh: NULL for Q4_K. */
static void halves_unpack(const uint8_t *qs, const uint8_t *qh, float *level)
{
    for (int i = 0; i < BLOCK_K_WEIGHTS; i++) {
        int code = qs[i / 64 * 32 + i % 32] >> 4 * (i / 32 % 2) & 15;
        level[i] = (float)(code | (qh ? (qh[i % 32] >> i / 32 & 1) << 4 : 0));
    }
}

static void halves_pack(const float *level, uint8_t *qs, uint8_t *qh)
{
    memset(qs, 0, BLOCK_K_WEIGHTS / 2);
    if (qh)
        memset(qh, 0, BLOCK_K_WEIGHTS / 8);
    for (int i = 0; i < BLOCK_K_WEIGHTS; i++) {
        unsigned code = (unsigned)level[i];
        qs[i / 64 * 32 + i % 32] |= (uint8_t)((code & 15) << 4 * (i / 32 % 2));
        if (qh)
            qh[i % 32] |= (uint8_t)((code >> 4 & 1) << i / 32);
    }
}

static void unpack_offset_k(enum dtype dtype, const uint8_t *bytes, struct refine_block *block)
{
    bool high = dtype == DTYPE_Q5_K;
    block->d = half_to_float(half_at(bytes));
    block->m = half_to_float(half_at(bytes + 2));
    scales_unpack(bytes + 4, block);
    halves_unpack(bytes + (high ? 48 : 16), high ? bytes + 16 : NULL, block->level);
}

static void pack_offset_k(enum dtype dtype, const struct refine_block *block, uint8_t *bytes)
{
    bool high = dtype == DTYPE_Q5_K;
    half_put(block->d, bytes);
    half_put(block->m, bytes + 2);
    scales_pack(block, bytes + 4);
    halves_pack(block->level, bytes + (high ? 48 : 16), high ? bytes + 16 : NULL);
}

/* ---- Q6_K ---- */

/* Weight i: its byte in ql and qh, and how far up its bits lie there. */
struct place_6 {
    int ql, ql_shift, qh, qh_shift;
};

static struct place_6 place_6(int i)
{
    int half = i / 128, quarter = i / 32 % 4, l = i % 32;
    return (struct place_6){64 * half + 32 * (quarter & 1) + l, quarter < 2 ? 0 : 4, 32 * half + l,
                            2 * quarter};
}

static void unpack_6(const uint8_t *bytes, struct refine_block *block)
{
    struct block_q6_k from;
    memcpy(&from, bytes, sizeof from);
    block->d = half_to_float(from.d);
    block->m = 0;
    for (int i = 0; i < 16; i++) {
        block->scale[i] = (float)from.scales[i];
        block->offset[i] = 0;
    }
    for (int i = 0; i < BLOCK_K_WEIGHTS; i++) {
        struct place_6 at = place_6(i);
        int code = (from.ql[at.ql] >> at.ql_shift & 15) | (from.qh[at.qh] >> at.qh_shift & 3) << 4;
        block->level[i] = (float)(code - 32);
    }
}

static void pack_6(const struct refine_block *block, uint8_t *bytes)
{
    struct block_q6_k to;
    memset(&to, 0, sizeof to);
    to.d = half_from_float(block->d);
    for (int i = 0; i < 16; i++)
        to.scales[i] = (int8_t)block->scale[i];
    for (int i = 0; i < BLOCK_K_WEIGHTS; i++) {
        struct place_6 at = place_6(i);
        unsigned code = (unsigned)((int)block->level[i] + 32);
        to.ql[at.ql] |= (uint8_t)((code & 15) << at.ql_shift);
        to.qh[at.qh] |= (uint8_t)((code >> 4) << at.qh_shift);
    }
    memcpy(bytes, &to, sizeof to);
}

/* ---- IQ4_XS ---- */

static void unpack_xs(const uint8_t *bytes, struct refine_block *block)
{
    struct block_iq4_xs from;
    memcpy(&from, bytes, sizeof from);
    block->d = half_to_float(from.d);
    block->m = 0;
    for (int i = 0; i < 8; i++) {
        int low = from.scales_l[i / 2] >> 4 * (i % 2) & 15;
        block->scale[i] = (float)((low | (from.scales_h >> 2 * i & 3) << 4) - 32);
        block->offset[i] = 0;
        iq4_unpack(from.qs + (size_t)16 * (size_t)i, block->level + (size_t)32 * (size_t)i);
    }
}

static void pack_xs(const struct refine_block *block, uint8_t *bytes)
{
    struct block_iq4_xs to;
    memset(&to, 0, sizeof to);
    to.d = half_from_float(block->d);
    for (int i = 0; i < 8; i++) {
        unsigned scale = (unsigned)((int)block->scale[i] + 32);
        to.scales_l[i / 2] |= (uint8_t)((scale & 15) << 4 * (i % 2));
        to.scales_h = (uint16_t)(to.scales_h | (scale >> 4) << 2 * i);
        iq4_pack(block->level + (size_t)32 * (size_t)i, to.qs + (size_t)16 * (size_t)i);
    }
    memcpy(bytes, &to, sizeof to);
}

void refine_unpack(enum dtype dtype, const void *bytes, struct refine_block *block)
{
    if (dtype == DTYPE_Q4_K || dtype == DTYPE_Q5_K)
        unpack_offset_k(dtype, bytes, block);
    else if (dtype == DTYPE_Q6_K)
        unpack_6(bytes, block);
    else if (dtype == DTYPE_IQ4_XS)
        unpack_xs(bytes, block);
    else
        unpack_32(dtype, bytes, block);
}

void refine_pack(enum dtype dtype, const struct refine_block *block, void *bytes)
{
    if (dtype == DTYPE_Q4_K || dtype == DTYPE_Q5_K)
        pack_offset_k(dtype, block, bytes);
    else if (dtype == DTYPE_Q6_K)
        pack_6(block, bytes);
    else if (dtype == DTYPE_IQ4_XS)
        pack_xs(block, bytes);
    else
        pack_32(dtype, block, bytes);
}
