/* hf_family_glm.c: ChatGLM2, ChatGLM3, GLM-4 and the models built like them. They rotate
 * neighbours, half of each head; gate and up are one matrix, gate first. */
#include "hf_builder.h"
#include "hf_rows.h"

#define LAYER "@encoder.layers.*."

static const struct hf_row chatglm_rows[] = {
    EMBEDDING("@embedding.word_embeddings"),
    NORM("blk.*.attn_norm", LAYER "input_layernorm"),
    MATRIX("blk.*.attn_qkv", LAYER "self_attention.query_key_value", QKV, DIM,
           "add_qkv_bias|add_bias_linear"),
    MATRIX("blk.*.attn_output", LAYER "self_attention.dense", DIM, Q, "add_bias_linear"),
    NORM("blk.*.ffn_norm", LAYER "post_attention_layernorm"),
    MATRIX("blk.*.ffn_up", LAYER "mlp.dense_h_to_4h", GATE_UP, DIM, "add_bias_linear"),
    MATRIX("blk.*.ffn_down", LAYER "mlp.dense_4h_to_h", DIM, FFN, "add_bias_linear"),
    NORM("output_norm", "@encoder.final_layernorm"),
    HEAD("@output_layer", BIAS_NEVER),
    ROWS_END,
};

static void require(struct hf_builder *builder, const char *key, bool wanted)
{
    if (hf_bool(&builder->config, key, wanted) != wanted)
        hf_unsupported(builder, "%s is %s", key, wanted ? "false" : "true");
}

static void chatglm_special(struct hf_builder *builder)
{
    require(builder, "rmsnorm", true);
    require(builder, "post_layer_norm", true);
    require(builder, "apply_residual_connection_post_layernorm", false);
    if (hf_count(&builder->config, "pre_seq_len", 0, 1 << 20, 0) != 0)
        hf_unsupported(builder, "a P-Tuning prefix (pre_seq_len)");
}

static const struct hf_family chatglm = {
    .model_types = "chatglm",
    .architecture = "chatglm",
    .prefixes = "transformer.|",
    .probe = "embedding.word_embeddings",
    .rows = chatglm_rows,
    .skipped = ".rotary_pos_emb.inv_freq",
    .special = chatglm_special,
    .defaults = (const struct hf_default[]){{"layernorm_epsilon", 1e-5},
                                            {"partial_rotary_factor", 0.5},
                                            {NULL, 0}},
};

#define GATE_UP(bias) MATRIX("blk.*.ffn_up", MLP "gate_up_proj", GATE_UP, DIM, bias)
#define DOWN(bias) MATRIX("blk.*.ffn_down", MLP "down_proj", DIM, FFN, bias)

static const struct hf_row glm_rows[] = {
    EMBEDDING("@embed_tokens"),
    PRE_NORMS,
    Q_K_V("attention_bias"),
    O_PROJ(BIAS_MAYBE),
    GATE_UP(BIAS_MAYBE),
    DOWN(BIAS_MAYBE),
    NORM("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),
    ROWS_END,
};

static const struct hf_row glm4_rows[] = {
    EMBEDDING("@embed_tokens"),
    PRE_NORMS,
    NORM("blk.*.post_attention_norm", "@layers.*.post_self_attn_layernorm"),
    NORM("blk.*.post_ffw_norm", "@layers.*.post_mlp_layernorm"),
    Q_K_V("attention_bias"),
    O_PROJ(BIAS_MAYBE),
    GATE_UP(BIAS_MAYBE),
    DOWN(BIAS_MAYBE),
    NORM("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),
    ROWS_END,
};

static const struct hf_default glm_defaults[] = {
    {"rms_norm_eps", 1.5625e-7}, {"partial_rotary_factor", 0.5}, {"attention_bias", 1},
    {"head_dim", 128},           {"num_key_value_heads", 2},     {NULL, 0}};

static const struct hf_family glm = {
    .model_types = "glm",
    .architecture = "chatglm",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = glm_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .defaults = glm_defaults,
};

static const struct hf_family glm4 = {
    .model_types = "glm4",
    .architecture = "glm4",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = glm4_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .defaults = glm_defaults,
};

/* Phi-3 and Phi-4: halves are rotated, q | k | v are one matrix too. */
static const struct hf_row phi3_rows[] = {
    EMBEDDING("@embed_tokens"),
    PRE_NORMS,
    MATRIX("blk.*.attn_qkv", ATTENTION "qkv_proj", QKV, DIM, BIAS_MAYBE),
    O_PROJ(BIAS_MAYBE),
    GATE_UP(BIAS_MAYBE),
    DOWN(BIAS_MAYBE),
    NORM("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),
    ROWS_END,
};

/* llama.cpp tells Phi-4 by a window of zero. */
static void phi3_special(struct hf_builder *builder)
{
    hf_put_u32(builder, "attention.sliding_window",
               hf_count(&builder->config, "sliding_window", 0, 134217728, 0));
}

static const struct hf_family phi3 = {
    .model_types = "phi3",
    .architecture = "phi3",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = phi3_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .special = phi3_special,
    .defaults = (const struct hf_default[]){{"rms_norm_eps", 1e-5}, {NULL, 0}},
};

const struct hf_family *const hf_families_glm[] = {&chatglm, &glm, &glm4, &phi3, NULL};
