#version 450
/* y[i] = factor * x[i] + offset for i < count; workgroups of size 64 along x, any count.
 * With UNCHECKED the tail test is missing, which is a deliberate error. */
layout(local_size_x = 64) in;
layout(constant_id = 0) const uint factor = 1;
layout(push_constant) uniform Push
{
    uint count;
    uint offset;
};
layout(binding = 0, std430) readonly buffer Input
{
    uint x[];
};
layout(binding = 1, std430) writeonly buffer Output
{
    uint y[];
};

void main()
{
    uint i = gl_GlobalInvocationID.x;
#ifndef UNCHECKED
    if (i >= count)
        return;
#endif
    y[i] = factor * x[i] + offset;
}
