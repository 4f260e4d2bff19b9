/* penalty.c: logit bias; repetition, presence and frequency penalties; DRY ("don't repeat
 * yourself", github.com/oobabooga/text-generation-webui/pull/5677).
 *
 *   logit > 0 ? logit / repeat : logit * repeat, once for a token that was seen
 *   logit - presence - frequency * times seen
 *   DRY: logit - multiplier * base^(run - allowed) for a token that would continue a repetition,
 *   run >= allowed = how many tokens before it are already repeated */
#include "chain.h"

#include <math.h>
#include <string.h>

/* Ids that are not among the candidates are skipped. */
static struct candidate *find(struct sampler *sampler, int32_t id)
{
    size_t low = 0, high = sampler->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sampler->candidates[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < sampler->count && sampler->candidates[low].id == id;
    return found ? &sampler->candidates[low] : NULL;
}

/* Leaves out what a bias made minus infinite. */
static void drop_forbidden(struct sampler *sampler)
{
    size_t kept = 0;
    for (size_t i = 0; i < sampler->count; i++)
        if (!isinf(sampler->candidates[i].logit))
            sampler->candidates[kept++] = sampler->candidates[i];
    sampler->count = kept;
}

bool penalty_bias(struct sampler *sampler, struct fault *fault)
{
    const struct sampler_options *options = &sampler->options;
    for (size_t i = 0; i < options->bias_count; i++) {
        struct candidate *candidate = find(sampler, options->biases[i].id);
        if (!candidate)
            continue;
        candidate->logit += options->biases[i].bias;
        if (isnan(candidate->logit) || (isinf(candidate->logit) && candidate->logit > 0))
            return fault_set(fault, FAULT_ARGUMENT, "bias of token %d makes its logit infinite",
                             candidate->id);
    }
    if (options->bias_count > 0)
        drop_forbidden(sampler);
    return true;
}

size_t history_window(const struct history *history, int32_t last)
{
    return last < 0 || (size_t)last > history->count ? history->count : (size_t)last;
}

static float penalized(const struct sampler_options *options, float logit, uint32_t times)
{
    logit = logit > 0 ? logit / options->repeat_penalty : logit * options->repeat_penalty;
    logit -= options->presence_penalty + options->frequency_penalty * (float)times;
    return isinf(logit) ? copysignf(3e38f, logit) : logit;
}

void penalty_repeats(struct sampler *sampler)
{
    const struct sampler_options *options = &sampler->options;
    const struct history *history = &sampler->history;
    size_t window = history_window(history, options->penalty_last);
    const int32_t *ids = history->ids + history->count - window;
    if (options->repeat_penalty == 1 && options->presence_penalty == 0 &&
        options->frequency_penalty == 0)
        return;
    for (size_t i = 0; i < window; i++)
        sampler->seen[ids[i]]++;
    for (size_t i = 0; i < window; i++) {
        uint32_t times = sampler->seen[ids[i]];
        struct candidate *candidate = times ? find(sampler, ids[i]) : NULL;
        if (candidate)
            candidate->logit = penalized(options, candidate->logit, times);
        sampler->seen[ids[i]] = 0;
    }
}

static bool is_breaker(const struct sampler_options *options, int32_t id)
{
    for (size_t i = 0; i < options->dry_breaker_count; i++)
        if (options->dry_breakers[i] == id)
            return true;
    return false;
}

/* Tokens at the end without a breaker. */
static size_t open_run(const struct sampler_options *options, const int32_t *ids, size_t count)
{
    size_t run = 0;
    while (run < count && !is_breaker(options, ids[count - 1 - run]))
        run++;
    return run;
}

/* runs[j]: how many tokens before the end are also those before ids[count - j] (Z algorithm on the
 * reversed text); runs[0] is not used. */
static void find_runs(const int32_t *ids, size_t count, uint32_t *runs)
{
    const int32_t *last = ids + count - 1;
    size_t left = 0, right = 0;
    for (size_t j = 1; j < count; j++) {
        size_t run = 0;
        if (j < right)
            run = runs[j - left] < right - j ? runs[j - left] : right - j;
        while (j + run < count && last[-(ptrdiff_t)run] == last[-(ptrdiff_t)(j + run)])
            run++;
        runs[j] = (uint32_t)run;
        if (j + run > right) {
            left = j;
            right = j + run;
        }
    }
}

static double dry_penalty(const struct sampler_options *options, uint32_t run)
{
    double penalty = options->dry_multiplier;
    for (uint32_t i = options->dry_allowed; i < run && penalty < 1e30; i++)
        penalty *= options->dry_base;
    return penalty < 1e30 ? penalty : 1e30;
}

static void apply_runs(struct sampler *sampler, const int32_t *ids, size_t window)
{
    const struct sampler_options *options = &sampler->options;
    for (size_t j = 1; j < window; j++) {
        int32_t id = ids[window - j];
        uint32_t run = sampler->seen[id];
        struct candidate *candidate = run ? find(sampler, id) : NULL;
        sampler->seen[id] = 0;
        if (candidate && run >= options->dry_allowed && !is_breaker(options, id))
            candidate->logit = (float)(candidate->logit - dry_penalty(options, run));
    }
}

void penalty_dry(struct sampler *sampler)
{
    const struct sampler_options *options = &sampler->options;
    const struct history *history = &sampler->history;
    size_t window = history_window(history, options->dry_last);
    const int32_t *ids = history->ids + history->count - window;
    size_t longest = open_run(options, ids, window);
    if (options->dry_multiplier == 0 || window < 2 || longest == 0)
        return;
    find_runs(ids, window, sampler->runs);
    for (size_t j = 1; j < window; j++) {
        uint32_t run = sampler->runs[j] < longest ? sampler->runs[j] : (uint32_t)longest;
        uint32_t *best = &sampler->seen[ids[window - j]];
        *best = run > *best ? run : *best;
    }
    apply_runs(sampler, ids, window);
}
