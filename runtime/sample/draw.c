/* draw.c: random numbers, softmax weights and the draw.
 *
 * Random numbers are those of a counter, not of a state: u = mix(mix(seed) + c * golden), with c
 * the number of the pick and the use, and mix the finalizer of splitmix64 (Steele, Lea, Flood
 * 2014). So a pick takes the same numbers whichever filters are on, and making an answer again,
 * which goes on counting, gives another one. */
#include "chain.h"

#include <math.h>

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

double random_uniform(const struct sampler *sampler, enum random_use use)
{
    uint64_t counter = sampler->picks * RANDOM_USES + (uint64_t)use + 1;
    uint64_t bits =
        mix(mix(sampler->options.seed + 0x9E3779B97F4A7C15u) + counter * 0x9E3779B97F4A7C15u);
    return (double)(bits >> 11) / 9007199254740992.0;
}

void candidates_weigh(struct sampler *sampler, double scale)
{
    double largest = -HUGE_VAL;
    for (size_t i = 0; i < sampler->count; i++)
        largest = fmax(largest, sampler->candidates[i].logit);
    sampler->weight_sum = 0;
    for (size_t i = 0; i < sampler->count; i++) {
        sampler->weights[i] = exact_exp(((double)sampler->candidates[i].logit - largest) * scale);
        sampler->weight_sum += sampler->weights[i];
    }
}

size_t candidates_draw(const struct sampler *sampler)
{
    double sum = 0, passed = 0;
    size_t last = 0;
    for (size_t i = 0; i < sampler->count; i++)
        sum += sampler->weights[i];
    double target = random_uniform(sampler, RANDOM_DRAW) * sum;
    for (size_t i = 0; i < sampler->count; i++) {
        if (sampler->weights[i] <= 0)
            continue;
        passed += sampler->weights[i];
        last = i;
        if (passed > target)
            break;
    }
    return last;
}
