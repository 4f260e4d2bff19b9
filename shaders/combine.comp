#version 450
#extension GL_GOOGLE_include_directive : require
/* o = sum_c e^(m_c - m) o_c / sum_c e^(m_c - m) l_c, m = max_c m_c: the chunks of attention.comp
 * joined in order of their index, for one head of one token a workgroup. Written as float32, in
 * packed-dot form (quantize.glsl, HEAD_DIM a multiple of 32), or both. No chunk sees a key: 0.
 * Dispatch: x = head, y = token. Any HEAD_DIM and chunk count. */
#include "common.glsl"
#define QUANT_BINDING 3
#define SCALE_BINDING 4
#include "quantize.glsl"

layout(constant_id = 1) const uint HEAD_DIM = 64;
layout(constant_id = 2) const uint STORE = 1;
layout(constant_id = 3) const uint QUANT = 0;

layout(binding = 1, std430) readonly buffer Partials
{
    float partials[]; /* [tokens * heads][chunk_max][HEAD_DIM + 2] */
};
layout(binding = 2, std430) writeonly buffer Target
{
    float o[];
};
layout(push_constant) uniform Push
{
    uint chunk;
    uint chunk_max;
    uint prefix_mask;
};

shared float head[HEAD_DIM];

/* Chunks that attention.comp wrote for this token. */
uint chunks_seen()
{
    uint end = run.position + gl_WorkGroupID.y + 1;
    if (prefix_mask != 0)
        end = max(end, run.prefix);
    return (min(end, run.kv_count) + chunk - 1) / chunk;
}

void combine(uint base, uint chunks)
{
    const uint size = HEAD_DIM + 2;
    float top = -3.0e38, total = 0.0;
    for (uint c = 0; c < chunks; c++)
        top = max(top, partials[base + c * size + HEAD_DIM]);
    for (uint c = 0; c < chunks; c++)
        total += exp(partials[base + c * size + HEAD_DIM] - top) *
                 partials[base + c * size + HEAD_DIM + 1];
    const float factor = total > 0.0 ? 1.0 / total : 0.0;
    for (uint i = gl_LocalInvocationID.x; i < HEAD_DIM; i += WG) {
        float sum = 0.0;
        for (uint c = 0; c < chunks; c++)
            sum += exp(partials[base + c * size + HEAD_DIM] - top) * partials[base + c * size + i];
        head[i] = sum * factor;
    }
    barrier();
}

void main()
{
    if (gl_WorkGroupID.y >= run.count)
        return;
    const uint row = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    combine(row * chunk_max * (HEAD_DIM + 2), chunks_seen());
    if (STORE != 0)
        for (uint i = gl_LocalInvocationID.x; i < HEAD_DIM; i += WG)
            o[row * HEAD_DIM + i] = head[i];
    if (QUANT == 0)
        return;
    for (uint b = gl_LocalInvocationID.x; b < HEAD_DIM / 32; b += WG) {
        vec4 x[8];
        [[unroll]] for (uint j = 0; j < 8; j++) {
            const uint at = b * 32 + j * 4;
            x[j] = vec4(head[at], head[at + 1], head[at + 2], head[at + 3]);
        }
        quantize_write(row * (HEAD_DIM / 32) + b, x, QUANT);
    }
}
