#version 450
#extension GL_GOOGLE_include_directive : require
/* y = activation(a) * b over [rows, width], y may be a or b; float32, or the packed-dot form
 * (quantize.glsl, width a multiple of 32, a_first and b_first of 4), or both.
 * One invocation an element, or a block of 32 with QUANT. Dispatch: x covers a row (any number of
 * groups, each strides), y = row. */
#include "common.glsl"
#include "activation.glsl"
#define QUANT_BINDING 4
#define SCALE_BINDING 5
#include "quantize.glsl"

layout(constant_id = 2) const uint STORE = 1;
layout(constant_id = 3) const uint QUANT = 0;

layout(binding = 1, std430) readonly buffer Left
{
    float a[];
};
layout(binding = 1, std430) readonly buffer Left4
{
    vec4 a4[];
};
layout(binding = 2, std430) readonly buffer Right
{
    float b[];
};
layout(binding = 2, std430) readonly buffer Right4
{
    vec4 b4[];
};
layout(binding = 3, std430) writeonly buffer Target
{
    float y[];
};
layout(binding = 3, std430) writeonly buffer Target4
{
    vec4 y4[];
};
layout(push_constant) uniform Push
{
    uint width;
    uint outputs;
    uint a_first; /* floats in front of a and b; a joined product of one row has both */
    uint b_first;
};

void glu_block(uint block)
{
    vec4 v[8];
    [[unroll]] for (uint j = 0; j < 8; j++) {
        const uint i = block * 8 + j;
        v[j] = activate4(a4[a_first / 4 + i]) * b4[b_first / 4 + i];
        if (STORE != 0)
            y4[i] = v[j];
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
            glu_block(row * blocks + i);
    } else {
        for (uint i = gl_GlobalInvocationID.x; i < width; i += stride)
            y[row * width + i] =
                activate(a[a_first + row * width + i]) * b[b_first + row * width + i];
    }
}
