/* matmul.glsl: what the matmul kernels have in common: bindings, token count, epilogue.
 * Include weights.glsl first. Constant 3 is the epilogue in every kernel. */
#include "matmul.h"
#include "run.h"

layout(constant_id = 3) const uint EPILOGUE = 0;

layout(push_constant) uniform Push
{
    matmul_push push;
};

#if defined(ACTIVATIONS_16) || defined(ACTIVATIONS_8)
layout(std430, binding = MATMUL_X) readonly restrict buffer X
{
    ivec4 x[]; /* A16: 4 a group (lo0, lo1, hi0, hi1), A8: 2 */
};
layout(std430, binding = MATMUL_X_SCALES) readonly restrict buffer XScales
{
    vec2 x_scales[]; /* d, d * sum of the group's integers */
};
#elif defined(WEIGHT_PLAIN)
layout(std430, binding = MATMUL_X) readonly restrict buffer X
{
    float x[];
};
/* Columns column..column+3 of token's x; zero from cols on. */
vec4 x_load(uint token, uint column)
{
    const uint first = token * push.cols + column;
    vec4 result = vec4(0);
    for (uint i = 0; i < 4; i++)
        if (column + i < push.cols)
            result[i] = x[first + i];
    return result;
}
#else
layout(std430, binding = MATMUL_X) readonly restrict buffer X
{
    vec4 x[]; /* cols is a multiple of 32 */
};
vec4 x_load(uint token, uint column)
{
    return x[(token * push.cols + column) / 4];
}
#endif

layout(std430, binding = MATMUL_Y) buffer Y
{
    float y[];
};
layout(std430, binding = MATMUL_BIAS) readonly restrict buffer Bias
{
    float bias[];
};
layout(std430, binding = MATMUL_RESIDUAL) readonly buffer Residual
{
    float residual[]; /* may be y */
};
layout(std430, binding = MATMUL_RUN) readonly restrict buffer Run
{
    run_params run;
};

uint token_count()
{
    return push.outputs == 0 ? run.count : run.outputs;
}

/* The workgroup's number in a grid whose first two dimensions are one long one. */
uint group_index()
{
    return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
}

void store(uint token, uint row, float sum)
{
    if ((EPILOGUE & MATMUL_ADD_BIAS) != 0)
        sum += bias[push.bias_first + row];
    if ((EPILOGUE & MATMUL_ADD_RESIDUAL) != 0)
        sum += residual[token * push.residual_stride + push.residual_first + row];
    y[token * push.y_stride + push.y_first + row] = sum;
}
