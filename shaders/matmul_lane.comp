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

void main()
{
    const uint lane = gl_LocalInvocationID.x;
    const uint tokens = token_count();
    const uint first_token = gl_WorkGroupID.z * TOKENS;
    const uint first_row = group_index() * LANES * ROWS + lane;
    if (first_token >= tokens)
        return;
    float sums[ROWS * TOKENS];
    [[unroll]] for (uint i = 0; i < ROWS * TOKENS; i++)
        sums[i] = 0;
    for (uint g = 0; g < push.groups; g++) {
        vec4 own[TOKENS * LOADS];
        [[unroll]] for (uint i = 0; i < TOKENS * LOADS; i++) {
            const uint token = min(first_token + i / LOADS, tokens - 1);
            own[i] = x_load(token, 32 * g + 4 * ((lane & 7) + LANES * (i % LOADS)));
        }
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            const uint row = min(first_row + r * LANES, push.rows - 1);
            const weight_group group = weight_load(push.plane_row + row, g, push.groups);
            [[unroll]] for (uint i = 0; i < 4; i++) {
                vec4 lo, hi;
                weight_floats(group, i, lo, hi);
                [[unroll]] for (uint t = 0; t < TOKENS; t++) {
                    const uint k = i + 4;
                    const vec4 x_lo = subgroupBroadcast(own[t * LOADS + i / LANES], i % LANES);
                    const vec4 x_hi = subgroupBroadcast(own[t * LOADS + k / LANES], k % LANES);
                    float sum = sums[r * TOKENS + t];
                    sum += lo.x * x_lo.x;
                    sum += lo.y * x_lo.y;
                    sum += lo.z * x_lo.z;
                    sum += lo.w * x_lo.w;
                    sum += hi.x * x_hi.x;
                    sum += hi.y * x_hi.y;
                    sum += hi.z * x_hi.z;
                    sum += hi.w * x_hi.w;
                    sums[r * TOKENS + t] = sum;
                }
            }
        }
    }
    [[unroll]] for (uint i = 0; i < ROWS * TOKENS; i++) {
        const uint row = first_row + i / TOKENS * LANES, token = first_token + i % TOKENS;
        if (row < push.rows && token < tokens)
            store(token, row, sums[i]);
    }
}
