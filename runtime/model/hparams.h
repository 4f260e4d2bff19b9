/* hparams.h: the numbers of a model file, each inside its range (the table in hparams.c), read
 * once. Keys are llama.cpp's: "ARCH.attention.head_count" and so on. */
#ifndef LICHEN_HPARAMS_H
#define LICHEN_HPARAMS_H

#include "family.h"

enum rope_scaling {
    ROPE_SCALING_NONE,
    ROPE_SCALING_LINEAR,
    ROPE_SCALING_YARN,
    ROPE_SCALING_LLAMA3,
    ROPE_SCALING_LONGROPE
};

enum { LAYERS_MAX = 1024 };

struct hparams {
    uint32_t layers, dim, heads, kv_heads, head_dim, value_dim, ffn_dim;
    uint32_t context;       /* positions in training, longrope: before scaling */
    uint32_t rope_dims;     /* rotated dims of a head, 0 = none */
    uint32_t window;        /* 0 = none */
    bool local[LAYERS_MAX]; /* [layers], the layers with the window */
    float norm_eps;
    float rope_base, rope_base_local;
    bool rope_local_plain; /* the scaling below is for global layers only */
    bool rope_rounded;     /* frequencies are half-precision numbers */
    enum rope_scaling rope_scaling;
    float rope_factor;           /* linear, yarn, llama3: how many times longer */
    float rope_attention_factor; /* factor of cos and sin, beside yarn's own */
    float rope_alpha;            /* hunyuan: base times alpha^(dims / (dims - 2)), 0 = none */
    float rope_extrapolation, rope_beta_fast, rope_beta_slow;
    float rope_low_frequency, rope_high_frequency;      /* llama3 */
    uint32_t rope_context;                              /* positions before scaling */
    float attention_scale;                              /* factor of q k^T, 0 = the family's rule */
    float attention_softcap, final_softcap;             /* 0 = none */
    float embedding_scale, residual_scale, logit_scale; /* factors; 1 = none */
    uint32_t prefix_end, prefix_mask, prefix_gmask;     /* tokens: <sop>, [MASK], [gMASK] */
    float alibi_max;                                    /* 0 = no ALiBi */
};

/* A value out of range, a missing required key or one that does not fit the others is a fault that
 * names the key, the value and the range. */
bool hparams_read(const struct gguf *gguf, const struct family *family, struct hparams *hparams,
                  struct fault *fault);

/* The table of ranges, for tests. */
struct hparam_range {
    const char *key; /* behind "ARCH." */
    bool real;       /* f32 instead of u32 */
    bool required;
    double min, max;
    size_t offset; /* in struct hparams */
};
const struct hparam_range *hparam_ranges(size_t *count);

static inline bool hparams_layer_local(const struct hparams *hparams, uint32_t layer)
{
    return hparams->window != 0 && hparams->local[layer];
}

#endif
