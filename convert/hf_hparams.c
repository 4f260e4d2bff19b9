/* hf_hparams.c: the numbers of config.json that every family has, each inside the range that the
 * runtime accepts, and their GGUF keys. */
#include "hf_builder.h"

#include <string.h>

static void read_heads(struct hf_builder *builder)
{
    struct hf_config *config = &builder->config;
    struct hf_hparams *h = &builder->hparams;
    const char *kv_names = "num_key_value_heads|multi_query_group_num";
    h->heads = hf_required_count(config, "num_attention_heads|n_head", 1, 1024);
    h->kv_heads = hf_count(config, kv_names, 1, 1024, h->heads);
    h->kv_assumed = !hf_find(config, kv_names);
    if (json_is_null(json_object_get(config->text, "num_key_value_heads")))
        h->kv_heads = h->heads; /* said to be the usual, whatever the family's default */
    if (!hf_bool(config, "multi_query_attention", true))
        h->kv_heads = h->heads;
    h->head_dim = hf_count(config, "head_dim|kv_channels", 2, 1024, 0);
    if (!hf_goes_on(builder))
        return;
    if (h->heads % h->kv_heads != 0)
        hf_fail(builder, FAULT_FORMAT,
                "config.json: %u attention heads are not a multiple of %u key-value heads%s",
                h->heads, h->kv_heads,
                h->kv_assumed ? " (num_key_value_heads is missing; the original takes that)" : "");
    if (h->head_dim == 0 && (h->dim % h->heads != 0 || h->dim / h->heads > 1024))
        hf_fail(builder, FAULT_FORMAT,
                "config.json: hidden_size %u over %u heads, expected a whole number up to 1024",
                h->dim, h->heads);
    if (h->head_dim == 0)
        h->head_dim = h->dim / h->heads;
}

static void put_heads(struct hf_builder *builder)
{
    const struct hf_hparams *h = &builder->hparams;
    hf_put_u32(builder, "attention.head_count", h->heads);
    hf_put_u32(builder, "attention.head_count_kv", h->kv_heads);
    if ((uint64_t)h->head_dim * h->heads == h->dim)
        return;
    hf_put_u32(builder, "attention.key_length", h->head_dim);
    hf_put_u32(builder, "attention.value_length", h->head_dim);
}

/* What the graph computes is fixed by the family. */
static void check_activation(struct hf_builder *builder)
{
    const char *wanted = builder->family->activation;
    const char *found = hf_text(
        &builder->config, "hidden_activation|hidden_act|activation_function|activation", NULL);
    if (wanted && found && !hf_list_has(wanted, found))
        hf_unsupported(builder, "activation %.64s: lichen's %s has %s", found,
                       builder->family->architecture, wanted);
}

static void refuse_experts(struct hf_builder *builder)
{
    uint32_t experts =
        hf_count(&builder->config, "num_local_experts|num_experts|n_routed_experts|moe_num_experts",
                 0, 65536, 0);
    if (experts <= 1)
        return;
    hf_unsupported(builder, "a mixture of %u experts: mixtures are not supported yet", experts);
    builder->source->source.expert_count = experts;
}

static void read_sizes(struct hf_builder *builder)
{
    struct hf_config *config = &builder->config;
    struct hf_hparams *h = &builder->hparams;
    h->layers = hf_required_count(config, "num_hidden_layers|n_layer|num_layers", 1, HF_LAYERS_MAX);
    h->dim = hf_required_count(config, "hidden_size|n_embd", 1, 131072);
    h->vocab = hf_count(config, "padded_vocab_size", 1, 1 << 24, 0);
    if (h->vocab == 0)
        h->vocab = hf_required_count(config, "vocab_size", 1, 1 << 24);
    const char *context = builder->family->context ? builder->family->context
                                                   : "max_position_embeddings|n_positions|"
                                                     "seq_length|max_sequence_length|"
                                                     "model_max_length|n_ctx";
    h->context = hf_required_count(config, context, 1, 134217728);
    const char *ffn = "intermediate_size|ffn_hidden_size|n_inner";
    h->ffn = builder->family->ffn_is_4_dim ? hf_count(config, ffn, 1, 1048576, 4 * h->dim)
                                           : hf_required_count(config, ffn, 1, 1048576);
    h->tied = hf_bool(config, "tie_word_embeddings", builder->family->tied);
}

static void put_sizes(struct hf_builder *builder)
{
    const struct hf_hparams *h = &builder->hparams;
    bool layer_norm = builder->family->layer_norm;
    hf_put_u32(builder, "vocab_size", h->vocab);
    hf_put_u32(builder, "context_length", h->context);
    hf_put_u32(builder, "embedding_length", h->dim);
    hf_put_u32(builder, "block_count", h->layers);
    hf_put_u32(builder, "feed_forward_length", h->ffn);
    put_heads(builder);
    double eps = hf_required_number(&builder->config,
                                    "rms_norm_eps|layer_norm_eps|layer_norm_epsilon|"
                                    "layernorm_epsilon|norm_epsilon|norm_eps",
                                    0, 0.1);
    hf_put_f32(builder,
               layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon",
               eps);
}

void hf_hparams_read(struct hf_builder *builder)
{
    struct source *source = &builder->source->source;
    refuse_experts(builder);
    check_activation(builder);
    if (!hf_goes_on(builder))
        return;
    read_sizes(builder);
    read_heads(builder);
    if (!hf_goes_on(builder))
        return;
    source->layer_count = builder->hparams.layers;
    source->gqa = builder->hparams.heads / builder->hparams.kv_heads;
    put_sizes(builder);
    if (!builder->family->learned_positions)
        hf_rope_read(builder);
    if (builder->family->special && hf_goes_on(builder))
        builder->family->special(builder);
}

/* windows */

static bool read_layer_types(struct hf_builder *builder, const json_t *types, uint8_t *local)
{
    uint32_t layers = builder->hparams.layers;
    if (!json_is_array(types) || json_array_size(types) != layers)
        return hf_fail(builder, FAULT_FORMAT, "config.json: layer_types is no array of %u names",
                       layers);
    for (uint32_t i = 0; i < layers; i++) {
        const char *name = json_string_value(json_array_get(types, i));
        local[i] = name && strcmp(name, "sliding_attention") == 0;
        if (!name || (!local[i] && strcmp(name, "full_attention") != 0))
            return hf_fail(builder, FAULT_UNSUPPORTED,
                           "config.json: layer_types[%u] is %.64s, expected sliding_attention or "
                           "full_attention",
                           i, name ? name : "no text");
    }
    return true;
}

/* An integer n: every n-th layer is full; a text "LLLG": L slides. */
static bool read_pattern(struct hf_builder *builder, uint32_t period, uint8_t *local)
{
    const json_t *pattern =
        hf_find(&builder->config, "sliding_window_pattern|_sliding_window_pattern");
    const char *letters = json_string_value(pattern);
    if (pattern && !letters)
        period = hf_count(&builder->config, "sliding_window_pattern|_sliding_window_pattern", 1,
                          HF_LAYERS_MAX, period);
    if (!hf_goes_on(builder)) /* the number is 0 then */
        return false;
    size_t size = letters ? strlen(letters) : 0;
    for (uint32_t i = 0; i < builder->hparams.layers; i++)
        local[i] = size ? letters[i % size] == 'L' : period == 1 || i % period != period - 1;
    return true;
}

void hf_put_window(struct hf_builder *builder, uint32_t period)
{
    struct hf_hparams *h = &builder->hparams;
    bool used = hf_bool(&builder->config, "use_sliding_window", true);
    h->window = hf_count(&builder->config, "sliding_window", 0, 134217728, 0);
    const json_t *types = hf_find(&builder->config, "layer_types");
    uint8_t *local = hf_alloc(builder, h->layers, 1);
    if (!local || !hf_goes_on(builder) || !used || h->window == 0)
        return;
    if (!(types ? read_layer_types(builder, types, local) : read_pattern(builder, period, local)))
        return;
    bool any = memchr(local, 1, h->layers) != NULL, regular = true;
    for (uint32_t i = 0; i < h->layers; i++)
        regular &= local[i] == (period == 1 || i % period != period - 1);
    if (!any) {
        h->window = 0;
        return;
    }
    hf_put_u32(builder, "attention.sliding_window", h->window);
    if (!regular)
        hf_put_bools(builder, "attention.sliding_window_pattern", local, h->layers);
}
