/* tiny.h: random models of every family, a few dozen kilobytes each, written with gguf_write.h. The
 * same seed gives the same bytes on every machine, so their float64 logits (make_tiny.py) are
 * stored in ../golden/tiny.golden. They have no vocabulary but all keys that llama.cpp asks for,
 * which reads them too (peer_logits.py). */
#ifndef LICHEN_TEST_TINY_H
#define LICHEN_TEST_TINY_H

#include "testing.h"

#include "gguf_write.h"

enum tiny_flag {
    TINY_UNTIED = 1,      /* output.weight */
    TINY_QKV_BIAS = 2,    /* bias on q, k, v */
    TINY_OUTPUT_BIAS = 4, /* bias on attn_output */
    TINY_FFN_BIAS = 8,
    TINY_QKV_FUSED = 16,  /* attn_qkv */
    TINY_GATE_FUSED = 32, /* gate | up in ffn_up */
    TINY_PLAIN_FFN = 64,  /* no gate */
    TINY_QK_NORM = 128,
    TINY_POST_NORMS = 256,
    TINY_PARALLEL = 512,         /* no ffn_norm */
    TINY_LAYER_NORM = 1024,      /* norms have biases */
    TINY_POSITIONS = 2048,       /* position_embd */
    TINY_ROPE_FREQS = 4096,      /* rope_freqs.weight */
    TINY_F16 = 8192,             /* matrices in F16 instead of F32 */
    TINY_HEAD_BIAS = 16384,      /* bias on the head, when untied */
    TINY_NORM_PLAIN = 1 << 15,   /* LayerNorm without biases */
    TINY_NO_PRE_NORMS = 1 << 16, /* no attn_norm, no ffn_norm */
    TINY_QK_NORM_ALL = 1 << 17,  /* q and k norm over all heads */
    TINY_LONGROPE = 1 << 18,     /* rope_factors_short.weight and _long */
};

struct tiny {
    const char *name, *architecture;
    uint32_t layers, dim, heads, kv_heads, head_dim, ffn, flags;
    /* further metadata: "key=3 key=2.5 key=text key=true key=true,false"; numbers with a point are
     * f32, a list is an array of bool */
    const char *keys;
};

enum { TINY_VOCAB = 96, TINY_CONTEXT = 256 };

extern const struct tiny tiny_models[];
extern const size_t tiny_count;

/* How many times further off the logits may be: random layers amplify what earlier ones got wrong.
 */
double tiny_depth(const struct tiny *tiny);
/* override (may be NULL): "key=value" behind "ARCH.", replaces or adds to the metadata. */
void tiny_write(const struct tiny *tiny, const char *override, const char *path);

#endif
