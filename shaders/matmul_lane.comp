#version 450
/* matmul_lane.comp: y = W x in float32 for devices that run a lane at a time (lavapipe): a lane owns
 * whole rows, so there is no reduction and no barrier, and x is fetched once a subgroup (a load costs
 * there by the lane, a broadcast nearly nothing).
 *
 * With ACTIVATIONS_16 or _8 the numbers of matmul_gemv.comp without its packed dots, which cost more
 * than float32 there: x is the integer 256 hi + lo, and a float holds the sum of its products with
 * codes exactly: 32 products with codes of 4 or 5 bits (16 * 32639 * 32 < 2^24), 16 with codes of 6
 * (32 * 32639 * 16 < 2^24), 4 with codes of 8 bits (128 * 32639 * 4 < 2^24), which are then added as
 * int32. (Codes of 5 and 6 bits stand in the high bits of a byte: a power of two more.) Per group the
 * same bits as matmul_gemv.
 *
 * A subgroup of LANES lanes owns LANES * ROWS rows at a time (lane l: rows l, l + LANES, ...), SLOTS
 * times, and TOKENS tokens. Local size = LANES = subgroup size. A fused end: matmul_finish.glsl.
 * Dispatch: x * y = ceil(rows / (LANES * ROWS * SLOTS)), z = ceil(tokens / TOKENS). Any rows, cols, tokens. Sums run in column order whatever the tiling. */
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#include "weights.glsl"
#include "matmul.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LANES = 8;
layout(constant_id = 1) const uint ROWS = 4;
layout(constant_id = 2) const uint TOKENS = 1;
layout(constant_id = 4) const uint SLOTS = 1;

const uint TILE = LANES * ROWS * SLOTS;
#include "matmul_finish.glsl"

/* A token's group of 32 columns holds 8 vec4; a lane keeps LOADS of them. */
const uint LOADS = LANES < 8 ? 8 / LANES : 1;

float sums[ROWS * TOKENS];
vec4 own[TOKENS * LOADS]; /* this lane's part of x */
float sum_x[TOKENS];

#ifdef ACTIVATIONS_PACKED
float scale_x[TOKENS];

/* Columns 4k..4k+3 of group g as integers. */
vec4 x_integers(uint token, uint g, uint k)
{
    const uint index = token * push.groups + g;
    const ivec4 shift = ivec4(24, 16, 8, 0);
#ifdef ACTIVATIONS_16
    const int lo = x_words[index * 16 + k], hi = x_words[index * 16 + 8 + k];
    return vec4((ivec4(hi) << shift >> 24) * 256 + (ivec4(lo) << shift >> 24));
#else
    return vec4(ivec4(x_words[index * 8 + k]) << shift >> 24);
#endif
}

void fetch(uint lane, uint first_token, uint tokens, uint g)
{
    [[unroll]] for (uint t = 0; t < TOKENS; t++) {
        const uint token = min(first_token + t, tokens - 1);
        const vec2 scale = x_scales[token * push.groups + g];
        [[unroll]] for (uint i = 0; i < LOADS; i++)
            own[t * LOADS + i] = x_integers(token, g, (lane & 7) + LANES * i);
        scale_x[t] = scale.x;
        sum_x[t] = scale.y;
    }
}
#else
void fetch(uint lane, uint first_token, uint tokens, uint g)
{
    [[unroll]] for (uint t = 0; t < TOKENS; t++) {
        const uint token = min(first_token + t, tokens - 1);
        vec4 sum = vec4(0);
        [[unroll]] for (uint i = 0; i < LOADS; i++) {
            own[t * LOADS + i] = x_load(token, 32 * g + 4 * ((lane & 7) + LANES * i));
            sum += own[t * LOADS + i];
        }
#ifdef WEIGHT_NEEDS_SUM
        const float part = sum.x + sum.y + sum.z + sum.w;
        sum_x[t] = 0;
        [[unroll]] for (uint i = 0; i < min(LANES, 8); i++)
            sum_x[t] += subgroupBroadcast(part, i);
#endif
    }
}
#endif

/* Columns 4i..4i+3 of the group, the same in every lane. */
vec4 x_part(uint token, uint i)
{
    return subgroupBroadcast(own[token * LOADS + i / LANES], i % LANES);
}

#if defined(ACTIVATIONS_16) && (defined(WEIGHT_Q8_0) || defined(WEIGHT_TABLE))
#define SUM int /* of 4 columns a float */
#else
#define SUM float
#endif

/* Sums of codes times x over columns 0..15 and 16..31, into the row's sum. */
void add_group(uint r, uint t, weight_group group, SUM lo, SUM hi)
{
#ifndef ACTIVATIONS_PACKED
    sums[r * TOKENS + t] += weight_sum(group, lo, hi, sum_x[t]);
#elif defined(WEIGHT_Q6_K)
    sums[r * TOKENS + t] += scale_x[t] * weight_sum(group, float(lo), float(hi), 0);
#else
    sums[r * TOKENS + t] += weight_sum(group, scale_x[t] * float(lo + hi), 0, sum_x[t]);
#endif
}

void multiply(uint r, weight_group group)
{
    SUM sum_lo[TOKENS], sum_hi[TOKENS];
    [[unroll]] for (uint i = 0; i < 4; i++) {
        vec4 lo, hi;
        weight_codes(group, i, lo, hi);
        [[unroll]] for (uint t = 0; t < TOKENS; t++) {
            const vec4 a = x_part(t, i), b = x_part(t, i + 4);
            const float sum_a = lo.x * a.x + lo.y * a.y + lo.z * a.z + lo.w * a.w;
            const float sum_b = hi.x * b.x + hi.y * b.y + hi.z * b.z + hi.w * b.w;
            sum_lo[t] = i == 0 ? SUM(sum_a) : sum_lo[t] + SUM(sum_a);
            sum_hi[t] = i == 0 ? SUM(sum_b) : sum_hi[t] + SUM(sum_b);
        }
    }
    [[unroll]] for (uint t = 0; t < TOKENS; t++)
        add_group(r, t, group, sum_lo[t], sum_hi[t]);
}

void rows_product(uint slot, uint lane, uint first_token, uint tokens)
{
    const uint first = slot * LANES * ROWS + lane;
    weight_row rows[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        rows[r] = weight_find(
            push.plane_row + min(tile_row(first + r * LANES), push.rows - 1), push.groups);
    [[unroll]] for (uint i = 0; i < ROWS * TOKENS; i++)
        sums[i] = 0;
    for (uint g = 0; g < push.groups; g++) {
        fetch(lane, first_token, tokens, g);
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            multiply(r, weight_load(rows[r], g));
    }
    const float factor = input_factor(early_squares());
    [[unroll]] for (uint i = 0; i < ROWS * TOKENS; i++) {
        const uint place = first + i / TOKENS * LANES, token = first_token + i % TOKENS;
        const uint row = tile_row(place);
        if (row < push.rows && token < tokens)
            deliver(token, place, row, sums[i] * factor);
    }
}

void main()
{
    const uint tokens = token_count();
    const uint first_token = gl_WorkGroupID.z * TOKENS;
    if (first_token >= tokens || tile_is_empty())
        return;
    for (uint slot = 0; slot < SLOTS; slot++)
        rows_product(slot, gl_LocalInvocationID.x, first_token, tokens);
    finish();
}
