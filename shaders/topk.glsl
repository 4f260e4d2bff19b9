/* topk.glsl: shared by the two stages of top-k. */
layout(constant_id = 1) const uint SEGMENTS = 1024;

/* Larger float, larger key; -0 is +0; not a number is the largest key, so that it comes first and
 * the host sees it. 0 means no element. */
uint order_key(float x)
{
    const uint bits = floatBitsToUint(x);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
        return 0xFFFFFFFFu;
    if (bits == 0x80000000u)
        return bits;
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

float key_value(uint key)
{
    return uintBitsToFloat((key & 0x80000000u) != 0 ? key & 0x7FFFFFFFu : ~key);
}
