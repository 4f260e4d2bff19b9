/* hf_family_llama.c: the families that are the Llama decoder with other numbers: RMSNorm, rotary
 * positions, gated feed-forward. Where llama.cpp's graph rotates neighbours and the original
 * halves, q and k are reordered (Q_K_V_PAIRS). */
#include "hf_builder.h"
#include "hf_rows.h"

#include <math.h>
#include <string.h>

static const struct hf_row llama_rows[] = {
    EMBEDDING("@embed_tokens"),
    PRE_NORMS,
    Q_K_V_PAIRS("attention_bias|qkv_bias|bias|use_bias"),
    O_PROJ("attention_bias|bias|use_bias"),
    GATE_UP_DOWN("mlp_bias"),
    NORM("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),
    ROWS_END,
};

static const struct hf_default llama_nested[] = {{"hidden_size", 4096},
                                                 {"intermediate_size", 11008},
                                                 {"num_hidden_layers", 32},
                                                 {"num_attention_heads", 32},
                                                 {"max_position_embeddings", 2048},
                                                 {"vocab_size", 32000},
                                                 {NULL, 0}};

static const struct hf_family llama = {
    .nested_defaults = llama_nested,
    .model_types = "llama|Yi|skywork|internlm|internlm3",
    .architecture = "llama",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = llama_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .defaults = (const struct hf_default[]){{"rms_norm_eps", 1e-6}, {NULL, 0}},
};

static void mistral_special(struct hf_builder *builder)
{
    hf_put_window(builder, 1);
}

static const struct hf_default mistral_nested[] = {
    {"hidden_size", 4096},      {"intermediate_size", 14336},
    {"num_hidden_layers", 32},  {"num_attention_heads", 32},
    {"num_key_value_heads", 8}, {"max_position_embeddings", 131072},
    {"vocab_size", 32000},      {NULL, 0}};

static const struct hf_family mistral = {
    .nested_defaults = mistral_nested,
    .model_types = "mistral|ministral",
    .architecture = "llama",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = llama_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .special = mistral_special,
    .defaults =
        (const struct hf_default[]){{"rms_norm_eps", 1e-6}, {"num_key_value_heads", 8}, {NULL, 0}},
};

/* Layers from max_window_layers on slide, when use_sliding_window says so; GGUF has no key for it
 * that a reader of qwen2 or qwen3 knows. */
static void qwen_special(struct hf_builder *builder)
{
    struct hf_config *config = &builder->config;
    const struct hf_hparams *h = &builder->hparams;
    uint32_t window = hf_count(config, "sliding_window", 0, 134217728, 0);
    uint32_t first = hf_count(config, "max_window_layers", 0, 1 << 20, h->layers);
    if (hf_bool(config, "use_sliding_window", false) && window != 0 && window < h->context &&
        first < h->layers)
        hf_unsupported(builder, "a sliding window of %u tokens from layer %u on", window, first);
}

static const struct hf_row qwen2_rows[] = {
    EMBEDDING("@embed_tokens"), PRE_NORMS,
    Q_K_V(BIAS_ALWAYS),         O_PROJ(BIAS_MAYBE),
    GATE_UP_DOWN(BIAS_MAYBE),   NORM("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),  ROWS_END,
};

static const struct hf_family qwen2 = {
    .model_types = "qwen2",
    .architecture = "qwen2",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = qwen2_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .special = qwen_special,
    .defaults =
        (const struct hf_default[]){{"rms_norm_eps", 1e-6}, {"num_key_value_heads", 32}, {NULL, 0}},
};

#define HEAD_NORMS(query, key)                                                                     \
    VECTOR_OF("blk.*.attn_q_norm", ATTENTION query, HEAD, NEVER, .need = NEED_ALWAYS),             \
        VECTOR_OF("blk.*.attn_k_norm", ATTENTION key, HEAD, NEVER, .need = NEED_ALWAYS)

static const struct hf_row qwen3_rows[] = {
    EMBEDDING("@embed_tokens"),
    PRE_NORMS,
    Q_K_V("attention_bias"),
    HEAD_NORMS("q_norm", "k_norm"),
    O_PROJ("attention_bias"),
    GATE_UP_DOWN(BIAS_MAYBE),
    NORM("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),
    ROWS_END,
};

static const struct hf_family qwen3 = {
    .model_types = "qwen3",
    .architecture = "qwen3",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = qwen3_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .special = qwen_special,
    .defaults =
        (const struct hf_default[]){
            {"rms_norm_eps", 1e-6}, {"head_dim", 128}, {"num_key_value_heads", 32}, {NULL, 0}},
};

static void minicpm_special(struct hf_builder *builder)
{
    struct hf_config *config = &builder->config;
    const struct hf_hparams *h = &builder->hparams;
    double depth = hf_required_number(config, "scale_depth", 1e-6, 1e6);
    double base = hf_required_number(config, "dim_model_base", 1, 1e6);
    hf_put_f32(builder, "embedding_scale", hf_required_number(config, "scale_emb", 1e-6, 1e6));
    hf_put_f32(builder, "residual_scale", depth / sqrt(h->layers));
    hf_put_f32(builder, "logit_scale", h->dim / base);
}

static const struct hf_family minicpm = {
    .model_types = "minicpm",
    .architecture = "minicpm",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = llama_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .tied = true,
    .special = minicpm_special,
    .defaults = (const struct hf_default[]){{"rms_norm_eps", 1e-6},
                                            {"scale_emb", 1},
                                            {"scale_depth", 1},
                                            {"dim_model_base", 1},
                                            {NULL, 0}},
};

static void put_multiplier(struct hf_builder *builder, const char *name, const char *key)
{
    if (hf_find(&builder->config, name))
        hf_put_f32(builder, key, hf_number(&builder->config, name, 1e-6, 1e6, 1));
}

static void granite_special(struct hf_builder *builder)
{
    put_multiplier(builder, "embedding_multiplier", "embedding_scale");
    put_multiplier(builder, "residual_multiplier", "residual_scale");
    put_multiplier(builder, "logits_scaling", "logit_scale");
    /* an absent one is 1, not 1 / sqrt(head_dim) */
    hf_put_f32(builder, "attention.scale",
               hf_number(&builder->config, "attention_multiplier", 1e-6, 1e3, 1));
}

static const struct hf_family granite = {
    .model_types = "granite",
    .architecture = "granite",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = llama_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .special = granite_special,
    .defaults = (const struct hf_default[]){{"rms_norm_eps", 1e-6}, {NULL, 0}},
};

/* The original rotates neighbours itself. */
static const struct hf_row ernie_rows[] = {
    EMBEDDING("@embed_tokens"), PRE_NORMS,
    Q_K_V("use_bias"),          O_PROJ("use_bias"),
    GATE_UP_DOWN("use_bias"),   NORM("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),  ROWS_END,
};

static const struct hf_family ernie = {
    .model_types = "ernie4_5",
    .architecture = "ernie4_5",
    .prefixes = "model.|ernie.",
    .probe = "layers.0.self_attn.q_proj",
    .rows = ernie_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .tied = true,
    .defaults =
        (const struct hf_default[]){
            {"rms_norm_eps", 1e-5}, {"rope_theta", 500000}, {"num_key_value_heads", 2}, {NULL, 0}},
};

static const struct hf_row hunyuan_rows[] = {
    EMBEDDING("@embed_tokens"),
    PRE_NORMS,
    Q_K_V("attention_bias"),
    HEAD_NORMS("query_layernorm", "key_layernorm"),
    O_PROJ("attention_bias"),
    GATE_UP_DOWN("mlp_bias"),
    NORM("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),
    ROWS_END,
};

static void hunyuan_special(struct hf_builder *builder)
{
    if (!hf_bool(&builder->config, "use_qk_norm", true))
        hf_unsupported(builder, "use_qk_norm is false");
    if (hf_bool(&builder->config, "use_cla", false))
        hf_unsupported(builder, "layers that share keys and values (use_cla)");
}

static const struct hf_family hunyuan = {
    .model_types = "hunyuan_v1_dense|hunyuan",
    .architecture = "hunyuan-dense",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = hunyuan_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .special = hunyuan_special,
    .defaults = (const struct hf_default[]){{"rms_norm_eps", 1e-5}, {NULL, 0}},
};

static const struct hf_row pangu_rows[] = {
    EMBEDDING("@embed_tokens"),
    PRE_NORMS,
    Q_K_V("bias"),
    O_PROJ("bias"),
    GATE_UP_DOWN(BIAS_NEVER),
    NORM("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),
    ROWS_END,
};

static const struct hf_family pangu = {
    .model_types = "PanguEmbedded|pangu_embedded",
    .architecture = "pangu-embedded",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = pangu_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .defaults = (const struct hf_default[]){{"rms_norm_eps", 1e-5}, {NULL, 0}},
};

/* The graph leaves out the rotation of layers 3, 7, 11.. */
static void smollm3_special(struct hf_builder *builder)
{
    struct hf_config *config = &builder->config;
    const json_t *list = hf_find(config, "no_rope_layers");
    uint32_t interval = hf_count(config, "no_rope_layer_interval", 1, HF_LAYERS_MAX, 4);
    bool usual = list || interval == 4;
    for (uint32_t i = 0; list && i < builder->hparams.layers; i++) {
        const json_t *item = json_array_get(list, i); /* 1 = rotated */
        usual &= json_is_integer(item) && (json_integer_value(item) != 0) == (i % 4 != 3);
    }
    if (!usual)
        hf_unsupported(builder, "no_rope_layers that are not every fourth layer");
    if (hf_bool(config, "use_sliding_window", false))
        hf_unsupported(builder, "smollm3 with a sliding window");
}

static const struct hf_family smollm3 = {
    .model_types = "smollm3",
    .architecture = "smollm3",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = llama_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .tied = true,
    .special = smollm3_special,
    .defaults =
        (const struct hf_default[]){
            {"rms_norm_eps", 1e-6}, {"rope_theta", 2000000}, {"num_key_value_heads", 4}, {NULL, 0}},
};

#define POST_NORMS                                                                                 \
    NORM("blk.*.post_attention_norm", "@layers.*.post_attention_layernorm"),                       \
        NORM("blk.*.post_ffw_norm", "@layers.*.post_feedforward_layernorm")

static const struct hf_row olmo2_rows[] = {
    EMBEDDING("@embed_tokens"),
    Q_K_V("attention_bias"),
    VECTOR_OF("blk.*.attn_q_norm", ATTENTION "q_norm", Q, NEVER, .need = NEED_ALWAYS),
    VECTOR_OF("blk.*.attn_k_norm", ATTENTION "k_norm", KV, NEVER, .need = NEED_ALWAYS),
    O_PROJ("attention_bias"),
    GATE_UP_DOWN(BIAS_MAYBE),
    POST_NORMS,
    NORM("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),
    ROWS_END,
};

static void olmo3_special(struct hf_builder *builder)
{
    hf_put_window(builder, 4);
}

static const struct hf_family olmo2 = {
    .model_types = "olmo2",
    .architecture = "olmo2",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = olmo2_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .defaults = (const struct hf_default[]){{"rms_norm_eps", 1e-5}, {NULL, 0}},
};

static const struct hf_family olmo3 = {
    .model_types = "olmo3",
    .architecture = "olmo2",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = olmo2_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .special = olmo3_special,
    .defaults =
        (const struct hf_default[]){
            {"rms_norm_eps", 1e-5}, {"rope_theta", 500000}, {"sliding_window", 4096}, {NULL, 0}},
};

static const struct hf_row exaone4_rows[] = {
    EMBEDDING("@embed_tokens"),   Q_K_V(BIAS_MAYBE),         HEAD_NORMS("q_norm", "k_norm"),
    O_PROJ(BIAS_MAYBE),           GATE_UP_DOWN(BIAS_MAYBE),  POST_NORMS,
    NORM("output_norm", "@norm"), HEAD(LM_HEAD, BIAS_NEVER), ROWS_END,
};

static const struct hf_family exaone4 = {
    .model_types = "exaone4",
    .architecture = "exaone4",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = exaone4_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .special = olmo3_special,
    .defaults =
        (const struct hf_default[]){{"rms_norm_eps", 1e-5}, {"num_key_value_heads", 32}, {NULL, 0}},
};

const struct hf_family *const hf_families_llama[] = {
    &llama,   &mistral, &qwen2,   &qwen3, &minicpm, &granite, &ernie,
    &hunyuan, &pangu,   &smollm3, &olmo2, &olmo3,   &exaone4, NULL,
};
