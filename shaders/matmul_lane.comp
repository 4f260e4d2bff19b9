#version 450
/* matmul_lane.comp: y = W x in float32 for devices that run a lane at a time (lavapipe): a lane owns
 * whole rows, so there is no reduction and no barrier, and x is fetched once a subgroup (a load costs
 * there by the lane, a broadcast nearly nothing).
 *
 * A subgroup of LANES lanes owns LANES * ROWS rows (lane l: rows l, l + LANES, ...) and TOKENS
 * tokens. Local size = LANES = subgroup size. Dispatch: x * y = ceil(rows / (LANES * ROWS)),
 * z = ceil(tokens / TOKENS). Any rows, cols, tokens. Sums run in column order whatever the tiling. */
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

/* A token's group of 32 columns holds 8 vec4; a lane keeps LOADS of them. */
const uint LOADS = LANES < 8 ? 8 / LANES : 1;

float sums[ROWS * TOKENS];
vec4 own[TOKENS * LOADS]; /* this lane's part of x */
float sum_x[TOKENS];

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

/* Columns 4i..4i+3 of the group, the same in every lane. */
vec4 x_part(uint token, uint i)
{
    return subgroupBroadcast(own[token * LOADS + i / LANES], i % LANES);
}

void multiply(uint r, weight_group group)
{
    float sum_lo[TOKENS], sum_hi[TOKENS];
    [[unroll]] for (uint i = 0; i < 4; i++) {
        vec4 lo, hi;
        weight_codes(group, i, lo, hi);
        [[unroll]] for (uint t = 0; t < TOKENS; t++) {
            const vec4 a = x_part(t, i), b = x_part(t, i + 4);
            const float sum_a = lo.x * a.x + lo.y * a.y + lo.z * a.z + lo.w * a.w;
            const float sum_b = hi.x * b.x + hi.y * b.y + hi.z * b.z + hi.w * b.w;
            sum_lo[t] = i == 0 ? sum_a : sum_lo[t] + sum_a;
            sum_hi[t] = i == 0 ? sum_b : sum_hi[t] + sum_b;
        }
    }
    [[unroll]] for (uint t = 0; t < TOKENS; t++)
        sums[r * TOKENS + t] += weight_sum(group, sum_lo[t], sum_hi[t], sum_x[t]);
}

void main()
{
    const uint lane = gl_LocalInvocationID.x;
    const uint tokens = token_count();
    const uint first_token = gl_WorkGroupID.z * TOKENS;
    const uint first_row = group_index() * LANES * ROWS + lane;
    if (first_token >= tokens || first_row - lane >= push.rows)
        return;
    weight_row rows[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        rows[r] =
            weight_find(push.plane_row + min(first_row + r * LANES, push.rows - 1), push.groups);
    [[unroll]] for (uint i = 0; i < ROWS * TOKENS; i++)
        sums[i] = 0;
    for (uint g = 0; g < push.groups; g++) {
        fetch(lane, first_token, tokens, g);
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            multiply(r, weight_load(rows[r], g));
    }
    [[unroll]] for (uint i = 0; i < ROWS * TOKENS; i++) {
        const uint row = first_row + i / TOKENS * LANES, token = first_token + i % TOKENS;
        if (row < push.rows && token < tokens)
            store(token, row, sums[i]);
    }
}
