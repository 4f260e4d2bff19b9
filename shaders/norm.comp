#version 450
#extension GL_GOOGLE_include_directive : require
/* Groups of `group` consecutive floats of x [rows, width] are normalised separately:
 *
 *   RMS:   y = x / sqrt(mean(x^2) + eps) * w
 *   LAYER: y = (x - mean) / sqrt(mean((x - mean)^2) + eps) * w (+ b)
 *
 * and written as float32, in packed-dot form (quantize.glsl, group a multiple of 32), or both.
 * y may be x. Dispatch: one workgroup a group, x = width / group, y = row. Any group size. */
#include "common.glsl"
#include "reduce.glsl"
#define QUANT_BINDING 6
#define SCALE_BINDING 7
#include "quantize.glsl"

layout(constant_id = 1) const uint LAYER = 0;
layout(constant_id = 2) const uint HAS_BIAS = 0;
layout(constant_id = 3) const uint STORE = 1; /* write y */
layout(constant_id = 4) const uint QUANT = 0; /* 1 = A16, 2 = A8, 0 = none */
layout(constant_id = 5) const uint HAS_WEIGHT = 1;

layout(binding = 1, std430) readonly buffer Source
{
    float x[];
};
layout(binding = 1, std430) readonly buffer Source4
{
    vec4 x4[];
};
layout(binding = 2, std430) readonly buffer Weight
{
    float weight[];
};
layout(binding = 3, std430) readonly buffer Bias
{
    float bias[];
};
layout(binding = 4, std430) writeonly buffer Target
{
    float y[];
};
layout(push_constant) uniform Push
{
    uint width;
    uint group;
    uint outputs;
    float eps;
};

float mean_of(uint first)
{
    float total = 0.0;
    for (uint i = gl_LocalInvocationID.x; i < group; i += WG)
        total += x[first + i];
    return reduce_sum(total) / float(group);
}

float square_mean_of(uint first, float center)
{
    float total = 0.0;
    for (uint i = gl_LocalInvocationID.x; i < group; i += WG) {
        const float value = x[first + i] - center;
        total += value * value;
    }
    return reduce_sum(total) / float(group);
}

float normal(float value, float center, float factor, uint i)
{
    float result = (value - center) * factor;
    if (HAS_WEIGHT != 0)
        result *= weight[i];
    return HAS_BIAS != 0 ? result + bias[i] : result;
}

void write_quants(uint first, float center, float factor)
{
    for (uint b = gl_LocalInvocationID.x; b < group / 32; b += WG) {
        vec4 v[8];
        [[unroll]] for (uint j = 0; j < 8; j++) {
            const vec4 four = x4[first / 4 + b * 8 + j];
            const uint i = b * 32 + j * 4;
            v[j] = vec4(normal(four.x, center, factor, i), normal(four.y, center, factor, i + 1),
                        normal(four.z, center, factor, i + 2),
                        normal(four.w, center, factor, i + 3));
        }
        quantize_write(first / 32 + b, v, QUANT);
    }
}

void main()
{
    const uint row = gl_WorkGroupID.y;
    if (row >= run_rows(outputs))
        return;
    const uint first = row * width + gl_WorkGroupID.x * group;
    const float center = LAYER != 0 ? mean_of(first) : 0.0;
    const float factor = 1.0 / sqrt(square_mean_of(first, center) + eps);
    if (QUANT != 0)
        write_quants(first, center, factor);
    if (STORE != 0) {
        if (QUANT != 0)
            barrier(); /* y may be x */
        for (uint i = gl_LocalInvocationID.x; i < group; i += WG)
            y[first + i] = normal(x[first + i], center, factor, i);
    }
}
