/* sample_tools.h: what the sampler's tests share. */
#ifndef LICHEN_SAMPLE_TOOLS_H
#define LICHEN_SAMPLE_TOOLS_H

#include "sampler.h"

/* Temperature 1 and everything else off. */
void plain_options(struct sampler_options *options);
/* Bit i is set where id i came in one of `picks` picks; count <= 32. History: `tokens`. */
uint32_t drawn_set(const struct sampler_options *options, const float *logits, size_t count,
                   const int32_t *tokens, size_t token_count, size_t picks);
/* Counts of the ids in `picks` picks of one sampler. */
void drawn_counts(const struct sampler_options *options, const float *logits, size_t count,
                  size_t picks, size_t *counts);

#endif
