/* load.c: takes the logits in, checks them, and finds the largest. */
#include "chain.h"

#include <math.h>
#include <stdlib.h>

bool candidate_before(const struct candidate *a, const struct candidate *b)
{
    return a->logit > b->logit || (a->logit == b->logit && a->id < b->id);
}

static int by_id(const void *a, const void *b)
{
    int32_t left = ((const struct candidate *)a)->id, right = ((const struct candidate *)b)->id;
    return left < right ? -1 : left > right;
}

static bool add(struct sampler *sampler, int32_t id, float logit, struct fault *fault)
{
    if (isnan(logit) || (isinf(logit) && logit > 0))
        return fault_set(fault, FAULT_FORMAT, "logit of token %d is %s", id,
                         isnan(logit) ? "not a number" : "infinite");
    if (id < 0 || (uint32_t)id >= sampler->vocab)
        return fault_set(fault, FAULT_ARGUMENT, "token %d is not below %u", id, sampler->vocab);
    if (!isinf(logit))
        sampler->candidates[sampler->count++] = (struct candidate){id, logit};
    return true;
}

bool candidates_load(struct sampler *sampler, const int32_t *ids, const float *logits, size_t count,
                     struct fault *fault)
{
    bool sorted = true;
    sampler->count = 0;
    if (count > sampler->vocab)
        return fault_set(fault, FAULT_ARGUMENT, "%zu logits for a vocabulary of %u", count,
                         sampler->vocab);
    for (size_t i = 0; i < count; i++) {
        if (!add(sampler, ids ? ids[i] : (int32_t)i, logits[i], fault))
            return false;
        sorted = sorted && (!ids || i == 0 || ids[i - 1] < ids[i]);
    }
    if (!sorted)
        qsort(sampler->candidates, sampler->count, sizeof *sampler->candidates, by_id);
    for (size_t i = 1; !sorted && i < sampler->count; i++)
        if (sampler->candidates[i - 1].id == sampler->candidates[i].id)
            return fault_set(fault, FAULT_ARGUMENT, "token %d has two logits",
                             sampler->candidates[i].id);
    return true;
}

int32_t candidates_largest(const struct sampler *sampler)
{
    const struct candidate *best = &sampler->candidates[0];
    for (size_t i = 1; i < sampler->count; i++)
        if (sampler->candidates[i].logit > best->logit)
            best = &sampler->candidates[i];
    return best->id;
}
