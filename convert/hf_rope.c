/* hf_rope.c: rotary positions as GGUF has them. The configuration says them in two forms:
 * rope_theta and rope_scaling, or (transformers 5) all in rope_parameters, there perhaps one
 * object for full_attention and one for sliding_attention.
 *
 *   linear    rope.scaling.type linear and factor
 *   dynamic   changes nothing inside the trained context: not written; Hunyuan's, which has an
 *             alpha, changes the base
 *   yarn      type yarn, factor, original_context_length, betas; the attention factor as a multiple
 *             of yarn's own 1 + 0.1 ln factor
 *   llama3    rope_freqs.weight, a divisor a pair, which every reader knows
 *   longrope  rope_factors_long.weight, rope_factors_short.weight and the attention factor */
#include "hf_builder.h"

#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

struct rope {
    const json_t *scaling; /* rope_scaling or rope_parameters; NULL = none */
    const char *where;     /* its name */
    const char *type;      /* "default", "linear".. */
};

static double number(struct hf_builder *builder, const struct rope *rope, const char *names,
                     double min, double max, double fallback)
{
    return hf_number_in(&builder->config, rope->scaling, rope->where, names, min, max, fallback);
}

static double original_context(struct hf_builder *builder, const struct rope *rope)
{
    double fallback = hf_number(&builder->config, "original_max_position_embeddings", 1, 134217728,
                                builder->hparams.context);
    return floor(number(builder, rope, "original_max_position_embeddings", 1, 134217728, fallback));
}

static double yarn_magnitude(double factor, double scale)
{
    return factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1;
}

static void put_yarn(struct hf_builder *builder, const struct rope *rope)
{
    double context = original_context(builder, rope);
    double factor = number(builder, rope, "factor", 1e-3, 1e6, builder->hparams.context / context);
    double own = yarn_magnitude(factor, 1);
    double scale = number(builder, rope, "mscale", 0, 1e3, 0);
    double scale_all = number(builder, rope, "mscale_all_dim", 0, 1e3, 0);
    double usual = scale != 0 && scale_all != 0
                       ? yarn_magnitude(factor, scale) / yarn_magnitude(factor, scale_all)
                       : own;
    double magnitude = number(builder, rope, "attention_factor|attn_factor", 1e-3, 1e3, usual);
    const json_t *truncate = hf_find_in(rope->scaling, "truncate");
    if (truncate && !json_is_true(truncate))
        hf_unsupported(builder, "%s.truncate is not true", rope->where);
    hf_put_text(builder, "rope.scaling.type", "yarn");
    hf_put_f32(builder, "rope.scaling.factor", factor);
    hf_put_u32(builder, "rope.scaling.original_context_length", (uint32_t)context);
    if (fabs(magnitude / own - 1) > 1e-6)
        hf_put_f32(builder, "rope.scaling.attn_factor", magnitude / own);
    if (hf_find_in(rope->scaling, "beta_fast"))
        hf_put_f32(builder, "rope.scaling.yarn_beta_fast",
                   number(builder, rope, "beta_fast", 1e-3, 1e6, 32));
    if (hf_find_in(rope->scaling, "beta_slow"))
        hf_put_f32(builder, "rope.scaling.yarn_beta_slow",
                   number(builder, rope, "beta_slow", 1e-3, 1e6, 1));
}

/* Wave lengths above context / low are stretched, below context / high kept, between blended. */
static void put_llama3(struct hf_builder *builder, const struct rope *rope)
{
    const struct hf_hparams *h = &builder->hparams;
    double factor = number(builder, rope, "factor", 1e-3, 1e6, 8);
    double low = number(builder, rope, "low_freq_factor", 1e-3, 1e6, 1);
    double high = number(builder, rope, "high_freq_factor", 1e-3, 1e6, 4);
    double context = original_context(builder, rope);
    uint32_t pairs = h->rope_dims / 2;
    float *factors = hf_alloc(builder, pairs, sizeof *factors);
    if (!factors || !hf_goes_on(builder))
        return;
    if (low >= high) {
        hf_fail(builder, FAULT_FORMAT,
                "config.json: %s.low_freq_factor is %g, expected below high_freq_factor %g",
                rope->where, low, high);
        return;
    }
    for (uint32_t i = 0; i < pairs; i++) {
        double turns = context / (2 * pi * pow(h->rope_base, 2.0 * i / h->rope_dims));
        double keep = fmin(fmax((turns - low) / (high - low), 0), 1);
        factors[i] = (float)(1 / ((1 - keep) / factor + keep));
    }
    hf_put_vector(builder, "rope_freqs.weight", factors, pairs);
}

static void put_factors(struct hf_builder *builder, const struct rope *rope, const char *key,
                        const char *name)
{
    uint32_t pairs = builder->hparams.rope_dims / 2;
    const json_t *list = hf_find_in(rope->scaling, key);
    float *factors = hf_alloc(builder, pairs, sizeof *factors);
    if (!factors || !hf_goes_on(builder))
        return;
    if (!json_is_array(list) || json_array_size(list) != pairs) {
        hf_fail(builder, FAULT_FORMAT, "config.json: %s.%s is no array of %u numbers", rope->where,
                key, pairs);
        return;
    }
    for (uint32_t i = 0; i < pairs; i++) {
        double factor = json_number_value(json_array_get(list, i));
        if (!(factor >= 1e-6 && factor <= 1e6)) {
            hf_fail(builder, FAULT_FORMAT, "config.json: %s.%s[%u] is no number from 1e-6 to 1e6",
                    rope->where, key, i);
            return;
        }
        factors[i] = (float)factor;
    }
    hf_put_vector(builder, name, factors, pairs);
}

static void put_longrope(struct hf_builder *builder, const struct rope *rope)
{
    double context = original_context(builder, rope), trained = builder->hparams.context;
    double factor = number(builder, rope, "factor", 1e-3, 1e6, trained / context);
    if (context < trained)
        factor = trained / context;
    double usual = factor <= 1 || context <= 1 ? 1 : sqrt(1 + log(factor) / log(context));
    double magnitude = number(builder, rope, "attention_factor", 1e-3, 1e3, usual);
    hf_put_text(builder, "rope.scaling.type", "longrope");
    hf_put_u32(builder, "rope.scaling.original_context_length", (uint32_t)context);
    hf_put_f32(builder, "rope.scaling.attn_factor", magnitude);
    put_factors(builder, rope, "long_factor", "rope_factors_long.weight");
    put_factors(builder, rope, "short_factor", "rope_factors_short.weight");
}

static void put_scaling(struct hf_builder *builder, const struct rope *rope)
{
    if (strcmp(rope->type, "default") == 0 || strcmp(rope->type, "none") == 0 ||
        strcmp(rope->type, "dynamic") == 0)
        return;
    if (strcmp(rope->type, "linear") == 0) {
        hf_put_text(builder, "rope.scaling.type", "linear");
        hf_put_f32(builder, "rope.scaling.factor",
                   number(builder, rope, "factor", 1e-3, 1e6, (double)NAN));
    } else if (strcmp(rope->type, "yarn") == 0)
        put_yarn(builder, rope);
    else if (strcmp(rope->type, "llama3") == 0)
        put_llama3(builder, rope);
    else if (strcmp(rope->type, "longrope") == 0 || strcmp(rope->type, "su") == 0)
        put_longrope(builder, rope);
    else
        hf_unsupported(builder, "rope scaling of type %.64s", rope->type);
}

/* Hunyuan: base alpha^(dims / (dims - 2)). Other models grow the base with the length, beyond the
 * trained context. */
static double base_of_alpha(struct hf_builder *builder, const struct rope *rope, double base)
{
    double dims = builder->hparams.head_dim;
    if (strcmp(rope->type, "dynamic") != 0 || !hf_find_in(rope->scaling, "alpha") || dims <= 2)
        return base;
    return base * pow(number(builder, rope, "alpha", 1e-3, 1e6, 1), dims / (dims - 2));
}

/* rope_parameters; of two kinds of layers, those of full attention. */
static void find_scaling(struct hf_builder *builder, struct rope *rope)
{
    rope->where = "rope_parameters";
    rope->scaling = hf_find(&builder->config, "rope_parameters");
    if (!rope->scaling) {
        rope->where = "rope_scaling";
        rope->scaling = hf_find(&builder->config, "rope_scaling");
    }
    rope->type = "default";
    if (!rope->scaling)
        return;
    if (!json_is_object(rope->scaling)) {
        hf_config_wrong(&builder->config, rope->where, rope->scaling, "an object");
        return;
    }
    const json_t *full = hf_find_in(rope->scaling, "full_attention");
    if (json_is_object(full))
        rope->scaling = full;
    const json_t *type = hf_find_in(rope->scaling, "rope_type|type");
    if (json_is_string(type))
        rope->type = json_string_value(type);
    else if (type)
        hf_config_wrong(&builder->config, "rope_type", type, "text");
}

static void read_dims(struct hf_builder *builder, const struct rope *rope)
{
    struct hf_hparams *h = &builder->hparams;
    double part = hf_number(&builder->config, "partial_rotary_factor|rope_pct|rotary_pct", 0, 1, 1);
    part = number(builder, rope, "partial_rotary_factor", 0, 1, part);
    h->rope_dims =
        hf_count(&builder->config, "rotary_dim", 2, 1024, (uint32_t)(part * h->head_dim));
    if (hf_goes_on(builder) &&
        (h->rope_dims < 2 || h->rope_dims % 2 != 0 || h->rope_dims > h->head_dim))
        hf_fail(builder, FAULT_FORMAT,
                "config.json: %u of %u dimensions of a head are rotated, expected an even number "
                "from 2",
                h->rope_dims, h->head_dim);
}

void hf_rope_read(struct hf_builder *builder)
{
    struct rope rope;
    struct hf_hparams *h = &builder->hparams;
    find_scaling(builder, &rope);
    read_dims(builder, &rope);
    double base = hf_number(&builder->config, "rope_theta|rotary_emb_base", 1, 1e12, 10000);
    h->rope_base = number(builder, &rope, "rope_theta", 1, 1e12, base);
    h->rope_base *= hf_number(&builder->config, "rope_ratio", 1e-3, 1e6, 1);
    h->rope_base = base_of_alpha(builder, &rope, h->rope_base);
    if (!hf_goes_on(builder))
        return;
    hf_put_u32(builder, "rope.dimension_count", h->rope_dims);
    hf_put_f32(builder, "rope.freq_base", h->rope_base);
    put_scaling(builder, &rope);
}
