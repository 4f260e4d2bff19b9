#version 450
#extension GL_GOOGLE_include_directive : require
/* First stage of top-k: the largest logit of each of SEGMENTS interleaved segments (segment s is
 * the elements s, s + SEGMENTS, s + 2 SEGMENTS, ...), as a key whose unsigned order is the order of
 * the floats. One invocation a segment.
 * Dispatch: x = ceil(SEGMENTS / WG), y = row. Any vocabulary. */
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
layout(push_constant) uniform Push
{
    uint vocab;
};

void main()
{
    const uint row = gl_WorkGroupID.y, segment = gl_GlobalInvocationID.x;
    if (row >= run.outputs || segment >= SEGMENTS)
        return;
    uint top = 0;
    uint i = segment;
    for (; i + 7 * SEGMENTS < vocab; i += 8 * SEGMENTS) { /* eight on their way */
        const uint at = row * vocab + i;
        const vec4 a = vec4(logits[at], logits[at + SEGMENTS], logits[at + 2 * SEGMENTS],
                            logits[at + 3 * SEGMENTS]);
        const vec4 b = vec4(logits[at + 4 * SEGMENTS], logits[at + 5 * SEGMENTS],
                            logits[at + 6 * SEGMENTS], logits[at + 7 * SEGMENTS]);
        const uint a_top = max(max(order_key(a.x), order_key(a.y)),
                               max(order_key(a.z), order_key(a.w)));
        const uint b_top = max(max(order_key(b.x), order_key(b.y)),
                               max(order_key(b.z), order_key(b.w)));
        top = max(top, max(a_top, b_top));
    }
    for (; i < vocab; i += SEGMENTS)
        top = max(top, order_key(logits[row * vocab + i]));
    maxima[row * SEGMENTS + segment] = top;
}
