#version 450
/* y[i] = sum_k a[i].k * b[i].k over four signed bytes, by OpSDot; groups of 64, any count.
 * glslang 12 has no GL_EXT_integer_dot_product, hence the instruction by number. */
#extension GL_EXT_spirv_intrinsics : require
layout(local_size_x = 64) in;
layout(binding = 0, std430) readonly buffer Left
{
    int a[];
};
layout(binding = 1, std430) readonly buffer Right
{
    int b[];
};
layout(binding = 2, std430) writeonly buffer Result
{
    int y[];
};

spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6019, 6018], id = 4450)
int dot_4x8(int left, int right, spirv_literal int packed_format);

void main()
{
    uint i = gl_GlobalInvocationID.x;
    if (i < y.length())
        y[i] = dot_4x8(a[i], b[i], 0);
}
