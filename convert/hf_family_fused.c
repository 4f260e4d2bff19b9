/* hf_family_fused.c: Llama decoders whose matrices are published in one piece or under other names:
 * ERNIE 4.5 as Paddle writes it, InternLM2, Baichuan, EXAONE 3. */
#include "hf_rows.h"

static const struct hf_row ernie_fused_rows[] = {
    EMBEDDING("@embed_tokens"),
    PRE_NORMS,
    MATRIX_OF("blk.*.attn_q", ATTENTION "qkv_proj", Q, DIM, "use_bias", .layout = LAYOUT_STACKED,
              .part = PART_Q),
    MATRIX_OF("blk.*.attn_k", ATTENTION "qkv_proj", KV, DIM, "use_bias", .layout = LAYOUT_STACKED,
              .part = PART_K),
    MATRIX_OF("blk.*.attn_v", ATTENTION "qkv_proj", KV, DIM, "use_bias", .layout = LAYOUT_STACKED,
              .part = PART_V),
    O_PROJ("use_bias"),
    MATRIX_OF("blk.*.ffn_gate", MLP "up_gate_proj", FFN, DIM, "use_bias", .layout = LAYOUT_STACKED,
              .part = PART_GATE),
    MATRIX_OF("blk.*.ffn_up", MLP "up_gate_proj", FFN, DIM, "use_bias", .layout = LAYOUT_STACKED,
              .part = PART_UP),
    MATRIX("blk.*.ffn_down", MLP "down_proj", DIM, FFN, "use_bias"),
    NORM("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),
    ROWS_END,
};

static const struct hf_family ernie_fused = {
    .model_types = "ernie4_5",
    .architecture = "ernie4_5",
    .prefixes = "model.|ernie.",
    .probe = "layers.0.self_attn.qkv_proj",
    .rows = ernie_fused_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .tied = true,
    .defaults = (const struct hf_default[]){{"rms_norm_eps", 1e-5},
                                            {"rope_theta", 500000},
                                            {"head_dim", 128},
                                            {"num_key_value_heads", 2},
                                            {NULL, 0}},
};

static const struct hf_row internlm2_rows[] = {
    EMBEDDING("@tok_embeddings"),
    NORM("blk.*.attn_norm", "@layers.*.attention_norm"),
    MATRIX_OF("blk.*.attn_q", "@layers.*.attention.wqkv", Q, DIM, "bias", .layout = LAYOUT_GROUPED,
              .part = PART_Q, .pairs = true),
    MATRIX_OF("blk.*.attn_k", "@layers.*.attention.wqkv", KV, DIM, "bias", .layout = LAYOUT_GROUPED,
              .part = PART_K, .pairs = true),
    MATRIX_OF("blk.*.attn_v", "@layers.*.attention.wqkv", KV, DIM, "bias", .layout = LAYOUT_GROUPED,
              .part = PART_V),
    MATRIX("blk.*.attn_output", "@layers.*.attention.wo", DIM, Q, "bias"),
    NORM("blk.*.ffn_norm", "@layers.*.ffn_norm"),
    MATRIX("blk.*.ffn_gate", "@layers.*.feed_forward.w1", FFN, DIM, BIAS_NEVER),
    MATRIX("blk.*.ffn_up", "@layers.*.feed_forward.w3", FFN, DIM, BIAS_NEVER),
    MATRIX("blk.*.ffn_down", "@layers.*.feed_forward.w2", DIM, FFN, BIAS_NEVER),
    NORM("output_norm", "@norm"),
    HEAD("output", BIAS_NEVER),
    ROWS_END,
};

static const struct hf_family internlm2 = {
    .model_types = "internlm2",
    .architecture = "internlm2",
    .prefixes = "model.|language_model.model.",
    .probe = "tok_embeddings",
    .rows = internlm2_rows,
    .skipped = SKIPPED,
    .activation = SILU,
    .defaults = (const struct hf_default[]){{"rms_norm_eps", 1e-6}, {NULL, 0}},
};

static const struct hf_row exaone_rows[] = {
    EMBEDDING("@wte"),
    NORM("blk.*.attn_norm", "@h.*.ln_1"),
    MATRIX("blk.*.attn_q", "@h.*.attn.attention.q_proj", Q, DIM, BIAS_MAYBE),
    MATRIX("blk.*.attn_k", "@h.*.attn.attention.k_proj", KV, DIM, BIAS_MAYBE),
    MATRIX("blk.*.attn_v", "@h.*.attn.attention.v_proj", KV, DIM, BIAS_MAYBE),
    MATRIX("blk.*.attn_output", "@h.*.attn.attention.out_proj", DIM, Q, BIAS_MAYBE),
    NORM("blk.*.ffn_norm", "@h.*.ln_2"),
    MATRIX("blk.*.ffn_gate", "@h.*.mlp.c_fc_0", FFN, DIM, BIAS_MAYBE),
    MATRIX("blk.*.ffn_up", "@h.*.mlp.c_fc_1", FFN, DIM, BIAS_MAYBE),
    MATRIX("blk.*.ffn_down", "@h.*.mlp.c_proj", DIM, FFN, BIAS_MAYBE),
    NORM("output_norm", "@ln_f"),
    HEAD(LM_HEAD, BIAS_NEVER),
    ROWS_END,
};

static const struct hf_family exaone = {
    .model_types = "exaone",
    .architecture = "exaone",
    .prefixes = "transformer.|",
    .probe = "wte",
    .rows = exaone_rows,
    .skipped = ".rotary.inv_freq|.rotary_emb.inv_freq",
    .activation = SILU,
    .ffn_is_4_dim = true,
    .defaults = (const struct hf_default[]){{"layer_norm_epsilon", 1e-5}, {NULL, 0}},
};

/* Baichuan 2 divides the head's rows by their lengths when it answers. */
#define BAICHUAN_ROWS(unit)                                                                        \
    EMBEDDING("@embed_tokens"), PRE_NORMS,                                                         \
        MATRIX_OF("blk.*.attn_q", ATTENTION "W_pack", Q, DIM, BIAS_NEVER,                          \
                  .layout = LAYOUT_STACKED, .part = PART_Q, .pairs = true),                        \
        MATRIX_OF("blk.*.attn_k", ATTENTION "W_pack", KV, DIM, BIAS_NEVER,                         \
                  .layout = LAYOUT_STACKED, .part = PART_K, .pairs = true),                        \
        MATRIX_OF("blk.*.attn_v", ATTENTION "W_pack", KV, DIM, BIAS_NEVER,                         \
                  .layout = LAYOUT_STACKED, .part = PART_V),                                       \
        O_PROJ(BIAS_NEVER), GATE_UP_DOWN(BIAS_NEVER), NORM("output_norm", "@norm"),                \
        MATRIX_OF("output", LM_HEAD, VOCAB, DIM, BIAS_NEVER, .need = NEED_UNTIED,                  \
                  .unit_rows = unit),                                                              \
        ROWS_END

static const struct hf_row baichuan_rows[] = {BAICHUAN_ROWS(false)};
static const struct hf_row baichuan2_rows[] = {BAICHUAN_ROWS(true)};

#define BAICHUAN                                                                                   \
    .model_types = "baichuan", .architecture = "baichuan", .prefixes = "model.|",                  \
    .probe = "embed_tokens", .skipped = SKIPPED "|.alibi_mask|model.alibi_mask",                   \
    .activation = SILU, .context = "max_sequence_length|max_position_embeddings|model_max_length"

static const struct hf_default baichuan_defaults[] = {{"rms_norm_eps", 1e-6}, {NULL, 0}};

static const struct hf_family baichuan = {
    BAICHUAN,
    .rows = baichuan_rows,
    .defaults = baichuan_defaults,
};

/* z_loss_weight came with version 2, whose vocabulary has 125696 tokens. */
static const struct hf_family baichuan2 = {
    BAICHUAN,
    .key = "z_loss_weight",
    .rows = baichuan2_rows,
    .defaults = baichuan_defaults,
};

const struct hf_family *const hf_families_fused[] = {
    &ernie_fused, &internlm2, &exaone, &baichuan2, &baichuan, NULL,
};
