#version 450
#extension GL_GOOGLE_include_directive : require
/* What happens to q, k and v [tokens, heads * HEAD_DIM] between projection and attention, one head
 * of one token a workgroup:
 *
 *   q head: RMS norm over the head (optional), rotation of the first `dims`, to q_target
 *   k head: the same, into the key cache        v head: into the value cache, unchanged
 *
 * Rotation of the pair (a, b) with the table's (cos, sin): (a cos - b sin, a sin + b cos); the pair
 * is (i, i + dims/2), or (2i, 2i + 1) with `adjacent`. With `two_streams` the first `dims` turn by
 * s = min(position, max(run.prefix, 1) - 1), the next `dims` by position - s. Caches as in cache.glsl.
 * Serves the unfused steps too: k_heads = v_heads = 0 is ROPE, q_heads = 0 and dims = 0 KV_STORE.
 * Dispatch: x = q_heads + k_heads + v_heads, y = token. Any HEAD_DIM. */
#include "common.glsl"
#include "reduce.glsl"

layout(constant_id = 1) const uint HEAD_DIM = 64;
#include "cache.glsl"

layout(binding = 1, std430) readonly buffer Query
{
    float q[];
};
layout(binding = 2, std430) readonly buffer Key
{
    float k[];
};
layout(binding = 3, std430) readonly buffer Value
{
    float v[];
};
layout(binding = 4, std430) readonly buffer Table
{
    vec2 table[]; /* [position][dims / 2] */
};
layout(binding = 5, std430) readonly buffer QueryNorm
{
    float q_norm[];
};
layout(binding = 6, std430) readonly buffer KeyNorm
{
    float k_norm[];
};
layout(binding = 7, std430) writeonly buffer KeyCache
{
    uint k_cache[];
};
layout(binding = 8, std430) writeonly buffer ValueCache
{
    uint v_cache[];
};
layout(binding = 9, std430) writeonly buffer QueryTarget
{
    float q_target[]; /* may be q */
};
layout(push_constant) uniform Push
{
    uint q_heads;
    uint k_heads;
    uint v_heads;
    uint dims;
    uint adjacent;
    uint context;
    uint norms; /* bit 0: q, bit 1: k */
    float q_eps;
    float k_eps;
    uint q_first; /* floats in front of q, k and v; a joined product of one token has all three */
    uint k_first;
    uint v_first;
    uint two_streams;
};

shared float head[HEAD_DIM];

/* Element i of the head after rotation at `position`. */
float rotated(uint i, uint position)
{
    const uint stopped = two_streams != 0 ? min(position, max(run.prefix, 1) - 1) : position;
    const bool behind = two_streams != 0 && i >= dims;
    const uint d = behind ? i - dims : i, turns = behind ? position - stopped : stopped;
    if (d >= dims)
        return head[i];
    const uint pair = adjacent != 0 ? d / 2 : d % (dims / 2);
    const bool second = adjacent != 0 ? (d & 1) != 0 : d >= dims / 2;
    const uint step_size = adjacent != 0 ? 1 : dims / 2;
    const vec2 turn = table[turns * (dims / 2) + pair];
    const uint other = second ? i - step_size : i + step_size;
    return second ? head[other] * turn.y + head[i] * turn.x
                  : head[i] * turn.x - head[other] * turn.y;
}

void normalise(bool is_query)
{
    float total = 0.0;
    for (uint i = gl_LocalInvocationID.x; i < HEAD_DIM; i += WG)
        total += head[i] * head[i];
    const float eps = is_query ? q_eps : k_eps;
    const float factor = 1.0 / sqrt(reduce_sum(total) / float(HEAD_DIM) + eps);
    for (uint i = gl_LocalInvocationID.x; i < HEAD_DIM; i += WG)
        head[i] *= factor * (is_query ? q_norm[i] : k_norm[i]);
}

void load_query(uint first)
{
    for (uint i = gl_LocalInvocationID.x; i < HEAD_DIM; i += WG)
        head[i] = q[first + i];
    if ((norms & 1) != 0)
        normalise(true);
    barrier();
}

void load_key(uint first)
{
    for (uint i = gl_LocalInvocationID.x; i < HEAD_DIM; i += WG)
        head[i] = k[first + i];
    if ((norms & 2) != 0)
        normalise(false);
    barrier();
}

#ifdef KV_Q8_0
shared float numbers[HEAD_DIM];          /* what is stored */
shared uint half_scale[2 * SCALE_WORDS]; /* bits of an f16 */

/* d of a block. What is not finite makes it NaN: a failure must show. */
uint scale_bits(uint block)
{
    float largest = 0.0;
    bool finite = true;
    for (uint i = block * 32; i < min(block * 32 + 32, HEAD_DIM); i++) {
        finite = finite && (floatBitsToUint(numbers[i]) & 0x7F800000u) != 0x7F800000u;
        largest = max(largest, abs(numbers[i]));
    }
    return finite ? packHalf2x16(vec2(largest / 127.0, 0.0)) : 0x7E00u;
}

/* All invocations call, `numbers` being filled. */
void measure_blocks()
{
    barrier();
    for (uint b = gl_LocalInvocationID.x; b < 2 * SCALE_WORDS; b += WG)
        half_scale[b] = scale_bits(b);
    barrier();
}

/* Ties go away from zero. */
uint quant_byte(uint i)
{
    if (i >= HEAD_DIM)
        return 0;
    const float d = unpackHalf2x16(half_scale[i / 32]).x;
    if (!(d > 0.0 && d <= 65504.0))
        return 0;
    const float q = min(floor(abs(numbers[i]) / d + 0.5), 127.0);
    return uint(int(numbers[i] < 0.0 ? -q : q)) & 0xFFu;
}

uint quant_word(uint w)
{
    return quant_byte(4 * w) | quant_byte(4 * w + 1) << 8 | quant_byte(4 * w + 2) << 16 |
           quant_byte(4 * w + 3) << 24;
}

uint scale_word(uint w)
{
    return half_scale[2 * w] | half_scale[2 * w + 1] << 16;
}

void store_key(uint row, uint position)
{
    const uint scales = k_heads * context * ROW_WORDS + row * SCALE_WORDS;
    for (uint i = gl_LocalInvocationID.x; i < HEAD_DIM; i += WG)
        numbers[i] = rotated(i, position);
    measure_blocks();
    for (uint w = gl_LocalInvocationID.x; w < ROW_WORDS; w += WG)
        k_cache[row * ROW_WORDS + w] = quant_word(w);
    for (uint w = gl_LocalInvocationID.x; w < SCALE_WORDS; w += WG)
        k_cache[scales + w] = scale_word(w);
}

void store_value(uint row, uint source)
{
    const uint scales = v_heads * context * ROW_WORDS + row * SCALE_WORDS;
    for (uint i = gl_LocalInvocationID.x; i < HEAD_DIM; i += WG)
        numbers[i] = v[source + i];
    measure_blocks();
    for (uint w = gl_LocalInvocationID.x; w < ROW_WORDS; w += WG)
        v_cache[row * ROW_WORDS + w] = quant_word(w);
    for (uint w = gl_LocalInvocationID.x; w < SCALE_WORDS; w += WG)
        v_cache[scales + w] = scale_word(w);
}
#else
void store_key(uint row, uint position)
{
    for (uint w = gl_LocalInvocationID.x; w < ROW_WORDS; w += WG) {
#ifdef KV_F32
        k_cache[row * ROW_WORDS + w] = floatBitsToUint(rotated(w, position));
#else
        const float next = 2 * w + 1 < HEAD_DIM ? rotated(2 * w + 1, position) : 0.0;
        k_cache[row * ROW_WORDS + w] = packHalf2x16(vec2(rotated(2 * w, position), next));
#endif
    }
}

void store_value(uint row, uint source)
{
    for (uint w = gl_LocalInvocationID.x; w < ROW_WORDS; w += WG) {
#ifdef KV_F32
        v_cache[row * ROW_WORDS + w] = floatBitsToUint(v[source + w]);
#else
        const float next = 2 * w + 1 < HEAD_DIM ? v[source + 2 * w + 1] : 0.0;
        v_cache[row * ROW_WORDS + w] = packHalf2x16(vec2(v[source + 2 * w], next));
#endif
    }
}
#endif

void main()
{
    const uint token = gl_WorkGroupID.y;
    if (token >= run.count)
        return;
    const uint position = run.position + token;
    uint index = gl_WorkGroupID.x;
    if (index < q_heads) {
        const uint first = (token * q_heads + index) * HEAD_DIM;
        load_query(q_first + first);
        for (uint i = gl_LocalInvocationID.x; i < HEAD_DIM; i += WG)
            q_target[first + i] = rotated(i, position);
        return;
    }
    index -= q_heads;
    if (index < k_heads) {
        load_key(k_first + (token * k_heads + index) * HEAD_DIM);
        store_key(index * context + position, position);
        return;
    }
    index -= k_heads;
    store_value(index * context + position,
                v_first + (token * v_heads + index) * HEAD_DIM);
}
