/* quantize.glsl: the packed-dot form of activations (runtime/graph/gpu_matmul.h), 32 columns:
 *
 *   A16: d = max|x| / 32639, q = round(x / d) = 256 * hi + lo;  words 0-7 lo, 8-15 hi
 *   A8:  d = max|x| / 127,   q = round(x / d);                  words 0-7 q
 *   scale word pair (d, d * sum(q))
 *
 * 32639 = 127 * 256 + 127 is the largest q whose hi and lo fit in a signed byte.
 * The includer defines QUANT_BINDING and SCALE_BINDING. QUANT: 1 = A16, 2 = A8. */
layout(binding = QUANT_BINDING, std430) writeonly buffer Quants
{
    uvec4 quants[];
};
layout(binding = SCALE_BINDING, std430) writeonly buffer Scales
{
    vec2 scales[];
};

uint pack_bytes(ivec4 q)
{
    const uvec4 bytes = uvec4(q) & 0xFFu;
    return bytes.x | bytes.y << 8 | bytes.z << 16 | bytes.w << 24;
}

/* Writes block `block` of [tokens][columns / 32]. */
void quantize_write(uint block, vec4 x[8], uint format)
{
    vec4 top = abs(x[0]);
    [[unroll]] for (uint i = 1; i < 8; i++)
        top = max(top, abs(x[i]));
    const float largest = max(max(top.x, top.y), max(top.z, top.w));
    const float steps = format == 1 ? 32639.0 : 127.0;
    const float inverse = largest > 0.0 ? steps / largest : 0.0;
    ivec4 total = ivec4(0);
    uvec4 lo[2], hi[2];
    [[unroll]] for (uint i = 0; i < 8; i++) {
        const ivec4 q = ivec4(roundEven(x[i] * inverse));
        total += q;
        lo[i / 4][i % 4] = pack_bytes(q);
        hi[i / 4][i % 4] = pack_bytes((q + 128) >> 8);
    }
    const float d = largest / steps;
    const uint words = format == 1 ? 4 : 2;
    quants[block * words] = lo[0];
    quants[block * words + 1] = lo[1];
    if (format == 1) {
        quants[block * words + 2] = hi[0];
        quants[block * words + 3] = hi[1];
    }
    scales[block] = vec2(d, d * float(total.x + total.y + total.z + total.w));
}
