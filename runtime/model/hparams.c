/* hparams.c: one row a hyperparameter: key, range, whether the file must have it. Nothing behind
 * hparams_read looks at the metadata's numbers again. */
#include "hparams.h"
#include "half.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define U32(key, member, required, min, max)                                                       \
    {                                                                                              \
        key, false, required, min, max, offsetof(struct hparams, member)                           \
    }
#define F32(key, member, required, min, max)                                                       \
    {                                                                                              \
        key, true, required, min, max, offsetof(struct hparams, member)                            \
    }

/* clang-format off */
static const struct hparam_range ranges[] = {
    U32("block_count",                           layers,                true,  1, LAYERS_MAX),
    U32("embedding_length",                      dim,                   true,  1, 131072),
    U32("attention.head_count",                  heads,                 true,  1, 1024),
    U32("attention.head_count_kv",               kv_heads,              false, 1, 1024),
    U32("attention.key_length",                  head_dim,              false, 1, 1024),
    U32("attention.value_length",                value_dim,             false, 1, 1024),
    U32("feed_forward_length",                   ffn_dim,               true,  1, 1048576),
    U32("context_length",                        context,               true,  1, 134217728),
    U32("rope.dimension_count",                  rope_dims,             false, 2, 1024),
    U32("rope.scaling.original_context_length",  rope_context,          false, 1, 134217728),
    U32("attention.sliding_window",              window,                false, 0, 134217728),
    U32("prefix.end_token_id",                   prefix_end,            false, 0, INT32_MAX),
    U32("prefix.mask_token_id",                  prefix_mask,           false, 0, INT32_MAX),
    U32("prefix.gmask_token_id",                 prefix_gmask,          false, 0, INT32_MAX),
    F32("rope.freq_base",                        rope_base,             false, 1, 1e12),
    F32("rope.freq_base_swa",                    rope_base_local,       false, 1, 1e12),
    F32("rope.scale_linear",                     rope_factor,           false, 1e-3, 1e6),
    F32("rope.scaling.factor",                   rope_factor,           false, 0, 1e6),
    F32("rope.scaling.attn_factor",              rope_attention_factor, false, 1e-3, 1e3),
    F32("rope.scaling.alpha",                    rope_alpha,            false, 0, 1e6),
    F32("rope.scaling.yarn_ext_factor",          rope_extrapolation,    false, 0, 1),
    F32("rope.scaling.yarn_beta_fast",           rope_beta_fast,        false, 1e-3, 1e6),
    F32("rope.scaling.yarn_beta_slow",           rope_beta_slow,        false, 1e-3, 1e6),
    F32("rope.scaling.low_freq_factor",          rope_low_frequency,    false, 1e-3, 1e6),
    F32("rope.scaling.high_freq_factor",         rope_high_frequency,   false, 1e-3, 1e6),
    F32("attention.scale",                       attention_scale,       false, 0, 1e3),
    F32("attn_logit_softcapping",                attention_softcap,     false, 0, 1e6),
    F32("final_logit_softcapping",               final_softcap,         false, 0, 1e6),
    F32("attention.max_alibi_bias",              alibi_max,             false, 0, 1e3),
    F32("embedding_scale",                       embedding_scale,       false, 1e-6, 1e6),
    F32("residual_scale",                        residual_scale,        false, 1e-6, 1e6),
    F32("logit_scale",                           logit_scale,           false, 1e-6, 1e6),
};
/* clang-format on */

const struct hparam_range *hparam_ranges(size_t *count)
{
    *count = sizeof ranges / sizeof *ranges;
    return ranges;
}

enum { KEY_MAX = 160 };

struct source {
    const struct gguf *gguf;
    const struct family *family;
    struct fault *fault;
};

static void key_of(const struct source *source, const char *name, char key[KEY_MAX])
{
    snprintf(key, KEY_MAX, "%s.%s", source->family->architecture, name);
}

static bool read_u32(const struct source *source, const char *key, const struct hparam_range *range,
                     uint32_t *value)
{
    if (!gguf_entry_find(source->gguf, key) && !range->required)
        return true;
    if (!gguf_u32(source->gguf, key, true, value, source->fault))
        return false;
    if (*value < range->min || *value > range->max)
        return fault_set(source->fault, FAULT_FORMAT, "%s is %u, expected %.0f to %.0f", key,
                         *value, range->min, range->max);
    return true;
}

static bool read_f32(const struct source *source, const char *key, const struct hparam_range *range,
                     float *value)
{
    if (!gguf_entry_find(source->gguf, key) && !range->required)
        return true;
    if (!gguf_f32(source->gguf, key, true, value, source->fault))
        return false;
    if (!((double)*value >= range->min && (double)*value <= range->max))
        return fault_set(source->fault, FAULT_FORMAT, "%s is %g, expected %g to %g", key,
                         (double)*value, range->min, range->max);
    return true;
}

static bool read_ranges(const struct source *source, struct hparams *hparams)
{
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        char key[KEY_MAX], *member = (char *)hparams + ranges[i].offset;
        key_of(source, ranges[i].key, key);
        bool good = ranges[i].real ? read_f32(source, key, &ranges[i], (float *)(void *)member)
                                   : read_u32(source, key, &ranges[i], (uint32_t *)(void *)member);
        if (!good)
            return false;
    }
    return true;
}

/* RMS and LayerNorm models name their eps by two keys. */
static bool read_eps(const struct source *source, struct hparams *hparams)
{
    static const struct hparam_range range = {"", true, true, 0, 0.1, 0};
    char key[KEY_MAX];
    key_of(source,
           source->family->norm == NORM_RMS ? "attention.layer_norm_rms_epsilon"
                                            : "attention.layer_norm_epsilon",
           key);
    return read_f32(source, key, &range, &hparams->norm_eps);
}

static bool text_is(const struct gguf_string *text, const char *word)
{
    return text->size == strlen(word) && memcmp(text->bytes, word, text->size) == 0;
}

/* A factor without a type is linear, as older files have it. */
static bool read_scaling_type(const struct source *source, struct hparams *hparams)
{
    static const char *const names[] = {"none", "linear", "yarn", "llama3", "longrope"};
    char key[KEY_MAX];
    key_of(source, "rope.scaling.type", key);
    struct gguf_string text = {"linear", 6};
    if (!gguf_text(source->gguf, key, false, &text, source->fault))
        return false;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (text_is(&text, names[i])) {
            hparams->rope_scaling = (enum rope_scaling)i;
            return true;
        }
    return fault_set(source->fault, FAULT_UNSUPPORTED,
                     "%s is \"%.*s\", lichen runs none, linear, yarn, llama3 and longrope", key,
                     (int)(text.size < 64 ? text.size : 64), text.bytes);
}

static void set_defaults(const struct family *family, struct hparams *hparams)
{
    *hparams = (struct hparams){
        .window = family->window_default,
        .attention_softcap = family->attention_softcap_default,
        .final_softcap = family->final_softcap_default,
        .prefix_end = PLAN_NONE,
        .prefix_mask = PLAN_NONE,
        .prefix_gmask = PLAN_NONE,
        .rope_base = 10000,
        .rope_base_local = family->rope_base_local,
        .rope_local_plain = family->rope_local_plain,
        .rope_rounded = family->position == POSITION_PREFIX,
        .rope_factor = 1,
        .rope_attention_factor = 1,
        .rope_extrapolation = 1,
        .rope_beta_fast = 32,
        .rope_beta_slow = 1,
        .rope_low_frequency = 1,
        .rope_high_frequency = 4,
    };
}

static bool fail(const struct source *source, const char *what, uint32_t found, uint32_t expected)
{
    return fault_set(source->fault, FAULT_FORMAT, "%s: %s is %u, expected %u",
                     source->family->architecture, what, found, expected);
}

/* What follows from other values when the file does not say it. */
static bool derive_heads(const struct source *source, struct hparams *hparams)
{
    if (hparams->kv_heads == 0)
        hparams->kv_heads = hparams->heads;
    if (hparams->heads % hparams->kv_heads != 0)
        return fail(source, "head_count modulo head_count_kv", hparams->heads % hparams->kv_heads,
                    0);
    if (hparams->head_dim == 0 && hparams->dim % hparams->heads != 0)
        return fail(source, "embedding_length modulo head_count", hparams->dim % hparams->heads, 0);
    if (hparams->head_dim == 0)
        hparams->head_dim = hparams->dim / hparams->heads;
    if (hparams->value_dim != 0 && hparams->value_dim != hparams->head_dim)
        return fail(source, "value_length", hparams->value_dim, hparams->head_dim);
    hparams->value_dim = hparams->head_dim;
    if (hparams->head_dim > 1024)
        return fail(source, "the head dimension (at most)", hparams->head_dim, 1024);
    return true;
}

static bool derive_rope(const struct source *source, struct hparams *hparams)
{
    const struct family *family = source->family;
    if (family->position == POSITION_LEARNED || hparams->alibi_max > 0) {
        hparams->rope_dims = 0;
        return true;
    }
    bool halves = family->position == POSITION_PREFIX;
    if (hparams->rope_dims == 0)
        hparams->rope_dims = halves ? hparams->head_dim / 2 : hparams->head_dim;
    if (halves && hparams->rope_dims * 2 != hparams->head_dim)
        return fail(source, "two times rope.dimension_count", hparams->rope_dims * 2,
                    hparams->head_dim);
    if (hparams->rope_dims % 2 != 0)
        return fail(source, "rope.dimension_count modulo 2", 1, 0);
    if (hparams->rope_dims > hparams->head_dim ||
        (family->rope_whole_head && hparams->rope_dims != hparams->head_dim))
        return fail(source, "rope.dimension_count", hparams->rope_dims, hparams->head_dim);
    if (hparams->rope_factor <= 0)
        hparams->rope_factor = 1;
    if (hparams->rope_context == 0)
        hparams->rope_context = hparams->context;
    if (gguf_tensor_find(source->gguf, "rope_factors_short.weight") &&
        hparams->rope_context < hparams->context)
        hparams->context = hparams->rope_context;
    if (hparams->rope_base_local <= 0)
        hparams->rope_base_local = hparams->rope_base;
    if (hparams->rope_low_frequency >= hparams->rope_high_frequency)
        return fault_set(source->fault, FAULT_FORMAT,
                         "rope.scaling.low_freq_factor is %g, expected below %g",
                         (double)hparams->rope_low_frequency, (double)hparams->rope_high_frequency);
    return true;
}

/* Without them nobody knows where a prompt ends. */
static bool require_prefix(const struct source *source, const struct hparams *hparams)
{
    if (source->family->position != POSITION_PREFIX ||
        (hparams->prefix_end != PLAN_NONE && hparams->prefix_mask != PLAN_NONE &&
         hparams->prefix_gmask != PLAN_NONE))
        return true;
    return fault_set(source->fault, FAULT_FORMAT,
                     "%s: the keys prefix.end_token_id, prefix.mask_token_id and "
                     "prefix.gmask_token_id are not all there",
                     source->family->architecture);
}

/* A window as long as the context hides nothing. */
static bool derive_window(const struct source *source, struct hparams *hparams)
{
    if (source->family->window_period != 0 || hparams->window == 0)
        return true;
    if (hparams->window < hparams->context)
        return fault_set(source->fault, FAULT_UNSUPPORTED,
                         "%s with attention.sliding_window %u: lichen does not know which layers "
                         "slide",
                         source->family->architecture, hparams->window);
    hparams->window = 0;
    return true;
}

static void derive_attention(const struct family *family, struct hparams *hparams)
{
    double dims = hparams->head_dim;
    if (hparams->layers == family->layers_27b)
        dims = (double)hparams->dim / hparams->heads;
    if (hparams->attention_scale <= 0)
        hparams->attention_scale = (float)(1 / sqrt(dims));
    if (family->position == POSITION_BAICHUAN && hparams->layers == 40 && hparams->alibi_max <= 0)
        hparams->alibi_max = 8;
}

/* NTK-aware scaling, as far as the converter has not multiplied the base already. */
static void derive_rope_alpha(struct hparams *hparams)
{
    double dims = hparams->head_dim;
    if (hparams->rope_alpha > 0 && dims > 2)
        hparams->rope_base *= (float)pow((double)hparams->rope_alpha, dims / (dims - 2));
}

static float or_default(float value, double otherwise)
{
    return value > 0 ? value : (float)otherwise;
}

static bool derive_scales(const struct source *source, struct hparams *hparams)
{
    double dim = hparams->dim, layers = hparams->layers;
    float *embedding = &hparams->embedding_scale, *residual = &hparams->residual_scale;
    float *logits = &hparams->logit_scale;
    enum scales scales = source->family->scales;
    if (scales == SCALES_MINICPM || scales == SCALES_GRANITE) {
        bool old = scales == SCALES_MINICPM; /* files from before the keys */
        *embedding = or_default(*embedding, old ? 12 : 1);
        *residual = or_default(*residual, old ? 1.4 / sqrt(layers) : 1);
        *logits = (float)(1 / (double)or_default(*logits, old ? dim / 256 : 1));
        return true;
    }
    if (scales == SCALES_RESIDUAL && *residual <= 0)
        return fault_set(source->fault, FAULT_FORMAT, "key %s.residual_scale is missing",
                         source->family->architecture);
    if (*embedding > 0 || (*residual > 0 && scales != SCALES_RESIDUAL) ||
        (*logits > 0 && scales != SCALES_COHERE))
        return fault_set(source->fault, FAULT_UNSUPPORTED,
                         "%s with embedding_scale, residual_scale or logit_scale",
                         source->family->architecture);
    *embedding = 1;
    *residual = or_default(*residual, 1);
    *logits = or_default(*logits, 1);
    if (scales == SCALES_GEMMA)
        *embedding = bfloat_to_float(bfloat_from_float((float)sqrt(dim)));
    return true;
}

/* One expert is none. */
static bool refuse_experts(const struct source *source)
{
    uint32_t count = 0;
    char key[KEY_MAX];
    key_of(source, "expert_count", key);
    if (!gguf_u32(source->gguf, key, false, &count, source->fault))
        return false;
    if (count > 1)
        return fault_set(source->fault, FAULT_UNSUPPORTED,
                         "%s is %u: mixtures of experts are not supported", key, count);
    return true;
}

/* Switches that change the result when they are off; attention.causal is off in embedding models.
 */
static bool refuse_switched_off(const struct source *source)
{
    static const char *const names[] = {"attention.causal", "rope.scaling.finetuned"};
    bool granite = source->family->scales == SCALES_GRANITE; /* finetuned means rotated */
    for (int i = 0; i < (granite ? 2 : 1); i++) {
        bool on = true;
        char key[KEY_MAX];
        key_of(source, names[i], key);
        if (!gguf_bool(source->gguf, key, false, &on, source->fault))
            return false;
        if (!on)
            return fault_set(source->fault, FAULT_UNSUPPORTED, "%s is false", key);
    }
    return true;
}

/* A number, the period, or for each layer whether it slides. */
static bool read_window_pattern(const struct source *source, struct hparams *hparams)
{
    static const struct hparam_range range = {"", false, false, 1, LAYERS_MAX, 0};
    uint32_t period = source->family->window_period;
    char key[KEY_MAX], text[8];
    key_of(source, "attention.sliding_window_pattern", key);
    const struct gguf_entry *list = gguf_entry_find(source->gguf, key);
    if (!list || list->type != GGUF_ARRAY) {
        if (!read_u32(source, key, &range, &period))
            return false;
        for (uint32_t i = 0; i < hparams->layers; i++)
            hparams->local[i] = period == 1 || (period != 0 && i % period != period - 1);
        return true;
    }
    if (list->item_type != GGUF_BOOL || list->count != hparams->layers)
        return fault_set(source->fault, FAULT_FORMAT, "%s has %llu items, expected %u booleans",
                         key, (unsigned long long)list->count, hparams->layers);
    for (uint32_t i = 0; i < hparams->layers; i++) {
        gguf_format(source->gguf, list, i, text, sizeof text);
        hparams->local[i] = strcmp(text, "true") == 0;
    }
    return true;
}

bool hparams_read(const struct gguf *gguf, const struct family *family, struct hparams *hparams,
                  struct fault *fault)
{
    struct source source = {gguf, family, fault};
    set_defaults(family, hparams);
    if (!read_ranges(&source, hparams) || !read_eps(&source, hparams) ||
        !read_scaling_type(&source, hparams) || !read_window_pattern(&source, hparams) ||
        !refuse_experts(&source) || !refuse_switched_off(&source) ||
        !require_prefix(&source, hparams) || !derive_heads(&source, hparams))
        return false;
    derive_attention(family, hparams);
    derive_rope_alpha(hparams);
    return derive_rope(&source, hparams) && derive_window(&source, hparams) &&
           derive_scales(&source, hparams);
}
