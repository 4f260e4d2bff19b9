#version 450
#extension GL_GOOGLE_include_directive : require
/* y = activation(x) over [rows, width], y may be x; float32, or the packed-dot form (quantize.glsl,
 * width a multiple of 32), or both.
 * One invocation an element, or a block of 32 with QUANT. Dispatch: x covers a row (any number of
 * groups, each strides), y = row. */
#include "common.glsl"
#include "activation.glsl"
#define QUANT_BINDING 3
#define SCALE_BINDING 4
#include "quantize.glsl"

layout(constant_id = 2) const uint STORE = 1;
layout(constant_id = 3) const uint QUANT = 0;

layout(binding = 1, std430) readonly buffer Source
{
    float x[];
};
layout(binding = 1, std430) readonly buffer Source4
{
    vec4 x4[];
};
layout(binding = 2, std430) writeonly buffer Target
{
    float y[];
};
layout(binding = 2, std430) writeonly buffer Target4
{
    vec4 y4[];
};
layout(push_constant) uniform Push
{
    uint width;
    uint outputs;
};

void activation_block(uint block)
{
    vec4 v[8];
    [[unroll]] for (uint j = 0; j < 8; j++) {
        v[j] = activate4(x4[block * 8 + j]);
        if (STORE != 0)
            y4[block * 8 + j] = v[j];
    }
    quantize_write(block, v, QUANT);
}

void main()
{
    const uint row = gl_WorkGroupID.y, stride = WG * gl_NumWorkGroups.x;
    if (row >= run_rows(outputs))
        return;
    if (QUANT != 0) {
        const uint blocks = width / 32;
        for (uint i = gl_GlobalInvocationID.x; i < blocks; i += stride)
            activation_block(row * blocks + i);
    } else {
        for (uint i = gl_GlobalInvocationID.x; i < width; i += stride)
            y[row * width + i] = activate(x[row * width + i]);
    }
}
