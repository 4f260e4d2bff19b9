/* weights.glsl: the only dequantization in GLSL; reads exactly the planes of runtime/graph/planes.c.
 * One build macro chooses the type: WEIGHT_Q4_0, _Q4_1, _Q5_0, _Q5_1, _Q8_0, _Q4_K, _Q5_K, _Q6_K,
 * _IQ4_NL, _IQ4_XS, _F32, _F16, _BF16. Bindings 0, 1, 2 are planes 0, 1, 2; only 32-bit words are
 * read, so no 8-/16-bit storage and no float16 feature is needed.
 *
 * A group is 32 consecutive columns of a row. weight_load(weight_find(row, groups of a row), group)
 * fetches one; loops over groups find the row once, before. Then, for i = 0..3,
 *   weight_floats(group, i, lo, hi)  columns 4i..4i+3 and 16+4i..16+4i+3 as the C reference has
 *                                    them, bit for bit (quant/block_*.c states the roundings)
 *   weight_codes(group, i, lo, hi)   the codes behind them; w = d * (code - WEIGHT_OFFSET) + m
 *   weight_words(group, i, lo, hi)   the codes as four signed bytes a word (not F32, F16, BF16)
 * and weight_sum(group, sum(codes * x) of columns 0..15, of 16..31, sum(x)) = sum(w * x).
 * Codes of 5 and 6 bits are the top bits of their byte: 8 and 4 times what the file calls q - 16
 * and q - 32, with d an 8th and a 4th. */
#ifndef LICHEN_WEIGHTS_GLSL
#define LICHEN_WEIGHTS_GLSL

#include "block.h"

/* Rows that take turns in the planes, group by group. */
#ifndef WEIGHT_INTERLEAVE_ID
#define WEIGHT_INTERLEAVE_ID 6
#endif
layout(constant_id = WEIGHT_INTERLEAVE_ID) const uint WEIGHT_INTERLEAVE = 1;

#if defined(WEIGHT_Q4_K) || defined(WEIGHT_Q5_K) || defined(WEIGHT_Q6_K) || defined(WEIGHT_IQ4_XS)
#define WEIGHT_SUPER_BLOCKS
#endif
#ifdef WEIGHT_Q6_K
#define WEIGHT_SCALE_ITEMS 5 /* of plane 1, a super-block */
#else
#define WEIGHT_SCALE_ITEMS 1
#endif

struct weight_row {
    uint group;  /* index of its group 0 */
    uint scales; /* of its first super-block: index into plane 1 */
};

weight_row weight_find(uint row, uint groups)
{
    const uint before = row / WEIGHT_INTERLEAVE * WEIGHT_INTERLEAVE, turn = row % WEIGHT_INTERLEAVE;
    return weight_row(before * groups + turn, (before * (groups / 8) + turn) * WEIGHT_SCALE_ITEMS);
}

#if defined(WEIGHT_F32) || defined(WEIGHT_F16) || defined(WEIGHT_BF16)
#define WEIGHT_PLAIN
#endif
#if defined(WEIGHT_Q4_1) || defined(WEIGHT_Q5_1) || defined(WEIGHT_Q4_K) || defined(WEIGHT_Q5_K)
#define WEIGHT_HAS_MIN
#endif
#if defined(WEIGHT_Q5_0) || defined(WEIGHT_Q5_1) || defined(WEIGHT_Q5_K)
#define WEIGHT_5_BITS
#define WEIGHT_UNIT 0.125
#elif defined(WEIGHT_Q6_K)
#define WEIGHT_UNIT 0.25
#else
#define WEIGHT_UNIT 1.0
#endif
#if defined(WEIGHT_IQ4_NL) || defined(WEIGHT_IQ4_XS)
#define WEIGHT_TABLE
#endif
#if defined(WEIGHT_Q8_0) || defined(WEIGHT_Q6_K) || defined(WEIGHT_5_BITS) || defined(WEIGHT_TABLE)
#define WEIGHT_SIGNED_CODES
#endif

/* How far stored codes lie above what they mean. */
#if defined(WEIGHT_Q4_0)
#define WEIGHT_OFFSET 8
#elif defined(WEIGHT_Q5_1) || defined(WEIGHT_Q5_K)
#define WEIGHT_OFFSET -128
#else
#define WEIGHT_OFFSET 0
#endif

#if WEIGHT_OFFSET != 0 || defined(WEIGHT_HAS_MIN)
#define WEIGHT_NEEDS_SUM
#endif

layout(std430, binding = 0) readonly restrict buffer Plane0
{
    uvec4 plane0[];
};

#ifdef WEIGHT_PLAIN

struct weight_group {
    uint first; /* index of the group's first uvec4 in plane 0 */
};

#ifdef WEIGHT_F32
#define WEIGHT_GROUP_WORDS 8
#else
#define WEIGHT_GROUP_WORDS 4
#endif

weight_group weight_load(weight_row row, uint number)
{
    return weight_group((row.group + number * WEIGHT_INTERLEAVE) * WEIGHT_GROUP_WORDS);
}

/* Columns column..column+3 of the group, column a multiple of 4. */
vec4 weight_plain(weight_group group, uint column)
{
#ifdef WEIGHT_F32
    return uintBitsToFloat(plane0[group.first + column / 4]);
#else
    const uvec4 words = plane0[group.first + column / 8];
    const uvec2 pair = (column & 4u) == 0 ? words.xy : words.zw;
#ifdef WEIGHT_F16
    return vec4(unpackHalf2x16(pair.x), unpackHalf2x16(pair.y));
#else
    return uintBitsToFloat(
        uvec4(pair.x << 16, pair.x & 0xFFFF0000u, pair.y << 16, pair.y & 0xFFFF0000u));
#endif
#endif
}

void weight_codes(weight_group group, uint i, out vec4 lo, out vec4 hi)
{
    lo = weight_plain(group, 4 * i);
    hi = weight_plain(group, 16 + 4 * i);
}

void weight_floats(weight_group group, uint i, out vec4 lo, out vec4 hi)
{
    weight_codes(group, i, lo, hi);
}

float weight_sum(weight_group group, float lo, float hi, float sum_x)
{
    return lo + hi;
}

#else /* blocks */

struct weight_group {
    uvec4 codes;
    uvec4 high; /* Q8_0: columns 16..31; 5 bits: .x, Q6_K: .xy behind codes */
    vec2 d;     /* factors of columns 0..15 and 16..31 */
    float m;    /* added */
};

/* ---- scales, plane 1: the group's item (super-block: the first), its place 0..7 there ---- */

#if defined(WEIGHT_Q4_K) || defined(WEIGHT_Q5_K)

layout(std430, binding = 1) readonly restrict buffer Plane1
{
    uvec4 plane1[]; /* d | dmin << 16, low bits of scales, of minima, high bits of both */
};

void weight_scales(uint first, uint i, inout weight_group group)
{
    const uvec4 packed = plane1[first];
    const vec2 d = unpackHalf2x16(packed.x);
    const uint high = packed.w >> 4 * i;
    const uint scale = bitfieldExtract(packed.y, int(4 * i), 4) | (high & 3) << 4;
    const uint low = bitfieldExtract(packed.z, int(4 * i), 4) | (high & 12) << 2;
    group.d = vec2(d.x * float(scale) * WEIGHT_UNIT);
    group.m = -(d.y * float(low));
}

#elif defined(WEIGHT_Q6_K)

layout(std430, binding = 1) readonly restrict buffer Plane1
{
    uint plane1[]; /* 5 words: scales[16], d */
};

void weight_scales(uint first, uint i, inout weight_group group)
{
    const int pair = int(plane1[first + i / 2] >> 16 * (i % 2));
    const float d = unpackHalf2x16(plane1[first + 4]).x;
    group.d = d * WEIGHT_UNIT * vec2(bitfieldExtract(pair, 0, 8), bitfieldExtract(pair, 8, 8));
    group.m = 0;
}

#elif defined(WEIGHT_IQ4_XS)

layout(std430, binding = 1) readonly restrict buffer Plane1
{
    uvec2 plane1[]; /* d | scales_h << 16, scales_l[4] */
};

void weight_scales(uint first, uint i, inout weight_group group)
{
    const uvec2 packed = plane1[first];
    const uint scale = (packed.y >> 4 * i & 15) | (packed.x >> 16 + 2 * i & 3) << 4;
    group.d = vec2(unpackHalf2x16(packed.x).x * float(int(scale) - 32));
    group.m = 0;
}

#else

layout(std430, binding = 1) readonly restrict buffer Plane1
{
    uint plane1[]; /* d | m << 16, or two d */
};

void weight_scales(uint first, uint i, inout weight_group group)
{
#ifdef WEIGHT_HAS_MIN
    const vec2 scale = unpackHalf2x16(plane1[first]);
    group.d = scale.xx * WEIGHT_UNIT;
    group.m = scale.y;
#else
    group.d = vec2(unpackHalf2x16(plane1[first >> 1] >> (first << 4 & 31)).x * WEIGHT_UNIT);
    group.m = 0;
#endif
}

#endif

/* ---- the rest of the codes, plane 2 ---- */

#if defined(WEIGHT_Q8_0)
layout(std430, binding = 2) readonly restrict buffer Plane2
{
    uvec4 plane2[];
};
#define WEIGHT_HIGH(index) plane2[index]
#elif defined(WEIGHT_Q6_K)
layout(std430, binding = 2) readonly restrict buffer Plane2
{
    uvec2 plane2[];
};
#define WEIGHT_HIGH(index) uvec4(plane2[index], 0, 0)
#elif defined(WEIGHT_5_BITS)
layout(std430, binding = 2) readonly restrict buffer Plane2
{
    uint plane2[];
};
#define WEIGHT_HIGH(index) uvec4(plane2[index], 0, 0, 0)
#else
#define WEIGHT_HIGH(index) uvec4(0)
#endif

weight_group weight_load(weight_row row, uint number)
{
    const uint index = row.group + number * WEIGHT_INTERLEAVE;
    weight_group result;
    result.codes = plane0[index];
    result.high = WEIGHT_HIGH(index);
#ifdef WEIGHT_SUPER_BLOCKS
    weight_scales(row.scales + number / 8 * (WEIGHT_SCALE_ITEMS * WEIGHT_INTERLEAVE), number % 8,
                  result);
#else
    weight_scales(index, 0, result);
#endif
    return result;
}

/* ---- codes ---- */

#ifdef WEIGHT_TABLE
const int weight_values[16] = int[](BLOCK_IQ4_VALUES);

/* Four nibbles, one a byte, to what they stand for. */
uint weight_lookup(uint nibbles)
{
    return uint(weight_values[nibbles & 15] & 255) |
           uint(weight_values[nibbles >> 8 & 15] & 255) << 8 |
           uint(weight_values[nibbles >> 16 & 15] & 255) << 16 |
           uint(weight_values[nibbles >> 24] & 255) << 24;
}
#endif

#if defined(WEIGHT_5_BITS)
/* Columns 4 k .. 4 k + 3. Words 5, 6, 7 are put together from what words 0..4 have in low bits. */
uint weight_word(weight_group group, uint k)
{
    const uvec4 codes = group.codes;
    if (k < 5)
        return (k < 4 ? codes[k] : group.high.x) & 0xF8F8F8F8u;
    if (k < 7) {
        const uvec2 parts = k == 5 ? codes.xy : codes.zw;
        return (parts.x << 5 & 0xE0E0E0E0u) | (parts.y << 3 & 0x18181818u);
    }
    return (group.high.x << 5 & 0xE0E0E0E0u) | (codes.y << 2 & 0x10101010u) |
           (codes.w << 1 & 0x08080808u);
}
#elif defined(WEIGHT_Q6_K)
/* Columns 4 k .. 4 k + 3. Words 6, 7 are put together from what words 0..5 have in low bits. */
uint weight_word(weight_group group, uint k)
{
    if (k < 6)
        return (k < 4 ? group.codes[k] : group.high[k - 4]) & 0xFCFCFCFCu;
    const uvec3 parts = k == 6 ? group.codes.xyz : uvec3(group.codes.w, group.high.xy);
    return (parts.x << 6 & 0xC0C0C0C0u) | (parts.y << 4 & 0x30303030u) |
           (parts.z << 2 & 0x0C0C0C0Cu);
}
#endif

void weight_words(weight_group group, uint i, out uint lo, out uint hi)
{
#if defined(WEIGHT_Q8_0)
    lo = group.codes[i];
    hi = group.high[i];
#elif defined(WEIGHT_5_BITS) || defined(WEIGHT_Q6_K)
    lo = weight_word(group, i);
    hi = weight_word(group, i + 4);
#else
    lo = group.codes[i] & 0x0F0F0F0Fu;
    hi = group.codes[i] >> 4 & 0x0F0F0F0Fu;
#ifdef WEIGHT_TABLE
    lo = weight_lookup(lo);
    hi = weight_lookup(hi);
#endif
#endif
}

vec4 weight_bytes(uint word)
{
#ifdef WEIGHT_SIGNED_CODES
    const int w = int(word);
    return vec4(w << 24 >> 24, w << 16 >> 24, w << 8 >> 24, w >> 24);
#else
    return vec4(word & 255, word >> 8 & 255, word >> 16 & 255, word >> 24);
#endif
}

void weight_codes(weight_group group, uint i, out vec4 lo, out vec4 hi)
{
    uint lo_word, hi_word;
    weight_words(group, i, lo_word, hi_word);
    lo = weight_bytes(lo_word);
    hi = weight_bytes(hi_word);
}

vec4 weight_scaled(vec4 codes, float d, float m)
{
    precise vec4 product = d * (codes - float(WEIGHT_OFFSET));
#ifdef WEIGHT_HAS_MIN
    precise vec4 sum = product + m;
    return sum;
#else
    return product;
#endif
}

void weight_floats(weight_group group, uint i, out vec4 lo, out vec4 hi)
{
    weight_codes(group, i, lo, hi);
    lo = weight_scaled(lo, group.d.x, group.m);
    hi = weight_scaled(hi, group.d.y, group.m);
}

float weight_sum(weight_group group, float lo, float hi, float sum_x)
{
#ifdef WEIGHT_Q6_K
    return group.d.x * lo + group.d.y * hi;
#else
    float sum = lo + hi;
#if WEIGHT_OFFSET != 0
    sum -= float(WEIGHT_OFFSET) * sum_x;
#endif
#ifdef WEIGHT_HAS_MIN
    return group.d.x * sum + group.m * sum_x;
#else
    return group.d.x * sum;
#endif
#endif
}

#endif

#endif
