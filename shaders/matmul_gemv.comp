#version 450
/* matmul_gemv.comp: y = W x for few tokens; W is read once for all of them.
 *
 * A subgroup owns ROWS rows and TOKENS tokens; its lanes take every n-th group of 32 columns and add
 * up at the end. With ACTIVATIONS_16 x = d (256 hi + lo): both planes meet the same weight words in
 * packed dots, 256 sum(w hi) + sum(w lo) is an exact int32, then
 *   sum_c w x = dw (dx int - OFFSET dx sum(x)) + m dx sum(x)
 * Dispatch: x * y = ceil(rows / (ROWS * SLOTS)), z = ceil(tokens / TOKENS). SLOTS: row sets of a
 * workgroup, normally its subgroups; any number of subgroups is right. Any rows, cols, tokens.
 * A fused end: matmul_finish.glsl. */
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "weights.glsl"
#include "matmul.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint ROWS = 2;
layout(constant_id = 2) const uint TOKENS = 1;
layout(constant_id = 4) const uint SLOTS = 1;
layout(constant_id = 7) const uint DEPTH = 1; /* groups of a row that a lane has on their way */

const uint TILE = ROWS * SLOTS;
#include "matmul_finish.glsl"

#ifdef ACTIVATIONS_PACKED
#include "packed_dot.glsl"
#ifdef ACTIVATIONS_16
#define X_WORDS 4
#else
#define X_WORDS 2
#endif

struct word_pairs {
    uvec4 lo, hi;
};

word_pairs unpack(weight_group group)
{
    word_pairs words;
    [[unroll]] for (uint i = 0; i < 4; i++) {
        uint lo, hi;
        weight_words(group, i, lo, hi);
        words.lo[i] = lo;
        words.hi[i] = hi;
    }
    return words;
}

int dot16(uvec4 w, ivec4 q, int sum)
{
    return dot4(w.x, q.x) + (dot4(w.y, q.y) + (dot4(w.z, q.z) + (dot4(w.w, q.w) + sum)));
}

float product(weight_group group, word_pairs words, uint token, uint column_group)
{
    const uint index = token * push.groups + column_group;
    const uint first = index * X_WORDS;
    const vec2 scale = x_scales[index];
#ifdef WEIGHT_Q6_K
    int lo = dot16(words.lo, x[first], 0), hi = dot16(words.hi, x[first + 1], 0);
#ifdef ACTIVATIONS_16
    lo += 256 * dot16(words.lo, x[first + 2], 0);
    hi += 256 * dot16(words.hi, x[first + 3], 0);
#endif
    return scale.x * weight_sum(group, float(lo), float(hi), 0);
#else
    int sum = dot16(words.hi, x[first + 1], dot16(words.lo, x[first], 0));
#ifdef ACTIVATIONS_16
    sum += 256 * dot16(words.hi, x[first + 3], dot16(words.lo, x[first + 2], 0));
#endif
    return weight_sum(group, scale.x * float(sum), 0, scale.y);
#endif
}

#else

struct word_pairs {
    vec4 lo[4], hi[4];
};

word_pairs unpack(weight_group group)
{
    word_pairs words;
    [[unroll]] for (uint i = 0; i < 4; i++)
        weight_floats(group, i, words.lo[i], words.hi[i]);
    return words;
}

float product(weight_group group, word_pairs words, uint token, uint column_group)
{
    float sum = 0;
    [[unroll]] for (uint i = 0; i < 4; i++) {
        sum += dot(words.lo[i], x_load(token, 32 * column_group + 4 * i));
        sum += dot(words.hi[i], x_load(token, 32 * column_group + 16 + 4 * i));
    }
    return sum;
}
#endif

void rows_product(uint slot, uint first_token, uint tokens, vec4 early)
{
    const uint first = slot * ROWS;
    float sums[ROWS * TOKENS];
    [[unroll]] for (uint i = 0; i < ROWS * TOKENS; i++)
        sums[i] = 0;
    uint own_tokens[TOKENS];
    [[unroll]] for (uint t = 0; t < TOKENS; t++)
        own_tokens[t] = min(first_token + t, tokens - 1);
    weight_row rows[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        rows[r] = weight_find(push.plane_row + min(tile_row(first + r), push.rows - 1), push.groups);
    for (uint first_group = gl_SubgroupInvocationID; first_group < push.groups;
         first_group += DEPTH * gl_SubgroupSize) {
        weight_group groups[DEPTH * ROWS];
        [[unroll]] for (uint k = 0; k < DEPTH; k++)
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                const uint g = first_group + k * gl_SubgroupSize;
                groups[k * ROWS + r] =
                    weight_load(rows[r], k == 0 ? g : min(g, push.groups - 1));
            }
        [[unroll]] for (uint k = 0; k < DEPTH; k++) {
            const uint g = first_group + k * gl_SubgroupSize;
            if (k == 0 || g < push.groups)
                [[unroll]] for (uint r = 0; r < ROWS; r++) {
                    const word_pairs words = unpack(groups[k * ROWS + r]);
                    [[unroll]] for (uint t = 0; t < TOKENS; t++)
                        sums[r * TOKENS + t] +=
                            product(groups[k * ROWS + r], words, own_tokens[t], g);
                }
        }
    }
    const float factor = input_factor(early);
    [[unroll]] for (uint i = 0; i < ROWS * TOKENS; i++) {
        const float sum = subgroupAdd(sums[i]) * factor;
        const uint place = first + i / TOKENS, token = first_token + i % TOKENS;
        const uint row = tile_row(place);
        if (subgroupElect() && row < push.rows && token < tokens)
            deliver(token, place, row, sum);
    }
}

void main()
{
    const uint tokens = token_count();
    const uint first_token = gl_WorkGroupID.z * TOKENS;
    if (first_token >= tokens || tile_is_empty())
        return;
    const vec4 early = early_squares();
    for (uint slot = gl_SubgroupID; slot < SLOTS; slot += gl_NumSubgroups)
        if (FUSED || tile_row(slot * ROWS) < push.rows)
            rows_product(slot, first_token, tokens, early);
    finish();
}
