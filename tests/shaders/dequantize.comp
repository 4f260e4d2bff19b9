#version 450
/* y[32 i ..] = the 32 weights of group i < count, by shaders/weights.glsl. Groups of 64, any count. */
#extension GL_GOOGLE_include_directive : require
#include "weights.glsl"
layout(local_size_x = 64) in;
layout(binding = 3, std430) writeonly buffer Result
{
    float y[];
};
layout(push_constant) uniform Push
{
    uint count;
};

void main()
{
    const uint index = gl_GlobalInvocationID.x;
    if (index >= count)
        return;
    const weight_group group = weight_load(weight_find(0, count), index);
    for (uint i = 0; i < 4; i++) {
        vec4 lo, hi;
        weight_floats(group, i, lo, hi);
        for (uint k = 0; k < 4; k++) {
            y[32 * index + 4 * i + k] = lo[k];
            y[32 * index + 16 + 4 * i + k] = hi[k];
        }
    }
}
