/* filter.c: which candidates may be drawn.
 *   top-k     the k largest logits
 *   typical   those whose surprise -ln p is nearest to the entropy, until their sum passes
 * typical_p (Meister et al. 2022, arXiv:2202.00666) top-p     the most probable, until their sum
 * passes top_p; the one that passes it stays (Holtzman et al. 2019, arXiv:1904.09751) min-p     p
 * >= min_p * largest p (Nguyen et al. 2024, arXiv:2407.01082) XTC       by chance: of those with p
 * >= threshold only the least probable stays (github.com/oobabooga/text-generation-webui/pull/6335)
 *   mirostat  -log2 p <= mu (Basu et al. 2020, arXiv:2007.14966, algorithm 2)
 * Ties go to the larger logit, then to the lower id. Shares are compared in the options' precision:
 * 0.5 + 0.3 passes a top_p of 0.8f. */
#include "chain.h"

#include <math.h>
#include <stdlib.h>

static int by_index(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

/* Keeps the candidates whose indices are order[0 .. count), in the order of their ids. */
static void keep(struct sampler *sampler, size_t count)
{
    qsort(sampler->order, count, sizeof *sampler->order, by_index);
    for (size_t i = 0; i < count; i++)
        sampler->candidates[i] = sampler->candidates[sampler->order[i]];
    sampler->count = count;
}

static bool before(const struct sampler *sampler, uint32_t a, uint32_t b)
{
    if (sampler->keys[a] != sampler->keys[b])
        return sampler->keys[a] < sampler->keys[b];
    return candidate_before(&sampler->candidates[a], &sampler->candidates[b]);
}

/* Restores the heap of order[0 .. count) below `at`; `best` tells which belongs on top. */
static void sift(const struct sampler *sampler, uint32_t *order, size_t count, size_t at, bool best)
{
    for (;;) {
        size_t top = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (before(sampler, order[child], order[top]) == best)
                top = child;
        if (top == at)
            return;
        uint32_t moved = order[at];
        order[at] = order[top];
        order[top] = moved;
        at = top;
    }
}

static void heapify(const struct sampler *sampler, size_t count, bool best)
{
    for (size_t i = count / 2; i > 0; i--)
        sift(sampler, sampler->order, count, i - 1, best);
}

/* A heap of k with the worst on top, which a better one replaces: O(n log k). */
void filter_top_k(struct sampler *sampler)
{
    size_t k = sampler->options.top_k;
    if (k == 0 || k >= sampler->count)
        return;
    for (size_t i = 0; i < sampler->count; i++)
        sampler->keys[i] = -(double)sampler->candidates[i].logit;
    for (size_t i = 0; i < k; i++)
        sampler->order[i] = (uint32_t)i;
    heapify(sampler, k, false);
    for (size_t i = k; i < sampler->count; i++) {
        if (!before(sampler, (uint32_t)i, sampler->order[0]))
            continue;
        sampler->order[0] = (uint32_t)i;
        sift(sampler, sampler->order, k, 0, false);
    }
    keep(sampler, k);
}

/* Takes the candidates of the smallest keys until their weights pass `share` of the sum: heapify
 * and as many pops, O(n + m log n). What was taken is moved behind the heap. */
static void keep_share(struct sampler *sampler, float share)
{
    size_t left = sampler->count, taken = 0;
    double sum = 0;
    for (size_t i = 0; i < left; i++)
        sampler->order[i] = (uint32_t)i;
    heapify(sampler, left, true);
    while (left > 0 && (taken == 0 || (float)(sum / sampler->weight_sum) < share)) {
        uint32_t best = sampler->order[0];
        sum += sampler->weights[best];
        sampler->order[0] = sampler->order[--left];
        sampler->order[left] = best;
        sift(sampler, sampler->order, left, 0, true);
        taken++;
    }
    for (size_t i = 0; i < taken; i++)
        sampler->order[i] = sampler->order[left + i];
    keep(sampler, taken);
}

void filter_typical(struct sampler *sampler)
{
    double entropy = 0;
    if (sampler->options.typical_p >= 1)
        return;
    candidates_weigh(sampler, 1);
    double log_sum = exact_log(sampler->weight_sum);
    double largest = -HUGE_VAL;
    for (size_t i = 0; i < sampler->count; i++)
        largest = fmax(largest, sampler->candidates[i].logit);
    for (size_t i = 0; i < sampler->count; i++) {
        double surprise = log_sum - ((double)sampler->candidates[i].logit - largest);
        sampler->keys[i] = surprise;
        entropy += sampler->weights[i] / sampler->weight_sum * surprise;
    }
    for (size_t i = 0; i < sampler->count; i++)
        sampler->keys[i] = fabs(sampler->keys[i] - entropy);
    keep_share(sampler, sampler->options.typical_p);
}

void filter_top_p(struct sampler *sampler)
{
    if (sampler->options.top_p >= 1)
        return;
    candidates_weigh(sampler, 1);
    for (size_t i = 0; i < sampler->count; i++)
        sampler->keys[i] = -(double)sampler->candidates[i].logit;
    keep_share(sampler, sampler->options.top_p);
}

void filter_min_p(struct sampler *sampler)
{
    size_t kept = 0;
    if (sampler->options.min_p <= 0)
        return;
    candidates_weigh(sampler, 1);
    for (size_t i = 0; i < sampler->count; i++)
        if ((float)sampler->weights[i] >= sampler->options.min_p) /* the largest weight is 1 */
            sampler->candidates[kept++] = sampler->candidates[i];
    sampler->count = kept;
}

static bool is_above(const struct sampler *sampler, size_t index)
{
    double share = sampler->weights[index] / sampler->weight_sum;
    return (float)share >= sampler->options.xtc_threshold;
}

void filter_xtc(struct sampler *sampler)
{
    const struct sampler_options *options = &sampler->options;
    size_t kept = 0, above = 0, least = 0;
    if (options->xtc_probability <= 0 ||
        random_uniform(sampler, RANDOM_XTC) >= options->xtc_probability)
        return;
    candidates_weigh(sampler, 1);
    for (size_t i = 0; i < sampler->count; i++) {
        if (!is_above(sampler, i))
            continue;
        if (above++ == 0 || !candidate_before(&sampler->candidates[i], &sampler->candidates[least]))
            least = i;
    }
    for (size_t i = 0; i < sampler->count && above > 1; i++)
        if (!is_above(sampler, i) || i == least)
            sampler->candidates[kept++] = sampler->candidates[i];
    sampler->count = above > 1 ? kept : sampler->count;
}

void filter_surprise(struct sampler *sampler)
{
    double largest = sampler->weights[0];
    size_t kept = 0;
    for (size_t i = 0; i < sampler->count; i++)
        largest = fmax(largest, sampler->weights[i]);
    double least = sampler->weight_sum * exact_exp(-fmax(sampler->mu, 0) * 0.6931471805599453);
    least = fmin(least, largest);
    for (size_t i = 0; i < sampler->count; i++) {
        if (sampler->weights[i] < least)
            continue;
        sampler->candidates[kept] = sampler->candidates[i];
        sampler->weights[kept++] = sampler->weights[i];
    }
    sampler->count = kept;
}
