#version 450
#extension GL_GOOGLE_include_directive : require
/* y[t] = scale * E[token[t]], or y[t] += P[position of t] with `positions`, over [tokens, width].
 * E (or P) comes in row shards: this call holds rows row_first .. row_first + row_count and leaves
 * the tokens of other shards alone, so every row of y is written by one shard's call.
 * One invocation 32 columns. Dispatch: x covers a row (any number of groups, each strides),
 * y = token. Any width; the type of the weights is a build macro (weights.glsl). */
#define RUN_BINDING 5
#define WEIGHT_INTERLEAVE_ID 1
#include "common.glsl"
#include "weights.glsl"

layout(binding = 3, std430) readonly buffer Tokens
{
    uint tokens[];
};
layout(binding = 4, std430) buffer Target
{
    float y[];
};
layout(push_constant) uniform Push
{
    uint width;
    uint row_first;
    uint row_count;
    uint positions;
    float scale;
};

void embed_group(uint token, uint row, uint index)
{
    const weight_group group = weight_load(weight_find(row, (width + 31) / 32), index);
    for (uint i = 0; i < 4; i++) {
        vec4 lo, hi;
        weight_floats(group, i, lo, hi);
        for (uint j = 0; j < 4; j++) {
            const uint a = index * 32 + 4 * i + j, b = a + 16, at = token * width;
            if (a < width)
                y[at + a] = positions != 0 ? y[at + a] + lo[j] : scale * lo[j];
            if (b < width)
                y[at + b] = positions != 0 ? y[at + b] + hi[j] : scale * hi[j];
        }
    }
}

void main()
{
    const uint token = gl_WorkGroupID.y;
    if (token >= run.count)
        return;
    const uint row = (positions != 0 ? run.position + token : tokens[token]) - row_first;
    if (row >= row_count) /* also when it is below row_first */
        return;
    const uint groups = (width + 31) / 32;
    for (uint i = gl_GlobalInvocationID.x; i < groups; i += WG * gl_NumWorkGroups.x)
        embed_group(token, row, i);
}
