/* hf_family_gemma.c: Gemma 1, 2 and 3. Norms multiply by 1 + weight, which GGUF holds as the
 * sum. */
#include "hf_builder.h"
#include "hf_rows.h"

#include <math.h>

#define NORM_PLUS_ONE(gguf, published) VECTOR_OF(gguf, published, DIM, NEVER, .plus_one = true)
#define HEAD_NORM_PLUS_ONE(gguf, published)                                                        \
    VECTOR_OF(gguf, published, HEAD, NEVER, .plus_one = true)

static const struct hf_row gemma_rows[] = {
    EMBEDDING("@embed_tokens"),
    NORM_PLUS_ONE("blk.*.attn_norm", "@layers.*.input_layernorm"),
    Q_K_V("attention_bias"),
    O_PROJ("attention_bias"),
    NORM_PLUS_ONE("blk.*.ffn_norm", "@layers.*.post_attention_layernorm"),
    GATE_UP_DOWN(BIAS_MAYBE),
    NORM_PLUS_ONE("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),
    ROWS_END,
};

#define SANDWICH                                                                                   \
    NORM_PLUS_ONE("blk.*.attn_norm", "@layers.*.input_layernorm"),                                 \
        NORM_PLUS_ONE("blk.*.post_attention_norm", "@layers.*.post_attention_layernorm"),          \
        NORM_PLUS_ONE("blk.*.ffn_norm", "@layers.*.pre_feedforward_layernorm"),                    \
        NORM_PLUS_ONE("blk.*.post_ffw_norm", "@layers.*.post_feedforward_layernorm")

static const struct hf_row gemma2_rows[] = {
    EMBEDDING("@embed_tokens"), SANDWICH,
    Q_K_V("attention_bias"),    O_PROJ("attention_bias"),
    GATE_UP_DOWN(BIAS_MAYBE),   NORM_PLUS_ONE("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),  ROWS_END,
};

static const struct hf_row gemma3_rows[] = {
    EMBEDDING("@embed_tokens"),
    SANDWICH,
    Q_K_V("attention_bias"),
    HEAD_NORM_PLUS_ONE("blk.*.attn_q_norm", ATTENTION "q_norm"),
    HEAD_NORM_PLUS_ONE("blk.*.attn_k_norm", ATTENTION "k_norm"),
    O_PROJ("attention_bias"),
    GATE_UP_DOWN(BIAS_MAYBE),
    NORM_PLUS_ONE("output_norm", "@norm"),
    HEAD(LM_HEAD, BIAS_NEVER),
    ROWS_END,
};

/* The graphs scale by 1 / sqrt(head_dim), in models of layers_27b layers by 1 / sqrt(dim / heads),
 * as llama.cpp's; another query_pre_attn_scalar needs the key, which llama.cpp does not read. */
static void put_attention_scale(struct hf_builder *builder, uint32_t layers_27b)
{
    const struct hf_hparams *h = &builder->hparams;
    double usual = h->layers == layers_27b ? (double)h->dim / h->heads : h->head_dim;
    double scalar = hf_number(&builder->config, "query_pre_attn_scalar", 1e-6, 1e6, 256);
    if (scalar != usual)
        hf_put_f32(builder, "attention.scale", 1 / sqrt(scalar));
}

/* null means none, an absent key the class's default. */
static void put_softcap(struct hf_builder *builder, const char *name)
{
    bool none = json_is_null(json_object_get(builder->config.text, name));
    hf_put_f32(builder, name, none ? 0 : hf_required_number(&builder->config, name, 0, 1e6));
}

static void gemma2_special(struct hf_builder *builder)
{
    put_softcap(builder, "attn_logit_softcapping");
    put_softcap(builder, "final_logit_softcapping");
    put_attention_scale(builder, 46);
    hf_put_window(builder, 2);
}

static void gemma3_special(struct hf_builder *builder)
{
    struct hf_config *config = &builder->config;
    const json_t *local = hf_find_in(hf_find(config, "rope_parameters"), "sliding_attention");
    double base = hf_number(config, "rope_local_base_freq", 1, 1e12, 10000);
    base = hf_number_in(config, local, "rope_parameters.sliding_attention", "rope_theta", 1, 1e12,
                        base);
    if (hf_number(config, "attn_logit_softcapping", 0, 1e6, 0) != 0)
        hf_unsupported(builder, "gemma3 with attn_logit_softcapping");
    if (hf_number(config, "final_logit_softcapping", 0, 1e6, 0) != 0)
        put_softcap(builder, "final_logit_softcapping");
    if (hf_bool(config, "use_bidirectional_attention", false))
        hf_unsupported(builder, "attention in both directions");
    put_attention_scale(builder, 62);
    hf_put_f32(builder, "rope.freq_base_swa", base);
    hf_put_window(builder, 6);
}

#define GEMMA                                                                                      \
    .prefixes = PREFIXES, .probe = "embed_tokens", .skipped = SKIPPED, .tied = true,               \
    .activation = "gelu_pytorch_tanh|gelu_new|gelu"

static const struct hf_default gemma_defaults[] = {{"rms_norm_eps", 1e-6},
                                                   {"head_dim", 256},
                                                   {"max_position_embeddings", 8192},
                                                   {"num_key_value_heads", 16},
                                                   {NULL, 0}};
static const struct hf_default gemma2_defaults[] = {{"rms_norm_eps", 1e-6},
                                                    {"head_dim", 256},
                                                    {"max_position_embeddings", 8192},
                                                    {"sliding_window", 4096},
                                                    {"num_attention_heads", 8},
                                                    {"num_key_value_heads", 4},
                                                    {"attn_logit_softcapping", 50},
                                                    {"final_logit_softcapping", 30},
                                                    {NULL, 0}};
/* Published configurations leave out what equals the class's default. */
static const struct hf_default gemma3_defaults[] = {
    {"rms_norm_eps", 1e-6},    {"head_dim", 256},          {"max_position_embeddings", 131072},
    {"sliding_window", 4096},  {"num_attention_heads", 8}, {"num_key_value_heads", 4},
    {"num_hidden_layers", 26}, {"hidden_size", 2304},      {"intermediate_size", 9216},
    {"vocab_size", 262208},    {"rope_theta", 1000000},    {NULL, 0}};

static const struct hf_family gemma = {
    GEMMA,
    .model_types = "gemma",
    .architecture = "gemma",
    .rows = gemma_rows,
    .defaults = gemma_defaults,
};

static const struct hf_family gemma2 = {
    GEMMA,
    .model_types = "gemma2",
    .architecture = "gemma2",
    .rows = gemma2_rows,
    .defaults = gemma2_defaults,
    .special = gemma2_special,
};

static const struct hf_family gemma3 = {
    GEMMA,
    .model_types = "gemma3|gemma3_text",
    .architecture = "gemma3",
    .rows = gemma3_rows,
    .defaults = gemma3_defaults,
    .special = gemma3_special,
};

const struct hf_family *const hf_families_gemma[] = {&gemma, &gemma2, &gemma3, NULL};
