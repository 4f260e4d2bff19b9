#version 450
#extension GL_GOOGLE_include_directive : require
/* First stage of top-k: the largest logit of each of SEGMENTS interleaved segments (segment s is
 * the elements s, s + SEGMENTS, s + 2 SEGMENTS, ...), as a key whose unsigned order is the order of
 * the floats. PARTS invocations share a segment, WG / PARTS segments a workgroup.
 * Dispatch: x = ceil(SEGMENTS / (WG / PARTS)), y = row. Any vocabulary; WG is a multiple of PARTS. */
#include "common.glsl"
#include "topk.glsl"

layout(binding = 1, std430) readonly buffer Logits
{
    float logits[]; /* [rows, vocab] */
};
layout(binding = 2, std430) writeonly buffer Maxima
{
    uint maxima[]; /* [rows, SEGMENTS] */
};
layout(constant_id = 2) const uint PARTS = 1;
layout(push_constant) uniform Push
{
    uint vocab;
};

shared uint part_top[WG];

/* The largest key of a part of a segment: elements segment + (part + n PARTS) SEGMENTS. */
uint scan_part(uint row, uint segment, uint part)
{
    const uint stride = PARTS * SEGMENTS;
    uint top = 0, i = segment + part * SEGMENTS;
    for (; i + 7 * stride < vocab; i += 8 * stride) { /* eight on their way */
        const uint at = row * vocab + i;
        const vec4 a = vec4(logits[at], logits[at + stride], logits[at + 2 * stride],
                            logits[at + 3 * stride]);
        const vec4 b = vec4(logits[at + 4 * stride], logits[at + 5 * stride],
                            logits[at + 6 * stride], logits[at + 7 * stride]);
        const uint a_top = max(max(order_key(a.x), order_key(a.y)),
                               max(order_key(a.z), order_key(a.w)));
        const uint b_top = max(max(order_key(b.x), order_key(b.y)),
                               max(order_key(b.z), order_key(b.w)));
        top = max(top, max(a_top, b_top));
    }
    for (; i < vocab; i += stride)
        top = max(top, order_key(logits[row * vocab + i]));
    return top;
}

void main()
{
    const uint row = gl_WorkGroupID.y, lane = gl_LocalInvocationID.x, own = WG / PARTS;
    const uint segment = gl_WorkGroupID.x * own + lane % own;
    if (row >= run.outputs)
        return;
    part_top[lane] = segment < SEGMENTS ? scan_part(row, segment, lane / own) : 0;
    barrier();
    if (lane >= own || segment >= SEGMENTS)
        return;
    uint top = 0;
    for (uint part = 0; part < PARTS; part++)
        top = max(top, part_top[part * own + lane]);
    maxima[row * SEGMENTS + segment] = top;
}
