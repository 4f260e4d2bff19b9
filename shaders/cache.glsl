/* cache.glsl: how a key or value of a head lies in the KV cache, shared by the kernels that write
 * and read it. A cache is [kv_head][context] rows of ROW_WORDS words:
 *
 *   f16       two numbers a word          KV_F32    one number a word
 *   KV_Q8_0   four signed bytes q a word; behind all rows, as [kv_head][context][SCALE_WORDS], the
 *             f16 scales d of blocks of 32, two a word: d = half(max|x| / 127), q = round(x / d)
 *
 * A row that is no whole number of words or blocks is filled up with zeros. runtime/graph/
 * gpu_space.c has the sizes. The includer has HEAD_DIM. */
#if defined(KV_F32)
const uint PACK = 1; /* numbers a word */
#elif defined(KV_Q8_0)
const uint PACK = 4;
#else
const uint PACK = 2;
#endif
const uint ROW_WORDS = (HEAD_DIM + PACK - 1) / PACK;
const uint BLOCK_WORDS = 32 / PACK; /* words of a block of 32 */

#ifdef KV_Q8_0
#define cache_values vec4
const uint SCALE_WORDS = (HEAD_DIM + 63) / 64;

cache_values unpack_word(uint word, float d)
{
    const int bits = int(word);
    return d * vec4(ivec4(bits << 24, bits << 16, bits << 8, bits) >> 24);
}
#else
#define cache_values vec2

/* With KV_F32 only x is a number of the head. */
cache_values unpack_word(uint word, float d)
{
#ifdef KV_F32
    return vec2(uintBitsToFloat(word), 0.0);
#else
    return unpackHalf2x16(word);
#endif
}
#endif
