/* family.h: how the model families differ. One table of switches (family.def); layers.c turns a row
 * of it into steps. A family that needs a new switch adds a column, never a branch of an executor.
 * What the file's tensors say is no switch: biases, a tied head, attn_qkv (rows q | k | v) instead
 * of attn_q, attn_k and attn_v. */
#ifndef LICHEN_FAMILY_H
#define LICHEN_FAMILY_H

#include "plan.h"

enum block_form {
    BLOCK_SEQUENTIAL, /* x += attention(norm(x)); x += ffn(norm(x)) */
    BLOCK_PARALLEL,   /* a = norm(x); x += attention(a) + ffn(a) */
    BLOCK_NORMED      /* a = norm(x); x = r a + attention(a); f = norm(x); x = r f + ffn(f), with
                         r = residual_scale, which multiplies the branch elsewhere */
};

enum qk_norm {
    QK_NORM_NONE,
    QK_NORM_BEFORE_ROPE, /* of each head */
    QK_NORM_AFTER_ROPE,  /* of each head */
    QK_NORM_ALL_HEADS    /* of all heads together, before rope */
};

enum ffn_form {
    FFN_GLU,       /* ffn_down(act(ffn_gate x) * ffn_up x) */
    FFN_GLU_FUSED, /* the same, ffn_up holds the rows gate | up */
    FFN_PLAIN      /* ffn_down(act(ffn_up x)) */
};

enum position_form {
    POSITION_ROPE,
    POSITION_LEARNED,  /* position_embd is added to the embedding */
    POSITION_BAICHUAN, /* 7B rotates; 13B (40 layers) has ALiBi instead, and no key says so */
    POSITION_PREFIX /* two_streams of plan.h, each rope.dimension_count of a head, and MASK_PREFIX;
                       frequencies rounded to half precision, as the original keeps them */
};

enum unrotated { /* layers without rope */
                 UNROTATED_NONE,
                 UNROTATED_FOURTH, /* layers 3, 7, 11.. */
                 UNROTATED_GLOBAL  /* those without a window, when others have one */
};

enum scales {
    SCALES_NONE,    /* a file with embedding_scale, residual_scale or logit_scale is refused */
    SCALES_GEMMA,   /* embedding times sqrt(dim), rounded to bfloat16 as the original does */
    SCALES_MINICPM, /* embedding and branches times those keys, logits divided by logit_scale */
    SCALES_GRANITE, /* the same, 1 where a key is absent */
    SCALES_COHERE,  /* logits times logit_scale */
    SCALES_RESIDUAL /* residual_scale, which must be there */
};

struct family {
    const char *architecture; /* general.architecture */
    enum norm_kind norm;
    enum block_form block;
    bool post_norms;   /* post_attention_norm, post_ffw_norm on a branch before it is added */
    bool no_pre_norms; /* and none before it */
    enum qk_norm qk_norm;
    enum position_form position;
    enum rope_style rope;
    bool rope_whole_head; /* rope.dimension_count must be head_dim */
    enum unrotated unrotated;
    enum ffn_form ffn;
    enum activation activation;
    enum scales scales;
    uint32_t layers_27b; /* a model of so many layers scales q k^T by 1 / sqrt(dim / heads), all
                            others by 1 / sqrt(head_dim): Gemma 27B, which no key tells */
    /* Sliding window: layer i is local when i % period != period - 1; 1 = every layer is, 0 = a
     * file that has a window is refused. */
    uint32_t window_period;
    uint32_t window_default; /* when the file names none */
    float attention_softcap_default, final_softcap_default;
    float rope_base_local; /* of local layers, 0 = as the others */
    bool rope_local_plain; /* local layers rotate without rope.scaling */
};

/* NULL when there is no builder for it. */
const struct family *family_find(const char *architecture);
const char *const *family_architectures(void); /* NULL-terminated */

#endif
