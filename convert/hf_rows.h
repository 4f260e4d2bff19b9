/* hf_rows.h: shorthand of the tables in hf_family_*.c. */
#ifndef LICHEN_HF_ROWS_H
#define LICHEN_HF_ROWS_H

#include "hf_family.h"

#define VECTOR_OF(gguf_, published_, count, bias_, ...)                                            \
    {                                                                                              \
        .gguf = gguf_, .published = published_, .rows = EXTENT_VECTOR, .columns = EXTENT_##count,  \
        .bias = BIAS_##bias_, __VA_ARGS__                                                          \
    }
#define MATRIX_OF(gguf_, published_, rows_, columns_, bias_, ...)                                  \
    {                                                                                              \
        .gguf = gguf_, .published = published_, .rows = EXTENT_##rows_,                            \
        .columns = EXTENT_##columns_, .bias = bias_, __VA_ARGS__                                   \
    }
#define NORM(gguf, published) VECTOR_OF(gguf, published, DIM, NEVER, .need = NEED_ALWAYS)
#define NORM_BIAS(gguf, published) VECTOR_OF(gguf, published, DIM, ALWAYS, .need = NEED_ALWAYS)
#define MATRIX(gguf, published, rows, columns, bias)                                               \
    MATRIX_OF(gguf, published, rows, columns, bias, .need = NEED_ALWAYS)
#define EMBEDDING(published) MATRIX("token_embd", published, VOCAB, DIM, BIAS_NEVER)
#define HEAD(published, bias) MATRIX_OF("output", published, VOCAB, DIM, bias, .need = NEED_UNTIED)
#define ROWS_END                                                                                   \
    {                                                                                              \
        .gguf = NULL                                                                               \
    }

/* The usual names */
#define ATTENTION "@layers.*.self_attn."
#define MLP "@layers.*.mlp."
#define Q_K_V(bias)                                                                                \
    MATRIX("blk.*.attn_q", ATTENTION "q_proj", Q, DIM, bias),                                      \
        MATRIX("blk.*.attn_k", ATTENTION "k_proj", KV, DIM, bias),                                 \
        MATRIX("blk.*.attn_v", ATTENTION "v_proj", KV, DIM, bias)
#define Q_K_V_PAIRS(bias)                                                                          \
    MATRIX_OF("blk.*.attn_q", ATTENTION "q_proj", Q, DIM, bias, .pairs = true),                    \
        MATRIX_OF("blk.*.attn_k", ATTENTION "k_proj", KV, DIM, bias, .pairs = true),               \
        MATRIX("blk.*.attn_v", ATTENTION "v_proj", KV, DIM, bias)
#define O_PROJ(bias) MATRIX("blk.*.attn_output", ATTENTION "o_proj", DIM, Q, bias)
#define GATE_UP_DOWN(bias)                                                                         \
    MATRIX("blk.*.ffn_gate", MLP "gate_proj", FFN, DIM, bias),                                     \
        MATRIX("blk.*.ffn_up", MLP "up_proj", FFN, DIM, bias),                                     \
        MATRIX("blk.*.ffn_down", MLP "down_proj", DIM, FFN, bias)
#define PRE_NORMS                                                                                  \
    NORM("blk.*.attn_norm", "@layers.*.input_layernorm|@layers.*.ln1"),                            \
        NORM("blk.*.ffn_norm", "@layers.*.post_attention_layernorm|@layers.*.ln2")

#define SILU "silu|swish"
#define LM_HEAD "lm_head|language_model.lm_head"
#define PREFIXES "model.||language_model.model.|model.language_model.|model.text_model."
/* Buffers that old checkpoints hold, and the parts of models that see or hear. */
#define SKIPPED                                                                                    \
    ".rotary_emb.inv_freq|.rotary_emb.cos_cached|.rotary_emb.sin_cached|vision_tower.|"            \
    "model.vision_tower.|multi_modal_projector.|model.multi_modal_projector.|vision_model.|"       \
    "model.vision_model.|model.connector.|image_newline"

#endif
