#version 450
#extension GL_GOOGLE_include_directive : require
/* Second stage of top-k: the `wanted` largest logits of a row, largest first, ties by lower id.
 *
 * The wanted-th largest of the segment maxima is a lower bound t of the wanted-th largest logit, so
 * every winner lies in a segment whose maximum is >= t and is itself >= t. Those candidates are
 * collected and sorted by (key descending, id ascending). When more than SEGMENTS of them appear
 * (many equal logits) the count alone is written and the host sorts.
 *
 * found[row] = {count, [unused], then (id, logit bits) pairs}: count > SEGMENTS means overflow.
 * Dispatch: one workgroup a row, y = row. SEGMENTS is a power of two, at least 32; of wanted, at
 * most RESULTS and SEGMENTS are found. */
#include "common.glsl"
#include "topk.glsl"

layout(constant_id = 2) const uint RESULTS = 256;

layout(binding = 1, std430) readonly buffer Logits
{
    float logits[]; /* [rows, vocab] */
};
layout(binding = 2, std430) readonly buffer Maxima
{
    uint maxima[]; /* [rows, SEGMENTS] */
};
layout(binding = 3, std430) writeonly buffer Found
{
    uvec2 found[]; /* [rows][RESULTS + 1] */
};
layout(push_constant) uniform Push
{
    uint vocab;
};

shared uint keys[SEGMENTS];
shared uint ids[SEGMENTS];
shared uint candidate_count;
shared uint winners[SEGMENTS]; /* segments that may hold a winner, in any order */
shared uint winner_count;

/* Element i goes before element j. */
bool before(uint i, uint j)
{
    return keys[i] != keys[j] ? keys[i] > keys[j] : ids[i] < ids[j];
}

/* Bitonic sort of the first `size` (a power of two) elements: best first. */
void sort(uint size)
{
    for (uint span = 2; span <= size; span *= 2)
        for (uint gap = span / 2; gap > 0; gap /= 2) {
            barrier();
            for (uint n = gl_LocalInvocationID.x; n < size / 2; n += WG) {
                const uint i = n / gap * gap * 2 + n % gap, j = i + gap;
                const bool down = (i & span) != 0;
                if (before(j, i) != down) {
                    const uint key = keys[i], id = ids[i];
                    keys[i] = keys[j];
                    ids[i] = ids[j];
                    keys[j] = key;
                    ids[j] = id;
                }
            }
        }
    barrier();
}

/* The least key that a winner can have. Few winners need few segments: every `count` apart they are
 * joined first, because sorting is what takes the time. */
uint threshold(uint row, uint wanted)
{
    const uint count = wanted <= SEGMENTS / 16 ? SEGMENTS / 4 : SEGMENTS;
    for (uint s = gl_LocalInvocationID.x; s < count; s += WG) {
        uint top = 0;
        for (uint i = s; i < SEGMENTS; i += count)
            top = max(top, maxima[row * SEGMENTS + i]);
        keys[s] = top;
        ids[s] = s;
    }
    sort(count);
    return max(keys[wanted - 1], 1);
}

void collect_one(uint i, float logit, uint least)
{
    const uint key = order_key(logit);
    if (key < least)
        return;
    const uint slot = atomicAdd(candidate_count, 1);
    if (slot < SEGMENTS) {
        keys[slot] = key;
        ids[slot] = i;
    }
}

/* Few segments win: their elements are dealt out to all invocations, four at a time. */
void collect(uint row, uint least)
{
    for (uint s = gl_LocalInvocationID.x; s < SEGMENTS; s += WG)
        if (maxima[row * SEGMENTS + s] >= least)
            winners[atomicAdd(winner_count, 1)] = s;
    barrier();
    const uint longest = (vocab + SEGMENTS - 1) / SEGMENTS, all = winner_count * longest;
    for (uint first = gl_LocalInvocationID.x; first < all; first += 4 * WG) {
        uint at[4];
        float x[4];
        [[unroll]] for (uint k = 0; k < 4; k++) {
            const uint n = min(first + k * WG, all - 1);
            at[k] = winners[n / longest] + n % longest * SEGMENTS;
            x[k] = logits[row * vocab + min(at[k], vocab - 1)];
        }
        [[unroll]] for (uint k = 0; k < 4; k++)
            if (first + k * WG < all && at[k] < vocab)
                collect_one(at[k], x[k], least);
    }
}

void main()
{
    const uint row = gl_WorkGroupID.y, wanted = min(run.top, min(RESULTS, SEGMENTS));
    if (row >= run.outputs || wanted == 0)
        return;
    const uint least = threshold(row, wanted);
    barrier(); /* everybody has read the threshold */
    for (uint s = gl_LocalInvocationID.x; s < SEGMENTS; s += WG) {
        keys[s] = 0;
        ids[s] = 0xFFFFFFFFu;
    }
    if (gl_LocalInvocationID.x == 0)
        candidate_count = winner_count = 0;
    barrier();
    collect(row, least);
    barrier();
    uint size = 2;
    while (size < min(candidate_count, SEGMENTS))
        size *= 2;
    sort(size);
    const uint base = row * (RESULTS + 1);
    if (gl_LocalInvocationID.x == 0)
        found[base] = uvec2(candidate_count, 0);
    for (uint i = gl_LocalInvocationID.x; i < wanted; i += WG)
        found[base + 1 + i] = uvec2(ids[i], floatBitsToUint(key_value(keys[i])));
}
