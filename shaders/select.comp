#version 450
#extension GL_GOOGLE_include_directive : require
/* y[r] = x[count - outputs + r] for r < outputs: the rows whose logits are wanted, [_, width].
 * One invocation an element. Dispatch: x covers a row (any number of groups, each strides),
 * y = output row. Any width. */
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
};

void main()
{
    const uint row = gl_WorkGroupID.y;
    if (row >= run.outputs)
        return;
    const uint source = run.count - run.outputs + row;
    for (uint i = gl_GlobalInvocationID.x; i < width; i += WG * gl_NumWorkGroups.x)
        y[row * width + i] = x[source * width + i];
}
