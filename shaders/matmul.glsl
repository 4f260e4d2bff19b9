/* matmul.glsl: what the matmul kernels have in common: bindings, token count, epilogue.
 * Include weights.glsl first. Constants 3, 5 and 6 mean the same in every kernel. */
#include "matmul.h"
#include "run.h"

layout(constant_id = 3) const uint EPILOGUE = 0;

layout(push_constant) uniform Push
{
    matmul_push push;
};

#if defined(ACTIVATIONS_16) || defined(ACTIVATIONS_8)
#define ACTIVATIONS_PACKED
layout(std430, binding = MATMUL_X) readonly restrict buffer X
{
    ivec4 x[]; /* A16: 4 a group (lo0, lo1, hi0, hi1), A8: 2 */
};
layout(std430, binding = MATMUL_X) readonly restrict buffer XWords
{
    int x_words[]; /* the same */
};
layout(std430, binding = MATMUL_X_SCALES) readonly restrict buffer XScales
{
    vec2 x_scales[]; /* d, d * sum of the group's integers */
};
#else
layout(std430, binding = MATMUL_X) readonly restrict buffer X
{
    vec4 x[];
};
#ifdef WEIGHT_PLAIN
layout(std430, binding = MATMUL_X) readonly restrict buffer XNarrow
{
    float x_narrow[]; /* the same floats */
};
layout(constant_id = 5) const uint WIDE_X = 1; /* cols is a multiple of 4 */
#endif

/* Columns column..column+3 of token's x. Behind cols, where W is zero: any value of the row. */
vec4 x_load(uint token, uint column)
{
    const uint first = token * push.cols;
#ifdef WEIGHT_PLAIN
    const uvec4 columns = min(uvec4(column) + uvec4(0, 1, 2, 3), uvec4(push.cols - 1));
    if (WIDE_X == 0)
        return vec4(x_narrow[first + columns.x], x_narrow[first + columns.y],
                    x_narrow[first + columns.z], x_narrow[first + columns.w]);
    return x[(first + columns.w) / 4];
#else
    return x[(first + column) / 4];
#endif
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
