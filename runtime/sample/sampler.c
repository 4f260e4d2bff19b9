/* sampler.c: options, token history and the order of the chain. */
#include "sampler.h"
#include "chain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void sampler_defaults(struct sampler_options *options)
{
    *options = (struct sampler_options){
        .temperature = 0.8f,
        .top_k = 40,
        .top_p = 0.95f,
        .min_p = 0.05f,
        .typical_p = 1,
        .repeat_penalty = 1,
        .penalty_last = 64,
        .dry_base = 1.75f,
        .dry_allowed = 2,
        .dry_last = -1,
        .xtc_threshold = 0.1f,
        .mirostat_tau = 5,
        .mirostat_eta = 0.1f,
    };
}

/* Whether low <= value <= high; false for NaN. */
static bool check_range(const char *name, float value, float low, float high, struct fault *fault)
{
    if (value >= low && value <= high)
        return true;
    return fault_set(fault, FAULT_ARGUMENT, "%s: %g is not between %g and %g", name, (double)value,
                     (double)low, (double)high);
}

/* The same without the lower end. */
static bool check_above(const char *name, float value, float low, float high, struct fault *fault)
{
    if (value > low && value <= high)
        return true;
    return fault_set(fault, FAULT_ARGUMENT, "%s: %g is not above %g and up to %g", name,
                     (double)value, (double)low, (double)high);
}

static bool check_last(const char *name, int32_t last, struct fault *fault)
{
    return last >= -1 || fault_set(fault, FAULT_ARGUMENT, "%s: %d is less than -1", name, last);
}

static bool check_lists(const struct sampler_options *options, uint32_t vocab, struct fault *fault)
{
    for (size_t i = 0; i < options->dry_breaker_count; i++)
        if (options->dry_breakers[i] < 0 || (uint32_t)options->dry_breakers[i] >= vocab)
            return fault_set(fault, FAULT_ARGUMENT, "dry breaker: token %d is not below %u",
                             options->dry_breakers[i], vocab);
    for (size_t i = 0; i < options->bias_count; i++) {
        const struct logit_bias *bias = &options->biases[i];
        if (bias->id < 0 || (uint32_t)bias->id >= vocab)
            return fault_set(fault, FAULT_ARGUMENT, "logit bias: token %d is not below %u",
                             bias->id, vocab);
        if (isnan(bias->bias) || (isinf(bias->bias) && bias->bias > 0))
            return fault_set(fault, FAULT_ARGUMENT, "logit bias of token %d is not finite",
                             bias->id);
    }
    return true;
}

bool sampler_check(const struct sampler_options *options, uint32_t vocab, struct fault *fault)
{
    if (vocab == 0 || vocab > INT32_MAX)
        return fault_set(fault, FAULT_ARGUMENT, "a vocabulary of %u tokens", vocab);
    return check_range("temperature", options->temperature, 0, 1e6f, fault) &&
           check_above("top_p", options->top_p, 0, 1, fault) &&
           check_range("min_p", options->min_p, 0, 1, fault) &&
           check_above("typical_p", options->typical_p, 0, 1, fault) &&
           check_above("repeat_penalty", options->repeat_penalty, 0, 1e6f, fault) &&
           check_range("presence_penalty", options->presence_penalty, -1e6f, 1e6f, fault) &&
           check_range("frequency_penalty", options->frequency_penalty, -1e6f, 1e6f, fault) &&
           check_last("penalty_last", options->penalty_last, fault) &&
           check_range("dry_multiplier", options->dry_multiplier, 0, 1e6f, fault) &&
           check_range("dry_base", options->dry_base, 1, 1e6f, fault) &&
           check_last("dry_last", options->dry_last, fault) &&
           check_range("xtc_probability", options->xtc_probability, 0, 1, fault) &&
           check_range("xtc_threshold", options->xtc_threshold, 0, 1, fault) &&
           check_above("mirostat_tau", options->mirostat_tau, 0, 1e6f, fault) &&
           check_range("mirostat_eta", options->mirostat_eta, 0, 1, fault) &&
           check_lists(options, vocab, fault);
}

static bool allocate(struct sampler *sampler)
{
    size_t vocab = sampler->vocab;
    sampler->candidates = calloc(vocab, sizeof *sampler->candidates);
    sampler->weights = calloc(vocab, sizeof *sampler->weights);
    sampler->keys = calloc(vocab, sizeof *sampler->keys);
    sampler->order = calloc(vocab, sizeof *sampler->order);
    sampler->seen = calloc(vocab, sizeof *sampler->seen);
    return sampler->candidates && sampler->weights && sampler->keys && sampler->order &&
           sampler->seen;
}

bool sampler_create(const struct sampler_options *options, uint32_t vocab, struct sampler **out,
                    struct fault *fault)
{
    *out = NULL;
    if (!sampler_check(options, vocab, fault))
        return false;
    struct sampler *sampler = calloc(1, sizeof *sampler);
    if (!sampler)
        return fault_set(fault, FAULT_MEMORY, "no memory for a sampler");
    sampler->options = *options;
    sampler->vocab = vocab;
    sampler->mu = 2.0 * options->mirostat_tau;
    if (!allocate(sampler)) {
        sampler_destroy(sampler);
        return fault_set(fault, FAULT_MEMORY, "no memory for a sampler of %u tokens", vocab);
    }
    *out = sampler;
    return true;
}

void sampler_destroy(struct sampler *sampler)
{
    if (!sampler)
        return;
    free(sampler->history.ids);
    free(sampler->candidates);
    free(sampler->weights);
    free(sampler->keys);
    free(sampler->order);
    free(sampler->seen);
    free(sampler->runs);
    free(sampler);
}

static bool history_grow(struct sampler *sampler, struct fault *fault)
{
    struct history *history = &sampler->history;
    size_t capacity = 2 * history->capacity + 1024;
    int32_t *ids = realloc(history->ids, capacity * sizeof *ids);
    history->ids = ids ? ids : history->ids;
    uint32_t *runs = realloc(sampler->runs, capacity * sizeof *runs);
    sampler->runs = runs ? runs : sampler->runs;
    if (!ids || !runs)
        return fault_set(fault, FAULT_MEMORY, "no memory for a history of %zu tokens", capacity);
    history->capacity = capacity;
    return true;
}

bool sampler_accept(struct sampler *sampler, int32_t id, struct fault *fault)
{
    struct history *history = &sampler->history;
    if (id < 0 || (uint32_t)id >= sampler->vocab)
        return fault_set(fault, FAULT_ARGUMENT, "token %d is not below %u", id, sampler->vocab);
    if (history->count == history->capacity && !history_grow(sampler, fault))
        return false;
    history->ids[history->count++] = id;
    return true;
}

void sampler_rewind(struct sampler *sampler, size_t count)
{
    if (count < sampler->history.count)
        sampler->history.count = count;
}

/* Whether some token may rise above those that are larger now. */
static bool may_lift(const struct sampler_options *options)
{
    for (size_t i = 0; i < options->bias_count; i++)
        if (options->biases[i].bias > 0)
            return true;
    return options->repeat_penalty < 1 || options->presence_penalty < 0 ||
           options->frequency_penalty < 0;
}

/* At most this many tokens fall. */
static size_t may_fall(const struct sampler *sampler)
{
    const struct sampler_options *options = &sampler->options;
    size_t count = options->bias_count;
    if (options->repeat_penalty != 1 || options->presence_penalty != 0 ||
        options->frequency_penalty != 0)
        count += history_window(&sampler->history, options->penalty_last);
    if (options->dry_multiplier != 0)
        count += history_window(&sampler->history, options->dry_last);
    return count;
}

uint32_t sampler_needs(const struct sampler *sampler)
{
    const struct sampler_options *options = &sampler->options;
    bool greedy = options->temperature == 0;
    if (may_lift(options) || (!greedy && (options->mirostat || options->top_k == 0)))
        return sampler->vocab;
    size_t needed = (greedy ? 1 : options->top_k) + may_fall(sampler);
    return needed < sampler->vocab ? (uint32_t)needed : sampler->vocab;
}

/* The surprise is that of the model, not of what is left to draw from. */
static int32_t pick_mirostat(struct sampler *sampler)
{
    candidates_weigh(sampler, 1.0 / sampler->options.temperature);
    filter_surprise(sampler);
    size_t index = candidates_draw(sampler);
    double share = sampler->weights[index] / sampler->weight_sum;
    double surprise = -exact_log(fmax(share, 1e-300)) / 0.6931471805599453;
    sampler->mu -= sampler->options.mirostat_eta * (surprise - sampler->options.mirostat_tau);
    return sampler->candidates[index].id;
}

static int32_t pick_filtered(struct sampler *sampler)
{
    filter_top_k(sampler);
    filter_typical(sampler);
    filter_top_p(sampler);
    filter_min_p(sampler);
    filter_xtc(sampler);
    candidates_weigh(sampler, 1.0 / sampler->options.temperature);
    return sampler->candidates[candidates_draw(sampler)].id;
}

bool sampler_pick(struct sampler *sampler, const int32_t *ids, const float *logits, size_t count,
                  int32_t *id, struct fault *fault)
{
    if (!candidates_load(sampler, ids, logits, count, fault) || !penalty_bias(sampler, fault))
        return false;
    if (sampler->count == 0)
        return fault_set(fault, FAULT_ARGUMENT, "no token is left to choose from");
    penalty_repeats(sampler);
    penalty_dry(sampler);
    if (sampler->options.temperature == 0)
        *id = candidates_largest(sampler);
    else
        *id = sampler->options.mirostat ? pick_mirostat(sampler) : pick_filtered(sampler);
    sampler->picks++;
    return true;
}
