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

const uint SIZE = HEAD_DIM + 2;                   /* of a chunk's partial */
const uint SHARES = 64;                           /* chunks weighted at a time */
const uint LANE_WIDTH = (HEAD_DIM + WG - 1) / WG; /* numbers of the head of an invocation */

shared float head[HEAD_DIM];
shared float lane_top[WG];
shared float share[SHARES];  /* e^(m_c - m) */
shared float weight[SHARES]; /* share * l_c */

float lane_sum[LANE_WIDTH];

/* Chunks that attention.comp wrote for this token. */
uint chunks_seen()
{
    uint end = run.position + gl_WorkGroupID.y + 1;
    if (prefix_mask != 0)
        end = max(end, run.prefix);
    return (min(end, run.kv_count) + chunk - 1) / chunk;
}

/* max_c m_c, by all invocations. */
float largest(uint base, uint chunks)
{
    float top = -3.0e38;
    for (uint c = gl_LocalInvocationID.x; c < chunks; c += WG)
        top = max(top, partials[base + c * SIZE + HEAD_DIM]);
    lane_top[gl_LocalInvocationID.x] = top;
    barrier();
    for (uint i = 0; i < WG; i++)
        top = max(top, lane_top[i]);
    return top;
}

/* Adds chunks first .. first + count, whose shares are known, in their order. */
void add_chunks(uint base, uint first, uint count)
{
    for (uint i = 0; i < LANE_WIDTH; i++) {
        const uint at = base + min(gl_LocalInvocationID.x + i * WG, HEAD_DIM - 1);
        float sum = lane_sum[i];
        for (uint c = 0; c < count; c += 8) {
            float o[8]; /* fetched together: one wait for eight */
            [[unroll]] for (uint k = 0; k < 8; k++)
                o[k] = partials[at + (first + min(c + k, count - 1)) * SIZE];
            [[unroll]] for (uint k = 0; k < 8; k++)
                if (c + k < count)
                    sum += share[c + k] * o[k];
        }
        lane_sum[i] = sum;
    }
}

void combine(uint base, uint chunks)
{
    const float top = largest(base, chunks);
    float total = 0.0;
    for (uint i = 0; i < LANE_WIDTH; i++)
        lane_sum[i] = 0.0;
    for (uint first = 0; first < chunks; first += SHARES) {
        const uint count = min(SHARES, chunks - first);
        for (uint c = gl_LocalInvocationID.x; c < count; c += WG) {
            const uint end = base + (first + c) * SIZE + HEAD_DIM;
            share[c] = exp(partials[end] - top);
            weight[c] = share[c] * partials[end + 1];
        }
        barrier();
        for (uint c = 0; c < count; c++)
            total += weight[c];
        add_chunks(base, first, count);
        barrier();
    }
    const float factor = total > 0.0 ? 1.0 / total : 0.0;
    for (uint i = 0; i < LANE_WIDTH; i++)
        if (gl_LocalInvocationID.x + i * WG < HEAD_DIM)
            head[gl_LocalInvocationID.x + i * WG] = lane_sum[i] * factor;
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
