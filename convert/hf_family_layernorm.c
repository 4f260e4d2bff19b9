/* hf_family_layernorm.c: the families with LayerNorm: GPT-2, CodeGen, GPT-J and MOSS, Phi-1 and 2,
 * StarCoder 2, StableLM, Command R. */
#include "hf_builder.h"
#include "hf_rows.h"

static const struct hf_row gpt2_rows[] = {
    EMBEDDING("@wte"),
    MATRIX("position_embd", "@wpe", CONTEXT, DIM, BIAS_NEVER),
    NORM_BIAS("blk.*.attn_norm", "@h.*.ln_1"),
    MATRIX_OF("blk.*.attn_qkv", "@h.*.attn.c_attn", QKV, DIM, BIAS_ALWAYS, .layout = LAYOUT_CONV),
    MATRIX_OF("blk.*.attn_output", "@h.*.attn.c_proj", DIM, Q, BIAS_ALWAYS, .layout = LAYOUT_CONV),
    NORM_BIAS("blk.*.ffn_norm", "@h.*.ln_2"),
    MATRIX_OF("blk.*.ffn_up", "@h.*.mlp.c_fc", FFN, DIM, BIAS_ALWAYS, .layout = LAYOUT_CONV),
    MATRIX_OF("blk.*.ffn_down", "@h.*.mlp.c_proj", DIM, FFN, BIAS_ALWAYS, .layout = LAYOUT_CONV),
    NORM_BIAS("output_norm", "@ln_f"),
    HEAD("lm_head", BIAS_NEVER),
    ROWS_END,
};

static void gpt2_special(struct hf_builder *builder)
{
    struct hf_config *config = &builder->config;
    if (!hf_bool(config, "scale_attn_weights", true))
        hf_unsupported(builder, "scale_attn_weights is false");
    if (hf_bool(config, "scale_attn_by_inverse_layer_idx", false))
        hf_unsupported(builder, "scale_attn_by_inverse_layer_idx is true");
    if (hf_bool(config, "add_cross_attention", false))
        hf_unsupported(builder, "cross attention");
}

#define GELU "gelu_new|gelu_pytorch_tanh|gelu_fast"

static const struct hf_family gpt2 = {
    .model_types = "gpt2",
    .architecture = "gpt2",
    .prefixes = "transformer.|",
    .probe = "wte",
    .rows = gpt2_rows,
    .skipped = ".attn.bias|.attn.masked_bias",
    .activation = GELU,
    .layer_norm = true,
    .tied = true,
    .learned_positions = true,
    .ffn_is_4_dim = true,
    .context = "n_positions|n_ctx",
    .special = gpt2_special,
    .defaults =
        (const struct hf_default[]){{"layer_norm_epsilon", 1e-5}, {"n_positions", 1024}, {NULL, 0}},
};

#define MOSS_MLP                                                                                   \
    MATRIX("blk.*.attn_output", "@h.*.attn.out_proj", DIM, Q, BIAS_MAYBE),                         \
        MATRIX("blk.*.ffn_up", "@h.*.mlp.fc_in", FFN, DIM, BIAS_ALWAYS),                           \
        MATRIX("blk.*.ffn_down", "@h.*.mlp.fc_out", DIM, FFN, BIAS_ALWAYS),                        \
        NORM_BIAS("output_norm", "@ln_f"), HEAD("lm_head", BIAS_ALWAYS), ROWS_END

static const struct hf_row moss_rows[] = {
    EMBEDDING("@wte"),
    NORM_BIAS("blk.*.attn_norm", "@h.*.ln_1"),
    MATRIX_OF("blk.*.attn_qkv", "@h.*.attn.qkv_proj", QKV, DIM, BIAS_MAYBE,
              .layout = LAYOUT_SHARDED_QVK),
    MOSS_MLP,
};

static const struct hf_row gptj_rows[] = {
    EMBEDDING("@wte"),
    NORM_BIAS("blk.*.attn_norm", "@h.*.ln_1"),
    MATRIX("blk.*.attn_q", "@h.*.attn.q_proj", Q, DIM, BIAS_MAYBE),
    MATRIX("blk.*.attn_k", "@h.*.attn.k_proj", KV, DIM, BIAS_MAYBE),
    MATRIX("blk.*.attn_v", "@h.*.attn.v_proj", KV, DIM, BIAS_MAYBE),
    MOSS_MLP,
};

/* CodeGen 2 brings its own code and cuts q | v | k into another number of shards. */
static void moss_special(struct hf_builder *builder)
{
    const char *model_type = hf_text(&builder->config, "model_type", "");
    if (model_type[0] == 'c' && hf_find(&builder->config, "auto_map"))
        hf_unsupported(builder, "CodeGen 2, whose order of q, k and v its own code decides");
    if (builder->hparams.heads % 4 != 0 || builder->hparams.kv_heads != builder->hparams.heads)
        hf_fail(builder, FAULT_FORMAT, "config.json: %u heads, expected a multiple of 4",
                builder->hparams.heads);
    hf_put_bool(builder, "use_parallel_residual", true);
}

static void gptj_special(struct hf_builder *builder)
{
    hf_put_bool(builder, "use_parallel_residual", true);
}

#define MOSS                                                                                       \
    .architecture = "moss", .prefixes = "transformer.|", .probe = "wte",                           \
    .skipped = ".attn.causal_mask|.attn.bias|.attn.masked_bias|.attn.embed_positions|"             \
               ".attn.scale_attn",                                                                 \
    .activation = GELU, .layer_norm = true, .ffn_is_4_dim = true, .context = "n_positions|n_ctx"

static const struct hf_default moss_defaults[] = {
    {"layer_norm_epsilon", 1e-5}, {"n_positions", 2048}, {"rotary_dim", 64}, {NULL, 0}};

static const struct hf_family moss = {
    MOSS,
    .model_types = "moss|codegen",
    .rows = moss_rows,
    .special = moss_special,
    .defaults = moss_defaults,
};

static const struct hf_family gptj = {
    MOSS,
    .model_types = "gptj",
    .rows = gptj_rows,
    .special = gptj_special,
    .defaults = moss_defaults,
};

static const struct hf_row phi2_rows[] = {
    EMBEDDING("@embed_tokens"),
    NORM_BIAS("blk.*.attn_norm", "@layers.*.input_layernorm"),
    Q_K_V(BIAS_ALWAYS),
    MATRIX("blk.*.attn_output", ATTENTION "dense", DIM, Q, BIAS_ALWAYS),
    MATRIX("blk.*.ffn_up", MLP "fc1", FFN, DIM, BIAS_ALWAYS),
    MATRIX("blk.*.ffn_down", MLP "fc2", DIM, FFN, BIAS_ALWAYS),
    NORM_BIAS("output_norm", "@final_layernorm"),
    HEAD(LM_HEAD, BIAS_ALWAYS),
    ROWS_END,
};

static void phi2_special(struct hf_builder *builder)
{
    if (hf_bool(&builder->config, "qk_layernorm", false))
        hf_unsupported(builder, "qk_layernorm is true");
}

static const struct hf_family phi2 = {
    .model_types = "phi",
    .architecture = "phi2",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = phi2_rows,
    .skipped = SKIPPED,
    .activation = GELU,
    .layer_norm = true,
    .ffn_is_4_dim = true,
    .special = phi2_special,
    .defaults = (const struct hf_default[]){{"layer_norm_eps", 1e-5},
                                            {"partial_rotary_factor", 0.5},
                                            {NULL, 0}},
};

static const struct hf_row starcoder2_rows[] = {
    EMBEDDING("@embed_tokens"),
    NORM_BIAS("blk.*.attn_norm", "@layers.*.input_layernorm"),
    NORM_BIAS("blk.*.ffn_norm", "@layers.*.post_attention_layernorm"),
    Q_K_V("use_bias"),
    O_PROJ("use_bias"),
    MATRIX("blk.*.ffn_up", MLP "c_fc", FFN, DIM, "use_bias"),
    MATRIX("blk.*.ffn_down", MLP "c_proj", DIM, FFN, "use_bias"),
    NORM_BIAS("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),
    ROWS_END,
};

static void starcoder2_special(struct hf_builder *builder)
{
    const char *norm = hf_text(&builder->config, "norm_type", "layer_norm");
    if (norm && !hf_list_has("layer_norm", norm))
        hf_unsupported(builder, "norm_type %.64s", norm);
    hf_put_window(builder, 1);
}

static const struct hf_family starcoder2 = {
    .model_types = "starcoder2",
    .architecture = "starcoder2",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = starcoder2_rows,
    .skipped = SKIPPED,
    .activation = GELU,
    .layer_norm = true,
    .tied = true,
    .special = starcoder2_special,
    .defaults =
        (const struct hf_default[]){
            {"norm_epsilon", 1e-5}, {"use_bias", 1}, {"num_key_value_heads", 2}, {NULL, 0}},
};

static const struct hf_row stablelm_rows[] = {
    EMBEDDING("@embed_tokens"),
    NORM_BIAS("blk.*.attn_norm", "@layers.*.input_layernorm"),
    NORM_BIAS("blk.*.ffn_norm", "@layers.*.post_attention_layernorm"),
    Q_K_V("use_qkv_bias"),
    O_PROJ(BIAS_MAYBE),
    GATE_UP_DOWN(BIAS_MAYBE),
    NORM_BIAS("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),
    ROWS_END,
};

static void stablelm_special(struct hf_builder *builder)
{
    struct hf_config *config = &builder->config;
    if (hf_bool(config, "use_parallel_residual", false))
        hf_unsupported(builder, "stablelm with use_parallel_residual");
    if (hf_bool(config, "qk_layernorm", false))
        hf_unsupported(builder, "stablelm with qk_layernorm");
    hf_put_bool(builder, "use_parallel_residual", false);
}

static const struct hf_family stablelm = {
    .model_types = "stablelm|stablelm_epoch",
    .architecture = "stablelm",
    .prefixes = PREFIXES,
    .probe = "embed_tokens",
    .rows = stablelm_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .layer_norm = true,
    .special = stablelm_special,
    .defaults = (const struct hf_default[]){{"layer_norm_eps", 1e-5},
                                            {"partial_rotary_factor", 0.25},
                                            {"num_key_value_heads", 32},
                                            {NULL, 0}},
};

/* Neighbours are rotated as published; attention and feed-forward see one norm. */
static const struct hf_row cohere_rows[] = {
    EMBEDDING("@embed_tokens"), NORM("blk.*.attn_norm", "@layers.*.input_layernorm"),
    Q_K_V("attention_bias"),    O_PROJ("attention_bias"),
    GATE_UP_DOWN(BIAS_MAYBE),   NORM("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),  ROWS_END,
};

static void command_r_special(struct hf_builder *builder)
{
    if (hf_bool(&builder->config, "use_qk_norm", false))
        hf_unsupported(builder, "command-r with use_qk_norm");
    hf_put_f32(builder, "logit_scale",
               hf_number(&builder->config, "logit_scale", 1e-6, 1e6, 0.0625));
}

static void cohere2_special(struct hf_builder *builder)
{
    hf_put_f32(builder, "logit_scale",
               hf_number(&builder->config, "logit_scale", 1e-6, 1e6, 0.0625));
    hf_put_window(builder, 4);
}

#define COHERE                                                                                     \
    .prefixes = PREFIXES, .probe = "embed_tokens", .rows = cohere_rows, .skipped = SKIPPED,        \
    .activation = SILU, .layer_norm = true, .tied = true

static const struct hf_family command_r = {
    COHERE,
    .model_types = "cohere",
    .architecture = "command-r",
    .context = "model_max_length|max_position_embeddings",
    .special = command_r_special,
    .defaults = (const struct hf_default[]){{"layer_norm_eps", 1e-5}, {NULL, 0}},
};

static const struct hf_family cohere2 = {
    COHERE,
    .model_types = "cohere2",
    .architecture = "cohere2",
    .special = cohere2_special,
    .defaults =
        (const struct hf_default[]){{"layer_norm_eps", 1e-5}, {"sliding_window", 4096}, {NULL, 0}},
};

const struct hf_family *const hf_families_layernorm[] = {
    &gpt2, &moss, &gptj, &phi2, &starcoder2, &stablelm, &command_r, &cohere2, NULL,
};
