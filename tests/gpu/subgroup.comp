#version 450
/* y[group] = subgroup size of a full workgroup of one subgroup (local size by constant 0). */
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
layout(local_size_x_id = 0) in;
layout(binding = 0, std430) writeonly buffer Result
{
    uint y[];
};

void main()
{
    uint size = subgroupAdd(1u);
    if (subgroupElect())
        y[gl_WorkGroupID.x] = size;
}
