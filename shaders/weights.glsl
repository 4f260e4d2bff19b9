/* weights.glsl: the only dequantization in GLSL; reads exactly the planes of runtime/graph/planes.c.
 * One build macro chooses the type: WEIGHT_Q4_0, _Q4_1, _Q5_0, _Q5_1, _Q8_0, _Q4_K, _Q5_K, _Q6_K,
 * _IQ4_NL, _IQ4_XS, _F32, _F16, _BF16. Bindings 0, 1, 2 are planes 0, 1, 2; only 32-bit words are
 * read, so no 8-/16-bit storage and no float16 feature is needed.
 *
 * A group is 32 consecutive columns of a row. weight_load(weight_index(row, group, groups of a row))
 * fetches one; the row's next is WEIGHT_INTERLEAVE further. Then, for i = 0..3,
 *   weight_floats(group, i, lo, hi)  columns 4i..4i+3 and 16+4i..16+4i+3 as the C reference has them,
 *                                    bit for bit (quant/block_*.c states the order of roundings)
 *   weight_codes(group, i, lo, hi)   the codes behind them; w = d * (code - WEIGHT_OFFSET) + m
 *   weight_words(group, i, lo, hi)   the codes as four signed bytes a word (not F32, F16, BF16)
 * and weight_sum(group, sum(codes * x) of columns 0..15, of 16..31, sum(x)) = sum(w * x). */
#ifndef LICHEN_WEIGHTS_GLSL
#define LICHEN_WEIGHTS_GLSL

#include "block.h"

/* Rows that take turns in the planes, group by group. */
#ifndef WEIGHT_INTERLEAVE_ID
#define WEIGHT_INTERLEAVE_ID 6
#endif
layout(constant_id = WEIGHT_INTERLEAVE_ID) const uint WEIGHT_INTERLEAVE = 1;

uint weight_index(uint row, uint group, uint groups)
{
    return (row / WEIGHT_INTERLEAVE * groups + group) * WEIGHT_INTERLEAVE + row % WEIGHT_INTERLEAVE;
}

#if defined(WEIGHT_F32) || defined(WEIGHT_F16) || defined(WEIGHT_BF16)
#define WEIGHT_PLAIN
#endif
#if defined(WEIGHT_Q4_1) || defined(WEIGHT_Q5_1) || defined(WEIGHT_Q4_K) || defined(WEIGHT_Q5_K)
#define WEIGHT_HAS_MIN
#endif
#if defined(WEIGHT_Q5_0) || defined(WEIGHT_Q5_1) || defined(WEIGHT_Q5_K)
#define WEIGHT_FIFTH_BITS
#endif
#if defined(WEIGHT_IQ4_NL) || defined(WEIGHT_IQ4_XS)
#define WEIGHT_TABLE
#endif
#if defined(WEIGHT_Q8_0) || defined(WEIGHT_Q6_K) || defined(WEIGHT_TABLE)
#define WEIGHT_SIGNED_CODES
#endif

/* How far stored codes lie above what they mean. */
#if defined(WEIGHT_Q4_0)
#define WEIGHT_OFFSET 8
#elif defined(WEIGHT_Q5_0)
#define WEIGHT_OFFSET 16
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

weight_group weight_load(uint index)
{
    return weight_group(index * WEIGHT_GROUP_WORDS);
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
    uvec4 high; /* Q8_0: columns 16..31; fifth bits in .x; Q6_K: .xy */
    vec2 d;     /* factors of columns 0..15 and 16..31 */
    float m;    /* added */
};

/* ---- scales, plane 1 ---- */

#if defined(WEIGHT_Q4_K) || defined(WEIGHT_Q5_K) || defined(WEIGHT_Q6_K) || defined(WEIGHT_IQ4_XS)
/* A group's super-block, and its place 0..7 there. */
uint weight_super(uint index, out uint place)
{
    const uint group = index / WEIGHT_INTERLEAVE;
    place = group % 8;
    return group / 8 * WEIGHT_INTERLEAVE + index % WEIGHT_INTERLEAVE;
}
#endif

#if defined(WEIGHT_Q4_K) || defined(WEIGHT_Q5_K)

layout(std430, binding = 1) readonly restrict buffer Plane1
{
    uvec4 plane1[]; /* d | dmin << 16, scales[12] */
};

void weight_scales(uint index, inout weight_group group)
{
    uint i;
    const uvec4 packed = plane1[weight_super(index, i)];
    const uint shift = 8 * (i % 4);
    const vec2 d = unpackHalf2x16(packed.x);
    uint scale = packed.y >> shift & 63;
    uint low = packed.z >> shift & 63;
    if (i >= 4) {
        scale = (packed.w >> shift & 15) | (packed.y >> shift + 6 & 3) << 4;
        low = (packed.w >> shift + 4 & 15) | (packed.z >> shift + 6 & 3) << 4;
    }
    group.d = vec2(d.x * float(scale));
    group.m = -(d.y * float(low));
}

#elif defined(WEIGHT_Q6_K)

layout(std430, binding = 1) readonly restrict buffer Plane1
{
    uint plane1[]; /* 5 words: scales[16], d */
};

void weight_scales(uint index, inout weight_group group)
{
    uint i;
    const uint first = weight_super(index, i) * 5;
    const int pair = int(plane1[first + i / 2] >> 16 * (i % 2));
    const float d = unpackHalf2x16(plane1[first + 4]).x;
    group.d = d * vec2(bitfieldExtract(pair, 0, 8), bitfieldExtract(pair, 8, 8));
    group.m = 0;
}

#elif defined(WEIGHT_IQ4_XS)

layout(std430, binding = 1) readonly restrict buffer Plane1
{
    uvec2 plane1[]; /* d | scales_h << 16, scales_l[4] */
};

void weight_scales(uint index, inout weight_group group)
{
    uint i;
    const uvec2 packed = plane1[weight_super(index, i)];
    const uint scale = (packed.y >> 4 * i & 15) | (packed.x >> 16 + 2 * i & 3) << 4;
    group.d = vec2(unpackHalf2x16(packed.x).x * float(int(scale) - 32));
    group.m = 0;
}

#else

layout(std430, binding = 1) readonly restrict buffer Plane1
{
    uint plane1[]; /* d | m << 16, or two d */
};

void weight_scales(uint index, inout weight_group group)
{
#ifdef WEIGHT_HAS_MIN
    const vec2 scale = unpackHalf2x16(plane1[index]);
    group.d = scale.xx;
    group.m = scale.y;
#else
    group.d = vec2(unpackHalf2x16(plane1[index >> 1] >> (index << 4 & 31)).x);
    group.m = 0;
#endif
}

#endif

/* ---- high bits, plane 2 ---- */

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
#elif defined(WEIGHT_FIFTH_BITS)
layout(std430, binding = 2) readonly restrict buffer Plane2
{
    uint plane2[];
};
#define WEIGHT_HIGH(index) uvec4(plane2[index], 0, 0, 0)
#else
#define WEIGHT_HIGH(index) uvec4(0)
#endif

weight_group weight_load(uint index)
{
    weight_group result;
    result.codes = plane0[index];
    result.high = WEIGHT_HIGH(index);
    weight_scales(index, result);
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

void weight_words(weight_group group, uint i, out uint lo, out uint hi)
{
#ifdef WEIGHT_Q8_0
    lo = group.codes[i];
    hi = group.high[i];
#else
    lo = group.codes[i] & 0x0F0F0F0Fu;
    hi = group.codes[i] >> 4 & 0x0F0F0F0Fu;
#if defined(WEIGHT_FIFTH_BITS)
    lo |= (group.high.x >> i & 0x01010101u) << 4;
    hi |= (group.high.x >> 4 + i & 0x01010101u) << 4;
#elif defined(WEIGHT_Q6_K)
    lo |= (group.high.x >> 2 * i & 0x03030303u) << 4;
    hi |= (group.high.y >> 2 * i & 0x03030303u) << 4;
    lo = (lo | 0x80808080u) - 0x20202020u ^ 0x80808080u; /* each byte - 32, no borrow between */
    hi = (hi | 0x80808080u) - 0x20202020u ^ 0x80808080u;
#elif defined(WEIGHT_TABLE)
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
#elif defined(WEIGHT_HAS_MIN)
    return group.d.x * (lo + hi) + group.m * sum_x;
#elif WEIGHT_OFFSET != 0
    return group.d.x * (lo + hi - float(WEIGHT_OFFSET) * sum_x);
#else
    return group.d.x * (lo + hi);
#endif
}

#endif

#endif
