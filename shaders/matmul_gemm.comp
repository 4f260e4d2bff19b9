#version 450
/* matmul_gemm.comp: Y = X W^T in float32 for many tokens, by tiles in shared memory.
 *
 * A workgroup owns TILE_ROWS x TILE_TOKENS results, a thread 4 x 4 of them. Per group of 32 columns
 * both tiles are dequantized to shared memory, columns outermost, then multiplied. Needs
 * (TILE_ROWS + TILE_TOKENS) * 128 bytes of shared memory and no subgroup operations.
 * Local size = TILE_ROWS / 4 * TILE_TOKENS / 4; both tiles are multiples of 4.
 * Dispatch: x * y = ceil(rows / TILE_ROWS), z = ceil(tokens / TILE_TOKENS). Any rows, cols, tokens. */
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "weights.glsl"
#include "matmul.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL = 256;
layout(constant_id = 1) const uint TILE_ROWS = 64;
layout(constant_id = 2) const uint TILE_TOKENS = 64;

shared vec4 tile_w[32 * TILE_ROWS / 4]; /* [column][row / 4] */
shared vec4 tile_x[32 * TILE_TOKENS / 4];

void put_w(uint row, uint column, vec4 values)
{
    [[unroll]] for (uint k = 0; k < 4; k++)
        tile_w[(column + k) * (TILE_ROWS / 4) + row / 4][row % 4] = values[k];
}

void put_x(uint token, uint column, vec4 values)
{
    [[unroll]] for (uint k = 0; k < 4; k++)
        tile_x[(column + k) * (TILE_TOKENS / 4) + token / 4][token % 4] = values[k];
}

void fill(uint first_row, uint first_token, uint tokens, uint g)
{
    for (uint n = gl_LocalInvocationID.x; n < TILE_ROWS * 4; n += LOCAL) {
        const uint row = min(first_row + n / 4, push.rows - 1), i = n % 4;
        const weight_group group = weight_load(weight_find(push.plane_row + row, push.groups), g);
        vec4 lo, hi;
        weight_floats(group, i, lo, hi);
        put_w(n / 4, 4 * i, lo);
        put_w(n / 4, 16 + 4 * i, hi);
    }
    for (uint n = gl_LocalInvocationID.x; n < TILE_TOKENS * 8; n += LOCAL) {
        const uint token = min(first_token + n / 8, tokens - 1), column = 4 * (n % 8);
        put_x(n / 8, column, x_load(token, 32 * g + column));
    }
}

void main()
{
    const uint tokens = token_count();
    const uint first_row = group_index() * TILE_ROWS, first_token = gl_WorkGroupID.z * TILE_TOKENS;
    if (first_token >= tokens || first_row >= push.rows)
        return;
    const uint own_row = gl_LocalInvocationID.x % (TILE_ROWS / 4);
    const uint own_token = gl_LocalInvocationID.x / (TILE_ROWS / 4);
    vec4 sums[4]; /* [token], component = row */
    [[unroll]] for (uint t = 0; t < 4; t++)
        sums[t] = vec4(0);
    for (uint g = 0; g < push.groups; g++) {
        barrier();
        fill(first_row, first_token, tokens, g);
        barrier();
        for (uint first = 0; first < 32; first += 4)
            [[unroll]] for (uint i = 0; i < 4; i++) {
                const uint k = first + i;
                const vec4 w = tile_w[k * (TILE_ROWS / 4) + own_row];
                const vec4 v = tile_x[k * (TILE_TOKENS / 4) + own_token];
                [[unroll]] for (uint t = 0; t < 4; t++)
                    sums[t] += w * v[t];
            }
    }
    [[unroll]] for (uint t = 0; t < 4; t++)
        [[unroll]] for (uint r = 0; r < 4; r++) {
            const uint row = first_row + 4 * own_row + r, token = first_token + 4 * own_token + t;
            if (row < push.rows && token < tokens)
                store(token, row, sums[t][r]);
        }
}
