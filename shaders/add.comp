#version 450
#extension GL_GOOGLE_include_directive : require
/* y = scale_a * a + scale_b * b over [rows, width]; y may be a or b.
 * One invocation an element. Dispatch: x covers a row (any number of groups, each strides),
 * y = row. Any width. */
#include "common.glsl"

layout(binding = 1, std430) readonly buffer Left
{
    float a[];
};
layout(binding = 2, std430) readonly buffer Right
{
    float b[];
};
layout(binding = 3, std430) writeonly buffer Target
{
    float y[];
};
layout(push_constant) uniform Push
{
    uint width;
    uint outputs;
    float scale_a;
    float scale_b;
};

void main()
{
    const uint row = gl_WorkGroupID.y;
    if (row >= run_rows(outputs))
        return;
    for (uint i = gl_GlobalInvocationID.x; i < width; i += WG * gl_NumWorkGroups.x)
        y[row * width + i] = scale_a * a[row * width + i] + scale_b * b[row * width + i];
}
