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
    for (uint i = segment; i < vocab; i += SEGMENTS)
        top = max(top, order_key(logits[row * vocab + i]));
    maxima[row * SEGMENTS + segment] = top;
}
