/* loss_figures.h: what one text says about one candidate: the tokens of a series (loss_run.h) as
 * means, percentiles and intervals. Names as llama-perplexity prints them.
 *   PPL = exp(mean nll)     ratio = PPL / PPL(base)     dp = exp(-nll) - exp(-nll base) of the true
 * token "error" is the standard error as if tokens were independent (llama-perplexity's, too
 * small); intervals are over chunks (loss_interval.h). Probabilities and shares are 0 .. 1. */
#ifndef LICHEN_LOSS_FIGURES_H
#define LICHEN_LOSS_FIGURES_H

#include "loss_interval.h"
#include "loss_run.h"

enum {
    LOSS_SHARES = 11,   /* percentiles, loss_shares */
    LOSS_POSITIONS = 8, /* equal parts of the scored positions */
    LOSS_ENTROPIES = 5, /* equal parts of the tokens, by the base's entropy */
    LOSS_WORST = 50,    /* tokens of the largest KLD */
    LOSS_BINS = 61,     /* of the dp histogram */
};

/* 0, 0.1, 1, 5, 10, 50, 90, 95, 99, 99.9, 100 % */
extern const double loss_shares[LOSS_SHARES];

struct loss_estimate {
    double value, error;
    struct loss_interval interval;
};

struct loss_part { /* tokens first .. last of a division, and their mean KLD */
    double low, high, kld;
};

struct loss_figures {
    uint32_t chunks;
    size_t tokens;                                /* scored */
    struct loss_estimate ppl_base, ppl, ln_ratio; /* ln_ratio: mean nll - mean nll base */
    struct loss_interval ratio;                   /* of exp(ln_ratio) */
    double difference, difference_error;          /* PPL - PPL(base) */
    struct loss_interval difference_interval;     /* to first order in the windows' mean nll */
    double correlation;                           /* of the nll of tokens */
    struct loss_estimate kld, jsd, top1, top5, top10, dp;
    double kld_cut, dp_rms, dp_rms_error;
    double kld_at[LOSS_SHARES], dp_at[LOSS_SHARES];
    double accuracy_base, accuracy;             /* likeliest token is the true one */
    double right_to_wrong, wrong_to_right;      /* share of tokens */
    struct loss_part positions[LOSS_POSITIONS]; /* low, high: positions in the window */
    struct loss_part entropies[LOSS_ENTROPIES]; /* low, high: nats */
    size_t position_count, entropy_count;
    size_t worst[LOSS_WORST]; /* token numbers in the series, largest KLD first */
    size_t worst_count;
    double bins[LOSS_BINS]; /* share of tokens with dp in -1 .. 1, equal widths */
    double *kld_chunks, *nll_chunks, *nll_base_chunks; /* [chunks], means; own */
};

/* stream 1 ..: a candidate; 0: the base alone (only ppl_base, accuracy_base, nll_base_chunks are
 * set). chunks: how many of the series' windows the stream has run. */
bool loss_figures_of(const struct loss_series *series, size_t stream, uint32_t chunks, double level,
                     uint64_t seed, struct loss_figures *figures, struct fault *fault);
void loss_figures_free(struct loss_figures *figures);

#endif
