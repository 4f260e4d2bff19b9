/* chain.h: the parts a sampler is put together from. Private to sample/.
 *
 * Candidates are kept in ascending order of their ids, so every sum runs in the same order whatever
 * the order they came in, and a choice among the largest k logits equals one among all. */
#ifndef LICHEN_CHAIN_H
#define LICHEN_CHAIN_H

#include "sampler.h"

struct candidate {
    int32_t id;
    float logit; /* finite */
};

struct history {
    int32_t *ids; /* [capacity] */
    size_t count;
    size_t capacity;
};

struct sampler {
    struct sampler_options options;
    uint32_t vocab;
    struct history history;
    uint64_t picks;               /* made so far: the position of the random numbers */
    double mu;                    /* mirostat: surprise allowed, in bits */
    struct candidate *candidates; /* [vocab], ascending ids */
    size_t count;                 /* of candidates */
    double *weights;              /* [vocab], exp(logit - largest) of each candidate */
    double weight_sum;
    double *keys;    /* [vocab] scratch: what is best is smallest */
    uint32_t *order; /* [vocab] scratch */
    uint32_t *seen;  /* [vocab] scratch, zero between uses: by token id */
    uint32_t *runs;  /* [history.capacity] scratch of DRY */
};

/* load.c: what the caller gave, checked; forbidden tokens are left out. */
bool candidates_load(struct sampler *sampler, const int32_t *ids, const float *logits, size_t count,
                     struct fault *fault);
int32_t candidates_largest(const struct sampler *sampler); /* the lowest id on ties */
/* Before: the larger logit, then the lower id. */
bool candidate_before(const struct candidate *a, const struct candidate *b);

/* penalty.c: change logits, by token id, before anything is taken away. */
bool penalty_bias(struct sampler *sampler, struct fault *fault);
void penalty_repeats(struct sampler *sampler);
void penalty_dry(struct sampler *sampler);
/* How many of the latest `last` tokens there are; last -1: all. */
size_t history_window(const struct history *history, int32_t last);

/* filter.c: each keeps some of the candidates, at least one. */
void filter_top_k(struct sampler *sampler);
void filter_typical(struct sampler *sampler);
void filter_top_p(struct sampler *sampler);
void filter_min_p(struct sampler *sampler);
void filter_xtc(struct sampler *sampler);
void filter_surprise(struct sampler *sampler); /* mirostat 2 */

/* draw.c */
enum random_use { RANDOM_DRAW, RANDOM_XTC, RANDOM_USES };
/* In [0, 1): a function of the seed, the number of the pick and what it is for. */
double random_uniform(const struct sampler *sampler, enum random_use use);
/* weights[i] = exp(temperature_scale * (logit - largest)) and their sum. */
void candidates_weigh(struct sampler *sampler, double scale);
size_t candidates_draw(const struct sampler *sampler); /* by weight; an index */

/* exact.c: the same bits on every machine, which libm does not promise. */
double exact_exp(double x); /* x <= 0 */
double exact_log(double x); /* x > 0, normal */

#endif
