#version 450
#extension GL_GOOGLE_include_directive : require
/* The packed-dot form of x [rows, width] (quantize.glsl); width is a multiple of 32.
 * One invocation a block of 32 columns. Dispatch: x covers the blocks of a row (any number of
 * groups, each strides), y = row. */
#include "common.glsl"
#define QUANT_BINDING 2
#define SCALE_BINDING 3
#include "quantize.glsl"

layout(constant_id = 1) const uint QUANT = 1;

layout(binding = 1, std430) readonly buffer Source
{
    vec4 x[];
};
layout(push_constant) uniform Push
{
    uint width;
    uint outputs;
};

void main()
{
    const uint row = gl_WorkGroupID.y, blocks = width / 32;
    if (row >= run_rows(outputs))
        return;
    for (uint i = gl_GlobalInvocationID.x; i < blocks; i += WG * gl_NumWorkGroups.x) {
        const uint block = row * blocks + i;
        vec4 v[8];
        [[unroll]] for (uint j = 0; j < 8; j++)
            v[j] = x[block * 8 + j];
        quantize_write(block, v, QUANT);
    }
}
