/* reduce.glsl: sum over a workgroup through shared memory. The order of additions depends on WG
 * alone, never on the subgroup size. WG is at most 16 or a multiple of 16. All invocations call. */
shared float reduce_part[WG];

float reduce_sum(float value)
{
    const uint lane = gl_LocalInvocationID.x;
    const uint width = min(WG, 16);
    barrier(); /* the last call's readers are done */
    reduce_part[lane] = value;
    barrier();
    if (WG > 16) {
        if (lane < 16)
            for (uint i = lane + 16; i < WG; i += 16)
                value += reduce_part[i];
        barrier();
        if (lane < 16)
            reduce_part[lane] = value;
        barrier();
    }
    float total = 0.0;
    for (uint i = 0; i < width; i++)
        total += reduce_part[i];
    return total;
}
