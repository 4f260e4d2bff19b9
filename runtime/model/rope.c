/* rope.c: frequency of pair i is base^(-2i/dims), then
 *   linear:  divided by the factor s
 *   yarn:    between f / s (slow pairs) and f (fast pairs) along a ramp over i (Peng et al. 2023,
 *            with the bounds rounded outwards); cos and sin times 1 + 0.1 ln s
 *   llama3:  wave length above context / low: f / s; below context / high: f; between: blended
 *   tensor:  divided by rope_freqs.weight[i] (how converters write llama3), or by
 *            rope_factors_short.weight[i], which hold up to the original context (longrope: Ding et
 *            al. 2024); beyond it the long ones would, so hparams.c ends the trained context
 *            there */
#include "rope.h"
#include "half.h"
#include <math.h>

static const double pi = 3.14159265358979323846;

/* The pair that turns `turns` times over the original context. */
static double yarn_pair(const struct hparams *hparams, double base, double turns)
{
    return hparams->rope_dims * log(hparams->rope_context / (turns * 2 * pi)) / (2 * log(base));
}

static double yarn_frequency(const struct hparams *hparams, double base, uint32_t i, double f)
{
    double low = floor(yarn_pair(hparams, base, (double)hparams->rope_beta_fast));
    double high = ceil(yarn_pair(hparams, base, (double)hparams->rope_beta_slow));
    low = fmax(low, 0);
    high = fmin(high, hparams->rope_dims - 1);
    double ramp = fmin(fmax((i - low) / fmax(0.001, high - low), 0), 1);
    double keep = (1 - ramp) * (double)hparams->rope_extrapolation;
    return f / (double)hparams->rope_factor * (1 - keep) + f * keep;
}

static double llama3_frequency(const struct hparams *hparams, double f)
{
    double low = (double)hparams->rope_low_frequency, high = (double)hparams->rope_high_frequency;
    double turns = hparams->rope_context * f / (2 * pi); /* context / wave length */
    double slow = f / (double)hparams->rope_factor;
    if (turns < low)
        return slow;
    if (turns > high)
        return f;
    double keep = (turns - low) / (high - low);
    return slow * (1 - keep) + f * keep;
}

static double frequency(const struct hparams *hparams, enum rope_scaling scaling, double base,
                        uint32_t i)
{
    double f = pow(base, -2.0 * i / hparams->rope_dims);
    switch (scaling) {
    case ROPE_SCALING_LINEAR:
        return f / (double)hparams->rope_factor;
    case ROPE_SCALING_YARN:
        return yarn_frequency(hparams, base, i, f);
    case ROPE_SCALING_LLAMA3:
        return llama3_frequency(hparams, f);
    case ROPE_SCALING_NONE:
    case ROPE_SCALING_LONGROPE:
        break;
    }
    return f;
}

static double magnitude(const struct hparams *hparams, enum rope_scaling scaling)
{
    double factor = (double)hparams->rope_attention_factor;
    if (scaling == ROPE_SCALING_YARN && hparams->rope_extrapolation > 0 && hparams->rope_factor > 1)
        factor *= 1 + 0.1 * log((double)hparams->rope_factor);
    return factor;
}

static double *table_fill(struct plan *plan, const struct hparams *hparams,
                          struct rope_table *table, enum rope_scaling scaling, float base,
                          struct fault *fault)
{
    uint32_t pairs = hparams->rope_dims / 2;
    double *values = arena_alloc(&plan->arena, pairs, sizeof *values);
    if (!values) {
        fault_set(fault, FAULT_MEMORY, "no memory for %u frequencies", pairs);
        return NULL;
    }
    for (uint32_t i = 0; i < pairs; i++) {
        values[i] = frequency(hparams, scaling, (double)base, i);
        if (hparams->rope_rounded)
            values[i] = (double)half_to_float(half_from_float((float)values[i]));
    }
    *table = (struct rope_table){hparams->rope_dims, values, magnitude(hparams, scaling)};
    return values;
}

/* The tensor `name` holds one factor a pair. */
static bool factors_apply(const struct gguf *gguf, const char *name, uint32_t pairs, double *values,
                          struct fault *fault)
{
    enum { PAIRS_MAX = 512 }; /* half of the largest rope.dimension_count */
    const struct gguf_tensor *tensor = gguf_tensor_find(gguf, name);
    float factors[PAIRS_MAX];
    if (!tensor)
        return true;
    if (tensor->dtype != DTYPE_F32 || tensor->rows != 1 || tensor->dims[0] != pairs)
        return fault_set(fault, FAULT_FORMAT, "tensor %s: %llu rows of %llu, expected 1 of %u F32",
                         name, (unsigned long long)tensor->rows,
                         (unsigned long long)tensor->dims[0], pairs);
    if (!gguf_read(gguf, tensor, 0, factors, pairs * sizeof *factors, fault))
        return false;
    for (uint32_t i = 0; i < pairs; i++) {
        if (!(factors[i] > 0 && factors[i] < INFINITY))
            return fault_set(fault, FAULT_FORMAT, "%s[%u] is %g, expected above 0", name, i,
                             (double)factors[i]);
        values[i] /= (double)factors[i];
    }
    return true;
}

bool rope_build(const struct gguf *gguf, const struct hparams *hparams, struct plan *plan,
                struct fault *fault)
{
    if (hparams->rope_dims == 0)
        return true;
    double *values =
        table_fill(plan, hparams, &plan->rope[0], hparams->rope_scaling, hparams->rope_base, fault);
    uint32_t pairs = hparams->rope_dims / 2;
    if (!values || !factors_apply(gguf, "rope_freqs.weight", pairs, values, fault) ||
        !factors_apply(gguf, "rope_factors_short.weight", pairs, values, fault))
        return false;
    bool same = !hparams->rope_local_plain && hparams->rope_base_local == hparams->rope_base;
    if (hparams->window == 0 || same)
        return true;
    enum rope_scaling local = hparams->rope_local_plain ? ROPE_SCALING_NONE : hparams->rope_scaling;
    if (!table_fill(plan, hparams, &plan->rope[1], local, hparams->rope_base_local, fault))
        return false;
    if (hparams->rope_local_plain)
        plan->rope[1].magnitude = 1;
    return true;
}
