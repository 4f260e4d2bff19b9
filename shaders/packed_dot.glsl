/* packed_dot.glsl: four signed bytes times four signed bytes, summed exactly in int32.
 * glslang 12 lacks GL_EXT_integer_dot_product, so the instruction (OpSDot 4450, packed format 0) is
 * named by number; the SPIR-V is the same. Needs shaderIntegerDotProduct. */
#ifndef LICHEN_PACKED_DOT_GLSL
#define LICHEN_PACKED_DOT_GLSL
#extension GL_EXT_spirv_intrinsics : require

spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6019, 6018],
                  id = 4450)
int dot_4x8(int left, int right, spirv_literal int packed_format);

int dot4(uint left, int right)
{
    return dot_4x8(int(left), right, 0);
}

#endif
