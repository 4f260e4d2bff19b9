/* sample_tools.c: what the sampler's tests share. */
#include "testing.h"

#include "sample_tools.h"

void plain_options(struct sampler_options *options)
{
    sampler_defaults(options);
    options->temperature = 1;
    options->top_k = 0;
    options->top_p = 1;
    options->min_p = 0;
}

static struct sampler *make(const struct sampler_options *options, size_t count,
                            const int32_t *tokens, size_t token_count)
{
    struct fault fault = {0};
    struct sampler *sampler;
    if (!sampler_create(options, (uint32_t)count, &sampler, &fault))
        fail_msg("%s", fault.text);
    for (size_t i = 0; i < token_count; i++)
        assert_true(sampler_accept(sampler, tokens[i], &fault));
    return sampler;
}

uint32_t drawn_set(const struct sampler_options *options, const float *logits, size_t count,
                   const int32_t *tokens, size_t token_count, size_t picks)
{
    struct fault fault = {0};
    struct sampler *sampler = make(options, count, tokens, token_count);
    uint32_t set = 0;
    for (size_t i = 0; i < picks; i++) {
        int32_t id;
        if (!sampler_pick(sampler, NULL, logits, count, &id, &fault))
            fail_msg("%s", fault.text);
        set |= 1u << id;
    }
    sampler_destroy(sampler);
    return set;
}

void drawn_counts(const struct sampler_options *options, const float *logits, size_t count,
                  size_t picks, size_t *counts)
{
    struct fault fault = {0};
    struct sampler *sampler = make(options, count, NULL, 0);
    memset(counts, 0, count * sizeof *counts);
    for (size_t i = 0; i < picks; i++) {
        int32_t id;
        assert_true(sampler_pick(sampler, NULL, logits, count, &id, &fault));
        counts[id]++;
    }
    sampler_destroy(sampler);
}
