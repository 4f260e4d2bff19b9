/* sampler.h: logits to the next token id. Pure C, no device.
 *
 * Order of the chain (each off by its neutral value):
 *   logit bias -> repetition, presence, frequency penalties -> DRY ->
 *   top-k -> typical -> top-p -> min-p -> XTC -> temperature -> draw
 * temperature 0 is exact argmax after bias and penalties, the lowest id on ties.
 * mirostat 2 replaces everything between DRY and the draw except temperature.
 * Same seed, same logits, same history: same token, on every machine. Random numbers go by the seed
 * and the number of the pick; a rewind does not take that back, so another answer comes. */
#ifndef LICHEN_SAMPLER_H
#define LICHEN_SAMPLER_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>

struct logit_bias {
    int32_t id;
    float bias; /* added to the logit; -INFINITY forbids the token */
};

struct sampler_options {
    uint64_t seed;
    float temperature;        /* 0 = greedy */
    uint32_t top_k;           /* 0 = off */
    float top_p;              /* 1 = off */
    float min_p;              /* 0 = off */
    float typical_p;          /* 1 = off */
    float repeat_penalty;     /* 1 = off; logit > 0 is divided, else multiplied */
    float presence_penalty;   /* 0 = off */
    float frequency_penalty;  /* 0 = off */
    int32_t penalty_last;     /* tokens of history looked at; 0 = off, -1 = all */
    float dry_multiplier;     /* 0 = off */
    float dry_base;           /* 1.75 */
    uint32_t dry_allowed;     /* 2: a repeated run up to this long costs nothing */
    int32_t dry_last;         /* -1 = all */
    const int32_t *dry_breakers; /* [dry_breaker_count] token ids that end a run; caller's */
    size_t dry_breaker_count;
    float xtc_probability;    /* 0 = off */
    float xtc_threshold;      /* 0.1 */
    bool mirostat;            /* version 2 */
    float mirostat_tau;       /* 5 */
    float mirostat_eta;       /* 0.1 */
    const struct logit_bias *biases; /* [bias_count], caller's, valid while the sampler lives */
    size_t bias_count;
};

struct sampler; /* options, random state, token history; one conversation, one thread */

void sampler_defaults(struct sampler_options *options); /* temperature 0.8, top-k 40, top-p 0.95, min-p 0.05 */
/* Refuses NaN, negative temperature, top_p outside (0, 1], ... with the option's name. */
bool sampler_check(const struct sampler_options *options, uint32_t vocab, struct fault *fault);
bool sampler_create(const struct sampler_options *options, uint32_t vocab, struct sampler **out,
                    struct fault *fault);
void sampler_destroy(struct sampler *sampler); /* NULL is allowed */

/* Token history: what the penalties and DRY see, prompt included. */
bool sampler_accept(struct sampler *sampler, int32_t id, struct fault *fault);
void sampler_rewind(struct sampler *sampler, size_t count); /* keeps the first count tokens */

/* How many of the largest logits decide the result exactly: 1 for plain greedy, top_k for a plain
 * top-k chain, vocab when the chain needs all (penalties that may lift a token, top_k 0, mirostat,
 * bias). The engine then reads back only so many. */
uint32_t sampler_needs(const struct sampler *sampler);

/* ids/logits: count candidates in any order (all of the vocabulary with ids NULL, then id = index).
 * A NaN or +Inf logit, or no candidate left, is a fault. Does not accept the token. */
bool sampler_pick(struct sampler *sampler, const int32_t *ids, const float *logits, size_t count,
                  int32_t *id, struct fault *fault);

#endif
