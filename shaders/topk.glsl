/* topk.glsl: shared by the two stages of top-k. */
layout(constant_id = 1) const uint SEGMENTS = 1024;

/* Larger float, larger key; +0 above -0 folded together; NaN is 1, below -inf. 0 means no element. */
uint order_key(float x)
{
    if (isnan(x))
        return 1;
    const uint bits = floatBitsToUint(x == 0.0 ? 0.0 : x);
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

float key_value(uint key)
{
    if (key == 1)
        return uintBitsToFloat(0x7FC00000u);
    return uintBitsToFloat((key & 0x80000000u) != 0 ? key & 0x7FFFFFFFu : ~key);
}
