#version 450
#extension GL_GOOGLE_include_directive : require
/* y = scale * x, then cap * tanh(y / cap) when cap > 0, over [rows, width]; y may be x.
 * One invocation an element. Dispatch: x covers a row (any number of groups, each strides),
 * y = row. Any width. */
#include "common.glsl"

layout(binding = 1, std430) readonly buffer Source
{
    float x[];
};
layout(binding = 2, std430) writeonly buffer Target
{
    float y[];
};
layout(push_constant) uniform Push
{
    uint width;
    uint outputs;
    float scale;
    float cap;
};

void main()
{
    const uint row = gl_WorkGroupID.y;
    if (row >= run_rows(outputs))
        return;
    for (uint i = gl_GlobalInvocationID.x; i < width; i += WG * gl_NumWorkGroups.x) {
        float value = scale * x[row * width + i];
        if (cap > 0.0)
            value = cap * tanh(value / cap);
        y[row * width + i] = value;
    }
}
